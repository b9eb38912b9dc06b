//! How it is shown: tables, pictures, and the page.

use super::*;
use lrsched::schedule::Semantics;
use std::collections::HashMap;

#[test]
fn a_bad_first_trial_does_not_press_the_best_so_far_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows: Vec<ComparisonRow> = (0..3).flat_map(|number| study("cosine", number, 0.85, &[0.8])).collect();
    for row in rows.iter_mut().filter(|row| row.role.as_ref().unwrap().trial == Some(0)) {
        row.results.val_accuracy = Some(0.1);
    }
    comparison(folder.path(), &rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap();
    let best = lrsched::report::trials::of(&groups).best.unwrap();
    let (low, high) = best.y_range.unwrap();
    assert!(low > 70.0 && high > 85.0 && high < 90.0, "{low} to {high}");
}

#[test]
fn a_study_that_has_only_begun_does_not_end_the_best_so_far_early() {
    let mut rows = three_studies();
    let begun = study("cosine", 3, 0.85, &[]).into_iter().take(2);
    rows.extend(begun);
    let (_, entrants) = judged_rows(&rows);
    assert_eq!(entrants[0]["expected_best"], judged_rows(&three_studies()).1[0]["expected_best"]);
    // Before anything is chosen, too.
    let trials = |number: u64, count: usize| study("cosine", number, 0.85, &[]).into_iter().take(count);
    let begun: Vec<ComparisonRow> = trials(0, 4).chain(trials(1, 4)).chain(trials(2, 1)).collect();
    assert_eq!(judged_rows(&begun).1[0]["expected_best"].as_array().unwrap().len(), 4);
}

#[test]
fn the_rate_of_a_tuned_entrant_is_drawn_as_its_median_study_had_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = three_studies();
    for row in &mut rows {
        row.lr *= [1.0, 4.0, 2.0][row.role.as_ref().unwrap().study.unwrap() as usize];
    }
    comparison(folder.path(), &rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let metrics = loaded.metrics();
    let figure = lrsched::report::comparison::figure(&loaded.entrants(), &metrics, &HashMap::new(), "");
    let rate = |line: &lrsched::report::chart::Series| line.points[0].1;
    assert_eq!(figure.panels[0].series.iter().map(rate).collect::<Vec<_>>(), [0.2, 0.2], "no run had the mean");
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
        ",chosen_peaks,peak_low,peak_high,trials,trials_diverged,runs_in_all,epochs_in_all,screening_accuracy,chosen_settings"
    ));
}

#[test]
fn a_grid_over_rates_has_a_line_through_the_means_and_a_mark_at_the_highest() {
    let folder = tempfile::tempdir().unwrap();
    let accuracies = [(0.01, [0.5, 0.6]), (0.1, [0.7, 0.72]), (1.0, [0.75, 0.55])];
    let runs =
        accuracies.into_iter().flat_map(|(lr, both)| (0_u64..).zip(both).map(move |(seed, one)| (lr, seed, one)));
    let rows = runs.map(|(lr, seed, one)| ComparisonRow { lr, ..row(&format!("r{lr}-{seed}"), "cosine", seed, one) });
    comparison(folder.path(), &rows.collect::<Vec<_>>());
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap();
    let trials = lrsched::report::trials::of(&groups);
    let panel = &trials.panels[0];
    let rounded = panel.series[0].points.iter().map(|(rate, mean)| (*rate, (mean * 10.0).round()));
    assert_eq!(rounded.collect::<Vec<_>>(), [(0.01, 550.0), (0.1, 710.0), (1.0, 650.0)]);
    assert_eq!(panel.marks.iter().map(|mark| mark.label.as_str()).collect::<Vec<_>>(), ["0.1"]);
    assert!(trials.looks().iter().any(|(_, words)| *words == "the highest mean"), "{:?}", trials.looks());
    let ranked = &lrsched::report::ranking::of(&groups, "").groups[0].rows[0];
    assert_eq!((ranked.name.as_str(), ranked.rate.as_str()), ("sgd/cosine lr=0.1", ""), "said once");
}

