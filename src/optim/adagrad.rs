//! Adagrad.

use super::parameters::{INITIAL_ACCUMULATOR, LR_DECAY, eps, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Initial, Now, Root, Rule, running_square, scale};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// Adagrad: the gradient over the root of the sum of all its squares.
///
/// ```text
/// g = ∇f(θ) + λθ
/// s = s + g²
/// θ = θ − η/(1 + t·lr_decay) · g / (√s + ε)        t: 0 at the first step
/// ```
///
/// `keras` and `optax` put ε under the root, g / √(s + ε), start s at 0.1, and have no lr-decay; `keras` decouples the decay.
///
/// Defaults: η 1e-2 (`keras` 1e-3), ε 1e-10 (`keras`, `optax` 1e-7), s 0 (`keras`, `optax` 0.1), λ 0.
///
/// Source: Duchi, Hazan and Singer 2011; PyTorch `Adagrad`, Keras `Adagrad`, `optax.adagrad`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adagrad {
    initial: f64,
    lr_decay: f64,
    eps: f64,
    decay: Decay,
    semantics: Semantics,
}

pub(super) type Row = Adagrad;

impl Definition for Adagrad {
    const ENTRY: Entry = Entry {
        name: "adagrad",
        summary: "the gradient divided by the root of the sum of all its squares",
        formula: "s = s + g²;  θ = θ − lr/(1 + t·lr-decay) · g / (√s + eps);  s starts at initial-accumulator",
        parameters: &[INITIAL_ACCUMULATOR, LR_DECAY, eps("1e-10"), weight_decay("0")],
        source: "Duchi, Hazan and Singer 2011; PyTorch Adagrad",
        entrant: Some("adagrad:weight-decay=5e-4"),
    };
    const RATE: f64 = 1e-2;
    const TUNED: (f64, f64) = (3e-4, 0.3);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[
        (Semantics::Keras, "lr", 1e-3),
        (Semantics::Keras, "initial-accumulator", 0.1),
        (Semantics::Keras, "eps", 1e-7),
        (Semantics::Optax, "initial-accumulator", 0.1),
        (Semantics::Optax, "eps", 1e-7),
    ];

    fn has_momentum(_options: &Options<'_>) -> bool {
        false
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self {
            initial: options.get("initial-accumulator"),
            lr_decay: options.torch_only("lr-decay", "the same is `--schedule time` with that decay")?,
            eps: options.get("eps"),
            decay: Decay::placed(options.get("weight-decay"), options.semantics),
            semantics: options.semantics,
        })
    }
}

impl<T: Float> Rule<T> for Adagrad {
    fn buffers(&self) -> Vec<Buffer> {
        vec![Buffer { name: "sum", initial: Initial::Constant(self.initial) }]
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn at(&self, now: Now, _scalars: &mut [f64]) -> Direction<T> {
        let rate = T::of(now.learning_rate / (1.0 + now.step as f64 * self.lr_decay));
        let root = Root::placed(self.eps, self.semantics);
        let one = T::of(1.0);
        Box::new(move |gradient, _, [sum, ..]| {
            running_square(sum, gradient, one, one);
            root.divide(gradient, sum.iter().copied());
            scale(gradient, rate);
        })
    }
}
