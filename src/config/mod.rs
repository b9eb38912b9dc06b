//! What a run is configured with.

#![forbid(unsafe_code)]

mod course;
mod run_config;

pub use course::{Course, Reach};
pub use run_config::RunConfig;
