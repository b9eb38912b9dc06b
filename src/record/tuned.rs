//! The studies of a tuned comparison, from its rows.

use super::{ComparisonRow, Stage};
use crate::stats::tuning::{SCREENING, Trial, choose};
use crate::stats::verdict::{self, Results};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

impl Study<'_> {
    /// The first `count` trials, once each has its first look. Another process may have more.
    pub fn tried(&self, count: u64) -> Option<Vec<Trial>> {
        let is_known = |trial: &&Trial| trial.number < count && !trial.looks.is_empty();
        let tried: Vec<Trial> = self.trials.iter().filter(is_known).cloned().collect();
        (tried.len() as u64 == count).then_some(tried)
    }
}

/// The accuracies of each entrant in its screening, by seed; of a study, those of the trial that is chosen by now. With
/// `trials`, it is chosen once there are so many.
pub fn screenings<'a>(rows: &[&'a ComparisonRow], trials: Option<u64>, chance: f64) -> BTreeMap<&'a str, Results> {
    let chosen = |study: &Study<'_>| {
        let tried = trials.map_or_else(|| Some(study.trials.clone()), |count| study.tried(count))?;
        choose(&tried).map(|trial| trial.number)
    };
    let chosen: HashMap<(&str, u64), Option<u64>> = studies(rows.iter().copied(), chance)
        .iter()
        .map(|study| ((study.entrant, study.number), chosen(study)))
        .collect();
    let mut all: BTreeMap<&str, Results> = BTreeMap::new();
    for (row, role) in rows.iter().filter_map(|row| Some((row, row.role.as_ref()?))) {
        let results = all.entry(&role.entrant).or_default();
        let is_chosen = |study: u64| role.trial.is_some() && chosen[&(role.entrant.as_str(), study)] == role.trial;
        if role.stage == Stage::Screening && role.study.is_none_or(is_chosen) {
            results.extend(row.accuracy_or_chance(chance).map(|accuracy| (row.seed, accuracy)));
        }
    }
    all
}

/// The best `count` of the `entrants` by their screening, of equals the first by name; `None` until each has all its
/// results of it, of which every study has so many `trials`.
pub fn finalists<'a>(
    rows: &[&'a ComparisonRow],
    entrants: &BTreeSet<&str>,
    count: u64,
    trials: Option<u64>,
    chance: f64,
) -> Option<BTreeSet<&'a str>> {
    let mut screenings = screenings(rows, trials, chance);
    screenings.retain(|entrant, _| entrants.contains(entrant));
    if screenings.len() < entrants.len() || screenings.values().any(|known| (known.len() as u64) < SCREENING) {
        return None;
    }
    let (names, results): (Vec<&str>, Vec<Results>) = screenings.into_iter().unzip();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Some(verdict::order(&results).into_iter().take(count).map(|place| names[place]).collect())
}

/// The finalists of a comparison known by its rows: as many as the most that any run was planned with, after the most
/// trials. `None` until they are known, or without a screening.
pub fn recorded_finalists<'a>(rows: &[&'a ComparisonRow], chance: f64) -> Option<BTreeSet<&'a str>> {
    let roles = || rows.iter().filter_map(|row| row.role.as_ref());
    let count = roles().filter_map(|role| role.finalists).max()?;
    let trials = roles().filter_map(|role| role.trial).max().map(|last| last + 1);
    finalists(rows, &roles().map(|role| role.entrant.as_str()).collect(), count, trials, chance)
}

/// Each entrant in each of its studies, in the order in which they first appear. A run that diverged has the accuracy of
/// guessing, `chance`.
pub fn studies<'a>(rows: impl IntoIterator<Item = &'a ComparisonRow>, chance: f64) -> Vec<Study<'a>> {
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
            let begins = stage(first) == Some(Stage::Trial) && first.accuracy_or_chance(chance).is_some();
            let known = runs.iter().filter_map(|(_, row)| row.accuracy_or_chance(chance));
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
    use crate::record::{self, Role, Status};

    const CHANCE: f64 = 0.1;

    fn row(study: u64, stage: Stage, trial: u64, seed: u64, status: Status, accuracy: Option<f64>) -> ComparisonRow {
        let config = RunConfig { seed, lr: 0.1 * (trial + 1) as f64, ..RunConfig::default() };
        let results = record::Results { val_accuracy: accuracy, ..record::Results::default() };
        let role =
            Role { entrant: "sgd/cosine".into(), stage, study: Some(study), trial: Some(trial), finalists: None };
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
        let studies = studies(&rows, CHANCE);
        assert_eq!(studies.iter().map(|study| study.number).collect::<Vec<_>>(), [1, 0]);
        let [failed, looked_at] = &studies[1].trials[..] else { panic!("{studies:?}") };
        assert!(failed.number == 0 && failed.looks.is_empty());
        assert_eq!((looked_at.number, looked_at.rate, &looked_at.looks[..]), (1, 0.2, &[0.5, 0.6, CHANCE][..]));
        assert_eq!(studies[1].judged, [&rows[1]]);
    }

    /// Trials whose first is the best, second looks at them, and a screening of the best: in three studies.
    fn screened(entrant: &str, trials: u64, accuracy: f64) -> Vec<ComparisonRow> {
        let mut rows = Vec::new();
        for study in 0..3 {
            let mut add = |stage, trial, seed, accuracy| {
                let row = row(study, stage, trial, seed, Status::Finished, Some(accuracy));
                let role = row.role.clone().map(|role| Role { entrant: entrant.into(), finalists: Some(1), ..role });
                rows.push(ComparisonRow { role, ..row });
            };
            for trial in 0..trials {
                (7..10).for_each(|seed| {
                    let stage = if seed == 7 { Stage::Trial } else { Stage::SecondLook };
                    add(stage, trial, 10 * study + seed, 0.9 - 0.1 * trial as f64);
                });
            }
            add(Stage::Screening, 0, study, accuracy);
        }
        rows
    }

    #[test]
    fn of_equals_at_the_cut_the_first_by_name_is_the_finalist_whatever_the_order_of_entrants() {
        let [one, other] = ["sgd/step", "adam/step"].map(|entrant| screened(entrant, 2, 0.7));
        for rows in [[one.clone(), other.clone()].concat(), [other, one].concat()] {
            let rows: Vec<&ComparisonRow> = rows.iter().collect();
            assert_eq!(recorded_finalists(&rows, CHANCE), Some(BTreeSet::from(["adam/step"])));
        }
    }

    #[test]
    fn finalists_are_known_once_every_study_has_all_its_trials() {
        let rows = |trials: u64| [screened("sgd/step", 3, 0.7), screened("adam/step", trials, 0.8)].concat();
        let (fewer, all) = (rows(2), rows(3));
        let of = |rows: &[ComparisonRow]| {
            recorded_finalists(&rows.iter().collect::<Vec<_>>(), CHANCE)
                .map(|known| known.into_iter().collect::<String>())
        };
        assert_eq!((of(&fewer), of(&all)), (None, Some("adam/step".into())));
    }
}
