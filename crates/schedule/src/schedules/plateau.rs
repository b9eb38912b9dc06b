//! Reduce the rate when a metric stops improving.

use crate::builder::{Builder, setters};
use crate::code::Known;
use crate::error::UsageError;
use crate::number::nominal;
use crate::spec::{Bounds, Entry, Parameter, words};
use crate::usage;
use crate::{EpochMetrics, Formula, Metric, Rates, ScheduleRow, Semantics};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Multiply the rate by `factor` when the monitored value has stopped improving.
///
/// | parameter        | unit         | range                           | default    |
/// |------------------|--------------|---------------------------------|------------|
/// | `factor`         | ratio        | (0, 1)                          | 0.1        |
/// | `patience`       | epochs       | ≥ 0                             | 10         |
/// | `threshold`      | of the value | ≥ 0                             | 1e-4       |
/// | `threshold-mode` |              | rel, abs                        | rel        |
/// | `cooldown`       | epochs       | ≥ 0                             | 0          |
/// | `min-lr`         | rate         | ≥ 0                             | 0          |
/// | `monitor`        |              | the metrics of `metrics.csv`    | `val_loss` |
///
/// A loss improves when it falls, an accuracy when it rises: by more than the fraction `threshold` of the best value's
/// magnitude (`rel`), or by more than `threshold` itself (`abs`). The frameworks count differently:
///
/// - native and torch (`ReduceLROnPlateau`): the drop comes with the epoch *after* `patience` bad ones; drops of less than
///   1e-8 are not made. They differ where the best value is negative: torch moves a relative threshold the wrong way there, so that a
///   value that stays the same is an improvement.
/// - keras (`ReduceLROnPlateau`): the drop comes with the last of `patience` bad epochs; the threshold is always absolute; the epoch
///   that ends a cooldown already counts.
/// - optax (`contrib.reduce_on_plateau`): the drop comes when exactly `patience` bad epochs have been counted; it only minimises, so an
///   accuracy is negated, as its users do.
///
/// ```text
/// rate = max(lr · factor^(number of drops), min_lr)
/// ```
///
#[doc = include_str!("../../pictures/plateau.svg")]
///
/// The picture is of a `val_loss` that falls until epoch 8 and stays where it is. Draw what it would have done in a run:
/// `lrsched show --schedule 'plateau:factor=0.5,patience=4' --metrics RUN`
///
/// # Errors
/// A value outside its range.
///
/// ```
/// use lrsched_schedule::{EpochMetrics, Schedule, Semantics, RunShape};
/// let epoch = |epoch| EpochMetrics { epoch, loss: 1.0, accuracy: 0.5, val_loss: Some(1.0), val_accuracy: Some(0.5) };
/// let spec = "plateau:patience=2".parse()?;
/// for (semantics, drop) in [(Semantics::Torch, 40), (Semantics::Keras, 30), (Semantics::Optax, 30)] {
///     let mut schedule = Schedule::build(&spec, &RunShape::new(1.0, 9, 10).with(semantics))?;
///     (0..5).for_each(|e| schedule.observe(&epoch(e))); // the first is the best, four bad ones follow
///     assert_eq!([0, drop - 1, drop].map(|t| schedule.at(t).learning_rate), [1.0, 1.0, 0.1]);
/// }
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plateau(Builder);

setters!(Plateau, "plateau", factor: number, patience: count, threshold: number, threshold_mode: ThresholdMode, cooldown: count, min_lr: rate, monitor: Metric);

