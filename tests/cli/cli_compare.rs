//! `lrsched compare`, as a user runs it.

use crate::common::{TINY, lrsched};
use std::fs;

pub fn compare(folder: &tempfile::TempDir, flags: &[&str]) -> std::process::Output {
    lrsched(folder).arg("compare").args(TINY).args(["--out", "cmp", "--lr", "0.02"]).args(flags).output().unwrap()
}

fn rows(folder: &tempfile::TempDir) -> Vec<Vec<String>> {
    let mut csv = csv::Reader::from_path(folder.path().join("cmp/comparison.csv")).unwrap();
    csv.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
}

#[test]
fn entrants_are_trained_in_sequence_and_a_second_start_does_only_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "sgd/step:factor=0.5,drop-every=1", "cosine", "--seeds", "2", "--epochs", "2"];
    let output = compare(&folder, &flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("cosine") && stdout.contains("±"), "{stdout}");
    // The table, the ranking as a picture, and in words.
    let [_, picture, verdict, ..] = stdout.split("\n\n").collect::<Vec<_>>()[..] else { panic!("{stdout}") };
    assert!(picture.starts_with("◇ ") && picture.contains("◇ no claim"), "{stdout}");
    assert!(verdict.starts_with("Highest: ") && verdict.contains("(n = 2)"), "{stdout}");
    let first = rows(&folder);
    assert_eq!(first.len(), 4);
    assert_eq!(first[0][1..5], ["step:factor=0.5,drop-every=1", "sgd", "native", "0"]);
    assert_eq!(first[1][4], "1");
    for picture in ["ranking.png", "ranking.svg", "comparison.png", "comparison.svg"] {
        assert!(fs::metadata(folder.path().join("cmp").join(picture)).unwrap().len() > 1000);
    }

    fs::remove_dir_all(folder.path().join("cmp/runs").join(&first[2][0])).unwrap();
    assert!(compare(&folder, &flags).status.success());
    let second = rows(&folder);
    // The run times show which runs were repeated.
    let seconds = |rows: &[Vec<String>]| rows.iter().map(|row| row[15].clone()).collect::<Vec<_>>();
    let (first, second) = (seconds(&first), seconds(&second));
    assert!(first[0] == second[0] && first[1] == second[1] && first[3] == second[3], "{first:?} {second:?}");
    assert_ne!(first[2], second[2]);

    let third =
        lrsched(&folder).arg("compare").args(&TINY[..10]).args(["--out", "cmp", "--lr", "0.02"]).args(flags).output();
    let said = String::from_utf8(third.unwrap().stderr).unwrap();
    assert!(said.contains("nothing left to train: 4 runs done"), "{said}");

    let other = compare(&folder, &["--entrants", "cosine", "--epochs", "3"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("another configuration"));
}

#[test]
#[cfg(unix)]
fn a_comparison_asks_git_once_and_each_run_has_the_answer() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (git, asked) = (folder.path().join("bin/git"), folder.path().join("asked"));
    fs::create_dir(folder.path().join("bin")).unwrap();
    fs::write(&git, format!("#!/bin/sh\necho \"$1\" >> '{}'\n[ \"$1\" = status ] || echo abc\n", asked.display()))
        .unwrap();
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
    let flags = ["--out", "cmp", "--epochs", "1", "--entrants", "constant", "linear", "cosine"];
    let mut command = lrsched(&folder);
    command.arg("compare").args(TINY).args(flags).env("PATH", folder.path().join("bin"));
    assert!(command.output().unwrap().status.success());
    assert_eq!(fs::read_to_string(&asked).unwrap(), "rev-parse\nstatus\n");
    for row in rows(&folder) {
        let path = folder.path().join("cmp/runs").join(&row[0]).join("run.json");
        let info: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(info["git"], serde_json::json!({"commit": "abc", "dirty": false}));
        // Of the program as it was built, wherever it runs.
        assert_eq!(info["program"]["commit"].as_str(), option_env!("PROGRAM_COMMIT"));
    }
}

