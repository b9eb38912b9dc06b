//! Tells the program which commit it is built from, so that a run.json can say so; nothing outside a repository.

use std::path::Path;
use std::process::Command;

/// What the program is made of. A packaged crate has no `crates`.
const OF_PROGRAM: [&str; 5] = ["build.rs", "src", "crates", "Cargo.toml", "Cargo.lock"];

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_string())
}

fn main() {
    for path in OF_PROGRAM.into_iter().filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={path}");
    }
    // Sources within another repository are not of its commits.
    let is_root = git(&["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix.is_empty());
    let is_tracked = git(&["ls-files", "--error-unmatch", "Cargo.toml"]).is_some();
    let Some(commit) = git(&["rev-parse", "HEAD"]).filter(|_| is_root && is_tracked) else { return };
    // Every commit, checkout and reset appends to it.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    let changes = git(&[&["--no-optional-locks", "status", "--porcelain", "--"], &OF_PROGRAM[..]].concat());
    // Not LRSCHED_…: cargo hands these to the tests, too, and the program warns of variables of its own that it does not know.
    println!("cargo:rustc-env=PROGRAM_COMMIT={commit}");
    println!("cargo:rustc-env=PROGRAM_CHANGED={}", changes.is_none_or(|changes| !changes.is_empty()));
}
