//! The runs of a tuned comparison, before any is trained.

use lrsched::config::{RunConfig, Shard, TuneAxis, Tuning};
use lrsched::data::DatasetKind;
use lrsched::experiment::{
    Contender, Entrant, Overrides, Plan, PlannedRun, StageMismatch, Stages, StagesRequest, default_entrants,
};
use lrsched::record::{ComparisonRow, Results, Role, Stage, Status};
use std::collections::{BTreeMap, BTreeSet};
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
    let all = default_entrants(DatasetKind::Cifar10);
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

/// What each chain consists of: an entrant in a study.
fn chains(plan: &Plan) -> BTreeMap<usize, BTreeSet<(String, Option<u64>)>> {
    let mut chains: BTreeMap<usize, BTreeSet<_>> = BTreeMap::new();
    for (at, run) in plan.runs.iter().enumerate() {
        let Role { entrant, study, .. } = run.role.clone().unwrap();
        chains.entry(plan.place(at).chain).or_default().insert((entrant, study));
    }
    chains
}

/// Rows of a plan that are finished, the better the earlier the entrant is in `order`.
fn trained(plan: &Plan, order: &[&str]) -> Vec<ComparisonRow> {
    let row = |run: &PlannedRun| {
        let role = run.role.clone().unwrap();
        let place = order.iter().position(|entrant| role.entrant.starts_with(entrant)).unwrap();
        let results = Results { val_accuracy: Some(0.9 - 0.1 * place as f64), ..Results::default() };
        ComparisonRow { role: Some(role), ..ComparisonRow::new(&run.name, &run.config, Status::Finished, results) }
    };
    plan.runs.iter().map(row).collect()
}

/// The plan of all runs, once all are trained.
fn whole(stages: &Stages, order: &[&str]) -> Plan {
    let mut plan = stages.plan(&[]);
    loop {
        let longer = stages.plan(&trained(&plan, order));
        if longer.runs.len() == plan.runs.len() {
            return plan;
        }
        plan = longer;
    }
}

/// What a run is for, in the order of its turn.
fn turns(plan: &Plan) -> Vec<(u64, Stage, String)> {
    let mut turns: Vec<_> = plan.runs.iter().enumerate().map(|(at, run)| (plan.place(at).number, run)).collect();
    turns.sort_by_key(|turn| turn.0);
    let numbers: Vec<usize> = turns.iter().map(|turn| turn.0).collect();
    assert_eq!(numbers, (1..=plan.total).collect::<Vec<_>>());
    let role = |run: &PlannedRun| run.role.clone().unwrap();
    turns.iter().map(|(_, run)| role(run)).map(|role| (role.study.unwrap(), role.stage, role.entrant)).collect()
}

#[test]
fn the_turns_go_study_by_study_and_in_each_stage_by_stage_and_entrant_by_entrant() {
    let entrants = entrants(&["sgd/cosine", "adam/linear"], 3);
    for (trials, runs) in [(1, [1, 0, 1]), (2, [2, 4, 1]), (5, [5, 6, 1])] {
        let stages = stages(&entrants, &Tuning { trials, ..TUNING }, 36);
        let mut expected = Vec::new();
        for study in 0..3 {
            for (stage, count) in [Stage::Trial, Stage::SecondLook, Stage::Final].into_iter().zip(runs) {
                let of = |contender: &Contender| vec![(study, stage, contender.name.clone()); count];
                expected.extend(stages.contenders.iter().flat_map(of));
            }
        }
        assert_eq!(turns(&whole(&stages, &["sgd/cosine", "adam/linear"])), expected, "{trials} trials");
    }
}

#[test]
fn the_turns_of_a_screening_come_before_those_of_the_finalists() {
    let entrants = entrants(&THREE, 3);
    let turns = turns(&whole(&screened(&entrants, 4, 2), &["adam/linear", "sgd/step", "sgd/cosine"]));
    let of_screening = turns.iter().filter(|turn| turn.1 == Stage::Screening).count();
    let last = turns.iter().rposition(|turn| turn.1 == Stage::Screening).unwrap();
    let first = turns.iter().position(|turn| turn.1 == Stage::Final).unwrap();
    assert!(of_screening > 0 && turns[..=last].iter().all(|turn| turn.0 < turns[first].0), "{turns:?}");
    assert!(turns[last + 1..].iter().all(|turn| !turn.2.starts_with("sgd/cosine")), "{turns:?}");
}

