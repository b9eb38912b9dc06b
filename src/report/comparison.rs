//! The curves of a comparison: the learning rates, losses and accuracies of all entrants in one figure.

use super::changes;
use super::chart::{Figure, MOST_LINES, Mark, Panel, Quantity, Ranking, Series, Stack, Style};
use super::entrants::{EntrantRuns, Summary, names, short_names};
use super::export::Report;
use super::rates::{self, Known};
use crate::record::{Change, ComparisonRow, EpochRow, files, replace_file};
use crate::stats::quantile;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Writes the pictures of a comparison into `folder`: the ranking and the curves of the `report` on it, with a title of
/// their own, and what was tried, if several rates were.
///
/// # Errors
/// A picture cannot be drawn or written.
pub fn write_pictures(folder: &Path, report: &Report<'_>, title: &str) -> anyhow::Result<()> {
    let title = report.titled(title);
    let curves = Figure { title: title.clone(), ..picture(&report.figure) };
    let mut all = Stack::default();
    all.figure(&curves);
    report.group_rates.iter().for_each(|figure| all.figure(figure));
    let ranking = Ranking { title, ..report.ranking.clone() };
    let mut trials = Stack::default();
    report.trials.draw(&mut trials);
    type Drawn<'d> = (&'d str, &'d (dyn Fn() -> anyhow::Result<Vec<u8>> + Sync));
    let pictures: [Drawn<'_>; 6] = [
        (files::RANKING_PNG, &|| ranking.png()),
        (files::RANKING_SVG, &|| Ok(ranking.svg()?.into_bytes())),
        (files::COMPARISON_PNG, &|| all.png()),
        (files::COMPARISON_SVG, &|| Ok(all.svg()?.into_bytes())),
        (files::TRIALS_PNG, &|| trials.png()),
        (files::TRIALS_SVG, &|| Ok(trials.svg()?.into_bytes())),
    ];
    let drawn = if report.trials.panels.is_empty() { &pictures[..4] } else { &pictures[..] };
    drawn.par_iter().try_for_each(|(name, drawn)| replace_file(&folder.join(name), &drawn()?))
}

/// Writes the curves of a run into its `folder`, from the `report` on it.
///
/// # Errors
/// A picture cannot be drawn or written.
pub fn write_curves(folder: &Path, report: &Report<'_>) -> anyhow::Result<()> {
    let mut all = Stack::default();
    all.figure(&report.figure);
    report.group_rates.iter().for_each(|figure| all.figure(figure));
    replace_file(&folder.join(files::METRICS_SVG), all.svg()?.as_bytes())?;
    replace_file(&folder.join(files::METRICS_PNG), &all.png()?)
}

