//! Cosine annealing.

use super::curve::Shape;
use crate::{Formula, Kind, Rates, Semantics};
use crate::spec::{Entry, Parameter};

/// Cosine annealing: half a cosine from lr to `end_lr`, which then stays.
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
/// Draw it: `lrsched show --schedule cosine:end-lr=0.001`
///
/// # Errors
/// A negative `end-lr`, or `over` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, Semantics, Setting};
/// let setting = Setting::new(0.1, 4, 10);
/// let spec = "cosine:over=20st".parse()?;
/// let cosine = Schedule::build(&spec, &setting)?;
/// assert_eq!([0, 10, 20, 39].map(|t| cosine.at(t).learning_rate), [0.1, 0.05, 0.0, 0.0]);
/// let torch = Schedule::build(&spec, &setting.with(Semantics::Torch))?;
/// assert!((torch.at(30).learning_rate - 0.05).abs() < 1e-15); // on its way up again
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cosine {
    lr: f64,
    end_lr: f64,
    /// D, in steps.
    over: u64,
    /// Follow the cosine up again after D.
    periodic: bool,
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "cosine",
        summary: "half a cosine from lr to end-lr",
        formula: "rate(t) = end_lr + (lr - end_lr) * (1 + cos(pi * min(t, D) / D)) / 2,  D = over; torch semantics does not stop at D",
        parameters: &[
            Parameter { name: "end-lr", default: "0", help: "rate at the end, at least 0", switch: false },
            Parameter { name: "over", default: "100%", help: "duration until end-lr is reached", switch: false },
        ],
        source: "Loshchilov & Hutter, SGDR; PyTorch CosineAnnealingLR; Keras CosineDecay; optax cosine_decay_schedule",
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        Ok(Box::new(Cosine {
            lr: a.lr,
            end_lr: a.rate("end-lr")?,
            over: a.steps("over")?,
            periodic: a.semantics == Semantics::Torch,
        }))
    },
};

impl Formula for Cosine {
    fn rates(&self, t: u64) -> Rates {
        let t = if self.periodic { t } else { t.min(self.over) };
        Rates::of(Shape::Cosine.between(self.lr, self.end_lr, t as f64 / self.over as f64))
    }
}
