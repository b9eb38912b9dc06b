//! The results of a run.

use super::EpochRow;
use serde::{Deserialize, Serialize};

/// Accuracies are fractions. JSON has no NaN: the figures of a diverged run are null here, and `NaN` in the CSV.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Results {
    /// This field and the next three are of the last epoch.
    pub loss: Option<f64>,
    pub accuracy: Option<f64>,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    pub best_val_accuracy: Option<f64>,
    /// 0-based.
    pub best_epoch: Option<u64>,
    pub test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    pub seconds: Option<f64>,
}

impl Results {
    /// The figures of the last epoch, keyed by column name.
    pub const fn of_last(&self) -> [(&'static str, Option<f64>); 4] {
        [
            ("loss", self.loss),
            ("accuracy", self.accuracy),
            ("val_loss", self.val_loss),
            ("val_accuracy", self.val_accuracy),
        ]
    }

    /// Like [`Results::of_last`], without the names.
    pub const fn of_last_mut(&mut self) -> [&mut Option<f64>; 4] {
        [&mut self.loss, &mut self.accuracy, &mut self.val_loss, &mut self.val_accuracy]
    }

    /// Whether both are the same to the bit, apart from the time taken.
    pub fn are_those_of(&self, other: &Self) -> bool {
        let figures = |results: &Self| {
            let Self { best_val_accuracy, test_loss, test_accuracy, .. } = *results;
            let of_last = results.of_last().map(|(_, figure)| figure);
            let all = of_last.into_iter().chain([best_val_accuracy, test_loss, test_accuracy]);
            all.map(|figure| figure.map(|figure| if figure.is_nan() { f64::NAN } else { figure }.to_bits()))
                .collect::<Vec<_>>()
        };
        figures(self) == figures(other) && self.best_epoch == other.best_epoch
    }

    /// The results as of this row's epoch.
    pub fn of_epoch(row: &EpochRow) -> Self {
        Self {
            loss: Some(row.loss),
            accuracy: Some(row.accuracy),
            val_loss: row.val_loss,
            val_accuracy: row.val_accuracy,
            ..Self::default()
        }
    }
}
