//! Who competes where nobody is named: every schedule, every adaptive optimizer, in a shape that fits a run of any length.

use lrsched::experiment::{Entrant, Overrides, default_entrants};
use lrsched::optim::Optimizer;
use lrsched::schedule::{self, RunShape, Schedule, Semantics};

fn entrants() -> Vec<Entrant> {
    let parse =
        |text: &str| Entrant::parse(text, &Overrides::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    default_entrants().into_iter().map(parse).collect()
}

#[test]
fn every_schedule_competes_with_sgd() {
    let entrants = entrants();
    for entry in schedule::table() {
        let competes = |e: &Entrant| e.optimizer.name() == "sgd" && e.schedule.name() == entry.name;
        assert!(entrants.iter().any(competes), "sgd/{} does not compete", entry.name);
    }
}

/// AdamW is deliberately not among them: it differs from Adam in its weight decay only.
#[test]
fn every_adaptive_optimizer_competes_at_a_constant_rate() {
    let entrants = entrants();
    for name in ["rmsprop", "adam", "adagrad", "adadelta"] {
        let competes = |e: &Entrant| e.optimizer.name() == name && e.schedule.name() == "constant";
        assert!(entrants.iter().any(competes), "{name} does not compete");
    }
}

#[test]
fn a_warm_up_of_0_does_for_every_entrant() {
    let overrides = Overrides { schedule: vec![("warmup".into(), "0".into())], ..Overrides::default() };
    for text in default_entrants() {
        let entrant = Entrant::parse(text, &overrides).unwrap();
        let built = Schedule::build(&entrant.schedule, &RunShape::new(0.1, 5, 40));
        assert!(built.is_ok(), "{entrant}: {}", built.unwrap_err());
    }
}

#[test]
fn no_default_entrant_is_warned_of() {
    for (epochs, steps_per_epoch) in [(1, 40), (2, 4), (5, 40), (10, 352), (30, 352), (200, 352)] {
        for entrant in entrants() {
            let optimizer = &entrant.optimizer;
            let lr = optimizer.learning_rate().unwrap_or_else(|| optimizer.default_learning_rate(Semantics::Native));
            let warnings = schedule::warnings(&entrant.schedule, &RunShape::new(lr, epochs, steps_per_epoch)).unwrap();
            // That a plateau cannot drop within an epoch or two is true.
            let short = entrant.schedule.name() == "plateau" && epochs < 3;
            assert!(short || warnings.is_empty(), "{entrant}, {epochs} x {steps_per_epoch}: {warnings:?}");
        }
    }
}

#[test]
fn the_base_rate_goes_unused_where_a_schedule_has_rates_of_its_own() {
    let uses = |spec: &str| schedule::uses_base_rate(&spec.parse().unwrap());
    for entry in schedule::table().iter().filter(|entry| entry.name != "expr") {
        assert!(uses(entry.name), "{}", entry.name);
    }
    for spec in [
        "one-cycle:max-lr=2x",
        "one-cycle:max-lr=0.1,warmup=2",
        "piecewise:values=1x/0.5/0.1",
        "expr:lr*(1-t/T)",
        "constant:lr=2x",
        "one-cycle:max-lr=0.1,for=50;constant",
        "triangular:max-lr=0.1",
    ] {
        assert!(uses(spec), "{spec}");
    }
    for spec in [
        "one-cycle:max-lr=0.1",
        "piecewise:values=1/0.5/0.1",
        "expr:0.1*(1-t/T)",
        "constant:lr=0.1",
        "constant:lr=0.1,for=2;cosine:lr=0.2",
    ] {
        assert!(!uses(spec), "{spec}");
    }
}

#[test]
fn no_entrant_is_named_twice() {
    let mut names: Vec<String> = entrants().iter().map(ToString::to_string).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// The runs of `compare` on the embedded dataset and on CIFAR-10.
#[test]
fn every_entrant_fits_short_runs_and_its_schedule_changes_the_rate() {
    for (epochs, steps_per_epoch) in [(5, 40), (10, 352)] {
        for entrant in entrants() {
            let optimizer = &entrant.optimizer;
            Optimizer::<f32>::new(optimizer, Semantics::Native).unwrap_or_else(|error| panic!("{entrant}: {error}"));
            let lr = optimizer.learning_rate().unwrap_or_else(|| optimizer.default_learning_rate(Semantics::Native));
            let setting = RunShape::new(lr, epochs, steps_per_epoch);
            let schedule =
                Schedule::build(&entrant.schedule, &setting).unwrap_or_else(|error| panic!("{entrant}: {error}"));
            let rates = || (0..setting.total_steps()).map(|t| schedule.at(t).learning_rate);
            assert!(rates().all(|rate| rate >= 0.0 && rate.is_finite()), "{entrant}");
            let (lowest, highest) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
            let changes = lowest < 0.9 * highest;
            let still = entrant.schedule.name() == "constant" || !schedule.listens_to().is_empty();
            assert!(changes != still, "{entrant} over {epochs} epochs: from {lowest} to {highest}");
        }
    }
}
