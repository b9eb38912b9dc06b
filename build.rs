//! Tells the program which commit it is built from, so that a run.json can say so; nothing outside a repository.

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_string())
}

fn main() {
    for path in ["build.rs", "src", "crates", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={path}");
    }
    // Sources unpacked within another repository are not of its commits.
    let is_tracked = git(&["ls-files", "--error-unmatch", "Cargo.toml"]).is_some();
    let Some(commit) = git(&["rev-parse", "HEAD"]).filter(|_| is_tracked) else { return };
    // Every commit, checkout and reset appends to it.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| std::path::Path::new(path).exists())
    {
        println!("cargo:rerun-if-changed={log}");
    }
    let of_program = ["src", "crates", "Cargo.toml", "Cargo.lock"];
    let changes = git(&[&["status", "--porcelain", "--"], &of_program[..]].concat());
    println!("cargo:rustc-env=LRSCHED_BUILT_FROM={commit}");
    println!("cargo:rustc-env=LRSCHED_BUILT_DIRTY={}", changes.is_none_or(|changes| !changes.is_empty()));
}
