//! What `lrsched report` reads of each folder: the record of a run before the table beside it, each test once, and nothing that no run writes.

use super::report_page::{comparison, report, row, three_seeds};
use crate::common::lrsched;
use lrsched::record::{ComparisonRow, RangeRow, RefineRow, Role, RunOrder, Stage, write_rows};
use lrsched::report::load::load;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The run.json of a run of a comparison.
fn write_record(folder: &Path, row: &ComparisonRow, status: &str, val_accuracy: f64, label_smoothing: f64) {
    let config = json!({
        "optimizer": row.optimizer, "schedule": row.schedule, "lr": row.lr, "epochs": row.epochs, "seed": row.seed,
        "label-smoothing": label_smoothing,
    });
    let results = json!({
        "loss": row.results.loss, "accuracy": row.results.accuracy, "val_loss": row.results.val_loss,
        "val_accuracy": val_accuracy, "best_val_accuracy": row.results.best_val_accuracy, "best_epoch": row.results.best_epoch,
        "test_accuracy": row.results.test_accuracy, "seconds": row.results.seconds,
    });
    let info = json!({
        "version": "0.1.0", "command": [], "config": config, "git": null, "device": "cpu", "engine": "cpu", "threads": 1,
        "dataset": { "name": "synthetic", "digest": "00" }, "started": "2026-01-02T03:04:05Z", "finished": null,
        "status": status, "results": results,
    });
    fs::write(folder.join("runs").join(&row.run).join("run.json"), info.to_string()).unwrap();
}

/// What the report on these says, as JSON, and its warnings.
fn reported(folder: &TempDir, of: &[&str]) -> (Value, String) {
    let output = lrsched(folder).args(["report", "-q"]).args(of).args(["-o", "r.json"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap(), said)
}

fn summary(report: &Value) -> String {
    report["summary"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// The table is written now and then while a comparison runs, and not at all when a run is resumed alone.
#[test]
fn a_run_speaks_for_itself_before_the_table_of_its_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("c");
    let mut rows = three_seeds("cosine", [0.7, 0.7, 0.7]);
    // As in the last of their epochs.
    for row in &mut rows {
        (row.results.loss, row.results.accuracy, row.results.val_loss) = (Some(1.0 - 0.7), Some(0.7), Some(1.0 - 0.7));
    }
    comparison(&at, &rows);
    rows.iter().for_each(|row| write_record(&at, row, "finished", 0.7, 0.0));
    let (report, said) = reported(&folder, &["c"]);
    assert!(said.is_empty(), "{said}");
    let is_07 = |report: &Value| (report["entrants"][0]["val_accuracy"].as_f64().unwrap() - 0.7).abs() < 1e-12;
    assert!(is_07(&report), "{report}");
    // As when the comparison was interrupted, and the run resumed by hand.
    rows[0].status = lrsched::record::Status::Interrupted;
    // As when somebody edits it.
    rows[1].results.val_accuracy = Some(0.9);
    write_rows(&at.join("comparison.csv"), &rows).unwrap();
    let (report, said) = reported(&folder, &["c"]);
    assert!(report["entrants"][0]["n"] == 3 && is_07(&report), "{report}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("cosine-1: its results are not those that its comparison has in comparison.csv"), "{said}");
}

#[test]
fn a_run_without_its_record_is_shown_under_the_name_of_its_folder_with_what_its_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("c");
    comparison(&at, &three_seeds("cosine", [0.7, 0.7, 0.7]));
    fs::rename(at.join("runs/cosine-0"), folder.path().join("lost")).unwrap();
    let (report, said) = reported(&folder, &["lost"]);
    assert_eq!(said, "warning: lost: no readable run.json; shown under its folder's name\n");
    let entrants = report["entrants"].as_array().unwrap();
    let (name, lr) = (entrants[0]["entrant"].as_str().unwrap(), entrants[0]["lr"].as_f64());
    assert!(entrants.len() == 1 && name.contains("lost") && lr.is_some(), "{report}");
}

/// What no run writes is no better for standing in run.json.
#[test]
fn of_a_record_that_cannot_be_right_the_row_of_the_table_stands() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("c");
    let rows = three_seeds("cosine", [0.7, 0.7, 0.7]);
    comparison(&at, &rows);
    rows.iter().for_each(|row| write_record(&at, row, "finished", 0.7, 0.0));
    write_record(&at, &rows[0], "finished", 7.5, 0.0);
    // As of another version, which may have other settings.
    let record = at.join("runs/cosine-1/run.json");
    let text = fs::read_to_string(&record).unwrap().replace("\"lr\":0.1", "\"lr\":null");
    fs::write(&record, text).unwrap();
    let (report, said) = reported(&folder, &["c"]);
    let wrong =
        "cosine-0: `val_accuracy` is 7.5, expected 0 to 1 in its run.json; shown is what comparison.csv says of it";
    assert!(said.contains(wrong), "{said}");
    let entrants = report["entrants"].as_array().unwrap();
    let mean = entrants[0]["val_accuracy"].as_f64().unwrap();
    assert!(entrants.len() == 1 && entrants[0]["n"] == 3 && (mean - 0.7).abs() < 1e-12, "{report}");
}

#[test]
fn a_run_whose_record_and_row_cannot_be_right_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("c");
    let mut rows = three_seeds("cosine", [0.7, 0.7, 0.7]);
    rows[0].results.val_accuracy = Some(1.7);
    comparison(&at, &rows);
    rows.iter().for_each(|row| write_record(&at, row, "finished", 0.7, 0.0));
    write_record(&at, &rows[0], "finished", 1.7, 0.0);
    let left_out = "cosine-0: `val_accuracy` is 1.7, expected 0 to 1 in run.json; left out";
    let (report, said) = reported(&folder, &["c"]);
    assert!(report["entrants"][0]["n"] == 2 && said.contains(left_out), "{report} {said}");
    // Nor by itself.
    let mut alone = lrsched(&folder);
    alone.args(["report", "c/runs/cosine-0", "-o", "alone.html"]).assert().stderr(predicates::str::contains(left_out));
}

