//! Natural exponential decay.

use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Rates, ScheduleRow, Unit};

/// Natural exponential decay, always computed from the initial rate, never compounded in place.
///
/// ```text
/// rate(t) = lr · e^(−k · t / decay_steps)
/// ```
///
/// | parameter     | unit     | range    | default |
/// |---------------|----------|----------|---------|
/// | `k`           | ratio    | ≥ 0      | 0.001   |
/// | `decay-steps` | duration | ≥ 1 step | 1 (st)  |
///
/// With the default, the rate is down to a third after 1,000 steps and to 2 % after 4,000.
///
#[doc = include_str!("../../pictures/natural-exp.svg")]
///
/// Draw it: `lrsched show --schedule natural-exp:k=0.1,decay-steps=1ep`
///
/// # Errors
/// A negative `k`, or `decay-steps` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let schedule = Schedule::build(&"natural-exp:k=0.5,decay-steps=10".parse()?, &RunShape::new(0.1, 4, 10))?;
/// assert_eq!(schedule.at(0).learning_rate, 0.1);
/// assert_eq!(schedule.at(20).learning_rate, 0.1 * (-1.0_f64).exp());
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct NaturalExp(Builder);

setters!(NaturalExp, "natural-exp", k: number, decay_steps: duration);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    k: f64,
    decay_steps: f64,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "natural-exp",
        summary: "divide by e every decay-steps / k",
        formula: "rate(t) = lr * e^(-k * t / decay_steps)",
        parameters: &[
            Parameter::number("k", Bounds::at_least(0.0), "0.001", "decay constant"),
            Parameter::duration("decay-steps", Unit::Steps, "1", "unit of time of k"),
        ],
        source: "exponential decay of the textbooks",
        entrant: Some("natural-exp:k=3,decay-steps=100%"),
    },
    frameworks: &[],
    build: |a| Ok(Box::new(Curve { lr: a.lr, k: a.number("k"), decay_steps: a.steps("decay-steps") as f64 })),
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        (t * -self.k / self.decay_steps).exponential() * self.lr
    }
}

impl Formula for Curve {
    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.rate(t as f64))
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(self.rate(Expression::Step)))
    }

    fn known(&self) -> Option<Known> {
        let (lr, steps) = (self.lr, self.decay_steps as u64);
        Some(Known::Exponential { lr, rate: (-self.k).exp(), steps, staircase: false })
    }
}
