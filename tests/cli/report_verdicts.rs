//! Who won, in the words of a report: what is claimed, of whom, and what is not.

use super::report_page::{comparison, report, row, three_seeds};
use lrsched::record::{ComparisonRow, Results, RunOrder, Status};
use lrsched::report::analysis::{Asked, Group, analyse};
use lrsched::report::export::ranking;
use lrsched::report::load::{Loaded, load};
use predicates::prelude::*;
use std::fs;
use std::path::Path;

fn judged(loaded: &Loaded) -> Vec<Group<'_>> {
    analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap()
}

/// The verdict on each entrant, in the order of the ranking, and what is said of them all.
fn verdicts(rows: &[ComparisonRow]) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = judged(&loaded);
    let verdicts = groups[0].analyses.iter().map(|analysis| format!("{}: {}", analysis.name, analysis.verdict));
    assert_eq!(groups.len(), 1);
    (verdicts.collect(), groups[0].summary.clone())
}

/// Runs with the seeds 0, 1, … and these accuracies.
fn seeds(schedule: &str, accuracies: &[f64]) -> Vec<ComparisonRow> {
    let run = |(seed, accuracy): (usize, &f64)| row(&format!("{schedule}-{seed}"), schedule, seed as u64, *accuracy);
    accuracies.iter().enumerate().map(run).collect()
}

#[test]
fn a_verdict_says_who_may_be_the_best_and_who_is_not() {
    let rows = [
        three_seeds("cosine", [0.800, 0.812, 0.806]),
        three_seeds("step", [0.781, 0.795, 0.789]),
        three_seeds("time", [0.790, 0.820, 0.795]),
    ]
    .concat();
    let (verdicts, summary) = verdicts(&rows);
    assert_eq!(verdicts[0], "sgd/cosine: highest; may be the best");
    assert!(
        verdicts[1].starts_with("sgd/time: may be the best: 0.4 points behind sgd/cosine (n = 3); ")
            && verdicts[1].ends_with(" fresh seeds show such a gap in 80 % of cases"),
        "{verdicts:?}"
    );
    assert_eq!(verdicts[2], "sgd/step: ruled out: 1.8 points behind sgd/cosine (n = 3)");
    assert!(summary.starts_with("Highest: sgd/cosine, 80.60 ± 0.60 % on validation (n = 3), "), "{summary}");
    let open = "% on test. No winner: 2 of 3 entrants may be the best (95 %): sgd/cosine and sgd/time. ";
    assert!(summary.contains(open), "{summary}");
    assert!(summary.contains("Ruled out, because the best is one of the others: sgd/step. "), "{summary}");
    let stricter =
        "No two can be told apart (95 %, all 3 pairs judged together, a stricter test than the one that rules out).";
    assert!(summary.contains(stricter), "{summary}");
    assert!(
        summary.contains("If its lead over sgd/time and the spread of it are as observed, ")
            && summary
                .contains(" fresh seeds of each would show it in 80 % of cases, judged without the results so far."),
        "{summary}"
    );
}