#[cfg(unix)]
#[test]
fn a_seed_of_a_range_test_is_the_same_test_from_inside_and_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    range_test(&at("t/seed-0"), |_| {});
    find_json(&at("t"), "lrsched train");
    fs::create_dir(at("other")).unwrap();
    std::os::unix::fs::symlink(at("t/seed-0"), at("other/link")).unwrap();
    let report = |place: &str, of: &str| -> serde_json::Value {
        let mut command = lrsched(&folder);
        command.current_dir(at(place)).args(["report", of, "-o"]).arg(at("r.json")).assert().success();
        let report: serde_json::Value = serde_json::from_slice(&fs::read(at("r.json")).unwrap()).unwrap();
        let test = &report["range_tests"][0];
        assert!(test["name"].as_str().unwrap().ends_with("t"), "{test}");
        json!([test["suggested_lr"], test["run_updates"]])
    };
    let expected = report("", "t/seed-0");
    assert_eq!(expected[1], 640);
    assert_eq!(report("t/seed-0", "."), expected);
    assert_eq!(report("", "other/link"), expected);
}

#[test]
fn a_row_of_a_table_alone_that_no_run_writes_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = three_seeds("cosine", [0.7, 0.7, 0.7]);
    rows[2].results.val_accuracy = Some(7.5);
    comparison(&folder.path().join("c"), &rows);
    let (report, said) = reported(&folder, &["c"]);
    assert_eq!(report["entrants"][0]["n"], 2);
    assert!(said.contains("cosine-2: `val_accuracy` is 7.5, expected 0 to 1 in comparison.csv; left out"), "{said}");
}

#[test]
fn runs_that_the_table_does_not_have_yet_count_as_done() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("c");
    let rows = three_seeds("cosine", [0.7, 0.7, 0.7]);
    comparison(&at, &rows);
    rows.iter().for_each(|row| write_record(&at, row, "finished", 0.7, 0.0));
    RunOrder::new(rows.iter().map(|row| row.run.clone())).of(4).write(&at).unwrap();
    for of_table in [&rows[..], &rows[..1]] {
        write_rows(&at.join("comparison.csv"), of_table).unwrap();
        let (report, _) = reported(&folder, &["c"]);
        assert!(summary(&report).starts_with("Under way: 3 of 4 runs are done."), "{report}");
    }
    // A shard that has just begun has a plan and nothing else.
    let begun = folder.path().join("begun");
    fs::create_dir(&begun).unwrap();
    fs::copy(at.join("plan.json"), begun.join("plan.json")).unwrap();
    let (report, said) = reported(&folder, &["c", "begun"]);
    assert!(summary(&report).starts_with("Under way: 3 of 4 runs are done."), "{report}");
    assert!(said.contains("begun: no run"), "{said}");
    fs::remove_file(at.join("comparison.csv")).unwrap();
    let (report, _) = reported(&folder, &["c"]);
    assert!(summary(&report).starts_with("Under way: 3 of 4 runs are done."), "{report}");
}

