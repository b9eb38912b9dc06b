//! NAdam.

use super::parameters::{BETA1, BETA2, DECOUPLED, MOMENTUM_DECAY, eps, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Now, Rule, Scalar, running_mean, running_square};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// NAdam: Adam with Nesterov's look-ahead, under a momentum that rises from β₁/2 to β₁.
///
/// ```text
/// μₜ = β₁·(1 − 0.96^(t·ψ)/2)              Πₜ = μ₁·…·μₜ        t: 1 at the first step
/// m = β₁·m + (1 − β₁)·g,  v = β₂·v + (1 − β₂)·g²
/// θ = θ − η·((1 − μₜ)/(1 − Πₜ)·g + μₜ₊₁/(1 − Πₜ·μₜ₊₁)·m) / (√v/√(1 − β₂ᵗ) + ε)
/// ```
///
/// `keras` is the same with ψ 1, and decouples the decay. `optax` has no ψ: its momentum is β₁ throughout, with 1 − β₁ᵗ and
/// 1 − β₁ᵗ⁺¹ in place of the products. A schedule's momentum replaces β₁.
///
/// Defaults: η 2e-3 (`keras` 1e-3), β₁ 0.9, β₂ 0.999, ε 1e-8 (`keras` 1e-7), ψ 0.004 (`keras` 1), λ 0.
///
/// Source: Dozat 2016; PyTorch `NAdam`, Keras `Nadam`, `optax.nadam`.
#[derive(Debug, Clone, Copy)]
pub(super) struct NAdam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    momentum_decay: f64,
    decay: Decay,
    semantics: Semantics,
}

pub(super) type Row = NAdam;

impl NAdam {
    /// Factors of g and of m, over the root; takes the momentum into its product.
    fn factors(&self, now: Now, scalars: &mut [f64]) -> (f64, f64) {
        let beta1 = now.momentum.unwrap_or(self.beta1);
        let count = (now.step + 1) as f64;
        if self.semantics == Semantics::Optax {
            return ((1.0 - beta1) / (1.0 - beta1.powf(count)), beta1 / (1.0 - beta1.powf(count + 1.0)));
        }
        let momentum = |count: f64| beta1 * (1.0 - 0.5 * 0.96_f64.powf(count * self.momentum_decay));
        let (current, next) = (momentum(count), momentum(count + 1.0));
        scalars[0] *= current;
        ((1.0 - current) / (1.0 - scalars[0]), next / (1.0 - scalars[0] * next))
    }
}

impl Definition for NAdam {
    const ENTRY: Entry = Entry {
        name: "nadam",
        summary: "Adam with Nesterov's look-ahead and a momentum that rises",
        formula: "m, v as adam;  μₜ = beta1·(1 − 0.96^(t·momentum-decay)/2), Πₜ = μ₁·…·μₜ;  \
                  θ = θ − lr·((1 − μₜ)/(1 − Πₜ)·g + μₜ₊₁/(1 − Πₜ₊₁)·m) / (√v̂ + eps)",
        parameters: &[BETA1, BETA2, eps("1e-8"), MOMENTUM_DECAY, weight_decay("0"), DECOUPLED],
        source: "Dozat 2016; PyTorch NAdam",
        entrant: None,
    };
    const RATE: f64 = 2e-3;
    const TUNED: (f64, f64) = (3e-5, 0.03);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[
        (Semantics::Keras, "lr", 1e-3),
        (Semantics::Keras, "eps", 1e-7),
        (Semantics::Keras, "momentum-decay", 1.0),
        (Semantics::Optax, "momentum-decay", 0.0),
    ];

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        let momentum_decay = match options.semantics {
            Semantics::Optax => options.torch_only("momentum-decay", "leave it out, or take `--semantics torch`")?,
            _ => options.get("momentum-decay"),
        };
        Ok(Self {
            beta1: options.get("beta1"),
            beta2: options.get("beta2"),
            eps: options.get("eps"),
            momentum_decay,
            decay: Decay::chosen(options),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for NAdam {
    fn buffers(&self) -> Vec<Buffer> {
        ["exp_avg", "exp_avg_sq"].map(Buffer::zeros).to_vec()
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn scalars(&self) -> Vec<Scalar> {
        vec![Scalar { name: "mu_product", initial: 1.0 }]
    }

    fn at(&self, now: Now, scalars: &mut [f64]) -> Direction<T> {
        let (of_gradient, of_mean) = self.factors(now, scalars);
        let (of_gradient, of_mean) = (T::of(now.learning_rate * of_gradient), T::of(now.learning_rate * of_mean));
        let unroot = 1.0 / (1.0 - self.beta2.powf((now.step + 1) as f64)).sqrt();
        let (unroot, eps) = (T::of(unroot), T::of(self.eps));
        let fresh1 = T::of(1.0 - now.momentum.unwrap_or(self.beta1));
        let (beta2, fresh2) = (T::of(self.beta2), T::of(1.0 - self.beta2));
        Box::new(move |gradient, _, [mean, square, ..]| {
            running_mean(mean, gradient, fresh1);
            running_square(square, gradient, beta2, fresh2);
            for ((g, &m), &v) in gradient.iter_mut().zip(&*mean).zip(&*square) {
                *g = (of_gradient * *g + of_mean * m) / (v.sqrt() * unroot + eps);
            }
        })
    }
}
