//! The update of the parameters.

use crate::engine::Engine;
use crate::model::{Gradients, Parameters, Role};
use crate::optim::{Optimizer, Slice};
use crate::schedule::Rates;

/// One step of the optimizer on everything that is trained, on the threads of `engine`.
pub fn update(
    engine: &dyn Engine,
    optimizer: &mut Optimizer<f32>,
    parameters: &mut Parameters,
    gradients: &Gradients,
    rates: Rates,
) {
    let mut slices: Vec<Slice<'_, f32>> = parameters
        .arrays_mut()
        .iter_mut()
        .zip(&gradients.arrays)
        .filter(|(array, _)| array.role == Role::Trainable)
        .map(|(array, gradient)| Slice { name: &array.name, values: &mut array.values, gradient })
        .collect();
    engine.enter(&mut || optimizer.step(&mut slices, rates));
}