/// Three entrants of which some are finalists, after so many trials.
fn screened(entrants: &[(Entrant, RunConfig)], trials: u64, finalists: usize) -> Stages {
    let tuning = Tuning { trials, studies: 1, ..TUNING };
    let finalists = Some(finalists);
    Stages::new(&StagesRequest { entrants, tuning: Some(&tuning), finalists, seeds: 1, steps_per_epoch: 36 }).unwrap()
}

const THREE: [&str; 3] = ["sgd/cosine", "adam/linear", "sgd/step"];

#[test]
fn screenings_of_fewer_trials_decide_no_finalists() {
    let entrants = entrants(&THREE, 3);
    let fewer = screened(&entrants, 2, 2);
    let rows = trained(&whole(&fewer, &THREE), &THREE);
    assert_eq!(fewer.finalists(&rows), Some(vec![0, 1]));
    assert_eq!(screened(&entrants, 4, 2).finalists(&rows), None);
}

#[test]
fn a_process_with_fewer_trials_does_not_mind_those_of_another_with_more() {
    let entrants = entrants(&THREE, 3);
    let (fewer, more) = (screened(&entrants, 4, 2), screened(&entrants, 6, 2));
    let of_fewer = whole(&fewer, &THREE);
    let mut rows = trained(&of_fewer, &THREE);
    rows.extend(trained(&whole(&more, &THREE), &THREE).into_iter().filter(|row| !names(&of_fewer).contains(&*row.run)));
    assert!(rows.iter().any(|row| row.role.as_ref().unwrap().trial == Some(5)));
    assert_eq!(names(&fewer.plan(&rows)), names(&of_fewer));
}

#[test]
fn fewer_finalists_than_before_are_refused_and_more_go_on() {
    let entrants = entrants(&["sgd/cosine", "adam/linear", "sgd/step", "adam/cosine"], 3);
    let order = ["sgd/cosine", "adam/linear", "sgd/step", "adam/cosine"];
    let [two, three] = [2, 3].map(|finalists| screened(&entrants, 2, finalists));
    let check = |made: &Stages, now: &Stages| {
        let rows = trained(&whole(made, &order), &order);
        let finals = rows.iter().filter(|row| row.role.as_ref().unwrap().stage == Stage::Final);
        finals.map(|row| now.design.check(row, true)).collect::<Result<Vec<()>, _>>()
    };
    assert_eq!(check(&three, &two), Err(StageMismatch::FewerFinalists { before: 3, finalists: 2 }));
    assert!(check(&two, &three).is_ok());
}

#[test]
fn a_shard_keeps_its_chains_when_studies_are_added() {
    let entrants = entrants(&["sgd/cosine", "adam/linear", "sgd/step"], 3);
    let of = |studies| chains(&stages(&entrants, &Tuning { studies, ..TUNING }, 36).plan(&[]));
    let (two, three) = (of(2), of(3));
    assert_eq!((two.len(), three.len()), (6, 9));
    assert!(two.iter().all(|(chain, what)| what.len() == 1 && three[chain] == *what), "{two:?}, {three:?}");
}

#[test]
fn finals_are_shared_evenly_whoever_is_a_finalist() {
    let texts = ["sgd/cosine", "adam/linear", "sgd/step", "adam/cosine"];
    let entrants = entrants(&texts, 3);
    for tuning in [None, Some(&TUNING)] {
        let request = StagesRequest { entrants: &entrants, tuning, finalists: Some(2), seeds: 4, steps_per_epoch: 36 };
        let stages = Stages::new(&request).unwrap();
        // Both finalists are at even places.
        let plan = whole(&stages, &["sgd/step", "sgd/cosine", "adam/linear", "adam/cosine"]);
        assert_eq!((plan.runs.len(), stages.to_come(&plan, |_| true).len()), (plan.total, 0));
        for shard in ["1/2", "2/2"].map(|shard| shard.parse::<Shard>().unwrap()) {
            let is_final = |at: &usize| plan.runs[*at].role.as_ref().unwrap().stage == Stage::Final;
            let finals = (0..plan.runs.len()).filter(is_final);
            let all = finals.clone().count();
            assert_eq!(finals.filter(|at| plan.is_of(*at, shard)).count(), all / 2, "{tuning:?}, {shard}");
        }
    }
}
