//! Why a comparison cannot be taken up again in its folder.

use crate::config::{Difference, SettingValues};
use crate::number::counted;
use crate::optim::OptimizerSpec;
use crate::record::Change;
use crate::schedule::Spec;
use crate::usage::shortened;
use std::path::PathBuf;

/// A folder with runs that cannot stand in one table with those of the plan. Nothing in it was touched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ComparisonError {
    /// The name of the run in a row of the table would lead out of the folder.
    #[error("{}: the run `{}` is not a folder of this comparison", .table.display(), shortened(.run))]
    NotItsFolder { table: PathBuf, run: String },
    /// A run of the plan is there, with the same meaning in other words: `earlier`, in the words of its row.
    #[error("{} holds the same run as {optimizer}/{schedule}, written {earlier}", .folder.display())]
    SameRun { folder: PathBuf, optimizer: OptimizerSpec, schedule: Spec, earlier: String },
    #[error("{} holds runs of {}", .folder.display(), counted(*.epochs, "epoch"))]
    OtherLength { folder: PathBuf, epochs: u64 },
    /// The folder of a run of the plan holds one with other settings.
    #[error("{} holds a run of another configuration ({})", .run.display(), differences(.before, .now))]
    OtherConfig { run: PathBuf, before: SettingValues, now: SettingValues },
    #[error("{} holds a run on other images", .run.display())]
    OtherImages { run: PathBuf },
    /// A run is no longer what its name says.
    #[error("{} was changed by hand ({}: {}) and no longer matches its name", .run.display(), .change.setting(), .change.to_text())]
    Changed { run: PathBuf, change: Change },
    /// A run that the plan does not name does not compare with those that it names.
    #[error("{} does not match this comparison ({mismatch})", .run.display())]
    Incomparable { run: PathBuf, mismatch: Mismatch },
}

/// In what a run differs from a comparison.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The settings that all runs of a comparison share.
    #[error("{}", differences(.before, .now))]
    Settings { before: SettingValues, now: SettingValues },
    #[error("other images")]
    Images,
}

/// `epochs 3, now 5; lr 0.1, now 0.05`: the settings in which two configurations differ.
fn differences(before: &SettingValues, now: &SettingValues) -> String {
    let differing = SettingValues::differences(before, now).into_iter();
    let text = |Difference { name, first, second }: Difference<'_>| format!("{name} {first}, now {second}");
    differing.map(text).collect::<Vec<_>>().join("; ")
}
