//! Adadelta.

use super::parameters::{eps, rho, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Now, Rule, running_square, scale};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// Adadelta: the gradient in the units of the parameters, by the ratio of two running mean squares.
///
/// ```text
/// g = ∇f(θ) + λθ
/// v = ρ·v + (1 − ρ)·g²
/// u = g · √(d + ε) / √(v + ε)
/// d = ρ·d + (1 − ρ)·u²
/// θ = θ − η·u
/// ```
///
/// The same in all three frameworks, except that `keras` decouples the decay.
///
/// Defaults: η 1 (`keras` 1e-3), ρ 0.9 (`keras` 0.95), ε 1e-6 (`keras` 1e-7), λ 0.
///
/// Source: Zeiler 2012, arXiv:1212.5701; PyTorch `Adadelta`, Keras `Adadelta`, `optax.adadelta`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adadelta {
    rho: f64,
    eps: f64,
    decay: Decay,
}

pub(super) type Row = Adadelta;

impl Definition for Adadelta {
    const ENTRY: Entry = Entry {
        name: "adadelta",
        summary: "the gradient scaled by the ratio of the running RMS of the steps to that of the gradients",
        formula: "v = rho·v + (1 − rho)·g²;  u = g·√(d + eps)/√(v + eps);  d = rho·d + (1 − rho)·u²;  θ = θ − lr·u",
        parameters: &[rho("0.9"), eps("1e-6"), weight_decay("0")],
        source: "Zeiler 2012, arXiv:1212.5701; PyTorch Adadelta",
        entrant: Some("adadelta:weight-decay=5e-4"),
    };
    const RATE: f64 = 1.0;
    const TUNED: (f64, f64) = (1e-2, 10.0);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] =
        &[(Semantics::Keras, "lr", 1e-3), (Semantics::Keras, "rho", 0.95), (Semantics::Keras, "eps", 1e-7)];

    fn has_momentum(_options: &Options<'_>) -> bool {
        false
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            rho: options.get("rho"),
            eps: options.get("eps"),
            decay: Decay::placed(options.get("weight-decay"), options.semantics),
        })
    }
}

impl<T: Float> Rule<T> for Adadelta {
    fn buffers(&self) -> Vec<Buffer> {
        ["square_avg", "acc_delta"].map(Buffer::zeros).to_vec()
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let (rho, fresh) = (T::of(self.rho), T::of(1.0 - self.rho));
        let (eps, rate) = (T::of(self.eps), T::of(now.learning_rate));
        Box::new(move |gradient, _, [square, delta, ..]| {
            running_square(square, gradient, rho, fresh);
            for ((g, &v), &d) in gradient.iter_mut().zip(&*square).zip(&*delta) {
                *g = (d + eps).sqrt() / (v + eps).sqrt() * *g;
            }
            running_square(delta, gradient, rho, fresh);
            scale(gradient, rate);
        })
    }
}
