//! What is built from runs: compare.

mod compare;
mod entrant;

pub use compare::{Comparison, Plan, PlannedRun};
pub use entrant::{Entrant, Overrides, default_entrants};
