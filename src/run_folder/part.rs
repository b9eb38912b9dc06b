//! Several processes that train the runs of one folder, each a part of them.
//!
//! A process that trains all runs has the folder's lock as long as it lives. A shard has a lock of its own, named by the
//! shard, and takes the folder's for moments: to begin, and to write what all shards write.

use super::lock::{InUse, LOCK, Lock, is_held};
use crate::config::Shard;
use crate::disk::{OpenFolder, make_folders, remove_empty};
use crate::record::remove_leftovers;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a shard waits for the folder before it begins, and at its end: others may be about to, too.
const LONG: Duration = Duration::from_secs(60);

/// How long it waits in between: what it cannot write now, it writes the next time.
const SHORT: Duration = Duration::from_secs(10);

/// How long the lock of a process with runs in common must be seen held before a shard that begins is refused.
const SURE: Duration = Duration::from_secs(1);

/// The pauses between two attempts double from the first to the longest: hundreds of shards may begin at once, on one
/// file server.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The exclusive right to train a part of the runs in a folder.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    shard: Option<Shard>,
    /// Released before the folder's lock, which removes a folder that is still empty.
    own: Lock,
    /// The folder's, of a process that trains all runs.
    folder: Option<Lock>,
}

/// The folder's lock, while a shard writes what all shards write.
#[derive(Debug)]
pub struct Moment {
    _lock: Option<Lock>,
}

impl Part {
    /// Creates the folder if it is missing, checks it with `vet`, and takes the runs of the shard, or all. While
    /// `stopping`, it does not wait for other shards.
    ///
    /// # Errors
    /// [`InUse`]: another process has some of these runs, and which; the folder cannot be written; as `vet`.
    pub(super) fn take(
        folder: &Path,
        shard: Option<Shard>,
        vet: &dyn Fn() -> Result<()>,
        stopping: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let wanted = shard.unwrap_or(Shard::WHOLE);
        let mut lock = match shard {
            Some(_) => wait_to_begin(folder, wanted, stopping)?,
            None => {
                Lock::make(folder).map_err(|error| if error.is::<InUse>() { in_use(folder, wanted) } else { error })?
            }
        };
        // Another process may have used it meanwhile.
        vet()?;
        if held_shards(folder).into_iter().any(|held| held.overlaps(wanted)) {
            return Err(in_use(folder, wanted));
        }
        let mut own = Lock::attempt(folder, &lock_name(wanted))?.ok_or_else(|| in_use(folder, wanted))?;
        // Where nothing tells a dead process from a living one, its files stay.
        if lock.protects() {
            remove_leftovers(folder);
            remove_free_locks(folder);
        }
        let whole = if shard.is_some() {
            lock.leave_made_to(&mut own);
            None
        } else {
            Some(lock)
        };
        Ok(Self { path: folder.to_path_buf(), shard, own, folder: whole })
    }

    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// The open folder, which detects being moved.
    pub fn folder(&self) -> &OpenFolder {
        self.own.folder()
    }

    /// Whether the file system has locks, so that no other process has these runs.
    pub fn protects(&self) -> bool {
        self.own.protects()
    }

    /// Whether no other process has runs of this folder.
    pub fn is_alone(&self) -> bool {
        let ours = self.shard.unwrap_or(Shard::WHOLE);
        self.protects() && held_shards(&self.path).into_iter().all(|held| held == ours)
    }

    /// The right to write what all shards write. Waits for other shards to finish theirs; `None` if they take too long.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn moment(&self) -> Result<Option<Moment>> {
        self.within(SHORT, &|| false)
    }

    /// The same, with more patience.
    ///
    /// # Errors
    /// [`InUse`]: the others take too long; the folder is not writable.
    pub fn long_moment(&self) -> Result<Moment> {
        self.moment_to_begin(&|| false)
    }

    /// As [`Part::long_moment`], but does not wait while `stopping`.
    ///
    /// # Errors
    /// As [`Part::long_moment`], or it is `stopping`.
    pub fn moment_to_begin(&self, stopping: &dyn Fn() -> bool) -> Result<Moment> {
        self.within(LONG, stopping)?.ok_or_else(|| InUse::by_someone(&self.path).into())
    }

    fn within(&self, patience: Duration, stopping: &dyn Fn() -> bool) -> Result<Option<Moment>> {
        if self.folder.is_some() {
            return Ok(Some(Moment { _lock: None }));
        }
        let mut patience = Patience::of(patience);
        loop {
            if let Some(lock) = Lock::attempt(&self.path, LOCK)? {
                return Ok(Some(Moment { _lock: Some(lock) }));
            }
            if !patience.wait(stopping) {
                return Ok(None);
            }
        }
    }
}

