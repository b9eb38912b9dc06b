//! The entrants of a comparison that names none: every schedule, every adaptive optimizer, in a shape that fits a run of any length.

use lrsched::config::{Given, Source};
use lrsched::experiment::{Entered, Entrant, Overrides, default_entrants, enter};
use lrsched::optim::Optimizer;
use lrsched::schedule::{self, RunShape, Schedule, Semantics, Spec};

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
    let mut given = Given::default();
    given.put("warmup", Source::CommandLine, vec!["0".into()]);
    let overrides = Overrides::of(&given);
    for text in default_entrants() {
        let entrant = Entrant::parse(text, &overrides).unwrap();
        let built = Schedule::build(&entrant.schedule, &RunShape::new(0.1, 5, 40));
        assert!(built.is_ok(), "{entrant}: {}", built.unwrap_err());
    }
}

#[test]
fn a_flag_that_is_wrong_is_named_with_its_source_and_without_an_entrant() {
    let entered = |named: &[&str], flags: &[(&str, &str)]| {
        let mut given = Given::default();
        for (name, value) in flags {
            given.put(name, Source::Environment, vec![(*value).to_string()]);
        }
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        let named = Some(named.as_slice()).filter(|named| !named.is_empty());
        enter(named, &Overrides::of(&given)).map_err(|error| error.to_string())
    };
    for named in [&[][..], &["sgd/step:drop-every=3"]] {
        let said = entered(named, &[("factor", "2")]).unwrap_err();
        assert_eq!(said, "step: factor must be in (0, 1], got 2 (from LRSCHED_FACTOR)");
        let said = entered(named, &[("momentum", "3")]).unwrap_err();
        assert_eq!(said, "sgd: momentum must be in [0, 1], got 3 (from LRSCHED_MOMENTUM)");
    }
    let said = entered(&["sgd/step:factor=2"], &[("drop-every", "3")]).unwrap_err();
    assert_eq!(said, "entrant sgd/step:factor=2: step: factor must be in (0, 1], got 2");
    let said = entered(&["sgd:nesterov/step"], &[]).unwrap_err();
    assert_eq!(said, "entrant sgd:nesterov/step: sgd: nesterov needs momentum above 0; add `momentum=0.9`");
    assert!(entered(&["sgd:nesterov/step"], &[("momentum", "0.9")]).is_ok(), "a flag completes an entrant");
}

#[test]
fn a_key_in_a_later_schedule_of_a_sequence_is_no_value_of_the_first() {
    let mut given = Given::default();
    given.put("warmup", Source::CommandLine, vec!["2".into()]);
    let named = ["sgd/constant:for=5ep;cosine:end-lr=0,warmup=1".to_string()];
    let Entered { entrants, notes, .. } = enter(Some(&named), &Overrides::of(&given)).unwrap();
    assert_eq!(entrants[0].to_string(), "sgd/constant:warmup=2,for=5;cosine:end-lr=0,warmup=1");
    assert_eq!(notes, []);
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
    let uses = |spec: &str| schedule::uses_base_rate(spec.parse::<Spec>().unwrap());
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
