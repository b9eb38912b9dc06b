//! The folder of a run: its lock, its files, its checkpoints and its event log.

#![forbid(unsafe_code)]

mod arrays;
pub mod checkpoint;
mod directory;
mod events;
mod lock;
mod saver;

pub use arrays::{save_weights, sha256};
pub use directory::{Existing, RunDirectory, Setup, check_removable, claim, remove_run};
pub use lock::{LOCK, Lock};
