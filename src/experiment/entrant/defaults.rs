//! The entrants of a comparison that names none: equal terms for all.

use crate::data::DatasetKind;
use crate::number::{exact, rounded};
use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, RunShape, Semantics, Spec};
use crate::usage::Usage;

/// The optimizer that every schedule competes under.
const OPTIMIZER: &str = "sgd:momentum=0.9,nesterov,weight-decay=5e-4";

/// The schedules that every adaptive optimizer competes under: none, and a decay to 0.
const OF_ADAPTIVE: [&str; 2] = ["constant", "linear"];

/// The highest rate of each default entrant, untuned: the median of the three that `compare --tune` chose on 5,000 images of
/// CIFAR-10, to two digits. docs/TUNING.md has the command, results/published/tuned-cifar10-5000 the runs; a test compares.
const ON_CIFAR10: &[(&str, &str, f64)] = &[
    ("sgd", "constant", 0.017),
    ("sgd", "step", 0.016),
    ("sgd", "time", 0.017),
    ("sgd", "exponential", 0.016),
    ("sgd", "natural-exp", 0.016),
    ("sgd", "linear", 0.016),
    ("sgd", "polynomial", 0.016),
    ("sgd", "piecewise", 0.016),
    ("sgd", "halve", 0.017),
    ("sgd", "plateau", 0.016),
    ("sgd", "cosine", 0.016),
    ("sgd", "cosine-restarts", 0.016),
    ("sgd", "triangular", 0.016),
    ("sgd", "triangular2", 0.016),
    ("sgd", "exp-range", 0.016),
    ("sgd", "one-cycle", 0.029),
    ("sgd", "wsd", 0.016),
    ("sgd", "inverse-sqrt", 0.0093),
    ("sgd", "expr", 0.016),
    ("rmsprop", "constant", 0.00057),
    ("rmsprop", "linear", 0.0017),
    ("adam", "constant", 0.0009),
    ("adam", "linear", 0.0009),
    ("adagrad", "constant", 0.0031),
    ("adagrad", "linear", 0.0033),
    ("adadelta", "constant", 0.58),
    ("adadelta", "linear", 0.58),
];

/// The same on the embedded images, whose runs are shorter: grids of one seed, in docs/TUNING.md too. An optimizer without a
/// row has its usual rate.
const ON_EMBEDDED: &[(&str, Option<&str>, f64)] = &[
    ("sgd", None, 0.01),
    // Over two epochs, these hardly fall.
    ("sgd", Some("constant"), 0.005),
    ("sgd", Some("halve"), 0.005),
    ("sgd", Some("plateau"), 0.005),
    ("sgd", Some("wsd"), 0.005),
    ("rmsprop", None, 1e-3),
    ("adam", None, 1e-3),
    ("adagrad", None, 1e-2),
    ("adadelta", None, 1.0),
];

/// A run so short that no schedule with a factor for each step falls noticeably before its peak.
const SHORT: RunShape = RunShape { learning_rate: 1.0, semantics: Semantics::Native, steps_per_epoch: 100, epochs: 1 };

/// The default entrants: every schedule under one optimizer, and every adaptive optimizer without and with decay, each at
/// a good highest rate. What one optimizer has and another can have, such as weight decay, all have. Durations are
/// fractions of the run, so that each schedule shows its shape at any length.
///
/// One-cycle alone changes the momentum: it is part of that policy.
pub fn default_entrants(dataset: DatasetKind) -> Vec<String> {
    let schedules = schedule::table().iter().filter_map(|entry| entry.entrant);
    let adaptive = optim::table().iter().filter_map(|entry| entry.entrant);
    let under_one = schedules.map(|schedule| (OPTIMIZER, schedule));
    let each = adaptive.flat_map(|optimizer| OF_ADAPTIVE.map(|schedule| (optimizer, schedule)));
    let all = under_one.chain(each).map(|(optimizer, schedule)| at_its_peak(optimizer, schedule, dataset));
    all.collect::<Result<_, _>>().expect("the tables of entrants are valid")
}

