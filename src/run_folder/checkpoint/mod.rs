//! A checkpoint on disk: everything that the next step depends on, in a folder that appears whole or not at all.
//!
//! ```text
//! checkpoints/last/weights.safetensors     every array under PyTorch's name and in its shape, running statistics included
//! checkpoints/last/optimizer.safetensors   conv1.weight.momentum_buffer, …
//! checkpoints/last/state.json              clock, sums of the epoch, schedule, config, digest of the images; SHA-256 of both files and of itself
//! checkpoints/last-before/                 the one before
//! checkpoints/best/                        after the epoch with the highest validation accuracy
//! ```
//!
//! A new one is written under another name, synced, and renamed. Whenever the process dies, one of `last` and `last-before` is whole.

mod format;
mod latest;
mod rotate;

pub use format::SavedCheckpoint;
pub use latest::{LatestCheckpoint, Wanted, latest};
pub use rotate::{forget_before, own, remove_all, retain, save};

/// What is being written, and what is about to be removed.
const NEW: &str = ".new";
const OLD: &str = ".old";