#[test]
fn nothing_is_claimed_before_all_planned_runs_are_there() {
    let rows = [three_seeds("cosine", [0.800, 0.812, 0.806]), three_seeds("step", [0.600, 0.610, 0.605])].concat();
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    let said = |runs: &[&str]| {
        RunOrder::new(runs.iter().map(ToString::to_string)).of(runs.len()).write(folder.path()).unwrap();
        report(folder.path(), &[".", "--md", "-o", "report.json"]).assert().success();
        let ranking: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
        let standing = ranking["entrants"][0]["standing"].as_str().unwrap().to_string();
        (standing, fs::read_to_string(folder.path().join("report.md")).unwrap())
    };
    let names: Vec<&str> = rows.iter().map(|row| row.run.as_str()).collect();
    let (standing, markdown) = said(&names);
    assert_eq!(standing, "winner");
    assert!(markdown.contains("Winner: sgd/cosine, "), "{markdown}");
    let (standing, markdown) = said(&[&names[..], &["sgd_linear_seed=0"]].concat());
    assert_eq!(standing, "not ruled out");
    for claim in ["Winner: ", "beats", "ruled out", "may be the best", "95 %", "The claim"] {
        assert!(!markdown.contains(claim), "{claim} in {markdown}");
    }
    assert!(markdown.contains("Under way: 6 of 7 runs are done. No claim is made before all are: "), "{markdown}");
    assert!(markdown.contains("so far 20.1 points behind sgd/cosine (n = 3)"), "{markdown}");
    let ranking = fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert_eq!((ranking.matches(r#""claim": "none""#).count(), ranking.matches(r#""claim": "#).count()), (2, 2));
    for form in ["html", "svg"] {
        report(folder.path(), &[".", "-o", &format!("report.{form}")]).assert().success();
        let drawn = fs::read_to_string(folder.path().join(format!("report.{form}"))).unwrap();
        for claim in ["may be the best", "but no proven winner"] {
            assert!(!drawn.contains(claim), "{claim} in report.{form}");
        }
        assert!(drawn.contains("6 of 7 runs"), "a picture says how far it is, too: report.{form}");
    }
    // Of the others no run is there yet.
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows[..3]);
    RunOrder::new(names.iter().map(ToString::to_string)).of(names.len()).write(folder.path()).unwrap();
    report(folder.path(), &[".", "--md"]).assert().success();
    for form in ["html", "md"] {
        let page = fs::read_to_string(folder.path().join(format!("report.{form}"))).unwrap();
        let all = page.matches("he only entrant").count();
        assert_eq!(all, page.matches("he only entrant with runs so far").count(), "{page}");
        assert!(page.contains("The only entrant with runs so far: "), "{page}");
    }
}

#[test]
fn the_ranking_the_page_and_the_table_claim_something_where_the_sentences_do() {
    // The leader shares no seed with the others, of which one beats the other.
    let mut leader = seeds("cosine", &[0.9, 0.9]);
    (leader[0].seed, leader[1].seed) = (10, 11);
    let constant = seeds("constant", &[0.8, 0.81, 0.82, 0.8, 0.81]);
    let rows = [leader, constant, seeds("linear", &[0.6, 0.61, 0.62, 0.6, 0.61])].concat();
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    let written = |name: &str| {
        report(folder.path(), &[".", "-o", name]).assert().success();
        fs::read_to_string(folder.path().join(name)).unwrap()
    };
    let (ranking, page) = (written("r.json"), written("r.html"));
    assert!(ranking.contains("2 of 3 entrants may be the best"), "{ranking}");
    assert_eq!(ranking.matches(r#""claim": "settings""#).count(), 3, "{ranking}");
    assert!(page.contains("but no proven winner") && !page.contains("without a claim"));
    assert!(page.contains("title=\"may be the best"), "the mark of the leader");
}

#[test]
fn of_a_run_that_was_interrupted_it_is_said_that_it_was() {
    let stopped =
        ComparisonRow { status: Status::Interrupted, results: Results::default(), ..row("a", "cosine", 0, 0.8) };
    let (verdicts, _) = verdicts(&[stopped]);
    assert_eq!(verdicts, ["sgd/cosine: no result yet: interrupted"]);
}

#[test]
fn what_only_guesses_and_what_is_the_same_is_said() {
    let rows = [three_seeds("cosine", [0.41, 0.42, 0.40]), three_seeds("step", [0.1, 0.11, 0.1])].concat();
    let (_, summary) = verdicts(&rows);
    assert!(summary.contains("No better than guessing (10 %): sgd/step."), "{summary}");
    assert!(!summary.contains("Nothing was learned") && !summary.contains("The same runs"), "{summary}");
    let rows = [three_seeds("cosine", [0.12, 0.1, 0.1]), three_seeds("step", [0.1, 0.11, 0.1])].concat();
    let (_, summary) = verdicts(&rows);
    assert!(summary.contains("Nothing was learned: guessing has 10 %, too. "), "{summary}");
    let rows = [three_seeds("cosine", [0.41, 0.42, 0.40]), three_seeds("constant", [0.41, 0.42, 0.40])].concat();
    let (_, summary) = verdicts(&rows);
    assert!(summary.contains("The same runs to the last digit: sgd/constant and sgd/cosine."), "{summary}");
}

#[test]
fn a_comparison_under_way_takes_the_winner_from_no_other_and_shards_are_one() {
    let rows = [three_seeds("cosine", [0.800, 0.812, 0.806]), three_seeds("step", [0.600, 0.610, 0.605])].concat();
    let names = || rows.iter().map(|row| row.run.clone());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    comparison(&at("over"), &rows);
    RunOrder::new(names()).write(&at("over")).unwrap();
    let longer: Vec<ComparisonRow> = rows.iter().map(|row| ComparisonRow { epochs: 30, ..row.clone() }).collect();
    comparison(&at("begun"), &longer);
    RunOrder::new(names().chain(["more".to_string()])).write(&at("begun")).unwrap();
    let standings = |folders: &[&str]| -> Vec<(String, String)> {
        report(folder.path(), &[folders, &["-o", "r.json"]].concat()).assert().success();
        let told: serde_json::Value = serde_json::from_slice(&fs::read(at("r.json")).unwrap()).unwrap();
        let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap().to_string();
        let entrants = told["entrants"].as_array().unwrap().iter();
        entrants
            .map(|one| (text(one, "group"), text(one, "standing")))
            .filter(|(_, told)| told != "ruled out")
            .collect()
    };
    let expected = [("epochs=3", "winner"), ("epochs=30", "not ruled out"), ("epochs=30", "not ruled out")];
    let mut found = standings(&["over", "begun"]);
    found.sort();
    assert_eq!(found, expected.map(|(group, told)| (group.to_string(), told.to_string())));
    // The words below a picture are those of what it shows: intervals of the one, none of the other, or both.
    let said = |folders: &[&str]| {
        report(folder.path(), &[folders, &["-o", "r.html"]].concat()).assert().success();
        let page = fs::read_to_string(at("r.html")).unwrap();
        ["Bars: the 95 % interval", "Intervals are drawn once no run is missing"].map(|words| page.contains(words))
    };
    assert_eq!(
        [said(&["over"]), said(&["begun"]), said(&["over", "begun"])],
        [[true, false], [false, true], [true; 2]]
    );

    for (shard, rows) in [("one", &rows[..3]), ("two", &rows[3..])] {
        comparison(&at(shard), rows);
        RunOrder::new(names()).of(6).write(&at(shard)).unwrap();
    }
    assert_eq!(standings(&["one"]), [(String::new(), "not ruled out".to_string())]);
    assert_eq!(standings(&["one", "two"]), [(String::new(), "winner".to_string())]);
}

#[test]
fn of_a_gap_that_no_sensible_number_of_seeds_can_confirm_that_is_said_in_place_of_a_number() {
    let rows =
        [seeds("cosine", &[0.8, 0.81, 0.82, 0.83, 0.84]), seeds("step", &[0.84, 0.81, 0.82, 0.83, 0.7995])].concat();
    let (verdicts, summary) = verdicts(&rows);
    let told = "may be the best: 0.01 points behind sgd/cosine (n = 5); the gap is too small: no sensible number of seeds can tell the two apart";
    assert_eq!(verdicts[1], format!("sgd/step: {told}"));
    let told = "Its lead over sgd/step is too small: no sensible number of seeds can tell the two apart.";
    assert!(summary.contains(told) && !summary.contains("fresh"), "{summary}");
}

#[test]
fn a_winner_beats_every_other_and_one_that_cannot_be_compared_keeps_it_from_winning() {
    let mut rows = [
        seeds("cosine", &[0.80, 0.812, 0.806, 0.81, 0.803]),
        seeds("step", &[0.781, 0.794, 0.789, 0.79, 0.784]),
        seeds("time", &[0.69, 0.704, 0.695, 0.70, 0.692]),
    ]
    .concat();
    let (verdicts, summary) = self::verdicts(&rows);
    assert_eq!(verdicts[0], "sgd/cosine: winner: beats every other");
    assert_eq!(verdicts[1], "sgd/step: sgd/cosine beats it by 1.9 points (n = 5)");
    assert!(summary.starts_with("Winner: sgd/cosine, 80.62 ± 0.49 % on validation (n = 5), "), "{summary}");
    // Not in the table when all that is known is that it is still trained.
    rows.push(ComparisonRow { status: Status::Running, ..row("late", "linear", 0, 0.9) });
    rows.last_mut().unwrap().results = Results::default();
    let (verdicts, summary) = self::verdicts(&rows);
    assert_eq!(verdicts.last().unwrap(), "sgd/linear: no result yet: running");
    let only = "No winner: of 3 entrants with a result, only sgd/cosine may be the best (95 %).";
    assert!(summary.contains(only), "{summary}");
    assert!(summary.contains("Not compared with sgd/cosine: sgd/linear (no result: running)."), "{summary}");
}

#[test]
fn one_seed_or_two_support_no_claim_and_the_verdict_says_so() {
    let (verdicts, summary) = verdicts(&[row("a", "cosine", 0, 0.8), row("b", "step", 0, 0.7)]);
    assert_eq!(verdicts[0], "sgd/cosine: highest; no claim");
    assert_eq!(verdicts[1], "sgd/step: 10.0 points behind sgd/cosine on one seed, which says nothing about others");
    assert_eq!(
        summary,
        "Highest: sgd/cosine, 80.00 % on validation (n = 1), 79.00 % on test. One seed says nothing about others: no claim about which is best. \
         Train at least 3."
    );
    let (verdicts, summary) = self::verdicts(&[seeds("cosine", &[0.8, 0.81]), seeds("step", &[0.7, 0.71])].concat());
    assert_eq!(verdicts[1], "sgd/step: 10.0 points behind sgd/cosine on 2 seeds, too few for a claim");
    assert!(summary.contains("Two seeds are too few"), "{summary}");
}

#[test]
fn who_is_ahead_on_the_seeds_in_common_leads_whatever_the_other_has_on_seeds_of_its_own() {
    let rows = [seeds("cosine", &[0.50, 0.51, 0.90, 0.90]), seeds("step", &[0.60, 0.612])].concat();
    let (verdicts, summary) = verdicts(&rows);
    assert_eq!(verdicts[0], "sgd/cosine: leads; no claim", "nobody leads with two seeds where others have more");
    let ahead =
        "sgd/step: 10.1 points ahead of sgd/cosine on 2 seeds, too few for a claim; has 2 results, others up to 4";
    assert_eq!(verdicts[1], ahead);
    assert!(summary.starts_with("Leads: sgd/cosine, ") && summary.contains("Two seeds are too few"), "{summary}");
    let rows = [seeds("cosine", &[0.50, 0.51, 0.52, 0.90, 0.90]), seeds("step", &[0.49, 0.63, 0.62])].concat();
    let (verdicts, summary) = self::verdicts(&rows);
    assert_eq!(verdicts[0], "sgd/step: leads on common seeds; may be the best; has 3 results, others up to 5");
    assert!(verdicts[1].starts_with("sgd/cosine: may be the best: 7.0 points behind sgd/step (n = 3)"), "{verdicts:?}");
    assert!(summary.contains("Leads on common seeds: sgd/step, "), "{summary}");
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    report(folder.path(), &["."]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("<caption>Entrants, ahead on common seeds first</caption>"));
    assert!(
        html.contains("Leads on common seeds, but no proven winner: <b>sgd/step</b>"),
        "its mean is not the highest"
    );
}

#[test]
fn who_is_beaten_on_other_seeds_than_the_leaders_is_told_by_whom() {
    // Constant shares one seed with the leader, and five with the one that beats it.
    let mut rows = [
        seeds("cosine", &[0.90, 0.92, 0.91, 0.90, 0.915]),
        seeds("step", &[0.80, 0.812, 0.806, 0.81, 0.803, 0.811, 0.807, 0.802, 0.809]),
        seeds("constant", &[0.69, 0.704, 0.695, 0.70, 0.692]),
    ]
    .concat();
    rows[14..].iter_mut().for_each(|row| row.seed += 4);
    let (verdicts, summary) = verdicts(&rows);
    assert_eq!(verdicts[2], "sgd/constant: ruled out: sgd/step beats it; has 5 results, others up to 9", "{summary}");
}

#[test]
fn a_run_that_diverged_counts_as_chance_in_the_open() {
    let mut rows = [seeds("cosine", &[0.9, 0.9, 0.91, 0.9]), seeds("step", &[0.8, 0.81, 0.8, 0.8])].concat();
    for run in [1, 3] {
        rows[run] = ended(&rows[run], Status::Diverged);
    }
    let (verdicts, summary) = verdicts(&rows);
    assert_eq!(verdicts[0], "sgd/step: highest; may be the best");
    assert!(
        verdicts[1].starts_with("sgd/cosine: may be the best: 30.0 points behind sgd/step (n = 4)"),
        "{verdicts:?}"
    );
    assert!(verdicts[1].ends_with("; 2 of its 4 runs count as chance"), "{verdicts:?}");
    assert!(summary.contains("2 runs that diverged count as chance (10 %)."), "{summary}");
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let flaky = &judged(&loaded)[0].analyses[1];
    assert!((flaky.val_accuracy.unwrap().mean - 0.5025).abs() < 1e-12 && flaky.val_accuracy.unwrap().n == 4);
    assert!((flaky.test_accuracy.unwrap().mean - 0.4975).abs() < 1e-12, "of the same four runs");
}

#[test]
fn where_a_leader_only_diverged_nothing_was_learned() {
    let mut rows = [seeds("cosine", &[0.9; 3]), seeds("step", &[0.11, 0.08, 0.07])].concat();
    rows.iter_mut().take(3).for_each(|row| *row = ended(row, Status::Diverged));
    let (_, summary) = verdicts(&rows);
    assert!(summary.contains("Nothing was learned: guessing has 10 %, too"), "{summary}");
}

#[test]
fn of_entrants_that_beat_each_other_in_a_ring_none_may_be_the_best() {
    // Each pair has other seeds.
    let five = |schedule: &str, first: u64, accuracy: f64| -> Vec<ComparisonRow> {
        let run = |seed| row(&format!("{schedule}-{seed}"), schedule, seed, accuracy + 0.001 * (seed * 7 % 5) as f64);
        (first..first + 5).map(run).collect()
    };
    let rows = [
        [five("cosine", 0, 0.8), five("cosine", 20, 0.5)].concat(),
        [five("step", 0, 0.6), five("step", 10, 0.9)].concat(),
        [five("linear", 10, 0.7), five("linear", 20, 0.9)].concat(),
    ];
    let (verdicts, summary) = verdicts(&rows.concat());
    assert!(summary.starts_with("Leads: sgd/linear, "), "{summary}");
    assert!(summary.contains(" No winner: each of 3 entrants is beaten by another (95 %)."), "{summary}");
    assert_eq!(verdicts[0], "sgd/linear: leads, but another beats it");
    assert_eq!(verdicts[1], "sgd/step: ruled out: sgd/cosine beats it");
    assert!(verdicts[2].starts_with("sgd/cosine: sgd/linear beats it by "), "{verdicts:?}");
}

/// The same run, ended without results.
fn ended(row: &ComparisonRow, status: Status) -> ComparisonRow {
    ComparisonRow { status, results: Results::default(), ..row.clone() }
}

#[test]
fn a_run_that_failed_has_no_result_and_an_entrant_of_such_runs_keeps_the_others_from_winning() {
    let step = seeds("step", &[0.70, 0.71, 0.70, 0.705]);
    let mut rows = [seeds("cosine", &[0.90, 0.92, 0.91, 0.9]), step.clone()].concat();
    rows[3] = ended(&rows[3], Status::Failed);
    let (verdicts, summary) = verdicts(&rows);
    assert_eq!(verdicts[0], "sgd/cosine: winner: beats every other; has 3 results, others up to 4");
    assert!(summary.starts_with("Winner: sgd/cosine, 91.00 ± 1.00 % on validation (n = 3), "), "{summary}");
    assert!(summary.ends_with("1 run that failed has no result until it is trained again."), "{summary}");
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    report(folder.path(), &["."]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("1 of 8 runs has not finished (see its status) and is excluded from the means."));
    let failed = seeds("linear", &[0.0; 2]).iter().map(|row| ended(row, Status::Failed)).collect();
    let (verdicts, summary) = self::verdicts(&[rows, failed].concat());
    assert_eq!(verdicts[2], "sgd/linear: no result yet: failed");
    assert!(summary.contains(" No winner: ") && !summary.contains("chance"), "{summary}");
    assert!(summary.contains("Not compared with sgd/cosine: sgd/linear (no result: failed)."), "{summary}");
    assert!(summary.ends_with("3 runs that failed have no result until they are trained again."), "{summary}");
}

#[test]
fn who_shares_no_seed_or_has_no_result_is_named_and_one_seed_of_five_does_not_lead() {
    let mut rows = [seeds("cosine", &[0.80, 0.81, 0.805, 0.80, 0.81]), seeds("step", &[0.70, 0.71, 0.705])].concat();
    rows[5..].iter_mut().for_each(|row| row.seed += 7);
    rows.push(row("lucky", "linear", 0, 0.95));
    rows.push(ComparisonRow { status: Status::Interrupted, ..row("cut", "time", 0, 0.4) });
    let (verdicts, summary) = verdicts(&rows);
    assert_eq!(verdicts[0], "sgd/cosine: leads; no claim");
    assert_eq!(
        verdicts[1],
        "sgd/linear: 15.0 points ahead of sgd/cosine on one seed, which says nothing about others; has 1 result, others up to 5"
    );
    assert_eq!(verdicts[2], "sgd/step: no seed in common with sgd/cosine; has 3 results, others up to 5");
    assert_eq!(verdicts[3], "sgd/time: no result yet: interrupted");
    let named = "Not compared with sgd/cosine: sgd/step (no seed in common) and sgd/time (no result: interrupted).";
    assert!(summary.contains(named), "{summary}");
}

#[test]
fn one_image_more_on_each_of_three_seeds_is_no_victory() {
    // Of 5,000 images, one more each time.
    let rows = [seeds("cosine", &[0.7002; 3]), seeds("step", &[0.7000; 3])].concat();
    let (verdicts, summary) = verdicts(&rows);
    assert!(
        verdicts[1].starts_with("sgd/step: may be the best: 0.02 points behind sgd/cosine (n = 3)"),
        "{verdicts:?}"
    );
    assert!(summary.contains(" No winner: none of 2 entrants can be ruled out (95 %)."), "{summary}");
    let (verdicts, _) = self::verdicts(&[seeds("cosine", &[0.7; 3]), seeds("step", &[0.7; 3])].concat());
    assert_eq!(verdicts[1], "sgd/step: may be the best: level with sgd/cosine (n = 3)");
}

/// Gives each run of the comparison in `folder` a run.json with the settings in `config`.
fn trained_with(folder: &Path, rows: &[ComparisonRow], config: &serde_json::Value) {
    comparison(folder, rows);
    for row in rows {
        let mut config = config.clone();
        let of_row = [("optimizer", row.optimizer.as_str()), ("schedule", row.schedule.as_str())];
        of_row.into_iter().for_each(|(key, value)| config[key] = value.into());
        (config["seed"], config["lr"], config["epochs"]) = (row.seed.into(), row.lr.into(), row.epochs.into());
        let info = serde_json::json!({
            "version": "0.1.0", "command": [], "config": config, "git": null, "device": "cpu", "engine": "cpu", "threads": 1,
            "dataset": { "name": config["dataset"], "digest": "00" }, "started": "2026-01-02T03:04:05Z", "finished": null,
            "status": row.status.to_string(), "results": { "val_accuracy": row.results.val_accuracy },
        });
        fs::write(folder.join("runs").join(&row.run).join("run.json"), info.to_string()).unwrap();
    }
}

#[test]
fn only_runs_with_the_same_images_network_epochs_batch_and_validation_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let usual = serde_json::json!({ "dataset": "cifar10", "model": "cnn", "batch-size": 128, "validation": 5000, "augment": "none" });
    let all = |name: &str, schedule: &str, accuracy: f64, key: &str, value: serde_json::Value| {
        let mut config = usual.clone();
        config[key] = value;
        let mut rows = three_seeds(schedule, [accuracy, accuracy + 0.01, accuracy + 0.005]);
        if key == "epochs" {
            rows.iter_mut().for_each(|row| row.epochs = 2);
        }
        trained_with(&folder.path().join(name), &rows, &config);
    };
    all("a", "cosine", 0.8, "model", "cnn".into());
    all("b", "step", 0.7, "model", "cnn".into());
    // How images are augmented is a matter of the entrant: these compete with the first two.
    all("c", "cosine", 0.85, "augment", "flip-crop".into());
    all("d", "cosine", 0.6, "epochs", 2.into());
    all("e", "cosine", 0.9, "dataset", "synthetic".into());
    all("f", "cosine", 0.3, "train-limit", 200.into());
    all("g", "cosine", 0.82, "model", "resnet9".into());
    all("h", "cosine", 0.81, "batch-size", 32.into());
    all("i", "cosine", 0.84, "validation", "test".into());
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = judged(&loaded);
    let sizes: Vec<usize> = groups.iter().map(|group| group.analyses.len()).collect();
    assert_eq!(sizes, [3, 1, 1, 1, 1, 1, 1], "{:?}", groups.iter().map(|group| group.label).collect::<Vec<_>>());
    let labels: Vec<&str> = groups.iter().map(|group| group.label).collect();
    for told in
        ["epochs=2", "dataset=synthetic", "train-limit=200", "model=resnet9", "batch-size=32", "validation=test"]
    {
        assert_eq!(labels.iter().filter(|label| label.split(' ').any(|part| part == told)).count(), 1, "{labels:?}");
    }
    assert!(groups[1..].iter().all(|group| group.analyses[0].verdict == "the only entrant"));
    report(folder.path(), &[".", "--md", "--csv"]).assert().success();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (html, markdown) = (read("report.html"), read("report.md"));
    for page in [&html, &markdown] {
        assert!(page.contains("The runs form 7 groups"), "{page}");
    }
    assert_eq!(html.matches("<caption>Entrants with ").count(), 7);
    assert_eq!(markdown.lines().filter(|line| line.starts_with("## ")).count(), 7, "{markdown}");
    let mut table = csv::Reader::from_path(folder.path().join("report.csv")).unwrap();
    let heads = table.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let firsts = table.records().filter(|row| &row.as_ref().unwrap()[column("place")] == "1").count();
    assert_eq!(firsts, 7, "each group has a ranking of its own");
}

#[test]
fn a_run_without_a_readable_run_json_stays_with_the_others_of_its_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [three_seeds("cosine", [0.8, 0.81, 0.82]), three_seeds("step", [0.7, 0.72, 0.71])].concat();
    for (name, model) in [("a", "cnn"), ("b", "resnet9")] {
        let config = serde_json::json!({ "dataset": "cifar10", "model": model, "batch-size": 128, "validation": 5000 });
        trained_with(&folder.path().join(name), &rows, &config);
    }
    let alone = |name: &str| folder.path().join("a/runs").join(name).join("run.json");
    fs::remove_file(alone("cosine-0")).unwrap();
    fs::write(alone("step-1"), "{").unwrap();
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = judged(&loaded);
    let labels: Vec<&str> = groups.iter().map(|group| group.label).collect();
    assert_eq!(labels, ["model=cnn", "model=resnet9"]);
    assert!(groups.iter().all(|group| group.analyses.iter().all(|analysis| analysis.entrant.runs.len() == 3)));
    for (group, unique) in groups.iter().zip(["sgd/cosine [model=cnn]", "sgd/cosine [model=resnet9]"]) {
        let leader = &group.analyses[0];
        assert_eq!(
            (&*leader.short, &*leader.unique),
            ("sgd/cosine", unique),
            "within its group, what all have tells nothing"
        );
    }
}

#[test]
fn what_a_run_does_not_record_is_unknown_and_the_label_of_a_group_is_safe_to_print() {
    let folder = tempfile::tempdir().unwrap();
    let rows = three_seeds("cosine", [0.8, 0.81, 0.82]);
    let config = serde_json::json!({ "dataset": "cifar10", "model": "cnn", "batch-size": 128, "validation": 5000 });
    trained_with(&folder.path().join("a"), &rows, &config);
    let config = serde_json::json!({ "dataset": "evil\u{1b}[2J\nset", "model": "cnn", "batch-size": 128 });
    trained_with(&folder.path().join("b"), &rows, &config);
    let loaded = load(&[folder.path().to_path_buf()]);
    let labels: Vec<String> = judged(&loaded).iter().map(|group| group.label.to_string()).collect();
    assert_eq!(labels, ["dataset=cifar10 validation=5000", "dataset=evil [2J set validation=unknown"]);
}

#[test]
fn the_step_between_accuracies_is_one_image_of_those_that_validated() {
    let folder = tempfile::tempdir().unwrap();
    // Of 50 images one more each time: a margin of 2 points and no variance, which a step of 2 points may hide.
    let rows = [three_seeds("cosine", [0.72, 0.74, 0.72]), three_seeds("step", [0.7, 0.72, 0.7])].concat();
    for (name, validation, wins) in [("few", 50, false), ("many", 5000, true)] {
        let config =
            serde_json::json!({ "dataset": "synthetic", "model": "cnn", "batch-size": 32, "validation": validation });
        trained_with(&folder.path().join(name), &rows, &config);
        let loaded = load(&[folder.path().join(name)]);
        assert_eq!(judged(&loaded)[0].summary.starts_with("Winner: "), wins, "{validation}");
    }
}

#[test]
fn every_output_says_that_validation_used_the_test_images() {
    let folder = tempfile::tempdir().unwrap();
    let config = serde_json::json!({ "dataset": "cifar10", "model": "cnn", "batch-size": 128, "validation": "test" });
    trained_with(&folder.path().join("cmp"), &three_seeds("cosine", [0.8, 0.81, 0.82]), &config);
    report(folder.path(), &["cmp", "--md", "--csv", "--svg"]).assert().success();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for name in ["report.html", "report.md"] {
        assert!(read(name).contains("Validated on the test images"), "{name}");
    }
    assert!(read("report.svg").contains("validated on the test images"));
    assert!(
        read("report.csv").lines().next().unwrap().contains("validated_on_test")
            && read("report.csv").contains(",true,")
    );
    let loaded = load(&[folder.path().join("cmp")]);
    let groups = judged(&loaded);
    assert!(groups[0].summary.contains("Validated on the test images"), "of the terminal and of --json");
    assert_eq!(ranking(&groups)[0]["validated_on_test"], true);
}

#[test]
fn the_order_of_the_folders_changes_nothing_and_of_two_results_of_one_run_none_is_called_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // "b" has the entrant and seed of "a" with another result, "c" has it unfinished and sorts first by nothing.
    comparison(&at("b"), &three_seeds("cosine", [0.80, 0.81, 0.82]));
    comparison(&at("c"), &[row("cosine-0", "cosine", 0, 0.75)]);
    comparison(&at("a"), &[ComparisonRow { status: Status::Interrupted, ..row("cosine-0", "cosine", 0, 0.99) }]);
    // Equals, apart from their names.
    comparison(&at("d"), &three_seeds("step", [0.80, 0.81, 0.82]));
    comparison(&at("e"), &three_seeds("linear", [0.80, 0.81, 0.82]));
    let told = |names: &[&str]| {
        let loaded = load(&names.iter().map(|name| at(name)).collect::<Vec<_>>());
        let mut complaints = loaded.complaints.clone();
        complaints.sort();
        (ranking(&judged(&loaded)), judged(&loaded)[0].summary.clone(), complaints)
    };
    let first = told(&["a", "b", "c", "d", "e"]);
    for order in [["e", "d", "c", "b", "a"], ["c", "a", "e", "b", "d"]] {
        assert_eq!(told(&order), first);
    }
    let cosine = first.0.iter().find(|entrant| entrant["entrant"] == "sgd/cosine").unwrap();
    assert!((cosine["val_accuracy"].as_f64().unwrap() - 0.81).abs() < 1e-12, "{cosine}");
    let complaints = first.2.join("\n");
    for expected in [
        "which is finished while this one is interrupted; left out",
        "with another result (validation accuracy 75.00 % instead of 80.00 %); left out",
    ] {
        assert!(complaints.contains(expected), "{complaints}");
    }
    assert!(!complaints.contains("the same run"), "{complaints}");
}

#[test]
fn a_folder_named_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &three_seeds("cosine", [0.8, 0.81, 0.82]));
    let loaded = load(&[folder.path().to_path_buf(), folder.path().to_path_buf()]);
    assert_eq!((loaded.runs.len(), loaded.complaints.len()), (3, 3), "{:?}", loaded.complaints);
}

