//! Limits how often a writer checks that its files are still in place.

use std::time::{Duration, Instant};

/// A move or deletion is noticed within this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// A timer for those checks, each of which takes a few system calls: too slow for every row.
#[derive(Debug)]
pub struct Watch {
    checked: Instant,
}

impl Watch {
    pub fn start() -> Self {
        Self { checked: Instant::now() }
    }

    /// Whether the next check is due; if so, restarts the interval.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.checked.elapsed() >= INTERVAL;
        if is_due {
            self.checked = Instant::now();
        }
        is_due
    }
}
