//! Step decay.

use super::{Formula, Kind, Rates, Semantics};
use crate::spec::{Entry, Parameter};

/// Step decay: multiply the rate by `factor` every `drop_every` epochs.
///
/// ```text
/// rate(e) = lr · factor^⌊(1 + e) / drop_every⌋        e: epoch, 0-based
/// ```
///
/// | parameter    | unit     | range    | default |
/// |--------------|----------|----------|---------|
/// | `factor`     | ratio    | (0, 1]   | 0.5     |
/// | `drop-every` | duration | ≥ 1 step | 10 (ep) |
///
/// The first drop comes at e = `drop-every` − 1, as in the tutorials. PyTorch's `StepLR` uses ⌊e / step_size⌋ and drops one
/// epoch later, and so does Keras's `ExponentialDecay(staircase=True)` and optax's `exponential_decay(staircase=True)`:
/// `--semantics torch`, `keras` or `optax`. A duration that is not a whole number of epochs is counted in steps:
/// ⌊(1 + t) / drop_every⌋.
///
/// Draw it: `lrsched show --schedule step:factor=0.5,drop-every=10 --epochs 40`
///
/// # Errors
/// `factor` outside (0, 1], or `drop-every` of 0.
///
/// ```
/// use lrsched::schedule::{Schedule, Semantics, Setting};
/// let setting = Setting::new(0.1, 40, 10);
/// let rates = |semantics| {
///     let schedule = Schedule::build(&"step:factor=0.5,drop-every=10".parse()?, &setting.with(semantics))?;
///     Ok::<_, lrsched::usage::Usage>([0, 89, 90, 99, 100, 189, 190].map(|t| schedule.at(t).learning_rate))
/// };
/// assert_eq!(rates(Semantics::Native)?, [0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025]);
/// assert_eq!(rates(Semantics::Torch)?, [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05]);
/// # Ok::<(), lrsched::usage::Usage>(())
/// ```
#[derive(Debug, Clone)]
pub struct Step {
    lr: f64,
    factor: f64,
    /// In steps.
    drop_every: u64,
    /// What is added to t, in steps: 1 + e is counted from the start of the epoch.
    ahead: u64,
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "step",
        summary: "multiply by factor every so many epochs",
        formula: "rate(e) = lr * factor^floor((1 + e) / drop_every); with torch, keras or optax semantics floor(e / drop_every)",
        parameters: &[
            Parameter { name: "factor", default: "0.5", help: "what each drop multiplies by, in (0, 1]", switch: false },
            Parameter { name: "drop-every", default: "10", help: "duration between two drops", switch: false },
        ],
        source: "step decay of the tutorials; PyTorch StepLR",
    },
    build: |a| {
        let drop_every = a.steps("drop-every")?;
        let ahead = match a.semantics {
            Semantics::Native if drop_every.is_multiple_of(a.steps_per_epoch) => a.steps_per_epoch,
            Semantics::Native => 1,
            Semantics::Torch | Semantics::Keras | Semantics::Optax => 0,
        };
        Ok(Box::new(Step { lr: a.lr, factor: a.factor("factor")?, drop_every, ahead }))
    },
};

impl Formula for Step {
    fn rates(&self, t: u64) -> Rates {
        let drops = (t + self.ahead) / self.drop_every;
        Rates::of(self.lr * self.factor.powf(drops as f64))
    }
}