#[test]
fn with_a_baseline_the_others_are_compared_with_it_and_one_that_is_no_entrant_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        seeds("cosine", &[0.80, 0.812, 0.806, 0.81, 0.803]),
        seeds("step", &[0.781, 0.794, 0.789, 0.79, 0.784]),
        seeds("constant", &[0.69, 0.704, 0.695, 0.70, 0.692]),
        seeds("linear", &[0.68, 0.72, 0.69, 0.71, 0.695]),
    ];
    comparison(folder.path(), &rows.concat());
    for name in ["constant", "sgd/constant"] {
        report(folder.path(), &[".", "--md", "--baseline", name]).assert().success();
        let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
        for expected in [
            "Against the baseline sgd/constant: 2 of 3 beat it, 0 are beaten by it, 1 cannot be told from it (95 %).",
            "; beats the baseline",
            "; cannot be told from the baseline",
            "; the baseline",
        ] {
            assert!(markdown.contains(expected), "{expected}: {markdown}");
        }
    }
    let refused = report(folder.path(), &[".", "--baseline", "adam"]).assert().code(2);
    refused.stderr(predicate::str::contains("baseline must be one of the entrants, such as `sgd/cosine`; got `adam`"));
    // A group of its own, without the baseline.
    let mut longer = [seeds("cosine", &[0.80, 0.812, 0.806]), seeds("step", &[0.80, 0.80, 0.80])].concat();
    longer.iter_mut().for_each(|row| row.epochs = 9);
    comparison(&folder.path().join("longer"), &longer);
    report(folder.path(), &[".", "--md", "--baseline", "constant"]).assert().success();
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    let without = "The baseline constant is not in this group: all pairs are judged.";
    assert_eq!(markdown.matches(without).count(), 1, "{markdown}");
}

