//! Time-based decay.

use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Rates, ScheduleRow, Semantics, Unit};

/// Time-based (inverse time) decay: divide the rate by a linear function of time.
///
/// ```text
/// rate(t) = lr / (1 + decay · t / decay_steps)        staircase: ⌊t / decay_steps⌋
/// ```
///
/// | parameter     | unit     | range    | default |
/// |---------------|----------|----------|---------|
/// | `decay`       | ratio    | ≥ 0      | 0.01    |
/// | `decay-steps` | duration | ≥ 1 step | 1 (st)  |
/// | `staircase`   | switch   |          | off     |
///
/// From Keras: the old `decay` argument of its optimizers, and `InverseTimeDecay`.
///
#[doc = include_str!("../../pictures/time.svg")]
///
/// Draw it: `lrsched show --schedule time:decay=0.001`
///
/// # Errors
/// A negative `decay`, or `decay-steps` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let schedule = Schedule::build(&"time:decay=1,decay-steps=10".parse()?, &RunShape::new(0.2, 4, 10))?;
/// assert_eq!([0, 10, 30].map(|t| schedule.at(t).learning_rate), [0.2, 0.1, 0.05]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Time(Builder);

setters!(Time, "time", decay: number, decay_steps: duration, staircase: switch);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    decay: f64,
    decay_steps: f64,
    staircase: bool,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "time",
        summary: "divide by a factor that grows linearly with time",
        formula: "rate(t) = lr / (1 + decay * t / decay_steps)",
        parameters: &[
            Parameter::number("decay", Bounds::at_least(0.0), "0.01", "increase of the divisor per decay-steps"),
            Parameter::duration("decay-steps", Unit::Steps, "1", "duration of one unit of decay"),
            Parameter::switch("staircase", "false", "change only at multiples of decay-steps"),
        ],
        source: "Keras `decay` and InverseTimeDecay",
        entrant: Some("time:decay=4,decay-steps=100%"),
    },
    frameworks: &[Semantics::Keras],
    build: |a| {
        Ok(Box::new(Curve {
            lr: a.lr,
            decay: a.number("decay"),
            decay_steps: a.steps("decay-steps") as f64,
            staircase: a.switch("staircase"),
        }))
    },
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        let x = t / self.decay_steps;
        let x = if self.staircase { x.floored() } else { x };
        N::from(self.lr) / (x * self.decay + 1.0)
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
        let (lr, steps, staircase) = (self.lr, self.decay_steps as u64, self.staircase);
        Some(Known::InverseTime { lr, decay: self.decay, steps, staircase })
    }
}
