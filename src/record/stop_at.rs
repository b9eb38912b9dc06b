//! A test aid: named points in the writing of files at which the process can be made to die as by a power cut.
//!
//! `LRSCHED_STOP_AT=mid-checkpoint:3` kills the process, uncatchably, when it comes to that point for the third time (`:1` may be
//! left out). The points: `mid-row` (half of a row is in its file), `mid-checkpoint` (all files of a checkpoint are written, none has
//! its name yet), `between-renames` (the last checkpoint has become the one before, the new one is not the last yet), `mid-best` (the same
//! for the best one). Without the variable every point is one comparison.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the chosen point, and how many more times it is passed.
static CHOSEN: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();

/// Whether the process is to die at this point now.
pub fn reached(point: &str) -> bool {
    let chosen = CHOSEN.get_or_init(|| {
        let text = std::env::var("LRSCHED_STOP_AT").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_string(), AtomicU64::new(count.parse().unwrap_or(1))))
    });
    chosen.as_ref().is_some_and(|(name, left)| name == point && left.fetch_sub(1, Ordering::Relaxed) == 1)
}

/// Dies here, if this is the point.
pub fn point(name: &str) {
    if reached(name) {
        die();
    }
}

/// Ends the process as SIGKILL does: nothing is cleaned up.
pub fn die() -> ! {
    #[cfg(unix)]
    let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
    std::process::abort()
}