/// `a` is complete, `b` is not; together their seeds are one entrant's.
#[test]
fn no_winner_is_named_while_runs_of_its_group_are_planned_whatever_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, first: u64, planned: usize| {
        let at = folder.path().join(name);
        let run =
            |schedule: &str, seed: u64, accuracy: f64| row(&format!("{schedule}-{seed}"), schedule, seed, accuracy);
        let rows: Vec<ComparisonRow> = (first..first + 4)
            .flat_map(|seed| [run("cosine", seed, 0.8 + 0.001 * seed as f64), run("step", seed, 0.6)])
            .collect();
        comparison(&at, &rows);
        RunOrder::new(rows.iter().map(|row| row.run.clone())).of(planned).write(&at).unwrap();
    };
    of("a", 0, 8);
    of("b", 4, 9);
    assert_eq!(reported(&folder, &["a"]).0["entrants"][0]["standing"], "winner");
    for folders in [["a", "b"], ["b", "a"]] {
        let (report, _) = reported(&folder, &folders);
        assert_eq!(report["entrants"][0]["standing"], "not ruled out", "{folders:?}");
    }
}

/// The length of a run that was changed by hand is none of its settings.
#[test]
fn a_run_changed_by_hand_keeps_its_shard_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let rows = three_seeds("cosine", [0.7, 0.7, 0.7]);
    for (name, rows) in [("a", &rows[..2]), ("b", &rows[2..])] {
        let at = folder.path().join(name);
        comparison(&at, rows);
        rows.iter().for_each(|row| write_record(&at, row, "finished", 0.7, 0.0));
        RunOrder::new(["cosine-0", "cosine-1", "cosine-2"].map(str::to_string)).of(3).write(&at).unwrap();
    }
    let record = folder.path().join("a/runs/cosine-0/run.json");
    let mut info: Value = serde_json::from_str(&fs::read_to_string(&record).unwrap()).unwrap();
    info["changes"] = json!([{ "time": "2026-01-02T03:04:05Z", "step": 100, "epoch": 1, "setting": "scale-lr", "from": "1", "to": "0.5" }]);
    fs::write(&record, info.to_string()).unwrap();
    let (report, _) = reported(&folder, &["a", "b"]);
    assert!(!summary(&report).contains("Under way"), "{report}");
}

/// Label smoothing is not in the names of runs.
#[test]
fn comparisons_with_other_settings_are_no_shards_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let rows = three_seeds("cosine", [0.7, 0.7, 0.7]);
    for (name, rows, smoothing) in [("a", &rows[..], 0.0), ("b", &rows[..2], 0.1)] {
        let at = folder.path().join(name);
        comparison(&at, rows);
        rows.iter().for_each(|row| write_record(&at, row, "finished", 0.7, smoothing));
        RunOrder::new(["cosine-0", "cosine-1", "cosine-2"].map(str::to_string)).of(3).write(&at).unwrap();
    }
    let (report, _) = reported(&folder, &["a", "b"]);
    assert!(summary(&report).starts_with("Under way: 5 of 6 runs are done."), "{report}");
}