/// The folder's lock, for a shard that begins.
fn wait_to_begin(folder: &Path, wanted: Shard, stopping: &dyn Fn() -> bool) -> Result<Lock> {
    let mut patience = Patience::of(LONG);
    // Since when a process has been seen that has runs of the shard.
    let mut overlap: Option<Instant> = None;
    loop {
        let made = make_folders(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        match Lock::attempt(folder, LOCK) {
            Ok(Some(lock)) => return Ok(lock.with_made(made)),
            // Whoever trains all runs has the folder's lock for good. One that removes the lock of a dead process has
            // that for a moment.
            Ok(None) if held_shards(folder).into_iter().any(|held| held.overlaps(wanted)) => {
                if overlap.get_or_insert_with(Instant::now).elapsed() >= SURE {
                    return Err(in_use(folder, wanted));
                }
            }
            Ok(None) => overlap = None,
            // A shard that was refused has removed the folder that it had made.
            Err(_) if !folder.exists() => {}
            Err(error) => {
                remove_empty(&made);
                return Err(error);
            }
        }
        if !patience.wait(stopping) {
            return Err(in_use(folder, wanted));
        }
    }
}

/// Pauses between attempts, until a time is over.
struct Patience {
    end: Instant,
    pause: Duration,
}

impl Patience {
    fn of(limit: Duration) -> Self {
        Self { end: Instant::now() + limit, pause: FIRST_PAUSE }
    }

    /// Pauses; false, at once, if the time is over or it is `stopping`.
    fn wait(&mut self, stopping: &dyn Fn() -> bool) -> bool {
        let goes_on = Instant::now() < self.end && !stopping();
        if goes_on {
            std::thread::sleep(self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        goes_on
    }
}

/// The error for a folder of which another process has runs of the `wanted` shard.
fn in_use(folder: &Path, wanted: Shard) -> anyhow::Error {
    let by = held_shards(folder).into_iter().find(|held| held.overlaps(wanted) && *held != Shard::WHOLE);
    InUse { folder: folder.to_path_buf(), by }.into()
}

/// The shards that processes are training in the folder now. A process that trains all counts as the whole.
pub fn held_shards(folder: &Path) -> Vec<Shard> {
    known_shards(folder).into_iter().filter(|shard| is_held(&folder.join(lock_name(*shard)))).collect()
}

/// The shards whose lock is in the folder, held or left by a process that was killed.
fn known_shards(folder: &Path) -> Vec<Shard> {
    let shard_of = |name: &str| Shard::of_file_name(name.strip_prefix(LOCK)?.strip_prefix('-')?);
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries.filter_map(|entry| shard_of(entry.file_name().to_str()?)).collect()
}

/// Removes the locks of processes that were killed. Shards take theirs only while they have the folder's, as the caller
/// has.
fn remove_free_locks(folder: &Path) {
    for shard in known_shards(folder) {
        // Whoever has a lock removes its file.
        drop(Lock::attempt(folder, &lock_name(shard)));
    }
}

fn lock_name(shard: Shard) -> String {
    format!("{LOCK}-{}", shard.file_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(folder: &Path, shard: Option<&str>) -> Result<Part> {
        Part::take(folder, shard.map(|text| text.parse().unwrap()), &|| Ok(()), &|| false)
    }

    fn refused(folder: &Path, shard: Option<&str>) -> String {
        take(folder, shard).err().unwrap().downcast::<InUse>().unwrap().to_string()
    }

    #[test]
    fn shards_have_a_folder_together_unless_they_share_runs_and_all_runs_are_shared_with_everybody() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("deep/new");
        let first = take(&folder, Some("1/2")).unwrap();
        let other = take(&folder, Some("2/4")).unwrap();
        for shared in [Some("1/2"), Some("3/4"), Some("1/3"), None] {
            assert!(refused(&folder, shared).contains("in use by shard "), "{shared:?}");
        }
        drop(other);
        assert!(refused(&folder, None).contains("in use by shard 1/2 of its comparison"));
        drop(first);
        assert!(!outer.path().join("deep").exists(), "a folder that was made for nothing is removed");
        let whole = take(&folder, None).unwrap();
        assert!(refused(&folder, Some("7/9")).contains("in use by another lrsched"));
        assert_eq!(held_shards(&folder), [Shard::WHOLE]);
        drop(whole);
        assert!(take(&folder, Some("7/9")).is_ok());
    }

    #[test]
    fn the_lock_of_a_dead_shard_held_while_somebody_removes_it_does_not_refuse_the_shard() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Lock::take(folder.path()).unwrap();
        let dead = Lock::attempt(folder.path(), ".lrsched-lock-1-of-2").unwrap().unwrap();
        std::thread::scope(|scope| {
            let part = scope.spawn(|| take(folder.path(), Some("1/2")).map(|part| part.shard()));
            std::thread::sleep(Duration::from_millis(100));
            drop(dead);
            drop(shared);
            assert_eq!(part.join().unwrap().unwrap(), Some("1/2".parse().unwrap()));
        });
    }

    #[test]
    fn a_shard_that_is_told_to_stop_waits_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let _other = Lock::take(folder.path()).unwrap();
        let start = Instant::now();
        let part = Part::take(folder.path(), Some("1/2".parse().unwrap()), &|| Ok(()), &|| true);
        assert!(part.err().unwrap().is::<InUse>());
        assert!(start.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn a_lock_left_by_a_process_that_was_killed_keeps_nobody_out_and_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".lrsched-lock", ".lrsched-lock-1-of-2", ".lrsched-lock-1-of-1", ".lrsched-lock-x"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(held_shards(folder.path()), []);
        drop(take(folder.path(), Some("3/4")).unwrap());
        let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".lrsched-lock-x"]);
    }
}
