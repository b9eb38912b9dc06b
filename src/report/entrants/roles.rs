//! Which runs of a tuned or screened comparison are results: finals, as far as what they tried is still what is chosen.

use crate::record::{self, ComparisonRow, Role, Stage};
use crate::stats::tuning;
use std::collections::HashMap;

/// The role of a run that belongs to a tuning.
pub fn of_tuning(row: &ComparisonRow) -> Option<&Role> {
    row.role.as_ref().filter(|role| role.study.is_some())
}

/// The runs of one entrant that are results, and the others.
#[derive(Debug, Default)]
pub struct Sorted<'a> {
    pub results: Vec<&'a ComparisonRow>,
    pub aside: Vec<&'a ComparisonRow>,
    /// Finals of a trial that is no longer chosen.
    pub stale: usize,
    /// It was tuned more than once.
    pub by_study: bool,
}

/// The chosen trial of each study of one entrant; `None` until it is known.
pub fn chosen<'a>(rows: impl IntoIterator<Item = &'a ComparisonRow>, chance: f64) -> HashMap<u64, Option<u64>> {
    let chosen = |study: &record::Study<'_>| tuning::choose(&study.trials).map(|trial| trial.number);
    record::studies(rows, chance).iter().map(|study| (study.number, chosen(study))).collect()
}

/// Sorts the runs of one entrant; one that diverged has the accuracy `chance`.
pub fn sort<'a>(rows: Vec<&'a ComparisonRow>, chance: f64) -> Sorted<'a> {
    let chosen = chosen(rows.iter().copied(), chance);
    let mut sorted = Sorted { by_study: chosen.len() > 1, ..Sorted::default() };
    for row in rows {
        let is_stale = |role: &Role| role.study.is_some_and(|study| chosen[&study] != role.trial);
        match &row.role {
            None => sorted.results.push(row),
            Some(role) if role.stage == Stage::Final && !is_stale(role) => sorted.results.push(row),
            Some(role) => {
                sorted.stale += usize::from(role.stage == Stage::Final);
                sorted.aside.push(row);
            }
        }
    }
    sorted
}
