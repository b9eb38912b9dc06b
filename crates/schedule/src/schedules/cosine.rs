//! Cosine annealing.

use super::curve::Easing;
use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Entry, Parameter};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics, Unit};

/// Cosine annealing: half a cosine from lr to `end_lr`, where the rate stays.
///
/// ```text
/// rate(t) = end_lr + (lr − end_lr) · (1 + cos(π · min(t, D) / D)) / 2        D = over
/// ```
///
/// | parameter | unit     | range    | default |
/// |-----------|----------|----------|---------|
/// | `end-lr`  | rate     | ≥ 0      | 0       |
/// | `over`    | duration | ≥ 1 step | 100%    |
///
/// Loshchilov & Hutter, SGDR (2017), without restarts; Keras's `CosineDecay` and optax's `cosine_decay_schedule` with
/// alpha = end_lr / lr. PyTorch's `CosineAnnealingLR` does not stop at D: with `--semantics torch` and `over` shorter than the
/// run the rate follows the cosine up again.
///
#[doc = include_str!("../../pictures/cosine.svg")]
///
/// Draw it: `lrsched show --schedule cosine:end-lr=0.001`
///
/// # Errors
/// A negative `end-lr`, or `over` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, Semantics, RunShape};
/// let setting = RunShape::new(0.1, 4, 10);
/// let spec = "cosine:over=20st".parse()?;
/// let cosine = Schedule::build(&spec, &setting)?;
/// assert_eq!([0, 10, 20, 39].map(|t| cosine.at(t).learning_rate), [0.1, 0.05, 0.0, 0.0]);
/// let torch = Schedule::build(&spec, &setting.with(Semantics::Torch))?;
/// assert!((torch.at(30).learning_rate - 0.05).abs() < 1e-15); // on its way up again
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cosine(Builder);

setters!(Cosine, "cosine", end_lr: rate, over: duration);

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
    end_lr: f64,
    /// D, in steps.
    over: u64,
    /// Follow the cosine up again after D.
    periodic: bool,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "cosine",
        summary: "half a cosine from lr to end-lr",
        formula: "rate(t) = end_lr + (lr - end_lr) * (1 + cos(pi * min(t, D) / D)) / 2,  D = over; torch semantics does not stop at D",
        parameters: &[
            Parameter::rate("end-lr", "0", "rate at the end"),
            Parameter::duration("over", Unit::Epochs, "100%", "duration until end-lr is reached"),
        ],
        source: "Loshchilov & Hutter, SGDR; PyTorch CosineAnnealingLR; Keras CosineDecay; optax cosine_decay_schedule",
        entrant: Some("cosine"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        Ok(Box::new(Curve {
            lr: a.lr,
            end_lr: a.rate("end-lr")?,
            over: a.steps("over"),
            periodic: a.semantics == Semantics::Torch,
        }))
    },
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        let over = self.over as f64;
        let t = if self.periodic { t } else { t.minimum(over) };
        Easing::Cosine.between(self.lr, self.end_lr, t / over)
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
        let (lr, end, over, periodic) = (self.lr, self.end_lr, self.over, self.periodic);
        Some(Known::Cosine { lr, end, over, periodic })
    }
}
