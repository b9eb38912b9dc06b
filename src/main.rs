//! Calls the library, prints the error chain, sets the exit code.

#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: lrsched::memory::Allocator = lrsched::memory::Allocator;

fn main() -> ExitCode {
    fail_in_one_line();
    lrsched::memory::spare_addresses();
    let Ok(result) = std::panic::catch_unwind(lrsched::cli::run) else { return ExitCode::FAILURE };
    match result {
        Ok(code) => ExitCode::from(code),
        // A closed pipe is not a failure: `lrsched … | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever the user typed; and a closed stderr is no reason to panic.
            lrsched::cli::tell(&format!("error: {}", lrsched::usage::message(&format!("{error:#}"))));
            ExitCode::from(if error.is::<lrsched::usage::Usage>() { 2 } else { 1 })
        }
    }
}

/// A panic also ends in one line and exit code 1. `RUST_BACKTRACE` shows the details.
fn fail_in_one_line() {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0") {
        std::panic::set_hook(Box::new(|panic| {
            let payload = panic.payload();
            let words =
                payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
            let text = lrsched::usage::message(words.unwrap_or("unknown"));
            let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
            let _ = writeln!(std::io::stderr(), "error: internal error: {text}{}", place.unwrap_or_default());
        }));
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}
