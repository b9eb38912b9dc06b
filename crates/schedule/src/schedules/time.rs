//! Time-based decay.

use crate::{Formula, Kind, Rates, Semantics};
use crate::spec::{Entry, Parameter};

/// Time-based (inverse time) decay: divide the rate by a line that grows with time.
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
/// Draw it: `lrsched show --schedule time:decay=0.001`
///
/// # Errors
/// A negative `decay`, or `decay-steps` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, Setting};
/// let schedule = Schedule::build(&"time:decay=1,decay-steps=10".parse()?, &Setting::new(0.2, 4, 10))?;
/// assert_eq!([0, 10, 30].map(|t| schedule.at(t).learning_rate), [0.2, 0.1, 0.05]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Time {
    lr: f64,
    decay: f64,
    decay_steps: f64,
    staircase: bool,
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "time",
        summary: "divide by a factor that grows linearly with time",
        formula: "rate(t) = lr / (1 + decay * t / decay_steps)",
        parameters: &[
            Parameter { name: "decay", default: "0.01", help: "increase of the divisor per decay-steps, at least 0", switch: false },
            Parameter { name: "decay-steps", default: "1", help: "duration of one unit of decay; a plain number is in steps", switch: false },
            Parameter { name: "staircase", default: "false", help: "change only at multiples of decay-steps", switch: true },
        ],
        source: "Keras `decay` and InverseTimeDecay",
    },
    frameworks: &[Semantics::Keras],
    build: |a| {
        Ok(Box::new(Time {
            lr: a.lr,
            decay: a.number("decay", "at least 0", |decay| decay >= 0.0)?,
            decay_steps: a.steps("decay-steps")? as f64,
            staircase: a.switch("staircase")?,
        }))
    },
};

impl Formula for Time {
    fn rates(&self, t: u64) -> Rates {
        let x = t as f64 / self.decay_steps;
        let x = if self.staircase { x.floor() } else { x };
        Rates::of(self.lr / (1.0 + self.decay * x))
    }
}
