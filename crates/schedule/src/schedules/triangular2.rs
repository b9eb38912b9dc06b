//! Cyclical rates, triangular2 policy.

use crate::{Kind, Semantics};
use super::cycle::{BASE_MOMENTUM, CYCLE_MOMENTUM, Cycle, Height, MAX_LR, MAX_MOMENTUM, STEP_SIZE, STEP_SIZE_DOWN};
use crate::spec::Entry;

/// Cyclical rates whose height is halved each cycle.
///
/// ```text
/// rate(t) = lr + (max_lr − lr) · max(0, 1 − x) / 2^(c − 1)        x, c: as in `triangular`
/// ```
///
/// The parameters are those of [`Triangular`](super::triangular::Triangular); cycling momentum shrinks with the rate.
/// L. N. Smith, Cyclical Learning Rates for Training Neural Networks (2017); PyTorch's `CyclicLR(mode="triangular2")`.
///
/// Draw it: `lrsched show --schedule triangular2:max-lr=0.5,step-size=4ep`
///
/// # Errors
/// A negative `max-lr`, a `step-size` of 0, a momentum outside [0, 1).
///
/// ```
/// use lrsched_schedule::{Schedule, Setting};
/// let schedule = Schedule::build(&"triangular2:max-lr=0.75,step-size=10".parse()?, &Setting::new(0.25, 5, 10))?;
/// assert_eq!([0, 10, 20, 30, 40].map(|t| schedule.at(t).learning_rate), [0.25, 0.75, 0.25, 0.5, 0.25]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
pub struct Triangular2;

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "triangular2",
        summary: "triangular, with the amplitude halved every cycle",
        formula: "rate(t) = lr + (max_lr - lr) * max(0, 1 - x) / 2^(c - 1),  x and c as in triangular",
        parameters: &[MAX_LR, STEP_SIZE, STEP_SIZE_DOWN, BASE_MOMENTUM, MAX_MOMENTUM, CYCLE_MOMENTUM],
        source: "Smith, Cyclical Learning Rates; PyTorch CyclicLR(mode=\"triangular2\")",
    },
    frameworks: &[Semantics::Torch],
    build: |a| Ok(Box::new(Cycle::read(a, Height::Halved)?)),
};
