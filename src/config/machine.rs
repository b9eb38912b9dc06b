//! Settings of the process rather than the computation.

use super::{Every, Jobs, Keep, ProgressMode, Shard};
use crate::data::DatasetOptions;
use std::path::PathBuf;

/// File locations, output, what to keep, and the number of threads. None of these changes a bit of the result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MachineConfig {
    /// 0: not given.
    pub threads: usize,
    pub jobs: Jobs,
    /// `None`: all runs.
    pub shard: Option<Shard>,
    /// The entrant that the others are compared with; `None`: each with each.
    pub baseline: Option<String>,
    pub data: DatasetOptions,
    /// `None`: a new folder in results/.
    pub out: Option<PathBuf>,
    pub force: bool,
    pub progress: ProgressMode,
    pub json: bool,
    pub every: Option<Every>,
    pub keep: Option<Keep>,
    /// Also write event files for TensorBoard.
    pub tensorboard: bool,
    pub print_config: bool,
    /// Print the plan instead of training.
    pub dry_run: bool,
}
