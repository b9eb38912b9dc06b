//! Several runs of a comparison at once: the same results as one after the other, whatever interrupts them.
#![cfg(unix)]

use crate::common::without_times;
use crate::resume_common::{
    SMALL, json, program, resume, run, signal, state, stderr, stdout, succeed, text, wait_for_lines,
};
use lrsched::random::{Purpose, keyed, uniform};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// SIGKILLs of one comparison.
const KILLS: usize = 20;

/// Six runs of different lengths of a step: momentum, Adam, a schedule that listens to metrics.
pub const ENTRANTS: [&str; 3] = ["sgd:momentum=0.9/cosine", "adam:lr=0.002/constant", "sgd/plateau:patience=1"];

pub fn compare(folder: &Path, out: &str, flags: &[&str]) -> Command {
    let mut command = program(folder);
    command.arg("compare").args(SMALL).args(["--out", out, "--seeds", "2", "--lr", "0.02", "--keep", "all"]);
    command.arg("--entrants").args(ENTRANTS).args(flags);
    command
}

/// Everything of a finished comparison that must not depend on how it came about.
pub fn left(folder: &Path) -> (String, BTreeMap<String, (String, Vec<u8>)>) {
    let mut runs = BTreeMap::new();
    for entry in fs::read_dir(folder.join("runs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(json(&path.join("run.json"))["status"], "finished", "{name}");
        let metrics = without_times(&text(&path.join("metrics.csv")));
        runs.insert(name, (metrics, fs::read(path.join("weights.safetensors")).unwrap()));
    }
    (without_times(&text(&folder.join("comparison.csv"))), runs)
}

/// The folders of the runs, in the order of the table.
pub fn order(folder: &Path) -> Vec<String> {
    let table = text(&folder.join("comparison.csv"));
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    reader.records().map(|record| record.unwrap()[0].to_string()).collect()
}

#[test]
fn any_number_at_once_gives_the_same_table_in_the_order_of_the_plan_and_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    for (out, flags) in [
        ("one", &["--jobs", "1", "--threads", "2"][..]),
        ("two", &["--jobs", "2", "--threads", "2"]),
        ("five", &["--jobs", "5", "--threads", "2"]),
        ("auto", &[]),
    ] {
        succeed(compare(folder.path(), out, &[&["--epochs", "2", "--log-steps"], flags].concat()));
    }
    let expected = left(&folder.path().join("one"));
    assert_eq!(expected.1.len(), 6);
    let names = order(&folder.path().join("one"));
    let seeds: Vec<&str> = names.iter().map(|name| name.rsplit_once("seed=").unwrap().1).collect();
    assert_eq!(seeds, ["0", "1", "0", "1", "0", "1"], "entrant by entrant, seed by seed: {names:?}");
    for out in ["two", "five", "auto"] {
        let path = folder.path().join(out);
        assert!(left(&path) == expected, "{out}");
        assert_eq!(order(&path), names, "{out}");
    }
}

#[test]
fn a_comparison_with_jobs_killed_at_random_moments_and_started_again_is_the_same_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "12", "--checkpoint-every", "3st", "--jobs", "2", "--threads", "2"];
    succeed(compare(folder.path(), "whole", &flags));
    let expected = left(&folder.path().join("whole"));
    // Twenty kills need more than one comparison: each brings it on.
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("LRSCHED_TEST_SEED").map_or(clock, |text| text.parse().unwrap());
    println!("seed {seed}: run again with LRSCHED_TEST_SEED={seed}");
    let mut random = keyed(seed, Purpose::Shuffle, 0, 0);
    let (mut kills, mut round) = (0, 0);
    while kills < KILLS {
        round += 1;
        let out = format!("killed-{round}");
        while kills < KILLS {
            let mut child = compare(folder.path(), &out, &flags).spawn().unwrap();
            // From loading to the end of a few runs.
            let until = Instant::now() + Duration::from_millis(400).mul_f32(uniform(&mut random));
            while Instant::now() < until && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            child.kill().unwrap();
            // It came to its end before the kill.
            if child.wait().unwrap().code().is_some() {
                break;
            }
            kills += 1;
        }
        succeed(compare(folder.path(), &out, &flags));
        assert!(left(&folder.path().join(&out)) == expected, "round {round}, {kills} kills, seed {seed}");
        assert!(round < 200, "only {kills} kills hit");
    }
}

/// A long comparison, and the first two of its runs once both have trained for some epochs.
fn running(folder: &Path, flags: &[&str]) -> (std::process::Child, [PathBuf; 2]) {
    let mut command = compare(folder, "out", &[&["--epochs", "3000", "--jobs", "2", "--threads", "2"], flags].concat());
    let mut child = command.spawn().unwrap();
    let runs = folder.join("out/runs");
    let first = ["sgd_momentum=0.9_cosine_lr=0.02_seed=0", "adam_lr=0.002_constant_lr=0.002_seed=0"];
    let first = first.map(|run| runs.join(run));
    first.iter().for_each(|run| wait_for_lines(&run.join("metrics.csv"), 4, &mut child));
    (child, first)
}

#[test]
fn a_signal_stops_and_saves_all_running_runs_and_the_printed_line_continues_them() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("USR1", 75)] {
        let folder = tempfile::tempdir().unwrap();
        let (child, runs) = running(folder.path(), &[]);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains("resume with:  "), "{}", stderr(&output));
        assert!(stderr(&output).contains("finished work is saved in out: 0 runs of 6"), "{}", stderr(&output));
        let page = text(&folder.path().join("out/report.html"));
        assert!(page.contains("interrupted") && !page.contains(">running<"), "{name}: the page is that of the end");
        assert!(page.contains("<p>Go on"), "{name}: {page}");
        for path in &runs {
            let info = json(&path.join("run.json"));
            assert_eq!(info["status"], "interrupted", "{name}: {}", path.display());
            let state = state(path, "last");
            assert!(state["position"]["step"].as_u64().unwrap() >= 12, "{name}: {state}");
        }
        let table = text(&folder.path().join("out/comparison.csv"));
        assert_eq!(table.matches("interrupted").count(), 2, "{name}: {table}");
    }
}

