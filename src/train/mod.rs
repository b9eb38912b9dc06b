//! The training loop, its state, what reaches it from outside, and who observes it.

#![forbid(unsafe_code)]

pub mod checkpoint;
mod control;
mod observer;
mod position;
mod run;
mod update;

pub use checkpoint::{Checkpoint, save_weights};
pub use control::{Control, Every, Stop, Wish};
pub use observer::{All, Observer, Reason, Start};
pub use position::Position;
pub use run::{Adjustment, Outcome, Probe, Run};
pub use update::update;