#[test]
fn a_winner_is_never_said_to_be_as_good_as_the_baseline() {
    // By its own test it beats each of the three; Holm's procedure over three pairs does not say so.
    let rows = [
        three_seeds("cosine", [0.80, 0.83, 0.815]),
        three_seeds("constant", [0.79, 0.81, 0.803]),
        three_seeds("step", [0.789, 0.811, 0.8025]),
        three_seeds("linear", [0.788, 0.811, 0.803]),
    ]
    .concat();
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let said = |baseline| {
        let groups =
            analyse(&loaded.entrants(), &loaded.metrics(), &Asked { baseline: Some(baseline), ..Asked::default() })
                .unwrap();
        let verdict = groups[0].analyses[0].verdict.clone();
        (groups[0].summary.clone(), verdict, ranking(&groups)[0]["beats"].clone())
    };
    let (summary, verdict, beats) = said("constant");
    assert!(summary.starts_with("Winner: sgd/cosine, "), "{summary}");
    let against = "Against the baseline sgd/constant: 1 of 3 beat it, 0 are beaten by it, 2 cannot be told from it";
    assert!(summary.contains(against), "{summary}");
    assert_eq!(verdict, "winner: beats every other; beats the baseline");
    assert_eq!(beats, serde_json::json!([]), "by Holm's procedure");
    let (summary, verdict, _) = said("cosine");
    assert!(summary.contains("0 of 3 beat it, 3 are beaten by it, 0 cannot be told from it"), "{summary}");
    assert_eq!(verdict, "winner: beats every other; the baseline");
}

