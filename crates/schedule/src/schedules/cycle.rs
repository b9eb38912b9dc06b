//! The cyclical rates share their triangle; they differ in how its height shrinks.

use super::curve::CycledMomentum;
use crate::arguments::Arguments;
use crate::error::UsageError;
use crate::spec::Parameter;
use crate::{Formula, Rates};

/// The parameters of `triangular` and its two variants.
pub(super) const MAX_LR: Parameter =
    Parameter { name: "max-lr", default: "3x", help: "peak rate, at least 0; 3x is three times lr", switch: false };
pub(super) const STEP_SIZE: Parameter = Parameter {
    name: "step-size",
    default: "2ep",
    help: "duration of the rise, half a cycle; a plain number is in steps",
    switch: false,
};
pub(super) const STEP_SIZE_DOWN: Parameter = Parameter {
    name: "step-size-down",
    default: "",
    help: "duration of the fall (default: step-size); a plain number is in steps",
    switch: false,
};
pub(super) const BASE_MOMENTUM: Parameter = Parameter {
    name: "base-momentum",
    default: "",
    help: "momentum at the highest rate (0.85 if max-momentum is given)",
    switch: false,
};
pub(super) const MAX_MOMENTUM: Parameter = Parameter {
    name: "max-momentum",
    default: "",
    help: "momentum at the lowest rate (0.95 if base-momentum is given)",
    switch: false,
};
pub(super) const CYCLE_MOMENTUM: Parameter = Parameter {
    name: "cycle-momentum",
    default: "",
    help: "cycle the momentum (default: if one of the two is given)",
    switch: true,
};

/// How high a cycle is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Height {
    Full,
    /// Half as high each cycle.
    Halved,
    /// gamma^t.
    Gamma(f64),
}

/// A rate that goes up from lr to `max` in straight lines, and down again.
#[derive(Debug, Clone)]
pub(super) struct Cycle {
    lr: f64,
    max: f64,
    /// In steps.
    up: u64,
    /// In steps.
    down: u64,
    height: Height,
    momentum: Option<CycledMomentum>,
}

impl Cycle {
    pub(super) fn read(a: &Arguments, height: Height) -> Result<Self, UsageError> {
        let up = a.steps("step-size")?;
        Ok(Self {
            lr: a.lr,
            max: a.rate("max-lr")?,
            up,
            down: if a.given("step-size-down") { a.steps("step-size-down")? } else { up },
            height,
            momentum: CycledMomentum::read(a, false)?,
        })
    }
}

impl Formula for Cycle {
    fn rates(&self, t: u64) -> Rates {
        let length = self.up + self.down;
        let (cycle, u) = (t / length, t % length);
        let x = if u <= self.up { u as f64 / self.up as f64 } else { (length - u) as f64 / self.down as f64 };
        let height = x * match self.height {
            Height::Full => 1.0,
            Height::Halved => 0.5_f64.powf(cycle as f64),
            Height::Gamma(gamma) => gamma.powf(t as f64),
        };
        Rates {
            learning_rate: self.lr + (self.max - self.lr) * height,
            momentum: self.momentum.map(|m| m.max - (m.max - m.base) * height),
        }
    }
}
