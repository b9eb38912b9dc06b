//! Tuned and screened comparisons: what is trained follows from results, whatever interrupts or divides them.
#![cfg(unix)]

use crate::common::without_times;
use crate::resume_common::{SMALL, json, program, stderr, succeed, text};
use crate::several_at_once::order;
use lrsched::random::{Purpose, keyed, uniform};
use lrsched::record::{ComparisonRow, Role, Stage, Status, read_rows};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const ENTRANTS: [&str; 2] = ["sgd:momentum=0.9/cosine", "adam/linear"];

fn compare(folder: &Path, out: &str, flags: &[&str]) -> Command {
    let mut command = program(folder);
    command.arg("compare").args(SMALL).args(["--out", out, "--epochs", "1", "--entrants"]).args(ENTRANTS).args(flags);
    command
}

/// The table without times, and the weights of each run, all of which are over.
fn left(folder: &Path) -> (String, BTreeMap<String, Vec<u8>>) {
    let weights = |run: String| {
        let weights = fs::read(folder.join("runs").join(&run).join("weights.safetensors")).unwrap_or_default();
        (run, weights)
    };
    assert!(rows(folder).iter().all(|row| row.status.is_over()));
    (without_times(&text(&folder.join("comparison.csv"))), order(folder).into_iter().map(weights).collect())
}

fn rows(folder: &Path) -> Vec<ComparisonRow> {
    read_rows(&folder.join("comparison.csv")).unwrap()
}

fn role(row: &ComparisonRow) -> &Role {
    row.role.as_ref().unwrap()
}

#[test]
fn finals_have_seeds_that_no_trial_had_and_every_entrant_the_same_budget() {
    let folder = tempfile::tempdir().unwrap();
    succeed(compare(folder.path(), "out", &["--tune", "4", "--studies", "2", "--seeds", "2"]));
    let rows = rows(&folder.path().join("out"));
    let seeds = |finals: bool| -> BTreeSet<u64> {
        rows.iter().filter(|row| (role(row).stage == Stage::Final) == finals).map(|row| row.seed).collect()
    };
    assert_eq!(seeds(true), BTreeSet::from([0, 1, 2, 3]));
    assert!(seeds(false).is_disjoint(&seeds(true)), "{:?}", seeds(false));
    for entrant in ["sgd:momentum=0.9/cosine", "adam/linear"] {
        let own: Vec<&ComparisonRow> = rows.iter().filter(|row| role(row).entrant == entrant).collect();
        // 4 trials, 3 looked at twice more, 2 finals; in 2 studies.
        assert_eq!(own.len(), 2 * (4 + 6 + 2), "{entrant}");
        for last in own.iter().filter(|row| role(row).stage == Stage::Final) {
            let trial = own.iter().find(|row| {
                let (one, other) = (role(row), role(last));
                one.stage == Stage::Trial && (one.study, one.trial) == (other.study, other.trial)
            });
            assert_eq!(trial.unwrap().lr, last.lr, "a final has the rate of the chosen trial");
        }
    }
}

#[test]
fn runs_of_its_own_that_a_stage_does_not_plan_yet_are_not_taken_for_those_of_another_command() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--tune", "4", "--studies", "1", "--jobs", "1"];
    succeed(compare(folder.path(), "out", &flags));
    let out = folder.path().join("out");
    let total = json(&out.join("plan.json"))["total"].clone();
    let look = rows(&out).into_iter().find(|row| role(row).stage == Stage::SecondLook).unwrap().run;
    fs::remove_dir_all(out.join("runs").join(&look)).unwrap();
    let table = text(&out.join("comparison.csv"));
    let kept: Vec<&str> = table.lines().filter(|line| !line.starts_with(&format!("{look},"))).collect();
    fs::write(out.join("comparison.csv"), kept.join("\n") + "\n").unwrap();
    // Killed while it makes up for that one: the finals, which are there, follow from it.
    let mut again = compare(folder.path(), "out", &flags);
    again.env("LRSCHED_STOP_AT", "mid-row:1");
    assert!(!again.output().unwrap().status.success());
    let plan = json(&out.join("plan.json"));
    assert_eq!((&plan["total"], &plan["others"]), (&total, &serde_json::Value::Null), "{plan}");
    assert_eq!(
        plan["unplanned"].as_array().map(Vec::len),
        Some(1),
        "the final of the other entrant is planned: {plan}"
    );
    let mut report = program(folder.path());
    report.args(["report", "out"]);
    let said = stderr(&succeed(report));
    assert!(said.contains("Under way: 20 of 22 runs are done.") && said.contains("go on (2 runs):  "), "{said}");
}

