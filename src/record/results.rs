//! What came of a run.

use super::EpochRow;
use serde::{Deserialize, Serialize};

/// Accuracies are fractions. JSON has no NaN: what diverged is null here, and `NaN` in the CSV.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Results {
    /// This and the next three: of the last epoch.
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
    /// Of the epoch of this row.
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
