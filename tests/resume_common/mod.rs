//! What the tests of stopping and going on share.

#![allow(dead_code, reason = "each test file uses its own part")]

use super::common::without_times;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// 4 steps an epoch, on images that the program draws itself. What is about another network says `--model` behind it.
pub const SMALL: [&str; 12] = [
    "--dataset",
    "synthetic",
    "--model",
    "tiny",
    "--train-limit",
    "64",
    "--validation",
    "30",
    "--batch-size",
    "16",
    "--progress",
    "none",
];

/// The program in `folder`, with nothing of the caller's settings.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lrsched"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LRSCHED_") && name != "LRSCHED_CPU") {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `lrsched train` with `flags` into `out`.
pub fn train(folder: &Path, out: &str, flags: &[&str]) -> Command {
    let mut command = program(folder);
    command.arg("train").args(SMALL).args(["--out", out]).args(flags);
    command
}

pub fn resume(folder: &Path, out: &str, flags: &[&str]) -> Command {
    let mut command = program(folder);
    command.args(["resume", out, "--progress", "none"]).args(flags);
    command
}

pub fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

/// Runs to the end, which must be a good one.
pub fn succeed(command: Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything of a finished run that must not depend on how often it was interrupted.
#[derive(PartialEq)]
pub struct Left {
    pub metrics: String,
    pub steps: String,
    pub weights: Vec<u8>,
    pub results: String,
}

impl Left {
    pub fn of(run: &Path) -> Self {
        let info = json(&run.join("run.json"));
        assert_eq!(info["status"], "finished", "{info}");
        let mut results = info["results"].clone();
        results["seconds"].take();
        Self {
            metrics: without_times(&text(&run.join("metrics.csv"))),
            steps: text(&run.join("steps.csv")),
            weights: fs::read(run.join("weights.safetensors")).unwrap(),
            results: results.to_string(),
        }
    }

    /// Fails with the first thing that differs.
    pub fn assert_same(&self, other: &Left, about: &str) {
        assert_eq!(self.metrics, other.metrics, "metrics.csv: {about}");
        assert_eq!(self.steps, other.steps, "steps.csv: {about}");
        assert!(self.weights == other.weights, "weights.safetensors: {about}");
        assert_eq!(self.results, other.results, "results: {about}");
    }
}

/// Waits until `path` holds at least `lines` whole lines.
pub fn wait_for_lines(path: &Path, lines: usize, child: &mut Child) {
    wait_until(child, &format!("{lines} lines in {}", path.display()), || {
        fs::read_to_string(path).is_ok_and(|text| text.matches('\n').count() >= lines)
    });
}

pub fn wait_for(path: &Path, child: &mut Child) {
    wait_until(child, &path.display().to_string(), || path.exists());
}

/// The folder of the first run of a comparison, once it is there.
pub fn first_run(runs: &Path, child: &mut Child) -> PathBuf {
    let first = || fs::read_dir(runs).ok()?.next().map(|entry| entry.unwrap().path());
    wait_until(child, &format!("a run in {}", runs.display()), || first().is_some());
    first().unwrap()
}

fn wait_until(child: &mut Child, what: &str, there: impl Fn() -> bool) {
    let start = Instant::now();
    while !there() {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(there(), "the program ended ({status}) without {what}");
        }
        assert!(start.elapsed() < Duration::from_secs(120), "no {what} after two minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal as `kill -NAME` does, at once: no process is started for it, while a small run goes on.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "XCPU" => Signal::XCPU,
        "STOP" => Signal::STOP,
        "CONT" => Signal::CONT,
        _ => panic!("{name}"),
    };
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// The folder of a checkpoint of a run.
pub fn checkpoint(run: &Path, name: &str) -> PathBuf {
    run.join("checkpoints").join(name)
}

/// state.json of a checkpoint, without its digest.
pub fn state(run: &Path, name: &str) -> serde_json::Value {
    json(&checkpoint(run, name).join("state.json"))["state"].clone()
}
