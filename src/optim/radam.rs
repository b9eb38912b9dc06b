//! RAdam.

use super::parameters::{BETA1, BETA2, DECOUPLED, eps, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Now, Rule, running_mean, running_square};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// Rectified Adam: Adam's step shrunk by how much its mean square varies so early, and momentum alone before that is known.
///
/// ```text
/// m = β₁·m + (1 − β₁)·g,  v = β₂·v + (1 − β₂)·g²
/// ρ∞ = 2/(1 − β₂) − 1,  ρ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ)        t: 1 at the first step
/// r = √((ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ))
/// θ = θ − η·m/(1 − β₁ᵗ) · r·√(1 − β₂ᵗ)/(√v + ε)          ρ > 5, else without r and the root
/// ```
///
/// `optax` adds ε to the corrected root, √v/√(1 − β₂ᵗ) + ε, and rectifies from ρ ≥ 5. Keras has none. A schedule's momentum
/// replaces β₁.
///
/// Defaults: η 1e-3, β₁ 0.9, β₂ 0.999, ε 1e-8, λ 0.
///
/// Source: Liu et al. 2020, arXiv:1908.03265; PyTorch `RAdam`, `optax.radam`.
#[derive(Debug, Clone, Copy)]
pub(super) struct RAdam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: Decay,
    semantics: Semantics,
}

pub(super) type Row = RAdam;

impl RAdam {
    /// r; `None` while the mean square has too few gradients behind it.
    fn rectification(&self, count: f64) -> Option<f64> {
        let power = self.beta2.powf(count);
        let longest = 2.0 / (1.0 - self.beta2) - 1.0;
        let length = longest - 2.0 * count * power / (1.0 - power);
        let known = if self.semantics == Semantics::Optax { length >= 5.0 } else { length > 5.0 };
        let ratio = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length);
        known.then(|| ratio.sqrt())
    }
}

impl Definition for RAdam {
    const ENTRY: Entry = Entry {
        name: "radam",
        summary: "Adam with its own warm-up: steps are shrunk while the mean square is uncertain",
        formula: "m, v as adam;  ρ = ρ∞ − 2t·beta2ᵗ/(1 − beta2ᵗ), ρ∞ = 2/(1 − beta2) − 1;  θ = θ − lr·m̂·r·√(1 − beta2ᵗ)/(√v + eps), \
                  r = √((ρ − 4)(ρ − 2)ρ∞/((ρ∞ − 4)(ρ∞ − 2)ρ));  θ = θ − lr·m̂ up to ρ = 5",
        parameters: &[BETA1, BETA2, eps("1e-8"), weight_decay("0"), DECOUPLED],
        source: "Liu et al. 2020, arXiv:1908.03265; PyTorch RAdam",
        entrant: None,
    };
    const RATE: f64 = 1e-3;
    const TUNED: (f64, f64) = (3e-5, 0.03);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[];
    const MISSING: &'static [Semantics] = &[Semantics::Keras];

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            beta1: options.get("beta1"),
            beta2: options.get("beta2"),
            eps: options.get("eps"),
            decay: Decay::chosen(options),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for RAdam {
    fn buffers(&self) -> Vec<Buffer> {
        ["exp_avg", "exp_avg_sq"].map(Buffer::zeros).to_vec()
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let beta1 = now.momentum.unwrap_or(self.beta1);
        let count = (now.step + 1) as f64;
        let rate = now.learning_rate / (1.0 - beta1.powf(count));
        let rectification = self.rectification(count);
        let root = (1.0 - self.beta2.powf(count)).sqrt();
        let eps = if self.semantics == Semantics::Optax { self.eps * root } else { self.eps };
        let adaptive = T::of(rate * root * rectification.unwrap_or(0.0));
        let (rate, eps) = (T::of(rate), T::of(eps));
        let (fresh1, beta2, fresh2) = (T::of(1.0 - beta1), T::of(self.beta2), T::of(1.0 - self.beta2));
        Box::new(move |gradient, _, [mean, square, ..]| {
            running_mean(mean, gradient, fresh1);
            running_square(square, gradient, beta2, fresh2);
            for ((step, &m), &v) in gradient.iter_mut().zip(&*mean).zip(&*square) {
                *step = if rectification.is_some() { adaptive * m / (v.sqrt() + eps) } else { rate * m };
            }
        })
    }
}