#[test]
fn a_run_that_another_process_finished_before_its_turn_keeps_its_results() {
    let folder = tempfile::tempdir().unwrap();
    let compare = |flags: &[&str]| {
        let mut command = program(folder.path());
        command.arg("compare").args(SMALL).args(["--out", "out", "--epochs", "300", "--jobs", "1", "--threads", "1"]);
        command.args(flags).args(["--entrants", "sgd:lr=0.01/constant", "sgd:lr=0.02/constant"]);
        command
    };
    let path = |lr: &str| folder.path().join(format!("out/runs/sgd_lr={lr}_constant_lr={lr}_seed=0"));
    let (first, second) = (path("0.01"), path("0.02"));
    let mut child = compare(&["--shard", "2/2"]).spawn().unwrap();
    wait_for_lines(&second.join("metrics.csv"), 3, &mut child);
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut child = compare(&[]).spawn().unwrap();
    wait_for_lines(&first.join("metrics.csv"), 3, &mut child);
    // It waits while the other process has its turn.
    signal(&child, "STOP");
    succeed(resume(folder.path(), second.to_str().unwrap(), &[]));
    let files = || ["metrics.csv", "run.json", "events.jsonl"].map(|name| text(&second.join(name)));
    let before = files();
    signal(&child, "CONT");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("another process finished it in the meantime"), "{}", stderr(&output));
    assert!(files() == before, "it was trained again");
    let table = text(&folder.path().join("out/comparison.csv"));
    assert_eq!(table.matches("finished").count(), 2, "{table}");
}

#[test]
fn a_run_that_fails_or_diverges_leaves_those_beside_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.arg("compare").args(SMALL).args(["--out", "out", "--epochs", "4", "--jobs", "3", "--threads", "2"]);
    command.args(["--entrants", "sgd:lr=1e30/constant", "sgd:lr=0.02/constant", "sgd:lr=0.01/cosine"]);
    let output = run(command);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let table = text(&folder.path().join("out/comparison.csv"));
    assert_eq!(table.matches("finished").count(), 2, "{table}");
    assert_eq!(table.matches("diverged").count(), 1, "{table}");
    for run in ["sgd_lr=0.02_constant_lr=0.02_seed=0", "sgd_lr=0.01_cosine_lr=0.01_seed=0"] {
        let metrics = text(&folder.path().join("out/runs").join(run).join("metrics.csv"));
        assert_eq!(metrics.lines().count(), 5, "{run} trained to its end");
    }
}

#[test]
fn json_events_of_runs_at_once_are_whole_lines_that_name_their_run() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "3", "--jobs", "3", "--threads", "2", "--json", "--log-steps"];
    let output = succeed(compare(folder.path(), "out", &flags));
    let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in stdout(&output).lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let kind = event["event"].as_str().unwrap().to_string();
        events.entry(event["run"].as_str().unwrap().to_string()).or_default().push(kind);
    }
    assert_eq!(events.remove("out"), Some(vec!["ranking".to_string()]));
    assert_eq!(events.len(), 6);
    for (name, kinds) in events {
        let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
        assert_eq!(
            (count("start"), count("step"), count("epoch"), count("finish")),
            (1, 12, 3, 1),
            "{name}: {kinds:?}"
        );
        assert_eq!((kinds[0].as_str(), kinds.last().unwrap().as_str()), ("start", "finish"), "{name}");
    }
}

#[test]
fn range_tests_of_several_seeds_at_once_find_what_they_find_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let find = |out: &str, jobs: &str| {
        let mut command = program(folder.path());
        command.arg("find").args(SMALL).args(["--out", out, "--seeds", "3"]);
        // A test that suggests a rate, so that short runs follow.
        command.args(["--steps", "60", "--min-lr", "1e-4", "--max-lr", "1", "--momentum", "0.9", "--refine", "10"]);
        command.args(["--jobs", jobs, "--threads", "2"]);
        let output = run(command);
        let info = json(&folder.path().join(out).join("find.json"));
        let rows: Vec<String> =
            (0..3).map(|seed| text(&folder.path().join(format!("{out}/seed-{seed}/range.csv")))).collect();
        let rows = (rows, text(&folder.path().join(out).join("refine.csv")));
        (output.status.code(), info["tests"].clone(), info["suggestions"].clone(), rows)
    };
    let expected = find("one", "1");
    assert_eq!(expected.1.as_array().unwrap().len(), 3);
    assert!(find("three", "3") == expected);
}

#[test]
fn a_comparison_under_way_has_a_report_that_says_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.arg("compare").args(SMALL).args([
        "--entrants",
        "cosine",
        "linear",
        "constant",
        "--epochs",
        "300",
        "--lr",
        "0.01",
    ]);
    let mut child = command.args(["--jobs", "1", "--out", "cmp"]).spawn().unwrap();
    wait_for_lines(&folder.path().join("cmp/comparison.csv"), 2, &mut child);
    let page = folder.path().join("cmp/report.html");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !page.exists() {
        assert!(Instant::now() < deadline, "no report after the first of three runs");
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "TERM");
    child.wait_with_output().unwrap();
    let said = text(&page);
    assert!(said.contains("1 of 3 runs are done") || said.contains("2 of 3 runs are done"), "how far it is");
}
