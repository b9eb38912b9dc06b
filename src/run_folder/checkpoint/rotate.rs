//! Rotation and retention: which checkpoints a run keeps.

use super::format::write_files;
use super::{NEW, OLD};
use crate::config::Keep;
use crate::disk::{self, TEMPORARY, make_own_folder, own_folder};
use crate::record::files::{BEFORE_LAST, BEST, CHECKPOINTS, LAST, OF_CHECKPOINT, WEIGHTS};
use crate::record::{RowDigests, same_file, stop_at, sync_folder};
use crate::train::Checkpoint;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Makes `checkpoint` the last one of the run in `run`, and the best one too if it is. `sync` is called once all of it
/// is on disk, before it is renamed into place.
///
/// # Errors
/// The folder cannot be written, or the disk is full: the previous checkpoint stays the last one.
pub fn save(
    checkpoint: &Checkpoint,
    run: &Path,
    rows: Option<&RowDigests>,
    sync: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let folder = own(run)?;
    let new = folder.join(NEW);
    let mut write = || -> Result<()> {
        make_own_folder(&folder)?;
        make_empty(&new)?;
        write_files(checkpoint, &new, rows)?;
        sync()?;
        stop_at::point("mid-checkpoint");
        carry(&folder.join(LAST), &new)?;
        carry(&folder.join(BEFORE_LAST), &folder.join(LAST))?;
        remove(&folder.join(BEFORE_LAST))?;
        rename(&folder.join(LAST), &folder.join(BEFORE_LAST))?;
        stop_at::point("between-renames");
        rename(&new, &folder.join(LAST))?;
        sync_folder(&folder);
        if checkpoint.state.is_best() {
            make_best(&folder)?;
        }
        Ok(())
    };
    write()
        .inspect_err(|_| {
            // A half-written checkpoint only takes up space.
            let _ = remove(&new);
        })
        .with_context(|| format!("cannot save a checkpoint in {}", folder.display()))
}

/// The folder of a run's checkpoints, existing or not.
///
/// # Errors
/// It, or a checkpoint folder, is a symbolic link: its target is not ours, and may belong to another run.
pub fn own(run: &Path) -> Result<PathBuf> {
    let folder = run.join(CHECKPOINTS);
    own_folder(&folder)?;
    [LAST, BEFORE_LAST, BEST, NEW, OLD].iter().try_for_each(|name| own_folder(&folder.join(name)))?;
    Ok(folder)
}

/// Removes the second-to-last checkpoint of a finished run, to save space across many runs.
pub fn forget_before(run: &Path) -> Result<()> {
    let path = own(run)?.join(BEFORE_LAST);
    remove(&path).with_context(|| format!("cannot remove {}", path.display()))
}

/// Removes the checkpoints of a finished run that `keep` does not name. If the last checkpoint is also the best one, it
/// stays: its files are hard links and take up no space.
pub fn retain(run: &Path, keep: Keep) -> Result<()> {
    let folder = own(run)?;
    let (last, best) = (folder.join(LAST).join(WEIGHTS), folder.join(BEST).join(WEIGHTS));
    match keep {
        Keep::All => Ok(()),
        Keep::None => remove_all(run),
        // Without a best epoch, the last checkpoint is all there is.
        Keep::Best if !best.is_file() => Ok(()),
        Keep::Best => {
            forget_before(run)?;
            if same_file(&last, &best) {
                share(&last, &run.join(WEIGHTS)).with_context(|| format!("cannot write to {}", run.display()))
            } else {
                remove(&folder.join(LAST)).with_context(|| format!("cannot remove {}", folder.join(LAST).display()))
            }
        }
    }
}

/// Makes `copy` a hard link to `file` if their contents are equal and the file system supports links.
fn share(file: &Path, copy: &Path) -> Result<()> {
    let link = copy.with_file_name(format!("{TEMPORARY}{WEIGHTS}"));
    let read = |path| disk::read(path, disk::MOST_ARRAYS);
    if read(file)? == read(copy)? && fs::hard_link(file, &link).is_ok() {
        fs::rename(&link, copy)?;
    }
    Ok(())
}

/// Removes all checkpoints of a run, and nothing else.
pub fn remove_all(run: &Path) -> Result<()> {
    let folder = own(run)?;
    [LAST, BEFORE_LAST, BEST, NEW, OLD]
        .iter()
        .try_for_each(|name| remove(&folder.join(name)))
        .with_context(|| format!("cannot remove what is in {}", folder.display()))?;
    // The folder stays if it holds foreign files.
    let _ = fs::remove_dir(&folder);
    Ok(())
}

/// Links the last checkpoint as the best one: the files of a checkpoint never change.
pub(super) fn make_best(folder: &Path) -> Result<()> {
    let (new, old) = (folder.join(NEW), folder.join(OLD));
    make_empty(&new)?;
    for name in OF_CHECKPOINT {
        let (from, to) = (folder.join(LAST).join(name), new.join(name));
        // Copies if the file system has no links.
        fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).and_then(|_| File::open(&to)?.sync_all()))?;
    }
    sync_folder(&new);
    carry(&old, &new)?;
    remove(&old)?;
    carry(&folder.join(BEST), &new)?;
    rename(&folder.join(BEST), &old)?;
    stop_at::point("mid-best");
    rename(&new, &folder.join(BEST))?;
    sync_folder(folder);
    remove(&old)
}

/// Removes a checkpoint if it exists. Foreign files in its folder stay, and so does the folder.
pub(super) fn remove(folder: &Path) -> Result<()> {
    let gone = |removed: std::io::Result<()>| match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    if folder.is_symlink() {
        // The target of a link is not ours.
        return Ok(gone(fs::remove_file(folder))?);
    }
    OF_CHECKPOINT.iter().try_for_each(|name| gone(fs::remove_file(folder.join(name))))?;
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => Ok(gone(removed)?),
    }
}

/// Creates `folder`, and removes our files from it.
fn make_empty(folder: &Path) -> Result<()> {
    remove(folder)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => Ok(made?),
    }
}

/// Moves foreign files from a checkpoint about to be replaced to its replacement.
pub(super) fn carry(from: &Path, to: &Path) -> Result<()> {
    if from.is_symlink() {
        return Ok(());
    }
    for entry in from.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        if OF_CHECKPOINT.iter().any(|file| name == *file) {
            continue;
        }
        let named = |number: u32| match number {
            0 => to.join(&name),
            _ => to.join(format!("{}~{number}", name.to_string_lossy())),
        };
        // If both have a file of that name, keep both.
        let free = (0..).map(named).find(|path| path.symlink_metadata().is_err());
        free.map_or(Ok(()), |path| fs::rename(entry.path(), path))?;
    }
    Ok(())
}

/// Renames a folder if it exists.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
