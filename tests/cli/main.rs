//! The program as the user calls it: flags, messages, exit codes, and output files.

#[path = "../common/mod.rs"]
mod common;

mod cli_compare;
mod cli_mistakes;
mod cli_train;
mod compare_around;
mod data_cli;
mod data_fetch;
mod descend_command;
mod eval_command;
mod export_command;
mod find_command;
mod given;
mod grid;
mod groups;
mod json_events;
mod report_comparison;
mod report_formats;
mod report_page;
mod report_reading;
mod report_record;
mod report_tuned;
mod report_verdicts;
mod schedule_show;
mod shell;
mod tune;
