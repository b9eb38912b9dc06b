//! Helpers shared by the program's tests.

#![allow(dead_code, reason = "each test file uses its own part")]

use assert_cmd::Command;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// The program, in its own folder, isolated from the caller's settings.
pub fn lrsched(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lrsched"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LRSCHED_") && name != "LRSCHED_CPU") {
        command.env_remove(name);
    }
    command.current_dir(folder.path()).env("XDG_CACHE_HOME", folder.path().join("cache"));
    command.env("KERAS_HOME", folder.path().join("keras"));
    command
}

/// The folder of the real CIFAR-10; if there is none, reports `test` as skipped and returns `None`.
pub fn cifar10(test: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cifar-10-batches-bin"));
    let folder = std::env::var_os("LRSCHED_DATA").map_or(beside, PathBuf::from);
    if folder.join("test_batch.bin").is_file() {
        return folder.canonicalize().ok();
    }
    skipped(test, "no CIFAR-10 (set LRSCHED_DATA to the folder of its six .bin files)");
    None
}

/// Reports that `test` could not run here. The harness counts it as passed, so this prints a line at once, and
/// `tests/skipped` repeats all such lines after the last test.
pub fn skipped(test: &str, why: &str) {
    let line = format!("SKIPPED {test}: {why}\n");
    // Not `eprintln!`: the harness captures it and drops it when the test passes.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let mut list = OpenOptions::new().create(true).append(true).open(skipped_list()).unwrap();
    list.write_all(line.as_bytes()).unwrap();
}

/// The file that collects the lines of [`skipped`] for this `cargo test`, the parent of all test binaries.
pub fn skipped_list() -> PathBuf {
    #[cfg(unix)]
    let cargo = std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    let cargo = 0;
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("skipped-{cargo}.txt"))
}

/// A quick `train` on the embedded dataset: 3 steps per epoch. Append `--model` for another network.
pub const TINY: [&str; 12] = [
    "--dataset",
    "synthetic",
    "--model",
    "tiny",
    "--train-limit",
    "96",
    "--validation",
    "50",
    "--batch-size",
    "32",
    "--progress",
    "none",
];

/// A CSV without its time columns, the only ones that may differ between two runs of one seed.
pub fn without_times(csv: &str) -> String {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let keep: Vec<bool> = records[0].iter().map(|column| !["images_per_second", "seconds"].contains(&column)).collect();
    let row = |record: &csv::StringRecord| {
        record.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(cell, _)| cell).collect::<Vec<_>>().join("|")
    };
    records.iter().map(row).collect::<Vec<_>>().join("\n")
}