#[test]
fn what_looks_wrong_with_a_schedule_is_said_once_of_each_entrant_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "sgd/cosine:warmup=10", "constant", "--seeds", "2", "--epochs", "2"];
    let said = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    let first = said(compare(&folder, &flags));
    let lines: Vec<&str> = first.lines().filter(|line| line.starts_with("warning: ")).collect();
    let [zero, peak] = lines[..] else { panic!("{first}") };
    assert!(zero.starts_with("warning: sgd/cosine:warmup=10: the rate is 0 at step 0"), "{zero}");
    assert!(peak.starts_with("warning: sgd/cosine:warmup=10: cosine: the peak of 0.02 is never reached"), "{peak}");
    assert!(!said(compare(&folder, &flags)).contains("warning: "), "nothing is left to train");
    // A warning shared by several entrants appears once.
    let folder = tempfile::tempdir().unwrap();
    for (entrants, named) in [
        (&["cosine", "linear"][..], "warning: all 2 entrants: the rate is 0 at step 0"),
        (&["cosine", "linear", "constant:warmup-from=0.5"], "warning: sgd/cosine:warmup=1 and sgd/linear:warmup=1: "),
    ] {
        let flags = [&["--force", "--epochs", "2", "--warmup", "1", "--entrants"], entrants].concat();
        let said = said(compare(&folder, &flags));
        assert_eq!(said.matches("the rate is 0 at step 0").count(), 1, "{said}");
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn an_entrant_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "sgd/cosine", "adam/step:drop-every=0", "--epochs", "1"];
    let output = compare(&folder, &flags);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.ends_with("entrant adam/step:drop-every=0: step: drop-every must be at least 1 step, got 0\n"),
        "{said}"
    );
    // A general fault is not attributed to an entrant.
    let output =
        compare(&folder, &["--entrants", "sgd/cosine", "--train-limit", "7", "--batch-size", "32", "--epochs", "0"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("entrant"));
}

#[test]
fn a_table_on_a_pipe_has_a_line_for_each_entrant_however_long_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let sequence = "constant:for=20%;linear:for=20%;constant:for=20%;cosine:for=20%;polynomial:power=2";
    let entrant = format!("sgd:momentum=0.9,weight-decay=5e-4/{sequence}");
    let output = compare(&folder, &["--entrants", &entrant, "cosine", "--epochs", "1"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let line = stdout.lines().find(|line| line.starts_with(&entrant)).unwrap_or_else(|| panic!("{stdout}"));
    assert!(line.ends_with("finished"), "{stdout}");
    assert!(stdout.lines().next().unwrap().contains("best ep"), "no column is left out: {stdout}");
    assert_eq!(stdout.lines().filter(|line| line.starts_with("Highest: ")).count(), 1, "{stdout}");
}

#[test]
fn a_table_on_a_pipe_has_all_entrants_however_many_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let powers: Vec<String> = (1..=60).map(|power| power.to_string()).collect();
    let grid = format!("power={}", powers.join(","));
    let output = compare(&folder, &["--entrants", "polynomial", "--grid", &grid, "--epochs", "1"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.lines().filter(|line| line.starts_with("sgd/polynomial")).count(), 60, "{stdout}");
    assert!(!stdout.contains("more: all are in"), "{stdout}");
}

#[test]
fn a_run_on_its_own_is_named_once_before_its_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = &TINY[..10];
    let flags = ["--entrants", "cosine", "linear", "--epochs", "2", "--lr", "0.02", "--jobs", "1", "--out", "cmp"];
    let output = lrsched(&folder).arg("compare").args(tiny).args(flags).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("sgd_cosine_lr=0.02_seed=0").count(), 1, "{said}");
    assert_eq!(said.matches("run 2/2: sgd_linear_lr=0.02_seed=0\n").count(), 1, "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("epoch ")).count(), 4, "{said}");
}

#[test]
fn entrants_of_a_seed_start_from_the_same_weights_and_see_the_same_batches() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "sgd/constant", "sgd/piecewise:milestones=1,factor=0.1", "--epochs", "2", "--log-steps"];
    assert!(compare(&folder, &flags).status.success());
    let steps: Vec<String> = rows(&folder)
        .iter()
        .map(|row| fs::read_to_string(folder.path().join("cmp/runs").join(&row[0]).join("steps.csv")).unwrap())
        .collect();
    let lines = |index: usize| steps[index].lines().collect::<Vec<_>>();
    // Both use the same rate for the whole first epoch of three steps, so the losses agree to the last digit; then they
    // diverge.
    assert_eq!(lines(0)[..4], lines(1)[..4]);
    assert_ne!(lines(0)[5], lines(1)[5]);
}

