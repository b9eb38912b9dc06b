//! The end of a comparison: its pictures, its report, and the table that says who won.

use super::live::JsonEvents;
use super::next::{self, GoingOn};
use super::session::FOR_CURVES;
use super::settings;
use crate::memory;
use crate::number::counted;
use crate::record::{self, ComparisonRow, RunInfo, Status, disk_size, files};
use crate::report;
use crate::report::analysis::Group;
use crate::report::entrants::{EntrantRuns, recipes};
use crate::report::export::{ExtraFormats, Report};
use crate::report::load::Loaded;
use crate::report::summary::Paragraph;
use crate::report::wrap;
use crate::run_folder::is_in_use;
use crate::usage::{Usage, listed};
use anyhow::{Result, bail};
use indicatif::DecimalBytes;
use std::path::{Path, PathBuf};

/// Exit code if some run diverged, failed or is missing; the others completed.
pub const SOME_FAILED: u8 = 3;

/// Reads what `folders` have. A run that was killed could not say so itself: it counts as interrupted.
pub fn load(folders: &[PathBuf]) -> Loaded {
    let mut loaded = report::load::load(folders);
    let is_killed = |row: &ComparisonRow| {
        let folder = Path::new(&row.run);
        // It may have ended since its record was read.
        let has_ended =
            || RunInfo::read(&folder.join(files::RUN_JSON)).is_ok_and(|info| info.standing.status.is_over());
        row.status == Status::Running && !is_in_use(folder) && !has_ended()
    };
    for run in loaded.runs.iter_mut().filter(|run| is_killed(&run.row)) {
        run.row.status = Status::Interrupted;
    }
    loaded
}

/// Draws and ranks the comparison in `folder`, whose table has these `rows`, and returns the exit code. Without the
/// `baseline` among its entrants, it judges all pairs and warns: the training is done. `going_on` is
/// `None` where the caller cannot say how to go on.
///
/// # Errors
/// A file cannot be written; the table has no rows.
pub fn rank(
    folder: &Path,
    title: &str,
    baseline: Option<&str>,
    rows: &[ComparisonRow],
    going_on: Option<&GoingOn<'_>>,
    json: bool,
    quiet: bool,
) -> Result<u8> {
    if rows.is_empty() {
        bail!("{}: no run in it; give a comparison that has begun", folder.join(files::COMPARISON_CSV).display());
    }
    let here = [folder.to_path_buf()];
    let loaded = load(&here);
    super::warn(&loaded.complaints);
    let mut report = report(&loaded, &here, None, baseline)?;
    let after = match going_on {
        Some(going_on) => next::after(&report.groups, going_on),
        None => next::after_all(&report.groups, folder, &loaded),
    };
    report.next =
        next::interrupted(&loaded).into_iter().chain(next::unfinished(folder, &loaded)).chain(after).collect();
    report::comparison::write_pictures(folder, &report, title)?;
    let page = folder.join(files::REPORT_HTML);
    report.write(&page, ExtraFormats::default())?;
    let Report { groups, summary, next, .. } = &report;
    if json {
        let commands: Vec<&str> = next.iter().map(|next| next.line.as_str()).collect();
        let entrants = report::export::ranking(groups);
        let told: Vec<String> = summary.iter().flat_map(Paragraph::parts).collect();
        let ranking = serde_json::json!({ "summary": told.join(" "), "entrants": entrants, "commands": commands });
        JsonEvents::new(folder, false).write("ranking", ranking)?;
    } else if !quiet {
        let width = settings::text_width();
        let all: Vec<EntrantRuns<'_>> =
            groups.iter().flat_map(|group| &group.analyses).map(|analysis| analysis.entrant.clone()).collect();
        let recipes = wrap::words(&recipes(&all), width);
        recipes.iter().filter(|line| !line.is_empty()).try_for_each(|line| super::say(&format!("{line}\n")))?;
        let table = |group: &Group<'_>| {
            let label = if group.label.is_empty() { String::new() } else { format!("{}\n", group.label) };
            let (entrants, names) = report::table::of_groups(std::slice::from_ref(group), Some(width));
            label + report::table::terminal(&entrants, &names, width, &page).trim_end()
        };
        let wrapped = |text: &String| wrap::words(text, width).join("\n");
        let legend = wrapped(&report::table::legend(groups, Some(width)));
        out!("{}\n{legend}\n", groups.iter().map(table).collect::<Vec<_>>().join("\n\n"));
        if !report.ranking.is_empty() {
            out!("{}", report.ranking.terminal(settings::chart_width(), console::colors_enabled()));
        }
        for paragraph in summary {
            out!("{}\n", paragraph.parts().iter().map(wrapped).collect::<Vec<_>>().join("\n"));
        }
        let (runs, size) = (counted(rows.len() as u64, "run"), DecimalBytes(disk_size(folder)));
        let trials = Some(files::TRIALS_PNG).filter(|_| !report.trials.is_empty());
        let pictures = [files::RANKING_PNG].into_iter().chain(trials).chain([files::COMPARISON_PNG]);
        let written: Vec<&str> =
            [files::REPORT_HTML].into_iter().chain(pictures).chain([files::COMPARISON_CSV]).collect();
        out!("results in {}: {runs}, {size}: {}", folder.display(), written.join(", "));
        for command in next {
            out!("{}:  {}", command.words(), command.line);
        }
    } else if code(rows) != 0 {
        super::warn(&[format!("{}: {}", unfinished(rows), page.display())]);
    }
    Ok(code(rows))
}

