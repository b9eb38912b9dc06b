//! The engine's thread pool, and per-thread scratch buffers that live as long as the engine.
//!
//! The result of a task must not depend on which thread runs it or on the number of threads: sums over images are
//! computed per fixed group ([`images_per_group`]) and added in group order.

use super::buffer::Buffer;
use crate::threads::refused;
use anyhow::Result;
use rayon::prelude::*;
use std::sync::Mutex;

/// Floats per task of an elementwise pass: a whole number of vectors.
pub const PIECE: usize = 1 << 14;

/// Scratch buffers of one thread. Each kernel documents its use of them.
#[derive(Default)]
pub struct Scratch {
    pub a: Buffer,
    pub b: Buffer,
    pub c: Buffer,
    /// Never written.
    pub zeros: Buffer,
    /// Never read.
    pub sink: Buffer,
    /// Maps or gradients between the operations of a segment, and codes that nobody reads.
    pub between: [Buffer; 2],
    pub codes: Vec<u8>,
    /// Sums of a group of images, for each operation of a segment.
    pub sums: Vec<Buffer>,
}

pub struct Threads {
    pool: rayon::ThreadPool,
    scratch: Vec<Mutex<Scratch>>,
}

impl Threads {
    /// # Errors
    /// The system cannot start a thread.
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

    /// Runs `work`, which calls [`Threads::each`], on a pool thread, so that those calls involve no thread outside the
    /// pool.
    pub fn enter<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Runs `task` on every item, on whichever pool thread is free, with that thread's scratch buffers.
    pub fn each<T: Send>(
        &self,
        items: impl IndexedParallelIterator<Item = T>,
        task: impl Fn(T, &mut Scratch) + Sync + Send,
    ) {
        self.pool.install(|| {
            items.with_max_len(1).for_each(|item| {
                let thread = rayon::current_thread_index().unwrap_or(0);
                // Only a panic in a task poisons the lock, and that panic already ends the step.
                let mut scratch = self.scratch[thread].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                task(item, &mut scratch);
            });
        });
    }
}

/// Images per group for sums over a batch: depends on the batch alone, so that results do not depend on the thread
/// count.
pub fn images_per_group(images: usize, most_groups: usize) -> usize {
    images.div_ceil(most_groups.max(1)).max(1)
}
