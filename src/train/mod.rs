//! The loop, epoch records, checkpoints, what reaches a run from outside, and who is told of it all.

#![forbid(unsafe_code)]

pub mod checkpoint;
mod control;
mod course;
mod directory;
mod events;
mod json;
#[cfg(unix)]
mod keys;
mod lock;
mod observer;
mod position;
mod progress;
mod run;
mod saver;
#[cfg(unix)]
mod signals;
mod update;

pub use checkpoint::save_weights;
pub use control::{Control, Every, Stop, Wish};
pub use course::{Course, Reach};
pub use directory::{Existing, RunDirectory, Setup, check_removable, claim, remove_run};
pub use json::JsonEvents;
#[cfg(unix)]
pub use keys::{Keyboard, Keys};
pub use lock::{LOCK, Lock};
pub use observer::{All, Observer, Reason, Start};
pub use position::Position;
pub use progress::{Bars, Progress, ProgressMode, Speaker};
pub use run::{Adjustment, Outcome, Probe, Run};
#[cfg(unix)]
pub use signals::{listen, report_full_files};
pub use update::update;
