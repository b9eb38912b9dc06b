//! Linear decay.

use super::curve::Shape;
use crate::{Formula, Kind, Rates, Semantics};
use crate::spec::{Entry, Parameter};

/// Linear decay to `end_lr`, which then stays.
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
/// Draw it: `lrsched show --schedule linear:end-lr=0.001`
///
/// # Errors
/// A negative `end-lr`, or `over` of 0.
///
/// ```
/// use lrsched_schedule::{Schedule, Setting};
/// let schedule = Schedule::build(&"linear:over=20st".parse()?, &Setting::new(0.1, 4, 10))?;
/// assert_eq!([0, 10, 20, 39].map(|t| schedule.at(t).learning_rate), [0.1, 0.05, 0.0, 0.0]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Linear {
    lr: f64,
    end_lr: f64,
    /// D, in steps.
    over: u64,
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "linear",
        summary: "linear from lr to end-lr",
        formula: "rate(t) = lr + (end_lr - lr) * min(t, D) / D,  D = over",
        parameters: &[
            Parameter { name: "end-lr", default: "0", help: "rate at the end, at least 0", switch: false },
            Parameter { name: "over", default: "100%", help: "duration until end-lr is reached", switch: false },
        ],
        source: "PyTorch LinearLR; optax linear_schedule",
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| Ok(Box::new(Linear { lr: a.lr, end_lr: a.rate("end-lr")?, over: a.steps("over")? })),
};

impl Formula for Linear {
    fn rates(&self, t: u64) -> Rates {
        let x = t.min(self.over) as f64 / self.over as f64;
        Rates::of(if x < 1.0 { Shape::Linear.between(self.lr, self.end_lr, x) } else { self.end_lr })
    }
}
