//! One writer per folder: an advisory lock.

use crate::config::Shard;
use crate::disk::{self, OpenFolder, is_at, make_folders, open_own, place, remove_empty};
use anyhow::{Context, Result};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the lock file, which exists while its folder is in use.
pub const LOCK: &str = ".lrsched-lock";

/// How often, a millisecond apart, a lock may be found shared: another program may keep it so.
const MOST_SHARED: u32 = 1000;

/// How often a lock is tried that a file server refuses for now, and the pause in between.
const MOST_REFUSED: u32 = 20;
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// The exclusive right to write to a folder. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    folder: OpenFolder,
    /// Folders created for the lock, innermost first.
    made: Vec<PathBuf>,
    /// Holds the lock while open.
    file: File,
    protects: bool,
    /// Whether this process created the file.
    created: bool,
}

/// Another process is writing to a folder. Nothing in it was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is in use by {}", .folder.display(), .by.map_or("another lrsched".to_string(), |shard| format!("shard {shard} of its comparison")))]
pub struct InUse {
    pub folder: PathBuf,
    /// The shard that has it, if it is one.
    pub by: Option<Shard>,
}

impl InUse {
    pub(super) fn by_someone(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), by: None }
    }
}

/// Whether a process has the lock that is this file. Changes nothing; a file left by a process that was killed counts as
/// free.
pub(super) fn is_held(path: &Path) -> bool {
    let shared = disk::open(path).map(|file| file.try_lock_shared());
    matches!(shared, Ok(Err(TryLockError::WouldBlock)))
}

/// Whether a process is writing to the folder.
pub fn is_in_use(folder: &Path) -> bool {
    is_held(&folder.join(LOCK))
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
    /// [`InUse`]: another process is writing to the folder; it is not writable; the lock file is a symbolic link.
    pub fn take(folder: &Path) -> Result<Self> {
        Self::attempt(folder, LOCK)?.ok_or_else(|| InUse::by_someone(folder).into())
    }

    /// Takes the lock that is the file `name` in the folder; `None` if another process has it.
    ///
    /// # Errors
    /// The folder is not writable; the lock file is a symbolic link; the system fails to lock it.
    pub(super) fn attempt(folder: &Path, name: &str) -> Result<Option<Self>> {
        let path = folder.join(name);
        let (mut shared, mut refused, mut created) = (0, 0, false);
        loop {
            created |= path.symlink_metadata().is_err();
            let file = open_own(&path).with_context(|| format!("cannot write {}", path.display()))?;
            let locked = match file.try_lock() {
                // The previous holder may have removed the file after we opened it; another process could then lock a
                // new one.
                Ok(()) => is_at(&file, &path),
                // Somebody who looks whether the folder is in use shares the lock for a moment.
                Err(TryLockError::WouldBlock) if shared < MOST_SHARED && file.try_lock_shared().is_ok() => {
                    let _ = file.unlock();
                    shared += 1;
                    std::thread::sleep(Duration::from_millis(1));
                    false
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => match Meaning::of(&error, refused) {
                    // Running unprotected beats refusing to run.
                    Meaning::NoLocks => return Ok(Some(Self::of(folder, path, file, false, created))),
                    Meaning::NotNow => {
                        refused += 1;
                        std::thread::sleep(REFUSED_PAUSE);
                        false
                    }
                    Meaning::Fault => return Err(error).with_context(|| format!("cannot lock {}", path.display())),
                },
            };
            if locked {
                return Ok(Some(Self::of(folder, path, file, true, created)));
            }
        }
    }

    fn of(folder: &Path, path: PathBuf, file: File, protects: bool, created: bool) -> Self {
        Self { path, folder: OpenFolder::new(folder), made: Vec::new(), file, protects, created }
    }

    /// Whether the file system has locks, so that no other process is writing to the folder.
    pub(super) fn protects(&self) -> bool {
        self.protects
    }

    /// With folders that were created for it.
    pub(super) fn with_made(self, made: Vec<PathBuf>) -> Self {
        let mut lock = self;
        lock.made = made;
        lock
    }

    /// Leaves it to `other`, on the same folder, to remove the folders that were created.
    pub(super) fn leave_made_to(&mut self, other: &mut Self) {
        other.made = std::mem::take(&mut self.made);
    }

    /// The open folder, which detects being moved.
    pub fn folder(&self) -> &OpenFolder {
        &self.folder
    }
}

/// What it means that a file could not be locked, other than that another process has the lock.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// The file system has no locks.
    NoLocks,
    /// It may be possible in a moment.
    NotNow,
    Fault,
}

impl Meaning {
    /// Of an error after `refused` attempts that ended like this.
    fn of(error: &io::Error, refused: u32) -> Self {
        // A file server without locks says so with the same code as one that is short of them.
        let is_refused = is_out_of_locks(error);
        match error.kind() {
            io::ErrorKind::Unsupported => Self::NoLocks,
            io::ErrorKind::Interrupted => Self::NotNow,
            _ if is_refused && refused < MOST_REFUSED => Self::NotNow,
            _ if is_refused => Self::NoLocks,
            _ => Self::Fault,
        }
    }
}

#[cfg(unix)]
fn is_out_of_locks(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error())
}

#[cfg(not(unix))]
fn is_out_of_locks(_error: &io::Error) -> bool {
    false
}

impl Drop for Lock {
    fn drop(&mut self) {
        // It may be the file of another process that has, or had, a lock.
        if !(self.protects || self.created) {
            return;
        }
        // The folder may have been moved, and another process may be using one in its place.
        let Some(path) = place(&self.file, &self.path).filter(|path| path.file_name() == self.path.file_name()) else {
            return;
        };
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
    fn a_lock_that_protects_nothing_leaves_the_lock_file_of_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        let without_locks = |created| Lock::of(folder.path(), path.clone(), open_own(&path).unwrap(), false, created);
        let theirs = Lock::take(folder.path()).unwrap();
        drop(without_locks(false));
        assert!(path.exists() && is_in_use(folder.path()));
        drop(theirs);
        drop(without_locks(true));
        assert!(!path.exists(), "its own is removed");
    }

    #[cfg(unix)]
    #[test]
    fn only_an_error_that_says_so_or_one_that_lasts_means_that_there_are_no_locks() {
        use rustix::io::Errno;
        let meaning = |errno: Errno, refused| Meaning::of(&io::Error::from(errno), refused);
        assert_eq!([Errno::NOTSUP, Errno::NOSYS].map(|errno| meaning(errno, 0)), [Meaning::NoLocks, Meaning::NoLocks]);
        assert_eq!(meaning(Errno::INTR, 0), Meaning::NotNow);
        assert_eq!(
            [0, MOST_REFUSED].map(|refused| meaning(Errno::NOLCK, refused)),
            [Meaning::NotNow, Meaning::NoLocks]
        );
        assert_eq!([Errno::IO, Errno::STALE].map(|errno| meaning(errno, 99)), [Meaning::Fault, Meaning::Fault]);
    }

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