#[test]
fn runs_of_entrants_that_a_second_start_does_not_name_stay_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    assert!(compare(&folder, &["--entrants", "cosine", "--epochs", "1"]).status.success());
    assert!(compare(&folder, &["--entrants", "linear", "--epochs", "1"]).status.success());
    let schedules: Vec<String> = rows(&folder).into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(schedules, ["cosine", "linear"]);
}

#[test]
fn runs_with_other_settings_or_on_other_images_do_not_share_a_table() {
    let folder = tempfile::tempdir().unwrap();
    assert!(compare(&folder, &["--entrants", "cosine", "--epochs", "1"]).status.success());
    let refused = |flags: &[&str], why: &str| {
        let output = compare(&folder, &[&["--entrants", "linear", "--epochs", "1"], flags].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why) && said.contains("another --out"), "{said}");
        assert_eq!(rows(&folder).len(), 1);
    };
    refused(&["--batch-size", "5"], "now 5");
    let file = folder.path().join("cmp/runs").join(&rows(&folder)[0][0]).join("run.json");
    let mut info: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    info["dataset"]["digest"] = "0".repeat(64).into();
    fs::write(&file, info.to_string()).unwrap();
    refused(&[], "other images");
}

#[test]
fn entrants_whose_names_look_alike_have_folders_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "expr:lr*1", "expr:lr/1", "expr:lr^1", "--epochs", "1"];
    assert!(compare(&folder, &flags).status.success());
    let names: std::collections::HashSet<String> = rows(&folder).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(names.len(), 3);
    assert_eq!(fs::read_dir(folder.path().join("cmp/runs")).unwrap().count(), 3);
    assert!(compare(&folder, &flags).status.success(), "a second start finds all three done");
}

#[test]
fn results_on_other_images_are_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "cosine", "--epochs", "1"];
    assert!(compare(&folder, &flags).status.success());
    let file = folder.path().join("cmp/runs").join(&rows(&folder)[0][0]).join("run.json");
    let mut info: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    info["dataset"]["digest"] = "0".repeat(64).into();
    fs::write(&file, info.to_string()).unwrap();
    let output = compare(&folder, &flags);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("other images"));
}

#[test]
fn a_diverged_entrant_is_a_row_and_the_rest_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let output = compare(&folder, &["--entrants", "sgd:lr=1e9/constant", "linear", "--epochs", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let rows = rows(&folder);
    assert_eq!((rows[0][16].as_str(), rows[0][9].as_str()), ("diverged", "NaN"));
    assert_eq!(
        (rows[0][11].as_str(), rows[0][12].as_str()),
        ("", ""),
        "a run that never had a number has no best epoch"
    );
    assert_eq!(rows[1][16], "finished");
    let before = fs::read(folder.path().join("cmp/comparison.csv")).unwrap();
    compare(&folder, &["--entrants", "sgd:lr=1e9/constant", "linear", "--epochs", "1"]);
    assert_eq!(fs::read(folder.path().join("cmp/comparison.csv")).unwrap(), before);
}

#[test]
fn a_baseline_that_is_no_entrant_is_refused_before_anything_is_trained_and_a_real_one_is_judged_against() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "cosine", "linear", "adam/linear", "--epochs", "1", "--baseline"];
    for (name, said) in [
        ("cosin", "such as `adam/linear`; got `cosin`; did you mean `cosine`?"),
        ("sgd/cosin", "such as `adam/linear`; got `sgd/cosin`; did you mean `sgd/cosine`?"),
        ("constant", "baseline must be one of the entrants, such as `adam/linear`; got `constant`"),
        (
            "linear",
            "baseline `linear` is the name of several entrants, such as `adam/linear` and `sgd/linear`; give one in full",
        ),
    ] {
        let refused = compare(&folder, &[&flags[..], &[name]].concat());
        assert_eq!(refused.status.code(), Some(2));
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.lines().filter(|line| line.ends_with(said)).count() == 1, "{told}");
        assert!(!folder.path().join("cmp").exists());
    }
    // One seed supports no claim, about a baseline either.
    for (seeds, claims) in [("1", false), ("3", true)] {
        let output = compare(&folder, &[&flags[..], &["sgd/linear", "--seeds", seeds]].concat());
        let stdout = String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let said = stdout.contains("Against the baseline sgd/linear: ");
        assert!(output.status.success() && said == claims, "{seeds} seeds: {stdout}");
        // A report on the folder has the same, unless it is asked for another.
        let reported = |flags: &[&str]| {
            lrsched(&folder).args(["report", "cmp", "-o", "r.md"]).args(flags).assert().success();
            fs::read_to_string(folder.path().join("r.md")).unwrap()
        };
        assert_eq!(reported(&[]).contains("Against the baseline sgd/linear: "), claims);
        assert_eq!(reported(&["--baseline", "cosine"]).contains("Against the baseline sgd/cosine: "), claims);
    }
    // An earlier run has made the name ambiguous, which is known once all are ranked: what was trained is ranked.
    let output = compare(&folder, &["--entrants", "sgd:momentum=0.5/linear", "--epochs", "1", "--baseline", "linear"]);
    let told = String::from_utf8(output.stderr).unwrap();
    let said = "baseline `linear` is the name of several entrants, such as ";
    let warned = told.lines().filter(|line| line.contains(said) && line.ends_with("; all pairs are judged instead"));
    assert!(output.status.success() && warned.count() == 1, "{told}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("baseline"));
}

