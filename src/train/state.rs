//! The train state, and whether its weights are still worth resuming from.

use crate::config::{Course, GroupState};
use crate::engine::BatchStats;
use crate::record::{Change, EpochRow, Results};
use crate::schedule::Rates;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A margin for the rounding of a loss.
const ROUNDED: f64 = 0.999;

/// The state of a run, apart from its weights and the optimizer's arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// Updates made so far; with `--log-steps`, the rows of steps.csv.
    pub step: u64,
    /// The current epoch, 0-based, which is also the number of rows in metrics.csv. After the last step of an epoch, its
    /// validation may still be pending.
    pub epoch: u64,
    /// Loss and accuracy sums of the current epoch.
    pub sums: BatchStats,
    /// Rates of the last step.
    pub applied: Option<Rates>,
    /// Mean loss of the last step's batch, before the update.
    #[serde(default)]
    pub last_loss: Option<f64>,
    /// The row of the previous epoch.
    pub row: Option<EpochRow>,
    pub best_epoch: Option<u64>,
    pub best_val_accuracy: Option<f64>,
    /// Time spent on the current epoch, and on the whole run.
    pub epoch_seconds: f64,
    pub seconds: f64,
    pub course: Course,
    /// Manual changes so far.
    pub changes: Vec<Change>,
    /// State of the schedules that listen to metrics: `halve` and `plateau`.
    pub observed: serde_json::Value,
    /// Updates made by the optimizer of the base group.
    pub optimizer_steps: u64,
    /// Its numbers that are no arrays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub optimizer_scalars: BTreeMap<String, f64>,
    /// Weights taken into the run's average.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub averages_taken: u64,
    /// The other parameter groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupState>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Weights that are not worth resuming from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LostWeights {
    /// `column` is the loss that shows it: `loss`, or `val_loss`.
    Exploded { column: &'static str, loss: f64, epoch: u64 },
    /// They classified better at `best_epoch`.
    Guessing { accuracy: f64, epoch: u64, best_accuracy: f64, best_epoch: u64 },
}

impl fmt::Display for LostWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LostWeights::Exploded { column, loss, epoch } => {
                write!(f, "weights that exploded ({column} {loss:.3e} in epoch {epoch})")
            }
            LostWeights::Guessing { accuracy, epoch, best_accuracy: best, best_epoch } => write!(
                f,
                "weights that only guess (val_accuracy {accuracy:.4} in epoch {epoch}, {best:.4} in epoch {best_epoch})"
            ),
        }
    }
}

impl TrainState {
    pub fn start(course: Course) -> Self {
        Self {
            step: 0,
            epoch: 0,
            sums: BatchStats::default(),
            applied: None,
            last_loss: None,
            row: None,
            best_epoch: None,
            best_val_accuracy: None,
            epoch_seconds: 0.0,
            seconds: 0.0,
            course,
            changes: Vec::new(),
            observed: serde_json::Value::Null,
            optimizer_steps: 0,
            optimizer_scalars: BTreeMap::new(),
            averages_taken: 0,
            groups: Vec::new(),
        }
    }

