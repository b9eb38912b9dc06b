//! How progress is shown.

use crate::usage::{Usage, one_of};
use std::str::FromStr;

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressMode {
    /// Bars where stderr is a terminal, plain lines elsewhere.
    #[default]
    Auto,
    Bar,
    Plain,
    /// One plain line per run.
    Runs,
    None,
}

impl ProgressMode {
    pub const ALL: [ProgressMode; 5] =
        [ProgressMode::Auto, ProgressMode::Bar, ProgressMode::Plain, ProgressMode::Runs, ProgressMode::None];

    pub const fn name(self) -> &'static str {
        match self {
            ProgressMode::Auto => "auto",
            ProgressMode::Bar => "bar",
            ProgressMode::Plain => "plain",
            ProgressMode::Runs => "runs",
            ProgressMode::None => "none",
        }
    }
}

impl FromStr for ProgressMode {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        one_of("progress", text, ProgressMode::ALL, ProgressMode::name)
    }
}
