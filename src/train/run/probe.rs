//! A run that is led from outside, an update at a time: what a range test is made of.

use super::{EVALUATION_BATCH, Run, evaluate_unless};
use crate::config::RunConfig;
use crate::data::{Dataset, Epoch, Loader, Normalisation, Subset};
use crate::engine::BatchStats;
use crate::schedule::Rates;
use anyhow::Result;

/// A network in memory, trained step by step at whatever rate it is told, and forgotten. It starts from the weights and sees the batches
/// that [`Run`] would with the same config; the schedule and the epochs of the config play no part.
pub struct Probe<'a> {
    run: Run<'a>,
    batches: Epoch,
    epoch: u64,
    /// What [`Probe::accuracy`] looks at.
    slice: Loader,
}

impl<'a> Probe<'a> {
    /// `slice`: how many validation images to evaluate with, spread evenly over all of them; all where there are fewer.
    ///
    /// # Errors
    /// As [`Run::new`].
    pub fn new(config: &'a RunConfig, dataset: &Dataset, threads: usize, slice: usize) -> Result<Self> {
        let run = Run::new(config, dataset, threads)?;
        let split = dataset.split(config.validation, config.train_limit)?;
        let normalisation = Normalisation::of(&split.train);
        let slice = Loader::in_order(spread(&split.validation, slice), normalisation, EVALUATION_BATCH);
        Ok(Self { batches: run.loader.epoch(0, 0)?, epoch: 0, slice, run })
    }

    /// What the engine computes with.
    pub fn kernels(&self) -> &'static str {
        self.run.kernels()
    }

    /// Updates in an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.run.steps_per_epoch()
    }

    /// The momentum (Adam's beta1) of every update; `None` for an optimizer without one.
    pub fn momentum(&self) -> Option<f64> {
        self.run.config.optimizer.momentum(self.run.config.semantics)
    }

    /// One update at `learning_rate`. Gives the mean loss of its batch, from before the update; NaN or infinite once it has diverged.
    pub fn step(&mut self, learning_rate: f64) -> Result<f64> {
        let stats = loop {
            if let Some(stats) = self.run.gather(&mut self.batches)? {
                break stats;
            }
            self.epoch += 1;
            self.batches = self.run.loader.epoch(self.epoch, 0)?;
        };
        self.run.update(Rates::of(learning_rate));
        Ok(stats.loss())
    }

    /// The share of the slice that is classified right by now.
    pub fn accuracy(&mut self) -> Result<f64> {
        let stats = evaluate_unless(&mut *self.run.engine, &self.run.parameters, &self.slice, || false)?;
        Ok(stats.as_ref().map_or(f64::NAN, BatchStats::accuracy))
    }
}

/// `count` images of a subset, evenly spaced.
fn spread(subset: &Subset, count: usize) -> Subset {
    let all = subset.len();
    let count = count.min(all);
    let indices = (0..count).map(|place| subset.indices[place * all / count]).collect();
    Subset { indices, ..subset.clone() }
}
