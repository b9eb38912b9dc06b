//! Measures the speed of training steps on this machine, and where the time goes.

use crate::data::{
    Augment, BatchSize, CHANNELS, IMAGE_BYTES, Images, Loader, LoaderOptions, LossReduction, Normalisation,
};
use crate::data::{Split, Subset};
use crate::engine::cpu::{CpuEngine, OperationTime};
use crate::engine::{DeviceChoice, Engine, EngineKind, Objective};
use crate::model::Architecture;
use crate::optim::OptimizerSpec;
use crate::random::{Purpose, below, keyed};
use crate::schedule::{Rates, Semantics};
use crate::train::{Control, EngineOptions, Prepared, PreparedImages, StepTimes, Trainer};
use anyhow::Result;
use std::any::Any;
use std::sync::Arc;

/// Untimed warm-up steps: memory is allocated and caches fill.
pub(super) const WARM_UP: usize = 3;
/// Small enough that some hundred steps, or random images, do not drive the weights to infinity.
pub(super) const RATE: f64 = 1e-6;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    pub architecture: Architecture,
    /// At a rate of its own, whatever the specification says: the time does not depend on it.
    pub optimizer: OptimizerSpec,
    pub batch: usize,
    /// Steps to measure, after the warm-up.
    pub steps: usize,
    pub engine: EngineKind,
    pub threads: usize,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Seconds per step; fewer than requested if stopped early.
    pub steps: Vec<f64>,
    /// Over all steps.
    pub times: StepTimes,
    /// The operations of the network, with the time the fast engine spent in each.
    pub operations: Vec<OperationTime>,
    pub kernels: &'static str,
    /// The cores' peak in 10⁹ operations per second, if the fast engine knows it.
    pub peak: Option<f64>,
}

/// Trains on random images: batches come from the loader, augmented, as in a run.
///
/// # Errors
/// An engine that is unavailable or fails.
pub fn bench(options: &BenchOptions, control: &Control) -> Result<Measured> {
    let BenchOptions { architecture, optimizer, batch, steps, engine: kind, threads } = options;
    let images = random_images(architecture, 4 * batch);
    let loader = images.training(LoaderOptions {
        batch_size: BatchSize::Images(*batch),
        micro_batch: *batch,
        augment: Augment::FLIP_CROP,
        seed: 0,
        drop_last: false,
        loss_reduction: LossReduction::Mean,
    })?;
    let engine =
        EngineOptions { kind: *kind, device: DeviceChoice::Cpu, objective: Objective::default(), threads: *threads };
    let prepared = Prepared::new(images, architecture, 0, &engine)?;
    let trainer = Trainer::new(prepared, optimizer, Semantics::Native, *threads)?;
    let mut bench = Bench { trainer, loader, epoch: 0 };
    bench.measure(WARM_UP, control)?;
    if let Some(engine) = fast(bench.trainer.prepared.engine.as_mut()) {
        engine.reset_times();
    }
    let (steps, times) = bench.measure(*steps, control)?;
    let engine = bench.trainer.prepared.engine.as_mut();
    let kernels = engine.kernels();
    let (operations, peak) = match fast(engine) {
        Some(engine) => (engine.times(), engine.peak()),
        // The amount of work is the same on every engine.
        None => {
            let counts = CpuEngine::new(architecture, Objective::default(), *threads)?;
            (counts.times(), counts.peak())
        }
    };
    Ok(Measured { steps, times, operations, kernels, peak })
}

/// The fast engine, which times its operations.
fn fast(engine: &mut dyn Engine) -> Option<&mut CpuEngine> {
    (engine as &mut dyn Any).downcast_mut()
}

/// `count` noise images, all in the training split.
fn random_images(architecture: &Architecture, count: usize) -> PreparedImages {
    let mut rng = keyed(0, Purpose::Synthetic, 0, 0);
    let images = Images {
        pixels: (0..count * IMAGE_BYTES).map(|_| below(&mut rng, 256) as u8).collect(),
        labels: (0..count).map(|_| below(&mut rng, architecture.classes as u32) as u8).collect(),
    };
    let train = Subset::all(Arc::new(images));
    let none = Subset { indices: Vec::new(), ..train.clone() };
    PreparedImages {
        split: Split { train, validation: none.clone(), test: none },
        normalisation: Normalisation::new([127.5; CHANNELS], [64.0; CHANNELS]),
    }
}

struct Bench {
    trainer: Trainer,
    loader: Loader,
    epoch: u64,
}

impl Bench {
    /// Stops early, with fewer steps, if `control` requests it.
    fn measure(&mut self, steps: usize, control: &Control) -> Result<(Vec<f64>, StepTimes)> {
        let (mut seconds, mut times) = (Vec::new(), StepTimes::default());
        while seconds.len() < steps && control.stopping().is_none() {
            let mut batches = self.loader.epoch(self.epoch, 0)?;
            self.epoch += 1;
            while seconds.len() < steps && control.stopping().is_none() {
                let Some(done) = self.trainer.step(&mut batches, &Rates::of(RATE).into())? else { break };
                seconds.push(done.times.total().as_secs_f64());
                times += done.times;
            }
        }
        Ok((seconds, times))
    }
}
