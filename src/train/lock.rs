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
        let file = File::create(&path).with_context(|| format!("cannot write to the folder {}", folder.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _file: file }),
            Err(TryLockError::WouldBlock) => {
                usage!("{} is in use by another lrsched; wait for it, or choose another --out", folder.display())
            }
            // A file system without locks: better to run than to refuse.
            Err(TryLockError::Error(_)) => Ok(Self { path, _file: file }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
