//! RMSprop.

use super::parameters::{CENTERED, MOMENTUM, eps, rho, weight_decay};
use super::rule::{
    Buffer, Decay, Definition, Direction, Float, HeavyBall, Now, Root, Rule, running_mean, running_square, scale,
};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// RMSprop: the gradient over the root of its running mean square.
///
/// ```text
/// g = ∇f(θ) + λθ
/// v = ρ·v + (1 − ρ)·g²
/// m = ρ·m + (1 − ρ)·g              centered: the root is of v − m²
/// u = g / (√v + ε)
/// θ = θ − η·u                      momentum: b = μ·b + u, θ = θ − η·b
/// ```
///
/// `keras` and `optax` put ε under the root, g / √(v + ε), and the rate inside the momentum, b = μ·b + η·u; `keras` decouples
/// the decay.
///
/// Defaults: η 1e-3 (`torch` 1e-2), ρ 0.9 (`torch` 0.99), ε 1e-8 (`keras` 1e-7), μ 0, λ 0.
///
/// Source: Tieleman and Hinton 2012, lecture 6.5; Graves 2013 (centered); PyTorch `RMSprop`, Keras `RMSprop`, `optax.rmsprop`.
#[derive(Debug, Clone, Copy)]
pub(super) struct RmsProp {
    rho: f64,
    eps: f64,
    centered: bool,
    momentum: f64,
    decay: Decay,
    semantics: Semantics,
}

pub(super) type Row = RmsProp;

impl Definition for RmsProp {
    const ENTRY: Entry = Entry {
        name: "rmsprop",
        summary: "the gradient divided by the root of its running mean square",
        formula: "v = rho·v + (1 − rho)·g²;  u = g / (√v + eps), centered g / (√(v − m²) + eps);  θ = θ − lr·u, \
                  with momentum b = momentum·b + u, θ = θ − lr·b",
        parameters: &[rho("0.9"), eps("1e-8"), CENTERED, MOMENTUM, weight_decay("0")],
        source: "Tieleman and Hinton 2012; Graves 2013; PyTorch RMSprop",
        entrant: Some("rmsprop:weight-decay=5e-4"),
    };
    const RATE: f64 = 1e-3;
    /// Of η/(1 − μ), as for SGD.
    const TUNED: (f64, f64) = (3e-5, 0.03);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] =
        &[(Semantics::Torch, "lr", 1e-2), (Semantics::Torch, "rho", 0.99), (Semantics::Keras, "eps", 1e-7)];

    fn tuned_scale(options: &Options<'_>) -> f64 {
        options.fresh_share()
    }

    fn has_momentum(options: &Options<'_>) -> bool {
        options.get("momentum") > 0.0
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            rho: options.get("rho"),
            eps: options.get("eps"),
            centered: options.is_on("centered"),
            momentum: options.get("momentum"),
            decay: Decay::placed(options.get("weight-decay"), options.semantics),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for RmsProp {
    fn buffers(&self) -> Vec<Buffer> {
        let names = [("square_avg", true), ("grad_avg", self.centered), ("momentum_buffer", self.momentum > 0.0)];
        names.into_iter().filter(|(_, kept)| *kept).map(|(name, _)| Buffer::zeros(name)).collect()
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let (rho, fresh) = (T::of(self.rho), T::of(1.0 - self.rho));
        let root = Root::placed(self.eps, self.semantics);
        let rate = now.learning_rate;
        let ball = (self.momentum > 0.0).then(|| {
            let momentum = now.momentum.unwrap_or(self.momentum);
            match self.semantics {
                Semantics::Native | Semantics::Torch => HeavyBall::rate_outside(momentum, 1.0, rate, false),
                Semantics::Keras | Semantics::Optax => HeavyBall::rate_inside(momentum, rate, false),
            }
        });
        let rate = T::of(rate);
        let centered = self.centered;
        Box::new(move |gradient, _, [square, second, third, _]| {
            running_square(square, gradient, rho, fresh);
            let buffer = if centered {
                running_mean(second, gradient, fresh);
                // Rounding may make the variance of a constant gradient slightly negative.
                let variance = square.iter().zip(&*second).map(|(&v, &m)| v - m * m);
                root.divide(gradient, variance.map(|v| if v < T::default() { T::default() } else { v }));
                third
            } else {
                root.divide(gradient, square.iter().copied());
                second
            };
            match ball {
                Some(ball) => ball.apply(gradient, buffer),
                None => scale(gradient, rate),
            }
        })
    }
}
