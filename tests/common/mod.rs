//! What the tests of the program share.

#![allow(dead_code, reason = "each test file uses its own part")]

use assert_cmd::Command;
use std::io::Write as _;
use std::path::PathBuf;

/// The program, in a folder of its own, with nothing of the caller's settings.
pub fn lrsched(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lrsched"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LRSCHED_") && name != "LRSCHED_CPU") {
        command.env_remove(name);
    }
    command.current_dir(folder.path()).env("XDG_CACHE_HOME", folder.path().join("cache"));
    command
}

/// The real CIFAR-10, where it is; says loudly that `test` was skipped where it is not.
pub fn cifar10(test: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cifar-10-batches-bin"));
    let folder = std::env::var_os("LRSCHED_DATA").map_or(beside, PathBuf::from);
    if folder.join("test_batch.bin").is_file() {
        return folder.canonicalize().ok();
    }
    // Not `eprintln!`, which the test harness keeps to itself for a test that passes.
    let line = format!("SKIPPED {test}: no CIFAR-10 (set LRSCHED_DATA to the folder of its six .bin files)\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// One `train` on the embedded dataset that takes a moment: 3 steps an epoch. What is about another network says `--model` behind it.
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

/// A CSV without its columns of time, which alone may differ between two runs of one seed.
pub fn without_times(csv: &str) -> String {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let keep: Vec<bool> = records[0].iter().map(|column| !["images_per_second", "seconds"].contains(&column)).collect();
    let row = |record: &csv::StringRecord| {
        record.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(cell, _)| cell).collect::<Vec<_>>().join("|")
    };
    records.iter().map(row).collect::<Vec<_>>().join("\n")
}
