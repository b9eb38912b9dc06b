//! Processes that share a comparison: each trains a part of the runs, and all write one table.
#![cfg(unix)]

use crate::resume_common::{resume, run, stderr, stdout, succeed, text, wait_for_lines};
use crate::several_at_once::{ENTRANTS, compare, left, order};
use lrsched::random::{Purpose, keyed, uniform};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SHORT: [&str; 4] = ["--epochs", "2", "--jobs", "1"];

fn shard(folder: &Path, out: &str, shard: &str, flags: &[&str]) -> Command {
    compare(folder, out, &[flags, &["--shard", shard]].concat())
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

/// The one line of a command that was refused, behind what is said of the entrants.
fn refused(output: &Output) -> String {
    let said = stderr(output);
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert_eq!((output.status.code(), lines.len()), (Some(2), 1), "{said}");
    lines[0].to_string()
}

#[test]
fn shards_side_by_side_make_the_comparison_that_one_process_makes() {
    let folder = tempfile::tempdir().unwrap();
    succeed(compare(folder.path(), "whole", &SHORT));
    let mut children: Vec<_> = ["1/3", "2/3", "3/3"]
        .map(|number| shard(folder.path(), "shared", number, &SHORT).spawn().unwrap())
        .into_iter()
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let (whole, shared) = (folder.path().join("whole"), folder.path().join("shared"));
    assert!(left(&whole) == left(&shared));
    assert_eq!(order(&whole), order(&shared));
    assert_eq!(names(&shared), ["comparison.csv", "plan.json", "runs"], "no lock stays, and nobody has ranked it yet");
    // Started again, everything is done.
    let again = succeed(shard(folder.path(), "shared", "2/3", &[&SHORT[..], &["--progress", "plain"]].concat()));
    let said = stderr(&again);
    assert!(said.contains("nothing left to train: 2 runs done"), "{said}");
    assert!(said.contains("all 6 planned runs are finished; rank them with:  "), "{said}");
    assert_eq!(stdout(&again), "", "a shard ranks nothing");
    let ranked = succeed(compare(folder.path(), "shared", &SHORT));
    assert!(stdout(&ranked).contains("Highest: "), "{}", stdout(&ranked));
}

#[test]
fn shards_that_begin_at_once_in_a_new_folder_do_not_take_it_for_somebody_elses() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let out = format!("cmp-{round}");
        // Most of them have nothing to train.
        let flags = ["--epochs", "1", "--entrants", "sgd/constant", "--seeds", "1"];
        let begin = |index| shard(folder.path(), &out, &format!("{index}/12"), &flags).stderr(Stdio::piped()).spawn();
        let children: Vec<_> = (1..=12).map(|index| begin(index).unwrap()).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
        }
    }
}

#[test]
fn of_two_processes_with_runs_in_common_the_second_says_who_has_them_and_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let long = ["--epochs", "20000", "--jobs", "1"];
    let mut child = shard(folder.path(), "out", "1/2", &long).spawn().unwrap();
    let cmp = folder.path().join("out");
    wait_for_lines(&cmp.join("plan.json"), 3, &mut child);
    let first = order_of_plan(&cmp)[0].clone();
    wait_for_lines(&cmp.join("runs").join(&first).join("metrics.csv"), 2, &mut child);
    let before = names(&cmp);
    for command in [
        shard(folder.path(), "out", "1/2", &long),
        shard(folder.path(), "out", "3/4", &long),
        shard(folder.path(), "out", "1/3", &long),
        shard(folder.path(), "out", "1/2", &[&long[..], &["--force"]].concat()),
        compare(folder.path(), "out", &long),
        compare(folder.path(), "out", &["--force", "--epochs", "2"]),
        merge(folder.path(), &["out", "--out", "out"]),
        merge(folder.path(), &["out", "--out", "other"]),
    ] {
        let start = Instant::now();
        let said = refused(&run(command));
        assert!(said.contains("out is in use by shard 1/2 of its comparison; wait for it"), "{said}");
        assert!(start.elapsed() < Duration::from_secs(30), "nobody waits for a process that trains");
        assert_eq!(names(&cmp), before);
    }
    assert!(!folder.path().join("other").exists());
    // Another shard has none of these runs.
    let other = [&long[..], &["--dry-run"]].concat();
    succeed(shard(folder.path(), "out", "2/4", &other));
    assert!(child.try_wait().unwrap().is_none(), "the first goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(names(&cmp).contains(&".lrsched-lock-1-of-2".to_string()), "{:?}", names(&cmp));
    // What a killed process leaves keeps nobody out.
    let ended = succeed(compare(folder.path(), "out", &[&SHORT[..], &["--force"]].concat()));
    assert!(stdout(&ended).contains("Highest: "), "{}", stdout(&ended));
    assert!(!names(&cmp).iter().any(|name| name.starts_with(".lrsched")), "{:?}", names(&cmp));
}

