//! The runs of a tuned comparison, before any is trained.

use lrsched::config::{RunConfig, TuneAxis, Tuning};
use lrsched::experiment::{Entrant, Overrides, Plan, Stages, StagesRequest, default_entrants};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const TUNING: Tuning = Tuning { trials: 8, ranges: Vec::new(), seed: 0, studies: 3 };

fn entrants(texts: &[&str], epochs: u64) -> Vec<(Entrant, RunConfig)> {
    let entrant = |text: &&str| {
        let entrant = Entrant::parse(text, &Overrides::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let usual = RunConfig::default();
        let lr = entrant.lr.unwrap_or_else(|| entrant.optimizer.default_learning_rate(usual.semantics));
        let (optimizer, schedule) = (entrant.optimizer.clone(), entrant.schedule.clone());
        (entrant, RunConfig { optimizer, schedule, lr, epochs, ..usual })
    };
    texts.iter().map(entrant).collect()
}

fn stages(entrants: &[(Entrant, RunConfig)], tuning: &Tuning, steps_per_epoch: u64) -> Stages {
    let request = StagesRequest { entrants, tuning: Some(tuning), finalists: None, seeds: 1, steps_per_epoch };
    Stages::new(&request).unwrap_or_else(|error| panic!("{error}"))
}

fn names(plan: &Plan) -> BTreeSet<&str> {
    plan.runs.iter().map(|run| run.name.as_str()).collect()
}

#[test]
fn trials_do_not_depend_on_the_order_of_their_ranges_or_on_a_range_that_applies_anyway() {
    let axis = |key: &str, low: f64, high: f64| TuneAxis { key: key.to_string(), low, high };
    let (decay, ends) = (axis("weight-decay", 1e-5, 1e-2), axis("end-lr", 0.0, 0.1));
    let entrants = entrants(&["sgd/cosine", "sgd/linear"], 3);
    let (low, high) = entrants[0].0.optimizer.tuned_range(RunConfig::default().semantics);
    let with = |ranges: &[&TuneAxis]| {
        let ranges = ranges.iter().map(|axis| (*axis).clone()).collect();
        stages(&entrants, &Tuning { ranges, ..TUNING }, 36).plan(&[])
    };
    let one = with(&[&decay, &ends]);
    assert_eq!(one.runs.len(), 2 * 3 * 8);
    assert_eq!(names(&with(&[&ends, &decay])), names(&one));
    assert_eq!(names(&with(&[&axis("lr", low, high), &ends, &decay])), names(&one));
}

#[test]
fn as_many_trials_as_are_allowed_are_different_runs_for_every_default_entrant() {
    let all = default_entrants();
    for some in all.chunks(8) {
        let texts: Vec<&str> = some.iter().map(|entrant| entrant.as_ref()).collect();
        let tuning = Tuning { trials: 200, studies: 4, ..TUNING };
        let plan = stages(&entrants(&texts, 3), &tuning, 36).plan(&[]);
        assert_eq!(names(&plan).len(), some.len() * 4 * 200);
    }
}

#[test]
fn many_trials_of_a_long_run_are_planned_at_once() {
    let begun = Instant::now();
    let entrants = entrants(&["sgd/cosine", "adam/linear"], 300);
    let tuning = Tuning { trials: 200, ..TUNING };
    assert_eq!(stages(&entrants, &tuning, 2000).plan(&[]).runs.len(), 2 * 3 * 200);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
