//! The parts of lrsched's floor 0 that are fuzzed, taken in by path: the whole program with its engines would take minutes to
//! build, and the fuzzer would watch coverage that has nothing to do with parsing.

#[path = "../../src/schedule/mod.rs"]
pub mod schedule;
#[path = "../../src/spec.rs"]
pub mod spec;
#[path = "../../src/usage.rs"]
pub mod usage;

/// Once more on its own: `schedule` keeps the unit of a plain number to itself.
#[path = "../../src/schedule/duration.rs"]
pub mod duration;
