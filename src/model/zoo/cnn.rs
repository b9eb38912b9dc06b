//! Four 3x3 convolutions and two linear layers, 2.2 million parameters: the network of the tutorials, and the one
//! that benchmarks use.

use super::{ModelOptions, Network, classifier, conv3x3, dropout};
use crate::model::architecture::Layer;
use crate::model::initialise::Init;

pub(super) static NETWORK: Network = Network { name: "cnn", parameters: 2_168_362, layers };

fn layers(options: &ModelOptions) -> Vec<Layer> {
    let mut layers = vec![
        conv3x3("conv1", 3, 32),
        Layer::Relu,
        conv3x3("conv2", 32, 32),
        Layer::Relu,
        Layer::MaxPool { size: 2 },
        conv3x3("conv3", 32, 64),
        Layer::Relu,
        conv3x3("conv4", 64, 64),
        Layer::Relu,
        Layer::MaxPool { size: 2 },
        Layer::Flatten,
        Layer::Linear { name: "fc1".to_string(), inputs: 4096, outputs: 512, bias: true, init: Init::He },
        Layer::Relu,
    ];
    layers.extend(dropout(options));
    layers.push(classifier("fc2", 512, options));
    layers
}
