//! The entrants of a comparison that names none: every schedule under one optimizer, every adaptive optimizer, in a shape that fits a run of any length.

use lrsched::config::given::TableKey;
use lrsched::config::{Given, Grid, RunConfig, Source};
use lrsched::data::DatasetKind;
use lrsched::experiment::{Entered, Entrant, EntrantNote, Overrides, Plan, Setting, Varied, default_entrants, enter};
use lrsched::optim::Optimizer;
use lrsched::schedule::{self, RunShape, Schedule, Semantics, Spec};
use proptest::prelude::*;

fn entrants() -> Vec<Entrant> {
    let parse =
        |text: String| Entrant::parse(&text, &Overrides::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    default_entrants(DatasetKind::Cifar10).into_iter().map(parse).collect()
}

#[test]
fn every_schedule_competes_under_one_and_the_same_optimizer() {
    let entrants = entrants();
    let with_sgd: Vec<_> = entrants.iter().filter(|entrant| entrant.optimizer.name() == "sgd").collect();
    let schedules: Vec<_> = with_sgd.iter().map(|entrant| entrant.schedule.name()).collect();
    assert_eq!(schedules, schedule::table().iter().map(|entry| entry.name).collect::<Vec<_>>());
    for entrant in with_sgd {
        let optimizer = entrant.optimizer.clone().without_learning_rate().to_string();
        assert_eq!(optimizer, "sgd:momentum=0.9,nesterov,weight-decay=5e-4", "{entrant}");
    }
}

/// AdamW is deliberately not among them: it differs from Adam in its weight decay only.
#[test]
fn every_adaptive_optimizer_competes_at_a_constant_rate_and_with_a_decay() {
    let names = entrants().into_iter().filter(|entrant| entrant.optimizer.name() != "sgd");
    let names: Vec<_> = names.map(|e| (e.optimizer.name(), e.schedule.to_string())).collect();
    let expected = ["rmsprop", "adam", "adagrad", "adadelta"]
        .into_iter()
        .flat_map(|optimizer| ["constant", "linear"].map(|schedule| (optimizer, schedule.to_string())));
    assert_eq!(names, expected.collect::<Vec<_>>());
}

#[test]
fn no_default_entrant_has_a_weight_decay_that_another_lacks() {
    for entrant in entrants() {
        assert!(entrant.to_string().contains("weight-decay=5e-4"), "{entrant}");
    }
}

/// A rate that ends high ruins the run it could have had: with 25 % for half a cycle, the last cycle ends with the run.
#[test]
fn the_default_cycles_end_at_their_low_rate() {
    for (epochs, steps_per_epoch) in [(1, 40), (3, 36), (5, 40), (10, 352)] {
        let cycles = ["triangular", "triangular2", "exp-range", "one-cycle"];
        let cyclic: Vec<_> =
            entrants().into_iter().filter(|entrant| cycles.contains(&entrant.schedule.name())).collect();
        assert_eq!(cyclic.len(), cycles.len());
        for entrant in cyclic {
            let setting = RunShape::new(1.0, epochs, steps_per_epoch);
            let schedule = Schedule::build(&entrant.schedule, &setting).unwrap();
            let (first, last) = (schedule.at(0).learning_rate, schedule.at(setting.total_steps() - 1).learning_rate);
            assert!(last <= 1.5 * first, "{entrant}, {epochs} x {steps_per_epoch}: from {first} to {last}");
        }
    }
}

#[test]
fn a_default_nesterov_gives_way_to_what_excludes_it() {
    let first = |flags: &[(&str, &str)], named: Option<&[String]>| {
        let mut given = Given::default();
        flags.iter().for_each(|(name, value)| given.put(name, Source::CommandLine, vec![(*value).to_string()]));
        enter(named, DatasetKind::Synthetic, &Overrides::of(&given)).map(|entered| entered.entrants[0].to_string())
    };
    let without = "sgd:lr=0.005,momentum=0,weight-decay=5e-4/constant";
    assert_eq!(first(&[("momentum", "0")], None).unwrap(), without);
    let damped = "sgd:lr=0.005,momentum=0.9,dampening=0.1,weight-decay=5e-4/constant";
    assert_eq!(first(&[("dampening", "0.1")], None).unwrap(), damped);
    assert!(first(&[("momentum", "0"), ("nesterov", "true")], None).is_err(), "asked for");
    let mut given = Given::default();
    given.put("momentum", Source::CommandLine, vec!["0".to_string()]);
    given.put_keys("grid", ["lr=0.1,0.2"].iter().map(|axis| TableKey::parse(axis, Source::CommandLine)));
    let grid = Grid::of(&mut given).unwrap();
    let entered = enter(None, DatasetKind::Cifar10, &Overrides::of(&given).crossed(grid)).unwrap();
    assert_eq!(entered.uncrossed[0], "sgd:momentum=0,weight-decay=5e-4/constant", "with a grid too, and it reads back");
    let named = ["sgd:nesterov/constant".to_string()];
    assert!(first(&[("momentum", "0")], Some(&named)).is_err(), "the user's own");
    let grid = crossed(&["sgd:nesterov/constant"], &["momentum=0,0.9"]).unwrap();
    assert_eq!(names(&grid), ["sgd:momentum=0/constant", "sgd:momentum=0.9,nesterov/constant"]);
    assert!(crossed(&["sgd:nesterov/constant"], &["weight-decay=0,0.1"]).is_err(), "no momentum at any point");
}

#[test]
fn a_warm_up_of_0_does_for_every_entrant() {
    let mut given = Given::default();
    given.put("warmup", Source::CommandLine, vec!["0".into()]);
    let overrides = Overrides::of(&given);
    for text in default_entrants(DatasetKind::Cifar10) {
        let entrant = Entrant::parse(&text, &overrides).unwrap();
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
        enter(named, DatasetKind::Cifar10, &Overrides::of(&given)).map_err(|error| error.to_string())
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
    let Entered { entrants, notes, .. } = enter(Some(&named), DatasetKind::Cifar10, &Overrides::of(&given)).unwrap();
    assert_eq!(entrants[0].to_string(), "sgd/constant:warmup=2,for=5;cosine:end-lr=0,warmup=1");
    assert_eq!(notes, []);
}

/// `sgd/cosine` is plain SGD, not the default entrant that reports call so.
#[test]
fn an_optimizer_without_options_is_told_from_the_default_entrant_of_its_name() {
    let bare = |named: &[&str], flags: &[(&str, &str)]| {
        let mut given = Given::default();
        for (key, value) in flags {
            given.put(key, Source::CommandLine, vec![(*value).into()]);
        }
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        enter(Some(&named), DatasetKind::Cifar10, &Overrides::of(&given)).unwrap().bare
    };
    let usual = ("sgd".to_string(), "sgd:momentum=0.9,nesterov,weight-decay=5e-4");
    assert_eq!(bare(&["sgd/cosine", "step", "lion"], &[]), std::slice::from_ref(&usual));
    assert_eq!(bare(&["adam", "sgd"], &[]), [("adam".to_string(), "adam:weight-decay=5e-4"), usual]);
    for (named, flags) in [
        (&["sgd:momentum=0.9/cosine"][..], &[][..]),
        (&["sgd:lr=0.1/cosine"], &[]),
        (&["sgd/cosine"], &[("lr", "0.1")]),
        (&["sgd/cosine"], &[("momentum", "0.9")]),
    ] {
        assert_eq!(bare(named, flags), [], "{named:?} {flags:?}");
    }
    assert_eq!(enter(None, DatasetKind::Cifar10, &Overrides::default()).unwrap().bare, [], "the default entrants");
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

/// The entrants of a comparison with these entrants and grid axes, as its messages name them, or the error.
fn crossed(named: &[&str], axes: &[&str]) -> Result<Entered, String> {
    let mut given = Given::default();
    given.put_keys("grid", axes.iter().map(|axis| TableKey::parse(axis, Source::CommandLine)));
    let grid = Grid::of(&mut given).map_err(|error| error.to_string())?;
    let named: Vec<String> = named.iter().map(ToString::to_string).collect();
    let named = Some(named.as_slice()).filter(|named| !named.is_empty());
    enter(named, DatasetKind::Cifar10, &Overrides::of(&given).crossed(grid)).map_err(|error| error.to_string())
}

fn names(entered: &Entered) -> Vec<String> {
    entered.entrants.iter().map(ToString::to_string).collect()
}

#[test]
fn a_grid_takes_the_entrants_one_by_one_and_varies_the_last_key_fastest() {
    let entered = crossed(&["sgd/cosine", "linear"], &["momentum=0,0.9", "lr=0.1,0.3"]).unwrap();
    let expected = [
        "sgd:momentum=0/cosine lr=0.1",
        "sgd:momentum=0/cosine lr=0.3",
        "sgd:momentum=0.9/cosine lr=0.1",
        "sgd:momentum=0.9/cosine lr=0.3",
        "sgd:momentum=0/linear lr=0.1",
        "sgd:momentum=0/linear lr=0.3",
        "sgd:momentum=0.9/linear lr=0.1",
        "sgd:momentum=0.9/linear lr=0.3",
    ];
    assert_eq!(names(&entered), expected);
    assert_eq!(entered.notes, []);
    assert_eq!(entered.uncrossed, ["sgd/cosine", "sgd/linear"]);
}

#[test]
fn an_entrant_without_a_key_or_with_its_own_value_is_not_multiplied_and_a_note_says_so() {
    let named = ["sgd/cosine", "adam", "sgd:momentum=0.5/linear"];
    let entered = crossed(&named, &["momentum=0,0.9"]).unwrap();
    let expected = ["sgd:momentum=0/cosine", "sgd:momentum=0.9/cosine", "adam/constant", "sgd:momentum=0.5/linear"];
    assert_eq!(names(&entered), expected);
    let setting = Setting { key: "momentum".into(), value: None };
    assert_eq!(
        entered.notes,
        [
            EntrantNote::OwnValue { setting, entrants: vec!["sgd:momentum=0.5/linear".into()] },
            EntrantNote::NotTaken { by: Varied::Grid, key: "momentum".into(), entrants: vec!["adam/constant".into()] },
        ]
    );
}

#[test]
fn a_schedule_with_rates_of_its_own_is_not_multiplied_by_the_base_rate() {
    let named = ["one-cycle:max-lr=0.4", "cosine"];
    let entered = crossed(&named, &["lr=0.1,0.3", "momentum=0.5,0.9"]).unwrap();
    let expected = [
        "sgd:momentum=0.5/one-cycle:max-lr=0.4",
        "sgd:momentum=0.9/one-cycle:max-lr=0.4",
        "sgd:momentum=0.5/cosine lr=0.1",
        "sgd:momentum=0.9/cosine lr=0.1",
        "sgd:momentum=0.5/cosine lr=0.3",
        "sgd:momentum=0.9/cosine lr=0.3",
    ];
    assert_eq!(names(&entered), expected);
    let setting = Setting { key: "lr".into(), value: None };
    assert_eq!(entered.notes, [EntrantNote::OwnRates { setting, entrants: vec!["sgd/one-cycle:max-lr=0.4".into()] }]);
    // A warm-up leads to the base rate.
    let entered = crossed(&["one-cycle:max-lr=0.4"], &["warmup=1", "lr=0.1,0.3"]).unwrap();
    let expected = ["sgd/one-cycle:max-lr=0.4,warmup=1 lr=0.1", "sgd/one-cycle:max-lr=0.4,warmup=1 lr=0.3"];
    assert_eq!(names(&entered), expected);
    // Where the peak is a multiple of the base rate at one point only, that point alone is multiplied.
    let entered = crossed(&["one-cycle"], &["max-lr=0.4,2x", "lr=0.1,0.3"]).unwrap();
    let expected = ["sgd/one-cycle:max-lr=0.4", "sgd/one-cycle:max-lr=2x lr=0.1", "sgd/one-cycle:max-lr=2x lr=0.3"];
    assert_eq!((names(&entered), entered.notes), (expected.map(str::to_string).to_vec(), vec![]));
}

#[test]
fn the_values_of_the_default_entrants_give_way_to_a_grid() {
    let entered = crossed(&[], &["factor=0.1,0.2", "lr=0.05,0.1"]).unwrap();
    let all = names(&entered);
    for expected in [
        "sgd:momentum=0.9,nesterov,weight-decay=5e-4/step:factor=0.1,drop-every=40% lr=0.05",
        "sgd:momentum=0.9,nesterov,weight-decay=5e-4/step:factor=0.2,drop-every=40% lr=0.1",
        "sgd:momentum=0.9,nesterov,weight-decay=5e-4/cosine lr=0.05",
        "adam:weight-decay=5e-4/constant lr=0.1",
    ] {
        assert!(all.iter().any(|entrant| entrant == expected), "{expected}: {all:?}");
    }
    // They read back without the values that the grid gives.
    let read =
        crossed(&entered.uncrossed.iter().map(String::as_str).collect::<Vec<_>>(), &["factor=0.1,0.2", "lr=0.05,0.1"]);
    assert_eq!(read.unwrap().entrants, entered.entrants);
}

#[test]
fn a_value_is_checked_with_each_entrant_that_takes_it_and_the_error_names_the_place_and_the_point() {
    let said = |named: &[&str], axes: &[&str]| crossed(named, axes).unwrap_err();
    assert_eq!(said(&["cosine"], &["lr=0.1,abc"]), "lr must be a number above 0, got `abc` (from --grid)");
    assert_eq!(said(&["cosine"], &["lr=0.1,-1"]), "lr must be a number above 0, got -1 (from --grid)");
    assert_eq!(said(&["cosine"], &["momentum=0.9,3"]), "sgd: momentum must be in [0, 1], got 3 (from --grid)");
    let both = said(&["cosine"], &["momentum=0.9,0", "nesterov=false,true"]);
    assert_eq!(
        both,
        "entrant cosine with momentum=0, nesterov=true: sgd: nesterov needs momentum above 0; add `momentum=0.9`"
    );
    assert_eq!(said(&["adam"], &["momentum=0,0.9"]), "no entrant takes `momentum`");
    assert!(said(&["sgd:lr=0.1/cosine"], &["lr=0.1,0.2"]).starts_with("no entrant takes lr: each that could sets"));
}

#[test]
fn a_grid_of_more_points_than_a_comparison_has_runs_is_refused_before_any_is_made() {
    let axes = |keys: &[&str], count: u32| -> Vec<String> {
        let values: Vec<String> = (1..=count).map(|value| format!("0.{:04}", value)).collect();
        keys.iter().map(|key| format!("{key}={}", values.join(","))).collect()
    };
    let said =
        |axes: &[String]| crossed(&["polynomial"], &axes.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
    let keys = ["lr", "momentum", "dampening", "weight-decay", "warmup-from", "end-lr", "power"];
    let rule = "a comparison has at most 10,000 runs";
    assert_eq!(said(&axes(&keys[..3], 1000)), format!("the grid makes 1,000,000,000 entrants; {rule}"));
    assert_eq!(said(&axes(&keys, 1000)), format!("the grid makes too many entrants; {rule}"));
    assert_eq!(said(&axes(&keys[..1], 10_001)), format!("grid: lr has 10,001 values; {rule} (from --grid)"));
}

#[test]
fn the_entrants_of_a_grid_that_are_the_same_run_are_refused() {
    let plan = |named: &[&str], axes: &[&str], seeds: u64| {
        let entered = crossed(named, axes).unwrap();
        Plan::new(&entered.entrants, seeds, |entrant| {
            let (optimizer, schedule) = (entrant.optimizer.clone(), entrant.schedule.clone());
            let usual = RunConfig { optimizer, schedule, ..RunConfig::default() };
            Ok(RunConfig { lr: entrant.lr.unwrap_or(usual.lr), ..usual })
        })
    };
    let said = plan(&["step"], &["drop-every=3,3ep"], 1).unwrap_err().to_string();
    assert_eq!(said, "the grid makes sgd/step:drop-every=3 twice; leave out a value, or the entrant");
    let said = plan(&["cosine", "sgd/cosine"], &["lr=0.1,0.2"], 1).unwrap_err().to_string();
    assert_eq!(said, "the grid makes sgd/cosine lr=0.1 twice; leave out a value, or the entrant");
    let said = plan(&["cosine"], &["lr=0.1,0.2"], 1000).map(|plan| plan.runs.len());
    assert_eq!(said, Ok(2000));
    let many: Vec<String> = (1..=11).map(|rate| format!("0.{rate}1")).collect();
    let said = plan(&["cosine"], &[&format!("lr={}", many.join(","))], 1000).unwrap_err().to_string();
    assert_eq!(said, "11 entrants with 1000 seeds are 11,000 runs; a comparison has at most 10,000 runs");
}

proptest! {
    #[test]
    fn no_two_runs_of_a_plan_with_a_grid_have_one_name(
        entrants in proptest::sample::subsequence(default_entrants(DatasetKind::Cifar10), 1..6),
        rates in proptest::collection::btree_set(1_u32..1000, 1..4),
        decays in proptest::collection::btree_set(1_u32..1000, 1..4),
        seeds in 1_u64..3,
    ) {
        let axis = |key: &str, values: &std::collections::BTreeSet<u32>| {
            let values: Vec<String> = values.iter().map(|value| format!("{}", f64::from(*value) / 1000.0)).collect();
            format!("{key}={}", values.join(","))
        };
        let (rates, decays) = (axis("lr", &rates), axis("weight-decay", &decays));
        let entrants: Vec<&str> = entrants.iter().map(String::as_str).collect();
        let Ok(entered) = crossed(&entrants, &[&rates, &decays]) else { return Ok(()) };
        let plan = Plan::new(&entered.entrants, seeds, |entrant| {
            let (optimizer, schedule) = (entrant.optimizer.clone(), entrant.schedule.clone());
            let usual = RunConfig { optimizer, schedule, ..RunConfig::default() };
            Ok(RunConfig { lr: entrant.lr.unwrap_or(usual.lr), ..usual })
        });
        let plan = plan.unwrap();
        let mut names: Vec<&str> = plan.runs.iter().map(|run| run.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), plan.runs.len());
        prop_assert_eq!(plan.runs.len() as u64, entered.entrants.len() as u64 * seeds);
    }
}
