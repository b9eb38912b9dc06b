//! What is said of single runs: those that were changed by hand, have not come to their end, or have no result.

use super::{FEW, Said};
use crate::number::counted;
use crate::record::Status;
use crate::report::analysis::Analysis;

impl Said<'_, '_> {
    /// What was changed by hand, in full: names have it shortly.
    pub(super) fn by_hand(&self) -> Option<String> {
        let told = |one: &Analysis<'_>| Some(format!("{} ({})", one.short, one.entrant.place.by_hand?));
        let told: Vec<String> = self.analyses.iter().filter_map(told).collect();
        (1..=FEW).contains(&told.len()).then(|| format!("Changed by hand: {}.", told.join("; ")))
    }

    /// How far the runs are that have not ended.
    pub(super) fn so_far(&self) -> Option<String> {
        let runs = self.analyses.iter().flat_map(|one| one.entrant.runs.iter().map(move |run| (&one.short, *run)));
        let begun = runs.filter(|(_, run)| !run.status.is_over());
        let runs: Vec<_> = begun.filter_map(|(name, run)| Some((name, run, run.results.val_accuracy?))).collect();
        let several_seeds = runs.iter().any(|(_, run, _)| run.seed != runs[0].1.seed);
        let told = runs.iter().map(|(name, run, accuracy)| {
            let seed = if several_seeds { format!(", seed {}", run.seed) } else { String::new() };
            let accuracy = accuracy * 100.0;
            format!("{name}{seed} ({}, {accuracy:.2} % on validation after its last whole epoch)", run.status)
        });
        let accuracies = runs.iter().map(|run| run.2 * 100.0);
        let (low, high) = (accuracies.clone().reduce(f64::min)?, accuracies.reduce(f64::max)?);
        Some(match runs.len() {
            ..=FEW => format!("Begun: {}.", told.collect::<Vec<_>>().join("; ")),
            many => {
                let runs = counted(many as u64, "run");
                format!("Begun: {runs}, {low:.2} to {high:.2} % on validation after their last whole epochs.")
            }
        })
    }
}

/// Those that count as guessing.
pub(super) fn at_chance(runs: usize, chance: f64) -> Option<String> {
    let verb = if runs == 1 { "counts" } else { "count" };
    let which = counted(runs as u64, "run");
    (runs > 0).then(|| format!("{which} that {} {verb} as chance ({:.0} %).", Status::Diverged, chance * 100.0))
}

/// What stopped them, such as a full disk, says nothing about their entrants.
pub(super) fn failed(runs: usize) -> Option<String> {
    let (verb, they) = if runs == 1 { ("has", "it is") } else { ("have", "they are") };
    (runs > 0).then(|| {
        format!("{} that {} {verb} no result until {they} trained again.", counted(runs as u64, "run"), Status::Failed)
    })
}
