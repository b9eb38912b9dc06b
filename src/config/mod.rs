//! The configuration of runs and commands, from all sources.

#![forbid(unsafe_code)]

mod axis_key;
mod course;
mod every;
mod find_config;
pub mod given;
pub mod grid;
mod group_courses;
mod jobs;
mod keep;
mod machine;
mod mode;
mod progress_mode;
mod run_config;
mod setting_values;
pub mod settings;
mod shard;
pub mod tuning;
mod variables;

pub use axis_key::RATE;
pub use course::{Course, Reach, decays, unused_rate};
pub use every::Every;
pub use find_config::{FindConfig, Length, MOST_SEEDS};
pub use given::{Given, Source};
pub use grid::{Axis, Grid};
pub use group_courses::{GroupCourses, GroupState, base_warnings, rates_in_range_test};
pub use jobs::Jobs;
pub use keep::Keep;
pub use machine::MachineConfig;
pub use mode::Mode;
pub use progress_mode::ProgressMode;
pub use run_config::{RunConfig, bring_up_to_date};
pub use setting_values::{Difference, SettingValues, typed};
pub use settings::{CommandName, FlagForm, SettingDef};
pub use shard::Shard;
pub use tuning::{TuneAxis, Tuning};
pub use variables::{OTHER_VARIABLES, PREFIX, given_variables, variable, variables_of_results};

/// Limit on the steps of what is tabulated step by step: a table of this many takes several hundred megabytes, and no real
/// run is longer.
pub const MOST_STEPS: u64 = 10_000_000;
