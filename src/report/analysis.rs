//! The figures and the verdict for each entrant.

use super::entrants::{EntrantRuns, Summary, names};
use super::table::percent;
use crate::record::{ComparisonRow, EpochRow};
use crate::stats::{PairedDifference, mean, median, paired_difference};
use std::collections::HashMap;
use std::fmt::Write as _;

/// One entrant with its figures; accuracies are fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis<'a> {
    pub name: String,
    pub entrant: EntrantRuns<'a>,
    pub val_accuracy: Option<Summary>,
    pub best_val_accuracy: Option<Summary>,
    /// The median over the seeds; 0-based.
    pub best_epoch: Option<f64>,
    /// The learning rate of the best epoch: the median over the seeds.
    pub rate_at_best: Option<f64>,
    pub test_accuracy: Option<Summary>,
    /// Training accuracy − validation accuracy, both of the last epoch.
    pub gap: Option<Summary>,
    /// The mean validation accuracy over the epochs, by the trapezoidal rule: the area under the curve, scaled to a run of length 1.
    pub area: Option<Summary>,
    pub target: Option<Target>,
    pub seconds: Option<Summary>,
    /// Best entrant − this one, over the seeds that both finished; `None` for the best itself, and if they share no seed.
    pub behind_best: Option<PairedDifference>,
    pub verdict: String,
}

/// The cost of reaching the target accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// How many of the finished runs reached it.
    pub reached: usize,
    /// Means over those runs.
    pub steps: Option<f64>,
    pub seconds: Option<f64>,
}

/// Analyses the entrants in the given order, the best first.
pub fn analyse<'a>(
    entrants: &[EntrantRuns<'a>],
    metrics: &HashMap<String, Vec<EpochRow>>,
    target: Option<f64>,
) -> Vec<Analysis<'a>> {
    let names = names(entrants);
    let best = entrants.first().filter(|entrant| entrant.summary(|run| run.val_accuracy).is_some());
    entrants
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(place, (entrant, name))| {
            let rows = |run: &ComparisonRow| metrics.get(&run.run).map_or(&[][..], Vec::as_slice);
            let rates: Vec<f64> = entrant.finished().filter_map(|run| rate_at_best(run, rows(run))).collect();
            let behind_best = best.filter(|_| place > 0).and_then(|best| paired_difference(&pairs(best, entrant)));
            Analysis {
                name: name.clone(),
                val_accuracy: entrant.summary(|run| run.val_accuracy),
                best_val_accuracy: entrant.summary(|run| run.best_val_accuracy),
                best_epoch: entrant.best_epoch(),
                rate_at_best: median(&rates),
                test_accuracy: entrant.summary(|run| run.test_accuracy),
                gap: entrant.summary(|run| Some(run.accuracy? - run.val_accuracy?)),
                area: Summary::of(entrant.finished().map(|run| area(rows(run)))),
                target: target.map(|target| to_target(entrant, rows, target)),
                seconds: entrant.summary(|run| run.seconds),
                behind_best,
                verdict: verdict(entrant, name, best.map(|_| names[0].as_str()), behind_best),
                entrant: entrant.clone(),
            }
        })
        .collect()
}

/// One or two sentences: which entrant is best, and how certain that is.
pub fn summary(analyses: &[Analysis<'_>]) -> String {
    let Some((best, others)) = analyses.split_first() else { return "No run was found.".into() };
    let Some(accuracy) = best.val_accuracy else {
        return "No finished run has a validation accuracy yet: nothing can be ranked.".into();
    };
    let seeds = if accuracy.n == 1 { "n = 1: one seed, so no interval".into() } else { format!("n = {}", accuracy.n) };
    let mut text = format!("Best on validation: {}, {} % ({seeds}).", best.name, percent(Some(accuracy)));
    if best.test_accuracy.is_some() {
        let _ = write!(text, " On test: {} %.", percent(best.test_accuracy));
    }
    let compared = others.iter().filter_map(|other| other.behind_best?.interval);
    let (beaten, open): (Vec<_>, Vec<_>) = compared.partition(|interval| interval.excludes_zero());
    if !beaten.is_empty() || !open.is_empty() {
        let _ = write!(
            text,
            " It beats {} of the others at 95 %; {} cannot be distinguished from it yet.",
            beaten.len(),
            open.len()
        );
    }
    text
}

/// The validation accuracies of the seeds that both have finished.
fn pairs(a: &EntrantRuns<'_>, b: &EntrantRuns<'_>) -> Vec<(f64, f64)> {
    let of = |entrant: &EntrantRuns<'_>, seed| entrant.finished().find(|run| run.seed == seed)?.results.val_accuracy;
    let both = |run: &ComparisonRow| Some((of(a, run.seed)?, run.results.val_accuracy?));
    b.finished().filter_map(both).filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

/// The comparison with the best entrant in words, so that nobody has to interpret an interval.
fn verdict(entrant: &EntrantRuns<'_>, name: &str, best: Option<&str>, behind: Option<PairedDifference>) -> String {
    let Some(best) = best else { return "no validation accuracy is known".into() };
    if entrant.summary(|run| run.val_accuracy).is_none() {
        return format!("not ranked: {}", entrant.status());
    }
    if name == best {
        return "best on validation".into();
    }
    let Some(difference) = behind else { return format!("no finished seed in common with {best}") };
    let points = difference.mean * 100.0;
    match (difference.interval, difference.needed) {
        (None, _) => format!("{} {best} with one seed: n = 1 says nothing about other seeds", apart(points)),
        (Some(interval), _) if interval.excludes_zero() => {
            let half = interval.half_width * 100.0;
            format!("{best} beats it by {points:.1} ± {half:.1} points (n = {})", interval.n)
        }
        (Some(interval), Some(needed)) => {
            format!("not distinguishable from {best} with n = {}; would need about {needed} seeds", interval.n)
        }
        (Some(interval), None) => format!("not distinguishable from {best} with n = {}, nor with 10,000", interval.n),
    }
}

/// `0.3 points behind`, for an entrant that the best one leads by `points`.
fn apart(points: f64) -> String {
    let shown = format!("{:.1}", points.abs());
    match points {
        _ if shown == "0.0" => "level with".into(),
        points if points < 0.0 => format!("{shown} points ahead of"),
        _ => format!("{shown} points behind"),
    }
}

fn rate_at_best(run: &ComparisonRow, rows: &[EpochRow]) -> Option<f64> {
    rows.iter().find(|row| Some(row.epoch) == run.results.best_epoch).map(|row| row.learning_rate)
}

fn area(rows: &[EpochRow]) -> Option<f64> {
    let values: Vec<f64> = rows.iter().map(|row| row.val_accuracy).collect::<Option<_>>()?;
    match values[..] {
        [] => None,
        [only] => Some(only),
        _ => mean(&values.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect::<Vec<_>>()),
    }
}

fn to_target<'r>(entrant: &EntrantRuns<'_>, rows: impl Fn(&ComparisonRow) -> &'r [EpochRow], target: f64) -> Target {
    let mut steps = Vec::new();
    let mut seconds = Vec::new();
    for run in entrant.finished() {
        let rows = rows(run);
        if let Some(place) = rows.iter().position(|row| row.val_accuracy.is_some_and(|accuracy| accuracy >= target)) {
            steps.push(rows[place].step as f64);
            seconds.push(rows[..=place].iter().map(|row| row.seconds).sum());
        }
    }
    Target { reached: steps.len(), steps: mean(&steps), seconds: mean(&seconds) }
}