/// Each shard knows its own second looks and finals alone.
#[test]
fn shards_of_a_tuned_comparison_are_one_plan_and_other_seeds_are_another() {
    let runs = |finals: u64, study_of: fn(u64) -> u64| -> Vec<ComparisonRow> {
        let in_stage = |stage: Stage, study: u64, seed: u64| {
            let run = row(&format!("sgd_cosine_lr=0.1_seed={seed}"), "cosine", seed, 0.7);
            let role =
                Role { entrant: "sgd/cosine".into(), stage, study: Some(study), trial: Some(0), finalists: None };
            ComparisonRow { role: Some(role), ..run }
        };
        let trials = (0..2).map(|study| in_stage(Stage::Trial, study, 1_000_000 + 3 * study));
        trials.chain((0..finals).map(|seed| in_stage(Stage::Final, study_of(seed), seed))).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &[&ComparisonRow], total: usize| {
        let rows: Vec<ComparisonRow> = rows.iter().copied().cloned().collect();
        let at = folder.path().join(name);
        comparison(&at, &rows);
        let trials = ["sgd_cosine_lr=0.1_seed=1000000", "sgd_cosine_lr=0.1_seed=1000003"].map(str::to_string);
        let names = trials.into_iter().chain(rows.iter().map(|row| row.run.clone()));
        RunOrder::new(names).of(total).write(&at).unwrap();
    };
    let one = runs(2, |seed| seed);
    write("one", &[&one[0], &one[2]], 4);
    write("two", &[&one[1], &one[3]], 4);
    let (report, _) = reported(&folder, &["one"]);
    assert!(summary(&report).contains("Under way: 2 of 4 runs are done."), "{report}");
    let (report, _) = reported(&folder, &["one", "two"]);
    assert!(!summary(&report).contains("Under way"), "{report}");
    // Two finals in each study: seed 1 is one of the first.
    let other = runs(4, |seed| seed / 2);
    write("whole", &one.iter().collect::<Vec<_>>(), 4);
    write("other", &other.iter().collect::<Vec<_>>(), 6);
    let groups = |folders: [&str; 2]| {
        let loaded = load(&folders.map(|name| folder.path().join(name)));
        let groups: Vec<String> = loaded.runs.iter().map(|run| run.group.clone()).collect();
        groups.iter().collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((groups(["whole", "other"]), groups(["one", "two"])), (2, 1));
}

/// A range test whose loss falls to its middle and rises again.
fn range_test(folder: &Path, cut: impl Fn(&mut Vec<RangeRow>)) {
    let mut rows: Vec<RangeRow> = (0..100_u64)
        .map(|iteration| {
            let place = iteration as f64 / 99.0;
            let loss = 1.0 + 4.0 * (place - 0.6).powi(2) + if place > 0.8 { 40.0 * (place - 0.8) } else { 0.0 };
            RangeRow {
                iteration,
                learning_rate: 1e-4 * 1e4_f64.powf(place),
                momentum: None,
                loss,
                smoothed_loss: loss,
                val_accuracy: Some((0.7 - (place - 0.6).powi(2)).max(0.1)),
            }
        })
        .collect();
    cut(&mut rows);
    write_rows(&folder.join("range.csv"), &rows).unwrap();
}

fn find_json(folder: &Path, line: &str) {
    let record = json!({
        "version": "0.1.0", "command": [], "config": { "for-epochs": 40 }, "tests": [], "suggestions": [],
        "run_updates": 640, "commands": [{ "purpose": "next", "line": line }],
    });
    fs::write(folder.join("find.json"), record.to_string()).unwrap();
}

#[test]
fn a_range_test_is_read_once_and_one_with_a_record_is_no_seed_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for seed in ["t/seed-0", "t/seed-1"] {
        range_test(&at(seed), |_| {});
    }
    find_json(&at("t"), "lrsched train");
    for name in ["alone/seed-5", "alone/seed-6"] {
        range_test(&at(name), |_| {});
        find_json(&at(name), "lrsched train");
    }
    let tests = |of: &[&str]| -> Vec<(String, usize)> {
        let paths: Vec<_> = of.iter().map(|name| at(name)).collect();
        let name = |name: &str| Path::new(name).strip_prefix(folder.path()).unwrap().display().to_string();
        load(&paths).ranges.iter().map(|range| (name(&range.name), range.tests.len())).collect()
    };
    let of_two = vec![("t".to_string(), 2)];
    for of in [&["t"][..], &["t", "t/seed-0"], &["t", "./t"], &["t/seed-1", "t"]] {
        assert_eq!(tests(of), of_two, "{of:?}");
    }
    let apart = [("alone/seed-5".to_string(), 1), ("alone/seed-6".to_string(), 1)];
    assert_eq!(tests(&["alone"]), apart);
    assert_eq!(reported(&folder, &["t/seed-0", "t/seed-1"]).1, "", "the second is of the test of the first");
    let (_, said) = reported(&folder, &["t", "t/seed-0"]);
    assert_eq!(said, "warning: t/seed-0: the same range test again, left out\n");
    // Neither is dropped from a picture or from the JSON, and a table has no row for them.
    let (report, _) = reported(&folder, &["alone"]);
    let rates: Vec<f64> =
        report["range_tests"].as_array().unwrap().iter().map(|one| one["suggested_lr"].as_f64().unwrap()).collect();
    assert_eq!((rates.len(), rates[0]), (2, rates[1]));
    let drawn = |of: &[&str], name: &str| {
        self::report(folder.path(), &[of, &["-o", name]].concat()).assert().success();
        fs::read_to_string(at(name)).unwrap().matches("<svg").count()
            + fs::read_to_string(at(name)).unwrap().matches("Training loss").count()
    };
    assert!(drawn(&["alone"], "two.svg") > drawn(&["alone/seed-5"], "one.svg"));
    self::report(folder.path(), &["alone", "-o", "r.csv"])
        .assert()
        .code(2)
        .stderr(predicates::str::contains("there is no run here, only range tests"));
    assert!(!at("r.csv").exists());
}

#[test]
fn what_no_range_test_writes_is_named_and_no_rate_is_nan() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("t");
    range_test(&at, |rows| rows[90].learning_rate = f64::NAN);
    // What is pasted is what is seen: no command that a terminal would show otherwise.
    for unseen in ["\n```\n", "\u{202e}", "\u{2028}"] {
        find_json(&at, &format!("lrsched train {unseen}<b>hi</b>"));
        self::report(folder.path(), &["t", "-o", "r.md"]).assert().success();
        assert!(!fs::read_to_string(folder.path().join("r.md")).unwrap().contains("lrsched train"), "{unseen:?}");
    }
    find_json(&at, "lrsched train\n```\n<b>hi</b>");
    let (report, said) = reported(&folder, &["t"]);
    assert!(
        said.contains("row 91: `learning_rate` is NaN, expected a number; only the rows before it are shown"),
        "{said}"
    );
    assert!(report["range_tests"][0]["suggested_lr"].as_f64().is_some_and(f64::is_finite), "{report}");
    self::report(folder.path(), &["t", "-o", "r.md"]).assert().success();
    assert!(!fs::read_to_string(folder.path().join("r.md")).unwrap().contains("<b>hi"));
}

