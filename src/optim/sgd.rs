//! Stochastic gradient descent.

use super::parameters::{DAMPENING, MOMENTUM, NESTEROV, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, HeavyBall, Now, Rule, scale};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// SGD with momentum, Nesterov's look-ahead, dampening and weight decay.
///
/// ```text
/// g = ∇f(θ) + λθ
/// b = μ·b + (1 − dampening)·g      b = g at the first step
/// θ = θ − η·b                      nesterov: θ − η·(g + μ·b)
/// ```
///
/// `keras` keeps the rate inside the buffer, v = μ·v − η·g, θ = θ + v (nesterov: θ + μ·v − η·g), so a change of the rate only
/// reaches the momentum step by step, and decouples the decay: θ·(1 − ηλ). `optax` (`trace`) is PyTorch's without dampening.
///
/// Defaults: η 0.1 (`torch` 1e-3, `keras` 0.01), μ 0, λ 0.
///
/// Source: Polyak 1964; Sutskever et al. 2013; PyTorch `SGD`, Keras `SGD`, `optax.sgd`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sgd {
    momentum: f64,
    nesterov: bool,
    dampening: f64,
    decay: Decay,
    semantics: Semantics,
}

pub(super) type Row = Sgd;

impl Definition for Sgd {
    const ENTRY: Entry = Entry {
        name: "sgd",
        summary: "gradient descent, with momentum, Nesterov's look-ahead, dampening and weight decay",
        formula: "b = momentum·b + (1 − dampening)·g;  θ = θ − lr·b, with nesterov θ − lr·(g + momentum·b)",
        parameters: &[MOMENTUM, NESTEROV, DAMPENING, weight_decay("0")],
        source: "Polyak 1964; Sutskever et al. 2013; PyTorch SGD",
        entrant: None,
    };
    const RATE: f64 = 0.1;
    /// Of η/(1 − μ), the size of a step in a steady direction.
    const TUNED: (f64, f64) = (3e-3, 3.0);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] =
        &[(Semantics::Torch, "lr", 1e-3), (Semantics::Keras, "lr", 1e-2)];

    fn tuned_scale(options: &Options<'_>) -> f64 {
        options.fresh_share()
    }

    fn has_momentum(options: &Options<'_>) -> bool {
        options.get("momentum") > 0.0
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            momentum: options.get("momentum"),
            nesterov: options.is_on("nesterov"),
            dampening: options.torch_only("dampening", "leave it out, or take `--semantics torch`")?,
            decay: Decay::placed(options.get("weight-decay"), options.semantics),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for Sgd {
    fn buffers(&self) -> Vec<Buffer> {
        let momentum = Buffer::zeros("momentum_buffer");
        if self.momentum > 0.0 { vec![momentum] } else { Vec::new() }
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let rate = now.learning_rate;
        if self.momentum == 0.0 {
            return Box::new(move |gradient, _, _| scale(gradient, T::of(rate)));
        }
        let momentum = now.momentum.unwrap_or(self.momentum);
        let ball = if self.semantics == Semantics::Keras {
            HeavyBall::rate_inside(momentum, rate, self.nesterov)
        } else {
            // PyTorch initialises the buffer with the full first gradient, whatever the dampening.
            let fresh = if now.step == 0 { 1.0 } else { 1.0 - self.dampening };
            HeavyBall::rate_outside(momentum, fresh, rate, self.nesterov)
        };
        Box::new(move |gradient, _, [buffer, ..]| ball.apply(gradient, buffer))
    }
}
