//! How often a writer checks that its files are still in place.

use std::time::{Duration, Instant};

/// A move or a deletion is noticed within this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// A timer for those checks: each costs a few system calls, too much for every row.
#[derive(Debug)]
pub struct Watch {
    checked: Instant,
}

impl Watch {
    pub fn start() -> Self {
        Self { checked: Instant::now() }
    }

    /// Whether it is time to check again; the next time is an interval later.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.checked.elapsed() >= INTERVAL;
        if is_due {
            self.checked = Instant::now();
        }
        is_due
    }
}
