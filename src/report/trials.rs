//! Accuracy against rate: the trials of tuned entrants, or the runs of a grid over rates; and the best so far.

use super::analysis::{Analysis, Group};
use super::chart::{AxisScale, Dot, DotLook, Figure, Mark, Panel, Series, Stack};
use super::tuning::{Tuning, peak};
use crate::record::Status;
use crate::stats::{compare_means, quantile};
use std::collections::BTreeMap;

/// Fewer rates than this show no optimum.
const FEWEST_RATES: usize = 3;

/// More panels than this are not drawn.
const MOST_PANELS: usize = 40;

/// The pictures of what was tried.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trials {
    /// One panel for each entrant, in the order of the ranking.
    pub panels: Vec<Panel>,
    /// The best so far over the number of trials, one line for each tuned entrant; `None` if none was tuned.
    pub best: Option<Panel>,
    /// They are of a grid: nothing was chosen.
    pub is_grid: bool,
}

/// Of the tuned entrants, or else of entrants that differ only in their rate.
pub fn of(groups: &[Group<'_>]) -> Trials {
    let analyses = || groups.iter().flat_map(|group| &group.analyses);
    let tuned: Vec<(&Analysis<'_>, &Tuning)> = analyses()
        .filter_map(|one| Some((one, one.entrant.tuning.as_ref()?)))
        .filter(|one| one.1.trials() > 0)
        .collect();
    let is_grid = tuned.is_empty();
    let mut panels: Vec<Panel> = match is_grid {
        true => groups.iter().flat_map(grid_panels).collect(),
        false => tuned.iter().map(|(analysis, tuning)| tuned_panel(analysis, tuning)).collect(),
    };
    panels.truncate(MOST_PANELS);
    share_axes(&mut panels);
    panels.iter_mut().for_each(in_percent);
    // Each line keeps the colour that its entrant has in the other curves.
    let line = |analysis: &Analysis<'_>| {
        let best = analysis.entrant.tuning.as_ref().map(Tuning::best_so_far).unwrap_or_default();
        let points = best.into_iter().enumerate().map(|(m, accuracy)| ((m + 1) as f64, accuracy)).collect();
        Series::new(analysis.unique.clone(), points)
    };
    let best = (!is_grid).then(|| {
        let series: Vec<Series> = analyses().map(line).collect();
        let y_range = best_range(&series);
        let mut panel = Panel {
            series,
            y_range,
            ..Panel::new("Best so far, mean over the studies", "trials", "accuracy in percent")
        };
        in_percent(&mut panel);
        panel
    });
    Trials { panels, best, is_grid }
}

/// The accuracies between which the best so far are told apart: a bad first trial is cut off, not where the lines end.
fn best_range(series: &[Series]) -> Option<(f64, f64)> {
    let heights: Vec<f64> = series.iter().flat_map(|line| &line.points).map(|point| point.1).collect();
    let ends: Vec<f64> = series.iter().filter_map(|line| line.points.last()).map(|point| point.1).collect();
    let (high, middle, least) = (quantile(&heights, 1.0)?, quantile(&heights, 0.5)?, quantile(&heights, 0.0)?);
    let low = least.max((high - 2.5 * (high - middle)).min(quantile(&ends, 0.0)?));
    let room = ((high - low) * 0.05).max(0.002);
    Some(((low - room).max(0.0), high + room))
}

fn tuned_panel(analysis: &Analysis<'_>, tuning: &Tuning) -> Panel {
    let mut panel = Panel::new(analysis.unique.clone(), "", "");
    for study in &tuning.studies {
        for trial in &study.trials {
            let mut looks = trial.looks.iter();
            let first = if study.diverged.contains(&trial.number) { DotLook::Diverged } else { DotLook::Trial };
            panel.dots.extend(looks.next().map(|&look| Dot { at: (trial.rate, look), look: first }));
            panel.dots.extend(looks.map(|&look| Dot { at: (trial.rate, look), look: DotLook::Again }));
        }
        let chosen = study.chosen().and_then(|trial| Some((trial.rate, trial.accuracy()?)));
        panel.dots.extend(chosen.map(|at| Dot { at, look: DotLook::Chosen }));
    }
    panel.marks.extend(tuning.peak().map(rate_mark));
    panel
}

fn rate_mark(at: f64) -> Mark {
    Mark { at, label: peak(at), series: String::new() }
}

/// The entrants of a group that differ only in their rate, in the order of the best of each.
fn grid_panels(group: &Group<'_>) -> Vec<Panel> {
    let mut order: Vec<[&str; 4]> = Vec::new();
    let mut alike: BTreeMap<[&str; 4], Vec<&Analysis<'_>>> = BTreeMap::new();
    for analysis in &group.analyses {
        let entrant = &analysis.entrant;
        let key = [entrant.optimizer, entrant.schedule, entrant.semantics.name(), entrant.place.setting];
        if !order.contains(&key) {
            order.push(key);
        }
        alike.entry(key).or_default().push(analysis);
    }
    let panel = |key: &[&str; 4]| {
        let mean = |one: &&Analysis<'_>| Some((one.entrant.rate, one.val_accuracy?.mean));
        let mut means: Vec<(f64, f64)> = alike[key].iter().filter_map(mean).collect();
        means.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Of equals the lower rate, as in a tuning.
        let best = means.iter().copied().rev().max_by(|a, b| compare_means(a.1, b.1));
        let runs = alike[key].iter().flat_map(|one| one.entrant.runs.iter().map(|run| (&one.entrant, *run)));
        let dots: Vec<Dot> = runs
            .filter_map(|(entrant, run)| {
                let look = if run.status == Status::Diverged { DotLook::Diverged } else { DotLook::Trial };
                Some(Dot { at: (entrant.rate, run.accuracy_or_chance(entrant.place.chance())?), look })
            })
            .collect();
        let dots = dots.into_iter().chain(best.map(|at| Dot { at, look: DotLook::Chosen })).collect();
        let marks = best.map(|best| rate_mark(best.0)).into_iter().collect();
        let first = alike[key][0];
        Panel {
            dots,
            marks,
            series: vec![Series::new("", means)],
            ..Panel::new(first.unique.replacen(&first.entrant.own_rate(), "", 1), "", "")
        }
    };
    let has_enough = |key: &&[&str; 4]| {
        let mut rates: Vec<u64> = alike[*key].iter().map(|one| one.entrant.rate.to_bits()).collect();
        rates.sort_unstable();
        rates.dedup();
        rates.len() >= FEWEST_RATES
    };
    order.iter().filter(has_enough).map(panel).collect()
}

/// The same accuracies in all panels. Those far below most lie on the lower edge, with what diverged.
fn share_axes(panels: &mut [Panel]) {
    let dots = || panels.iter().flat_map(|panel| &panel.dots);
    let known: Vec<f64> = dots().filter(|dot| dot.look != DotLook::Diverged).map(|dot| dot.at.1).collect();
    let (Some(high), Some(middle)) = (quantile(&known, 1.0), quantile(&known, 0.5)) else { return };
    let least = known.iter().copied().fold(f64::INFINITY, f64::min);
    let low = least.max(high - 2.5 * (high - middle)).max(0.0);
    // The lower edge, for what lies below.
    let room = ((high - low) * 0.12).max(0.005);
    let range = ((low - 1.5 * room).max(-0.1), high + 2.5 * room);
    for panel in panels {
        (panel.x_scale, panel.y_range) = (AxisScale::Log, Some(range));
        let rates = || panel.dots.iter().map(|dot| dot.at.0).filter(|rate| *rate > 0.0);
        let ends = rates().reduce(f64::min).zip(rates().reduce(f64::max));
        panel.x_range = ends.map(|(low, high)| (low / 1.4, high * 1.4));
    }
}

/// Accuracies as the ranking has them.
fn in_percent(panel: &mut Panel) {
    panel.dots.iter_mut().for_each(|dot| dot.at.1 *= 100.0);
    panel.series.iter_mut().flat_map(|line| &mut line.points).for_each(|point| point.1 *= 100.0);
    panel.y_range = panel.y_range.map(|(low, high)| (low * 100.0, high * 100.0));
}

impl Trials {
    pub fn is_empty(&self) -> bool {
        self.panels.is_empty()
    }

    pub const fn title(&self) -> &'static str {
        if self.is_grid {
            "Validation accuracy in percent against the peak rate"
        } else {
            "Validation accuracy of the trials in percent against the peak rate"
        }
    }

    /// What the line is, if there is one.
    pub const fn line(&self) -> &'static str {
        if self.is_grid { ", with a line through the means over the seeds" } else { "" }
    }

    /// What the dots mean, as far as they occur.
    pub fn looks(&self) -> Vec<(DotLook, &'static str)> {
        let words = |look| match look {
            DotLook::Trial if self.is_grid => "a run",
            DotLook::Trial => "a trial",
            DotLook::Chosen if self.is_grid => "the highest mean",
            DotLook::Again => "a second look, on another seed",
            DotLook::Chosen => "chosen: the mean of its looks",
            DotLook::Diverged => "diverged",
        };
        let occurs = |look: &DotLook| self.panels.iter().flat_map(|panel| &panel.dots).any(|dot| dot.look == *look);
        DotLook::ALL.into_iter().filter(occurs).map(|look| (look, words(look))).collect()
    }

    /// Adds the pictures to a larger one.
    pub fn draw(&self, picture: &mut Stack) {
        if self.panels.is_empty() {
            return;
        }
        let rows = self.panels.len().div_ceil(5) as u32;
        let title = format!("{}{}; far lower ones lie on the lower edge", self.title(), self.line());
        picture.figure(&Figure { title, panels: self.panels.clone(), size: (1500, 60 + rows * 200) });
        picture.legend(&self.looks());
        if let Some(best) = &self.best {
            let best = Figure { size: (1500, 640), ..Figure::new("", vec![best.clone()]) };
            picture.figure(&super::comparison::picture(&best));
        }
    }
}
