//! Networks as plain lists of layers, and their parameters as named f32 arrays.
//!
//! Forward and backward passes are the engines' task: they interpret the list, so adding a network takes one file
//! here and works on both engines. This module initialises, whitens and loads the parameters.

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
