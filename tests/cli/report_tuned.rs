//! Tuned and screened comparisons: what counts, what is claimed, and how far an unfinished one is.

use super::report_page::{report, row};
use lrsched::record::{ComparisonRow, EpochRow, Results, Role, Stage, Status, write_rows};
use lrsched::report::analysis::{Group, analyse};
use lrsched::report::export::ranking;
use lrsched::report::load::load;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A comparison of `rows`, each trained at its own rate.
fn comparison(folder: &Path, rows: &[ComparisonRow]) {
    write_rows(&folder.join("comparison.csv"), rows).unwrap();
    for row in rows {
        let epoch = |epoch: u64| EpochRow {
            epoch,
            learning_rate: row.lr,
            loss: 1.0,
            accuracy: 0.5,
            val_loss: Some(1.0),
            val_accuracy: Some(0.5),
            step: (epoch + 1) * 100,
            ..EpochRow::default()
        };
        write_rows(&folder.join("runs").join(&row.run).join("metrics.csv"), &[epoch(0), epoch(1)]).unwrap();
    }
}

fn in_role(row: ComparisonRow, stage: Stage, study: Option<u64>, trial: Option<u64>) -> ComparisonRow {
    let entrant = format!("{}/{}", row.optimizer, row.schedule);
    ComparisonRow { role: Some(Role { entrant, stage, study, trial, finalists: None }), ..row }
}

/// The rates of the trials, whatever the study.
const RATES: [f64; 4] = [0.01, 0.1, 0.03, 0.3];

/// An entrant's study: four trials of which the second is best, second looks at three of them, and finals.
fn study(schedule: &str, number: u64, best: f64, finals: &[f64]) -> Vec<ComparisonRow> {
    let tuning_seed = 1_000_000 + 3 * number;
    let run = |stage: &str, trial: usize, seed: u64, accuracy: f64| ComparisonRow {
        lr: RATES[trial],
        ..row(&format!("{schedule}-{number}-{stage}-{trial}-{seed}"), schedule, seed, accuracy)
    };
    let accuracy = |trial: usize| best - [0.05, 0.0, 0.02, 0.3][trial];
    let mut rows = Vec::new();
    for trial in 0..4 {
        let one = run("trial", trial, tuning_seed, accuracy(trial));
        let one = in_role(one, Stage::Trial, Some(number), Some(trial as u64));
        rows.push(if trial == 3 { ended(&one, Status::Diverged) } else { one });
    }
    for trial in [1, 2, 0] {
        for seed in [tuning_seed + 1, tuning_seed + 2] {
            let again = run("again", trial, seed, accuracy(trial));
            rows.push(in_role(again, Stage::SecondLook, Some(number), Some(trial as u64)));
        }
    }
    for (place, accuracy) in finals.iter().enumerate() {
        let seed = number * finals.len() as u64 + place as u64;
        rows.push(in_role(run("final", 1, seed, *accuracy), Stage::Final, Some(number), Some(1)));
    }
    rows
}

fn ended(row: &ComparisonRow, status: Status) -> ComparisonRow {
    ComparisonRow { status, results: Results::default(), ..row.clone() }
}

/// What is said of the first group, and its ranking.
fn judged(folder: &Path) -> (String, Vec<Value>) {
    let loaded = load(&[folder.to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), None, None).unwrap();
    assert_eq!(groups.len(), 1);
    (groups[0].summary.clone(), ranking(&groups))
}

fn judged_rows(rows: &[ComparisonRow]) -> (String, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), rows);
    judged(folder.path())
}

fn three_studies() -> Vec<ComparisonRow> {
    let cosine = [0.80, 0.812, 0.806].into_iter().enumerate();
    let step = [0.70, 0.713, 0.705].into_iter().enumerate();
    let all = cosine.map(|(number, accuracy)| study("cosine", number as u64, 0.85, &[accuracy]));
    all.chain(step.map(|(number, accuracy)| study("step", number as u64, 0.99, &[accuracy]))).flatten().collect()
}

