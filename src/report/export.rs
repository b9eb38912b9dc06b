//! The files of a report: the page, and what is wanted beside it.

use super::analysis::{Analysis, analyse, summary};
use super::comparison;
use super::entrants::{Entrant, Summary};
use super::html::Page;
use super::load::Loaded;
use super::range::{self, RangeTests};
use super::table;
use crate::record::{now, replace_file};
use crate::stats::suggest::Combined;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is written beside the page, under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside {
    /// The curves.
    pub png: bool,
    /// The curves.
    pub svg: bool,
    /// The table and the verdicts.
    pub md: bool,
    /// One row an entrant.
    pub csv: bool,
}

/// Writes the page to `output`, each file whole or not at all, and gives the files that were written.
///
/// `folders` is where `loaded` came from, for the head of the page; `target` is a validation accuracy to measure the way to.
///
/// # Errors
/// A file cannot be written; the line names it.
pub fn write(
    loaded: &Loaded,
    folders: &[PathBuf],
    output: &Path,
    beside: Beside,
    target: Option<f64>,
) -> anyhow::Result<Vec<PathBuf>> {
    let metrics = loaded.metrics();
    let entrants = loaded.entrants();
    let analyses = analyse(&entrants, &metrics, target);
    let folders = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let title = Some(loaded.title()).filter(|title| !title.is_empty()).unwrap_or_else(|| folders.clone());
    let said: Vec<Vec<Combined>> = loaded.ranges.iter().map(RangeTests::suggestions).collect();
    let mut figure = comparison::figure(&entrants, &metrics, &title);
    comparison::mark_changes(&mut figure, &entrants, &loaded.changes());
    // Range tests alone: the first of them is what the page is about.
    let first = loaded.ranges.first().zip(said.first()).filter(|_| loaded.runs.is_empty());
    let summary = if first.is_some() { range::summary(&loaded.ranges, &said) } else { summary(&analyses) };
    let picture = first.map_or_else(|| figure.clone(), |(tests, said)| tests.figure(said, &title));
    let origin = format!("{folders}; made {} by lrsched {}", now(), env!("CARGO_PKG_VERSION"));
    let page = Page {
        title: &title,
        summary: &summary,
        origin: &origin,
        loaded,
        analyses: &analyses,
        suggestions: &said,
        figure: &figure,
        target,
    };
    let mut written = vec![output.to_path_buf()];
    replace_file(output, page.html().as_bytes())?;
    let mut put = |wanted: bool, extension: &str, bytes: &dyn Fn() -> anyhow::Result<Vec<u8>>| {
        if !wanted {
            return Ok(());
        }
        written.push(output.with_extension(extension));
        replace_file(&output.with_extension(extension), &bytes()?)
    };
    put(beside.png, "png", &|| picture.png())?;
    put(beside.svg, "svg", &|| Ok(picture.svg()?.into_bytes()))?;
    put(beside.md, "md", &|| {
        let ranges = loaded.ranges.iter().zip(&said).map(|(tests, said)| format!("\n{}", range::markdown(tests, said)));
        Ok((markdown(&title, &summary, &analyses) + &ranges.collect::<String>()).into_bytes())
    })?;
    put(beside.csv, "csv", &|| csv(&analyses))?;
    Ok(written)
}

/// The table of the entrants, and the verdict on each.
fn markdown(title: &str, summary: &str, analyses: &[Analysis<'_>]) -> String {
    if analyses.is_empty() {
        return format!("# {title}\n\n{summary}\n");
    }
    let entrants: Vec<Entrant<'_>> = analyses.iter().map(|analysis| analysis.entrant.clone()).collect();
    let mut out = format!("# {title}\n\n{summary}\n\n{}", table::markdown(&entrants));
    out.push('\n');
    for analysis in analyses {
        let _ = writeln!(out, "- `{}`: {}", analysis.name, analysis.verdict);
    }
    out
}

/// One row an entrant; what is unknown is an empty cell.
fn csv(analyses: &[Analysis<'_>]) -> anyhow::Result<Vec<u8>> {
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
