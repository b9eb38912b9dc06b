//! A small residual network with batch norm, 1.6 million parameters: higher accuracy for more training time. The
//! shape of David Page's ResNet-9 ("How to train your ResNet", 2018) at half the width.

use super::{ModelOptions, Network, classifier, dropout};
use crate::model::architecture::Layer;
use crate::model::initialise::Init;

pub(super) static NETWORK: Network = Network { name: "resnet9", parameters: 1_646_122, layers };

fn layers(options: &ModelOptions) -> Vec<Layer> {
    let block = |name: &str, inputs: usize, outputs: usize| {
        [
            Layer::Conv {
                name: format!("{name}.conv"),
                inputs,
                outputs,
                kernel: 3,
                padding: 1,
                bias: false,
                frozen: false,
                init: Init::He,
            },
            Layer::BatchNorm { name: format!("{name}.norm"), channels: outputs, scale: true, momentum: 0.1, eps: 1e-5 },
            Layer::Relu,
        ]
    };
    let residual = |name: &str, channels: usize| Layer::Residual {
        layers: [block(&format!("{name}.0"), channels, channels), block(&format!("{name}.1"), channels, channels)]
            .concat(),
    };
    let mut layers = Vec::new();
    layers.extend(block("prep", 3, 32));
    layers.extend(block("layer1", 32, 64));
    layers.push(Layer::MaxPool { size: 2 });
    layers.push(residual("layer1.residual", 64));
    layers.extend(block("layer2", 64, 128));
    layers.push(Layer::MaxPool { size: 2 });
    layers.extend(block("layer3", 128, 256));
    layers.push(Layer::MaxPool { size: 2 });
    layers.push(residual("layer3.residual", 256));
    layers.push(Layer::MaxPool { size: 4 });
    layers.push(Layer::Flatten);
    layers.extend(dropout(options));
    layers.push(classifier("head", 256, options));
    // Logits of batch-normed features start large; Page scales them by 1/8.
    layers.push(Layer::Scale { factor: 0.125 });
    layers
}
