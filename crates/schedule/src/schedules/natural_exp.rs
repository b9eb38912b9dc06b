//! Natural exponential decay.

use crate::{Formula, Kind, Rates};
use crate::spec::{Entry, Parameter};

/// Natural exponential decay, always from the initial rate: never compounded in place.
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
/// Draw it: `lrsched show --schedule natural-exp:k=0.1,decay-steps=1ep`
///
/// # Errors
/// A negative `k`, or `decay-steps` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, Setting};
/// let schedule = Schedule::build(&"natural-exp:k=0.5,decay-steps=10".parse()?, &Setting::new(0.1, 4, 10))?;
/// assert_eq!(schedule.at(0).learning_rate, 0.1);
/// assert_eq!(schedule.at(20).learning_rate, 0.1 * (-1.0_f64).exp());
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct NaturalExp {
    lr: f64,
    k: f64,
    decay_steps: f64,
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "natural-exp",
        summary: "divide by e every decay-steps / k",
        formula: "rate(t) = lr * e^(-k * t / decay_steps)",
        parameters: &[
            Parameter { name: "k", default: "0.001", help: "decay constant, at least 0", switch: false },
            Parameter { name: "decay-steps", default: "1", help: "unit of time of k; a plain number is in steps", switch: false },
        ],
        source: "exponential decay of the textbooks",
    },
    frameworks: &[],
    build: |a| {
        Ok(Box::new(NaturalExp {
            lr: a.lr,
            k: a.number("k", "at least 0", |k| k >= 0.0)?,
            decay_steps: a.steps("decay-steps")? as f64,
        }))
    },
};

impl Formula for NaturalExp {
    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.lr * (-self.k * t as f64 / self.decay_steps).exp())
    }
}
