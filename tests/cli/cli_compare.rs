//! `lrsched compare`, as a user runs it.

use crate::common::{TINY, lrsched};
use std::fs;

fn compare(folder: &tempfile::TempDir, flags: &[&str]) -> std::process::Output {
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
    // Under the table, what it means.
    let verdict = stdout.split("\n\n").nth(1).unwrap();
    assert!(verdict.starts_with("Best on validation: ") && verdict.contains("(n = 2)"), "{stdout}");
    let first = rows(&folder);
    assert_eq!(first.len(), 4);
    assert_eq!(first[0][1..5], ["step:factor=0.5,drop-every=1", "sgd", "native", "0"]);
    assert_eq!(first[1][4], "1");
    for picture in ["comparison.png", "comparison.svg"] {
        assert!(fs::metadata(folder.path().join("cmp").join(picture)).unwrap().len() > 1000);
    }

    fs::remove_dir_all(folder.path().join("cmp/runs").join(&first[2][0])).unwrap();
    assert!(compare(&folder, &flags).status.success());
    let second = rows(&folder);
    // Run times tell which were done again.
    let seconds = |rows: &[Vec<String>]| rows.iter().map(|row| row[15].clone()).collect::<Vec<_>>();
    let (first, second) = (seconds(&first), seconds(&second));
    assert!(first[0] == second[0] && first[1] == second[1] && first[3] == second[3], "{first:?} {second:?}");
    assert_ne!(first[2], second[2]);

    let third =
        lrsched(&folder).arg("compare").args(&TINY[..8]).args(["--out", "cmp", "--lr", "0.02"]).args(flags).output();
    let said = String::from_utf8(third.unwrap().stderr).unwrap();
    assert!(said.contains("nothing left to train: all 4 runs were done before"), "{said}");

    let other = compare(&folder, &["--entrants", "cosine", "--epochs", "3"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("another configuration"));
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
    // The same rate for the whole first epoch of three steps: the same losses to the last digit; then they part.
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
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
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
