//! The rows that a resumed run keeps.

use crate::record::{Columns, EpochRow, StepRow, Table};
use crate::train::TrainState;
use anyhow::Result;
use std::path::Path;

/// The rows of metrics.csv up to `state`: each must be at its expected position, and the last must match the
/// checkpoint.
pub(super) fn kept_epochs(path: &Path, state: Option<&TrainState>) -> Result<Table<EpochRow>> {
    let last = state.and_then(|state| state.row.as_ref());
    Table::read(
        path,
        state.map_or(0, |state| state.epoch),
        Columns::all::<EpochRow>(),
        &mut |row: &EpochRow, columns| {
            let Some(last) = last else { return Ok(()) };
            let made = row.epoch.saturating_add(1).saturating_mul(steps_per_epoch(last));
            if row.step != made {
                return Err(format!("`step` is {}, expected {made}", row.step));
            }
            if row.epoch == last.epoch && !columns.same(row, last) {
                return Err("is not the row of its epoch in the checkpoint".to_string());
            }
            Ok(())
        },
    )
}

/// The rows of steps.csv up to `state`: as [`kept_epochs`].
pub(super) fn kept_steps(path: &Path, columns: Columns, state: Option<&TrainState>) -> Result<Table<StepRow>> {
    let steps = state.and_then(|state| state.row.as_ref()).map(steps_per_epoch);
    Table::read(path, state.map_or(0, |state| state.step), columns, &mut |row: &StepRow, _| {
        let epoch = steps.map_or(0, |steps| row.step / steps);
        if row.epoch != epoch {
            return Err(format!("`epoch` is {}, expected {epoch}", row.epoch));
        }
        let Some(state) = state.filter(|state| state.step == row.step + 1) else { return Ok(()) };
        let rate = state.applied.is_none_or(|rates| rates.learning_rate == row.learning_rate);
        if !rate || state.last_loss.is_some_and(|loss| loss != row.loss) {
            return Err("is not the step that the checkpoint was made after".to_string());
        }
        Ok(())
    })
}

/// Steps per epoch of the run with this row.
fn steps_per_epoch(row: &EpochRow) -> u64 {
    (row.step / row.epoch.saturating_add(1)).max(1)
}
