//! The command line: the only user of clap. One file a command; flags and TOML become plain config structs here.

pub mod data;

/// Runs the command line and gives the process's exit code.
pub fn run() -> anyhow::Result<u8> {
    Ok(0)
}
