//! Cyclical rates, triangular policy.

use crate::{Kind, Semantics};
use super::cycle::{BASE_MOMENTUM, CYCLE_MOMENTUM, Cycle, Height, MAX_LR, MAX_MOMENTUM, STEP_SIZE, STEP_SIZE_DOWN};
use crate::spec::Entry;

/// Cyclical rates: straight up from lr to `max_lr` and down again, for ever.
///
/// ```text
/// rate(t) = lr + (max_lr − lr) · max(0, 1 − x)
/// c = ⌊1 + t / 2s⌋,  x = |t / s − 2c + 1|        s: step-size, half a cycle
/// ```
///
/// | parameter        | unit     | range    | default                      |
/// |------------------|----------|----------|------------------------------|
/// | `max-lr`         | rate     | ≥ 0      | 3x (three times lr)          |
/// | `step-size`      | duration | ≥ 1 step | 2ep; a plain number is steps |
/// | `step-size-down` | duration | ≥ 1 step | as `step-size`               |
/// | `base-momentum`  | momentum | [0, 1)   | 0.85 if `max-momentum` given |
/// | `max-momentum`   | momentum | [0, 1)   | 0.95 if `base-momentum` given|
/// | `cycle-momentum` | switch   |          | on if one of them is given   |
///
/// Momentum, if it cycles, is `base-momentum` where the rate is highest and `max-momentum` where it is lowest.
/// L. N. Smith, Cyclical Learning Rates for Training Neural Networks (2017); PyTorch's `CyclicLR`.
///
/// Draw it: `lrsched show --schedule triangular:max-lr=0.5,step-size=4ep`
///
/// # Errors
/// A negative `max-lr`, a `step-size` of 0, a momentum outside [0, 1).
///
/// ```
/// use lrsched_schedule::{Schedule, Setting};
/// let spec = "triangular:max-lr=0.75,step-size=10,base-momentum=0.8".parse()?;
/// let schedule = Schedule::build(&spec, &Setting::new(0.25, 4, 10))?;
/// assert_eq!([0, 5, 10, 15, 20, 30].map(|t| schedule.at(t).learning_rate), [0.25, 0.5, 0.75, 0.5, 0.25, 0.75]);
/// assert_eq!([0, 10].map(|t| schedule.at(t).momentum), [Some(0.95), Some(0.8)]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
pub struct Triangular;

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "triangular",
        summary: "linear cycles between lr and max-lr",
        formula: "rate(t) = lr + (max_lr - lr) * max(0, 1 - x),  c = floor(1 + t / (2s)),  x = abs(t / s - 2c + 1),  s = step-size",
        parameters: &[MAX_LR, STEP_SIZE, STEP_SIZE_DOWN, BASE_MOMENTUM, MAX_MOMENTUM, CYCLE_MOMENTUM],
        source: "Smith, Cyclical Learning Rates; PyTorch CyclicLR",
    },
    frameworks: &[Semantics::Torch],
    build: |a| Ok(Box::new(Cycle::read(a, Height::Full)?)),
};
