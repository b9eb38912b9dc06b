//! A network trained one update at a time, at any rate.

use crate::config::{RunConfig, rates_in_range_test};
use crate::data::{Dataset, Epoch, Loader, Subset, Tta, Validation};
use crate::engine::BatchStats;
use crate::random::{Purpose, keyed, shuffle};
use crate::train::{EVALUATION_BATCH, PreparedImages, ThreadShare, Trainer, loader_options};
use anyhow::Result;

/// A temporary in-memory network, trained at increasing rates. It starts from the same weights and sees the same
/// batches as [`Run`](crate::train::Run) with the same config; the config's schedule and epochs are ignored.
pub struct LrFinder {
    trainer: Trainer,
    momentum: Option<f64>,
    loader: Loader,
    batches: Epoch,
    epoch: u64,
    /// The images that [`LrFinder::evaluate`] evaluates.
    slice: Loader,
    slice_len: u64,
}

impl LrFinder {
    /// `slice`: the number of validation images to evaluate on, evenly spaced; all of them if there are fewer.
    ///
    /// # Errors
    /// As [`Run::new`](crate::train::Run::new).
    pub fn new(config: &RunConfig, dataset: &Dataset, threads: &ThreadShare, slice: usize) -> Result<Self> {
        let images = PreparedImages::new(dataset, config.validation, config.train_limit)?;
        let loader = images.training(loader_options(config))?;
        let slice = spread(&images.split.validation, slice, config.validation == Validation::Test);
        let slice_len = slice.len() as u64;
        let slice = images.in_order(&slice, EVALUATION_BATCH);
        Ok(Self {
            trainer: Trainer::of(images, &config.architecture(), config, threads)?,
            momentum: config.optimizer.momentum(config.semantics),
            batches: loader.epoch(0, 0)?,
            loader,
            epoch: 0,
            slice,
            slice_len,
        })
    }

    /// The kernels of the engine.
    pub fn kernels(&self) -> &'static str {
        self.trainer.prepared.engine.kernels()
    }

    /// Updates per epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.loader.steps_per_epoch()
    }

    /// The momentum (Adam's beta1) of every update; `None` for an optimizer without momentum.
    pub fn momentum(&self) -> Option<f64> {
        self.momentum
    }

    /// One update at `learning_rate`. Returns the mean loss of its batch before the update; NaN or infinite once
    /// diverged.
    pub fn step(&mut self, learning_rate: f64) -> Result<f64> {
        let rates = rates_in_range_test(self.trainer.optimizer.grouping(), learning_rate);
        loop {
            if let Some(done) = self.trainer.step(&mut self.batches, &rates)? {
                return Ok(done.stats.loss());
            }
            self.epoch += 1;
            self.batches = self.loader.epoch(self.epoch, 0)?;
        }
    }

    /// The share of the slice classified correctly at present.
    pub fn accuracy(&mut self) -> Result<f64> {
        Ok(self.evaluate(&|| false)?.as_ref().map_or(f64::NAN, BatchStats::accuracy))
    }

    /// Loss and accuracy on the slice at present; `None` if `stop` says so meanwhile.
    pub fn evaluate(&mut self, stop: &dyn Fn() -> bool) -> Result<Option<BatchStats>> {
        self.trainer.evaluate(&self.slice, Tta::None, stop)
    }

    /// The number of images of the slice.
    pub fn slice_len(&self) -> u64 {
        self.slice_len
    }
}

/// `count` images of a subset, evenly spaced. Which images are held out is random, so evenly spaced ones are of all classes; of the test images, in
/// the order of their files, they may all be of a few (`in_order`).
fn spread(subset: &Subset, count: usize, in_order: bool) -> Subset {
    let all = subset.len();
    let count = count.min(all);
    let mut indices = subset.indices.clone();
    if in_order {
        shuffle(&mut indices, &mut keyed(0, Purpose::Slice, 0, 0));
    }
    let indices = (0..count).map(|place| indices[place * all / count]).collect();
    Subset { indices, ..subset.clone() }
}
