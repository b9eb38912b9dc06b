//! What is said of entrants beside who is best: that they learned nothing, or that their runs are the same.

use super::Said;
use crate::record::Status;
use crate::report::analysis::Analysis;
use crate::usage::listed;
use std::collections::BTreeMap;

/// The losses and accuracies of each run, by seed.
type Digits = Vec<(u64, [Option<u64>; 4])>;

impl Said<'_, '_> {
    /// Who has learned nothing. If the leader has not, nobody has.
    pub(super) fn guessing(&self, leader: &Analysis<'_>) -> Option<String> {
        let chance = 100.0 * leader.entrant.place.chance();
        let guesses: Vec<&str> = self
            .analyses
            .iter()
            .filter(|analysis| analysis.entrant.only_guesses())
            .map(|analysis| analysis.short.as_str())
            .collect();
        match guesses.len() {
            _ if leader.entrant.at_chance() == leader.entrant.runs.len() => Some(format!(
                "Nothing was learned: guessing has {chance:.0} %, too, and the mean of no entrant is higher. The rates are too large or too small, or the runs too short."
            )),
            0 => None,
            _ if leader.entrant.only_guesses() => Some(format!(
                "Nothing was learned: guessing has {chance:.0} %, too. The rates are too large or too small, or the runs too short."
            )),
            1..=3 => Some(format!("No better than guessing ({chance:.0} %): {}.", listed(&guesses))),
            count => Some(format!("No better than guessing ({chance:.0} %): {count} {}s.", self.entrants())),
        }
    }

    /// Which entrants have the same results, digit by digit, on every seed: their rates never differed.
    pub(super) fn alike(&self) -> Option<String> {
        let mut found: BTreeMap<Digits, Vec<&str>> = BTreeMap::new();
        for analysis in self.analyses {
            let is_whole = analysis.entrant.runs.iter().all(|run| run.status == Status::Finished);
            if is_whole && !analysis.entrant.only_guesses() {
                found.entry(digits(analysis)).or_default().push(&analysis.short);
            }
        }
        let same: Vec<String> = found
            .iter()
            .filter(|(key, names)| !key.is_empty() && names.len() > 1)
            .map(|(_, names)| listed(names))
            .collect();
        (!same.is_empty()).then(|| format!("The same runs to the last digit: {}.", same.join("; ")))
    }
}

fn digits(analysis: &Analysis<'_>) -> Digits {
    let mut digits: Digits = analysis
        .entrant
        .runs
        .iter()
        .map(|run| {
            let results = &run.results;
            let all = [results.loss, results.accuracy, results.val_loss, results.val_accuracy];
            (run.seed, all.map(|value| value.map(f64::to_bits)))
        })
        .collect();
    digits.sort_unstable();
    digits
}
