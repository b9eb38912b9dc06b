//! Step decay.

use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Rates, ScheduleRow, Semantics, Unit};

/// Step decay: multiply the rate by `factor` every `drop_every` epochs.
///
/// ```text
/// rate(e) = lr · factor^⌊(1 + e) / drop_every⌋        e: epoch, 0-based
/// ```
///
/// | parameter    | unit     | range    | default |
/// |--------------|----------|----------|---------|
/// | `factor`     | ratio    | (0, 1]   | 0.5     |
/// | `drop-every` | duration | ≥ 1 step | 10 (ep) |
///
/// The first drop comes at e = `drop-every` − 1, as in the tutorials. PyTorch's `StepLR` uses ⌊e / step_size⌋ and drops
/// one epoch later, as do Keras's `ExponentialDecay(staircase=True)` and optax's `exponential_decay(staircase=True)`:
/// `--semantics torch`, `keras` or `optax`. With 1.5 epochs the drops come at e = 1, 2, 4, 5, ..., at the start of an
/// epoch. A duration in steps or percent that is not a whole number of epochs is counted in steps: ⌊(1 + t) /
/// drop_every⌋; so is any such duration under the frameworks' semantics, ⌊t / drop_every⌋.
///
#[doc = include_str!("../../pictures/step.svg")]
///
/// Draw it: `lrsched show --schedule step:factor=0.5,drop-every=10 --epochs 40`
///
/// # Errors
/// `factor` outside (0, 1], or `drop-every` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, Semantics, RunShape};
/// let setting = RunShape::new(0.1, 40, 10);
/// let rates = |semantics| {
///     let schedule = Schedule::build(&"step:factor=0.5,drop-every=10".parse()?, &setting.with(semantics))?;
///     Ok::<_, lrsched_schedule::UsageError>([0, 89, 90, 99, 100, 189, 190].map(|t| schedule.at(t).learning_rate))
/// };
/// assert_eq!(rates(Semantics::Native)?, [0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025]);
/// assert_eq!(rates(Semantics::Torch)?, [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Step(Builder);

setters!(Step, "step", factor: number, drop_every: duration);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    factor: f64,
    count: Count,
}

/// The unit that the drops are counted in.
#[derive(Debug, Clone, Copy)]
enum Count {
    /// ⌊(t + ahead) / every⌋.
    Steps { every: u64, ahead: u64 },
    /// ⌊(1 + e) · denominator / numerator⌋; S converts epochs to steps.
    Epochs { numerator: u64, denominator: u64, steps_per_epoch: u64 },
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "step",
        summary: "multiply by factor every drop-every epochs",
        formula: "rate(e) = lr * factor^floor((1 + e) / drop_every); with torch, keras or optax semantics floor(e / drop_every)",
        parameters: &[
            Parameter::number("factor", Bounds::POSITIVE_UNIT, "0.5", "factor of each drop"),
            Parameter::duration(
                "drop-every",
                Unit::Epochs,
                "10",
                "duration between drops; in st or %, or with torch, keras or optax semantics, one that is no whole number of epochs is counted in steps",
            ),
        ],
        source: "step decay of the tutorials; PyTorch StepLR",
        entrant: Some("step:factor=0.5,drop-every=40%"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        let (every, steps_per_epoch) = (a.steps("drop-every"), a.steps_per_epoch);
        let count = match (a.semantics, a.epochs("drop-every")) {
            (Semantics::Native, Some((numerator, denominator))) => {
                Count::Epochs { numerator, denominator, steps_per_epoch }
            }
            (Semantics::Native, None) if every.is_multiple_of(steps_per_epoch) => {
                Count::Steps { every, ahead: steps_per_epoch }
            }
            (Semantics::Native, None) => Count::Steps { every, ahead: 1 },
            (Semantics::Torch | Semantics::Keras | Semantics::Optax, _) => Count::Steps { every, ahead: 0 },
        };
        Ok(Box::new(Curve { lr: a.lr, factor: a.number("factor"), count }))
    },
}];

impl Formula for Curve {
    fn rates(&self, t: u64) -> Rates {
        let drops = match self.count {
            Count::Steps { every, ahead } => u128::from((t + ahead) / every),
            Count::Epochs { numerator, denominator, steps_per_epoch } => {
                u128::from(1 + t / steps_per_epoch) * u128::from(denominator) / u128::from(numerator)
            }
        };
        Rates::of(self.lr * self.factor.powf(drops as f64))
    }

    fn code(&self) -> Option<Code> {
        let t = Expression::Step;
        let drops = match self.count {
            Count::Steps { every, ahead } => ((t + ahead as f64) / every as f64).floored(),
            Count::Epochs { numerator, denominator, steps_per_epoch } => {
                let epochs = (t / steps_per_epoch as f64).floored() + 1.0;
                (epochs * denominator as f64 / numerator as f64).floored()
            }
        };
        Some(Code::of(Expression::from(self.factor).power(drops) * self.lr))
    }

    fn known(&self) -> Option<Known> {
        let (lr, factor) = (self.lr, self.factor);
        match self.count {
            Count::Steps { every, ahead } => Some(Known::Stairs { lr, factor, every, ahead }),
            Count::Epochs { numerator, denominator, steps_per_epoch } => {
                let every =
                    (numerator.is_multiple_of(denominator)).then_some(numerator / denominator * steps_per_epoch)?;
                Some(Known::Stairs { lr, factor, every, ahead: steps_per_epoch })
            }
        }
    }
}
