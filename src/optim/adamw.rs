//! AdamW.

use super::adam::Adam;
use super::parameters::{AMSGRAD, BETA1, BETA2, eps, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Now, Rule};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::Entry;
use crate::usage::Usage;

/// AdamW: Adam with decoupled weight decay, θ·(1 − ηλ) before Adam's step.
///
/// Defaults: Adam's, and λ 0.01 (`keras` 0.004, `optax` 1e-4).
///
/// Source: Loshchilov and Hutter 2019, arXiv:1711.05101; PyTorch `AdamW`, Keras `AdamW`, `optax.adamw`.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdamW(Adam);

pub(super) type Row = AdamW;

impl Definition for AdamW {
    const ENTRY: Entry = Entry {
        name: "adamw",
        summary: "Adam with decoupled weight decay",
        formula: "θ = θ·(1 − lr·weight-decay), then Adam's step",
        parameters: &[BETA1, BETA2, eps("1e-8"), AMSGRAD, weight_decay("0.01")],
        source: "Loshchilov and Hutter 2019, arXiv:1711.05101; PyTorch AdamW",
        entrant: None,
    };
    const RATE: f64 = 1e-3;
    const TUNED: (f64, f64) = (3e-5, 0.03);
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[
        (Semantics::Keras, "eps", 1e-7),
        (Semantics::Keras, "weight-decay", 0.004),
        (Semantics::Optax, "weight-decay", 1e-4),
    ];

    fn has_momentum(options: &Options<'_>) -> bool {
        Adam::has_momentum(options)
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        let decay = Decay::Decoupled(options.get("weight-decay"));
        Ok(Self(Adam { decay, ..Adam::new(options)? }))
    }
}

impl<T: Float> Rule<T> for AdamW {
    fn buffers(&self) -> Vec<Buffer> {
        Rule::<T>::buffers(&self.0)
    }

    fn decay(&self) -> Decay {
        Rule::<T>::decay(&self.0)
    }

    fn at(&self, now: Now, scalars: &mut [f64]) -> Direction<T> {
        self.0.at(now, scalars)
    }
}