#[test]
fn grids_under_two_semantics_have_a_panel_each() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [Semantics::Native, Semantics::Torch].into_iter().flat_map(|semantics| {
        [0.01, 0.1, 1.0].map(|lr| {
            let run =
                row(&format!("{semantics}-{lr}"), "step", 0, if semantics == Semantics::Torch { 0.8 } else { 0.5 });
            ComparisonRow { lr, semantics, ..run }
        })
    });
    comparison(folder.path(), &rows.collect::<Vec<_>>());
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap();
    let points: Vec<usize> =
        lrsched::report::trials::of(&groups).panels.iter().map(|panel| panel.series[0].points.len()).collect();
    assert_eq!(points, [3, 3]);
}

#[test]
fn a_legend_names_no_entrant_without_a_line() {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), &super::screened::screened());
    let loaded = load(&[folder.path().to_path_buf()]);
    let (entrants, metrics) = (loaded.entrants(), loaded.metrics());
    let svg = lrsched::report::comparison::figure(&entrants, &metrics, &loaded.known(), "").svg().unwrap();
    assert!(svg.contains("sgd/step") && !svg.contains("sgd/linear"), "only finalists have curves");
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

/// The table of `rows` for a terminal of this width.
fn table(rows: &[ComparisonRow], width: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), rows);
    let loaded = load(&[folder.path().to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap();
    let (entrants, names) = lrsched::report::table::of_groups(&groups, Some(width));
    lrsched::report::table::terminal(&entrants, &names, width, Path::new("report.html"))
}

#[test]
fn before_the_finals_the_table_has_no_empty_columns() {
    let trials = three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().stage == Stage::Trial);
    let text = table(&trials.collect::<Vec<_>>(), 100);
    assert_eq!(text.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(), ["entrant", "status"], "{text}");
    assert!(text.lines().nth(1).unwrap().ends_with("  12 trials"), "{text}");
}

#[test]
fn a_narrow_terminal_shows_the_rate_before_the_best_epoch_and_the_time() {
    let mut rows = three_studies();
    for row in rows.iter_mut().filter(|row| row.role.as_ref().unwrap().study == Some(1)) {
        row.lr *= 1.5;
    }
    assert!(table(&rows, 90).contains("0.1 (0.1 to 0.15)"));
    let text = table(&rows, 80);
    assert!(text.contains("  0.1  ") && text.contains("best ep") && !text.contains('('), "{text}");
    let text = table(&rows, 53);
    assert!(text.lines().all(|line| line.chars().count() <= 53), "{text}");
    let head: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert!(head.contains(&"lr") && !head.contains(&"best") && !head.contains(&"time"), "{text}");
}

#[test]
fn the_table_says_what_screened_an_entrant_out_on_its_line_and_never_as_a_result() {
    let text = table(&super::screened::screened(), 100);
    let of_linear: Vec<&str> = text.lines().filter(|line| line.contains("sgd/linear")).collect();
    assert_eq!(of_linear.len(), 1, "{text}");
    assert!(of_linear[0].ends_with("screened out at 75.20 %") && of_linear[0].matches("75.2").count() == 1, "{text}");
}

#[test]
fn the_first_bold_words_of_a_page_are_who_is_ahead_and_at_which_rate() {
    let said = |rows: &[ComparisonRow], class: &str| {
        let folder = tempfile::tempdir().unwrap();
        comparison(folder.path(), rows);
        report(folder.path(), &["."]).assert().success();
        let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
        html.split(&format!("<p class={class}>")).nth(1).unwrap().split("</p>").next().unwrap().to_string()
    };
    let first = |rows: &[ComparisonRow]| said(rows, "pick");
    assert_eq!(first(&three_studies()), "Winner: <b>sgd/cosine</b> at peak rate <b>0.1</b>");
    // What is below does not say it again.
    let below = said(&three_studies(), "best");
    assert!(below.starts_with("80.60 ± 0.60 % on validation (3 studies), "), "{below}");
    assert!(below.ends_with(" It beats every other (95 %).") && !below.contains("sgd/cosine"), "{below}");
    let mut equal = three_studies();
    let finals = equal.iter_mut().filter(|row| row.role.as_ref().unwrap().stage == Stage::Final);
    finals.filter(|row| row.schedule == "step").for_each(|row| row.results.val_accuracy = Some(0.8));
    assert_eq!(first(&equal), "Highest, but no proven winner: <b>sgd/cosine</b> at peak rate <b>0.1</b>");
    let two = three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().study != Some(2));
    let two: Vec<ComparisonRow> = two.collect();
    assert_eq!(first(&two), "Highest, without a claim: <b>sgd/cosine</b> at peak rate <b>0.1</b>");
}

