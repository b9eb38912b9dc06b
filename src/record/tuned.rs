//! The studies of a tuned comparison, from its rows.

use super::{ComparisonRow, Stage};
use crate::stats::tuning::Trial;
use std::collections::HashMap;

/// One entrant in one study.
#[derive(Debug, Clone, PartialEq)]
pub struct Study<'a> {
    pub entrant: &'a str,
    pub number: u64,
    /// In the order of their numbers. One whose first run has no result yet, or failed, has no looks.
    pub trials: Vec<Trial>,
    /// Its screenings and finals, those of trials that are no longer the chosen ones included.
    pub judged: Vec<&'a ComparisonRow>,
}

/// Each entrant in each of its studies, in the order in which they first appear.
pub fn studies<'a>(rows: impl IntoIterator<Item = &'a ComparisonRow>) -> Vec<Study<'a>> {
    let mut places: HashMap<(&'a str, u64), usize> = HashMap::new();
    let mut studies: Vec<Study<'a>> = Vec::new();
    let mut looks: Vec<Vec<(u64, &'a ComparisonRow)>> = Vec::new();
    for row in rows {
        let Some(role) = &row.role else { continue };
        let Some(study) = role.study else { continue };
        let place = *places.entry((&role.entrant, study)).or_insert_with(|| {
            studies.push(Study { entrant: &role.entrant, number: study, trials: Vec::new(), judged: Vec::new() });
            looks.push(Vec::new());
            studies.len() - 1
        });
        match (role.stage, role.trial) {
            (Stage::Trial | Stage::SecondLook, Some(trial)) => looks[place].push((trial, row)),
            _ => studies[place].judged.push(row),
        }
    }
    for (study, mut looks) in studies.iter_mut().zip(looks) {
        let stage = |row: &ComparisonRow| row.role.as_ref().map(|role| role.stage);
        looks.sort_by_key(|(trial, row)| (*trial, stage(row), row.seed));
        for runs in looks.chunk_by(|(first, _), (second, _)| first == second) {
            let (number, first) = runs[0];
            let begins = stage(first) == Some(Stage::Trial) && first.accuracy_or_chance().is_some();
            let known = runs.iter().filter_map(|(_, row)| row.accuracy_or_chance());
            study.trials.push(Trial {
                number,
                rate: first.lr,
                looks: if begins { known.collect() } else { Vec::new() },
            });
        }
    }
    studies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunConfig;
    use crate::record::{Results, Role, Status};
    use crate::stats::verdict::CHANCE;

    fn row(study: u64, stage: Stage, trial: u64, seed: u64, status: Status, accuracy: Option<f64>) -> ComparisonRow {
        let config = RunConfig { seed, lr: 0.1 * (trial + 1) as f64, ..RunConfig::default() };
        let results = Results { val_accuracy: accuracy, ..Results::default() };
        let role = Role { entrant: "sgd/cosine".into(), stage, study: Some(study), trial: Some(trial) };
        ComparisonRow { role: Some(role), ..ComparisonRow::new("", &config, status, results) }
    }

    #[test]
    fn looks_are_in_the_order_of_their_seeds_and_a_trial_that_diverged_counts_as_chance() {
        use Stage::{Final, SecondLook, Trial};
        use Status::{Diverged, Failed, Finished};
        let rows = [
            row(1, Trial, 0, 9, Finished, Some(0.7)),
            row(0, Final, 1, 0, Finished, Some(0.9)),
            row(0, SecondLook, 1, 7, Diverged, Some(f64::NAN)),
            row(0, SecondLook, 1, 6, Finished, Some(0.6)),
            row(0, Trial, 1, 5, Finished, Some(0.5)),
            row(0, Trial, 0, 5, Failed, None),
        ];
        let studies = studies(&rows);
        assert_eq!(studies.iter().map(|study| study.number).collect::<Vec<_>>(), [1, 0]);
        let [failed, looked_at] = &studies[1].trials[..] else { panic!("{studies:?}") };
        assert!(failed.number == 0 && failed.looks.is_empty());
        assert_eq!((looked_at.number, looked_at.rate, &looked_at.looks[..]), (1, 0.2, &[0.5, 0.6, CHANCE][..]));
        assert_eq!(studies[1].judged, [&rows[1]]);
    }
}