words! {
    /// What the threshold of [`Plateau`] is relative to.
    pub enum ThresholdMode {
        /// The magnitude of the best value.
        Rel = "rel",
        /// Nothing: the threshold is compared with the improvement itself.
        Abs = "abs",
    }
}

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    factor: f64,
    patience: u64,
    threshold: f64,
    relative: bool,
    cooldown: u64,
    min_lr: f64,
    monitor: Metric,
    semantics: Semantics,
    /// Epochs that end before the last one begins: observations after these can no longer lower a rate.
    observed: u64,
    state: State,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    /// The best monitored value; `None` before the first epoch.
    best: Option<f64>,
    /// Consecutive epochs without improvement.
    bad_epochs: u64,
    /// Remaining epochs of cooldown.
    cooldown: u64,
    /// The first step of each new rate, ascending.
    drops: Vec<(u64, f64)>,
}

/// PyTorch's `eps`: smaller drops are skipped.
const TORCH_SMALLEST_DROP: f64 = 1e-8;

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "plateau",
        summary: "multiply by factor when the monitored value stops improving",
        formula: "rate = max(rate * factor, min_lr) after patience epochs without an improvement by threshold",
        parameters: &[
            Parameter::number("factor", Bounds::OPEN_UNIT, "0.1", "factor of each drop"),
            Parameter::count("patience", "10", "tolerated epochs without improvement"),
            Parameter::number(
                "threshold",
                Bounds::at_least(0.0),
                "1e-4",
                "smaller changes do not count as improvement",
            ),
            Parameter::choice(
                "threshold-mode",
                &ThresholdMode::NAMES,
                "rel",
                "threshold is relative to the best or absolute (as always with keras semantics)",
            ),
            Parameter::count("cooldown", "0", "epochs to ignore after a drop"),
            Parameter::rate("min-lr", "0", "lower bound of the rate"),
            Parameter::choice("monitor", &Metric::NAMES, "val_loss", "the metric that should improve"),
        ],
        source: "PyTorch and Keras ReduceLROnPlateau; optax contrib.reduce_on_plateau",
        entrant: Some("plateau:factor=0.5,patience=0"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        Ok(Box::new(Curve {
            lr: a.lr,
            factor: a.number("factor"),
            patience: a.count("patience"),
            threshold: a.number("threshold"),
            relative: a.choice("threshold-mode", ThresholdMode::named) == ThresholdMode::Rel,
            cooldown: a.count("cooldown"),
            min_lr: a.rate("min-lr")?,
            monitor: a.choice("monitor", Metric::named),
            semantics: a.semantics,
            observed: (a.horizon - 1) / a.steps_per_epoch,
            state: State::default(),
        }))
    },
}];

impl Curve {
    /// Why the first drop would not lower the rate, whatever the metrics are.
    fn never_drops(&self) -> Option<String> {
        let (lr, min_lr) = (nominal(self.lr), nominal(self.min_lr));
        match self.semantics {
            Semantics::Optax if self.min_lr > self.lr => {
                Some(format!("min-lr={min_lr} is above lr, {lr}: the first drop raises the rate"))
            }
            _ if self.min_lr >= self.lr => Some(format!("the rate cannot drop: min-lr={min_lr} is not below lr, {lr}")),
            Semantics::Native | Semantics::Torch
                if self.lr - (self.lr * self.factor).max(self.min_lr) <= TORCH_SMALLEST_DROP =>
            {
                Some(format!("the rate cannot drop from {lr}: a drop of {TORCH_SMALLEST_DROP:e} or less is not made"))
            }
            _ => None,
        }
    }

    fn rate(&self) -> f64 {
        self.state.drops.last().map_or(self.lr, |&(_, rate)| rate)
    }

    /// Applies the new rate from step `next` on.
    fn drop_to(&mut self, rate: f64, next: u64) {
        self.state.drops.push((next, rate));
    }

    /// The value that a new one must beat to improve on `best`, in native and torch semantics.
    fn bar(&self, best: f64) -> f64 {
        let down = !self.monitor.grows();
        if !self.relative {
            return if down { best - self.threshold } else { best + self.threshold };
        }
        // PyTorch moves a negative best the wrong way: −0.25 · (1 − 0.01) lies above −0.25, so an unchanged value
        // counts as an improvement.
        let flipped = self.semantics == Semantics::Native && best < 0.0;
        best * if down != flipped { 1.0 - self.threshold } else { 1.0 + self.threshold }
    }

