//! Comparisons put together: shards that had folders of their own.
#![cfg(unix)]

use crate::resume_common::{json, program, run, signal, stderr, stdout, succeed, wait_for_lines};
use crate::several_at_once::{compare, left, order};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const SHORT: [&str; 2] = ["--epochs", "2"];

fn shard(folder: &Path, out: &str, shard: &str) -> Command {
    compare(folder, out, &[&SHORT[..], &["--shard", shard]].concat())
}

fn merge(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program(folder);
    command.arg("merge").args(arguments);
    command
}

/// The one line of a command that was refused.
fn refused(output: &Output) -> String {
    let said = stderr(output);
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    said
}

/// Every file below a folder with its contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// The whole comparison, and its two shards in folders of their own.
fn halves() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(compare(folder.path(), "whole", &SHORT));
    succeed(shard(folder.path(), "a", "1/2"));
    succeed(shard(folder.path(), "b", "2/2"));
    folder
}

#[test]
fn shards_put_together_are_the_comparison_that_one_process_makes_and_stay_as_they_are() {
    let folder = halves();
    let before = (files(&folder.path().join("a")), files(&folder.path().join("b")));
    // In any order, one of them twice, and again over what is there.
    let ranked = succeed(merge(folder.path(), &["b", "a", "./b", "--out", "all"]));
    assert!(stdout(&ranked).contains("Highest: ") && stdout(&ranked).contains("results in all: 6 runs"));
    assert_eq!(stderr(&ranked), "");
    let (whole, all) = (folder.path().join("whole"), folder.path().join("all"));
    for _ in 0..2 {
        assert!(left(&all) == left(&whole));
        assert_eq!(order(&all), order(&whole));
        for file in ["ranking.png", "ranking.svg", "comparison.png", "comparison.svg", "report.html", "plan.json"] {
            assert!(all.join(file).is_file(), "{file}");
        }
        let quiet = succeed(merge(folder.path(), &["a", "b", "--out", "all", "--quiet"]));
        assert_eq!((stdout(&quiet), stderr(&quiet)), (String::new(), String::new()));
    }
    assert!(before == (files(&folder.path().join("a")), files(&folder.path().join("b"))), "the shards were changed");
    // The checkpoints came along: the table says everything is done.
    let again = succeed(compare(folder.path(), "all", &[&SHORT[..], &["--progress", "plain"]].concat()));
    assert!(stderr(&again).contains("nothing left to train: 6 runs done"), "{}", stderr(&again));
    // One of the shards can take in the others.
    succeed(merge(folder.path(), &["a", "b", "--out", "a"]));
    assert!(left(&folder.path().join("a")) == left(&whole));
}

#[test]
fn the_ranking_of_a_merge_is_that_of_compare_in_json_too() {
    let folder = halves();
    let output = succeed(merge(folder.path(), &["a", "b", "--out", "all", "--json"]));
    let event: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let compared = succeed(compare(folder.path(), "whole", &[&SHORT[..], &["--json"]].concat()));
    let lines = stdout(&compared);
    let expected: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(event["event"], "ranking");
    assert_eq!(event["summary"], expected["summary"]);
    assert_eq!(event["entrants"].as_array().unwrap().len(), 3);
}

#[test]
fn runs_that_are_missing_are_named_and_compare_trains_them() {
    let folder = halves();
    let all = folder.path().join("all");
    let output = run(merge(folder.path(), &["a", "--out", "all"]));
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let names = order(&folder.path().join("b"));
    let said = stderr(&output);
    assert!(said.contains("3 of 6 runs missing: ") && names.iter().all(|name| said.contains(name)), "{said}");
    assert_eq!(order(&all), order(&folder.path().join("a")));
    succeed(compare(folder.path(), "all", &SHORT));
    assert!(left(&all) == left(&folder.path().join("whole")));
}

#[test]
fn an_interrupted_run_comes_with_its_checkpoints_and_goes_on_where_it_is_put() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "30", "--jobs", "1"];
    succeed(compare(folder.path(), "whole", &flags));
    let sharded = [&flags[..], &["--shard", "1/6"]].concat();
    let first = order(&folder.path().join("whole"))[0].clone();
    for stop in ["INT", "KILL"] {
        let mut child = compare(folder.path(), stop, &sharded).spawn().unwrap();
        let path = folder.path().join(stop).join("runs").join(&first);
        wait_for_lines(&path.join("metrics.csv"), 4, &mut child);
        match stop {
            "KILL" => child.kill().unwrap(),
            _ => signal(&child, stop),
        }
        child.wait().unwrap();
        let out = format!("all-{stop}");
        let output = run(merge(folder.path(), &[stop, "--out", &out]));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        match stop {
            "INT" => assert!(said.contains("5 of 6 runs missing"), "{said}"),
            _ => assert!(said.contains("6 of 6 runs missing") && !said.contains("error: "), "{said}"),
        }
        let all = folder.path().join(&out);
        assert!(all.join("runs").join(&first).join("checkpoints/last/state.json").is_file());
        succeed(compare(folder.path(), &out, &flags));
        let log = fs::read_to_string(all.join("runs").join(&first).join("events.jsonl")).unwrap();
        assert!(log.contains("\"resume\""), "it went on from a checkpoint: {log}");
        assert!(left(&all) == left(&folder.path().join("whole")), "{stop}");
    }
}