#[test]
fn flags_reach_the_entrants_that_take_them_and_do_not_say_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "sgd/cosine", "sgd:momentum=0.5/linear", "adam", "--momentum", "0.9", "--epochs", "1"];
    assert!(compare(&folder, &flags).status.success());
    let optimizers: Vec<String> = rows(&folder).into_iter().map(|row| row[2].clone()).collect();
    assert_eq!(optimizers, ["sgd:momentum=0.9", "sgd:momentum=0.5", "adam"]);
}

#[test]
fn a_folder_that_holds_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("cmp")).unwrap();
    fs::write(folder.path().join("cmp/thesis.tex"), "mine").unwrap();
    let output = compare(&folder, &["--entrants", "cosine"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(folder.path().join("cmp")).unwrap().count(), 1);
}

#[test]
fn force_starts_over_and_removes_nothing_but_runs() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "cosine", "--epochs", "1"];
    assert!(compare(&folder, &flags).status.success());
    fs::create_dir(folder.path().join("cmp/runs/notes")).unwrap();
    fs::write(folder.path().join("cmp/runs/notes/mine.txt"), "mine").unwrap();
    let again = compare(&folder, &["--entrants", "linear", "--epochs", "2", "--force"]);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains("removed 1 earlier run from "), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("cmp/runs/notes/mine.txt")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path().join("cmp/runs")).unwrap().count(), 2);
    assert_eq!(rows(&folder)[0][1], "linear");
}

#[test]
fn the_printed_config_runs_the_same_comparison_again() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "cosine", "sgd:lr=0.01/linear", "--momentum", "0.9", "--seeds", "2", "--epochs", "1"];
    let printed = compare(&folder, &[&flags[..], &["--print-config"]].concat());
    assert!(printed.status.success() && !folder.path().join("cmp").exists());
    fs::write(folder.path().join("again.toml"), printed.stdout).unwrap();
    assert!(compare(&folder, &flags).status.success());
    let from_file = ["compare", "--config", "again.toml", "--out", "again", "--progress", "none"];
    lrsched(&folder).args(from_file).assert().success();
    let files = ["cmp", "again"].map(|out| fs::read_to_string(folder.path().join(out).join("comparison.csv")).unwrap());
    assert_eq!(crate::common::without_times(&files[0]), crate::common::without_times(&files[1]));
}

