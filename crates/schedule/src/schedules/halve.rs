//! A drop each time a condition comes true.

use crate::{EpochMetrics, Formula, Kind, Metric, Rates};
use crate::arguments::Arguments;
use crate::duration::{Duration, Unit};
use crate::number::nominal;
use crate::spec::{Entry, Parameter};
use crate::usage;
use crate::error::{UsageError, shortened};
use crate::hint::did_you_mean;
use serde_json::Value;

/// Multiply the rate once by `factor` when a condition first becomes true, for each condition.
///
/// ```text
/// rate = max(lr · factor^(number of conditions that have been true), min_lr)
/// ```
///
/// | parameter | unit       | range                           | default      |
/// |-----------|------------|---------------------------------|--------------|
/// | `factor`  | ratio      | (0, 1]                          | 0.5          |
/// | `when`    | conditions | `epoch>=30`, `val_loss<=0.9`, … | `epoch>=50%` |
/// | `min-lr`  | rate       | ≥ 0                             | 0            |
///
/// A condition compares `epoch`, `accuracy`, `loss`, `val_accuracy` or `val_loss` by `>=`, `>`, `<=` or `<` with a number (for
/// `epoch`, with any duration: `epoch>=50%`). A condition on the epoch acts from the first step of that epoch on; one on a metric
/// acts from the epoch after the one it came true in. Each fires once: it is not a drop in every epoch after.
///
/// Draw it: `lrsched show --schedule 'halve:when=epoch>=10,epoch>=20'`
///
/// # Errors
/// A `factor` outside (0, 1], a condition that cannot be read, a negative `min-lr`.
///
/// ```
/// use lrsched_schedule::{EpochMetrics, Schedule, Setting};
/// let spec = "halve:when=epoch>=3,when=val_accuracy>=0.8".parse()?;
/// let mut schedule = Schedule::build(&spec, &Setting::new(0.4, 5, 10))?;
/// assert_eq!([0, 29, 30, 49].map(|t| schedule.at(t).learning_rate), [0.4, 0.4, 0.2, 0.2]);
/// schedule.observe(&EpochMetrics { epoch: 3, loss: 0.1, accuracy: 0.9, val_loss: Some(0.7), val_accuracy: Some(0.8) });
/// assert_eq!([29, 30, 39, 40].map(|t| schedule.at(t).learning_rate), [0.4, 0.2, 0.2, 0.1]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Halve {
    lr: f64,
    factor: f64,
    min_lr: f64,
    conditions: Vec<Condition>,
    /// For each condition, the step from which it counts, once that is known.
    since: Vec<Option<u64>>,
}

/// `None` for the metric is a condition on the epoch, settled when it is read.
#[derive(Debug, Clone, Copy)]
struct Condition {
    metric: Option<Metric>,
    comparison: Comparison,
    threshold: f64,
}

impl Condition {
    /// What is wrong with a threshold that no accuracy comes to, or every one: a percentage, most likely.
    fn caution(&self) -> Option<String> {
        let metric = self.metric.filter(|metric| metric.grows())?.name();
        let holds = [0.0, 1.0].map(|value| self.comparison.holds(value, self.threshold));
        let what = match holds {
            [false, false] => "never comes true",
            [true, true] => "comes true in the first epoch",
            _ => return None,
        };
        let threshold = nominal(self.threshold);
        let percent = if self.threshold > 1.0 && self.threshold <= 100.0 {
            format!(" ({threshold} % is {})", nominal(self.threshold / 100.0))
        } else {
            String::new()
        };
        let sign = self.comparison.sign();
        Some(format!("when={metric}{sign}{threshold} {what}: {metric} is a fraction from 0 to 1{percent}"))
    }
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    AtLeast,
    MoreThan,
    AtMost,
    LessThan,
}

impl Comparison {
    fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::MoreThan => ">",
            Self::AtMost => "<=",
            Self::LessThan => "<",
        }
    }

    fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::MoreThan => value > threshold,
            Self::AtMost => value <= threshold,
            Self::LessThan => value < threshold,
        }
    }
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "halve",
        summary: "multiply by factor once when a condition first becomes true",
        formula: "rate = max(lr * factor^(number of conditions that have been true), min_lr)",
        parameters: &[
            Parameter { name: "factor", default: "0.5", help: "factor for each condition, in (0, 1]", switch: false },
            Parameter { name: "when", default: "epoch>=50%", help: "epoch>=30, val_accuracy>=0.8, val_loss<=0.9, accuracy, loss; repeatable", switch: false },
            Parameter { name: "min-lr", default: "0", help: "lower bound of the rate, at least 0", switch: false },
        ],
        source: "decay by hand at an epoch, an accuracy or a loss",
    },
    frameworks: &[],
    build: |a| {
        let conditions = a.list("when").map(|text| read_condition(a, text)).collect::<Result<Vec<_>, _>>()?;
        if conditions.is_empty() {
            return a.refuse("when", "at least one condition such as epoch>=30 or val_accuracy>=0.8");
        }
        let since = conditions.iter().map(|condition| settled(condition, a.steps_per_epoch)).collect();
        Ok(Box::new(Halve { lr: a.lr, factor: a.factor("factor")?, min_lr: a.rate("min-lr")?, conditions, since }))
    },
};