#[test]
fn what_was_chosen_of_another_tuned_parameter_is_said_and_so_is_its_edge() {
    let mut rows = three_studies();
    for row in &mut rows {
        let trial = row.role.as_ref().unwrap().trial.unwrap() as usize;
        row.optimizer = format!("sgd:weight-decay={}", ["0.001", "3e-5", "0.0001", "0.01"][trial]);
    }
    let (summary, entrants) = judged_rows(&rows);
    assert_eq!(entrants[0]["chosen_settings"], serde_json::json!({ "weight-decay": ["3e-5", "3e-5", "3e-5"] }));
    assert_eq!(entrants[0]["peak_within_a_point"], Value::Null, "neighbours differ in more than the rate");
    let verdict = entrants[0]["verdict"].as_str().unwrap();
    assert!(verdict.contains("; chosen weight-decay 3e-5, 3e-5, 3e-5"), "{verdict}");
    assert!(summary.contains("sgd/cosine (the lowest weight-decay in 3 of 3 studies)"), "{summary}");
    let mut rows = three_studies();
    for row in rows.iter_mut().filter(|row| row.schedule == "cosine") {
        let trial = row.role.as_ref().unwrap().trial.unwrap() as usize;
        row.schedule = format!("cosine:warmup={}", ["10%", "2%", "5%", "20%"][trial]);
    }
    let (summary, _) = judged_rows(&rows);
    assert!(summary.contains(" (the lowest warmup in 3 of 3 studies)"), "{summary}");
    let (_, entrants) = judged_rows(&three_studies());
    assert_eq!(entrants[0]["chosen_settings"], Value::Null);
}

/// The table of all runs on the page of a comparison of `rows`.
fn runs_on_the_page(rows: &[ComparisonRow]) -> String {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), rows);
    report(folder.path(), &["."]).assert().success();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    html.split("<caption>Every run</caption>").nth(1).unwrap().split("</table>").next().unwrap().to_string()
}

#[test]
fn the_page_names_the_entrant_and_the_stage_of_every_run_and_a_plain_comparison_has_no_stages() {
    let table = runs_on_the_page(&three_studies());
    for head in ["stage", "study", "trial", "peak"] {
        assert!(table.contains(&format!(">{head}</th>")), "{head}: {table}");
    }
    assert_eq!(table.matches("<td class=l>second look</td>").count(), 36);
    assert_eq!(table.matches("<th scope=row class=w>sgd/").count(), 24 + 36 + 6);
    let plain = runs_on_the_page(&[row("a", "cosine", 0, 0.9)]);
    assert!(!plain.contains(">stage</th>") && !plain.contains(">peak</th>") && plain.contains(">test %</th>"));
    let mut trials: Vec<ComparisonRow> =
        three_studies().into_iter().filter(|row| row.role.as_ref().unwrap().stage == Stage::Trial).collect();
    trials.iter_mut().for_each(|row| row.results.test_accuracy = None);
    assert!(!runs_on_the_page(&trials).contains(">test %</th>"), "nothing was tested yet");
}

#[test]
fn a_tuned_warm_up_is_told_from_that_of_a_later_schedule() {
    let mut rows: Vec<ComparisonRow> = (0..3).flat_map(|number| study("cosine", number, 0.85, &[0.8])).collect();
    for row in &mut rows {
        let trial = row.role.as_ref().unwrap().trial.unwrap();
        row.schedule = format!("cosine:for=1,warmup={}st;linear:warmup=7st", trial + 1);
    }
    let (_, entrants) = judged_rows(&rows);
    assert_eq!(entrants[0]["chosen_settings"], serde_json::json!({ "warmup": ["2st", "2st", "2st"] }));
}
