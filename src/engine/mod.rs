//! The engines: given an architecture, parameters and a batch, compute loss, accuracy and gradients.

mod batch_stats;
#[cfg(feature = "candle")]
pub mod candle;
mod choice;
pub mod cpu;
mod kind;

pub use batch_stats::BatchStats;
pub use choice::{build, check};
pub use kind::{DeviceChoice, EngineKind};

use crate::data::Batch;
use crate::model::{Architecture, Gradients, Parameters, Role, slots};
use crate::optim::{PlainProducts, Products};
use anyhow::{Result, ensure};
use std::any::Any;

/// What an engine is built for, besides the architecture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Objective {
    /// ε of label smoothing, as in PyTorch's `CrossEntropyLoss`: the target is (1 − ε)·one-hot + ε / classes. Training
    /// only; evaluation uses plain cross-entropy.
    pub label_smoothing: f32,
}

/// Forward and backward passes over a batch, on any device.
///
/// `Any`, so that who times the fast engine can get at it.
pub trait Engine: Any + Send {
    /// The kernels in use: `candle`, or the fast engine's instruction set. Run records store it because kernels round
    /// differently.
    fn kernels(&self) -> &'static str;

    /// Runs `work` on the engine's own thread pool, so that parallel work inside it (a parameter update) wakes no other
    /// threads.
    fn enter(&self, work: &mut (dyn FnMut() + Send));

    /// The number of threads that it computes with.
    fn threads(&self) -> usize;

    /// Computes with `threads` threads (at least 1) from now on; results do not depend on their number.
    ///
    /// # Errors
    /// The system cannot start a thread; the engine keeps those it has.
    fn set_threads(&mut self, threads: usize) -> Result<()>;

    /// Marks the arrays, in parameter order, whose gradients are not asked for from now on: a backward pass may leave theirs as
    /// they are, and ends where nothing before it is to be trained.
    fn freeze(&mut self, _frozen: &[bool]) {}

    /// Products of matrices with the engine's kernels, on the threads of the pool that calls them.
    fn products(&self) -> Box<dyn Products<f32>> {
        Box::new(PlainProducts)
    }

    /// Forward and backward. Overwrites `gradients` with ∂(Σ loss / `batch.divisor`)/∂θ and updates the running
    /// statistics in `parameters`. The returned stats come from the same forward pass, before any parameter update.
    fn train_batch(
        &mut self,
        parameters: &mut Parameters,
        batch: &Batch,
        gradients: &mut Gradients,
    ) -> Result<BatchStats>;

    /// Forward as in training, without gradients: moves the running statistics in `parameters` by `share`, from 0 to 1, towards
    /// those of this batch. The layers' own momentum has no say.
    fn observe_batch(&mut self, parameters: &mut Parameters, batch: &Batch, share: f32) -> Result<()>;

    /// Forward only, with running statistics and no dropout. Replaces the contents of `logits`, if given, with (images,
    /// classes).
    fn eval_batch(
        &mut self,
        parameters: &Parameters,
        batch: &Batch,
        logits: Option<&mut Vec<f32>>,
    ) -> Result<BatchStats>;
}

/// The inputs an engine accepts, for one architecture. Mismatched batches, parameters or gradients become errors here
/// instead of out-of-bounds indices in a kernel.
struct Contract {
    name: String,
    image: usize,
    classes: usize,
    /// Length and role of each array, in parameter order.
    arrays: Vec<(usize, Role)>,
}

/// The largest batch: more images than any dataset has, yet few enough that no buffer size overflows.
const MOST_IMAGES: usize = 1 << 24;

impl Contract {
    /// `architecture` must have passed [`Architecture::check`].
    fn of(architecture: &Architecture) -> Self {
        let arrays = slots(architecture).iter().map(|slot| (slot.len(), slot.role)).collect();
        let Architecture { name, input, classes, .. } = architecture;
        Self { name: name.clone(), image: input.len(), classes: *classes, arrays }
    }

    /// # Errors
    /// The batch has the wrong shape, is empty, or has an out-of-range label; or the parameters belong to another
    /// network.
    fn check(&self, parameters: &Parameters, batch: &Batch) -> Result<()> {
        let (images, expected) = (batch.len(), self.image);
        ensure!(images > 0, "the batch has no images");
        ensure!(images <= MOST_IMAGES, "the batch has {images} images, must be at most {MOST_IMAGES}");
        ensure!(
            images.checked_mul(expected) == Some(batch.images.len()),
            "the batch has {images} labels and {} image values, expected {images} x {expected} values",
            batch.images.len()
        );
        if let Some(label) = batch.labels.iter().find(|&&label| usize::from(label) >= self.classes) {
            anyhow::bail!("label {label} is out of range: {} has {} classes", self.name, self.classes);
        }
        let arrays = parameters.arrays();
        ensure!(
            arrays.len() == self.arrays.len(),
            "got {} arrays of parameters, but {} has {}",
            arrays.len(),
            self.name,
            self.arrays.len()
        );
        for (array, (length, role)) in arrays.iter().zip(&self.arrays) {
            let (name, values) = (&array.name, array.values.len());
            ensure!(values == *length, "{name} has {values} values, expected {length} in {}", self.name);
            ensure!(array.role == *role, "{name} is {:?}, expected {role:?} in {}", array.role, self.name);
        }
        Ok(())
    }

    /// [`Contract::check`], plus the requirements of a training step.
    ///
    /// # Errors
    /// As [`Contract::check`]; also a divisor of 0, or gradients of another network.
    fn check_step(&self, parameters: &Parameters, batch: &Batch, gradients: &Gradients) -> Result<()> {
        self.check(parameters, batch)?;
        ensure!(batch.divisor > 0, "the batch has a divisor of 0, must be at least 1");
        let mut pairs = gradients.arrays.iter().zip(&self.arrays);
        let fit = pairs.all(|(gradient, (length, role))| *role != Role::Trainable || gradient.len() == *length);
        ensure!(
            fit && gradients.arrays.len() == self.arrays.len(),
            "the gradients belong to another network, expected those of {}",
            self.name
        );
        Ok(())
    }
}
