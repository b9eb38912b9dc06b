//! Networks as plain lists of layers, and their parameters as named f32 arrays.
//!
//! Nothing here computes: the engines interpret the list, so a new network is one function here and runs on both.

#![forbid(unsafe_code)]

mod architecture;
mod initialise;
mod parameters;
mod weights;
mod whitening;
mod zoo;

pub use architecture::{Architecture, Layer, MOST_VALUES, Shape};
pub use initialise::{Init, Slot, blank, initialise, slots};
pub use parameters::{Array, Gradients, Parameters, Role};
pub use weights::{Weights, fill};
pub use whitening::whiten;
pub use zoo::{Model, ModelOptions};
