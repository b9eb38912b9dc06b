//! Polynomial decay.

use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics, Unit};

/// Polynomial decay to `end_lr`.
///
/// ```text
/// rate(t) = (lr − end_lr) · (1 − min(t, D) / D)^power + end_lr        D = over
/// cycle:    D grows to the next multiple that is not below t, so the rate rises again after each D
/// ```
///
/// | parameter | unit     | range    | default |
/// |-----------|----------|----------|---------|
/// | `power`   | exponent | ≥ 0      | 2       |
/// | `end-lr`  | rate     | ≥ 0      | 0       |
/// | `over`    | duration | ≥ 1 step | 100%    |
/// | `cycle`   | switch   |          | off     |
///
/// Like Keras's `PolynomialDecay` (whose default power is 1), optax's `polynomial_schedule` and, with an `end-lr` of 0,
/// PyTorch's `PolynomialLR`.
///
#[doc = include_str!("../../pictures/polynomial.svg")]
///
/// Draw it: `lrsched show --schedule polynomial:power=2,over=10,cycle`
///
/// # Errors
/// A negative `power` or `end-lr`, or `over` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let setting = RunShape::new(0.4, 4, 10);
/// let once = Schedule::build(&"polynomial:over=20st".parse()?, &setting)?;
/// assert_eq!([0, 10, 20, 30].map(|t| once.at(t).learning_rate), [0.4, 0.1, 0.0, 0.0]);
/// let cycle = Schedule::build(&"polynomial:over=20st,cycle".parse()?, &setting)?;
/// assert_eq!([0, 10, 20, 30].map(|t| cycle.at(t).learning_rate), [0.4, 0.1, 0.0, 0.025]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Polynomial(Builder);

setters!(Polynomial, "polynomial", power: number, end_lr: rate, over: duration, cycle: switch);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    end_lr: f64,
    power: f64,
    /// D, in steps.
    over: u64,
    cycle: bool,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "polynomial",
        summary: "from lr to end-lr as a power of the remaining time",
        formula: "rate(t) = (lr - end_lr) * (1 - min(t, D) / D)^power + end_lr,  D = over",
        parameters: &[
            Parameter::number("power", Bounds::at_least(0.0), "2", "exponent (1 is linear)"),
            Parameter::rate("end-lr", "0", "rate at the end").only_of(&[Semantics::Keras, Semantics::Optax]),
            Parameter::duration("over", Unit::Epochs, "100%", "duration until end-lr is reached"),
            Parameter::switch("cycle", "false", "restart with ever longer periods, as in Keras")
                .only_of(&[Semantics::Keras]),
        ],
        source: "Keras PolynomialDecay; PyTorch PolynomialLR; optax polynomial_schedule",
        entrant: Some("polynomial:power=2"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        Ok(Box::new(Curve {
            lr: a.lr,
            end_lr: a.rate("end-lr")?,
            power: a.number("power"),
            over: a.steps("over"),
            cycle: a.switch("cycle"),
        }))
    },
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        let over = self.over as f64;
        let x = if self.cycle {
            let cycles = (t.clone() / over).ceiled().maximum(1.0);
            t / (cycles * over)
        } else {
            t.minimum(over) / over
        };
        (N::from(1.0) - x).power(self.power.into()) * (self.lr - self.end_lr) + self.end_lr
    }
}

impl Formula for Curve {
    fn outline(&self) -> Outline {
        let end = (!self.cycle).then_some(self.over);
        Outline { floor: Some(self.end_lr), end, ..Outline::default() }
    }

    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.rate(t as f64))
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(self.rate(Expression::Step)))
    }

    fn known(&self) -> Option<Known> {
        let (lr, end, power, over, cycle) = (self.lr, self.end_lr, self.power, self.over, self.cycle);
        Some(Known::Polynomial { lr, end, power, over, cycle })
    }
}
