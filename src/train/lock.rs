//! One writer for each folder.

use crate::usage;
use anyhow::{Context, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The name of the lock file, there as long as its folder is in use.
pub const LOCK: &str = ".lrsched-lock";

/// The right to write to a folder. The system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

impl Lock {
    /// # Errors
    /// A folder that another process writes to, or that cannot be written at all.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        loop {
            let file =
                File::create(&path).with_context(|| format!("cannot write to the folder {}", folder.display()))?;
            match file.try_lock() {
                // The one before may have removed the file since it was opened: then its name is free for somebody else's.
                Ok(()) if is_at(&file, &path) => return Ok(Self { path, _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return usage!(
                        "{} is in use by another lrsched; wait for it, or take another folder",
                        folder.display()
                    );
                }
                // A file system without locks: better to run than to refuse.
                Err(TryLockError::Error(_)) => return Ok(Self { path, _file: file }),
            }
        }
    }
}

/// Whether `path` is still the name of `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(ours), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// Elsewhere the name of a removed file is not free before everybody has closed it.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked: who opened it before finds it gone once the lock is theirs, and tries again.
        let _ = std::fs::remove_file(&self.path);
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
