//! What a run, a range test, an evaluation and a benchmark compute with: images, weights, an engine.

use crate::config::RunConfig;
use crate::data::{BatchSize, Dataset, Loader, LoaderOptions, Normalisation, Split, Subset, Validation};
use crate::engine::{self, BatchStats, DeviceChoice, Engine, EngineKind, Objective};
use crate::model::{Architecture, Parameters, initialise, whiten};
use crate::usage::Usage;
use anyhow::Result;

/// Images that a step takes at once; a larger batch is accumulated from micro-batches of this size, in bounded memory.
const MICRO_BATCH: usize = 2048;
/// The same for a batch of all images, which nobody asked to be taken at once.
const MICRO_BATCH_OF_FULL: usize = 500;
/// Images that whitening kernels are made from, as airbench94 does.
const WHITENING_IMAGES: usize = 5000;
/// Images that an evaluation takes at once.
pub const EVALUATION_BATCH: usize = 500;

/// The images of a dataset, split, and normalised by the training images.
#[derive(Debug, Clone)]
pub struct PreparedImages {
    pub split: Split,
    pub normalisation: Normalisation,
}

impl PreparedImages {
    /// # Errors
    /// A holdout or a limit that the dataset is too small for.
    pub fn new(dataset: &Dataset, validation: Validation, train_limit: Option<usize>) -> Result<Self, Usage> {
        let split = dataset.split(validation, train_limit)?;
        Ok(Self { normalisation: Normalisation::of(&split.train), split })
    }

    /// The training images: shuffled in each epoch, augmented.
    ///
    /// # Errors
    /// A batch of more images than there are.
    pub fn training(&self, options: LoaderOptions) -> Result<Loader, Usage> {
        Loader::new(self.split.train.clone(), self.normalisation.clone(), options)
    }

    /// Images to evaluate with, `batch` at a time: in order, as they are.
    pub fn in_order(&self, subset: &Subset, batch: usize) -> Loader {
        Loader::in_order(subset.clone(), self.normalisation.clone(), batch)
    }
}

/// How the training images of `config` become batches.
pub fn loader_options(config: &RunConfig) -> LoaderOptions {
    LoaderOptions {
        batch_size: config.batch_size,
        micro_batch: if config.batch_size == BatchSize::Full { MICRO_BATCH_OF_FULL } else { MICRO_BATCH },
        augment: config.augment,
        seed: config.seed,
    }
}

/// Which engine to build, and for what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineOptions {
    pub kind: EngineKind,
    pub device: DeviceChoice,
    pub objective: Objective,
    pub threads: usize,
}

impl EngineOptions {
    pub fn of(config: &RunConfig, threads: usize) -> Self {
        let objective = Objective { label_smoothing: config.label_smoothing as f32 };
        Self { kind: config.engine, device: config.device, objective, threads }
    }
}

/// Images, and a network on an engine.
pub struct Prepared {
    pub images: PreparedImages,
    pub parameters: Parameters,
    pub engine: Box<dyn Engine>,
}

impl Prepared {
    /// A network of any architecture, with weights drawn from `seed` and, where it has a whitening layer, made from training images.
    ///
    /// # Errors
    /// An engine or a device that cannot be had, or an architecture that does not fit together.
    pub fn new(
        images: PreparedImages,
        architecture: &Architecture,
        seed: u64,
        options: &EngineOptions,
    ) -> Result<Self> {
        let mut parameters = initialise(architecture, seed);
        if let Some(name) = architecture.whitened() {
            let sample = images.in_order(&images.split.train.first(WHITENING_IMAGES), WHITENING_IMAGES);
            let input = architecture.input;
            for batch in sample.epoch(0, 0)? {
                whiten(&batch.images, input.height, input.width, &mut parameters, name);
            }
        }
        Self::with_weights(images, architecture, parameters, options)
    }

    /// A network with weights that are there already.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn with_weights(
        images: PreparedImages,
        architecture: &Architecture,
        parameters: Parameters,
        options: &EngineOptions,
    ) -> Result<Self> {
        let EngineOptions { kind, device, objective, threads } = *options;
        Ok(Self { images, parameters, engine: engine::build(kind, device, architecture, objective, threads)? })
    }

    /// Loss and accuracy on `images`; `None` where `stopping` says so before the last batch.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn evaluate(&mut self, images: &Loader, stopping: impl Fn() -> bool) -> Result<Option<BatchStats>> {
        let mut totals = BatchStats::default();
        for batch in images.epoch(0, 0)? {
            totals += self.engine.eval_batch(&self.parameters, &batch, None)?;
            if stopping() {
                return Ok(None);
            }
        }
        Ok(Some(totals))
    }
}
