//! lrsched: train small convolutional networks on CIFAR-10 under every learning-rate schedule and optimizer, log what really
//! happened, and show which one wins.
//!
//! The house has floors; a file imports from lower floors and from its own room only (a test reads the `use` lines):
//!
//! | floor | rooms |
//! |-------|-------|
//! | 0     | [`schedule`], [`stats`], [`random`], [`mod@number`], [`spec`], [`mod@usage`], [`disk`], [`memory`], [`shell`], [`threads`] |
//! | 1     | [`data`], [`model`], [`optim`] |
//! | 2     | [`engine`] |
//! | 3     | [`config`] |
//! | 4     | [`record`] |
//! | 5     | [`train`], [`report`] |
//! | 6     | [`run_folder`] |
//! | 7     | [`experiment`] |
//! | roof  | [`cli`] |

// Allowed in engine/cpu and memory alone; every other room forbids it, which nothing below can lift.
#![deny(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

/// Schedules, spec strings, numbers as people read them, and the error of what cannot be.
pub use lrsched_schedule as schedule;
pub use lrsched_schedule::{number, spec, usage};

pub mod disk;
pub mod memory;
pub mod random;
pub mod shell;
pub mod stats;
pub mod threads;
pub mod usage;

pub mod data;
pub mod model;
pub mod optim;

pub mod engine;

pub mod config;

pub mod record;

pub mod report;
pub mod train;

pub mod run_folder;

pub mod experiment;

pub mod cli;
