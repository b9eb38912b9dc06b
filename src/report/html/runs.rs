//! Every run on the page, with the command that trains it again.

use super::{Page, UNKNOWN, number_cell, status_cell, table};
use crate::number::{counted, rate};
use crate::record::Status;
use crate::report::escape::escape;
use crate::report::load::LoadedRun;
use crate::report::table::duration;
use std::collections::HashMap;

/// A column: its head, whether it has anything to show of a run, and its cell.
type Column<'c> = (&'static str, &'c dyn Fn(&LoadedRun) -> bool, &'c dyn Fn(&LoadedRun) -> String);

/// The table, folded; columns that are empty for all runs are left out.
pub fn html(page: &Page<'_>) -> String {
    let runs = &page.loaded.runs;
    let of_analysis = page.analyses().flat_map(|analysis| {
        let runs = analysis.entrant.runs.iter().chain(&analysis.entrant.aside);
        runs.map(|run| (run.run.as_str(), analysis.unique.as_str()))
    });
    let names: HashMap<&str, &str> = of_analysis.collect();
    let role = |run: &LoadedRun| run.row.role.clone();
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    let share = |value: Option<f64>| {
        number_cell(finite(value), finite(value).map_or(UNKNOWN.into(), |value| format!("{:.2}", value * 100.0)))
    };
    let count = |value: Option<u64>| {
        number_cell(value.map(|value| value as f64), value.map_or(String::new(), |value| value.to_string()))
    };
    let columns: [Column<'_>; 13] = [
        ("entrant", &|_| true, &|run| {
            let name = names.get(run.row.run.as_str()).copied().unwrap_or_default();
            format!("<th scope=row class=w>{}</th>", escape(name))
        }),
        ("stage", &|run| role(run).is_some(), &|run| {
            format!("<td class=l>{}</td>", role(run).map_or(String::new(), |role| role.stage.to_string()))
        }),
        ("study", &|run| role(run).is_some_and(|role| role.study.is_some()), &|run| {
            count(role(run).and_then(|role| role.study))
        }),
        ("trial", &|run| role(run).is_some_and(|role| role.trial.is_some()), &|run| {
            count(role(run).and_then(|role| role.trial))
        }),
        ("peak", &|run| role(run).is_some() && finite(run.highest_rate).is_some(), &|run| {
            number_cell(finite(run.highest_rate), finite(run.highest_rate).map_or(UNKNOWN.into(), rate))
        }),
        ("seed", &|_| true, &|run| count(Some(run.row.seed))),
        ("status", &|_| true, &|run| status_cell(&run.row.status.to_string(), run.row.status == Status::Finished)),
        ("epochs", &|_| true, &|run| {
            let known = run.metrics.iter().filter(|row| row.is_whole()).count();
            number_cell(Some(known as f64), format!("{known} of {}", run.row.epochs))
        }),
        ("validation %", &|run| finite(run.row.results.val_accuracy).is_some(), &|run| {
            share(run.row.results.val_accuracy)
        }),
        ("test %", &|run| finite(run.row.results.test_accuracy).is_some(), &|run| share(run.row.results.test_accuracy)),
        ("time", &|run| run.row.results.seconds.is_some(), &|run| {
            number_cell(run.row.results.seconds, run.row.results.seconds.map_or(UNKNOWN.into(), duration))
        }),
        ("folder", &|_| true, &|run| format!("<td class=w>{}</td>", escape(&run.row.run))),
        ("command", &|run| !run.command.is_empty(), &command_cell),
    ];
    let shown: Vec<&Column<'_>> = columns.iter().filter(|(_, known, _)| runs.iter().any(known)).collect();
    let row =
        |run: &LoadedRun| format!("<tr>{}</tr>\n", shown.iter().map(|(_, _, cell)| cell(run)).collect::<String>());
    let heads: Vec<&str> = shown.iter().map(|column| column.0).collect();
    let table = table("Every run", &heads, &runs.iter().map(row).collect::<String>());
    let command = if heads.contains(&"command") { ", with the command for each" } else { "" };
    format!("<details><summary>{}{command}</summary>{table}</details>", counted(runs.len() as u64, "run"))
}

fn command_cell(run: &LoadedRun) -> String {
    if run.command.is_empty() {
        return format!("<td class=w>{UNKNOWN}</td>");
    }
    let by_hand = run
        .changed
        .as_deref()
        .map_or(String::new(), |told| format!("<span class=soft>then changed by hand: {}</span>", escape(told)));
    format!("<td class=w>{}{by_hand}</td>", super::command(&run.command))
}
