//! Why a comparison cannot be continued in its folder.

use crate::config::{Difference, SettingValues};
use crate::experiment::tune::StageMismatch;
use crate::number::counted;
use crate::optim::OptimizerSpec;
use crate::record::{Change, Role};
use crate::schedule::Spec;
use crate::usage::shortened;
use std::path::PathBuf;

/// A folder whose runs cannot share a table with those of the plan. Nothing in it was touched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ComparisonError {
    /// The run's name in the table would lead outside the folder.
    #[error("{}: the run `{}` is not a folder of this comparison", .table.display(), shortened(.run))]
    NotItsFolder { table: PathBuf, run: String },
    /// A planned run already exists, spelled differently: `earlier`, as its row has it.
    #[error("{} holds the same run as {optimizer}/{schedule}, written {earlier}", .folder.display())]
    SameRun { folder: PathBuf, optimizer: OptimizerSpec, schedule: Spec, earlier: String },
    #[error("{} holds runs of {}", .folder.display(), counted(*.epochs, "epoch"))]
    OtherLength { folder: PathBuf, epochs: u64 },
    /// The folder of a planned run holds a run with other settings.
    #[error("{} holds a run of another configuration ({})", .run.display(), differences(.before, .now))]
    OtherConfig { run: PathBuf, before: SettingValues, now: SettingValues },
    #[error("{} holds a run on other images", .run.display())]
    OtherImages { run: PathBuf },
    /// A run's settings no longer match its name.
    #[error("{} was changed by hand ({}: {}) and no longer matches its name", .run.display(), .change.setting(), .change.to_text())]
    Changed { run: PathBuf, change: Change },
    /// The folder of a planned run holds one that had another part in its comparison.
    #[error("{} was trained as {}, and is {} here", .run.display(), part(.before.as_ref()), part(.now.as_ref()))]
    OtherRole { run: PathBuf, before: Option<Role>, now: Option<Role> },
    /// Runs that were tuned or screened with other settings.
    #[error("{} holds {mismatch}", .folder.display())]
    OtherStages { folder: PathBuf, mismatch: StageMismatch },
    /// A run outside the plan is not comparable with the planned ones.
    #[error("{} does not match this comparison ({mismatch})", .run.display())]
    Incomparable { run: PathBuf, mismatch: Mismatch },
}

/// How a run differs from a comparison.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The settings that all runs of a comparison share.
    #[error("{}", differences(.before, .now))]
    Settings { before: SettingValues, now: SettingValues },
    #[error("other images")]
    Images,
}

/// `a trial of sgd/cosine in study 0 at point 3`.
fn part(role: Option<&Role>) -> String {
    let Some(Role { entrant, stage, study, trial, .. }) = role else {
        return "a run without tuning or screening".to_string();
    };
    let study = study.map_or(String::new(), |study| format!(" in study {study}"));
    let at = trial.map_or(String::new(), |trial| format!(" at point {trial}"));
    format!("a {stage} of {entrant}{study}{at}")
}

/// `epochs 3, now 5; lr 0.1, now 0.05`: the settings in which two configurations differ.
pub(in crate::experiment) fn differences(before: &SettingValues, now: &SettingValues) -> String {
    let differing = SettingValues::differences(before, now).into_iter();
    let text = |Difference { name, first, second }: Difference<'_>| format!("{name} {first}, now {second}");
    differing.map(text).collect::<Vec<_>>().join("; ")
}