#[test]
fn an_entrant_written_in_two_ways_is_refused_before_and_after_it_has_run() {
    let folder = tempfile::tempdir().unwrap();
    for (one, other) in [
        ("sgd/step", "sgd/step:factor=0.5,drop-every=10"),
        ("sgd/cosine", "sgd:momentum=0,lr=0.02/cosine:lr=0.02"),
        ("adam", "adam:beta1=0.9/constant"),
        ("sgd/triangular:max-lr=2x", "sgd/triangular:max-lr=0.04,step-size=2ep,warmup=0"),
    ] {
        let output = compare(&folder, &["--entrants", one, other]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{one} {other}: {said}");
        assert!(said.contains("are the same run; leave one out"), "{said}");
    }
    assert!(!folder.path().join("cmp").exists());
    assert!(compare(&folder, &["--entrants", "sgd/step", "--epochs", "1"]).status.success());
    let again = compare(&folder, &["--entrants", "sgd/step:factor=0.5,drop-every=10", "--epochs", "1"]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(2) && said.contains("written sgd/step;"), "{said}");
    assert_eq!(rows(&folder).len(), 1);
}

/// The entrants that `compare --print-config` resolves, and its stderr.
fn resolved(flags: &[&str]) -> (Vec<String>, String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let output =
        lrsched(&folder).args(["compare", "--dataset", "synthetic", "--print-config"]).args(flags).output().unwrap();
    let table: toml::Table = String::from_utf8(output.stdout).unwrap().parse().unwrap();
    let entrants = table.get("entrants").and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let entrants = entrants.iter().map(|entrant| entrant.as_str().unwrap().to_string()).collect();
    (entrants, String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[test]
fn over_the_default_entrants_a_flag_goes_before_their_own_values() {
    let flags = ["--factor", "0.2", "--drop-every", "2", "--momentum", "0.5", "--max-lr", "0.3", "--lr", "0.07"];
    let (entrants, said, code) = resolved(&flags);
    // With a numeric max-lr, one-cycle does not use lr.
    let one_cycle = "--lr 0.07 does not apply to sgd:momentum=0.5,nesterov,weight-decay=5e-4/one-cycle:max-lr=0.3, whose schedule sets its own rates";
    assert_eq!((code, said), (Some(0), format!("warning: {one_cycle}\n")));
    for expected in [
        "sgd:momentum=0.5,nesterov,weight-decay=5e-4/step:factor=0.2,drop-every=2",
        "sgd:momentum=0.5,nesterov,weight-decay=5e-4/piecewise:milestones=50%,80%,factor=0.2",
        "sgd:momentum=0.5,nesterov,weight-decay=5e-4/plateau:factor=0.2,patience=0",
        "sgd:momentum=0.5,nesterov,weight-decay=5e-4/triangular:max-lr=0.3,step-size=25%",
        "sgd:momentum=0.5,nesterov,weight-decay=5e-4/one-cycle:max-lr=0.3",
        "adam:weight-decay=5e-4/constant",
        "adam:weight-decay=5e-4/linear",
    ] {
        assert!(entrants.iter().any(|entrant| entrant == expected), "{expected}: {entrants:?}");
    }
    assert!(entrants.iter().all(|entrant| !entrant.contains(":lr=")), "{entrants:?}");
}

#[test]
fn named_entrants_keep_what_they_say_themselves_and_a_line_names_them() {
    let named = ["--entrants", "step:factor=0.5", "piecewise", "sgd:lr=0.05,momentum=0.8/cosine", "constant:lr=0.3"];
    let flags = [&named[..], &["--factor", "0.2", "--momentum", "0.9", "--lr", "0.1"]].concat();
    let (entrants, said, code) = resolved(&flags);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        entrants,
        [
            "sgd:momentum=0.9/step:factor=0.5",
            "sgd:momentum=0.9/piecewise:factor=0.2",
            "sgd:lr=0.05,momentum=0.8/cosine",
            "sgd:momentum=0.9/constant:lr=0.3"
        ]
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "warning: --momentum 0.9 does not apply to sgd:lr=0.05,momentum=0.8/cosine, which sets its own momentum",
            "warning: --factor 0.2 does not apply to sgd:momentum=0.9/step:factor=0.5, which sets its own factor",
            "warning: --lr 0.1 does not apply to sgd:lr=0.05,momentum=0.8/cosine and sgd:momentum=0.9/constant:lr=0.3, which set their own lr",
        ]
    );
    let (_, said, code) = resolved(&["--entrants", "one-cycle:max-lr=0.02", "cosine", "--lr", "0.05"]);
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "warning: --lr 0.05 does not apply to sgd/one-cycle:max-lr=0.02, whose schedule sets its own rates\n"
        )
    );
    let (_, said, code) = resolved(&["--entrants", "sgd:lr=0.05/expr:0.1", "cosine"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "warning: sgd:lr=0.05/expr:expr=0.1: lr=0.05 has no effect: its schedule sets its own rates\n")
    );
    let (_, said, code) = resolved(&["--entrants", "step:factor=0.5", "cosine", "--factor", "0.2"]);
    assert!(code == Some(2) && said.contains("no entrant takes --factor 0.2"), "a flag that does nothing: {said}");
}

