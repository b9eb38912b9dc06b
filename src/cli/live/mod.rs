//! A run on the terminal while it trains: progress bars, keys, signals, JSON lines.

mod json;
#[cfg(unix)]
mod keys;
mod progress;
#[cfg(unix)]
mod signals;

pub use json::JsonEvents;
#[cfg(unix)]
pub use keys::{Keyboard, Keys};
pub use progress::{Bars, Speaker};
#[cfg(unix)]
pub use signals::{listen, report_full_files};