#[test]
fn who_is_ahead_on_the_one_seed_in_common_is_not_called_behind() {
    let rows = [row("a", "cosine", 0, 0.70), row("b", "cosine", 1, 0.90), row("c", "step", 0, 0.703)];
    let expected =
        "0.3 points ahead of sgd/cosine on one seed, which says nothing about others; has 1 result, others up to 2";
    assert_eq!(verdicts(&rows).0[1], format!("sgd/step: {expected}"));
    let rows = [row("a", "cosine", 0, 0.7), row("c", "step", 0, 0.69999)];
    let expected = "sgd/step: level with sgd/cosine on one seed, which says nothing about others";
    assert_eq!(verdicts(&rows).0[1], expected);
}

#[test]
fn a_baseline_may_be_named_as_shortly_as_the_report_names_it() {
    let mut rows =
        [three_seeds("cosine", [0.80, 0.81, 0.805]), three_seeds("step:factor=0.2", [0.7, 0.71, 0.705])].concat();
    rows.iter_mut().for_each(|row| row.optimizer = "sgd:momentum=0.9,nesterov".into());
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    for name in ["sgd/step", "step:factor=0.2", "sgd:momentum=0.9,nesterov/step:factor=0.2"] {
        let groups =
            analyse(&loaded.entrants(), &loaded.metrics(), &Asked { baseline: Some(name), ..Asked::default() })
                .unwrap();
        assert!(groups[0].summary.contains("Against the baseline sgd/step: 1 of 1 beat it"), "{}", groups[0].summary);
    }
}
