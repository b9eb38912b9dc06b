//! Linear decay.

use super::curve::Easing;
use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Entry, Parameter};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics, Unit};

/// Linear decay to `end_lr`, where the rate stays.
///
/// ```text
/// rate(t) = lr + (end_lr − lr) · min(t, D) / D        D = over
/// ```
///
/// | parameter | unit     | range    | default |
/// |-----------|----------|----------|---------|
/// | `end-lr`  | rate     | ≥ 0      | 0       |
/// | `over`    | duration | ≥ 1 step | 100%    |
///
#[doc = include_str!("../../pictures/linear.svg")]
///
/// Draw it: `lrsched show --schedule linear:end-lr=0.001`
///
/// # Errors
/// A negative `end-lr`, or `over` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let schedule = Schedule::build(&"linear:over=20st".parse()?, &RunShape::new(0.1, 4, 10))?;
/// assert_eq!([0, 10, 20, 39].map(|t| schedule.at(t).learning_rate), [0.1, 0.05, 0.0, 0.0]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Linear(Builder);

setters!(Linear, "linear", end_lr: rate, over: duration);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    end_lr: f64,
    /// D, in steps.
    over: u64,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "linear",
        summary: "linear from lr to end-lr",
        formula: "rate(t) = lr + (end_lr - lr) * min(t, D) / D,  D = over",
        parameters: &[
            Parameter::rate("end-lr", "0", "rate at the end"),
            Parameter::duration("over", Unit::Epochs, "100%", "duration until end-lr is reached"),
        ],
        source: "PyTorch LinearLR; optax linear_schedule",
        entrant: Some("linear"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| Ok(Box::new(Curve { lr: a.lr, end_lr: a.rate("end-lr")?, over: a.steps("over") })),
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        let x = t.minimum(self.over as f64) / self.over as f64;
        x.until_1(|x| Easing::Linear.between(self.lr, self.end_lr, x), self.end_lr)
    }
}

impl Formula for Curve {
    fn outline(&self) -> Outline {
        Outline { floor: Some(self.end_lr), end: Some(self.over), ..Outline::default() }
    }

    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.rate(t as f64))
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(self.rate(Expression::Step)))
    }

    fn known(&self) -> Option<Known> {
        let (lr, end, over) = (self.lr, self.end_lr, self.over);
        Some(Known::Polynomial { lr, end, power: 1.0, over, cycle: false })
    }
}
