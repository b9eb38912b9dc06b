//! Schedule-free SGD.

use super::averaging::{Averaging, OF_OPTAX};
use super::parameters::{INTERPOLATION, R, WEIGHT_LR_POWER, weight_decay};
use super::rule::{Buffer, Decay, Definition, Direction, Float, Move, Now, Rule, Scalar};
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::{Entry, Parameter};
use crate::usage::Usage;

/// Schedule-free SGD: an average of the steps stands in for a decaying rate.
///
/// ```text
/// g = ∇f(y) + λy
/// z = z − η·g
/// x = (1 − c)·x + c·z        c = w/Σw, w = tʳ·(highest η so far)^p
/// y = (1 − μ)·z + μ·x
/// ```
///
/// Trains at y; x is evaluated and saved. The same in schedulefree 1.4.1 and, where the rate is set at each step, in optax, which
/// has no r; given a schedule, optax weighs each step by the rate of the next one.
///
/// Defaults: μ 0.9, λ 0, r 0, p 2.
///
/// Source: Defazio et al. 2024, arXiv:2405.15682; schedulefree `SGDScheduleFree`, optax `schedule_free_sgd`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScheduleFreeSgd {
    averaging: Averaging,
    decay: Decay,
}

pub(super) type Row = ScheduleFreeSgd;

impl Definition for ScheduleFreeSgd {
    const ENTRY: Entry = Entry {
        name: "schedule-free-sgd",
        summary: "gradient descent whose average needs no decaying rate; the average is evaluated and saved",
        formula: "z = z − lr·g(y);  x = x + c·(z − x), c = w/Σw, w = tʳ·(highest lr)^weight-lr-power;  y = (1 − momentum)·z + momentum·x",
        parameters: &[Parameter { name: "momentum", ..INTERPOLATION }, weight_decay("0"), R, WEIGHT_LR_POWER],
        source: "Defazio et al. 2024, arXiv:2405.15682; schedulefree SGDScheduleFree",
        entrant: None,
    };
    const RATE: f64 = 0.1;
    const TUNED: (f64, f64) = (1e-3, 3.0);
    const MISSING: &'static [Semantics] = &[Semantics::Keras];
    const DEFAULTS: &'static [(Semantics, &'static str, f64)] = &[(Semantics::Optax, "lr", 1.0)];
    const NOTES: &'static [(Semantics, &'static str)] = &[OF_OPTAX];
    const AVERAGES: bool = true;

    fn has_momentum(_options: &Options<'_>) -> bool {
        true
    }

    fn advice(_lr: f64, decays: bool) -> Option<String> {
        Averaging::advice(Self::ENTRY.name, decays)
    }

    fn new(options: &Options<'_>) -> Result<Self, Usage> {
        Ok(Self { averaging: Averaging::of(options, "momentum")?, decay: Decay::Coupled(options.get("weight-decay")) })
    }
}

impl<T: Float> Rule<T> for ScheduleFreeSgd {
    fn buffers(&self) -> Vec<Buffer> {
        vec![Buffer::copy("z")]
    }

    fn decay(&self) -> Decay {
        self.decay
    }

    fn scalars(&self) -> Vec<Scalar> {
        self.averaging.scalars()
    }

    fn at(&self, now: Now, scalars: &mut [f64]) -> Direction<T> {
        let interpolation = self.averaging.at(now, scalars);
        Box::new(move |gradient, values, [z, ..]| interpolation.apply(gradient, values, z, T::of(1.0)))
    }

    fn evaluation_point(&self, scalars: &[f64]) -> Option<Move<T>> {
        Some(self.averaging.evaluation_point(scalars))
    }
}