#[test]
fn trials_that_another_command_began_come_by_that_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = compare(folder.path(), "out", &["--tune", "4", "--jobs", "1"]);
    first.env("LRSCHED_STOP_AT", "mid-row:2");
    assert!(!first.output().unwrap().status.success());
    let mut second = program(folder.path());
    second.arg("compare").args(SMALL).args(["--out", "out", "--epochs", "1", "--tune", "4", "--entrants", ENTRANTS[1]]);
    second.output().unwrap();
    let mut report = program(folder.path());
    report.args(["report", "out"]);
    let said = stderr(&succeed(report));
    let offered = said.lines().find(|line| line.starts_with("go on:  ")).unwrap_or_else(|| panic!("{said}"));
    assert!(offered.contains(ENTRANTS[0]) && offered.ends_with("--out out"), "{offered}");
    assert!(!said.contains("lrsched resume"), "{said}");
}

/// The runs in the order in which they were trained, one at a time: their names, and their numbers.
fn trained(folder: &Path, flags: &[&str]) -> (Vec<String>, Vec<usize>) {
    let flags = [flags, &["--jobs", "1", "--progress", "plain"]].concat();
    let said = stderr(&succeed(compare(folder, "out", &flags)));
    let run = |line: &str| {
        let (number, name) = line.strip_prefix("run ")?.split_once(": ")?;
        Some((name.to_string(), number.split('/').next()?.parse::<usize>().ok()?))
    };
    said.lines().filter_map(run).unzip()
}

#[test]
fn whoever_stops_a_comparison_has_the_same_seeds_of_all_entrants_and_of_a_tuning_whole_studies() {
    let folder = tempfile::tempdir().unwrap();
    let (names, numbers) = trained(folder.path(), &["--seeds", "3"]);
    assert_eq!(numbers, [1, 4, 2, 5, 3, 6], "places in the plan");
    let seeds: Vec<&str> = names.iter().map(|name| name.rsplit_once("_seed=").unwrap().1).collect();
    assert_eq!(seeds, ["0", "0", "1", "1", "2", "2"], "{names:?}");

    let folder = tempfile::tempdir().unwrap();
    let (names, numbers) = trained(folder.path(), &["--tune", "2", "--studies", "2"]);
    assert_eq!(numbers, (1..=28).collect::<Vec<_>>(), "they tell how far it is");
    let rows = rows(&folder.path().join("out"));
    let role = |name: &String| role(rows.iter().find(|row| row.run == *name).unwrap());
    // An entrant has 2 trials, 2 second looks at each, and a final.
    let studies: Vec<u64> = names.iter().map(|name| role(name).study.unwrap()).collect();
    assert_eq!(studies, [[0; 14], [1; 14]].concat(), "{names:?}");
    assert_eq!(names[12..14].iter().map(|name| role(name).stage).collect::<Vec<_>>(), [Stage::Final; 2]);
}

#[test]
fn a_tuning_killed_at_random_moments_and_started_again_is_the_same_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--tune", "3", "--studies", "2", "--jobs", "2", "--threads", "2"];
    succeed(compare(folder.path(), "whole", &flags));
    let expected = left(&folder.path().join("whole"));
    let mut random = keyed(u64::from(std::process::id()), Purpose::Shuffle, 0, 0);
    for _ in 0..12 {
        let mut child = compare(folder.path(), "killed", &flags).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(30 + (uniform(&mut random) * 400.0) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    succeed(compare(folder.path(), "killed", &flags));
    assert!(left(&folder.path().join("killed")) == expected);
}

#[test]
fn more_trials_and_studies_go_on_from_fewer_and_lead_where_they_would_have_led_at_once() {
    let folder = tempfile::tempdir().unwrap();
    succeed(compare(folder.path(), "on", &["--tune", "4", "--studies", "1"]));
    let before = left(&folder.path().join("on")).1;
    succeed(compare(folder.path(), "on", &["--tune", "6", "--studies", "2"]));
    succeed(compare(folder.path(), "once", &["--tune", "6", "--studies", "2"]));
    let (on, once) = (left(&folder.path().join("on")).1, left(&folder.path().join("once")).1);
    assert!(before.iter().all(|(run, weights)| on[run] == *weights), "nothing is trained again");
    assert!(once.iter().all(|(run, weights)| on[run] == *weights), "all that follows from more trials is there");
}

#[test]
fn other_ranges_seeds_or_fewer_trials_are_refused_in_one_line_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--tune", "4", "--studies", "2"];
    succeed(compare(folder.path(), "out", &flags));
    let before = left(&folder.path().join("out"));
    for (other, why) in [
        (&["--tune", "3", "--studies", "2"][..], "with more, not fewer; ask for as many, choose"),
        (&["--tune", "4", "--studies", "1"], "beyond the 1 asked for"),
        (&["--tune", "4", "--studies", "2", "--tune-seed", "1"], "give its --tune-range and --tune-seed, choose"),
        (&["--tune", "4", "--studies", "2", "--tune-range", "lr=0.01:1"], "at another point of the range"),
        (&["--tune", "4", "--studies", "2", "--seed", "5"], "with seed"),
        (&["--tune", "4", "--studies", "2", "--seeds", "2"], "give its --seed, --seeds and --finalists, choose"),
        (&["--seeds", "2"], "a comparison that is tuned or screened; give its --tune or --finalists, choose"),
    ] {
        let output = compare(folder.path(), "out", other).output().unwrap();
        let said = stderr(&output);
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("warning: ")).collect();
        assert_eq!((output.status.code(), lines.len()), (Some(2), 1), "{other:?}: {said}");
        assert!(said.contains(why) && said.contains("choose another --out, or --force"), "{other:?}: {said}");
        assert!(left(&folder.path().join("out")) == before, "{other:?}");
    }
}

