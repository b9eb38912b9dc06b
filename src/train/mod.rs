//! The training loop, its state, its controls, and its observers.

#![forbid(unsafe_code)]

mod average;
mod checkpoint;
mod control;
mod evaluation;
mod event;
mod memory;
mod outcome;
mod prepared;
mod run;
mod state;
mod step;

pub use checkpoint::{Arrays, Checkpoint, Points};
pub use control::{Control, ControlRequest, Stop, Supervision, ThreadShare};
pub use evaluation::evaluate_batch;
pub use event::{All, Event, Observer, Reason, Started};
pub use memory::estimated_memory;
pub use outcome::{Outcome, Verdict};
pub use prepared::{EVALUATION_BATCH, EngineOptions, Prepared, PreparedImages, loader_options};
pub use run::{Adjustment, Run};
pub use state::{LostWeights, TrainState};
pub use step::{StepDone, StepTimes, Trainer};