#[test]
fn trials_and_second_looks_are_no_results_and_a_study_is_one_observation() {
    let (summary, entrants) = judged_rows(&three_studies());
    // Step has the better trials, cosine the better finals.
    assert_eq!(entrants.len(), 2, "{entrants:?}");
    assert_eq!((&entrants[0]["entrant"], &entrants[0]["standing"]), (&"sgd/cosine".into(), &"winner".into()));
    assert!((entrants[0]["val_accuracy"].as_f64().unwrap() - 0.806).abs() < 1e-12 && entrants[0]["n"] == 3);
    assert_eq!((&entrants[0]["unit"], &entrants[0]["claim"]), (&"study".into(), &"tuned".into()));
    assert_eq!(entrants[0]["chosen_peaks"].as_array().unwrap().len(), 3);
    assert_eq!((&entrants[0]["trials"], &entrants[0]["trials_diverged"]), (&12.into(), &3.into()));
    // Its neighbours are worse by two points and by more.
    assert_eq!(entrants[0]["peak_within_a_point"], serde_json::json!([0.1, 0.1]));
    assert!(
        summary.starts_with("Winner: sgd/cosine, peak 0.1, 80.60 ± 0.60 % on validation (3 studies), "),
        "{summary}"
    );
    assert!(summary.contains("The claim is about each schedule, so tuned"), "{summary}");
    assert!(summary.contains("Each had the same budget: 12 trials, 33 runs"), "{summary}");
    assert!(!summary.contains("99") && !summary.contains("85"), "the accuracy of a trial: {summary}");
}

#[test]
fn the_finals_of_a_study_count_as_their_mean() {
    let rows: Vec<ComparisonRow> = (0..3).flat_map(|number| study("cosine", number, 0.85, &[0.7, 0.8])).collect();
    let (_, entrants) = judged_rows(&rows);
    assert_eq!((&entrants[0]["n"], &entrants[0]["val_accuracy_sd"]), (&3.into(), &0.0.into()));
    assert!((entrants[0]["val_accuracy"].as_f64().unwrap() - 0.75).abs() < 1e-12);
}

#[test]
fn tuned_once_the_claim_is_about_these_settings_and_two_studies_support_none() {
    let rows =
        [study("cosine", 0, 0.85, &[0.80, 0.812, 0.806]), study("step", 0, 0.85, &[0.70, 0.713, 0.705])].concat();
    let (summary, entrants) = judged_rows(&rows);
    assert_eq!((&entrants[0]["unit"], &entrants[0]["claim"]), (&"seed".into(), &"settings".into()));
    assert!(summary.contains("The claim is about these settings, on fresh seeds"), "{summary}");
    let two = three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().study != Some(2));
    let (summary, entrants) = judged_rows(&two.collect::<Vec<_>>());
    assert_eq!(entrants[0]["claim"], "none");
    assert!(summary.contains("Two studies are too few for a claim") && !summary.contains("The claim"), "{summary}");
}

#[test]
fn finals_of_a_rate_that_is_no_longer_chosen_are_left_out_and_that_is_said() {
    let mut rows = three_studies();
    // A fifth trial of the first study is better than all before.
    for seed in 1_000_000..1_000_003 {
        let stage = if seed == 1_000_000 { Stage::Trial } else { Stage::SecondLook };
        let one = ComparisonRow { lr: 0.06, ..row(&format!("fifth-{seed}"), "cosine", seed, 0.95) };
        rows.push(in_role(one, stage, Some(0), Some(4)));
    }
    let (summary, entrants) = judged_rows(&rows);
    assert!(summary.contains("1 final run of rates that are no longer the chosen ones is left out."), "{summary}");
    let cosine = entrants.iter().find(|entrant| entrant["entrant"] == "sgd/cosine").unwrap();
    assert_eq!(cosine["n"], 2);
    assert!(summary.contains("NOT the same budget for all"), "{summary}");
}

#[test]
fn a_comparison_that_was_stopped_before_its_finals_says_how_far_it_is() {
    let rows = three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().stage != Stage::Final);
    let rows: Vec<ComparisonRow> = rows.collect();
    let (summary, entrants) = judged_rows(&rows);
    assert!(
        summary.starts_with("Before the finals: all 2 entrants; done so far: 24 trials, 36 second looks."),
        "{summary}"
    );
    assert_eq!((&entrants[0]["standing"], &entrants[0]["val_accuracy"]), (&"no result".into(), &Value::Null));
    assert!(entrants[0]["verdict"].as_str().unwrap().starts_with("no result yet: 12 trials, 18 second looks"));
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    report(folder.path(), &["."]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("<h2>Which rate?</h2>") && !html.contains("<h2>Ranking</h2>"), "nothing can be ranked");
}