/// What becomes of a comparison of which runs are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    UnderWay,
    /// The page says how to go on.
    Stopped,
}

/// Writes the page of a comparison that is not complete, which says how far it is.
///
/// # Errors
/// It cannot be written.
pub fn so_far(folder: &Path, baseline: Option<&str>, stage: Stage) -> Result<()> {
    // Beside the networks that train: without memory the program would end, and not the report alone.
    if memory::available().is_some_and(|free| free < FOR_CURVES) {
        return Ok(());
    }
    let here = [folder.to_path_buf()];
    let loaded = load(&here);
    // Some of its entrants may have no run yet.
    let mut report = Report::of(&loaded, &here, None, baseline).or_else(|_| Report::of(&loaded, &here, None, None))?;
    if stage == Stage::Stopped {
        report.next.extend(next::interrupted(&loaded).into_iter().chain(next::unfinished(folder, &loaded)));
    }
    report.write(&folder.join(files::REPORT_HTML), ExtraFormats::default())?;
    Ok(())
}

/// The report, which judges all pairs and warns if no entrant goes by the name of the `baseline`.
///
/// # Errors
/// As [`Report::of`] without a baseline.
pub fn report<'a>(
    loaded: &'a Loaded,
    folders: &[PathBuf],
    target: Option<f64>,
    baseline: Option<&str>,
) -> Result<Report<'a>, Usage> {
    Report::of(loaded, folders, target, baseline).or_else(|error| {
        super::warn(&[format!("{error}; all pairs are judged instead")]);
        Report::of(loaded, folders, target, None)
    })
}

/// The exit code for a comparison with these rows.
pub fn code(rows: &[ComparisonRow]) -> u8 {
    if rows.iter().any(is_lacking) { SOME_FAILED } else { 0 }
}

/// Whether it has no result that it should have: a trial that diverges has told what it was for.
fn is_lacking(row: &ComparisonRow) -> bool {
    let stage = row.role.as_ref().map(|role| role.stage);
    let tells =
        row.status == Status::Diverged && matches!(stage, Some(record::Stage::Trial | record::Stage::SecondLook));
    row.status != Status::Finished && !tells
}

/// What became of those: `of 6 runs, 2 diverged and 1 was interrupted`.
pub fn unfinished(rows: &[ComparisonRow]) -> String {
    let with = |status: Status| rows.iter().filter(|row| row.status == status && is_lacking(row)).count();
    let told =
        [Status::Diverged, Status::Failed, Status::Interrupted, Status::Running].map(|status| (with(status), status));
    let told: Vec<String> =
        told.into_iter().filter(|(count, _)| *count > 0).map(|(count, status)| format!("{count} {status}")).collect();
    format!("of {}, {}", counted(rows.len() as u64, "run"), listed(&told))
}
