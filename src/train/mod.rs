//! The loop, epoch records, and who is told of them.

#![forbid(unsafe_code)]

mod config;
mod directory;
mod json;
mod lock;
mod observer;
mod progress;
mod run;

pub use config::RunConfig;
pub use directory::{Existing, RunDirectory, save_weights};
pub use json::JsonEvents;
pub use lock::{LOCK, Lock};
pub use observer::{All, Observer, Start};
pub use progress::{Bars, Progress, ProgressMode};
pub use run::{Outcome, Run};
