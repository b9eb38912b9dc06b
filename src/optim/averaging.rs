//! What the schedule-free optimizers share: training at one point, averaging into another.

use super::rule::{Float, MOST_BUFFERS, Move, Now, Scalar};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::usage::Usage;

/// Places of the scalars.
const MOMENTUM: usize = 0;
const LR_MAX: usize = 1;
const WEIGHT_SUM: usize = 2;

/// The averaging of Schedule-Free learning (Defazio et al. 2024, arXiv:2405.15682), for a step u of any other optimizer.
///
/// ```text
/// z = z − η·u                          where the other optimizer goes
/// x = (1 − c)·x + c·z                  c = w/Σw, w = tʳ·(highest η so far)^p      evaluated and saved
/// y = (1 − β)·z + β·x                  where the gradient is taken
/// ```
///
/// Only y and z are kept: x = y + (1 − 1/β)·(z − y).
#[derive(Debug, Clone, Copy)]
pub(super) struct Averaging {
    momentum: f64,
    r: f64,
    weight_lr_power: f64,
}

/// optax's own reading of a schedule, which `--semantics optax` does not follow.
pub(super) const OF_OPTAX: (Semantics, &str) = (
    Semantics::Optax,
    "weighs each step by the rate of the next one if it is given a schedule; set the rate at each step to get what is shown here",
);

impl Averaging {
    /// `momentum` names the option that is β.
    ///
    /// # Errors
    /// An `r` under semantics that have none.
    pub fn of(options: &Options<'_>, momentum: &str) -> Result<Self, Usage> {
        Ok(Self {
            momentum: options.get(momentum),
            r: options.torch_only("r", "leave it out, or take `--semantics torch`")?,
            weight_lr_power: options.get("weight-lr-power"),
        })
    }

    pub fn scalars(&self) -> Vec<Scalar> {
        let scalar = |name, initial| Scalar { name, initial };
        vec![scalar("momentum", self.momentum), scalar("lr_max", 0.0), scalar("weight_sum", 0.0)]
    }

    /// What to say of a schedule that decays.
    pub fn advice(name: &str, decays: bool) -> Option<String> {
        let line = || {
            format!(
                "{name} averages its steps in place of a decay: a constant rate, after a warm-up, is what it is for"
            )
        };
        decays.then(line)
    }

    /// One step's constants; takes the step into the average's weights.
    pub fn at<T: Float>(&self, now: Now, scalars: &mut [f64]) -> Interpolation<T> {
        let momentum = now.momentum.unwrap_or(self.momentum);
        let highest = scalars[LR_MAX].max(now.learning_rate);
        let weight = ((now.step + 1) as f64).powf(self.r) * highest.powf(self.weight_lr_power);
        let sum = scalars[WEIGHT_SUM] + weight;
        (scalars[MOMENTUM], scalars[LR_MAX], scalars[WEIGHT_SUM]) = (momentum, highest, sum);
        // A rate of 0 from the start has no weight yet.
        let share = if sum == 0.0 { 0.0 } else { weight / sum };
        Interpolation {
            share: T::of(share),
            ahead: T::of(now.learning_rate * (momentum * (1.0 - share) - 1.0)),
            rate: T::of(now.learning_rate),
        }
    }

    /// From y to x, with z as the first state array.
    pub fn evaluation_point<T: Float>(&self, scalars: &[f64]) -> Move<T> {
        let away = T::of(1.0 - 1.0 / scalars[MOMENTUM]);
        Box::new(move |values, [z, ..]: [&[T]; MOST_BUFFERS]| {
            for (y, &z) in values.iter_mut().zip(z) {
                *y = *y + away * (z - *y);
            }
        })
    }
}

/// The constants of one step of y and z.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interpolation<T> {
    share: T,
    ahead: T,
    rate: T,
}

impl<T: Float> Interpolation<T> {
    /// y = y + c·(z − y) + η·(β·(1 − c) − 1)·u and z = z − η·u, for y after its decay, `keep`·y. Turns u into what is to be
    /// subtracted from y.
    pub fn apply(self, step: &mut [T], values: &[T], z: &mut [T], keep: T) {
        let Self { share, ahead, rate } = self;
        for ((step, &y), z) in step.iter_mut().zip(values).zip(z) {
            let (u, y) = (*step, keep * y);
            *step = share * (y - *z) - ahead * u;
            *z = *z - rate * u;
        }
    }
}
