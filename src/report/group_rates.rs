//! The rates of the parameter groups of all entrants, in a picture of their own.

use super::chart::{Figure, MOST_LINES, Panel, Series};
use super::entrants::{EntrantRuns, names, short_names};
use super::rates::{self, GroupRates, Stretches};
use crate::record::ComparisonRow;
use std::collections::{BTreeSet, HashMap};

/// One line per group, and one for each entrant where they differ: the mean over its runs. `None` without groups.
pub fn figure(entrants: &[EntrantRuns<'_>], groups: &HashMap<&str, &[GroupRates]>) -> Option<Figure> {
    let of = |run: &ComparisonRow| groups.get(run.run.as_str()).copied().unwrap_or_default();
    let all: BTreeSet<&str> =
        groups.values().flat_map(|groups| groups.iter()).map(|group| group.name.as_str()).collect();
    let entrant_names = short_names(entrants, &names(entrants));
    let mut panel = Panel::new("Learning rates of the parameter groups", "epoch", "learning rate");
    for group in all {
        let line = |(entrant, name): (&EntrantRuns<'_>, &String)| {
            let rates = entrant.typical().flat_map(of).filter(|rates| rates.name == group);
            let runs: Vec<Stretches> = rates.map(|group| group.rates.clone()).collect();
            (!runs.is_empty()).then(|| Series::new(format!("{group}, {name}"), Stretches::mean(&runs).points()))
        };
        let mut lines: Vec<Series> = entrants.iter().zip(&entrant_names).filter_map(line).collect();
        if lines.windows(2).all(|pair| pair[0].points == pair[1].points) {
            lines.truncate(1);
            lines.iter_mut().for_each(|line| line.name = group.to_string());
        }
        panel.series.extend(lines);
    }
    panel.series.retain(|series| !series.points.is_empty());
    // More cannot be told apart.
    panel.series.truncate(MOST_LINES);
    rates::spread_out(&mut panel);
    let title = "Parameter groups".to_string();
    (!panel.series.is_empty()).then(|| Figure { title, panels: vec![panel], size: (900, 420) })
}
