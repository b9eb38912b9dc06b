//! What a run is configured with.

#![forbid(unsafe_code)]

mod run_config;

pub use run_config::RunConfig;