#[test]
fn a_run_that_is_over_takes_the_place_of_one_that_is_not_and_files_of_others_stay() {
    let folder = halves();
    let name = order(&folder.path().join("a"))[0].clone();
    let at = |comparison: &str| folder.path().join(comparison).join("runs").join(&name);
    succeed(merge(folder.path(), &["a", "b", "--out", "all"]));
    let mut info = json(&at("all").join("run.json"));
    info["status"] = "running".into();
    fs::write(at("all").join("run.json"), info.to_string()).unwrap();
    let theirs = ["note.txt", "checkpoints/note.txt", "checkpoints/best/note.txt"];
    theirs.iter().for_each(|note| fs::write(at("all").join(note), "mine").unwrap());
    // A merge that was killed leaves a copy.
    let leftover = folder.path().join("all/runs/.lrsched-tmp-x1y2z3");
    fs::create_dir(&leftover).unwrap();
    fs::copy(at("a").join("run.json"), leftover.join("run.json")).unwrap();
    succeed(merge(folder.path(), &["a", "b", "--out", "all"]));
    for note in theirs {
        assert_eq!(fs::read_to_string(at("all").join(note)).unwrap(), "mine", "{note}");
    }
    let checkpoints = |comparison: &str| {
        let mut found = files(&at(comparison).join("checkpoints"));
        found.retain(|path, _| !path.ends_with("note.txt"));
        found.into_values().collect::<Vec<_>>()
    };
    assert!(checkpoints("all") == checkpoints("a"));
    assert!(!leftover.exists());
    assert!(left(&folder.path().join("all")) == left(&folder.path().join("whole")));
}

#[test]
fn what_is_in_the_way_of_a_run_stays_and_is_named() {
    let folder = halves();
    let name = order(&folder.path().join("a"))[0].clone();
    succeed(merge(folder.path(), &["a", "b", "--out", "all"]));
    let path = folder.path().join("all/runs").join(&name);
    let mut info = json(&path.join("run.json"));
    info["status"] = "running".into();
    fs::write(path.join("run.json"), info.to_string()).unwrap();
    let weights = path.join("weights.safetensors");
    fs::remove_file(&weights).unwrap();
    fs::create_dir(&weights).unwrap();
    let output = run(merge(folder.path(), &["a", "b", "--out", "all"]));
    let said = stderr(&output);
    let expected = "weights.safetensors was not written by lrsched, and the merge would remove it; move it away, or choose another folder";
    assert!(output.status.code() == Some(2) && said.contains(expected), "{said}");
    assert!(weights.is_dir());
}

#[test]
fn a_merge_that_is_killed_at_any_moment_and_started_again_is_whole() {
    let folder = halves();
    let all = folder.path().join("all");
    for pause in 0..20 {
        let mut child = merge(folder.path(), &["a", "b", "--out", "all"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause * 4));
        let _ = child.kill();
        child.wait().unwrap();
    }
    // Killed between creating a file and writing it.
    fs::create_dir(all.join("runs/.lrsched-tmp-killed")).unwrap();
    fs::write(all.join("runs/.lrsched-tmp-killed/run.json"), "").unwrap();
    succeed(merge(folder.path(), &["a", "b", "--out", "all"]));
    assert!(left(&all) == left(&folder.path().join("whole")));
    let names = fs::read_dir(&all).unwrap().chain(fs::read_dir(all.join("runs")).unwrap());
    let left_over = names.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".lrsched"));
    assert_eq!(left_over.count(), 0);
}

