//! The learning rate range test: trains a network while the rate rises, to see at which rates it learns.
//!
//! Proposed by Smith (2015) to find the bounds of a cyclical rate; popularised by fastai. Everything happens in memory,
//! on a separate network: no run is ever changed.

mod finder;
mod folder;
mod refine;

pub use folder::{FindDirectory, FindInfo, SuggestionRecord, Tested};
pub use refine::{ShortRun, ShortRunObserver};

use finder::LrFinder;

use super::estimate::Work;
use crate::config::{FindConfig, RunConfig};
use crate::data::Dataset;
use crate::record::RangeRow;
use crate::stats::Smoothing;
use crate::stats::suggest::AROUND;
use crate::train::{Control, Run, ThreadShare};
use anyhow::Result;
use serde::Serialize;

/// A test ends once the smoothed loss exceeds the best one by this factor (fastai).
const DIVERGED: f64 = 4.0;
/// Evaluations per test if `--eval-every` is not given.
const EVALUATIONS: u64 = 100;

/// Checks `config` against the dataset without building the network.
///
/// # Errors
/// As [`Run::check`]; a length in epochs that gives too few or too many iterations.
pub fn check(config: &FindConfig, dataset: &Dataset) -> Result<()> {
    Run::check(&config.run, dataset)?;
    config.steps(Run::steps_of(&config.run, dataset)?)?;
    Ok(())
}

/// The iterations between two evaluations of a test of `steps` iterations.
fn eval_every(config: &FindConfig, steps: u64) -> u64 {
    config.eval_every.unwrap_or_else(|| (steps / EVALUATIONS).max(1))
}

/// What a test of one seed and its first short runs have to do, unless they end early.
///
/// # Errors
/// As [`check`].
pub fn work(config: &FindConfig, dataset: &Dataset) -> Result<Work> {
    let run = &config.run;
    let split = dataset.split(run.validation, run.train_limit)?;
    let batch = run.batch_size.images(split.train.len())? as u64;
    let images = run.images_per_epoch(split.train.len())?;
    let steps_per_epoch = run.steps_per_epoch(split.train.len())?;
    let steps = config.steps(steps_per_epoch)?;
    let evaluations = steps.div_ceil(eval_every(config, steps)) + 1;
    let trained = |steps: u64| steps / steps_per_epoch * images + steps % steps_per_epoch * batch;
    let validation = split.validation.len();
    let (runs, updates) = match refine::updates(config, steps, steps_per_epoch) {
        0 => (0, 0),
        updates => (AROUND.len() as u64, updates),
    };
    Ok(Work {
        optimizer: config.run.optimizer.clone(),
        trained: trained(steps) + runs * trained(updates),
        evaluated: evaluations * config.eval_images.min(validation) as u64 + runs * validation as u64,
    })
}

/// Why a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The last iteration was reached.
    Whole,
    /// The smoothed loss was more than four times the best one.
    Diverged,
    /// The loss was NaN or infinite.
    NotANumber,
    /// A stop was requested.
    Stopped,
}

/// Observes range tests, which run on threads of their own.
pub trait RangeObserver: Sync {
    /// The observer of the test of `seed`, about to make its first of `steps` iterations on this thread.
    ///
    /// # Errors
    /// This cannot be shown; ends all tests.
    fn observe(&self, seed: u64, steps: u64) -> Result<Box<dyn RangeTestObserver + '_>>;

    /// There are so many short runs in all, as far as is known by now.
    ///
    /// # Errors
    /// This cannot be shown; ends all runs.
    fn expect_short(&self, runs: u64) -> Result<()>;

    /// The observer of a short run that is about to make its first update on this thread.
    ///
    /// # Errors
    /// This cannot be shown; ends all runs.
    fn observe_short(&self, run: ShortRun) -> Result<Box<dyn ShortRunObserver + '_>>;
}

/// Observes one range test.
pub trait RangeTestObserver {
    /// An iteration was made.
    ///
    /// # Errors
    /// This cannot be shown; ends all tests.
    fn see(&mut self, row: &RangeRow) -> Result<()>;

    /// The test is over.
    fn end(self: Box<Self>, how: Ended);
}

/// One test of one seed, ready to start.
pub struct RangeTest<'a> {
    config: &'a FindConfig,
    finder: LrFinder,
    steps: u64,
    eval_every: u64,
}

impl<'a> RangeTest<'a> {
    /// `run` is the run of `config` with the seed of this test.
    ///
    /// # Errors
    /// As [`Run::new`]; a length in epochs that gives too few or too many iterations.
    pub fn new(config: &'a FindConfig, run: &RunConfig, dataset: &Dataset, threads: &ThreadShare) -> Result<Self> {
        let finder = LrFinder::new(run, dataset, threads, config.eval_images)?;
        let steps = config.steps(finder.steps_per_epoch())?;
        let eval_every = eval_every(config, steps);
        Ok(Self { config, finder, steps, eval_every })
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn kernels(&self) -> &'static str {
        self.finder.kernels()
    }

    /// Trains to the end of the test, or until `control` requests a stop. Calls `see` for every iteration, including
    /// the one that ends the test.
    pub fn run(mut self, control: &Control, see: &mut dyn FnMut(&RangeRow) -> Result<()>) -> Result<Ended> {
        let mut smoothing = Smoothing::new(self.config.smoothing);
        let mut best = f64::INFINITY;
        for iteration in 0..self.steps {
            let learning_rate = self.config.mode.rate(iteration, self.steps, self.config.min_lr, self.config.max_lr);
            let loss = self.finder.step(learning_rate)?;
            let smoothed_loss = smoothing.push(loss);
            let ended = if !loss.is_finite() {
                Some(Ended::NotANumber)
            } else if smoothed_loss > DIVERGED * best {
                Some(Ended::Diverged)
            } else {
                let whole = iteration + 1 == self.steps;
                whole.then_some(Ended::Whole).or(control.stopping().map(|_| Ended::Stopped))
            };
            let evaluate = loss.is_finite() && (iteration % self.eval_every == 0 || ended == Some(Ended::Whole));
            let val_accuracy = if evaluate { Some(self.finder.accuracy()?) } else { None };
            let momentum = self.finder.momentum();
            see(&RangeRow { iteration, learning_rate, momentum, loss, smoothed_loss, val_accuracy })?;
            if let Some(ended) = ended {
                return Ok(ended);
            }
            best = best.min(smoothed_loss);
        }
        Ok(Ended::Whole)
    }
}