    /// Whether the weights are lost: they exploded, or fell back to guessing after they had learned something.
    ///
    /// The most recent loss decides: that of the last step within an epoch, or the validation loss after it. `chance` is
    /// the accuracy of guessing: among ten classes 0.1, which costs ln 10 = 2.3 nats. Ten times that is more than a spike,
    /// and a smaller rate rarely recovers the weights.
    pub fn lost(&self, chance: f64) -> Option<LostWeights> {
        let guess = -chance.ln();
        let exploded = |column: &'static str, loss: f64, epoch: u64| {
            let hopeless = loss.is_nan() || loss > 10.0 * guess;
            hopeless.then_some(LostWeights::Exploded { column, loss, epoch })
        };
        if self.sums.images > 0 {
            let loss = self.last_loss.unwrap_or_else(|| self.sums.loss());
            // A single batch may score worse than guessing by chance, so the last validation must agree.
            return exploded("loss", loss, self.epoch)
                .or_else(|| self.forgotten(chance).filter(|_| loss > ROUNDED * guess));
        }
        let row = self.row.as_ref()?;
        exploded("val_loss", row.val_loss?, row.epoch).or_else(|| self.forgotten(chance))
    }

    /// Whether the last validation fell back to guessing after an earlier one that was better.
    fn forgotten(&self, chance: f64) -> Option<LostWeights> {
        let row = self.row.as_ref()?;
        let (loss, accuracy, best) = (row.val_loss?, row.val_accuracy?, self.best_val_accuracy?);
        let guess = -chance.ln();
        // Predicting one class for all images gets its share of them right. Overfitting can raise the loss beyond this.
        let guesses = (ROUNDED * guess..1.2 * guess).contains(&loss);
        let guesses = guesses && accuracy <= 1.2 * chance && best >= 3.0 * chance - 1e-9;
        guesses.then(|| LostWeights::Guessing {
            accuracy,
            epoch: row.epoch,
            best_accuracy: best,
            best_epoch: self.best_epoch.unwrap_or(0),
        })
    }

    /// The results of the run so far.
    pub fn results(&self) -> Results {
        Results {
            best_val_accuracy: self.best_val_accuracy,
            best_epoch: self.best_epoch,
            seconds: Some(self.seconds),
            ..self.row.as_ref().map(Results::of_epoch).unwrap_or_default()
        }
    }

    /// Whether the epoch just finished is the best so far.
    pub fn is_best(&self) -> bool {
        self.sums.images == 0 && self.epoch > 0 && self.best_epoch == Some(self.epoch - 1)
    }

    /// Records the row of an epoch.
    pub(super) fn see(&mut self, row: &EpochRow) {
        // Ties go to the first epoch.
        if row
            .val_accuracy
            .is_some_and(|accuracy| accuracy.is_finite() && self.best_val_accuracy.is_none_or(|best| accuracy > best))
        {
            self.best_val_accuracy = row.val_accuracy;
            self.best_epoch = Some(row.epoch);
        }
        self.row = Some(row.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After epoch 1 with this validation loss and accuracy, or within epoch 2 with this loss of the last step.
    fn lost(last_loss: Option<f64>, validation: Option<(f64, f64)>) -> Option<String> {
        let row = validation.map(|(val_loss, val_accuracy)| EpochRow {
            epoch: 1,
            learning_rate: 0.1,
            loss: 40.0,
            accuracy: 0.1,
            val_loss: Some(val_loss),
            val_accuracy: Some(val_accuracy),
            step: 8,
            ..EpochRow::default()
        });
        let course =
            Course { schedule: "constant".parse().unwrap(), lr: 0.1, since: 0, epochs: 3, until: 3, scale: 1.0 };
        // The steps before the last one had a very different loss.
        let mean = if last_loss.is_some_and(|loss| loss < 20.0) { 1e6 } else { 1.0 };
        let sums = last_loss.map_or(BatchStats::default(), |_| BatchStats {
            loss_sum: 1600.0 * mean,
            correct: 0,
            images: 1600,
        });
        let best = (Some(0), Some(0.4));
        let start = TrainState::start(course);
        TrainState { epoch: 2, sums, last_loss, row, best_epoch: best.0, best_val_accuracy: best.1, ..start }
            .lost(0.1)
            .map(|lost| lost.to_string())
    }

    #[test]
    fn a_loss_of_ten_times_a_guess_says_that_the_weights_exploded_and_a_spike_that_is_over_does_not() {
        for (last_loss, validation) in
            [(None, None), (Some(15.0), None), (Some(2.0), Some((1e9, 0.1))), (None, Some((20.0, 0.3)))]
        {
            assert_eq!(lost(last_loss, validation), None, "{last_loss:?} {validation:?}");
        }
        let exploded = |text: &str| Some(format!("weights that exploded ({text})"));
        assert_eq!(lost(None, Some((1e9, 0.4))), exploded("val_loss 1.000e9 in epoch 1"));
        assert_eq!(lost(Some(24.0), Some((2.0, 0.4))), exploded("loss 2.400e1 in epoch 2"));
        assert_eq!(lost(Some(f64::NAN), Some((2.0, 0.4))), exploded("loss NaN in epoch 2"));
    }

    #[test]
    fn weights_that_guess_after_they_knew_better_are_lost_and_those_that_have_learned_too_much_by_heart_are_not() {
        let ln_10 = 10.0_f64.ln();
        let guessing = lost(None, Some((ln_10, 0.1)));
        let expected = "weights that only guess (val_accuracy 0.1000 in epoch 1, 0.4000 in epoch 0)";
        assert_eq!(guessing.as_deref(), Some(expected));
        assert_eq!(lost(Some(2.303), Some((ln_10, 0.1))).as_deref(), Some(expected), "and they still do");
        assert_eq!(lost(Some(1.9), Some((ln_10, 0.1))), None, "they learn again");
        // Overfitting raises the loss while the accuracy stays; a dip is not guessing.
        for validation in [(5.0, 0.38), (5.0, 0.1), (2.2, 0.12), (2.31, 0.19)] {
            assert_eq!(lost(None, Some(validation)), None, "{validation:?}");
        }
    }
}
