//! Exponential decay.

use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Rates, ScheduleRow, Semantics, Unit};

/// Exponential decay: multiply the rate by `decay_rate` every `decay_steps`, smoothly or in stairs.
///
/// ```text
/// rate(t) = lr · decay_rate^(t / decay_steps)        staircase: ⌊t / decay_steps⌋
/// ```
///
/// | parameter     | unit     | range    | default |
/// |---------------|----------|----------|---------|
/// | `decay-rate`  | ratio    | > 0      | 0.96    |
/// | `decay-steps` | duration | ≥ 1 step | 1ep     |
/// | `staircase`   | switch   |          | off     |
///
/// Keras's `ExponentialDecay` and optax's `exponential_decay`. PyTorch's `ExponentialLR(gamma)`, stepped once per
/// epoch, is `decay-rate=gamma,decay-steps=1ep,staircase`.
///
#[doc = include_str!("../../pictures/exponential.svg")]
///
/// Draw it: `lrsched show --schedule exponential:decay-rate=0.9,staircase`
///
/// # Errors
/// A `decay-rate` that is not positive or makes the rate infinite, or `decay-steps` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let setting = RunShape::new(0.4, 4, 10);
/// let smooth = Schedule::build(&"exponential:decay-rate=0.25,decay-steps=10".parse()?, &setting)?;
/// assert_eq!([0, 5, 10].map(|t| smooth.at(t).learning_rate), [0.4, 0.2, 0.1]);
/// let stairs = Schedule::build(&"exponential:decay-rate=0.25,decay-steps=10,staircase".parse()?, &setting)?;
/// assert_eq!([0, 9, 10].map(|t| stairs.at(t).learning_rate), [0.4, 0.4, 0.1]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Exponential(Builder);

setters!(Exponential, "exponential", decay_rate: number, decay_steps: duration, staircase: switch);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    decay_rate: f64,
    decay_steps: f64,
    staircase: bool,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "exponential",
        summary: "multiply by decay-rate every decay-steps, smoothly or in stairs",
        formula: "rate(t) = lr * decay_rate^(t / decay_steps)",
        parameters: &[
            Parameter::number("decay-rate", Bounds::above(0.0), "0.96", "factor per decay-steps"),
            Parameter::duration("decay-steps", Unit::Steps, "1ep", "duration of one factor of decay-rate"),
            Parameter::switch("staircase", "false", "change only at multiples of decay-steps"),
        ],
        source: "Keras ExponentialDecay; PyTorch ExponentialLR; optax exponential_decay",
        entrant: Some("exponential:decay-rate=0.05,decay-steps=100%"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        Ok(Box::new(Curve {
            lr: a.lr,
            decay_rate: a.number("decay-rate"),
            decay_steps: a.steps("decay-steps") as f64,
            staircase: a.switch("staircase"),
        }))
    },
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        let x = t / self.decay_steps;
        let x = if self.staircase { x.floored() } else { x };
        N::from(self.decay_rate).power(x) * self.lr
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
        Some(Known::Exponential { lr, rate: self.decay_rate, steps, staircase })
    }
}
