//! What turns (architecture, parameters, batch) into loss, accuracy and gradients.

mod batch_stats;
pub mod candle;
mod choice;
pub mod cpu;
mod kind;

pub use batch_stats::BatchStats;
pub use choice::{build, check};
pub use kind::{DeviceChoice, EngineKind};

use crate::data::Batch;
use crate::model::{Gradients, Parameters};
use anyhow::Result;

/// What an engine is built for, beside the architecture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Objective {
    /// ε of label smoothing: the target is (1 − ε)·one-hot + ε / classes, as PyTorch's `CrossEntropyLoss`. Training only; evaluation is
    /// plain cross-entropy.
    pub label_smoothing: f32,
}

/// The one operation that training needs, on whatever device.
pub trait Engine: Send {
    /// Whose kernels compute: `candle`, or the instruction set of the fast engine's own. Another set rounds otherwise, so a record of
    /// a run names it.
    fn kernels(&self) -> &'static str;

    /// Runs `work` where this engine computes, so that what is parallel in it (an update of the parameters) wakes no other threads.
    fn enter(&self, work: &mut (dyn FnMut() + Send));

    /// Forward and backward. Overwrites `gradients` with ∂(Σ loss / `batch.divisor`)/∂θ and updates the running statistics in
    /// `parameters`. The stats are of the same forward pass, before any update.
    fn train_batch(
        &mut self,
        parameters: &mut Parameters,
        batch: &Batch,
        gradients: &mut Gradients,
    ) -> Result<BatchStats>;

    /// Forward only, with running statistics and no dropout. `logits`, where given, is filled with (images, classes).
    fn eval_batch(
        &mut self,
        parameters: &Parameters,
        batch: &Batch,
        logits: Option<&mut Vec<f32>>,
    ) -> Result<BatchStats>;
}