/// The options that the optimizer `name` has as a default entrant, if it is one and has any.
pub(super) fn usual_options(name: &str) -> Option<&'static str> {
    let adaptive = optim::table().iter().filter_map(|entry| entry.entrant);
    adaptive.chain([OPTIMIZER]).find(|spec| spec.split_once(':').is_some_and(|(of, _)| of == name))
}

/// The entrant whose base rate leads to its highest rate.
fn at_its_peak(optimizer: &str, schedule: &str, dataset: DatasetKind) -> Result<String, Usage> {
    let shape: Spec = schedule.parse()?;
    let peak = usual_peak(&optimizer.parse()?, &shape, dataset);
    let lr = exact(rounded(peak / shape.peak(&SHORT)?, 2));
    let optimizer = OptimizerSpec::from_flags(optimizer, &[("lr".to_string(), lr)])?;
    Ok(format!("{optimizer}/{schedule}"))
}

fn usual_peak(optimizer: &OptimizerSpec, schedule: &Spec, dataset: DatasetKind) -> f64 {
    let found = if dataset == DatasetKind::Synthetic {
        let of = |wanted: Option<&str>| {
            let row = ON_EMBEDDED.iter().find(|(name, schedule, _)| *name == optimizer.name() && *schedule == wanted);
            row.map(|&(_, _, peak)| peak)
        };
        of(Some(schedule.name())).or_else(|| of(None))
    } else {
        let row = ON_CIFAR10.iter().find(|(name, of, _)| (*name, *of) == (optimizer.name(), schedule.name()));
        row.map(|&(_, _, peak)| peak)
    };
    found.unwrap_or_else(|| optimizer.default_learning_rate(Semantics::Native))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Entrant, Overrides};
    use crate::schedule::Schedule;

    #[test]
    fn a_default_entrant_reaches_its_usual_highest_rate() {
        for dataset in [DatasetKind::Cifar10, DatasetKind::Synthetic] {
            for text in default_entrants(dataset) {
                let Entrant { optimizer, schedule, .. } = Entrant::parse(&text, &Overrides::default()).unwrap();
                let lr = optimizer.learning_rate().unwrap();
                let highest = Schedule::build(&schedule, &RunShape::new(lr, 5, 40)).unwrap().highest(0).learning_rate;
                let usual = usual_peak(&optimizer, &schedule, dataset);
                assert!((highest / usual - 1.0).abs() < 0.03, "{text}: {highest}, not {usual}");
            }
        }
    }

    #[test]
    fn every_default_entrant_has_a_tuned_rate_and_every_rate_an_entrant() {
        let entrants = default_entrants(DatasetKind::Cifar10).into_iter().map(|text| {
            let Entrant { optimizer, schedule, .. } = Entrant::parse(&text, &Overrides::default()).unwrap();
            (optimizer.name(), schedule.name())
        });
        let rates = ON_CIFAR10.iter().map(|&(optimizer, schedule, _)| (optimizer, schedule));
        assert_eq!(entrants.collect::<Vec<_>>(), rates.collect::<Vec<_>>());
    }

    /// The published comparison tuned these very entrants.
    #[test]
    fn a_default_rate_is_the_one_that_the_published_comparison_chose() {
        let report = concat!(env!("CARGO_MANIFEST_DIR"), "/results/published/tuned-cifar10-5000/report.json");
        let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
        let rows = report["entrants"].as_array().unwrap();
        for &(optimizer, schedule, peak) in ON_CIFAR10 {
            let named = |row: &&serde_json::Value, key: &str, name: &str| {
                row[key].as_str().unwrap().split(':').next() == Some(name)
            };
            let row = rows.iter().find(|row| named(row, "optimizer", optimizer) && named(row, "schedule", schedule));
            let row = row.unwrap_or_else(|| panic!("{optimizer}/{schedule} is not in the report"));
            let mut chosen: Vec<f64> =
                row["chosen_peaks"].as_array().unwrap().iter().map(|peak| peak.as_f64().unwrap()).collect();
            chosen.sort_by(f64::total_cmp);
            let [_, median, _] = chosen[..] else { panic!("{optimizer}/{schedule}: {chosen:?}") };
            assert_eq!(peak.to_bits(), rounded(median, 2).to_bits(), "{optimizer}/{schedule}: {peak}, {median}");
        }
    }
}
