//! What turns (architecture, parameters, batch) into loss, accuracy and gradients.

pub mod candle;
mod choice;
pub mod cpu;

pub use choice::{DeviceChoice, EngineKind, build, check};

use crate::data::Batch;
use crate::model::{Gradients, Parameters};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// Sums over a batch, so that an epoch's mean weighs every image alike.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BatchStats {
    /// Σ cross-entropy over the images, in nats.
    pub loss_sum: f64,
    /// Images whose largest logit is that of their label (the first of equal ones counts).
    pub correct: usize,
    pub images: usize,
}

impl BatchStats {
    /// Mean cross-entropy, in nats; NaN over no images.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images as f64
    }

    /// The share of images that were classified right; NaN over no images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

impl std::ops::AddAssign for BatchStats {
    fn add_assign(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.correct += other.correct;
        self.images += other.images;
    }
}

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
