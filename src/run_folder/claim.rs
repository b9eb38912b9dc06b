//! Which folders may be written to, and what may be removed from them.

use super::checkpoint;
use super::events::is_log;
use super::lock::Lock;
use super::part::Part;
use super::refusal::Refusal;
use super::tensorboard;
use crate::config::Shard;
use crate::record::{
    Contents, EpochRow, Holds, RangeRow, RefineRow, RunInfo, StepRow, files, is_begun, remove_leftovers,
};
use anyhow::{Context, Result};
use std::path::Path;

/// What to do with a folder that holds an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    /// Remove the files of the earlier run; anything else in the folder stays.
    Replace,
}

/// Refuses a folder that must not be written to. Read-only.
///
/// # Errors
/// A [`Refusal`]: the path is a file, the folder holds something other than `what`, it holds that and may not be replaced, or one of `files` was
/// not written by lrsched.
pub fn vet(path: &Path, existing: Existing, what: Holds, files: &[&str]) -> Result<()> {
    if path.exists() && !path.is_dir() {
        return Err(Refusal::NotAFolder(path.to_path_buf()).into());
    }
    if !path.exists() {
        return Ok(());
    }
    let contents = Contents::of(path)?;
    let (path, wanted) = (path.to_path_buf(), what);
    let refusal = match (&contents.something, contents.ours()) {
        (None, _) => return Ok(()),
        _ if contents.has(what) && existing == Existing::Replace => return check_ours(&path, files),
        _ if contents.has(what) => Refusal::Taken { path, holds: what, status: contents.status },
        (Some(_), Some(holds)) => Refusal::HoldsOther { path, holds, wanted },
        (Some(entry), None) => Refusal::Foreign { path, entry: entry.clone(), wanted },
    };
    Err(refusal.into())
}

/// Creates and locks the folder, and removes those of `files` left by an earlier process, and a run's checkpoints. The
/// file that marks the folder as ours (run.json, find.json) stays until it is replaced.
///
/// # Errors
/// As `vet`, before anything is touched; the folder is in use, or cannot be written.
pub fn claim(path: &Path, existing: Existing, what: Holds, files: &[&str]) -> Result<Lock> {
    vet(path, existing, what, files)?;
    let lock = Lock::make(path)?;
    // Another process may have used it meanwhile.
    vet(path, existing, what, files)?;
    remove_leftovers(path);
    if what == Holds::Run {
        checkpoint::remove_all(path)?;
        tensorboard::remove_all(path)?;
    }
    for name in files {
        remove_file(&path.join(name))?;
    }
    Ok(lock)
}

/// Creates the folder of a comparison, and takes the runs of the shard in it, or all. While `stopping`, it does not wait
/// for other shards.
///
/// # Errors
/// As `vet`, before anything is touched; [`super::InUse`]: another process has some of these runs; the folder cannot be
/// written.
pub fn claim_part(path: &Path, shard: Option<Shard>, stopping: &dyn Fn() -> bool) -> Result<Part> {
    // An existing comparison is continued, or started over.
    let vet = || vet(path, Existing::Replace, Holds::Comparison, &[]);
    vet()?;
    Part::take(path, shard, &vet, stopping)
}

/// A name proves nothing: a file is ours if its contents say so, or if the run.json beside it says that its run has
/// one.
///
/// # Errors
/// [`Refusal::ForeignFile`] for one of `files` that exists and that lrsched did not write.
fn check_ours(folder: &Path, files: &[&str]) -> Result<()> {
    let info = RunInfo::read(&folder.join(files::RUN_JSON)).ok();
    if files.contains(&files::METRICS_CSV) {
        tensorboard::check_ours(folder)?;
    }
    for name in files {
        let path = folder.join(name);
        let is_ours = match *name {
            files::METRICS_CSV => info.is_some() || is_begun::<EpochRow>(&path),
            files::STEPS_CSV => {
                info.as_ref().is_some_and(|info| info.config.logs_steps()) || is_begun::<StepRow>(&path)
            }
            files::RANGE_CSV => is_begun::<RangeRow>(&path),
            files::REFINE_CSV => is_begun::<RefineRow>(&path),
            files::EVENTS_JSONL => info.is_some() || is_log(&path),
            files::WEIGHTS => info.is_some(),
            // Pictures.
            _ => true,
        };
        if path.symlink_metadata().is_ok() && !(is_ours && path.is_file()) {
            return Err(Refusal::ForeignFile(path).into());
        }
    }
    Ok(())
}

/// Checks that `run` can be removed without deleting foreign files.
///
/// # Errors
/// As `check_ours`.
pub fn check_removable(run: &Path) -> Result<()> {
    check_ours(run, files::unmarked(&files::OF_RUN))
}

/// Removes the files of a run, but no other files in its folder. The caller must hold the lock.
///
/// # Errors
/// A file cannot be removed, or lrsched did not write it; in the second case nothing is removed.
pub fn remove_run(path: &Path) -> Result<()> {
    remove_all_but_mark(path)?;
    remove_file(&path.join(files::RUN_JSON))
}

/// The same, but run.json stays, for a caller that replaces it.
///
/// # Errors
/// As [`remove_run`].
pub fn remove_all_but_mark(path: &Path) -> Result<()> {
    check_removable(path)?;
    remove_leftovers(path);
    checkpoint::remove_all(path)?;
    tensorboard::remove_all(path)?;
    files::unmarked(&files::OF_RUN).iter().try_for_each(|name| remove_file(&path.join(name)))
}

pub(super) fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RowWriter;

    fn claimed(path: &Path, existing: Existing) -> Result<Lock> {
        claim(path, existing, Holds::Run, files::unmarked(&files::OF_RUN))
    }

    #[test]
    fn a_folder_that_another_run_writes_to_is_refused_until_that_run_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/run");
        let first = claimed(&path, Existing::Refuse).unwrap();
        let refused = claimed(&path, Existing::Replace).err().unwrap();
        assert!(refused.to_string().contains("in use"), "{refused}");
        drop(first);
        assert!(claimed(&path, Existing::Refuse).is_ok());
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "a folder that was made for nothing is removed"
        );
    }

    #[test]
    fn a_folder_with_a_run_in_it_is_refused_and_force_removes_only_files_of_runs() {
        let folder = tempfile::tempdir().unwrap();
        RowWriter::<EpochRow>::create(&folder.path().join("metrics.csv")).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let refused = claimed(folder.path(), Existing::Refuse).err().unwrap();
        assert!(matches!(refused.downcast_ref(), Some(Refusal::Taken { holds: Holds::Run, .. })), "{refused}");
        assert!(folder.path().join("metrics.csv").exists());
        claimed(folder.path(), Existing::Replace).unwrap();
        assert!(!folder.path().join("metrics.csv").exists());
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_folder_of_something_else_is_refused_even_with_force_and_nothing_in_it_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["metrics.csv", "run.json", ".tmp-thesis.txt", "notes.txt"] {
            std::fs::write(folder.path().join(name), "mine").unwrap();
        }
        for existing in [Existing::Refuse, Existing::Replace] {
            for what in [Holds::Run, Holds::Comparison, Holds::RangeTest] {
                let refused = claim(folder.path(), existing, what, files::unmarked(&files::OF_RUN)).err().unwrap();
                assert!(matches!(refused.downcast_ref(), Some(Refusal::Foreign { .. })), "{refused}");
                assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
            }
        }
    }
}