#[test]
fn short_runs_shorter_than_the_run_are_said_to_be_and_one_seed_with_an_answer_does_not_agree_with_itself() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    range_test(&at("t"), |_| {});
    find_json(&at("t"), "lrsched train");
    let short = |updates: u64| -> Vec<RefineRow> {
        let run = |(rate, accuracy): (f64, Option<f64>)| RefineRow {
            learning_rate: rate,
            seed: 0,
            updates,
            val_loss: accuracy.map(|_| 1.0),
            val_accuracy: accuracy,
            val_images: 5000,
        };
        [(0.005, Some(0.5)), (0.01, Some(0.55)), (0.02, None)].map(run).to_vec()
    };
    let said = |updates: u64| {
        write_rows(&at("t/refine.csv"), &short(updates)).unwrap();
        summary(&reported(&folder, &["t"]).0)
    };
    let text = said(20);
    assert!(
        text.contains(
            "(refined), from runs of 20 updates; a run of at least 350 updates (40 epochs take 640) may need another rate."
        ),
        "{text}"
    );
    let text = said(350);
    assert!(text.contains("(refined), for a run of at least 350 updates (40 epochs take 640)."), "{text}");
    // A rate at which every short run diverged is drawn at the accuracy of guessing.
    let loaded = load(&[at("t")]);
    let figure = loaded.ranges[0].figure(&loaded.ranges[0].suggestions(), "");
    let mut lines = figure.panels.iter().flat_map(|panel| &panel.series);
    let line = lines.find(|series| series.name.starts_with("short runs")).unwrap();
    assert_eq!(line.points, [(0.005, 0.5), (0.01, 0.55), (0.02, 0.1)]);

    range_test(&at("s/seed-0"), |_| {});
    range_test(&at("s/seed-1"), |rows| {
        for row in rows.iter_mut() {
            (row.loss, row.smoothed_loss, row.val_accuracy) = (2.3, 2.3, Some(0.1));
        }
    });
    let text = summary(&reported(&folder, &["s"]).0);
    assert!(text.contains("Only 1 of 2 seeds has an answer."), "{text}");
}

/// The folder of a seed has no mark of its own, and that of a comparison may have lost it.
#[test]
fn no_output_overwrites_the_rows_of_a_seed_or_the_plan_of_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    range_test(&at("t/seed-0"), |_| {});
    RunOrder::new(["a".to_string()]).write(folder.path()).unwrap();
    for output in ["t/seed-0/range.csv", "plan.json"] {
        let before = fs::read(at(output)).unwrap();
        let format = if output.ends_with("json") { "json" } else { "csv" };
        let mut command = lrsched(&folder);
        let refused = command.args(["show", "cosine", "--format", format, "-o", output]).assert().code(2);
        refused.stderr(predicates::str::contains("would be overwritten"));
        assert_eq!(fs::read(at(output)).unwrap(), before);
    }
    // What is drawn can be drawn again.
    comparison(&at("c"), &[row("a", "cosine", 0, 0.8)]);
    report(folder.path(), &["c", "-o", "c/trials.png"]).assert().success();
}