#[test]
fn a_shard_beside_a_process_that_trains_everything_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let long = ["--epochs", "20000", "--jobs", "1"];
    let mut child = compare(folder.path(), "out", &long).spawn().unwrap();
    wait_for_lines(&folder.path().join("out/comparison.csv"), 1, &mut child);
    let start = Instant::now();
    let said = refused(&run(shard(folder.path(), "out", "2/2", &long)));
    assert!(said.contains("out is in use by another lrsched; wait for it"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(30));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn shards_that_are_killed_at_any_moment_and_started_again_make_the_same_comparison_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "8", "--checkpoint-every", "3st", "--jobs", "1"];
    succeed(compare(folder.path(), "whole", &flags));
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("LRSCHED_TEST_SEED").map_or(clock, |text| text.parse().unwrap());
    println!("seed {seed}: run again with LRSCHED_TEST_SEED={seed}");
    let mut random = keyed(seed, Purpose::Shuffle, 0, 0);
    for _ in 0..5 {
        let children = ["1/2", "2/2"].map(|number| shard(folder.path(), "shared", number, &flags).spawn().unwrap());
        for mut child in children {
            std::thread::sleep(Duration::from_millis((uniform(&mut random) * 300.0) as u64));
            let _ = child.kill();
            let status = child.wait().unwrap();
            assert!(status.success() || status.code().is_none(), "it was killed, or done: {status}");
        }
    }
    // Another number of shards does what is missing.
    for number in ["1/3", "2/3", "3/3"] {
        succeed(shard(folder.path(), "shared", number, &flags));
    }
    assert!(left(&folder.path().join("whole")) == left(&folder.path().join("shared")));
}

#[test]
fn a_row_that_was_lost_comes_back_from_the_run_and_its_place_from_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let cmp = folder.path().join("out");
    succeed(shard(folder.path(), "out", "1/2", &SHORT));
    // Killed after run.json was written, and before the table.
    let table = text(&cmp.join("comparison.csv"));
    let header = table.lines().next().unwrap();
    fs::write(cmp.join("comparison.csv"), format!("{header}\n")).unwrap();
    succeed(shard(folder.path(), "out", "2/2", &SHORT));
    assert_eq!(order(&cmp).len(), 3, "the rows of others are theirs to write");
    succeed(shard(folder.path(), "out", "1/2", &SHORT));
    assert_eq!(order(&cmp), order_of_plan(&cmp));
    assert_eq!(order(&cmp).len(), 6);
    // A damaged plan is set aside, and its order is that of the table.
    fs::write(cmp.join("plan.json"), "{\"format\": 1").unwrap();
    let mended = stderr(&succeed(shard(folder.path(), "out", "1/2", &SHORT)));
    assert!(mended.contains("plan.json.damaged-1") && mended.contains("warning: "), "{mended}");
    assert_eq!(order(&cmp), order_of_plan(&cmp));
    fs::write(cmp.join("plan.json"), "{\"format\": 2, \"version\": \"9.9\"}").unwrap();
    let force = [&SHORT[..], &["--force"]].concat();
    let dry = [&SHORT[..], &["--dry-run"]].concat();
    for command in [
        shard(folder.path(), "out", "1/2", &SHORT),
        shard(folder.path(), "out", "1/2", &force),
        shard(folder.path(), "out", "1/2", &[&force[..], &["--dry-run"]].concat()),
        shard(folder.path(), "out", "1/2", &dry),
        compare(folder.path(), "out", &SHORT),
        compare(folder.path(), "out", &dry),
    ] {
        let said = refused(&run(command));
        assert!(said.contains("plan.json was written by lrsched 9.9 in format 2"), "{said}");
    }
    assert_eq!((order(&cmp).len(), left(&cmp).1.len()), (6, 6), "nothing was touched");
}

