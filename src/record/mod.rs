//! The rows and files of a run: written by `train`, read by `report`.

#![forbid(unsafe_code)]

mod change;
mod check;
mod columns;
mod contents;
pub mod files;
mod next_command;
mod provenance;
mod recorded_config;
mod replace;
mod results;
mod role;
mod rows;
mod run_info;
mod run_order;
pub mod stop_at;
mod table;
pub mod tensorboard;
mod tuned;

pub use change::{Applied, Change, Changed, Fit, Origin};
pub use check::{check_finished, check_last, check_order, check_values};
pub use columns::Columns;
pub use contents::{Contents, Holds, is_begun, is_table_of};
pub use next_command::NextCommand;
pub use provenance::{DatasetId, GitState, Provenance, Standing, command_line, now};
pub use recorded_config::RecordedConfig;
pub use replace::{
    check_outputs, disk_size, ending, folder_name, remove_leftovers, replace_file, replace_own, same_file, sync_folder,
    without_path, write_status,
};
pub use results::Results;
pub use role::{Role, Stage};
use rows::is_folder_name;
pub use rows::{ComparisonRow, EpochRow, RangeRow, RefineRow, Row, StepRow};
pub use run_info::{ChannelStatistics, GroupInfo, Recorded, RunInfo};
pub use run_order::{OrderError, PlannedBy, RunOrder};
pub use table::{RowDigests, RowWriter, Table, read_good_rows, read_rows, write_rows};
pub use tuned::{Study, finalists, recorded_finalists, screenings, studies};

use serde::{Deserialize, Serialize};
use std::fmt;

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Running,
    Finished,
    /// Stopped by the user or the system before its end.
    Interrupted,
    /// The loss became NaN or infinite.
    Diverged,
    /// An error ended it.
    Failed,
}

impl Status {
    /// Whether the run came to its end, so that nothing is left to train.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Diverged)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Running => "running",
            Status::Finished => "finished",
            Status::Interrupted => "interrupted",
            Status::Diverged => "diverged",
            Status::Failed => "failed",
        })
    }
}
