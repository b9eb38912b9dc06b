//! Drops the rate each time a condition becomes true.

use crate::arguments::Arguments;
use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known};
use crate::error::UsageError;
use crate::number::nominal;
use crate::spec::{Bounds, Condition, Entry, Parameter, ParameterKind, Relation, Watched};
use crate::usage;
use crate::{EpochMetrics, Formula, Metric, Rates, ScheduleRow};
use serde_json::Value;

/// Multiply the rate by `factor` the first time each condition becomes true.
///
/// ```text
/// rate = max(lr · factor^(number of conditions that have been true), min(lr, min_lr))
/// ```
///
/// | parameter | unit       | range                           | default      |
/// |-----------|------------|---------------------------------|--------------|
/// | `factor`  | ratio      | (0, 1]                          | 0.5          |
/// | `when`    | conditions | `epoch>=30`, `val_loss<=0.9`, … | `epoch>=50%` |
/// | `min-lr`  | rate       | ≥ 0                             | 0            |
///
/// A condition compares `epoch`, `accuracy`, `loss`, `val_accuracy` or `val_loss` by `>=`, `>`, `<=` or `<` with a
/// number (for `epoch`, with any duration: `epoch>=50%`). A condition on the epoch takes effect at the first step of
/// that epoch; one on a metric takes effect in the epoch after it became true. Each fires only once: the rate does not
/// drop again in later epochs.
///
#[doc = include_str!("../../pictures/halve.svg")]
///
/// Draw it: `lrsched show --schedule 'halve:when=epoch>=10,epoch>=20'`
///
/// # Errors
/// A `factor` outside (0, 1], an invalid condition, a negative `min-lr`.
///
/// ```
/// use lrsched_schedule::{EpochMetrics, Schedule, RunShape};
/// let spec = "halve:when=epoch>=3,when=val_accuracy>=0.8".parse()?;
/// let mut schedule = Schedule::build(&spec, &RunShape::new(0.4, 5, 10))?;
/// assert_eq!([0, 29, 30, 49].map(|t| schedule.at(t).learning_rate), [0.4, 0.4, 0.2, 0.2]);
/// schedule.observe(&EpochMetrics { epoch: 3, loss: 0.1, accuracy: 0.9, val_loss: Some(0.7), val_accuracy: Some(0.8) });
/// assert_eq!([29, 30, 39, 40].map(|t| schedule.at(t).learning_rate), [0.4, 0.2, 0.2, 0.1]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Halve(Builder);

setters!(Halve, "halve", factor: number, when: conditions, min_lr: rate);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    factor: f64,
    min_lr: f64,
    conditions: Vec<Condition>,
    /// For each condition, the step from which it counts, once known.
    since: Vec<Option<u64>>,
}

/// Reports a threshold that no accuracy, or every accuracy, reaches: most likely it is a percentage.
fn caution(condition: &Condition) -> Option<String> {
    let Watched::Metric(metric, threshold) = condition.subject else { return None };
    if !metric.grows() {
        return None;
    }
    let what = match [0.0, 1.0].map(|value| condition.comparison.holds(value, threshold)) {
        [false, false] => "never comes true",
        [true, true] => "comes true in the first epoch",
        _ => return None,
    };
    let percent = if threshold > 1.0 && threshold <= 100.0 {
        format!(" ({} % is {})", nominal(threshold), nominal(threshold / 100.0))
    } else {
        String::new()
    };
    let (metric, sign, threshold) = (metric.name(), condition.comparison.sign(), nominal(threshold));
    Some(format!("when={metric}{sign}{threshold} {what}: {metric} is a fraction from 0 to 1{percent}"))
}

