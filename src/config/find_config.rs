//! A range test, resolved.

use super::settings::{Check, SETTINGS, takes_of_run};
use super::{CommandName, MOST_STEPS, Mode, RunConfig, SettingValues};
use crate::number::exact;
use crate::usage;
use crate::usage::Usage;
use serde::{Serialize, Serializer};

/// More seeds of one test or entrant add no information, and a mistyped number should not fill a disk.
pub const MOST_SEEDS: u64 = 1000;

/// The length of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    Epochs(u64),
    Steps(u64),
}

/// A range test, resolved. Serialised, it is a config file that repeats the test.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FindConfig {
    /// The network, data and optimizer under test, and the first seed. Its rate, schedule and epochs are ignored.
    #[serde(flatten, serialize_with = "what_find_takes")]
    pub run: RunConfig,
    #[serde(serialize_with = "as_name")]
    pub mode: Mode,
    pub min_lr: f64,
    pub max_lr: f64,
    #[serde(flatten)]
    pub length: Length,
    /// Epochs of the run that the suggested rate is for.
    pub for_epochs: u64,
    /// Validation images per evaluation, always the same ones.
    pub eval_images: usize,
    /// β of the smoothed loss.
    pub smoothing: f64,
    pub seeds: u64,
    /// Iterations between evaluations; `None` makes it about 100 evaluations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u64>,
    /// Updates of each short run that refines the rate, 0 for no such run; `None`: as long as the run that the rate is
    /// for, within bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refine: Option<u64>,
}

fn what_find_takes<S: Serializer>(run: &RunConfig, serializer: S) -> Result<S::Ok, S::Error> {
    let mut table = toml::Table::try_from(run).map_err(serde::ser::Error::custom)?;
    table.retain(|key, _| takes_of_run(CommandName::Find, key));
    table.serialize(serializer)
}

fn as_name<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode.name())
}

impl Default for FindConfig {
    fn default() -> Self {
        Self {
            run: RunConfig::default(),
            mode: Mode::default(),
            min_lr: 1e-5,
            max_lr: 10.0,
            length: Length::Steps(400),
            for_epochs: RunConfig::USUAL_EPOCHS,
            eval_images: 500,
            smoothing: 0.9,
            seeds: 1,
            eval_every: None,
            refine: None,
        }
    }
}

impl FindConfig {
    /// Every setting by its command-line name.
    pub fn settings(&self) -> SettingValues {
        SettingValues::of_config(self)
    }

    /// The range check of each setting that has one, with the setting's name.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, Result<(), Usage>)> {
        SETTINGS.iter().filter_map(|setting| match setting.check? {
            Check::RangeTest(check) => Some((setting.name, check(self))),
            Check::Run(_) => None,
        })
    }

    /// # Errors
    /// A minimum that is not below the maximum.
    pub(super) fn check_range(&self) -> Result<(), Usage> {
        let Self { min_lr, max_lr, .. } = self;
        if min_lr >= max_lr {
            return usage!("min-lr must be below max-lr, got {} and {}", exact(*min_lr), exact(*max_lr));
        }
        Ok(())
    }

    /// # Errors
    /// Too few or too many steps, or no epoch.
    pub(super) fn check_length(&self) -> Result<(), Usage> {
        match self.length {
            Length::Epochs(0) => usage!("epochs must be at least 1, got 0"),
            Length::Steps(steps) if !(2..=MOST_STEPS).contains(&steps) => {
                usage!("steps must be from 2 to {MOST_STEPS}, got {steps}")
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// No seeds, too many, or some beyond the largest.
    pub(super) fn check_seeds(&self) -> Result<(), Usage> {
        if !(1..=MOST_SEEDS).contains(&self.seeds) {
            return usage!("seeds must be from 1 to {MOST_SEEDS}, got {}", self.seeds);
        }
        self.run.check_seeds(self.seeds)
    }

    /// # Errors
    /// More updates than a test may have.
    pub(super) fn check_refine(&self) -> Result<(), Usage> {
        match self.refine {
            Some(updates) if updates > MOST_STEPS => {
                usage!("refine must be from 0 to {MOST_STEPS} updates, got {updates}")
            }
            _ => Ok(()),
        }
    }

    /// The updates of the run that the suggested rate is for, if an epoch has `steps_per_epoch`.
    pub fn run_updates(&self, steps_per_epoch: u64) -> u64 {
        self.for_epochs.saturating_mul(steps_per_epoch)
    }

    /// The number of iterations if an epoch has `steps_per_epoch` steps.
    ///
    /// # Errors
    /// Fewer than 2, or more than the table may hold.
    pub fn steps(&self, steps_per_epoch: u64) -> Result<u64, Usage> {
        self.check_length()?;
        let steps = match self.length {
            Length::Epochs(epochs) => epochs.saturating_mul(steps_per_epoch),
            Length::Steps(steps) => steps,
        };
        if !(2..=MOST_STEPS).contains(&steps) {
            let amount = if steps < 2 { "more" } else { "fewer" };
            return usage!(
                "a range test takes from 2 to {MOST_STEPS} iterations, and these epochs have {steps}; take {amount} epochs, or give --steps"
            );
        }
        Ok(steps)
    }
}
