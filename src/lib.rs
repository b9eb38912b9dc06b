//! lrsched: train small convolutional networks on CIFAR-10 under every learning-rate schedule and optimizer, log what really
//! happened, and show which one wins.
//!
//! The rooms (top-level modules) are layered in floors: a file imports only from lower floors and from its own room (a
//! test reads the `use` lines):
//!
//! | floor | rooms |
//! |-------|-------|
//! | 0     | [`schedule`], [`stats`], [`random`], [`mod@number`], [`spec`], [`mod@usage`], [`disk`], [`memory`], [`shell`], [`threads`] |
//! | 1     | [`data`], [`model`], [`optim`] |
//! | 2     | [`engine`] |
//! | 3     | [`config`], [`export`] |
//! | 4     | [`record`] |
//! | 5     | [`train`], [`report`] |
//! | 6     | [`run_folder`] |
//! | 7     | [`experiment`] |
//! | roof  | [`cli`] |

// Allowed only in engine/cpu and memory; every other room forbids it, which its submodules cannot override.
#![deny(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

/// Schedules, spec strings, human-readable numbers, and usage errors.
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
pub mod export;

pub mod record;

pub mod report;
pub mod train;

pub mod run_folder;

pub mod experiment;

pub mod cli;