/// The step from which a condition on the epoch holds; `None` for a metric.
fn settled(condition: &Condition, steps_per_epoch: u64) -> Option<u64> {
    let first = match condition.comparison {
        _ if condition.metric.is_some() => return None,
        Comparison::AtLeast => condition.threshold.ceil(),
        Comparison::MoreThan => condition.threshold.floor() + 1.0,
        Comparison::AtMost | Comparison::LessThan => 0.0,
    };
    Some(first as u64 * steps_per_epoch)
}

fn read_condition(a: &Arguments, text: &str) -> Result<Condition, UsageError> {
    let comparisons = [(">=", Comparison::AtLeast), ("<=", Comparison::AtMost), (">", Comparison::MoreThan), ("<", Comparison::LessThan)];
    let found = comparisons.iter().find_map(|&(sign, comparison)| Some((text.split_once(sign)?, comparison)));
    let Some(((name, number), comparison)) = found else {
        return usage!("halve: when must be a condition such as epoch>=30 or val_accuracy>=0.8, got `{text}`", text = shortened(text));
    };
    let name = name.trim();
    let metric = Metric::ALL.into_iter().find(|metric| metric.name() == name);
    if metric.is_none() && name != "epoch" {
        let names = ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"];
        return usage!("halve: when knows {}, got `{text}`{}", names.join(", "), did_you_mean(name, names), text = shortened(text));
    }
    let threshold = if metric.is_none() {
        Duration::parse(number, Unit::Epochs)
            .map_err(|problem| UsageError(format!("halve: when: epoch {problem}")))?
            .steps(a.steps_per_epoch, a.horizon) as f64
            / a.steps_per_epoch as f64
    } else {
        match number.trim().parse::<f64>() {
            Ok(threshold) if threshold.is_finite() => threshold,
            _ => return usage!("halve: when must compare {name} with a number, got `{text}`", text = shortened(text)),
        }
    };
    Ok(Condition { metric, comparison, threshold })
}

impl Formula for Halve {
    fn rates(&self, t: u64) -> Rates {
        let drops = self.since.iter().flatten().filter(|&&since| since <= t).count();
        let rate = self.lr * self.factor.powi(drops as i32);
        Rates::of(rate.max(self.min_lr.min(self.lr)))
    }

    fn observe(&mut self, next: u64, metrics: &EpochMetrics) {
        for (condition, since) in self.conditions.iter().zip(&mut self.since) {
            let value = condition.metric.and_then(|metric| metric.of(metrics));
            if since.is_none() && value.is_some_and(|value| condition.comparison.holds(value, condition.threshold)) {
                *since = Some(next);
            }
        }
    }

    fn cautions(&self) -> Vec<String> {
        let mut cautions: Vec<String> = self.conditions.iter().filter_map(Condition::caution).collect();
        if self.min_lr >= self.lr {
            let (lr, min_lr) = (nominal(self.lr), nominal(self.min_lr));
            cautions.push(format!("the rate cannot drop: min-lr={min_lr} is not below lr, {lr}"));
        } else if self.factor == 1.0 {
            cautions.push("the rate cannot drop: factor is 1".to_string());
        }
        cautions
    }

    fn listens_to(&self) -> Vec<Metric> {
        self.conditions.iter().filter_map(|condition| condition.metric).collect()
    }

    fn state(&self) -> Value {
        serde_json::json!({ "since": self.since })
    }

    fn restore(&mut self, state: &Value) -> Result<(), UsageError> {
        match serde_json::from_value::<Vec<Option<u64>>>(state["since"].clone()) {
            // A condition on the epoch follows from the length of the run, which may have been changed since.
            Ok(saved) if saved.len() == self.since.len() => {
                for ((condition, since), saved) in self.conditions.iter().zip(&mut self.since).zip(saved) {
                    if condition.metric.is_some() {
                        *since = saved;
                    }
                }
            }
            _ => return usage!("the saved state is not that of halve with {} conditions", self.since.len()),
        }
        Ok(())
    }
}
