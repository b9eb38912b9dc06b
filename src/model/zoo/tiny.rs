//! Two 3x3 convolutions and a linear layer, 2,042 parameters, for experiments and tests: an epoch of the
//! synthetic images takes half a second. It has too few parameters for CIFAR-10.

use super::{ModelOptions, Network, classifier, conv3x3, dropout};
use crate::model::architecture::Layer;

pub(super) static NETWORK: Network = Network { name: "tiny", parameters: 2_042, layers };

fn layers(options: &ModelOptions) -> Vec<Layer> {
    let mut layers = vec![
        conv3x3("conv1", 3, 8),
        Layer::Relu,
        Layer::MaxPool { size: 4 },
        conv3x3("conv2", 8, 16),
        Layer::Relu,
        Layer::MaxPool { size: 4 },
        Layer::Flatten,
    ];
    layers.extend(dropout(options));
    layers.push(classifier("fc", 64, options));
    layers
}
