//! A checkpoint on disk: everything that the next step depends on, in a folder that appears atomically.
//!
//! ```text
//! checkpoints/last/weights.safetensors     every array under PyTorch's name and in its shape, running statistics included
//! checkpoints/last/optimizer.safetensors   conv1.weight.momentum_buffer, …
//! checkpoints/last/state.json              clock, sums of the epoch, schedule, config, digest of the images; SHA-256 of both files and of itself
//! checkpoints/last-before/                 the one before
//! checkpoints/best/                        after the epoch with the highest validation accuracy
//! ```
//!
//! A new one is written under another name, synced, and renamed. Whenever the process dies, `last` or `last-before` is
//! intact.

mod format;
mod latest;
mod rotate;

pub use format::SavedCheckpoint;
pub use latest::{LatestCheckpoint, Wanted, latest};
pub use rotate::{forget_before, own, remove_all, retain, save};

/// The checkpoint being written, and the one about to be removed.
const NEW: &str = ".new";
const OLD: &str = ".old";
