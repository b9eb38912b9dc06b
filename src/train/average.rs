//! The average of the weights that a run evaluates and saves.

use crate::model::{Array, Parameters, Role};
use crate::optim::{Average, Statistics};

/// An average and what it has taken in so far.
pub(super) struct Averager {
    average: Average,
    /// Updates made.
    steps: u64,
    /// Weights taken in.
    taken: u64,
    /// In the order of the parameters: the average of what is trained, and a copy of what is not.
    arrays: Vec<Vec<f32>>,
}

impl Averager {
    /// At the start of a run.
    pub fn start(average: Average, parameters: &Parameters) -> Self {
        let arrays = parameters.arrays().iter().map(|array| array.values.clone()).collect();
        Self { average, steps: 0, taken: u64::from(average.starts_with_the_run()), arrays }
    }

    /// Takes in the weights after an update, if they are due. Lookahead changes them, but for those that are frozen (not
    /// `moves`), whose average stays as it is, too.
    pub fn after_step(&mut self, parameters: &mut Parameters, moves: impl Fn(&Array) -> bool) {
        self.steps += 1;
        if !self.average.is_due(self.steps) {
            return;
        }
        for (average, array) in self.arrays.iter_mut().zip(parameters.arrays_mut()) {
            match array.role {
                Role::Trainable if self.average.sets_back() && !moves(array) => {}
                Role::Trainable => self.average.take(average, &mut array.values, self.taken),
                Role::RunningStatistic => average.copy_from_slice(&array.values),
                Role::Frozen => {}
            }
        }
        self.taken += 1;
    }

    /// Weights taken in so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the average's running statistics are to be computed again.
    pub fn has_own_statistics(&self) -> bool {
        self.average.statistics() == Statistics::Own
    }

    /// The average, once it has taken in any weights: `trained` with other values.
    pub fn point(&self, trained: &Parameters) -> Option<Parameters> {
        (self.taken > 0).then(|| {
            let mut point = trained.clone();
            let is_current = |role| role == Role::RunningStatistic && self.average.statistics() != Statistics::Copied;
            let arrays = point.arrays_mut().iter_mut().zip(&self.arrays).filter(|(array, _)| !is_current(array.role));
            arrays.for_each(|(array, average)| array.values.copy_from_slice(average));
            point
        })
    }

    /// Restores the state after `steps` updates, with `taken` weights in an average of which `array` has the values.
    pub fn restore<'a>(
        &mut self,
        steps: u64,
        taken: u64,
        parameters: &Parameters,
        array: impl Fn(&Array) -> Option<&'a [f32]>,
    ) {
        (self.steps, self.taken) = (steps, taken);
        for (average, own) in self.arrays.iter_mut().zip(parameters.arrays()) {
            average.copy_from_slice(array(own).unwrap_or(&own.values));
        }
    }
}
