//! Short runs at constant rates around the one that the range tests suggest.

use super::finder::LrFinder;
use crate::config::{FindConfig, RunConfig};
use crate::data::Dataset;
use crate::record::RefineRow;
use crate::stats::suggest::{AROUND, as_printed, short_run};
use crate::train::{Control, ThreadShare};
use anyhow::Result;

/// One run at a constant rate: the network, weights and batches of a range test with that seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShortRun {
    pub rate: f64,
    pub seed: u64,
    pub updates: u64,
}

/// Observes one short run.
pub trait ShortRunObserver {
    /// An update was made, with this loss of its batch.
    ///
    /// # Errors
    /// This cannot be shown; ends all runs.
    fn see(&mut self, loss: f64) -> Result<()>;

    /// The run is over; `row` is `None` if it was stopped.
    ///
    /// # Errors
    /// As [`ShortRunObserver::see`].
    fn end(self: Box<Self>, row: Option<&RefineRow>) -> Result<()>;
}

/// The updates of each short run after a test of `steps` iterations, if an epoch has `steps_per_epoch`; 0 for no runs.
pub(super) fn updates(config: &FindConfig, steps: u64, steps_per_epoch: u64) -> u64 {
    config.refine.unwrap_or_else(|| short_run(config.run_updates(steps_per_epoch), steps))
}

impl ShortRun {
    /// The runs at `rates`, of three significant digits each: every seed at the first rate first.
    ///
    /// # Errors
    /// As [`FindConfig::steps`].
    pub(super) fn at(rates: &[f64], config: &FindConfig, steps_per_epoch: u64) -> Result<Vec<Self>> {
        let updates = updates(config, config.steps(steps_per_epoch)?, steps_per_epoch);
        if updates == 0 {
            return Ok(Vec::new());
        }
        let rates = rates.iter().map(|rate| as_printed(*rate));
        let seeds = config.run.seed..config.run.seed + config.seeds;
        Ok(rates.flat_map(|rate| seeds.clone().map(move |seed| Self { rate, seed, updates })).collect())
    }

    /// The rates of the first runs around that of the range test.
    pub(super) fn around(rate: f64) -> [f64; AROUND.len()] {
        AROUND.map(|times| rate * times)
    }

    /// Trains to the end, or until `control` requests a stop, which returns `None`. The run ends at a loss that is not
    /// finite.
    ///
    /// # Errors
    /// A failing engine; those of `see`.
    pub(super) fn run(
        self,
        config: &FindConfig,
        dataset: &Dataset,
        threads: &ThreadShare,
        control: &Control,
        see: &mut dyn FnMut(f64) -> Result<()>,
    ) -> Result<Option<RefineRow>> {
        let run = RunConfig { seed: self.seed, ..config.run.clone() };
        let mut finder = LrFinder::new(&run, dataset, threads, usize::MAX)?;
        let row = |updates, val_loss, val_accuracy, val_images| RefineRow {
            learning_rate: self.rate,
            seed: self.seed,
            updates,
            val_loss,
            val_accuracy,
            val_images,
        };
        let val_images = finder.slice_len();
        for made in 1..=self.updates {
            let loss = finder.step(self.rate)?;
            see(loss)?;
            if !loss.is_finite() {
                return Ok(Some(row(made, None, None, val_images)));
            }
            if control.stopping().is_some() {
                return Ok(None);
            }
        }
        let Some(stats) = finder.evaluate(&|| control.stopping().is_some())? else { return Ok(None) };
        let (loss, accuracy) = (stats.loss(), stats.accuracy());
        Ok(Some(match loss.is_finite() {
            true => row(self.updates, Some(loss), Some(accuracy), val_images),
            false => row(self.updates, None, None, val_images),
        }))
    }
}
