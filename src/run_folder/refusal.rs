//! Refused folders, as data: the program words the advice.

use crate::record::{Holds, Status};
use crate::train::LostWeights;
use std::path::PathBuf;

/// Why a folder cannot be used as it is. Nothing in it was touched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// It holds output of the wanted kind, which may be replaced.
    #[error("{} is not empty: it holds a {}", .path.display(), .holds.name())]
    Taken { path: PathBuf, holds: Holds, status: Option<Status> },
    /// It holds lrsched output of another kind.
    #[error("{} is not empty: it holds a {}, not a {}", .path.display(), .holds.name(), .wanted.name())]
    HoldsOther { path: PathBuf, holds: Holds, wanted: Holds },
    /// It holds no lrsched output; `entry` is one of its entries.
    #[error("{} is not empty and holds no {} of lrsched (it has `{}`)", .path.display(), .wanted.name(), .entry.escape_debug())]
    Foreign { path: PathBuf, entry: String, wanted: Holds },
    /// lrsched did not write a file that would be replaced.
    #[error("{} was not written by lrsched", .0.display())]
    ForeignFile(PathBuf),
    /// The rest of the run depends on a setting that this version cannot read.
    #[error("{}: the {name} {value} was written by another version of lrsched", .file.display())]
    UnknownSetting { file: PathBuf, name: &'static str, value: String },
    /// No checkpoint of the run has weights worth resuming from.
    #[error("every checkpoint of {} has {weights}, and no smaller rate will recover them", .run.display())]
    NoSoundCheckpoint { run: PathBuf, weights: LostWeights },
}
