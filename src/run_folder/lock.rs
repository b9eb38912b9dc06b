//! One writer per folder: an advisory lock.

use crate::disk::{OpenFolder, is_at, make_folders, open_own, place, remove_empty};
use crate::usage;
use anyhow::{Context, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The name of the lock file, which exists while its folder is in use.
pub const LOCK: &str = ".lrsched-lock";

/// The exclusive right to write to a folder. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    folder: OpenFolder,
    /// Folders created for the lock, innermost first.
    made: Vec<PathBuf>,
    /// Holds the lock while open.
    file: File,
}

impl Lock {
    /// Creates the folder if it is missing, and removes it again if it is still empty when the lock is released.
    ///
    /// # Errors
    /// The folder cannot be created; as [`Lock::take`].
    pub fn make(folder: &Path) -> Result<Self> {
        let made = make_folders(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let mut lock = Self::take(folder).inspect_err(|_| remove_empty(&made))?;
        lock.made = made;
        Ok(lock)
    }

    /// # Errors
    /// Another process is writing to the folder; it is not writable; the lock file is a symbolic link.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        loop {
            let file = open_own(&path).with_context(|| format!("cannot write {}", path.display()))?;
            let locked = match file.try_lock() {
                // The previous holder may have removed the file after we opened it; another process could then lock a
                // new one.
                Ok(()) => is_at(&file, &path),
                Err(TryLockError::WouldBlock) => {
                    return usage!(
                        "{} is in use by another lrsched; wait for it, or take another folder",
                        folder.display()
                    );
                }
                // Without file locks on this file system, running unprotected beats refusing to run.
                Err(TryLockError::Error(_)) => true,
            };
            if locked {
                return Ok(Self { path, folder: OpenFolder::new(folder), made: Vec::new(), file });
            }
        }
    }

    /// The open folder, which detects being moved.
    pub fn folder(&self) -> &OpenFolder {
        &self.folder
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The folder may have been moved, and another process may be using one in its place.
        let Some(path) = place(&self.file, &self.path).filter(|path| path.ends_with(LOCK)) else { return };
        // Removed while still locked: a process that opened it earlier finds it gone once it gets the lock, and
        // retries.
        let _ = std::fs::remove_file(&path);
        if path == self.path {
            remove_empty(&self.made);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn of_many_who_take_and_leave_a_folder_at_once_never_two_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5000 {
                        let Ok(lock) = Lock::take(folder.path()) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have the folder");
                        taken.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "a folder that nobody has is left tidy");
    }
}
