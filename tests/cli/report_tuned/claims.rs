//! What counts, what is claimed, and how far an unfinished comparison is.

use super::*;
use lrsched::record::RunOrder;

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
    assert!(summary.contains("The claim is about each entrant, tuned this way"), "{summary}");
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
fn budgets_that_differ_while_runs_are_missing_are_no_fault_of_the_comparison() {
    let rows = three_studies();
    let said = |rows: &[ComparisonRow]| {
        let folder = tempfile::tempdir().unwrap();
        comparison(folder.path(), rows);
        RunOrder::new(three_studies().iter().map(|row| row.run.clone())).write(folder.path()).unwrap();
        judged(folder.path()).0
    };
    let begun = |row: &&ComparisonRow| {
        let role = row.role.as_ref().unwrap();
        !(role.entrant == "sgd/step" && role.study == Some(2) && role.trial > Some(1))
    };
    let under_way = said(&rows.iter().filter(begun).cloned().collect::<Vec<_>>());
    assert!(under_way.contains("So far the budgets differ, from "), "{under_way}");
    assert!(!under_way.contains("NOT the same"), "{under_way}");
    let without_final = said(&rows[..rows.len() - 1]);
    assert!(without_final.contains("So far the budgets differ, from 12 trials, 32 runs"), "{without_final}");
    assert!(!without_final.contains("more trials were added"), "{without_final}");
    assert!(said(&rows).contains("Each had the same budget: "));
}

#[test]
fn a_comparison_that_was_stopped_before_its_finals_says_how_far_it_is() {
    let rows = three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().stage != Stage::Final);
    let rows: Vec<ComparisonRow> = rows.collect();
    let (summary, entrants) = judged_rows(&rows);
    assert!(
        summary.starts_with(
            "Before the finals: all 2 entrants so far; done: 24 trials, 36 second looks; still to come: finals."
        ),
        "{summary}"
    );
    assert_eq!((&entrants[0]["standing"], &entrants[0]["val_accuracy"]), (&"no result".into(), &Value::Null));
    assert!(entrants[0]["verdict"].as_str().unwrap().starts_with("no result yet: 12 trials, 18 second looks"));
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &rows);
    report(folder.path(), &["."]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("<h2>Which rate?</h2>") && !html.contains("<h2>Ranking</h2>"), "nothing can be ranked");
    assert!(html.contains("<b>Before the finals: all 2 entrants so far; "), "it is the answer, as far as there is one");
    assert!(!html.contains("Under way"), "no plan says how many runs there are");
    let plan = RunOrder::new(rows.iter().map(|row| row.run.clone()));
    for (plan, told) in [(plan.clone(), None), (plan.of(1066), Some("Under way: 60 of 1,066 runs are done."))] {
        plan.write(folder.path()).unwrap();
        let loaded = load(&[folder.path().to_path_buf()]);
        assert_eq!(loaded.progress().as_deref(), told);
    }
    let trials: Vec<ComparisonRow> =
        rows.into_iter().filter(|row| row.role.as_ref().unwrap().stage == Stage::Trial).collect();
    let (summary, _) = judged_rows(&trials);
    assert!(summary.contains("done: 24 trials; still to come: second looks and finals."), "{summary}");
}

#[test]
fn a_stage_that_is_half_done_is_still_to_come() {
    let before = |row: &ComparisonRow| row.role.as_ref().unwrap().stage != Stage::Final;
    let rows: Vec<ComparisonRow> = three_studies().into_iter().filter(before).collect();
    let said_without = |lacks: &dyn Fn(&Role) -> bool| {
        let rest: Vec<ComparisonRow> = rows.iter().filter(|row| !lacks(row.role.as_ref().unwrap())).cloned().collect();
        judged_rows(&rest).0
    };
    let last = |role: &Role| role.study == Some(2) && role.entrant == "sgd/step";
    let looks = said_without(&|role| last(role) && role.stage == Stage::SecondLook && role.trial == Some(0));
    assert!(looks.contains("34 second looks; still to come: second looks and finals."), "{looks}");
    let trials = said_without(&|role| last(role) && (role.stage == Stage::SecondLook || role.trial > Some(1)));
    assert!(trials.contains("22 trials, 30 second looks; still to come: trials, second looks and finals."), "{trials}");
    let studies = said_without(&|role| last(role));
    assert!(
        studies.contains("20 trials, 30 second looks; still to come: trials, second looks and finals."),
        "{studies}"
    );
}

#[test]
fn the_peak_of_two_studies_is_the_lower_one_which_was_tried() {
    let mut rows: Vec<ComparisonRow> =
        three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().study != Some(2)).collect();
    for row in rows.iter_mut().filter(|row| row.role.as_ref().unwrap().study == Some(1)) {
        row.lr *= 4.0;
    }
    let (summary, entrants) = judged_rows(&rows);
    assert!(summary.contains("sgd/cosine, peak 0.1 (0.1 to 0.4), "), "{summary}");
    assert_eq!(entrants[0]["highest_lr"], 0.1);
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
            "AT THE EDGE of what was tried lies what was chosen for sgd/cosine (the highest in 3 of 3 studies) and"
        ),
        "{summary}"
    );
}
