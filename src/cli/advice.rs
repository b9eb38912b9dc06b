//! What to do about what the library found: the advice that names flags and commands.

use crate::record::{Holds, Status};
use crate::run_folder::Refusal;
use crate::train::Verdict;
use crate::usage::Usage;
use anyhow::Error;

/// What is said of the end of a run.
pub fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Stopped { .. } => verdict.to_string(),
        Verdict::Diverged { unwarmed: true, .. } => {
            format!("{verdict}. Try a smaller rate (`lrsched find` suggests one), or --warmup")
        }
        Verdict::Diverged { .. } => format!("{verdict}. Try a smaller rate (`lrsched find` suggests one)"),
        Verdict::Lost(_) => format!("{verdict}. Try a smaller one (`lrsched find` suggests one)"),
    }
}

/// What is said of a folder that was refused.
fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotAFolder(_) => format!("--out {refusal}"),
        Refusal::Taken { path, holds, status } => {
            let (out, name) = (path.display(), holds.name());
            let resume = match status {
                Some(Status::Finished) if *holds == Holds::Run => {
                    format!("`lrsched resume {out} --epochs N` to train it longer, ")
                }
                Some(_) if *holds == Holds::Run => format!("`lrsched resume {out}` to resume it, "),
                _ => String::new(),
            };
            format!("--out {refusal}; choose another folder, {resume}or --force to replace the {name}")
        }
        Refusal::HoldsOther { path, holds, wanted } => format!(
            "--out {} is not empty: it holds a {}, and even --force replaces only a {}; choose another folder",
            path.display(),
            holds.name(),
            wanted.name()
        ),
        Refusal::Foreign { wanted, .. } => {
            format!("--out {refusal}; even --force replaces only a {}: choose another folder", wanted.name())
        }
        Refusal::ForeignFile(_) => {
            format!("{refusal}, and --force would remove it; move it away, or choose another folder")
        }
        Refusal::UnknownSetting { name, .. } => format!("{refusal}; set it with --{name}"),
        Refusal::NoSoundCheckpoint { .. } => {
            format!("{refusal}; restart with `lrsched train … --force` and a smaller rate")
        }
    }
}

/// The error in words: with what to do about it, where the command line has something to offer.
pub fn words(error: &Error) -> String {
    error.downcast_ref().map_or_else(|| format!("{error:#}"), refusal)
}

/// The error as the command line reports it: what the user can mend is a [`Usage`].
pub fn worded(error: Error) -> Error {
    match error.downcast_ref::<Refusal>() {
        Some(refused) => Usage(refusal(refused)).into(),
        None => error,
    }
}