#[test]
fn entrants_may_come_from_the_environment_divided_by_white_space() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = lrsched(&folder);
    command.args(["compare", "--dataset", "synthetic", "--print-config"]);
    let output = command.env("LRSCHED_ENTRANTS", " sgd/cosine\n adam/step:factor=0.5,drop-every=3 ").output().unwrap();
    let config = String::from_utf8(output.stdout).unwrap();
    assert!(config.contains("\"sgd/cosine\"") && config.contains("\"adam/step:factor=0.5,drop-every=3\""), "{config}");
}

#[test]
fn quiet_leaves_files_and_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let output = compare(&folder, &["--entrants", "cosine", "--epochs", "1", "-q"]);
    assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(0), Vec::new(), Vec::new()));
    assert!(folder.path().join("cmp/report.html").is_file());
    for quiet in [&["report", "cmp", "-q"][..], &["eval", "cmp/runs", "-q"]] {
        let run = fs::read_dir(folder.path().join("cmp/runs")).unwrap().next().unwrap().unwrap().path();
        let run = run.to_str().unwrap().to_string();
        let arguments: Vec<&str> =
            quiet.iter().map(|word| if *word == "cmp/runs" { run.as_str() } else { word }).collect();
        let output = lrsched(&folder).args(&arguments).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len(), output.stderr.len()), (Some(0), 0, 0), "{arguments:?}");
    }
}

#[test]
fn the_ranking_shows_the_rate_that_was_applied_and_says_what_its_columns_are() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--entrants", "one-cycle:max-lr=0.03", "constant", "linear:warmup=400%", "--epochs", "2", "--log-steps"];
    let output = compare(&folder, &flags);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(rows(&folder).iter().all(|row| row[6] == "0.02"), "the column of comparison.csv is the base rate");
    let applied = |run: &str| {
        let steps = fs::read_to_string(folder.path().join("cmp/runs").join(run).join("steps.csv")).unwrap();
        let rates = steps.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse::<f64>().unwrap());
        format!("{:.3e}", rates.fold(0.0, f64::max)).parse::<f64>().unwrap().to_string()
    };
    lrsched(&folder).args(["report", "cmp", "--md", "-o", "r.html"]).assert().success();
    let markdown = fs::read_to_string(folder.path().join("r.md")).unwrap();
    let html = fs::read_to_string(folder.path().join("r.html")).unwrap();
    for row in rows(&folder) {
        let (name, rate) = (format!("sgd/{}", row[1]), applied(&row[0]));
        // The table has its short name.
        let short = format!("{} ", name.split(':').next().unwrap());
        let line = stdout.lines().find(|line| line.starts_with(&short)).unwrap_or_else(|| panic!("{name}: {stdout}"));
        assert_eq!(line.split_whitespace().nth(1), Some(rate.as_str()), "{stdout}");
        assert!(markdown.contains(&format!("| `{name}` | {rate} |")), "{name} {rate}: {markdown}");
        assert!(html.contains(&format!(">{rate}</td>")), "{name} {rate}");
    }
    let flat = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["lr: the highest rate that was applied.", "val % and test %: of the weights after the last epoch."] {
        assert!(flat.contains(said) && markdown.contains(said), "{said}: {stdout}");
    }
    assert!(
        markdown.contains("its weights were not tested") && html.contains("Lr: the highest rate that was applied.")
    );
    assert!(!markdown.contains("one standard deviation"), "of one seed there is none: {markdown}");

    assert!(compare(&folder, &[&flags[..], &["--seeds", "2"]].concat()).status.success());
    lrsched(&folder).args(["report", "cmp", "-o", "r.md"]).assert().success();
    let markdown = fs::read_to_string(folder.path().join("r.md")).unwrap();
    assert!(markdown.contains("± of an accuracy: one standard deviation over the n seeds."), "{markdown}");
    assert!(markdown.contains("Verdicts are about other seeds, not about other images."), "{markdown}");
}

