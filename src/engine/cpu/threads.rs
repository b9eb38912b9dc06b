//! The engine's own threads, and the scratch memory that each of them keeps for the whole run.
//!
//! What a task computes must not depend on which thread runs it, nor on how many there are: sums over images are taken per fixed group
//! ([`images_per_group`]) and added up in the order of the groups.

use super::buffer::Buffer;
use crate::threads::refused;
use anyhow::Result;
use rayon::prelude::*;
use std::sync::Mutex;

/// Floats of one task of an elementwise pass: whole vectors.
pub const PIECE: usize = 1 << 14;

/// Buffers of one thread. Each kernel says what it keeps in which.
#[derive(Default)]
pub struct Scratch {
    pub a: Buffer,
    pub b: Buffer,
    pub c: Buffer,
    /// Never written.
    pub zeros: Buffer,
    /// Never read.
    pub sink: Buffer,
}

pub struct Threads {
    pool: rayon::ThreadPool,
    scratch: Vec<Mutex<Scratch>>,
}

impl Threads {
    /// # Errors
    /// Where the system refuses to start a thread.
    pub fn new(threads: usize) -> Result<Self> {
        let threads = threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("engine-{index}"))
            .build()
            .map_err(|error| refused("the engine's threads", error))?;
        Ok(Self { pool, scratch: (0..threads).map(|_| Mutex::default()).collect() })
    }

    pub fn count(&self) -> usize {
        self.scratch.len()
    }

    /// Runs `work`, which calls [`Threads::each`], on one of the threads: the calls then wake and wait for nobody but each other.
    pub fn enter<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Runs `task` on every item, each on whichever thread is free, with that thread's scratch.
    pub fn each<T: Send>(
        &self,
        items: impl IndexedParallelIterator<Item = T>,
        task: impl Fn(T, &mut Scratch) + Sync + Send,
    ) {
        self.pool.install(|| {
            items.with_max_len(1).for_each(|item| {
                let thread = rayon::current_thread_index().unwrap_or(0);
                // Only a panic in a task poisons the lock, and that panic ends the step.
                let mut scratch = self.scratch[thread].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                task(item, &mut scratch);
            });
        });
    }

    /// How many images one task of a pass without sums takes: small enough that the threads finish together.
    pub fn images_per_task(&self, images: usize) -> usize {
        images.div_ceil(self.count() * 8).max(1)
    }
}

/// How many images lie in each of the fixed groups that sums over a batch are taken in: a function of the batch alone.
pub fn images_per_group(images: usize, most_groups: usize) -> usize {
    images.div_ceil(most_groups.max(1)).max(1)
}
