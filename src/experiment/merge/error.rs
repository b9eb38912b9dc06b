//! Why comparisons cannot be put together.

use crate::config::SettingValues;
use crate::experiment::compare::{ComparisonError, differences};
use crate::number::counted;
use crate::run_folder::Refusal;
use anyhow::Error;
use std::path::PathBuf;

/// Comparisons that cannot be put together. Nothing was written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MergeError {
    #[error("{}: no such folder", .0.display())]
    Missing(PathBuf),
    #[error("{} holds no comparison", .0.display())]
    NotAComparison(PathBuf),
    /// The folder to put them together in would be a part of one of them.
    #[error("{} lies inside {}, which a merge must not change", .out.display(), .input.display())]
    Inside { out: PathBuf, input: PathBuf },
    /// The folder to put them together in, or that of a run in it, holds something else.
    #[error("{0}")]
    Target(Refusal),
    /// They differ in a setting that all runs of a comparison share.
    #[error("{} and {} cannot share a table ({})", .first.display(), .second.display(), differences(.before, .now))]
    OtherSettings { first: PathBuf, second: PathBuf, before: SettingValues, now: SettingValues },
    #[error("{} and {} cannot share a table (other images)", .first.display(), .second.display())]
    OtherImages { first: PathBuf, second: PathBuf },
    #[error("{} and {} cannot share a table ({}, and {})", .first.display(), .second.display(), counted(.lengths.0, "epoch"), counted(.lengths.1, "epoch"))]
    OtherLength { first: PathBuf, second: PathBuf, lengths: (u64, u64) },
    #[error("{} and {} are the same run, written in two ways", .first.display(), .second.display())]
    SameRun { first: PathBuf, second: PathBuf },
    /// They have the same part in a tuned or screened comparison, and are different runs.
    #[error("{} and {} are the same trial at different points: they were tuned over other ranges, or with another seed", .first.display(), .second.display())]
    OtherTuning { first: PathBuf, second: PathBuf },
    /// One is of a tuned or screened comparison, and the other is not, or of another one.
    #[error("{} and {} cannot share a table: they were tuned or screened in different ways, or only one of them was", .first.display(), .second.display())]
    OtherStages { first: PathBuf, second: PathBuf },
    /// One of the runs cannot be in a comparison.
    #[error("{0}")]
    Unfit(ComparisonError),
    /// Both are over, and one of them is not what its settings make.
    #[error("{} and {} are the same run, but differ in {what}", .first.display(), .second.display())]
    OtherResults { first: PathBuf, second: PathBuf, what: &'static str },
}

/// The error of using the folder to put them together in.
pub(super) fn of_target(error: Error) -> Error {
    match error.downcast() {
        Ok(refusal) => MergeError::Target(refusal).into(),
        Err(error) => error,
    }
}