#[test]
fn a_shard_started_over_with_force_leaves_the_runs_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let cmp = folder.path().join("out");
    for number in ["1/2", "2/2"] {
        succeed(shard(folder.path(), "out", number, &SHORT));
    }
    let started =
        |name: &str| crate::resume_common::json(&cmp.join("runs").join(name).join("run.json"))["started"].clone();
    let mut mine = Vec::new();
    let plan = order_of_plan(&cmp);
    for (at, name) in plan.iter().enumerate() {
        if at.is_multiple_of(2) {
            mine.push(name.clone());
        }
    }
    let before: Vec<_> = plan.iter().map(|name| started(name)).collect();
    // Times are recorded to the second.
    std::thread::sleep(Duration::from_millis(1100));
    succeed(shard(folder.path(), "out", "1/2", &[&SHORT[..], &["--force"]].concat()));
    for (name, before) in plan.iter().zip(before) {
        assert_eq!(started(name) != before, mine.contains(name), "{name}");
    }
    assert_eq!(order(&cmp), plan);
    let said = refused(&run(shard(folder.path(), "out", "1/2", &["--epochs", "3", "--force"])));
    assert!(said.ends_with("another configuration (epochs 2, now 3); choose another --out"), "{said}");
    let said = refused(&run(shard(folder.path(), "out", "1/2", &["--epochs", "3", "--force", "--dry-run"])));
    assert!(said.ends_with("another configuration (epochs 2, now 3); choose another --out"), "{said}");
    assert!(left(&cmp).1.len() == 6, "nothing was removed");
}

#[test]
fn a_plan_that_was_given_up_before_most_of_it_was_trained_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let planned = |out: &str, seeds: &str, flags: &[&str]| {
        let mut command = crate::resume_common::program(folder.path());
        command
            .arg("compare")
            .args(crate::resume_common::SMALL)
            .args(["--out", out, "--epochs", "1", "--seeds", seeds]);
        command.args(flags).args(["--lr", "0.02", "--entrants", "sgd/constant", "sgd/cosine"]);
        command
    };
    for (out, meant) in [("whole", &[][..]), ("shards", &["--shard", "1/1"])] {
        // A mistake: two of six runs are trained.
        succeed(planned(out, "3", &["--shard", "1/3"]));
        let cmp = folder.path().join(out);
        assert_eq!(order_of_plan(&cmp).len(), 6);
        succeed(planned(out, "1", meant));
        assert_eq!(order_of_plan(&cmp), order(&cmp), "those that are there, and those that are planned");
        succeed(merge(folder.path(), &[out, "--out", out]));
    }
}

#[test]
fn what_is_missing_is_the_first_thing_to_do_after_a_ranking() {
    let folder = tempfile::tempdir().unwrap();
    succeed(shard(folder.path(), "out", "1/2", &SHORT));
    let output = run(merge(folder.path(), &["out", "--out", "out"]));
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let commands: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("results in ")).skip(1).collect();
    assert!(commands[0].starts_with("go on (3 runs):  ") && commands[0].contains(" compare "), "{said}");
    assert!(!commands[0].contains("--shard") && commands[0].ends_with("--out out"), "{said}");
    assert!(!said.contains("for a claim"), "the plan may support one: {said}");
    // What was planned, and by which command, is known as before, in a new folder, too.
    run(merge(folder.path(), &["out", "--out", "new"]));
    for out in ["out", "new"] {
        let plan: serde_json::Value = serde_json::from_str(&text(&folder.path().join(out).join("plan.json"))).unwrap();
        assert_eq!((&plan["total"], &plan["command"][1]), (&6.into(), &"compare".into()), "{out}: {plan}");
    }
}

