//! Copies runs, each whole or not at all.

use super::error::of_target;
use super::source::Found;
use crate::disk::{self, TEMPORARY, make_own_folder, own_folder};
use crate::record::{RunInfo, files, sync_folder, without_path};
use crate::run_folder::{InUse, Lock, event_files, is_in_use, remove_all_but_mark};
use anyhow::{Context as _, Result, bail};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Copies a run into the folder of runs, in place of an earlier state of it. Only what lrsched wrote is copied. A run of
/// which nothing is left but its row has nothing to copy.
///
/// # Errors
/// A file cannot be read or written; a process trains the run. Of the run, nothing or all is there.
pub fn copy_run(found: &Found, runs: &Path) -> Result<()> {
    let Some(info) = &found.info else { return Ok(()) };
    let (from, to) = (found.path(), runs.join(&found.name));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let new = builder.prefix(TEMPORARY).tempdir_in(runs).map_err(without_path);
    let new = new.with_context(|| format!("cannot write to {}", runs.display()))?;
    let mut copies = Copies::default();
    for name in files::OF_RUN {
        copies.add(&from.join(name), &new.path().join(name))?;
    }
    for file in event_files() {
        copies.add(&from.join(&file), &new.path().join(&file))?;
    }
    for checkpoint in [files::LAST, files::BEFORE_LAST, files::BEST] {
        let folder = Path::new(files::CHECKPOINTS).join(checkpoint);
        for name in files::OF_CHECKPOINT {
            copies.add(&from.join(&folder).join(name), &new.path().join(&folder).join(name))?;
        }
        sync_folder(&new.path().join(folder));
    }
    sync_folder(new.path());
    // Somebody may have begun to train it while it was copied.
    if is_in_use(&from) || RunInfo::read(&new.path().join(files::RUN_JSON))? != *info {
        bail!(InUse { folder: from, by: None });
    }
    put(new, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    sync_folder(runs);
    Ok(())
}

/// The files of a run that were copied.
#[derive(Default)]
struct Copies {
    /// Those that have several names, such as the weights of a last checkpoint that is also the best.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl Copies {
    /// Copies a file if it exists, and syncs it.
    fn add(&mut self, from: &Path, to: &Path) -> Result<()> {
        let cannot = || format!("cannot copy {} to {}", from.display(), to.display());
        let mut source = match disk::open(from) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(cannot),
        };
        if let Some(folder) = to.parent() {
            disk::make_folders(folder).with_context(cannot)?;
        }
        let copy = |source: &mut File| -> io::Result<()> {
            let mut target = File::create_new(to)?;
            io::copy(source, &mut target)?;
            target.sync_all()
        };
        match inode(&source) {
            Some(inode) => {
                let first = self.linked.entry(inode).or_insert_with(|| to.to_path_buf());
                if first != to && std::fs::hard_link(&*first, to).is_ok() {
                    return Ok(());
                }
                copy(&mut source).with_context(cannot)
            }
            None => copy(&mut source).with_context(cannot),
        }
    }
}

/// The identity of a file with several names.
fn inode(file: &File) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        file.metadata().ok().filter(|found| found.nlink() > 1).map(|found| (found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

/// Renames the copy to its place. What lrsched wrote there before is replaced; files of others stay.
fn put(new: tempfile::TempDir, to: &Path) -> Result<()> {
    own_folder(to)?;
    if !to.exists() {
        std::fs::rename(new.path(), to)?;
        // It is no longer there to be removed.
        let _ = new.keep();
        return Ok(());
    }
    // Until all is there, so that nobody begins to train it.
    let _lock = Lock::take(to)?;
    // Its run.json says that it is not over, until all of the copy is there.
    remove_all_but_mark(to).map_err(of_target)?;
    for checkpoint in [files::LAST, files::BEFORE_LAST, files::BEST] {
        let folder = Path::new(files::CHECKPOINTS).join(checkpoint);
        if new.path().join(&folder).is_dir() {
            make_own_folder(&to.join(files::CHECKPOINTS))?;
            make_own_folder(&to.join(&folder))?;
            move_files(&files::OF_CHECKPOINT, &new.path().join(&folder), &to.join(&folder))?;
            sync_folder(&to.join(&folder));
        }
    }
    for file in event_files() {
        if new.path().join(&file).is_file() {
            let folder = to.join(&file).parent().map(Path::to_path_buf).unwrap_or_default();
            make_own_folder(&to.join(files::TENSORBOARD))?;
            make_own_folder(&folder)?;
            std::fs::rename(new.path().join(&file), to.join(&file))?;
            sync_folder(&folder);
        }
    }
    move_files(&files::OF_RUN, new.path(), to)?;
    sync_folder(to);
    Ok(())
}

/// Moves those of the files that exist, in this order.
fn move_files(names: &[&str], from: &Path, to: &Path) -> Result<()> {
    for name in names {
        if from.join(name).exists() {
            std::fs::rename(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}

/// Removes copies that a merge was making when it was killed. Only the process that has the comparison may call this.
pub fn remove_leftover_folders(runs: &Path) {
    for entry in runs.read_dir().into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            // One that is left is harmless: nobody reads it.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
