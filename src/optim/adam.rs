//! Adam.

use super::parameters::{AMSGRAD, BETA1, BETA2, eps, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Now, Rule, running_max, running_mean, running_square};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// Adam: the running mean of the gradient over the root of its running mean square, both corrected for starting at 0.
///
/// ```text
/// g = ∇f(θ) + λθ
/// m = β₁·m + (1 − β₁)·g
/// v = β₂·v + (1 − β₂)·g²
/// θ = θ − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)        t: 1 at the first step
/// ```
///
/// `amsgrad` divides by the highest v so far (Reddi et al. 2018), `optax` by the highest v/(1 − β₂ᵗ).
///
/// `keras` corrects √v and ε together, θ − η·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε), and decouples the decay. `optax` is PyTorch's. A
/// schedule's momentum replaces β₁, in its power too, as PyTorch's `OneCycleLR` does.
///
/// Defaults: η 1e-3, β₁ 0.9, β₂ 0.999, ε 1e-8 (`keras` 1e-7), λ 0.
///
/// Source: Kingma and Ba 2015, arXiv:1412.6980; PyTorch `Adam`, Keras `Adam`, `optax.adam`, `optax.amsgrad`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adam {
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub amsgrad: bool,
    pub decay: Decay,
    pub semantics: Semantics,
}

pub(super) type Row = Adam;

impl Definition for Adam {
    const ENTRY: Entry = Entry {
        name: "adam",
        summary: "the running mean of the gradient divided by the root of its running mean square, both bias-corrected",
        formula: "m = beta1·m + (1 − beta1)·g;  v = beta2·v + (1 − beta2)·g²;  θ = θ − lr·m̂ / (√v̂ + eps), \
                  m̂ = m/(1 − beta1ᵗ), v̂ = v/(1 − beta2ᵗ), amsgrad: the highest v so far",
        parameters: &[BETA1, BETA2, eps("1e-8"), AMSGRAD, weight_decay("0")],
        source: "Kingma and Ba 2015, arXiv:1412.6980; PyTorch Adam",
        entrant: Some("adam:weight-decay=5e-4"),
    };
    const RATE: f64 = 1e-3;
    const TUNED: (f64, f64) = (3e-5, 0.03);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[(Semantics::Keras, "eps", 1e-7)];

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            beta1: options.get("beta1"),
            beta2: options.get("beta2"),
            eps: options.get("eps"),
            amsgrad: options.is_on("amsgrad"),
            decay: Decay::placed(options.get("weight-decay"), options.semantics),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for Adam {
    fn buffers(&self) -> Vec<Buffer> {
        let names: &[&str] =
            if self.amsgrad { &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] } else { &["exp_avg", "exp_avg_sq"] };
        names.iter().copied().map(Buffer::zeros).collect()
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let beta1 = now.momentum.unwrap_or(self.beta1);
        let count = (now.step + 1) as f64;
        let rate = now.learning_rate / (1.0 - beta1.powf(count));
        let root = (1.0 - self.beta2.powf(count)).sqrt();
        let (rate, root) = if self.semantics == Semantics::Keras { (rate * root, 1.0) } else { (rate, root) };
        let (rate, unroot, eps) = (T::of(rate), T::of(1.0 / root), T::of(self.eps));
        let (fresh1, beta2, fresh2) = (T::of(1.0 - beta1), T::of(self.beta2), T::of(1.0 - self.beta2));
        // optax compares the mean squares after their correction.
        let corrected = self.semantics == Semantics::Optax;
        let (correction, unroot) =
            if self.amsgrad && corrected { (unroot * unroot, T::of(1.0)) } else { (T::of(1.0), unroot) };
        let amsgrad = self.amsgrad;
        Box::new(move |gradient, _, [mean, square, highest, _]| {
            running_mean(mean, gradient, fresh1);
            running_square(square, gradient, beta2, fresh2);
            let square = if amsgrad {
                running_max(highest, square.iter().map(|&v| correction * v));
                highest
            } else {
                square
            };
            for ((step, &m), &v) in gradient.iter_mut().zip(&*mean).zip(&*square) {
                *step = rate * m / (v.sqrt() * unroot + eps);
            }
        })
    }
}
