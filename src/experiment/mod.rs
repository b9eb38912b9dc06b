//! Experiments built from runs: compare, the range test, resume and eval; and optimizer paths on small functions.

#![forbid(unsafe_code)]

pub mod bench;
mod compare;
pub mod contour;
pub mod descend;
mod entrant;
mod estimate;
pub mod eval;
pub mod find;
pub mod landscape;
mod merge;
pub mod parting;
mod resume;
mod scheduler;
mod tune;

pub use compare::{
    Comparison, ComparisonError, ComparisonObserver, Mismatch, Plan, PlanProgress, PlannedRun, Remaining, Training,
};
pub use entrant::{
    Entered, Entrant, EntrantError, EntrantNote, Overrides, Setting, Tunable, TuneError, Varied, default_entrants,
    enter, tunable,
};
pub use estimate::{Speed, Work};
pub use merge::{MergeError, Merged, merge};
pub use resume::{DamagedRun, Left, Maker, Request, ResumeError};
pub use scheduler::{FILLED, MemoryLimit, Scheduler};
pub use tune::{Contender, Design, StageMismatch, Stages, StagesRequest, ToCome};
