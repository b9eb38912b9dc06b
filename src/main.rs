//! Calls the library, prints the error chain, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match lrsched::cli::run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<lrsched::usage::Usage>() { 2 } else { 1 })
        }
    }
}
