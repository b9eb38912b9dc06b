//! Runs that are stopped, killed, resumed, or short of a resource.

#[path = "../common/mod.rs"]
mod common;
#[path = "../resume_common/mod.rs"]
mod resume_common;

mod airbench_torch;
mod averages;
mod faults;
mod merge;
mod resume_cli;
mod resume_exact;
mod resume_signals;
mod several_at_once;
mod shards;
mod tensorboard;
mod tiny_runs;
mod tuning;
