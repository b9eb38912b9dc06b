//! Adamax.

use super::parameters::{BETA1, beta2, eps, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Now, Rule, running_max, running_mean, scale};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// Adamax: Adam with the largest gradient so far, fading, in place of the root mean square.
///
/// ```text
/// g = ∇f(θ) + λθ
/// m = β₁·m + (1 − β₁)·g
/// u = max(β₂·u, |g| + ε)
/// θ = θ − η/(1 − β₁ᵗ) · m/u        t: 1 at the first step
/// ```
///
/// `keras` divides by u + ε, with u = max(β₂·u, |g|), and decouples the decay. `optax` is PyTorch's. A schedule's momentum
/// replaces β₁.
///
/// Defaults: η 2e-3 (`keras` 1e-3), β₁ 0.9, β₂ 0.999, ε 1e-8 (`keras` 1e-7), λ 0.
///
/// Source: Kingma and Ba 2015, arXiv:1412.6980; PyTorch `Adamax`, Keras `Adamax`, `optax.adamax`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adamax {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: Decay,
    semantics: Semantics,
}

pub(super) type Row = Adamax;

impl Definition for Adamax {
    const ENTRY: Entry = Entry {
        name: "adamax",
        summary: "the running mean of the gradient divided by the largest gradient so far, which fades",
        formula: "m = beta1·m + (1 − beta1)·g;  u = max(beta2·u, |g| + eps);  θ = θ − lr/(1 − beta1ᵗ)·m/u",
        parameters: &[BETA1, beta2("0.999", "decay of the largest gradient"), eps("1e-8"), weight_decay("0")],
        source: "Kingma and Ba 2015, arXiv:1412.6980; PyTorch Adamax",
        entrant: None,
    };
    const RATE: f64 = 2e-3;
    const TUNED: (f64, f64) = (1e-4, 0.1);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] =
        &[(Semantics::Keras, "lr", 1e-3), (Semantics::Keras, "eps", 1e-7)];

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            beta1: options.get("beta1"),
            beta2: options.get("beta2"),
            eps: options.get("eps"),
            decay: Decay::placed(options.get("weight-decay"), options.semantics),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for Adamax {
    fn buffers(&self) -> Vec<Buffer> {
        ["exp_avg", "exp_inf"].map(Buffer::zeros).to_vec()
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let beta1 = now.momentum.unwrap_or(self.beta1);
        let rate = T::of(now.learning_rate / (1.0 - beta1.powf((now.step + 1) as f64)));
        let (fresh, beta2) = (T::of(1.0 - beta1), T::of(self.beta2));
        let (inside, outside) = if self.semantics == Semantics::Keras { (0.0, self.eps) } else { (self.eps, 0.0) };
        let (inside, outside) = (T::of(inside), T::of(outside));
        Box::new(move |gradient, _, [mean, largest, ..]| {
            running_mean(mean, gradient, fresh);
            scale(largest, beta2);
            running_max(largest, gradient.iter().map(|g| g.abs() + inside));
            for ((step, &m), &u) in gradient.iter_mut().zip(&*mean).zip(&*largest) {
                *step = rate * m / (u + outside);
            }
        })
    }
}