    fn is_better(&self, value: f64) -> bool {
        let worst = if self.monitor.grows() { f64::NEG_INFINITY } else { f64::INFINITY };
        let bar = match self.state.best {
            Some(best) => self.bar(best),
            // If PyTorch's arithmetic with infinity yields NaN (a threshold of 1), no value ever improves.
            None if self.semantics == Semantics::Torch => self.bar(worst),
            None => worst,
        };
        if self.monitor.grows() { value > bar } else { value < bar }
    }

    /// PyTorch: count, then reset the count during a cooldown, then drop when it exceeds `patience`.
    fn observe_torch(&mut self, next: u64, value: f64) {
        let better = self.is_better(value);
        if better {
            self.state.best = Some(value);
            self.state.bad_epochs = 0;
        } else {
            self.state.bad_epochs += 1;
        }
        if self.state.cooldown > 0 {
            self.state.cooldown -= 1;
            self.state.bad_epochs = 0;
        }
        if self.state.bad_epochs > self.patience {
            let rate = (self.rate() * self.factor).max(self.min_lr);
            if self.rate() - rate > TORCH_SMALLEST_DROP {
                self.drop_to(rate, next);
            }
            self.state.cooldown = self.cooldown;
            self.state.bad_epochs = 0;
        }
    }

    /// Keras: the cooldown is updated first, so the epoch that ends it counts; drop at `patience`.
    fn observe_keras(&mut self, next: u64, value: f64) {
        if self.state.cooldown > 0 {
            self.state.cooldown -= 1;
            self.state.bad_epochs = 0;
        }
        let better = self.state.best.is_none_or(|best| match self.monitor.grows() {
            false => value + self.threshold < best,
            true => value - self.threshold > best,
        });
        if better {
            self.state.best = Some(value);
            self.state.bad_epochs = 0;
        } else if self.state.cooldown == 0 {
            self.state.bad_epochs += 1;
            if self.state.bad_epochs >= self.patience && self.rate() > self.min_lr {
                self.drop_to((self.rate() * self.factor).max(self.min_lr), next);
                self.state.cooldown = self.cooldown;
                self.state.bad_epochs = 0;
            }
        }
    }

    /// optax: minimises; drops when the count is exactly `patience`; during a cooldown the best is updated but the
    /// count is not.
    fn observe_optax(&mut self, next: u64, value: f64) {
        let value = if self.monitor.grows() { -value } else { value };
        let best = self.state.best.unwrap_or(f64::INFINITY);
        let better = value < if self.relative { (1.0 - self.threshold) * best } else { best - self.threshold };
        let count = if better { 0 } else { self.state.bad_epochs + 1 };
        if better {
            self.state.best = Some(value);
        }
        if self.state.cooldown > 0 {
            self.state.cooldown -= 1;
            self.state.bad_epochs = 0;
        } else if count == self.patience {
            self.drop_to((self.rate() * self.factor).max(self.min_lr), next);
            self.state.cooldown = self.cooldown;
            self.state.bad_epochs = 0;
        } else {
            self.state.bad_epochs = count;
        }
    }
}

impl Formula for Curve {
    fn rates(&self, t: u64) -> Rates {
        let drops = self.state.drops.partition_point(|&(since, _)| since <= t);
        Rates::of(if drops == 0 { self.lr } else { self.state.drops[drops - 1].1 })
    }

    fn observe(&mut self, next: u64, metrics: &EpochMetrics) {
        let Some(value) = self.monitor.of(metrics) else { return };
        match self.semantics {
            Semantics::Native | Semantics::Torch => self.observe_torch(next, value),
            Semantics::Keras => self.observe_keras(next, value),
            Semantics::Optax => self.observe_optax(next, value),
        }
    }

