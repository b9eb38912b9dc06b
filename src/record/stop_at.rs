//! A test aid: named points in the writing of files at which the process can be killed, to simulate a power cut.
//!
//! `LRSCHED_STOP_AT=mid-checkpoint:3` kills the process, uncatchably, the third time it reaches that point (`:1` may be
//! omitted). The points: `mid-row` (half of a row has been written), `mid-checkpoint` (all files of a checkpoint are
//! written, none is renamed yet), `between-renames` (the last checkpoint has become the previous one, the new one is
//! not yet the last), `mid-best` (the same for the best one). Without the variable, every point costs one comparison.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the chosen point, and how many more times to pass it.
static CHOSEN: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();

/// Whether to kill the process at this point now.
pub fn reached(point: &str) -> bool {
    let chosen = CHOSEN.get_or_init(|| {
        let text = std::env::var("LRSCHED_STOP_AT").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_string(), AtomicU64::new(count.parse().unwrap_or(1))))
    });
    chosen.as_ref().is_some_and(|(name, left)| name == point && left.fetch_sub(1, Ordering::Relaxed) == 1)
}

/// Kills the process if this is the chosen point.
pub fn point(name: &str) {
    if reached(name) {
        die();
    }
}

/// Ends the process like SIGKILL, without cleanup.
pub fn die() -> ! {
    #[cfg(unix)]
    let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
    std::process::abort()
}
