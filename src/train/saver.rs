//! Writes checkpoints beside the training, one at a time.

use super::checkpoint::Checkpoint;
use crate::disk::OpenFolder;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// A thread that writes what it is given to the folder of a run.
#[derive(Debug)]
pub struct Saver {
    jobs: Option<SyncSender<Arc<Checkpoint>>>,
    done: Receiver<Result<()>>,
    thread: Option<JoinHandle<()>>,
    /// Given, and not known to be on the disk.
    open: bool,
}

impl Saver {
    /// `folder` is that of the run, open; `logs`: files whose rows must be on the disk before a checkpoint that counts on them.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub fn start(run: &Path, folder: OpenFolder, logs: Vec<File>) -> Result<Self> {
        let (jobs, inbox) = sync_channel::<Arc<Checkpoint>>(0);
        let (outbox, done) = sync_channel(1);
        let run = run.to_path_buf();
        let write = move || {
            let mut sync = || {
                folder.check()?;
                logs.iter().try_for_each(|log| log.sync_data().context("cannot bring its rows to the disk"))
            };
            for checkpoint in inbox {
                // Its memory is free before the next one is made.
                let written = folder.check().and_then(|()| checkpoint.write(&run, &mut sync));
                drop(checkpoint);
                if outbox.send(written).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("saver".to_string())
            .spawn(write)
            .context("cannot start a thread (is there too little memory?)")?;
        Ok(Self { jobs: Some(jobs), done, thread: Some(thread), open: false })
    }

    /// Begins to write a checkpoint, once the one before is on the disk.
    ///
    /// # Errors
    /// The one before could not be written.
    pub fn save(&mut self, checkpoint: &Arc<Checkpoint>) -> Result<()> {
        self.wait()?;
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Arc::clone(checkpoint)).is_ok());
        anyhow::ensure!(sent, "the thread that saves checkpoints has ended");
        self.open = true;
        Ok(())
    }

    /// Returns when everything given is on the disk.
    ///
    /// # Errors
    /// It could not be written.
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
