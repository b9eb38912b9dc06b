//! Entrants to be tuned: one curve at any height, over ranges that fit.

use lrsched::config::TuneAxis;
use lrsched::data::DatasetKind;
use lrsched::experiment::{Entrant, Overrides, Tunable, TuneError, default_entrants, tunable};
use lrsched::number::exact;
use lrsched::optim::{self, OptimizerSpec};
use lrsched::schedule::{EpochMetrics, RunShape, Schedule, Semantics, Spec, table};
use lrsched::spec::{ParameterKind, ParameterValue, RateValue};

const RUN: RunShape = RunShape { learning_rate: 0.1, semantics: Semantics::Native, steps_per_epoch: 36, epochs: 3 };

fn entrant(text: &str) -> Entrant {
    Entrant::parse(text, &Overrides::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The shape of an entrant's run, with the rate that it has untuned.
fn run_of(entrant: &Entrant) -> RunShape {
    let optimizer = &entrant.optimizer;
    let usual = || optimizer.default_learning_rate(Semantics::Native);
    RunShape { learning_rate: optimizer.learning_rate().unwrap_or_else(usual), ..RUN }
}

fn axis(key: &str, low: f64, high: f64) -> TuneAxis {
    TuneAxis { key: key.to_string(), low, high }
}

fn tuned(text: &str, ranges: &[TuneAxis]) -> Result<Tunable, TuneError> {
    let entrant = entrant(text);
    Tunable::new(&entrant, ranges, &run_of(&entrant))
}

fn built(entrant: &Entrant) -> Schedule {
    Schedule::build(&entrant.schedule, &RunShape { learning_rate: entrant.lr.unwrap(), ..RUN }).unwrap()
}

#[test]
fn every_default_entrant_at_two_rates_is_the_same_curve_times_a_factor() {
    for text in default_entrants(DatasetKind::Cifar10) {
        let tunable = tuned(&text, &[]).unwrap_or_else(|error| panic!("{text}: {error}"));
        let [low, high] = [0.003, 0.7].map(|peak| tunable.at(&[peak]).unwrap());
        let factor = high.lr.unwrap() / low.lr.unwrap();
        let [mut low, mut high] = [low, high].map(|entrant| built(&entrant));
        for epoch in 0..RUN.epochs {
            for t in epoch * RUN.steps_per_epoch..(epoch + 1) * RUN.steps_per_epoch {
                let (low, high) = (low.at(t), high.at(t));
                let expected = low.learning_rate * factor;
                assert!((high.learning_rate - expected).abs() <= 1e-9 * expected, "{text} at {t}: {low:?}, {high:?}");
                assert_eq!(high.momentum, low.momentum, "{text} at {t}");
            }
            // Bad enough for a plateau, good enough for a condition.
            let metrics =
                EpochMetrics { epoch, loss: 1.0, accuracy: 0.9, val_loss: Some(1.0), val_accuracy: Some(0.9) };
            [&mut low, &mut high].into_iter().for_each(|schedule| schedule.observe(&metrics));
        }
    }
}

#[test]
fn an_entrant_at_a_peak_has_that_highest_rate_to_three_digits() {
    for text in default_entrants(DatasetKind::Cifar10) {
        let tunable = tuned(&text, &[]).unwrap();
        for peak in [2e-4, 0.0123, 0.3] {
            let entrant = tunable.at(&[peak]).unwrap();
            let highest = built(&entrant).highest(0).learning_rate;
            assert!((highest / peak - 1.0).abs() < 0.0051, "{entrant}: {highest} for {peak}");
            let lr = entrant.lr.unwrap();
            assert_eq!(lr, format!("{lr:.2e}").parse::<f64>().unwrap(), "three digits");
        }
    }
}

#[test]
fn a_tuned_entrant_is_named_without_what_is_tuned() {
    let name = |text: &str, ranges: &[TuneAxis]| tuned(text, ranges).unwrap().name();
    assert_eq!(name("sgd:lr=0.01,momentum=0.9/triangular:max-lr=0.06", &[]), "sgd:momentum=0.9/triangular:max-lr=6x");
    assert_eq!(name("sgd/cosine:end-lr=0.001", &[]), "sgd/cosine:end-lr=0.01x");
    assert_eq!(name("sgd/cosine:lr=0.2,end-lr=0.001", &[]), "sgd/cosine:end-lr=0.005x");
    assert_eq!(name("sgd/piecewise:milestones=1,values=0.2,0.05", &[]), "sgd/piecewise:milestones=1,values=2x,0.5x");
    let decay = [axis("weight-decay", 1e-5, 1e-2)];
    assert_eq!(name("adam:lr=3e-4,weight-decay=5e-4/linear", &decay), "adam/linear");
    let sequence = "sgd/constant:for=1ep,lr=0.05;cosine:lr=0.02,end-lr=0.002";
    assert_eq!(name(sequence, &[]), "sgd/constant:for=1;cosine:end-lr=0.1x,lr=0.4x");
}

#[test]
fn the_values_of_a_point_are_written_into_the_entrant() {
    let ranges = [axis("lr", 1e-3, 1.0), axis("factor", 0.1, 0.9), axis("weight-decay", 1e-5, 1e-2)];
    let tunable = tuned("sgd:lr=0.5,momentum=0.9,weight-decay=1e-4/step:drop-every=1", &ranges).unwrap();
    assert_eq!(tunable.axes(), ranges);
    // The first drop comes before the first step: the peak is half the base rate.
    let at = tunable.at(&[0.123_456, 0.5, 1.234_567e-4]).unwrap();
    assert_eq!(at.to_string(), "sgd:momentum=0.9,weight-decay=0.000123/step:factor=0.5,drop-every=1 lr=0.247");

    let ends = tuned("sgd/cosine", &[axis("end-lr", 0.0, 0.1)]).unwrap();
    assert_eq!(ends.at(&[0.2, 0.05]).unwrap().to_string(), "sgd/cosine:end-lr=0.05x lr=0.2");
    let cycle = tuned("sgd/triangular", &[axis("max-lr", 2.0, 10.0)]).unwrap();
    assert_eq!(cycle.at(&[0.2, 4.0]).unwrap().lr, Some(0.05), "the peak stays, whatever its multiple");
}

#[test]
fn an_entrant_has_only_the_axes_that_it_takes() {
    let ranges = [axis("weight-decay", 1e-5, 1e-2), axis("momentum", 0.5, 0.99)];
    let keys = |text: &str| {
        let tunable = tuned(text, &ranges).unwrap();
        tunable.axes().iter().map(|axis| axis.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys("sgd/cosine"), ["lr", "momentum", "weight-decay"]);
    assert_eq!(keys("adam/cosine"), ["lr", "weight-decay"]);
    let all = |texts: &[&str], ranges: &[TuneAxis]| {
        let entrants: Vec<Entrant> = texts.iter().map(|text| entrant(text)).collect();
        tunable(&entrants, ranges, |entrant| Ok(run_of(entrant)))
    };
    assert!(all(&["adam/cosine", "sgd/cosine"], &ranges).is_ok());
    assert_eq!(all(&["adam/cosine"], &ranges), Err(TuneError::Untaken { key: "momentum".into() }));
    let same = all(&["sgd:lr=0.1/cosine", "adam/cosine", "sgd:lr=0.01/cosine"], &[]);
    let (first, second) = ("sgd:lr=0.1/cosine".to_string(), "sgd:lr=0.01/cosine".to_string());
    assert_eq!(same, Err(TuneError::Same { first, second }));
}

#[test]
fn an_entrant_that_cannot_be_tuned_is_refused() {
    for text in ["sgd/expr:0.1*(1-t/T)", "sgd/expr:max(lr,1e-3)", "sgd/constant:for=1ep;expr:0.1*0.5^e"] {
        let entrant = entrant(text).to_string();
        assert_eq!(tuned(text, &[]), Err(TuneError::OwnRates { entrant }), "{text}");
    }
    let still = "sgd/expr:lr*0";
    assert_eq!(tuned(still, &[]), Err(TuneError::NoRate { entrant: entrant(still).to_string() }));
    let refused = |ranges: &[TuneAxis]| tuned("sgd:momentum=0.9/wsd", ranges).unwrap_err().to_string();
    assert_eq!(refused(&[axis("nesterov", 0.0, 1.0)]), "nesterov of sgd is not a number and cannot be tuned");
    assert_eq!(refused(&[axis("shape", 0.0, 1.0)]), "shape of wsd is not a number and cannot be tuned");
    assert_eq!(refused(&[axis("momentum", 0.5, 1.5)]), "sgd: momentum must be in [0, 1], got 1.5");
    assert_eq!(refused(&[axis("lr", 0.0, 1.0)]), "the range of lr must begin above 0, got 0");
}

#[test]
fn every_optimizer_is_tuned_over_three_decades_around_its_usual_rate() {
    for entry in optim::table() {
        let spec: OptimizerSpec = entry.name.parse().unwrap();
        let (low, high) = spec.tuned_range(Semantics::Native);
        assert!(high / low >= 999.0, "{}: {low} to {high}", entry.name);
        let usual = spec.default_learning_rate(Semantics::Native);
        assert!((low * 5.0..high / 5.0).contains(&usual), "{}: {usual} is at an edge", entry.name);
    }
}

#[test]
fn the_readme_has_the_range_of_every_optimizer() {
    let readme = include_str!("../../README.md");
    for entry in optim::table() {
        let (low, high) = entry.name.parse::<OptimizerSpec>().unwrap().tuned_range(Semantics::Native);
        let mut rows = readme.lines().filter(|line| line.starts_with('|') && line.contains(" to "));
        let row = rows.find(|line| line.contains(&format!("`{}`", entry.name)));
        let range = format!("| {} to {}", exact(low), exact(high));
        assert!(row.is_some_and(|row| row.contains(&range)), "{}: {range}, not {row:?}", entry.name);
    }
}

#[test]
fn momentum_lowers_the_range_as_it_lengthens_the_steps() {
    let range = |text: &str| text.parse::<OptimizerSpec>().unwrap().tuned_range(Semantics::Native);
    for (without, with) in [("sgd", "sgd:momentum=0.9,nesterov"), ("rmsprop", "rmsprop:momentum=0.9")] {
        let ((low, high), (low_with, high_with)) = (range(without), range(with));
        assert!((low / low_with - 10.0).abs() < 0.01 && (high / high_with - 10.0).abs() < 0.01, "{with}");
    }
}

#[test]
fn a_default_rate_of_a_schedule_is_a_multiple_of_lr_or_0() {
    for entry in table() {
        for (parameter, value) in entry.name.parse::<Spec>().unwrap().schedules().next().unwrap().all() {
            let scales = match value {
                Some(ParameterValue::Rate(rate)) => matches!(rate, RateValue::TimesLr(_) | RateValue::Absolute(0.0)),
                value => value.is_none() || parameter.kind != ParameterKind::Rates,
            };
            assert!(scales, "{}: {} is the same at any lr", entry.name, parameter.name);
        }
    }
}