#[test]
fn a_run_that_another_process_trains_is_left_to_it_and_gets_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--epochs", "20000", "--shard", "1/6"];
    let mut child = compare(folder.path(), "out", &flags).spawn().unwrap();
    let cmp = folder.path().join("out");
    wait_for_lines(&cmp.join("plan.json"), 3, &mut child);
    let name = order_of_plan(&cmp)[0].clone();
    let path = cmp.join("runs").join(&name);
    wait_for_lines(&path.join("metrics.csv"), 3, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = text(&path.join("metrics.csv")).lines().count();
    let mut child = resume(folder.path(), &format!("out/runs/{name}"), &[]).spawn().unwrap();
    wait_for_lines(&path.join("metrics.csv"), before + 2, &mut child);
    let output = run(compare(folder.path(), "out", &flags));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("{name}: out/runs/{name} is in use by another lrsched, which trains it")), "{said}");
    assert_eq!(order(&cmp), Vec::<String>::new());
    // A process that trains all runs has nothing to rank either, and no error to report.
    let mut only = crate::resume_common::program(folder.path());
    only.arg("compare").args(crate::resume_common::SMALL).args(["--out", "out", "--lr", "0.02", "--keep", "all"]);
    only.args(["--epochs", "20000", "--entrants", ENTRANTS[0]]);
    let output = run(only);
    let said = stderr(&output);
    assert!(output.status.code() == Some(3) && said.contains("which trains it"), "{said}");
    assert!(!said.contains("error: "), "{said}");
    assert!(child.try_wait().unwrap().is_none(), "the other goes on");
    let said = refused(&run(merge(folder.path(), &["out", "--out", "out"])));
    assert!(said.contains(&format!("out/runs/{name} is in use")), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(crate::resume_common::json(&path.join("run.json"))["status"], "running");
}

#[test]
fn a_shard_without_runs_says_so_and_one_of_several_how_many_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let plain = [&SHORT[..], &["--progress", "plain"]].concat();
    let said = stderr(&succeed(shard(folder.path(), "out", "7/7", &plain)));
    assert!(said.contains("shard 7/7 has no run of this plan of 6\n") && !said.contains("nothing left"), "{said}");
    let said = stderr(&succeed(shard(folder.path(), "out", "2/3", &plain)));
    let expected = "shard 2/3 is done: 2 of 6 planned runs are finished here; once all are, rank them (with all folders, if each shard has its own) with:  ";
    assert!(said.contains(expected), "{said}");
    let places: Vec<&str> = said.lines().filter(|line| line.starts_with("run ")).collect();
    let plan = order_of_plan(&folder.path().join("out"));
    assert_eq!(
        places,
        [format!("run 5/6: {}", plan[4]), format!("run 2/6: {}", plan[1])],
        "places in the plan, the first seed first: {said}"
    );
}

#[test]
fn a_shard_needs_a_folder_that_it_finds_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = crate::resume_common::program(folder.path());
    command.args(["compare", "--shard", "1/2", "--entrants", "sgd/constant", "--dataset", "synthetic"]);
    let said = refused(&run(command));
    assert!(said.contains("--shard needs --out: the folder that the shards share, or one of its own"), "{said}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_shard_that_is_none_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["0/4", "5/4", "a/b", "1", "1/0", "-1/4"] {
        let said = refused(&run(compare(folder.path(), "out", &[&format!("--shard={wrong}")])));
        assert!(said.contains(&format!("shard must be I/N with I from 1 to N, such as 1/4, got `{wrong}`")), "{said}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

fn merge(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = crate::resume_common::program(folder);
    command.arg("merge").args(arguments);
    command
}

/// The names in plan.json.
fn order_of_plan(folder: &Path) -> Vec<String> {
    let plan = crate::resume_common::json(&folder.join("plan.json"));
    plan["runs"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()).collect()
}
