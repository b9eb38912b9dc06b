//! The folder of a run: its lock, its files, its checkpoints and its event log.

#![forbid(unsafe_code)]

mod arrays;
pub mod checkpoint;
mod claim;
mod directory;
mod events;
mod lock;
mod part;
mod refusal;
mod resumed_rows;
mod saver;
mod tensorboard;
mod writer;

pub use arrays::{save_weights, sha256};
pub use claim::{Existing, check_removable, claim, claim_part, remove_all_but_mark, remove_run, vet};
pub use directory::{RunDirectory, Setup, Words};
pub use lock::{InUse, LOCK, Lock, is_in_use};
pub use part::{Part, held_shards};
pub use refusal::Refusal;
pub use tensorboard::event_files;