fn files_of(folder: &std::path::Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => files.extend(files_of(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}"))),
            false => files.push(name),
        }
    }
    files.sort();
    files
}

/// How many runs the results are, and how much they take: `1 run, 27.45 kB`.
fn size_of_results(stdout: &str) -> String {
    let results = stdout.lines().find(|line| line.starts_with("results in ")).unwrap();
    results.split(": ").nth(1).unwrap().to_string()
}

#[test]
fn a_comparison_keeps_of_a_finished_run_what_keep_says_and_says_how_much_that_is() {
    let kept = |keep: &[&str], entrant: &str| {
        let folder = tempfile::tempdir().unwrap();
        let flags = [&["--entrants", entrant, "--epochs", "2"], keep].concat();
        let output = compare(&folder, &flags);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let stdout = String::from_utf8(output.stdout).unwrap();
        let size = size_of_results(&stdout);
        let name = rows(&folder)[0][0].clone();
        let mut files = files_of(&folder.path().join("cmp/runs").join(&name));
        files.retain(|file| file.ends_with("weights.safetensors"));
        (files.join(" "), size, folder, format!("cmp/runs/{name}"))
    };
    let resume = |folder: &tempfile::TempDir, run: &str, more: &[&str]| {
        let output = lrsched(folder).args(["resume", run, "--progress", "none"]).args(more).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (files, size, folder, run) = kept(&["--keep", "none"], "cosine");
    assert_eq!((files.as_str(), size.split_whitespace().next()), ("", Some("1")));
    assert!(size.ends_with(" kB"), "{size}");
    let (code, said) = resume(&folder, &run, &["--epochs", "3"]);
    assert!(code == Some(2) && said.contains("--keep none") && said.contains("--keep all"), "{said}");
    let (code, said) = resume(&folder, &run, &[]);
    assert!(code == Some(0) && said.contains("cannot be trained longer"), "{said}");
    let evaluated = lrsched(&folder).args(["eval", &run]).output().unwrap();
    assert!(String::from_utf8(evaluated.stderr).unwrap().contains("trained with --keep none"));

    // The second epoch changes nothing and so is no better: the first stays the best.
    let (files, _, folder, run) = kept(&[], "piecewise:milestones=1,values=0.02,0");
    let best = "checkpoints/best/weights.safetensors";
    assert_eq!(files, format!("{best} weights.safetensors"));
    let (code, said) = resume(&folder, &run, &["--epochs", "3", "--lr", "0.01"]);
    assert!(code == Some(2) && said.contains("--keep best"), "{said}");
    let evaluated = lrsched(&folder).args(["eval", &run, "--checkpoint", "last"]).output().unwrap();
    assert!(String::from_utf8(evaluated.stderr).unwrap().contains("trained with --keep best"));
    lrsched(&folder).args(["eval", &run, "--checkpoint", "best"]).assert().success();

    // The only epoch is both best and last: it is stored once under both names, and the run can be extended.
    let (files, size, folder, run) = {
        let folder = tempfile::tempdir().unwrap();
        let output = compare(&folder, &["--entrants", "constant", "--epochs", "1", "--model", "cnn"]);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let size = size_of_results(&stdout);
        let name = rows(&folder)[0][0].clone();
        let files = files_of(&folder.path().join("cmp/runs").join(&name));
        (files, size, folder, format!("cmp/runs/{name}"))
    };
    assert!(size.starts_with("1 run, 8.") || size.starts_with("1 run, 9."), "8.7 MB of weights, once: {size}");
    assert!(files.iter().any(|file| file == "checkpoints/last/weights.safetensors"), "{files:?}");
    let (code, said) = resume(&folder, &run, &["--epochs", "2"]);
    assert_eq!(code, Some(0), "{said}");

    let (files, ..) = kept(&["--keep", "all"], "cosine");
    assert!(files.contains("checkpoints/last/") && files.contains(best) && !files.contains("before"), "{files}");
}

#[test]
fn a_run_of_train_keeps_what_it_can_be_trained_longer_from_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &str, more: &[&str]| {
        lrsched(&folder).arg("train").args(TINY).args(["--epochs", "1", "--out", out]).args(more).assert().success();
        files_of(&folder.path().join(out)).join(" ")
    };
    assert!(train("all", &[]).contains("checkpoints/last/state.json"));
    assert!(!train("none", &["--keep", "none"]).contains("safetensors"));
    assert!(train("best", &["--keep", "best"]).contains("checkpoints/best/state.json"));
    let output = lrsched(&folder).args(["train", "--keep", "some"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("none, best, all") && said.contains("`some`"), "{said}");
}

#[test]
fn a_comparison_whose_table_leads_out_of_its_folder_is_not_read_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    assert!(compare(&folder, &["--entrants", "cosine", "--epochs", "1"]).status.success());
    let csv = fs::read_to_string(at("cmp/comparison.csv")).unwrap();
    let name = rows(&folder)[0][0].clone();
    fs::create_dir(at("secret")).unwrap();
    fs::copy(at("cmp/runs").join(&name).join("metrics.csv"), at("secret/metrics.csv")).unwrap();
    let absolute = at("secret").display().to_string();
    for outside in ["../../secret", &absolute, "..", ".", "a/../../../secret"] {
        let row = csv.lines().nth(1).unwrap().replacen(&name, outside, 1).replace("cosine", "linear");
        fs::write(at("cmp/comparison.csv"), format!("{csv}{row}\n")).unwrap();
        let output = lrsched(&folder).args(["report", "cmp", "-o", "r.html"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("is not a folder of this comparison, left out"), "{said}");
        assert!(!fs::read_to_string(at("r.html")).unwrap().contains("sgd/linear"), "{outside}");
        let again = compare(&folder, &["--entrants", "cosine", "--epochs", "1"]);
        assert_eq!(again.status.code(), Some(2), "{outside}");
    }
}

#[test]
fn a_limit_that_memory_sets_is_said_in_one_line_and_more_runs_than_fit_are_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    let said = |flags: &[&str]| {
        let mut command = lrsched(&folder);
        command.arg("compare").args(&TINY[..10]).args([
            "--entrants",
            "cosine",
            "linear",
            "--epochs",
            "1",
            "--threads",
            "2",
        ]);
        // As if Slurm had granted 1 MB.
        let output = command.args(flags).env("SLURM_MEM_PER_NODE", "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    let asked = said(&["--out", "asked", "--jobs", "2"]);
    assert!(asked.contains("warning: 2 runs at once take about "), "{asked}");
    assert!(asked.contains(" of memory, and only 1 MB are free\n"), "{asked}");
    if std::thread::available_parallelism().unwrap().get() > 1 {
        let auto = said(&["--out", "auto"]);
        let line = auto.lines().find(|line| line.starts_with("1 run at once instead of 2: each takes about "));
        let rest = ", and 840 kB may be used (80 % of what is free); --jobs N overrides";
        assert!(line.is_some_and(|line| line.ends_with(rest)), "{auto}");
    }
    assert!(!said(&["--out", "asked", "--jobs", "2"]).contains("of memory"), "nothing is left to train");
}

#[test]
fn a_config_that_no_run_can_have_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["train", "compare", "find"] {
        let output = lrsched(&folder).args([command, "--train-limit", "0", "--print-config"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(said.contains("train-limit must be at least 1, got 0"), "{command}: {said}");
    }
}

#[test]
fn progress_runs_prints_one_line_for_each_run_with_its_accuracy() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--entrants", "cosine", "linear", "--seeds", "2", "--epochs", "2", "--lr", "0.02", "--out", "cmp"];
    let output = lrsched(&folder).arg("compare").args(TINY).args(flags).args(["--progress", "runs"]).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let runs: Vec<&str> = said.lines().filter(|line| line.contains("seed=")).collect();
    assert_eq!(runs.len(), 4, "{said}");
    for line in runs {
        assert!(line.starts_with("run ") && line.contains("/4: ") && line.contains(": val_accuracy 0."), "{line}");
    }
    assert!(!said.contains("epoch "), "{said}");
}
