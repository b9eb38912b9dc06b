//! The entrants of a comparison that names none: equal terms for all.

use crate::number::{exact, rounded};
use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, RunShape, Semantics, Spec};
use crate::usage::Usage;

/// The optimizer that every schedule competes under.
const OPTIMIZER: &str = "sgd:momentum=0.9,nesterov,weight-decay=5e-4";

/// The schedules that every adaptive optimizer competes under: none, and a decay to 0.
const OF_ADAPTIVE: [&str; 2] = ["constant", "linear"];

/// The highest rate of a default entrant's run untuned: what is good on `cnn` for this optimizer, and for this schedule
/// where that differs. An optimizer without a row has its usual rate. docs/TUNING.md has the measurements.
const PEAKS: &[(&str, Option<&str>, f64)] = &[
    ("sgd", None, 0.01),
    ("sgd", Some("constant"), 0.005),
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
pub fn default_entrants() -> Vec<String> {
    let schedules = schedule::table().iter().filter_map(|entry| entry.entrant);
    let adaptive = optim::table().iter().filter_map(|entry| entry.entrant);
    let under_one = schedules.map(|schedule| (OPTIMIZER, schedule));
    let each = adaptive.flat_map(|optimizer| OF_ADAPTIVE.map(|schedule| (optimizer, schedule)));
    let all = under_one.chain(each).map(|(optimizer, schedule)| at_its_peak(optimizer, schedule));
    all.collect::<Result<_, _>>().expect("the tables of entrants are valid")
}

/// The entrant whose base rate leads to its highest rate.
fn at_its_peak(optimizer: &str, schedule: &str) -> Result<String, Usage> {
    let shape: Spec = schedule.parse()?;
    let peak = usual_peak(&optimizer.parse()?, &shape);
    let lr = exact(rounded(peak / shape.peak(&SHORT)?, 2));
    let optimizer = OptimizerSpec::from_flags(optimizer, &[("lr".to_string(), lr)])?;
    Ok(format!("{optimizer}/{schedule}"))
}

fn usual_peak(optimizer: &OptimizerSpec, schedule: &Spec) -> f64 {
    let of = |wanted: Option<&str>| {
        let row = PEAKS.iter().find(|(name, schedule, _)| *name == optimizer.name() && *schedule == wanted);
        row.map(|&(_, _, peak)| peak)
    };
    let usual = || optimizer.default_learning_rate(Semantics::Native);
    of(Some(schedule.name())).or_else(|| of(None)).unwrap_or_else(usual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Entrant, Overrides};
    use crate::schedule::Schedule;

    #[test]
    fn a_default_entrant_reaches_its_usual_highest_rate() {
        for text in default_entrants() {
            let Entrant { optimizer, schedule, .. } = Entrant::parse(&text, &Overrides::default()).unwrap();
            let lr = optimizer.learning_rate().unwrap();
            let highest = Schedule::build(&schedule, &RunShape::new(lr, 5, 40)).unwrap().highest(0).learning_rate;
            let usual = usual_peak(&optimizer, &schedule);
            assert!((highest / usual - 1.0).abs() < 0.03, "{text}: {highest}, not {usual}");
        }
    }
}
