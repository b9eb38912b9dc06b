//! Which weights of a finished run are kept.

use crate::usage::{Usage, one_of};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Which weights of a run are kept once it has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// No weights and no checkpoints: only rows and results.
    None,
    /// The best checkpoint and the final weights.
    Best,
    /// The last checkpoint too, so that the run can be trained further.
    All,
}

impl Keep {
    pub const ALL: [Keep; 3] = [Keep::None, Keep::Best, Keep::All];

    pub const fn name(self) -> &'static str {
        match self {
            Keep::None => "none",
            Keep::Best => "best",
            Keep::All => "all",
        }
    }
}

impl FromStr for Keep {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        one_of("keep", text, Keep::ALL, Keep::name)
    }
}
