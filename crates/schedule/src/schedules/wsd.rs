//! Warm-up, stable, decay.

use super::curve::Easing;
use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Scalar};
use crate::spec::{Bounds, Entry, Parameter, words};
use crate::{Formula, Outline, Rates, ScheduleRow, Unit};

/// Warm-up, stable, decay (a trapezoid): rise to lr, stay there for most of the run, and decay to `end_lr` at the end.
///
/// ```text
/// t < W         lr · (f + (1 − f) · t / W)             W = warmup, f = warmup-from
/// t < T − D     lr                                     D = decay
/// then          end_lr + (lr − end_lr) · g(x)          x = (t − (T − D)) / D
/// g(x) = 1 − x (linear), (1 + cos πx) / 2 (cosine), 1 − √x (one-minus-sqrt)
/// ```
///
/// | parameter     | unit     | range                          | default |
/// |---------------|----------|--------------------------------|---------|
/// | `warmup`      | duration |                                | 5%      |
/// | `decay`       | duration |                                | 20%     |
/// | `shape`       |          | linear, cosine, one-minus-sqrt | linear  |
/// | `end-lr`      | rate     | ≥ 0                            | 0       |
/// | `warmup-from` | fraction | [0, 1]                         | 0       |
///
/// Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations (2024). If warm-up and
/// decay together exceed the run, the decay is shortened to what the warm-up leaves.
///
#[doc = include_str!("../../pictures/wsd.svg")]
///
/// Draw it: `lrsched show --schedule wsd:warmup=2,decay=30%,shape=one-minus-sqrt`
///
/// # Errors
/// An unknown `shape`, a negative `end-lr`.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let spec = "wsd:warmup=10st,decay=20st".parse()?;
/// let schedule = Schedule::build(&spec, &RunShape::new(0.4, 10, 10))?;
/// assert_eq!([0, 5, 10, 80, 90, 100].map(|t| schedule.at(t).learning_rate), [0.0, 0.2, 0.4, 0.4, 0.2, 0.0]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Wsd(Builder);

setters!(Wsd, "wsd", decay: duration, shape: DecayShape, end_lr: rate);

words! {
    /// The shape of the decay in [`Wsd`].
    pub enum DecayShape {
        /// 1 − x.
        Linear = "linear",
        /// (1 + cos πx) / 2.
        Cosine = "cosine",
        /// 1 − √x: falls fast at first.
        OneMinusSqrt = "one-minus-sqrt",
    }
}

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    end_lr: f64,
    from: f64,
    /// W, in steps.
    warmup: u64,
    /// T − D, in steps.
    decay_start: u64,
    /// T, in steps.
    end: u64,
    /// D as requested, in steps.
    decay: u64,
    shape: Easing,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "wsd",
        summary: "warm-up, stable, decay: a trapezoid",
        formula: "lr * t / W while t < W, then lr, then from T - D on end_lr + (lr - end_lr) * g((t - (T - D)) / D),  W = warmup, D = decay",
        parameters: &[
            Parameter::duration_or_zero("warmup", Unit::Epochs, "5%", "duration of the warm-up"),
            Parameter::duration_or_zero("decay", Unit::Epochs, "20%", "duration of the decay at the end"),
            Parameter::choice("shape", &DecayShape::NAMES, "linear", "shape of the decay"),
            Parameter::rate("end-lr", "0", "rate at the end"),
            Parameter::number("warmup-from", Bounds::UNIT, "0", "fraction of lr at which the warm-up begins"),
        ],
        source: "Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations",
        entrant: Some("wsd"),
    },
    frameworks: &[],
    build: |a| {
        let shape = match a.choice("shape", DecayShape::named) {
            DecayShape::Linear => Easing::Linear,
            DecayShape::Cosine => Easing::Cosine,
            DecayShape::OneMinusSqrt => Easing::OneMinusSqrt,
        };
        let (warmup, decay) = (a.steps_or_zero("warmup"), a.steps_or_zero("decay"));
        Ok(Box::new(Curve {
            lr: a.lr,
            end_lr: a.rate("end-lr")?,
            from: a.number("warmup-from"),
            warmup,
            decay_start: a.horizon.saturating_sub(decay).max(warmup),
            end: a.horizon,
            decay,
            shape,
        }))
    },
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        let (warmup, start, end) = (self.warmup as f64, self.decay_start as f64, self.end as f64);
        let rises = |t: N| (t * (1.0 - self.from) / warmup + self.from) * self.lr;
        let falls = |t: N| {
            if start >= end {
                return self.lr.into();
            }
            let within = |t: N| self.shape.between(self.lr, self.end_lr, (t - start) / (end - start));
            t.below(end, within, |_| self.end_lr.into())
        };
        let after = |t: N| t.below(start, |_| self.lr.into(), falls);
        if self.warmup == 0 { after(t) } else { t.below(warmup, rises, after) }
    }
}

impl Formula for Curve {
    fn outline(&self) -> Outline {
        let peak = (self.from < 1.0).then_some(self.lr);
        Outline { peak, floor: Some(self.end_lr), ..Outline::default() }
    }

    fn cautions(&self) -> Vec<String> {
        let (end, warmup, decay) = (self.end, self.warmup, self.decay);
        if warmup + decay <= end {
            return Vec::new();
        }
        let left = end.saturating_sub(warmup);
        vec![format!("warmup and decay take {warmup} and {decay} of {end} steps: the decay is cut to {left}")]
    }

    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.rate(t as f64))
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(self.rate(Expression::Step)))
    }
}