#[test]
fn shards_of_a_tuning_make_what_one_process_makes_in_one_folder_or_each_in_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--tune", "3", "--studies", "2"];
    succeed(compare(folder.path(), "whole", &flags));
    let whole = left(&folder.path().join("whole"));
    for shard in ["1/2", "2/2"] {
        succeed(compare(folder.path(), "shared", &[&flags[..], &["--shard", shard]].concat()));
        succeed(compare(folder.path(), &shard.replace('/', "-"), &[&flags[..], &["--shard", shard]].concat()));
    }
    for folders in [&["shared", "--out", "shared"][..], &["2-2", "1-2", "--out", "all"]] {
        let mut merge = program(folder.path());
        merge.arg("merge").args(folders);
        succeed(merge);
        assert!(left(&folder.path().join(folders.last().unwrap())) == whole, "{folders:?}");
    }
}

#[test]
fn a_shard_of_a_tuning_started_over_with_force_trains_its_own_chains_again_and_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let flags = |shard, more: &[&'static str]| [&["--tune", "3", "--studies", "2", "--shard", shard], more].concat();
    for shard in ["1/2", "2/2"] {
        succeed(compare(folder.path(), "out", &flags(shard, &[])));
    }
    let started = || -> BTreeMap<String, (String, String)> {
        let of = |row: ComparisonRow| {
            let info = json(&out.join("runs").join(&row.run).join("run.json"));
            (row.run.clone(), (role(&row).entrant.clone(), info["started"].to_string()))
        };
        rows(&out).into_iter().map(of).collect()
    };
    let (before, times) = (left(&out), started());
    // Times are recorded to the second.
    std::thread::sleep(Duration::from_millis(1100));
    succeed(compare(folder.path(), "out", &flags("1/2", &["--force"])));
    // Two studies of two entrants are four chains; the first and the third are of one entrant.
    for (run, (entrant, time)) in started() {
        assert_eq!(time != times[&run].1, entrant == ENTRANTS[0], "{run}");
    }
    assert!(left(&out) == before);
    let other = flags("1/2", &["--force", "--tune-range", "lr=0.01:1"]);
    let output = compare(folder.path(), "out", &other).output().unwrap();
    let said = stderr(&output);
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("at another point of the range; choose another --out"), "{said}");
    assert!(left(&out) == before);
    succeed(compare(folder.path(), "out", &["--tune", "2", "--studies", "1", "--force"]));
    // Two trials, looked at twice more each, and a final.
    assert_eq!(rows(&out).len(), 2 * (2 + 4 + 1), "of what was there, nothing is left");
}

#[test]
fn trials_that_diverge_count_as_chance_and_are_no_reason_for_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--tune", "4", "--studies", "1", "--tune-range", "lr=0.01:1e9"];
    succeed(compare(folder.path(), "out", &flags));
    let rows = rows(&folder.path().join("out"));
    let diverged: Vec<&ComparisonRow> = rows.iter().filter(|row| row.status == Status::Diverged).collect();
    assert!(!diverged.is_empty(), "the range is far too wide");
    let finals: Vec<&ComparisonRow> = rows.iter().filter(|row| role(row).stage == Stage::Final).collect();
    assert_eq!(finals.len(), 2);
    assert!(finals.iter().all(|row| row.status == Status::Finished));
}