#[test]
fn a_failed_trial_stops_its_chain_and_the_best_at_the_edge_is_loud() {
    let mut rows = three_studies();
    let failed = rows.iter().position(|row| row.role.as_ref().unwrap().stage == Stage::SecondLook).unwrap();
    rows[failed] = ended(&rows[failed], Status::Failed);
    let (summary, _) = judged_rows(&rows);
    assert!(
        summary.contains(
            "Stopped by a run that failed, until it is trained again: the tuning or screening of sgd/cosine."
        ),
        "{summary}"
    );
    assert!(!summary.contains("AT THE EDGE"), "{summary}");
    // Without the trial above it, the chosen rate is the highest that was tried.
    let lower = three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().trial != Some(3));
    let (summary, _) = judged_rows(&lower.collect::<Vec<_>>());
    assert!(
        summary.contains(
            "AT THE EDGE of what was tried lies the chosen rate of sgd/cosine (the highest in 3 of 3 studies) and"
        ),
        "{summary}"
    );
}

/// Four entrants on three seeds, and the first two on four fresh ones.
fn screened() -> Vec<ComparisonRow> {
    let run = |schedule: &str, seed: u64, accuracy: f64, stage| {
        in_role(row(&format!("{schedule}-{seed}"), schedule, seed, accuracy), stage, None, None)
    };
    let noise = |seed: u64| 0.001 * (seed * 7 % 5) as f64;
    let mut rows = Vec::new();
    for (schedule, accuracy) in [("cosine", 0.8), ("step", 0.79), ("linear", 0.75), ("time", 0.7)] {
        rows.extend((0..3).map(|seed| run(schedule, seed, accuracy + noise(seed), Stage::Screening)));
    }
    for (schedule, accuracy) in [("cosine", 0.77), ("step", 0.78)] {
        rows.extend((3..7).map(|seed| run(schedule, seed, accuracy + noise(seed), Stage::Final)));
    }
    of_finalists(2, rows)
}

/// In a comparison that was planned with so many finalists.
fn of_finalists(count: u64, mut rows: Vec<ComparisonRow>) -> Vec<ComparisonRow> {
    rows.iter_mut().for_each(|row| row.role.as_mut().unwrap().finalists = Some(count));
    rows
}

fn standing<'a>(entrants: &'a [Value], name: &str) -> &'a str {
    entrants.iter().find(|one| one["entrant"] == name).unwrap()["standing"].as_str().unwrap()
}

#[test]
fn a_final_of_an_entrant_that_is_no_longer_a_finalist_is_left_out_and_that_is_said() {
    // By its finals linear is the best; by the screening, cosine and step were ahead when they began.
    let linear = |seed: u64| in_role(row(&format!("linear-{seed}"), "linear", seed, 0.9), Stage::Final, None, None);
    let rows = of_finalists(2, screened().into_iter().chain((3..7).map(linear)).collect());
    let (summary, entrants) = judged_rows(&rows);
    assert_eq!((standing(&entrants, "sgd/step"), standing(&entrants, "sgd/linear")), ("winner", "screened out"));
    assert!(summary.contains("Left out: 4 final runs of an entrant that is no longer a finalist."), "{summary}");
    assert!(!summary.contains("90.0"), "{summary}");
    // With three finalists it is one.
    let (summary, entrants) = judged_rows(&of_finalists(3, rows));
    assert_eq!((standing(&entrants, "sgd/linear"), standing(&entrants, "sgd/time")), ("winner", "screened out"));
    assert!(!summary.contains("no longer"), "{summary}");
}

#[test]
fn while_a_screening_run_has_failed_nobody_is_screened_out() {
    let mut rows: Vec<ComparisonRow> = screened().into_iter().filter(|row| row.seed < 3).collect();
    let failed = rows.iter().position(|row| row.schedule == "time").unwrap();
    rows[failed] = ended(&rows[failed], Status::Failed);
    let (summary, entrants) = judged_rows(&rows);
    assert!(entrants.iter().all(|one| one["standing"] == "no result"), "{entrants:?}");
    assert!(!summary.contains("Screened out"), "{summary}");
    assert!(summary.contains("Stopped by a run that failed, until it is trained again"), "{summary}");
}

#[test]
fn a_baseline_that_is_screened_out_is_named_and_all_pairs_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &screened());
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), None, Some("sgd/time")).unwrap();
    let summary = &groups[0].summary;
    assert!(summary.starts_with("Winner: sgd/step"), "{summary}");
    assert!(summary.contains("The baseline sgd/time was screened out: all pairs are judged."), "{summary}");
}

