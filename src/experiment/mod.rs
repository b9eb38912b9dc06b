//! What is built from runs: compare and eval; and walks down small functions.

#![forbid(unsafe_code)]

mod compare;
pub mod contour;
pub mod descend;
mod entrant;
pub mod eval;
pub mod landscape;

pub use compare::{Comparison, Plan, PlannedRun};
pub use entrant::{Entrant, Overrides, default_entrants};