/// The step from which a condition on the epoch holds; `None` for a metric.
fn settled(condition: &Condition, a: &Arguments) -> Option<u64> {
    let Watched::Epoch(duration) = condition.subject else { return None };
    let threshold = a.whole_steps(duration) as f64 / a.steps_per_epoch as f64;
    let first = match condition.comparison {
        Relation::AtLeast => threshold.ceil(),
        Relation::MoreThan => threshold.floor() + 1.0,
        Relation::AtMost | Relation::LessThan => 0.0,
    };
    Some(first as u64 * a.steps_per_epoch)
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "halve",
        summary: "multiply by factor once when a condition first becomes true",
        formula: "rate = max(lr * factor^(number of conditions that have been true), min(lr, min_lr))",
        parameters: &[
            Parameter::number("factor", Bounds::POSITIVE_UNIT, "0.5", "factor for each condition"),
            Parameter::new(
                "when",
                ParameterKind::Conditions,
                "epoch>=50%",
                "epoch>=30, val_accuracy>=0.8, val_loss<=0.9, accuracy, loss; repeatable",
            ),
            Parameter::rate("min-lr", "0", "lower bound of the rate"),
        ],
        source: "decay by hand at an epoch, an accuracy or a loss",
        entrant: Some("halve:when=val_accuracy>=0.3,when=val_accuracy>=0.5,when=val_accuracy>=0.7"),
    },
    frameworks: &[],
    build: |a| {
        let conditions = a.conditions("when");
        let since = conditions.iter().map(|condition| settled(condition, a)).collect();
        Ok(Box::new(Curve { lr: a.lr, factor: a.number("factor"), min_lr: a.rate("min-lr")?, conditions, since }))
    },
}];

impl Curve {
    /// The step of each drop and the rates before and after, if all conditions are on the epoch.
    fn pieces(&self) -> Option<(Vec<u64>, Vec<f64>)> {
        let on_epoch = |condition: &Condition| matches!(condition.subject, Watched::Epoch(_));
        let mut starts: Vec<u64> =
            self.conditions.iter().all(on_epoch).then(|| self.since.iter().flatten().copied().collect())?;
        starts.sort_unstable();
        starts.dedup();
        let rate = |t| self.rates(t).learning_rate;
        // Conditions that hold from the start on have dropped the rate by step 0.
        starts.retain(|&start| start > 0);
        let values = std::iter::once(0).chain(starts.iter().copied()).map(rate).collect();
        Some((starts, values))
    }
}

impl Formula for Curve {
    fn rates(&self, t: u64) -> Rates {
        let drops = self.since.iter().flatten().filter(|&&since| since <= t).count();
        let rate = self.lr * self.factor.powi(drops as i32);
        Rates::of(rate.max(self.min_lr.min(self.lr)))
    }

    fn code(&self) -> Option<Code> {
        let (starts, values) = self.pieces()?;
        Some(Code::of(Expression::pieces(&starts, &values)))
    }

    fn known(&self) -> Option<Known> {
        let (starts, values) = self.pieces()?;
        Some(Known::Pieces { starts, values, factor: None })
    }

    fn observe(&mut self, next: u64, metrics: &EpochMetrics) {
        for (condition, since) in self.conditions.iter().zip(&mut self.since) {
            let Watched::Metric(metric, threshold) = condition.subject else { continue };
            if since.is_none() && metric.of(metrics).is_some_and(|value| condition.comparison.holds(value, threshold)) {
                *since = Some(next);
            }
        }
    }

    fn cautions(&self) -> Vec<String> {
        let mut cautions: Vec<String> = self.conditions.iter().filter_map(caution).collect();
        if self.min_lr >= self.lr {
            let (lr, min_lr) = (nominal(self.lr), nominal(self.min_lr));
            cautions.push(format!("the rate cannot drop: min-lr={min_lr} is not below lr, {lr}"));
        } else if self.factor == 1.0 {
            cautions.push("the rate cannot drop: factor is 1".to_string());
        }
        cautions
    }

    fn listens_to(&self) -> Vec<Metric> {
        let metric = |condition: &Condition| match condition.subject {
            Watched::Metric(metric, _) => Some(metric),
            Watched::Epoch(_) => None,
        };
        self.conditions.iter().filter_map(metric).collect()
    }

    fn state(&self) -> Value {
        serde_json::json!({ "since": self.since })
    }

    fn restore(&mut self, state: &Value) -> Result<(), UsageError> {
        match serde_json::from_value::<Vec<Option<u64>>>(state["since"].clone()) {
            // A condition on the epoch follows from the length of the run, which may have changed since.
            Ok(saved) if saved.len() == self.since.len() => {
                for ((condition, since), saved) in self.conditions.iter().zip(&mut self.since).zip(saved) {
                    if matches!(condition.subject, Watched::Metric(..)) {
                        *since = saved;
                    }
                }
            }
            _ => return usage!("the saved state is not that of halve with {} conditions", self.since.len()),
        }
        Ok(())
    }
}
