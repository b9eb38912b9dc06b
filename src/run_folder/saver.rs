//! Writes checkpoints on a background thread, one at a time.

use super::checkpoint;
use crate::disk::{OpenFolder, make_own_folder};
use crate::record::RowDigests;
use crate::threads::spawn;
use crate::train::Checkpoint;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

/// A checkpoint to write, and the digests of the rows it depends on.
type Job = (Arc<Checkpoint>, RowDigests);

/// The thread that writes checkpoints to the folder of a run.
#[derive(Debug)]
pub struct Saver {
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Result<()>>,
    thread: Option<JoinHandle<()>>,
    /// The checkpoints folder, once it exists.
    checkpoints: Arc<OnceLock<OpenFolder>>,
    /// Whether a submitted checkpoint may not be on disk yet.
    open: bool,
}

impl Saver {
    /// `folder` is the open folder of the run; the rows in `logs` are synced before each checkpoint that depends on them.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(run: &Path, folder: OpenFolder, logs: Vec<File>) -> Result<Self> {
        let (jobs, inbox) = sync_channel::<Job>(0);
        let (outbox, done) = sync_channel(1);
        let run = run.to_path_buf();
        let checkpoints = Arc::new(OnceLock::new());
        let known = Arc::clone(&checkpoints);
        let write = move || {
            let in_place = || {
                folder.check()?;
                known.get().map_or(Ok(()), OpenFolder::check)
            };
            let mut sync = || {
                in_place()?;
                logs.iter().try_for_each(|log| log.sync_data().context("cannot bring its rows to the disk"))
            };
            for (checkpoint, rows) in inbox {
                // Frees its memory before the next checkpoint is made.
                let written = in_place().and_then(|()| {
                    // Watched as soon as it exists.
                    if known.get().is_none() {
                        let folder = checkpoint::own(&run)?;
                        make_own_folder(&folder)?;
                        known.get_or_init(|| OpenFolder::new(&folder));
                    }
                    checkpoint::save(&checkpoint, &run, Some(&rows), &mut sync)
                });
                drop(checkpoint);
                // A moved folder causes many kinds of errors; report the move itself.
                let written = written.map_err(|error| in_place().err().unwrap_or(error));
                if outbox.send(written).is_err() {
                    return;
                }
            }
        };
        let thread = spawn("saver", write)?;
        Ok(Self { jobs: Some(jobs), done, thread: Some(thread), checkpoints, open: false })
    }

    /// Starts writing a checkpoint once the previous one is on disk.
    ///
    /// # Errors
    /// The previous one could not be written.
    pub fn save(&mut self, checkpoint: &Arc<Checkpoint>, rows: RowDigests) -> Result<()> {
        self.wait()?;
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send((Arc::clone(checkpoint), rows)).is_ok());
        anyhow::ensure!(sent, "the thread that saves checkpoints has ended");
        self.open = true;
        Ok(())
    }

    /// # Errors
    /// The checkpoints folder was moved or deleted. It is not recreated.
    pub fn check_in_place(&self) -> Result<()> {
        self.checkpoints.get().map_or(Ok(()), OpenFolder::check)
    }

    /// Waits until every checkpoint is on disk.
    ///
    /// # Errors
    /// A checkpoint could not be written.
    pub fn wait(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        self.done.recv().context("the thread that saves checkpoints has ended")?
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
