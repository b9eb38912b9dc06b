//! Images, weights and an engine: what runs, range tests, evaluations and benchmarks share.

use super::evaluation::evaluate_batch;
use crate::config::RunConfig;
use crate::data::{BatchSize, Dataset, Loader, LoaderOptions, Normalisation, Split, Subset, Tta, Validation};
use crate::engine::{self, BatchStats, DeviceChoice, Engine, EngineKind, Objective};
use crate::model::{Architecture, Parameters, Role, initialise, whiten};
use crate::usage::Usage;
use anyhow::Result;

/// The most images per forward and backward pass; larger batches accumulate gradients over micro-batches of this size,
/// to bound memory.
const MICRO_BATCH: usize = 2048;
/// The same for full-batch training, where the batch size was not chosen explicitly.
const MICRO_BATCH_OF_FULL: usize = 500;
/// Images used to compute the whitening kernels, as in airbench94.
const WHITENING_IMAGES: usize = 5000;
/// Images that batch norm's running statistics are computed again from, and how many at a time.
const STATISTICS_IMAGES: usize = 5000;
const STATISTICS_BATCH: usize = 250;
/// Images per evaluation batch.
pub const EVALUATION_BATCH: usize = 500;

/// A dataset's images, split, and normalised with the statistics of the training images.
#[derive(Debug, Clone)]
pub struct PreparedImages {
    pub split: Split,
    pub normalisation: Normalisation,
}

impl PreparedImages {
    /// # Errors
    /// The dataset is too small for the holdout or the limit.
    pub fn new(dataset: &Dataset, validation: Validation, train_limit: Option<usize>) -> Result<Self, Usage> {
        let split = dataset.split(validation, train_limit)?;
        Ok(Self { normalisation: Normalisation::of(&split.train), split })
    }

    /// The training images: shuffled each epoch, and augmented.
    ///
    /// # Errors
    /// A batch larger than the training set.
    pub fn training(&self, options: LoaderOptions) -> Result<Loader, Usage> {
        Loader::new(self.split.train.clone(), self.normalisation.clone(), options)
    }

    /// Images for evaluation, `batch` at a time: in order, unaugmented.
    pub fn in_order(&self, subset: &Subset, batch: usize) -> Loader {
        Loader::in_order(subset.clone(), self.normalisation.clone(), batch)
    }
}

/// How `config` batches the training images.
pub fn loader_options(config: &RunConfig) -> LoaderOptions {
    LoaderOptions {
        batch_size: config.batch_size,
        micro_batch: if config.batch_size == BatchSize::Full { MICRO_BATCH_OF_FULL } else { MICRO_BATCH },
        augment: config.augment,
        seed: config.seed,
        drop_last: config.drop_last,
        loss_reduction: config.loss_reduction,
    }
}

/// Which engine to build, and its purpose.
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
    /// A network of any architecture, with weights drawn from `seed`. The kernels of a whitening layer are computed
    /// from training images.
    ///
    /// # Errors
    /// An unavailable engine or device, or an architecture whose layers do not fit together.
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

    /// A network with the given weights.
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

    /// Loss and accuracy on `images` of a network with these parameters, averaged over the views of `tta`; `None` if `stopping`
    /// returns true before the last batch.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) fn evaluate(
        engine: &mut dyn Engine,
        parameters: &Parameters,
        images: &Loader,
        tta: Tta,
        stopping: impl Fn() -> bool,
    ) -> Result<Option<BatchStats>> {
        let mut totals = BatchStats::default();
        for batch in images.epoch(0, 0)? {
            totals += evaluate_batch(engine, parameters, &batch, tta, None)?;
            if stopping() {
                return Ok(None);
            }
        }
        Ok(Some(totals))
    }

    /// Computes the running statistics of batch norm in `parameters` again: those of training images, the same ones and as
    /// they are evaluated, each batch counting alike. Weights that were averaged have never seen a batch, so nothing else
    /// holds statistics that fit them.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) fn recompute_statistics(&mut self, parameters: &mut Parameters) -> Result<()> {
        if !parameters.arrays().iter().any(|array| array.role == Role::RunningStatistic) {
            return Ok(());
        }
        let sample = self.images.split.train.first(STATISTICS_IMAGES);
        for (seen, batch) in self.images.in_order(&sample, STATISTICS_BATCH).epoch(0, 0)?.enumerate() {
            self.engine.observe_batch(parameters, &batch, 1.0 / (seen + 1) as f32)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{IMAGE_BYTES, Images};
    use crate::model::{Init, Layer, Shape};

    #[test]
    fn statistics_that_are_computed_again_are_the_mean_of_those_of_each_batch_of_training_images() {
        let count = 2 * STATISTICS_BATCH;
        // The second batch is brighter and of more contrast.
        let pixel = |place: usize| {
            let noise = (place.wrapping_mul(2_654_435_761) >> 7) % 64;
            (if place / IMAGE_BYTES < STATISTICS_BATCH { noise } else { 64 + 2 * noise }) as u8
        };
        let pixels: Vec<u8> = (0..count * IMAGE_BYTES).map(pixel).collect();
        let images = Images { pixels, labels: (0..count).map(|image| (image % 10) as u8).collect() };
        let train = Subset::all(images.into());
        let none = Subset { indices: Vec::new(), ..train.clone() };
        let split = Split { train, validation: none.clone(), test: none };
        let images = PreparedImages { normalisation: Normalisation::of(&split.train), split };
        let norm = Layer::BatchNorm { name: "norm".into(), channels: 3, scale: true, momentum: 0.1, eps: 1e-5 };
        let head = Layer::Linear { name: "head".into(), inputs: 3, outputs: 10, bias: true, init: Init::He };
        let layers = vec![norm, Layer::GlobalAveragePool, head];
        let architecture = Architecture { name: "norm".into(), input: Shape::map(3, 32, 32), classes: 10, layers };
        let options = EngineOptions {
            kind: EngineKind::Cpu,
            device: DeviceChoice::Cpu,
            objective: Objective::default(),
            threads: 1,
        };
        let mut prepared = Prepared::new(images, &architecture, 0, &options).unwrap();
        let mut parameters = prepared.parameters.clone();
        prepared.recompute_statistics(&mut parameters).unwrap();

        let batches: Vec<_> =
            prepared.images.in_order(&prepared.images.split.train, STATISTICS_BATCH).epoch(0, 0).unwrap().collect();
        assert_eq!(batches.len(), 2);
        for channel in 0..3 {
            let (mut means, mut variances) = (0.0, 0.0);
            for batch in &batches {
                let values: Vec<f64> = batch.images.iter().skip(channel).step_by(3).map(|v| f64::from(*v)).collect();
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
                means += 0.5 * mean;
                variances += 0.5 * squares / (values.len() - 1) as f64;
            }
            for (name, expected) in [("norm.running_mean", means), ("norm.running_var", variances)] {
                let got = f64::from(parameters.get(name).unwrap().values[channel]);
                assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{name}: {got}, expected {expected}");
            }
        }
    }
}
