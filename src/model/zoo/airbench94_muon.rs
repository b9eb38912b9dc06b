//! The network of Keller Jordan's airbench94_muon.py: that of airbench94, with other initial weights and smaller logits.

use super::airbench94::{PARAMETERS, Start};
use super::{ModelOptions, Network, airbench94};
use crate::model::architecture::Layer;
use crate::model::initialise::Init;

pub(super) static NETWORK: Network = Network { name: "airbench94-muon", parameters: PARAMETERS, layers };

fn layers(options: &ModelOptions) -> Vec<Layer> {
    let start = Start { whiten: Init::WhiteningTorch, head: Init::UnitDeviation, logits: 1.0 / 256.0 };
    airbench94::layers_from(start, options)
}