#[test]
fn what_does_not_go_together_is_refused_in_one_line_and_nothing_is_written() {
    let folder = halves();
    succeed(compare(folder.path(), "longer", &["--epochs", "3", "--shard", "2/2"]));
    succeed(compare(folder.path(), "batch", &["--epochs", "2", "--batch-size", "8", "--shard", "2/2"]));
    // The same runs by name, of which none is over.
    succeed(compare(folder.path(), "half", &["--epochs", "2", "--batch-size", "8", "--shard", "1/2"]));
    for entry in fs::read_dir(folder.path().join("half/runs")).unwrap() {
        let path = entry.unwrap().path().join("run.json");
        let mut info = json(&path);
        info["status"] = "running".into();
        fs::write(&path, info.to_string()).unwrap();
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::create_dir(folder.path().join("theirs")).unwrap();
    fs::write(folder.path().join("theirs/thesis.tex"), "mine").unwrap();
    // The same run with other results.
    succeed(compare(folder.path(), "other", &[&SHORT[..], &["--shard", "1/2"]].concat()));
    let name = order(&folder.path().join("a"))[0].clone();
    let path = folder.path().join("other/runs").join(&name).join("run.json");
    let mut info = json(&path);
    info["results"]["test_loss"] = 0.125.into();
    fs::write(&path, info.to_string()).unwrap();
    // Other images.
    succeed(compare(folder.path(), "images", &[&SHORT[..], &["--shard", "2/2"]].concat()));
    for entry in fs::read_dir(folder.path().join("images/runs")).unwrap() {
        let path = entry.unwrap().path().join("run.json");
        let mut info = json(&path);
        info["dataset"]["digest"] = "0".repeat(64).into();
        fs::write(&path, info.to_string()).unwrap();
    }
    for (arguments, why) in [
        (&["a", "longer", "--out", "all"][..], "cannot share a table (epochs 2, now 3)"),
        (&["a", "batch", "--out", "all"], "cannot share a table (batch-size 16, now 8)"),
        (&["a", "half", "--out", "all"], "cannot share a table (batch-size 16, now 8)"),
        (&["a", "images", "--out", "all"], "cannot share a table (other images)"),
        (&["a", "other", "--out", "all"], "are the same run, but differ in results"),
        (&["a", "nosuch", "--out", "all"], "nosuch: no such folder"),
        (&["a", "b", "--out", "all", "--baseline", "nobody"], "baseline must be one of the entrants, such as `"),
        (
            &["a", "empty", "--out", "all"],
            "empty holds no comparison; name the folder that has comparison.csv and runs/",
        ),
        (&["a", "theirs/thesis.tex", "--out", "all"], "thesis.tex holds no comparison"),
        (
            &["a", "b", "--out", "theirs"],
            "--out theirs holds other files (thesis.tex); choose a new folder, or one that holds a comparison",
        ),
        (&["a", "b"], "--out is missing: name the folder to merge into, e.g. lrsched merge a b --out all"),
        (
            &["a", "b", "--out", "a/x"],
            "--out a/x lies inside a, which a merge must not change; choose a folder outside it",
        ),
        (&["a", "b", "--out", "b/../a/runs/x/y"], "lies inside a, which a merge must not change"),
        (&["--out", "all"], "required arguments were not provided"),
    ] {
        let said = refused(&run(merge(folder.path(), arguments)));
        assert!(said.contains(why), "{arguments:?}: {said}");
        assert!(!folder.path().join("all").exists(), "{arguments:?}");
        assert!(!folder.path().join("a/x").exists() && !folder.path().join("a/runs/x").exists(), "{arguments:?}");
    }
    assert_eq!(fs::read_dir(folder.path().join("theirs")).unwrap().count(), 1);
}

#[test]
fn a_folder_of_an_earlier_version_has_no_plan_and_merges_in_the_order_of_its_table() {
    let folder = halves();
    for half in ["a", "b"] {
        fs::remove_file(folder.path().join(half).join("plan.json")).unwrap();
    }
    succeed(merge(folder.path(), &["a", "b", "--out", "all"]));
    let both = [order(&folder.path().join("a")), order(&folder.path().join("b"))].concat();
    assert_eq!(order(&folder.path().join("all")), both);
    // compare knows the plan.
    succeed(compare(folder.path(), "all", &SHORT));
    assert!(left(&folder.path().join("all")) == left(&folder.path().join("whole")));
}

#[test]
fn a_damaged_table_or_plan_is_replaced_from_the_runs_and_kept_under_another_name() {
    let folder = halves();
    succeed(merge(folder.path(), &["a", "b", "--out", "all"]));
    let all = folder.path().join("all");
    for comparison in ["all", "a"] {
        fs::write(folder.path().join(comparison).join("comparison.csv"), "mine\n").unwrap();
        fs::write(folder.path().join(comparison).join("plan.json"), "{").unwrap();
    }
    succeed(compare(folder.path(), "longer", &["--epochs", "3", "--shard", "2/2"]));
    refused(&run(merge(folder.path(), &["longer", "--out", "all"])));
    assert!(!all.join("plan.json.damaged-1").exists() && !all.join("comparison.csv.damaged-1").exists());
    let said = stderr(&succeed(merge(folder.path(), &["b", "a", "--out", "all"])));
    assert_eq!(said.matches("its rows are taken from the runs").count(), 2, "{said}");
    for file in ["comparison.csv", "plan.json"] {
        assert!(all.join(format!("{file}.damaged-1")).is_file(), "{file}");
        assert!(!folder.path().join("a").join(format!("{file}.damaged-1")).exists(), "an input stays as it is");
    }
    succeed(compare(folder.path(), "all", &SHORT));
    assert!(left(&all) == left(&folder.path().join("whole")));
}
