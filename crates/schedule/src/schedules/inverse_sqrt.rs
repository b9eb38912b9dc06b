//! Inverse square root decay.

use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Scalar};
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Outline, Rates, ScheduleRow, Unit};

/// Inverse square root decay after W steps.
///
/// ```text
/// rate(t) = lr · √(W / max(t, W))                         W = warmup
/// with warmup-from f, for t < W: lr · (f + (1 − f) · t / W)
/// ```
///
/// | parameter     | unit     | range    | default           |
/// |---------------|----------|----------|-------------------|
/// | `warmup`      | duration | ≥ 0      | 5%                |
/// | `warmup-from` | fraction | [0, 1]   | 1 (no ramp: flat) |
///
/// W is at least one step: a `warmup` of 0 counts as one, and the decay begins at once. By default the rate is lr until
/// W, as in T5 (Raffel et al., 2020). With `warmup-from=0` it rises linearly to lr, as in Attention Is All You Need
/// (Vaswani et al., 2017).
///
#[doc = include_str!("../../pictures/inverse-sqrt.svg")]
///
/// Draw it: `lrsched show --schedule inverse-sqrt:warmup=2,warmup-from=0`
///
/// # Errors
/// A `warmup-from` outside [0, 1].
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let setting = RunShape::new(0.4, 10, 10);
/// let flat = Schedule::build(&"inverse-sqrt:warmup=16st".parse()?, &setting)?;
/// assert_eq!([0, 16, 64].map(|t| flat.at(t).learning_rate), [0.4, 0.4, 0.2]);
/// let noam = Schedule::build(&"inverse-sqrt:warmup=16st,warmup-from=0".parse()?, &setting)?;
/// assert_eq!([0, 8, 16, 64].map(|t| noam.at(t).learning_rate), [0.0, 0.2, 0.4, 0.2]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InverseSqrt(Builder);

setters!(InverseSqrt, "inverse-sqrt");

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    from: f64,
    /// W, in steps, at least 1.
    warmup: u64,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "inverse-sqrt",
        summary: "lr until W, then falling as the inverse square root of time",
        formula: "rate(t) = lr * sqrt(W / max(t, W)),  W = warmup; with warmup-from f, lr * (f + (1 - f) * t / W) while t < W",
        parameters: &[
            Parameter::duration_or_zero(
                "warmup",
                Unit::Epochs,
                "5%",
                "duration W before the decay begins (0 counts as one step)",
            ),
            Parameter::number("warmup-from", Bounds::UNIT, "1", "fraction of lr at step 0 (0 is Noam's warm-up)"),
        ],
        source: "Noam (Vaswani et al., Attention Is All You Need); T5 (Raffel et al.)",
        entrant: Some("inverse-sqrt"),
    },
    frameworks: &[],
    build: |a| {
        Ok(Box::new(Curve { lr: a.lr, from: a.number("warmup-from"), warmup: a.steps_or_zero("warmup").max(1) }))
    },
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        let warmup = self.warmup as f64;
        let rises = |t: N| (t * (1.0 - self.from) / warmup + self.from) * self.lr;
        t.below(warmup, rises, |t| (N::from(warmup) / t).root() * self.lr)
    }
}

impl Formula for Curve {
    fn outline(&self) -> Outline {
        Outline { peak: (self.from < 1.0).then_some(self.lr), ..Outline::default() }
    }

    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.rate(t as f64))
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(self.rate(Expression::Step)))
    }
}
