//! Finalists, and those that are screened out.

use super::*;

/// Four entrants on three seeds, and the first two on four fresh ones.
pub fn screened() -> Vec<ComparisonRow> {
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
fn while_a_screening_is_under_way_nobody_is_ahead_for_having_more_of_it() {
    let mut rows: Vec<ComparisonRow> = screened().into_iter().filter(|row| row.seed < 3).collect();
    let names: Vec<String> = rows.iter().map(|row| row.run.clone()).collect();
    rows.retain(|row| row.schedule == "step" || row.schedule == "cosine" && row.seed < 2);
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    RunOrder::new(names).write(folder.path()).unwrap();
    let (_, entrants) = judged(folder.path());
    assert_eq!(entrants[0]["entrant"], "sgd/cosine", "{entrants:?}");
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
fn while_a_screening_goes_on_again_no_final_counts_and_that_is_said() {
    // Another entrant has joined those of a comparison that was complete.
    let more = screened().into_iter().filter(|row| row.schedule == "time" && row.seed < 2);
    let joined = |row: ComparisonRow| {
        let row = ComparisonRow { schedule: "polynomial".into(), run: format!("polynomial-{}", row.seed), ..row };
        let role = Role { entrant: "sgd/polynomial".into(), ..row.role.clone().unwrap() };
        ComparisonRow { role: Some(role), ..row }
    };
    let rows: Vec<ComparisonRow> = screened().into_iter().chain(more.map(joined)).collect();
    let (summary, entrants) = judged_rows(&rows);
    assert!(entrants.iter().all(|one| one["standing"] == "no result"), "{entrants:?}");
    let said = "Left out until the screening is complete and says who is a finalist: 8 final runs.";
    assert!(summary.contains(said) && !summary.contains("Winner"), "{summary}");
}

#[test]
fn a_baseline_that_is_screened_out_is_named_and_all_pairs_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &screened());
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups =
        analyse(&loaded.entrants(), &loaded.metrics(), &Asked { baseline: Some("sgd/time"), ..Asked::default() })
            .unwrap();
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
fn a_finalist_whose_finals_have_not_begun_is_not_screened_out() {
    // Cosine is ahead of step in the screening.
    let rows: Vec<ComparisonRow> =
        screened().into_iter().filter(|row| row.schedule != "cosine" || row.seed < 3).collect();
    let (summary, entrants) = judged_rows(&rows);
    assert_eq!((standing(&entrants, "sgd/cosine"), standing(&entrants, "sgd/linear")), ("no result", "screened out"));
    assert!(
        summary.contains("Before the finals: sgd/cosine; done: 3 screening runs; still to come: finals."),
        "{summary}"
    );
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
    let rows = of_finalists(2, rows);
    let (summary, _) = judged_rows(&rows);
    assert!(summary.contains("Each finalist had the same budget: 24 trials"), "{summary}");
    assert!(summary.contains("Each of the others had the same budget: 12 trials"), "{summary}");
    assert!(!summary.contains("NOT the same budget"), "{summary}");
    // Rates that only the screening chose trained none of the results.
    let mut other = rows;
    for row in &mut other {
        if row.role.as_ref().and_then(|role| role.study).is_some_and(|study| study < 3) {
            row.lr *= 10.0;
        }
    }
    assert_eq!(judged_rows(&other).0, summary);
}
