//! A network that is trained an update at a time, at whatever rate it is told.

use crate::config::RunConfig;
use crate::data::{Dataset, Epoch, Loader, Subset};
use crate::engine::BatchStats;
use crate::schedule::Rates;
use crate::train::{EVALUATION_BATCH, PreparedImages, Trainer, loader_options};
use anyhow::Result;

/// A network in memory that is trained at rising rates, and forgotten. It starts from the weights and sees the batches that
/// [`Run`](crate::train::Run) would with the same config; the schedule and the epochs of the config play no part.
pub struct LrFinder {
    trainer: Trainer,
    momentum: Option<f64>,
    loader: Loader,
    batches: Epoch,
    epoch: u64,
    /// What [`LrFinder::accuracy`] looks at.
    slice: Loader,
}

impl LrFinder {
    /// `slice`: how many validation images to evaluate with, spread evenly over all of them; all where there are fewer.
    ///
    /// # Errors
    /// As [`Run::new`](crate::train::Run::new).
    pub fn new(config: &RunConfig, dataset: &Dataset, threads: usize, slice: usize) -> Result<Self> {
        let images = PreparedImages::new(dataset, config.validation, config.train_limit)?;
        let loader = images.training(loader_options(config))?;
        let slice = images.in_order(&spread(&images.split.validation, slice), EVALUATION_BATCH);
        Ok(Self {
            trainer: Trainer::of(images, &config.architecture(), config, threads)?,
            momentum: config.optimizer.momentum(config.semantics),
            batches: loader.epoch(0, 0)?,
            loader,
            epoch: 0,
            slice,
        })
    }

    /// What the engine computes with.
    pub fn kernels(&self) -> &'static str {
        self.trainer.prepared.engine.kernels()
    }

    /// Updates in an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.loader.steps_per_epoch()
    }

    /// The momentum (Adam's beta1) of every update; `None` for an optimizer without one.
    pub fn momentum(&self) -> Option<f64> {
        self.momentum
    }

    /// One update at `learning_rate`. Gives the mean loss of its batch, from before the update; NaN or infinite once it has diverged.
    pub fn step(&mut self, learning_rate: f64) -> Result<f64> {
        loop {
            if let Some(done) = self.trainer.step(&mut self.batches, Rates::of(learning_rate))? {
                return Ok(done.stats.loss());
            }
            self.epoch += 1;
            self.batches = self.loader.epoch(self.epoch, 0)?;
        }
    }

    /// The share of the slice that is classified correctly by now.
    pub fn accuracy(&mut self) -> Result<f64> {
        let stats = self.trainer.prepared.evaluate(&self.slice, || false)?;
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
