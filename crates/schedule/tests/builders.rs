//! Schedules built in code are the schedules of the specs: one implementation, two ways in.

use lrsched_schedule::schedules::{
    constant::Constant,
    cosine::Cosine,
    cosine_restarts::CosineRestarts,
    exponential::Exponential,
    expr::Expr,
    halve::Halve,
    inverse_sqrt::InverseSqrt,
    linear::Linear,
    natural_exp::NaturalExp,
    one_cycle::{Anneal, OneCycle},
    piecewise::Piecewise,
    plateau::{Plateau, ThresholdMode},
    polynomial::Polynomial,
    step::Step,
    time::Time,
    triangular::{ExpRange, Triangular, Triangular2},
    wsd::{DecayShape, Wsd},
};
use lrsched_schedule::spec::{Condition, RateValue, Relation, Watched, fields, universal};
use lrsched_schedule::{
    Duration, EpochMetrics, Epochs, Formula, Metric, Percent, Rates, RunShape, Schedule, Semantics, Sequence, Spec,
    Steps, table,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One of every schedule, with each of its parameters set.
fn every(lr: f64, share: f64, epochs: f64, steps: u32, on: bool) -> Vec<Sequence> {
    let conditions = [
        Condition { subject: Watched::Epoch(Duration::Epochs(epochs)), comparison: Relation::AtLeast },
        Condition { subject: Watched::Metric(Metric::ValAccuracy, share), comparison: Relation::MoreThan },
    ];
    let rates = [RateValue::Absolute(lr), RateValue::TimesLr(share)];
    vec![
        Constant::new(lr).warmup(Percent(10)).warmup_from(share).into(),
        Step::new(lr).factor(share).drop_every(Epochs(epochs)).into(),
        Time::new(lr).decay(share).decay_steps(Steps(steps)).staircase(on).into(),
        Exponential::new(lr).decay_rate(share).decay_steps(Epochs(epochs)).staircase(on).into(),
        NaturalExp::new(lr).k(share).decay_steps(Steps(steps)).into(),
        Linear::new(lr).end_lr(lr * share).over(Percent(50)).into(),
        Polynomial::new(lr).power(1.0 + share).end_lr(RateValue::TimesLr(share)).over(Epochs(epochs)).cycle(on).into(),
        Piecewise::new(lr).milestones([Epochs(epochs), Epochs(epochs + 1.0)]).factor(share).into(),
        Piecewise::new(lr).milestones([Steps(steps)]).values(rates).into(),
        Halve::new(lr).factor(share).when(conditions).min_lr(lr * 0.1).into(),
        Plateau::new(lr)
            .factor(share)
            .patience(1)
            .threshold(0.01)
            .threshold_mode(ThresholdMode::Abs)
            .cooldown(1)
            .min_lr(lr * 0.01)
            .monitor(Metric::Loss)
            .into(),
        Cosine::new(lr).end_lr(lr * share).over(Epochs(epochs)).warmup(Steps(steps)).into(),
        CosineRestarts::new(lr).period(Steps(steps)).period_mult(1.0 + share).lr_mult(share).end_lr(lr * 0.1).into(),
        Triangular::new(lr)
            .max_lr(2.0 * lr)
            .step_size(Steps(steps))
            .step_size_down(Epochs(epochs))
            .base_momentum(share)
            .max_momentum(0.95)
            .cycle_momentum(on)
            .into(),
        Triangular2::new(lr)
            .max_lr(RateValue::TimesLr(2.0))
            .step_size(Epochs(epochs))
            .step_size_down(Steps(steps))
            .base_momentum(share)
            .max_momentum(0.9)
            .cycle_momentum(!on)
            .into(),
        ExpRange::new(lr)
            .max_lr(3.0 * lr)
            .step_size(Steps(steps))
            .step_size_down(Steps(steps))
            .gamma(share)
            .base_momentum(0.1)
            .max_momentum(share)
            .cycle_momentum(on)
            .into(),
        OneCycle::new(lr)
            .max_lr(3.0 * lr)
            .pct_start(share)
            .div_factor(10.0)
            .final_div_factor(100.0)
            .anneal(if on { Anneal::Linear } else { Anneal::Cos })
            .three_phase(on)
            .base_momentum(share)
            .max_momentum(0.99)
            .cycle_momentum(!on)
            .into(),
        Wsd::new(lr)
            .warmup(Steps(steps))
            .warmup_from(share)
            .decay(Percent(30))
            .shape(DecayShape::Cosine)
            .end_lr(0.0)
            .into(),
        InverseSqrt::new(lr).warmup(Epochs(epochs)).warmup_from(share).into(),
        Expr::new(lr).expr("lr*0.5^floor(e/2)").into(),
        Step::new(lr).lasting(Epochs(2)).then(Linear::new(lr).lasting(Percent(20))).then(Cosine::new(lr * share)),
    ]
}

#[test]
fn a_builder_has_a_setter_for_each_parameter_of_its_row() {
    let built: Vec<_> = every(0.1, 0.5, 2.0, 7, true).into_iter().map(|schedule| schedule.spec().unwrap()).collect();
    for entry in table() {
        let switches: Vec<_> = entry.parameters.iter().filter(|p| p.is_switch()).map(|p| p.name).collect();
        let specs = built.iter().filter(|spec| !spec.is_sequence() && spec.name() == entry.name);
        let set: BTreeSet<String> = specs
            .flat_map(|spec| fields(&spec.to_string(), &switches, None, |_| None).unwrap().values)
            .map(|(key, _)| key)
            .filter(|key| entry.parameter(key).is_some() || universal().iter().all(|parameter| parameter.name != key))
            .collect();
        let of_row: BTreeSet<String> = entry.parameters.iter().map(|parameter| parameter.name.to_string()).collect();
        assert_eq!(set, of_row, "{}", entry.name);
        assert!(built.iter().any(|spec| spec.name() == entry.name), "{} has no builder", entry.name);
    }
}

#[test]
fn each_word_of_a_choice_is_the_one_that_its_spec_names() {
    let shapes = DecayShape::ALL.map(|shape| Wsd::new(0.1).shape(shape).spec().unwrap().to_string());
    assert_eq!(shapes, DecayShape::NAMES.map(|name| format!("wsd:shape={name},lr=0.1")));
    let run = RunShape::new(0.1, 4, 10);
    for (shape, name) in DecayShape::ALL.into_iter().zip(DecayShape::NAMES) {
        let built = Wsd::new(0.1).shape(shape).decay(Percent(90)).build(&run).unwrap();
        let read = Schedule::build(&format!("wsd:shape={name},decay=90%").parse().unwrap(), &run).unwrap();
        assert_eq!(built.at(20), read.at(20), "{name}");
        assert_ne!(built.at(20).learning_rate, 0.1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_builder_its_spec_and_what_the_spec_reads_back_to_have_the_same_rates(
        lr in 1e-4..1.0_f64, share in 0.05..0.95_f64, tenths in 1..40_u32, steps in 1..60_u32, on: bool, which in 0..4_usize,
    ) {
        let run = RunShape::new(0.3, 6, 11).with(Semantics::ALL[which]);
        for built in every(lr, share, f64::from(tenths) / 10.0, steps, on) {
            let spec = built.clone().spec().unwrap();
            let again: Spec = spec.to_string().parse().unwrap();
            prop_assert_eq!(&again, &spec);
            let (mut built, mut read) = (built.build(&run).unwrap(), Schedule::build(&again, &run).unwrap());
            for epoch in 0..6 {
                let loss = 1.0 + share * (epoch % 3) as f64;
                let metrics = EpochMetrics { epoch, loss, accuracy: share, val_loss: Some(loss), val_accuracy: Some(share) };
                built.observe(&metrics);
                read.observe(&metrics);
            }
            for t in 0..70 {
                prop_assert_eq!(built.at(t), read.at(t), "{} at {}", spec, t);
            }
        }
    }
}

#[test]
fn a_value_out_of_range_is_refused_as_in_a_spec() {
    let built = Step::new(0.1).factor(1.5).drop_every(Epochs(0)).build(&RunShape::new(0.1, 4, 10));
    assert_eq!(built.unwrap_err().to_string(), "step: factor must be in (0, 1], got 1.5");
    let built = OneCycle::new(0.1).pct_start(1.5).spec();
    assert_eq!(built.unwrap_err().to_string(), "one-cycle: pct-start must be in [0, 1], got 1.5");
    assert!(Constant::new(f64::NAN).spec().is_err());
    let built = Constant::new(0.1).then(Cosine::new(0.1)).build(&RunShape::new(0.1, 4, 10));
    assert!(built.unwrap_err().to_string().contains("how long?"));
}

/// A formula that is not in the table: it listens, and saves what it has heard.
#[derive(Debug, Clone)]
struct Deaf {
    lr: f64,
    epochs: u64,
}

impl Formula for Deaf {
    fn rates(&self, _t: u64) -> Rates {
        Rates::of(self.lr / (1.0 + self.epochs as f64))
    }

    fn observe(&mut self, _next: u64, _metrics: &EpochMetrics) {
        self.epochs += 1;
    }
}

#[test]
fn a_formula_of_the_users_own_runs_alone_and_within_a_sequence() {
    let run = RunShape::new(0.1, 4, 10);
    let mut alone = Sequence::custom(Deaf { lr: 0.4, epochs: 0 }).build(&run).unwrap();
    let metrics = |epoch| EpochMetrics { epoch, loss: 1.0, accuracy: 0.1, val_loss: None, val_accuracy: None };
    assert_eq!(alone.at(10).learning_rate, 0.4);
    alone.observe(&metrics(0));
    assert_eq!(alone.at(10).learning_rate, 0.2);

    let own = Sequence::custom(Deaf { lr: 0.4, epochs: 0 }).lasting(Epochs(1));
    let sequence = Constant::new(0.1).lasting(Epochs(1)).then(own).then("linear".parse::<Spec>().unwrap());
    let mut schedule = sequence.clone().build(&run).unwrap();
    assert_eq!([0, 9, 10, 19, 20, 30].map(|t| schedule.at(t).learning_rate), [0.1, 0.1, 0.4, 0.4, 0.1, 0.05]);
    schedule.observe(&metrics(0));
    assert_eq!(schedule.at(19).learning_rate, 0.4, "its clock had not begun");
    schedule.observe(&metrics(1));
    assert_eq!(schedule.at(19).learning_rate, 0.2);
    assert!(sequence.spec().unwrap_err().to_string().contains("has no spec"));
}