#[test]
fn screening_trains_finals_on_fresh_seeds_for_the_best_only() {
    let folder = tempfile::tempdir().unwrap();
    let entrants = ["--entrants", "sgd/cosine", "sgd:lr=1e-9/constant", "adam/linear"];
    let flags = [&entrants[..], &["--finalists", "2", "--seeds", "2"]].concat();
    for (out, shards) in [("whole", &[""][..]), ("shards", &["1/2", "2/2", "1/2"])] {
        for shard in shards {
            let mut command = program(folder.path());
            command.arg("compare").args(SMALL).args(["--out", out, "--epochs", "3"]).args(&flags);
            if !shard.is_empty() {
                command.args(["--shard", shard]);
            }
            succeed(command);
        }
    }
    let whole = rows(&folder.path().join("whole"));
    let count = |stage| whole.iter().filter(|row| role(row).stage == stage).count();
    assert_eq!((count(Stage::Screening), count(Stage::Final)), (9, 4));
    let finals: BTreeSet<(&str, u64)> = whole
        .iter()
        .filter(|row| role(row).stage == Stage::Final)
        .map(|row| (role(row).entrant.as_str(), row.seed))
        .collect();
    assert!(finals.iter().all(|(entrant, seed)| !entrant.contains("1e-9") && (3..5).contains(seed)), "{finals:?}");
    let mut merge = program(folder.path());
    merge.args(["merge", "shards", "--out", "shards"]);
    succeed(merge);
    assert!(left(&folder.path().join("shards")) == left(&folder.path().join("whole")));
}

#[test]
fn comparisons_that_were_tuned_or_screened_in_different_ways_are_not_merged() {
    let folder = tempfile::tempdir().unwrap();
    for (out, flags) in [
        ("plain", &[][..]),
        ("tuned", &["--tune", "1", "--studies", "1"]),
        ("later", &["--tune", "1", "--studies", "1", "--seed", "7"]),
        ("screened", &["--finalists", "2", "--seeds", "1", "--entrants", "sgd/cosine"]),
        ("both-ways", &["--tune", "1", "--studies", "1", "--finalists", "2", "--entrants", "sgd/cosine"]),
    ] {
        succeed(compare(folder.path(), out, flags));
    }
    for pair in [
        ["plain", "tuned"],
        ["tuned", "plain"],
        ["plain", "screened"],
        ["screened", "tuned"],
        ["tuned", "both-ways"],
        ["tuned", "later"],
    ] {
        let output = program(folder.path()).arg("merge").args(pair).args(["--out", "both"]).output().unwrap();
        let said = stderr(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{pair:?}: {said}");
        assert!(said.contains("tuned or screened in different ways"), "{pair:?}: {said}");
        assert!(!folder.path().join("both/comparison.csv").exists(), "{pair:?}");
    }
}

#[test]
fn more_finalists_go_on_in_the_same_folder_and_fewer_are_refused_with_nothing_touched() {
    let folder = tempfile::tempdir().unwrap();
    let start = |finalists: &str, flags: &[&str]| {
        let mut command = program(folder.path());
        command
            .arg("compare")
            .args(SMALL)
            .args(["--out", "out", "--epochs", "1", "--seeds", "1", "--finalists", finalists])
            .args(flags);
        command.args(["--entrants", "sgd/cosine", "sgd/linear", "sgd/step", "adam/linear"]);
        command
    };
    // A shard that is done with its screening has nothing to rank yet.
    let said = stderr(&start("2", &["--shard", "1/2", "--progress", "plain"]).output().unwrap());
    assert!(said.contains("shard 1/2 is done with its screening") && said.contains("merge them first"), "{said}");
    assert!(!said.contains("rank them"), "{said}");
    succeed(start("2", &[]));
    let finals = || rows(&folder.path().join("out")).iter().filter(|row| role(row).stage == Stage::Final).count();
    assert_eq!(finals(), 2);
    succeed(start("3", &[]));
    assert_eq!(finals(), 3);
    let before = left(&folder.path().join("out"));
    let output = start("2", &[]).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("3 finalists, more than the 2 asked for") && said.contains("choose another --out"), "{said}");
    assert!(left(&folder.path().join("out")) == before);
}

#[test]
fn runs_that_another_command_added_count_in_the_plan_and_stale_ones_too() {
    let folder = tempfile::tempdir().unwrap();
    let tune = |entrant: &str, flags: &[&str]| {
        let mut command = program(folder.path());
        command.arg("compare").args(SMALL).args(["--out", "out", "--epochs", "1", "--entrants", entrant]).args(flags);
        succeed(command);
        (json(&folder.path().join("out/plan.json"))["total"].as_u64().unwrap(), rows(&folder.path().join("out")).len())
    };
    // 2 trials, each with 2 second looks, and a final.
    assert_eq!(tune("sgd/cosine", &["--tune", "2", "--studies", "1"]), (7, 7));
    assert_eq!(tune("adam/linear", &["--tune", "2", "--studies", "1"]), (14, 14));
    assert_eq!(tune("adam/linear", &["--tune", "2", "--studies", "2"]), (21, 21));
    // What was looked at again for want of a better one is in the folder still.
    let (total, rows) = tune("adam/linear", &["--tune", "6", "--studies", "2"]);
    assert_eq!(total, rows as u64);
}
