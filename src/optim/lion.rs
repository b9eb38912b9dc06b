//! Lion.

use super::parameters::{BETA1, beta2, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Now, Rule, running_mean};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// Lion: every weight moves by the rate, in the direction of a mean of the gradient.
///
/// ```text
/// θ = θ·(1 − ηλ) − η·sign(β₁·m + (1 − β₁)·g)
/// m = β₂·m + (1 − β₂)·g
/// ```
///
/// The same in Keras and optax; PyTorch has none. The rate wants to be 3 to 10 times smaller than AdamW's, and the decay
/// as much larger. A schedule's momentum replaces β₁.
///
/// Defaults: η 1e-4 (`keras` 1e-3), β₁ 0.9, β₂ 0.99, λ 0 (`optax` 1e-3).
///
/// Source: Chen et al. 2023, arXiv:2302.06675; Keras `Lion`, `optax.lion`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lion {
    beta1: f64,
    beta2: f64,
    weight_decay: f64,
}

pub(super) type Row = Lion;

impl Definition for Lion {
    const ENTRY: Entry = Entry {
        name: "lion",
        summary: "steps of one size, in the direction of the sign of a running mean of the gradient",
        formula: "θ = θ·(1 − lr·weight-decay) − lr·sign(beta1·m + (1 − beta1)·g);  m = beta2·m + (1 − beta2)·g",
        parameters: &[BETA1, beta2("0.99", "decay of the running mean that is kept"), weight_decay("0")],
        source: "Chen et al. 2023, arXiv:2302.06675; optax lion",
        entrant: None,
    };
    const RATE: f64 = 1e-4;
    const TUNED: (f64, f64) = (3e-6, 3e-3);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] =
        &[(Semantics::Keras, "lr", 1e-3), (Semantics::Optax, "weight-decay", 1e-3)];
    const MISSING: &'static [Semantics] = &[Semantics::Torch];

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        let [beta1, beta2, weight_decay] = ["beta1", "beta2", "weight-decay"].map(|name| options.get(name));
        Ok(Self { beta1, beta2, weight_decay })
    }
}

impl<T: Float> Rule<T> for Lion {
    fn buffers(&self) -> Vec<Buffer> {
        vec![Buffer::zeros("exp_avg")]
    }

    fn decay(&self) -> Decay {
        Decay::Decoupled(self.weight_decay)
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let beta1 = now.momentum.unwrap_or(self.beta1);
        let (beta1, fresh1) = (T::of(beta1), T::of(1.0 - beta1));
        let fresh2 = T::of(1.0 - self.beta2);
        let rate = T::of(now.learning_rate);
        let zero = T::default();
        Box::new(move |gradient, _, [mean, ..]| {
            for (g, m) in gradient.iter_mut().zip(mean) {
                let towards = beta1 * *m + fresh1 * *g;
                running_mean(std::slice::from_mut(m), &[*g], fresh2);
                *g = match towards.partial_cmp(&zero) {
                    Some(std::cmp::Ordering::Greater) => rate,
                    Some(std::cmp::Ordering::Less) => zero - rate,
                    Some(std::cmp::Ordering::Equal) => zero,
                    // NaN stays NaN: a diverged run should show.
                    None => towards,
                };
            }
        })
    }
}
