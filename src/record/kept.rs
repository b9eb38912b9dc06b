//! Whether the rows that are read back are those that were written.

use super::{EpochRow, Results, Row, RunInfo, Status, StepRow, read_rows};
use anyhow::{Result, bail};
use std::path::Path;

/// How many of `rows` come before the first that is out of place, and what is wrong with that one.
pub fn check_order<T: Row>(rows: &[T]) -> Option<(usize, String)> {
    rows.iter().zip(0..).enumerate().find_map(|(at, (row, expected))| Some((at, out_of_place(row, expected)?)))
}

/// What is wrong with a row that should be the one of this number, 0-based.
pub(super) fn out_of_place<T: Row>(row: &T, expected: u64) -> Option<String> {
    let (column, number) = row.place().filter(|(_, number)| *number != expected)?;
    Some(format!("row {}: `{column}` is {number}, expected {expected}: rows were removed or changed", expected + 1))
}

/// Whether the last of the `rows` of a run that is over is the one that its run.json tells of.
///
/// # Errors
/// It is not; the line does not name the file.
pub fn check_last(rows: &[EpochRow], results: &Results) -> Result<()> {
    let Some(row) = rows.last() else { return Ok(()) };
    let told = [
        ("loss", results.loss, Some(row.loss)),
        ("accuracy", results.accuracy, Some(row.accuracy)),
        ("val_loss", results.val_loss, row.val_loss),
        ("val_accuracy", results.val_accuracy, row.val_accuracy),
    ];
    for (name, expected, found) in told {
        // JSON has no NaN: what was none is not there.
        if let Some(expected) =
            expected.filter(|expected| found.is_none_or(|found| found.to_bits() != expected.to_bits()))
        {
            let found = found.map_or("empty".to_string(), |found| found.to_string());
            bail!(
                "row {}, the last: `{name}` is {found}, but run.json ends with {expected}: rows were removed or changed",
                rows.len()
            );
        }
    }
    Ok(())
}

/// Whether the tables of the run in `run`, which is over, hold every row that it made.
///
/// # Errors
/// One line that names the file and the row.
pub fn check_finished(run: &Path, info: &RunInfo) -> Result<()> {
    let path = run.join("metrics.csv");
    let rows: Vec<EpochRow> = read_rows(&path)?;
    let name = path.display();
    if let Some((_, wrong)) = check_order(&rows) {
        bail!("{name}: {wrong}");
    }
    check_last(&rows, &info.results).map_err(|error| error.context(name.to_string()))?;
    let epochs = info.config.get("epochs").and_then(serde_json::Value::as_u64);
    if let Some(epochs) = epochs.filter(|_| info.status == Status::Finished && info.changes.is_empty())
        && epochs != rows.len() as u64
    {
        bail!("{name} has {} rows, but its run has {epochs} epochs", rows.len());
    }
    if info.config.get("log-steps") == Some(&true.into()) {
        let path = run.join("steps.csv");
        let steps: Vec<StepRow> = read_rows(&path)?;
        if let Some((_, wrong)) = check_order(&steps) {
            bail!("{}: {wrong}", path.display());
        }
        if let Some(made) = rows.last().map(|row| row.step).filter(|made| *made != steps.len() as u64) {
            bail!("{} has {} rows, but metrics.csv ends after step {made}", path.display(), steps.len());
        }
    }
    Ok(())
}
