//! Shared by several schedules: interpolation between two values, and momentum cycling.

use crate::arguments::Arguments;
use crate::code::{Cycled, Scalar};
use std::f64::consts::PI;

/// How to interpolate between two values as x goes from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Easing {
    Linear,
    Cosine,
    /// Falls fast at first: 1 − √x.
    OneMinusSqrt,
}

impl Easing {
    /// The value at `x`, exactly `from` at 0 and `to` at 1.
    pub fn between<N: Scalar>(self, from: f64, to: f64, x: N) -> N {
        match self {
            Self::Linear => x * (to - from) + from,
            // Halved first: doubling a huge rate would overflow.
            Self::Cosine => ((x * PI).cosine() + 1.0) / 2.0 * (from - to) + to,
            Self::OneMinusSqrt => (N::from(1.0) - x.root()) * (from - to) + to,
        }
    }
}

/// Momentum (Adam's beta1) that cycles inversely to the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CycledMomentum {
    /// Momentum at the highest rate.
    pub base: f64,
    /// Momentum at the lowest rate.
    pub max: f64,
}

impl CycledMomentum {
    /// From `base-momentum`, `max-momentum` and `cycle-momentum`; `None` if the schedule does not set momentum. Without
    /// `cycle-momentum` it cycles if `by_default`, or if one of the two is given.
    pub fn read(a: &Arguments, by_default: bool) -> Option<Self> {
        let given = a.given("base-momentum") || a.given("max-momentum");
        let on =
            a.switch_or_none("cycle-momentum").filter(|_| a.given("cycle-momentum")).unwrap_or(by_default || given);
        let base = a.number_or_none("base-momentum").unwrap_or(0.85);
        let max = a.number_or_none("max-momentum").unwrap_or(0.95);
        on.then_some(Self { base, max })
    }

    pub fn known(self) -> Cycled {
        Cycled { base: self.base, max: self.max }
    }
}
