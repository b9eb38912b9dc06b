//! The training loop, its state, what reaches it from outside, and who observes it.

#![forbid(unsafe_code)]

mod checkpoint;
mod control;
mod observer;
mod run;
mod state;
mod update;

pub use checkpoint::{Arrays, Checkpoint};
pub use control::{Control, Stop, Wish};
pub use observer::{All, Observer, Reason, Start};
pub use run::{Adjustment, Outcome, Probe, Run};
pub use state::TrainState;
pub use update::update;
