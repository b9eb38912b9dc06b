//! The network of Keller Jordan's airbench94.py (arXiv:2404.00498), including its whitening layer.

use super::{ModelOptions, Network, dropout};
use crate::model::architecture::Layer;
use crate::model::initialise::Init;

pub(super) static NETWORK: Network = Network { name: "airbench94", parameters: PARAMETERS, layers };

pub(super) const PARAMETERS: usize = 1_971_352;

/// Where the two published programs differ.
pub(super) struct Start {
    pub whiten: Init,
    pub head: Init,
    /// The factor of the logits.
    pub logits: f32,
}

fn layers(options: &ModelOptions) -> Vec<Layer> {
    layers_from(Start { whiten: Init::Whitening, head: Init::TorchDefault, logits: 1.0 / 9.0 }, options)
}

pub(super) fn layers_from(start: Start, options: &ModelOptions) -> Vec<Layer> {
    let mut layers = vec![
        Layer::Conv {
            name: "whiten".to_string(),
            inputs: 3,
            outputs: 24,
            kernel: 2,
            padding: 0,
            bias: true,
            frozen: true,
            init: start.whiten,
        },
        Layer::Gelu,
    ];
    for (group, inputs, outputs) in [("group1", 24, 64), ("group2", 64, 256), ("group3", 256, 256)] {
        let conv = |part: &str, inputs: usize| Layer::Conv {
            name: format!("{group}.{part}"),
            inputs,
            outputs,
            kernel: 3,
            padding: 1,
            bias: false,
            frozen: false,
            init: Init::Dirac,
        };
        // airbench's momentum of 0.6 weights the old statistics; PyTorch's momentum weights the new ones.
        let norm = |part: &str| Layer::BatchNorm {
            name: format!("{group}.{part}"),
            channels: outputs,
            scale: false,
            momentum: 0.4,
            eps: 1e-12,
        };
        layers.extend([
            conv("conv1", inputs),
            Layer::MaxPool { size: 2 },
            norm("norm1"),
            Layer::Gelu,
            conv("conv2", outputs),
            norm("norm2"),
            Layer::Gelu,
        ]);
    }
    layers.push(Layer::MaxPool { size: 3 });
    layers.push(Layer::Flatten);
    layers.extend(dropout(options));
    layers.push(Layer::Linear {
        name: "head".to_string(),
        inputs: 256,
        outputs: options.classes,
        bias: false,
        init: start.head,
    });
    layers.push(Layer::Scale { factor: start.logits });
    layers
}
