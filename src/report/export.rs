//! The report as Markdown and as CSV.

use super::analysis::Analysis;
use super::entrants::{Entrant, Summary};
use super::table;
use std::fmt::Write as _;

/// The table of the entrants, and the verdict on each.
pub fn markdown(title: &str, summary: &str, analyses: &[Analysis<'_>]) -> String {
    let entrants: Vec<Entrant<'_>> = analyses.iter().map(|analysis| analysis.entrant.clone()).collect();
    let mut out = format!("# {title}\n\n{summary}\n\n{}", table::markdown(&entrants));
    out.push('\n');
    for analysis in analyses {
        let _ = writeln!(out, "- `{}`: {}", analysis.name, analysis.verdict);
    }
    out
}

/// One row an entrant; what is unknown is an empty cell.
///
/// # Errors
/// None that can happen: the text is made in memory.
pub fn csv(analyses: &[Analysis<'_>]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "entrant",
        "optimizer",
        "schedule",
        "semantics",
        "lr",
        "n",
        "status",
        "val_accuracy",
        "val_accuracy_sd",
        "best_val_accuracy",
        "best_epoch",
        "learning_rate_at_best",
        "test_accuracy",
        "test_accuracy_sd",
        "generalisation_gap",
        "area_under_curve",
        "seconds",
        "behind_best",
        "behind_best_half_width",
        "seeds_needed",
        "target_reached",
        "steps_to_target",
        "seconds_to_target",
        "verdict",
    ])?;
    let cell = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for a in analyses {
        let mean = |summary: Option<Summary>| cell(summary.map(|s| s.mean));
        let deviation = |summary: Option<Summary>| cell(summary.and_then(|s| s.deviation));
        let interval = a.behind_best.and_then(|difference| difference.interval);
        writer.write_record([
            a.name.clone(),
            a.entrant.optimizer.to_string(),
            a.entrant.schedule.to_string(),
            super::entrants::semantics_name(a.entrant.semantics).to_string(),
            cell(Some(a.entrant.lr).filter(|lr| lr.is_finite())),
            a.entrant.finished().count().to_string(),
            a.entrant.status(),
            mean(a.val_accuracy),
            deviation(a.val_accuracy),
            mean(a.best_val_accuracy),
            cell(a.best_epoch),
            cell(a.rate_at_best),
            mean(a.test_accuracy),
            deviation(a.test_accuracy),
            mean(a.gap),
            mean(a.area),
            mean(a.seconds),
            cell(a.behind_best.map(|difference| difference.mean)),
            cell(interval.map(|interval| interval.half_width)),
            a.behind_best.and_then(|difference| difference.needed).map_or(String::new(), |n| n.to_string()),
            a.target.map_or(String::new(), |target| target.reached.to_string()),
            cell(a.target.and_then(|target| target.steps)),
            cell(a.target.and_then(|target| target.seconds)),
            a.verdict.clone(),
        ])?;
    }
    Ok(writer.into_inner()?)
}