    fn cautions(&self) -> Vec<String> {
        // The first epoch is the best; `patience` bad ones follow, plus one more in native and torch semantics.
        let mut cautions: Vec<String> = self.never_drops().into_iter().collect();
        let metric = self.monitor.name();
        let absolute = !self.relative || self.semantics == Semantics::Keras;
        if self.monitor.grows() && absolute && self.threshold >= 1.0 {
            cautions.push(format!(
                "no epoch can improve by threshold={}: {metric} is a fraction from 0 to 1",
                nominal(self.threshold)
            ));
        }
        let more = if matches!(self.semantics, Semantics::Native | Semantics::Torch) { 2 } else { 1 };
        let (patience, epochs) = (self.patience, self.observed + 1);
        let needed = patience.saturating_add(more + 1);
        if epochs < needed {
            cautions.push(format!(
                "the rate cannot drop in this run: patience={patience} takes at least {needed} epochs, got {epochs}"
            ));
        }
        cautions
    }

    fn known(&self) -> Option<Known> {
        let Self { lr, factor, patience, threshold, relative, cooldown, min_lr, monitor, semantics, .. } = *self;
        Some(Known::Plateau { lr, factor, patience, threshold, relative, cooldown, min_lr, monitor, semantics })
    }

    fn listens_to(&self) -> Vec<Metric> {
        vec![self.monitor]
    }

    fn state(&self) -> Value {
        serde_json::json!(self.state)
    }

    fn restore(&mut self, state: &Value) -> Result<(), UsageError> {
        match serde_json::from_value(state.clone()) {
            Ok(state) => self.state = state,
            Err(problem) => return usage!("the saved state is not that of plateau: {problem}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{EpochMetrics, RunShape, Schedule, Semantics};

    /// The rate after four epochs with these values, halved at each epoch without improvement.
    fn rate(spec: &str, semantics: Semantics, values: [f64; 4]) -> f64 {
        let spec = format!("plateau:patience=0,factor=0.5{spec}").parse().unwrap();
        let mut schedule = Schedule::build(&spec, &RunShape::new(1.0, 9, 1).with(semantics)).unwrap();
        for (epoch, value) in (0..).zip(values) {
            let value = Some(value);
            schedule.observe(&EpochMetrics { epoch, loss: 0.0, accuracy: 0.0, val_loss: value, val_accuracy: value });
        }
        schedule.at(4).learning_rate
    }

    #[test]
    fn a_relative_threshold_of_a_negative_best_asks_for_an_improvement() {
        let (constant, falls, hardly) = ([-0.25; 4], [-1.0, -1.2, -1.4, -1.7], [-1.0, -1.01, -1.02, -1.03]);
        let native = |spec, values| rate(spec, Semantics::Native, values);
        assert_eq!([constant, falls, hardly].map(|values| native(",threshold=0.1", values)), [0.125, 1.0, 0.125]);
        let grows = ",monitor=val_accuracy,threshold=0.1";
        assert_eq!([constant, falls].map(|values| native(grows, values)), [0.125; 2]);
        assert_eq!(native(grows, [-1.7, -1.4, -1.2, -1.0]), 1.0);
        assert_eq!(native(grows, [-1.03, -1.02, -1.01, -1.0]), 0.125);
        // PyTorch counts an unchanged value as an improvement.
        assert_eq!(rate(",threshold=0.1", Semantics::Torch, constant), 1.0);
    }

    #[test]
    fn the_first_value_is_the_best_so_far_whatever_the_threshold() {
        for threshold in ["1", "2"] {
            assert_eq!(rate(&format!(",threshold={threshold}"), Semantics::Native, [1.0; 4]), 0.125);
            assert_eq!(
                rate(
                    &format!(",threshold={threshold},monitor=val_accuracy"),
                    Semantics::Native,
                    [1.0, 4.0, 16.0, 64.0]
                ),
                1.0
            );
        }
    }
}
