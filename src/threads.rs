//! Starting threads, and the error if the system refuses.

#![forbid(unsafe_code)]

use anyhow::Result;
use std::fmt::Display;
use std::thread::{Builder, JoinHandle};

/// Starts a named thread.
///
/// # Errors
/// The system cannot start a thread.
pub fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    Builder::new().name(name.to_string()).spawn(work).map_err(|error| refused("a thread", error))
}

/// The system refuses to start a thread, with the usual causes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot start {what}: {error}; the memory or the number of processes may be limited (`ulimit -v`, `ulimit -u`)"
)]
pub struct ThreadRefused {
    what: String,
    error: String,
}

/// The error for `what` that could not be started.
pub fn refused(what: &str, error: impl Display) -> anyhow::Error {
    ThreadRefused { what: what.to_string(), error: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_name_and_a_refusal_says_what_may_be_limited() {
        let thread = spawn("saver", || std::thread::current().name().map(String::from)).unwrap();
        assert_eq!(thread.join().unwrap().as_deref(), Some("saver"));
        let refusal = refused("a thread", "Resource temporarily unavailable").to_string();
        assert!(refusal.starts_with("cannot start a thread: Resource temporarily"), "{refusal}");
        assert!(refusal.contains("memory") && refusal.contains("`ulimit -u`"), "{refusal}");
    }
}