#[test]
fn only_finalists_are_judged_and_the_others_are_listed_as_screened_out() {
    let (summary, entrants) = judged_rows(&screened());
    let told: Vec<(&str, &str)> =
        entrants.iter().map(|one| (one["entrant"].as_str().unwrap(), one["standing"].as_str().unwrap())).collect();
    let expected = [
        ("sgd/step", "winner"),
        ("sgd/cosine", "ruled out"),
        ("sgd/linear", "screened out"),
        ("sgd/time", "screened out"),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (&entrants[0]["n"], &entrants[2]["n"], &entrants[2]["val_accuracy"]),
        (&4.into(), &0.into(), &Value::Null)
    );
    assert!((entrants[2]["screening_accuracy"].as_f64().unwrap() - 0.752).abs() < 0.002);
    assert!(summary.contains("It beats every other finalist") && summary.contains("Screened out: 2"), "{summary}");
    assert!(!summary.contains("Not compared"), "{summary}");
}

#[test]
fn the_order_of_folders_changes_nothing_and_tuned_entrants_are_a_group_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    comparison(&folder.path().join("tuned"), &three_studies());
    comparison(&folder.path().join("plain"), &[row("a", "cosine", 0, 0.9)]);
    let of = |names: [&str; 2]| {
        let loaded = load(&names.map(|name| folder.path().join(name)));
        let groups = analyse(&loaded.entrants(), &loaded.metrics(), None, None).unwrap();
        (groups.iter().map(|group| group.label.to_string()).collect::<Vec<_>>(), ranking(&groups))
    };
    let first = of(["tuned", "plain"]);
    assert_eq!(first.0, ["tuned=yes", "tuned=no"]);
    assert_eq!(of(["plain", "tuned"]), first);
}

/// The labels of the groups of these comparisons, each in a folder of its own.
fn groups_of(comparisons: &[Vec<ComparisonRow>]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let place = |number: usize| folder.path().join(number.to_string());
    comparisons.iter().enumerate().for_each(|(number, rows)| comparison(&place(number), rows));
    let of = |places: Vec<PathBuf>| {
        let loaded = load(&places);
        let groups = analyse(&loaded.entrants(), &loaded.metrics(), None, None).unwrap();
        let named = |group: &Group<'_>| {
            group.analyses.iter().all(|one| ["sgd/cosine", "sgd/step", "sgd/linear", "sgd/time"].contains(&&*one.short))
        };
        assert!(groups.iter().all(named), "within a group the comparison need not be named");
        groups.iter().map(|group| group.label.to_string()).collect::<Vec<_>>()
    };
    let forth = of((0..comparisons.len()).map(place).collect());
    assert_eq!(of((0..comparisons.len()).rev().map(place).collect()), forth, "the order of folders changes nothing");
    forth
}

#[test]
fn two_tunings_of_the_same_entrants_are_groups_and_the_shards_of_one_are_not() {
    let later = |row: &ComparisonRow| ComparisonRow { seed: row.seed + 100, ..row.clone() };
    let other = three_studies().iter().map(later).collect();
    assert_eq!(groups_of(&[three_studies(), other]), ["comparison=0", "comparison=1"]);
    // The same seeds at other points.
    let elsewhere = |row: &ComparisonRow| ComparisonRow { lr: row.lr * 2.0, ..row.clone() };
    let other = three_studies().iter().map(elsewhere).collect();
    assert_eq!(groups_of(&[three_studies(), other]).len(), 2);
    let (some, others) = three_studies()
        .into_iter()
        .partition(|row| row.schedule == "step" && row.role.as_ref().unwrap().study == Some(1));
    assert_eq!(groups_of(&[some, others]), [""]);
}

#[test]
fn a_seed_that_screens_in_one_comparison_and_judges_in_another_sets_them_apart() {
    let later = |row: &ComparisonRow| ComparisonRow { seed: row.seed + 2, ..row.clone() };
    let other = screened().iter().map(later).collect();
    assert_eq!(groups_of(&[screened(), other]), ["comparison=0", "comparison=1"]);
    let (some, others) = screened().into_iter().partition(|row| row.schedule == "step");
    assert_eq!(groups_of(&[some, others]), [""]);
}

