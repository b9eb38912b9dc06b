//! Schedule-free AdamW.

use super::averaging::{Averaging, OF_OPTAX};
use super::parameters::{BETA2, INTERPOLATION, R, WEIGHT_LR_POWER, eps, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Move, Now, Rule, Scalar, running_square};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::{Entry, Parameter};
use crate::usage::Usage;

/// Schedule-free AdamW: Adam's step without its mean, averaged as in schedule-free SGD.
///
/// ```text
/// v = β₂·v + (1 − β₂)·g²              g = ∇f(y)
/// u = g / (√v/√(1 − β₂ᵗ) + ε) + λy
/// z = z − η·u
/// x = (1 − c)·x + c·z                 c = w/Σw, w = tʳ·(highest η so far)^p
/// y = (1 − β₁)·z + β₁·x
/// ```
///
/// Trains at y; x is evaluated and saved. `optax` is the same without r, where the rate is set at each step; given a schedule, it
/// weighs each step by the rate of the next one. `keras` averages all steps alike (p 0) and decays y
/// itself, y·(1 − ηλ), before the step.
///
/// Defaults: η 0.0025, β₁ 0.9, β₂ 0.999, ε 1e-8, λ 0, r 0, p 2 (`keras` 0).
///
/// Source: Defazio et al. 2024, arXiv:2405.15682; schedulefree `AdamWScheduleFree`, Keras `ScheduleFreeAdamW`, optax
/// `schedule_free_adamw`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScheduleFreeAdamW {
    averaging: Averaging,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    semantics: Semantics,
}

pub(super) type Row = ScheduleFreeAdamW;

impl Definition for ScheduleFreeAdamW {
    const ENTRY: Entry = Entry {
        name: "schedule-free-adamw",
        summary: "AdamW whose average needs no decaying rate; the average is evaluated and saved",
        formula: "u = g(y)/(√v̂ + eps) + weight-decay·y;  z = z − lr·u;  x = x + c·(z − x), c = w/Σw, \
                  w = tʳ·(highest lr)^weight-lr-power;  y = (1 − beta1)·z + beta1·x",
        parameters: &[
            Parameter { name: "beta1", ..INTERPOLATION },
            BETA2,
            eps("1e-8"),
            weight_decay("0"),
            R,
            WEIGHT_LR_POWER,
        ],
        source: "Defazio et al. 2024, arXiv:2405.15682; schedulefree AdamWScheduleFree",
        entrant: None,
    };
    const RATE: f64 = 0.0025;
    const TUNED: (f64, f64) = (1e-4, 0.1);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[(Semantics::Keras, "weight-lr-power", 0.0)];
    const NOTES: &'static [(Semantics, &'static str)] = &[OF_OPTAX];
    const AVERAGES: bool = true;

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn advice(_lr: f64, decays: bool) -> Option<String> {
        Averaging::advice(Self::ENTRY.name, decays)
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            averaging: Averaging::of(options, "beta1")?,
            beta2: options.get("beta2"),
            eps: options.get("eps"),
            weight_decay: options.get("weight-decay"),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for ScheduleFreeAdamW {
    fn buffers(&self) -> Vec<Buffer> {
        vec![Buffer::copy("z"), Buffer::zeros("exp_avg_sq")]
    }

    fn decay(&self) -> Decay {
        match self.semantics {
            Semantics::Keras => Decay::Decoupled(self.weight_decay),
            // Added to u below, not to the gradient that its root mean square divides.
            _ => Decay::Coupled(0.0),
        }
    }

    fn scalars(&self) -> Vec<Scalar> {
        self.averaging.scalars()
    }

    fn at(&self, now: Now, scalars: &mut [f64]) -> Direction<T> {
        let interpolation = self.averaging.at(now, scalars);
        let (_, keep) = Rule::<T>::decay(self).constants(now.learning_rate);
        let decay = if self.semantics == Semantics::Keras { 0.0 } else { self.weight_decay };
        let unroot = 1.0 / (1.0 - self.beta2.powf((now.step + 1) as f64)).sqrt();
        let (beta2, fresh) = (T::of(self.beta2), T::of(1.0 - self.beta2));
        let (keep, decay, unroot, eps) = (T::of(keep), T::of(decay), T::of(unroot), T::of(self.eps));
        Box::new(move |gradient, values, [z, square, ..]| {
            running_square(square, gradient, beta2, fresh);
            for ((g, &v), &y) in gradient.iter_mut().zip(&*square).zip(values) {
                *g = *g / (v.sqrt() * unroot + eps) + decay * y;
            }
            interpolation.apply(gradient, values, z, keep);
        })
    }

    fn evaluation_point(&self, scalars: &[f64]) -> Option<Move<T>> {
        Some(self.averaging.evaluation_point(scalars))
    }
}
