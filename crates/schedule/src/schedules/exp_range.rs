//! Cyclical rates, exp_range policy.

use crate::{Kind, Semantics};
use super::cycle::{BASE_MOMENTUM, CYCLE_MOMENTUM, Cycle, Height, MAX_LR, MAX_MOMENTUM, STEP_SIZE, STEP_SIZE_DOWN};
use crate::spec::{Entry, Parameter};

/// Cyclical rates whose height shrinks with every step.
///
/// ```text
/// rate(t) = lr + (max_lr − lr) · max(0, 1 − x) · gamma^t        x: as in `triangular`
/// ```
///
/// | parameter | unit  | range  | default |
/// |-----------|-------|--------|---------|
/// | `gamma`   | ratio | (0, 1] | 0.99994 |
///
/// The others are those of [`Triangular`](super::triangular::Triangular); cycling momentum shrinks with the rate.
/// L. N. Smith, Cyclical Learning Rates for Training Neural Networks (2017); PyTorch's `CyclicLR(mode="exp_range")`.
///
/// Draw it: `lrsched show --schedule exp-range:max-lr=0.5,step-size=4ep,gamma=0.9998`
///
/// # Errors
/// A `gamma` outside (0, 1], a negative `max-lr`, a `step-size` of 0, a momentum outside [0, 1).
///
/// ```
/// use lrsched_schedule::{Schedule, Setting};
/// let spec = "exp-range:max-lr=0.5,step-size=10,gamma=0.9".parse()?;
/// let schedule = Schedule::build(&spec, &Setting::new(0.1, 5, 10))?;
/// assert_eq!([0, 20, 40].map(|t| schedule.at(t).learning_rate), [0.1; 3]);
/// assert_eq!(schedule.at(30).learning_rate, 0.1 + 0.4 * 0.9_f64.powf(30.0));
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
pub struct ExpRange;

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "exp-range",
        summary: "triangular, with the amplitude shrinking at every step",
        formula: "rate(t) = lr + (max_lr - lr) * max(0, 1 - x) * gamma^t,  x as in triangular",
        parameters: &[
            MAX_LR,
            STEP_SIZE,
            STEP_SIZE_DOWN,
            Parameter { name: "gamma", default: "0.99994", help: "factor of the amplitude per step, in (0, 1]", switch: false },
            BASE_MOMENTUM,
            MAX_MOMENTUM,
            CYCLE_MOMENTUM,
        ],
        source: "Smith, Cyclical Learning Rates; PyTorch CyclicLR(mode=\"exp_range\")",
    },
    frameworks: &[Semantics::Torch],
    build: |a| Ok(Box::new(Cycle::read(a, Height::Gamma(a.factor("gamma")?))?)),
};
