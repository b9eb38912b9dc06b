//! A run in the terminal during training: progress bars, keys, signals, JSON lines.

mod bars;
mod json;
#[cfg(unix)]
mod keys;
mod lines;
mod progress;
mod range;
mod short_run;
#[cfg(unix)]
mod signals;
mod speaker;
mod work;

pub use bars::Bars;
pub use json::{Finish, JsonEvents};
#[cfg(unix)]
pub use keys::Keyboard;
pub use lines::{Label, group_lines};
pub use range::LiveRangeTest;
pub use short_run::LiveShortRun;
#[cfg(unix)]
pub use signals::{listen, report_full_files};
pub use speaker::Speaker;

/// Which keys are enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Pause, save, stop.
    WithoutRates,
    /// Also those that change the rate.
    All,
}
