//! Folders that are refused, for the program to say what to do about it.

use crate::record::{Holds, Status};
use crate::train::LostWeights;
use std::path::PathBuf;

/// A folder that cannot be used as it is, and why. Nothing in it was touched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// It holds what is to be written, which may be replaced.
    #[error("{} is not empty: it holds a {}", .path.display(), .holds.name())]
    Taken { path: PathBuf, holds: Holds, status: Option<Status> },
    /// It holds something else of lrsched.
    #[error("{} is not empty: it holds a {}, not a {}", .path.display(), .holds.name(), .wanted.name())]
    HoldsOther { path: PathBuf, holds: Holds, wanted: Holds },
    /// It holds nothing of lrsched; `entry` is one of the things in it.
    #[error("{} is not empty and holds no {} of lrsched (it has `{}`)", .path.display(), .wanted.name(), .entry.escape_debug())]
    Foreign { path: PathBuf, entry: String, wanted: Holds },
    /// A file would be replaced that lrsched did not write.
    #[error("{} was not written by lrsched", .0.display())]
    ForeignFile(PathBuf),
    /// A setting that the rest of the run depends on is recorded as this version cannot read it.
    #[error("{}: the {name} {value} was written by another version of lrsched", .file.display())]
    UnknownSetting { file: PathBuf, name: &'static str, value: String },
    /// Every checkpoint of the run is of weights that are not worth resuming from.
    #[error("every checkpoint of {} has {weights}, and no smaller rate will recover them", .run.display())]
    NoSoundCheckpoint { run: PathBuf, weights: LostWeights },
}