#[test]
fn a_finalist_whose_finals_have_not_begun_is_not_screened_out() {
    // Cosine is ahead of step in the screening.
    let rows: Vec<ComparisonRow> =
        screened().into_iter().filter(|row| row.schedule != "cosine" || row.seed < 3).collect();
    let (summary, entrants) = judged_rows(&rows);
    assert_eq!((standing(&entrants, "sgd/cosine"), standing(&entrants, "sgd/linear")), ("no result", "screened out"));
    assert!(summary.contains("Before the finals: sgd/cosine; done so far: 3 screening runs."), "{summary}");
    assert!(!summary.contains("Winner") && summary.contains("Screened out: 2; 2 finalists judged"), "{summary}");
}

#[test]
fn finalists_cost_more_than_those_screened_out_and_that_is_no_unequal_budget() {
    let screening = |schedule: &str, number, accuracy| {
        let mut rows = study(schedule, number, accuracy, &[accuracy]);
        rows.last_mut().unwrap().role.as_mut().unwrap().stage = Stage::Screening;
        rows
    };
    let mut rows: Vec<ComparisonRow> = Vec::new();
    for (schedule, accuracy) in [("cosine", 0.8), ("step", 0.79), ("linear", 0.6)] {
        rows.extend((0..3).flat_map(|number| screening(schedule, number, accuracy)));
    }
    // Only the trials of step's first study on fresh seeds have begun.
    rows.extend((3..6).flat_map(|number| study("cosine", number, 0.8, &[0.79])));
    let (summary, entrants) = judged_rows(&of_finalists(2, [rows.clone(), study("step", 3, 0.8, &[])].concat()));
    let last = entrants.last().unwrap();
    assert_eq!((&last["entrant"], &last["standing"]), (&"sgd/linear".into(), &"screened out".into()));
    assert!(summary.contains("Before the finals: sgd/step"), "{summary}");
    rows.extend((3..6).flat_map(|number| study("step", number, 0.79, &[0.77])));
    let (summary, _) = judged_rows(&of_finalists(2, rows));
    assert!(summary.contains("Each finalist had the same budget: 24 trials"), "{summary}");
    assert!(summary.contains("Each of the others had the same budget: 12 trials"), "{summary}");
    assert!(!summary.contains("NOT the same budget"), "{summary}");
}

#[test]
fn a_bad_first_trial_does_not_press_the_best_so_far_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows: Vec<ComparisonRow> = (0..3).flat_map(|number| study("cosine", number, 0.85, &[0.8])).collect();
    for row in rows.iter_mut().filter(|row| row.role.as_ref().unwrap().trial == Some(0)) {
        row.results.val_accuracy = Some(0.1);
    }
    comparison(folder.path(), &rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), None, None).unwrap();
    let best = lrsched::report::trials::of(&groups).best.unwrap();
    let (low, high) = best.y_range.unwrap();
    assert!(low > 0.7 && high > 0.85 && high < 0.9, "{low} to {high}");
}

#[test]
fn the_page_begins_with_the_ranking_and_shows_what_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &three_studies());
    report(folder.path(), &[".", "--png", "--svg", "--csv"]).assert().success();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (html, svg) = (read("report.html"), read("report.svg"));
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(at("<h2>Ranking</h2>") < at("<h2>Which rate?</h2>") && at("<h2>Which rate?</h2>") < at("<h2>Curves</h2>"));
    for text in ["peak 0.1", "row winner", "title=\"winner; 95 % interval ", "diverged</span>"] {
        at(text);
    }
    for text in
        ["winner", "ruled out", "peak 0.1", "chosen: the mean of its looks", "Best so far, mean over the studies"]
    {
        assert!(svg.lines().any(|line| line == text), "{text}");
    }
    let header = read("report.csv").lines().next().unwrap().to_string();
    assert!(header.ends_with(
        ",chosen_peaks,peak_low,peak_high,trials,trials_diverged,runs_in_all,epochs_in_all,screening_accuracy"
    ));
}

#[test]
fn a_grid_over_rates_is_drawn_against_the_rate_and_one_rate_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let run = |(place, lr): (usize, f64)| ComparisonRow { lr, ..row(&format!("r{place}"), "cosine", 0, 0.7) };
    let rows: Vec<ComparisonRow> = [0.01, 0.1, 1.0].into_iter().enumerate().map(run).collect();
    comparison(&folder.path().join("grid"), &rows);
    comparison(&folder.path().join("one"), &rows[..2]);
    for (name, drawn) in [("grid", true), ("one", false)] {
        report(folder.path(), &[name]).assert().success();
        let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert_eq!(html.contains("<h2>Which rate?</h2>"), drawn, "{name}");
        assert_eq!(html.contains("<figcaption>sgd/cosine</figcaption>"), drawn, "named without one of its rates");
    }
}
