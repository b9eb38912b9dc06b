//! What a command does beside computing.

use super::{Every, Keep, ProgressMode};
use crate::data::DatasetOptions;
use std::path::PathBuf;

/// Where files are, what is shown and kept, and how many threads there are. None of it changes a bit of the result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MachineConfig {
    /// 0: not given.
    pub threads: usize,
    pub data: DatasetOptions,
    /// `None`: a new folder in results/.
    pub out: Option<PathBuf>,
    pub force: bool,
    pub progress: ProgressMode,
    pub json: bool,
    pub every: Option<Every>,
    pub keep: Option<Keep>,
    pub print_config: bool,
}
