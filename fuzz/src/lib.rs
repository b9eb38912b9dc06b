//! The parts of lrsched that are fuzzed, taken in by path: the whole program with its engines would take many minutes to build, and the
//! fuzzer would watch coverage that has nothing to do with reading.

#![allow(dead_code, reason = "the rooms hold more than what is fuzzed")]

#[path = "../../src/config/mod.rs"]
pub mod config;
pub mod data;
#[path = "../../src/disk/mod.rs"]
pub mod disk;
pub mod engine;
#[path = "../../src/memory.rs"]
pub mod memory;
#[path = "../../src/model/mod.rs"]
pub mod model;
#[path = "../../src/number.rs"]
pub mod number;
#[path = "../../src/optim/mod.rs"]
pub mod optim;
#[path = "../../src/random.rs"]
pub mod random;
#[path = "../../src/record/mod.rs"]
pub mod record;
#[path = "../../src/report/mod.rs"]
pub mod report;
#[path = "../../src/schedule/mod.rs"]
pub mod schedule;
#[path = "../../src/shell.rs"]
pub mod shell;
#[path = "../../src/spec.rs"]
pub mod spec;
#[path = "../../src/stats/mod.rs"]
pub mod stats;
#[path = "../../src/threads.rs"]
pub mod threads;
pub mod train;
#[path = "../../src/usage/mod.rs"]
pub mod usage;

/// Once more on its own: `schedule` keeps the unit of a plain number to itself.
#[path = "../../src/schedule/duration.rs"]
pub mod duration;
/// Reads config files.
#[path = "../../src/config/given.rs"]
pub mod given;