/// One line per entrant: the mean over its runs, ± one standard deviation if there are several.
///
/// `metrics` are the rows of each run by name, `known` is anything else known of it. An entrant's lines use its
/// finished runs, or all of them if none has finished. Rates are drawn step by step, positioned by the number of epochs
/// completed.
pub fn figure(
    entrants: &[EntrantRuns<'_>],
    metrics: &HashMap<String, Vec<EpochRow>>,
    known: &HashMap<String, Known>,
    title: &str,
) -> Figure {
    let names = short_names(entrants, &names(entrants));
    let panel = |quantity: Quantity, value: &dyn Fn(&EpochRow) -> Option<f64>| {
        let series = entrants.iter().zip(&names).map(|(entrant, name)| line(entrant, name, metrics, value)).collect();
        let mut panel = Panel { series, ..Panel::of(quantity, "epoch") };
        if quantity.is_loss() {
            panel.y_range = loss_range(&panel);
        }
        panel
    };
    let mut panels = vec![
        rate_panel(entrants, &names, metrics, known),
        panel(Quantity::Loss, &|row| Some(row.loss)),
        panel(Quantity::ValLoss, &|row| row.val_loss),
        panel(Quantity::Accuracy, &|row| Some(row.accuracy)),
        panel(Quantity::ValAccuracy, &|row| row.val_accuracy),
    ];
    // Without a validation set its panels are empty.
    panels.retain(|panel| panel.series.iter().any(|series| !series.points.is_empty()));
    let size = if panels.len() > 3 { (1500, 880) } else { (1500, 480) };
    Figure { title: title.to_string(), panels, size }
}

/// Of more entrants than can be told apart, a picture names this many: their names fit into one column of the legend.
pub const NAMED: usize = 20;

/// Of more entrants, bands would cover the lines.
const MOST_BANDS: usize = 10;

/// The `figure` of a comparison as a picture shows it: without bands if it has many entrants. If it has more than lines can
/// be told apart, the best ones have colours and names, and the others are grey and behind them.
pub fn picture(figure: &Figure) -> Figure {
    let entrants = figure.panels.first().map_or(0, |panel| panel.series.len());
    let mut picture = figure.clone();
    if entrants > MOST_BANDS {
        for panel in &mut picture.panels {
            panel.series.iter_mut().for_each(|series| series.band.clear());
            // A range that was to show the bands, too.
            if panel.quantity.is_some_and(Quantity::is_loss) {
                panel.y_range = loss_range(panel);
            }
        }
    }
    if entrants <= MOST_LINES {
        return picture;
    }
    let others = format!("and {} more", entrants - NAMED);
    for panel in &mut picture.panels {
        let (best, rest) = panel.series.split_at_mut(NAMED);
        for series in rest {
            *series = Series { style: Style::Grey, ..Series::new(&others, std::mem::take(&mut series.points)) };
        }
        let named: HashSet<&str> = best.iter().map(|series| series.name.as_str()).collect();
        for mark in panel.marks.iter_mut().filter(|mark| !named.contains(mark.series.as_str())) {
            mark.series.clone_from(&others);
        }
        // Many grey lines lie on each other, such as the rates of one schedule under several optimizers.
        let mut drawn = HashSet::new();
        let bits = |series: &Series| -> Vec<(u64, u64)> {
            series.points.iter().map(|&(x, y)| (x.to_bits(), y.to_bits())).collect()
        };
        panel.series.retain(|series| series.style != Style::Grey || drawn.insert(bits(series)));
    }
    picture
}

/// Marks each run's manual changes (keyed by run name) in the panels of rates, at their steps, and of losses, at the first
/// epoch that shows them, in the colour of the entrant. `entrants` are those of the figure.
pub fn mark_changes(
    figure: &mut Figure,
    entrants: &[EntrantRuns<'_>],
    changes: &HashMap<String, Vec<Change>>,
    metrics: &HashMap<String, Vec<EpochRow>>,
) {
    // Each with the steps of an epoch, if known.
    let of_run = |run: &ComparisonRow| {
        let first = metrics.get(&run.run).and_then(|rows| rows.first());
        let steps = first.map(|row| row.step as f64 / (row.epoch + 1) as f64).filter(|steps| *steps > 0.0);
        changes.get(&run.run).into_iter().flatten().map(move |change| (change, steps)).collect::<Vec<_>>()
    };
    let names = short_names(entrants, &names(entrants));
    for panel in &mut figure.panels {
        let Some(quantity) = panel.quantity.filter(|one| *one == Quantity::LearningRate || one.is_loss()) else {
            continue;
        };
        for (entrant, name) in entrants.iter().zip(&names) {
            let mut changes = entrant.runs.iter().flat_map(|run| of_run(run)).peekable();
            if changes.peek().is_none() {
                continue;
            }
            let line = panel.series.iter().find(|series| series.name == *name);
            let last = line.and_then(|line| line.points.last()).map_or(-1.0, |point| point.0);
            for (change, steps) in changes {
                // A loss is drawn at its epoch's number, a rate from there to the next.
                let at = match steps.filter(|_| quantity == Quantity::LearningRate) {
                    Some(steps) => change.step as f64 / steps,
                    None => change.epoch as f64,
                };
                let mark = Mark { at, label: changes::mark(change), series: name.clone() };
                // A change that no row shows yet has no position on the axis. Several seeds may have the same change.
                let shown = if quantity.is_loss() { mark.at <= last } else { mark.at < last };
                if shown && !panel.marks.contains(&mark) {
                    panel.marks.push(mark);
                }
            }
        }
    }
}

fn line(
    entrant: &EntrantRuns<'_>,
    name: &str,
    metrics: &HashMap<String, Vec<EpochRow>>,
    value: &dyn Fn(&EpochRow) -> Option<f64>,
) -> Series {
    let rows_of = |run: &ComparisonRow| metrics.get(&run.run).map_or(&[][..], Vec::as_slice);
    let mut runs: Vec<&[EpochRow]> = entrant.finished().map(rows_of).collect();
    if runs.is_empty() {
        runs = entrant.runs.iter().map(|run| rows_of(run)).collect();
    }
    let last = runs.iter().filter_map(|rows| rows.last()).map(|row| row.epoch).max();
    let mut series = Series::new(name, Vec::new());
    for epoch in 0..last.map_or(0, |last| last + 1) {
        let at_epoch = |rows: &&[EpochRow]| {
            let place = rows.binary_search_by_key(&epoch, |row| row.epoch).ok()?;
            value(&rows[place])
        };
        let values: Vec<f64> = runs.iter().filter_map(at_epoch).collect();
        if values.is_empty() {
            continue;
        }
        // A diverged run makes the mean NaN, which breaks the line visibly.
        let whole = values.iter().all(|value| value.is_finite());
        let summary = Summary::of(values.into_iter().map(Some)).filter(|_| whole);
        series.points.push((epoch as f64, summary.map_or(f64::NAN, |summary| summary.mean)));
        if let Some(Summary { mean, deviation: Some(deviation), .. }) = summary {
            series.band.push((epoch as f64, mean - deviation, mean + deviation));
        }
    }
    series
}

/// The rates, on a log axis if they span a wide range. No band: they are the same for every seed, except under
/// metric-driven schedules.
fn rate_panel(
    entrants: &[EntrantRuns<'_>],
    names: &[String],
    metrics: &HashMap<String, Vec<EpochRow>>,
    known: &HashMap<String, Known>,
) -> Panel {
    let mut panel = Panel::of(Quantity::LearningRate, "epoch");
    let line = |(entrant, name): (&EntrantRuns<'_>, &String)| {
        let rows = |run: &ComparisonRow| metrics.get(&run.run).map_or(&[][..], Vec::as_slice);
        let rates = rates::of_entrant(entrant, rows, |run| known.get(&run.run).cloned().unwrap_or_default());
        Series::new(name.clone(), rates.points())
    };
    panel.series = entrants.par_iter().zip(names).map(line).collect();
    rates::spread_out(&mut panel);
    panel
}

/// The range of a panel of losses; `None`: that of the values. It clips a loss that diverges, so that the other lines remain
/// distinguishable.
fn loss_range(panel: &Panel) -> Option<(f64, f64)> {
    let points = panel.series.iter().flat_map(|series| &series.points).map(|point| point.1);
    let losses: Vec<f64> = points.filter(|loss| loss.is_finite()).collect();
    let [low, high, highest] = [0.0, 0.9, 1.0].map(|q| quantile(&losses, q));
    let (low, high) = (low?, high.filter(|high| highest.is_some_and(|highest| highest > 2.0 * high))?);
    // Bands of lines that are not clipped must not be clipped either.
    let bands = panel.series.iter().flat_map(|series| &series.band);
    let whole = bands.filter(|(_, lower, upper)| f64::midpoint(*lower, *upper) <= high);
    let (low, top) = whole.fold((low, high * 1.5), |(low, top), &(_, lower, upper)| (low.min(lower), top.max(upper)));
    let room = 0.05 * (high - low);
    Some((if low >= 0.0 { (low - room).max(0.0) } else { low - room }, top))
}
