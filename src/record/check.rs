//! Checks that the rows read back are those that were written.

use super::columns::Columns;
use super::table::{digest_of, read_table};
use super::{EpochRow, Results, Row, RunInfo, Status, StepRow, files};
use anyhow::{Context as _, Result, bail};
use std::path::Path;

/// The number of `rows` before the first misplaced one, and what is wrong with that.
pub fn check_order<T: Row>(rows: &[T]) -> Option<(usize, String)> {
    rows.iter().zip(0..).enumerate().find_map(|(at, (row, expected))| Some((at, out_of_place(row, expected)?)))
}

/// What is wrong with a row that should have this 0-based number.
pub(super) fn out_of_place<T: Row>(row: &T, expected: u64) -> Option<String> {
    let (column, number) = row.place().filter(|(_, number)| *number != expected)?;
    Some(format!("row {}: `{column}` is {number}, expected {expected}: rows were removed or changed", expected + 1))
}

/// The range of a cell, and its description. Some losses fall slightly below 0 by rounding.
type Range = (f64, f64, &'static str);
pub(super) const ANYTHING: Range = (f64::NEG_INFINITY, f64::INFINITY, "anything");
pub(super) const FINITE: Range = (f64::MIN, f64::MAX, "a number");
pub(super) const POSITIVE: Range = (0.0, f64::MAX, "a number of at least 0");
pub(super) const LOSS: Range = (-1e-3, f64::MAX, "a number of at least 0");
pub(super) const FRACTION: Range = (0.0, 1.0, "0 to 1");

/// Whether a cell is empty or in range.
pub(super) fn within(column: &str, value: Option<f64>, (least, most, name): Range) -> Result<(), String> {
    match value {
        Some(value) if name != ANYTHING.2 && !(least..=most).contains(&value) => {
            let expected = if value.is_finite() { name } else { FINITE.2 };
            Err(format!("`{column}` is {value}, expected {expected}"))
        }
        _ => Ok(()),
    }
}

/// What is wrong with the first of `rows` that holds a value no run writes; the last may be the row in which the run
/// `diverged`.
pub fn check_values<T: Row>(rows: &[T], diverged: bool) -> Option<String> {
    rows.iter().enumerate().find_map(|(at, row)| {
        let wrong = row.wrong(diverged && at + 1 == rows.len())?;
        Some(format!("row {}: {wrong}", at + 1))
    })
}

/// What is wrong with the rows of a finished run's table: their order, their values, or a mismatch with `digest`.
fn check_table<T: Row>((rows, columns): (&[T], &Columns), status: Status, digest: Option<&str>) -> Result<()> {
    let wrong = check_order(rows).map(|(_, wrong)| wrong).or_else(|| check_values(rows, status != Status::Finished));
    if let Some(wrong) = wrong {
        bail!(wrong);
    }
    if digest.map_or(Ok(false), |digest| digest_of(rows, columns).map(|found| found != digest))? {
        bail!("rows were changed: their SHA-256 is not the one in run.json");
    }
    Ok(())
}

/// Whether the last of a finished run's `rows` matches the results in its run.json.
///
/// # Errors
/// It does not; the line does not name the file.
pub fn check_last(rows: &[EpochRow], results: &Results) -> Result<()> {
    let Some(row) = rows.last() else { return Ok(()) };
    for ((name, expected), (_, found)) in results.of_last().into_iter().zip(Results::of_epoch(row).of_last()) {
        // JSON has no NaN: a figure that was NaN is absent.
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

/// Checks that the tables of the finished run in `run` hold every row that it wrote.
///
/// # Errors
/// One line that names the file and the row.
pub fn check_finished(run: &Path, info: &RunInfo) -> Result<()> {
    let path = run.join(files::METRICS_CSV);
    let (rows, columns) = read_table::<EpochRow>(&path)?;
    let name = path.display();
    // Compared before the digest, because a row that differs from the results is the more specific error.
    check_table((&rows, &columns), info.standing.status, None).with_context(|| name.to_string())?;
    check_last(&rows, &info.results).with_context(|| name.to_string())?;
    let epochs = info.config.epochs();
    if let Some(epochs) = epochs.filter(|_| info.standing.status == Status::Finished && info.changes.is_empty())
        && epochs != rows.len() as u64
    {
        bail!("{name} has {} rows, but its run has {epochs} epochs", rows.len());
    }
    let digests = info.rows.as_ref();
    check_table((&rows, &columns), info.standing.status, digests.map(|digests| digests.metrics.as_str()))
        .with_context(|| name.to_string())?;
    if info.config.logs_steps() {
        let path = run.join(files::STEPS_CSV);
        let (steps, columns) = read_table::<StepRow>(&path)?;
        check_table((&steps, &columns), info.standing.status, None).with_context(|| path.display().to_string())?;
        if let Some(made) = rows.last().map(|row| row.step).filter(|made| *made != steps.len() as u64) {
            bail!("{} has {} rows, but metrics.csv ends after step {made}", path.display(), steps.len());
        }
        let digest = digests.and_then(|digests| digests.steps.as_deref());
        check_table((&steps, &columns), info.standing.status, digest).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
