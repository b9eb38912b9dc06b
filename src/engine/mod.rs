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
use crate::model::{Architecture, Gradients, Parameters, Role, slots};
use anyhow::{Result, ensure};

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

/// What an engine takes: batches, parameters and gradients of one architecture. Anything else is an error before it is a wrong index.
struct Contract {
    name: String,
    image: usize,
    classes: usize,
    /// Length and role of each array, in the order of the parameters.
    arrays: Vec<(usize, Role)>,
}

/// Images of a batch: far more than there are in a dataset, and few enough that no size of a batch wraps around.
const MOST_IMAGES: usize = 1 << 24;

impl Contract {
    /// `architecture` must have passed [`Architecture::check`].
    fn of(architecture: &Architecture) -> Self {
        let arrays = slots(architecture).iter().map(|slot| (slot.len(), slot.role)).collect();
        let Architecture { name, input, classes, .. } = architecture;
        Self { name: name.clone(), image: input.len(), classes: *classes, arrays }
    }

    /// # Errors
    /// A batch of another shape, empty, or with a label that is no class; parameters of another network.
    fn check(&self, parameters: &Parameters, batch: &Batch) -> Result<()> {
        let (images, expected) = (batch.len(), self.image);
        ensure!(images > 0, "a batch without images");
        ensure!(images <= MOST_IMAGES, "a batch of {images} images, must be at most {MOST_IMAGES}");
        ensure!(
            images.checked_mul(expected) == Some(batch.images.len()),
            "a batch of {images} labels has {} values, expected {images} x {expected}",
            batch.images.len()
        );
        if let Some(label) = batch.labels.iter().find(|&&label| usize::from(label) >= self.classes) {
            anyhow::bail!("label {label}, but {} has {} classes", self.name, self.classes);
        }
        let arrays = parameters.arrays();
        ensure!(
            arrays.len() == self.arrays.len(),
            "{} arrays of parameters, but {} has {}",
            arrays.len(),
            self.name,
            self.arrays.len()
        );
        for (array, (length, role)) in arrays.iter().zip(&self.arrays) {
            let (name, values) = (&array.name, array.values.len());
            ensure!(values == *length, "{name} has {values} values, in {} it has {length}", self.name);
            ensure!(array.role == *role, "{name} is {:?}, in {} it is {role:?}", array.role, self.name);
        }
        Ok(())
    }

    /// [`Contract::check`] of a step of training.
    ///
    /// # Errors
    /// A divisor of 0, or gradients of another network, too.
    fn check_step(&self, parameters: &Parameters, batch: &Batch, gradients: &Gradients) -> Result<()> {
        self.check(parameters, batch)?;
        ensure!(batch.divisor > 0, "a batch whose losses are divided by 0");
        let mut pairs = gradients.arrays.iter().zip(&self.arrays);
        let fit = pairs.all(|(gradient, (length, role))| *role != Role::Trainable || gradient.len() == *length);
        ensure!(
            fit && gradients.arrays.len() == self.arrays.len(),
            "the gradients are of another network than {}",
            self.name
        );
        Ok(())
    }
}
