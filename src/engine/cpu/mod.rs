//! The fast engine: fused CPU kernels with hand-written backward passes.
//!
//! Maps are (images, height, width, channels), with channels padded to whole cache lines of 16 floats. `plan` compiles
//! the layers into a chain of fused operations: 3x3 convolutions as Winograd tiles with bias, ReLU and 2x2 max-pool;
//! other convolutions, and those on raw images, as implicit matrix products; batch norm with its activation; linear
//! layers on the same panels. Buffers are allocated at the first batch of a size and then reused.
//!
//! Between two operations on the whole batch (batch norm, linear layers), a few images pass through all operations on
//! one thread before the next ones do: `segment`.
//!
//! Sums over images are computed per fixed group and added in group order, so the bits depend on the batch but not on
//! the number of threads. The instruction set is chosen at run time; `LRSCHED_CPU=portable` forces the plain loops,
//! `avx2` the 256-bit vectors.
//!
//! `unsafe` is confined to this module and [`crate::memory`]. Here it covers vector loads and stores, and calls into
//! code compiled for detected instruction sets.

#![allow(unsafe_code, reason = "vector loads and stores take raw pointers; detected instructions are unsafe to call")]
// Loops over lanes, taps and positions index several arrays at once.
#![allow(clippy::needless_range_loop)]

mod activation;
mod buffer;
mod chain;
mod conv_direct;
mod conv_winograd;
mod filters;
mod linear;
mod loss;
mod matrix;
mod norm;
mod operation;
mod peak;
mod plan;
mod pool;
mod prefetch;
mod product;
mod segment;
mod simd;
mod threads;
mod tiles;
mod tiling;
mod winograd;

pub use chain::OperationTime;
pub use operation::OperationKind;
pub use simd::Isa;

use super::{BatchStats, Contract, Engine, Objective};
use crate::data::Batch;
use crate::model::{Architecture, Gradients, Parameters};
use crate::optim::Products;
use anyhow::Result;
use buffer::Buffer;
use operation::{ImageContext, StepContext};
use simd::padded;
use threads::Threads;

/// Images per forward pass of an evaluation, regardless of its batch size: the grouping decides the last bits of a sum,
/// and a large evaluation batch must not grow the buffers.
const EVALUATION_IMAGES: usize = 128;

/// The fast engine.
pub struct CpuEngine {
    /// Checked on every call, so that safe callers cannot drive a kernel out of bounds.
    contract: Contract,
    objective: Objective,
    isa: Isa,
    threads: Threads,
    chain: chain::Chain,
    d_logits: Buffer,
    /// Partial sums, shared by all operations: (groups, slot length).
    slots: Buffer,
}

impl CpuEngine {
    /// Creates an engine with its own pool of `threads` threads (at least 1).
    ///
    /// # Errors
    /// The layers do not fit together, a thread cannot be started, or `LRSCHED_CPU` names an unknown or unavailable
    /// instruction set.
    pub fn new(architecture: &Architecture, objective: Objective, threads: usize) -> Result<Self> {
        Self::on(Isa::chosen()?, architecture, objective, threads)
    }

    /// Like [`CpuEngine::new`], on a given instruction set of [`Isa::available`].
    ///
    /// # Errors
    /// The layers do not fit together, or a thread cannot be started.
    pub fn on(isa: Isa, architecture: &Architecture, objective: Objective, threads: usize) -> Result<Self> {
        let chain = plan::compile(architecture)?;
        Ok(Self {
            contract: Contract::of(architecture),
            objective,
            isa,
            threads: Threads::new(threads)?,
            chain,
            d_logits: Buffer::default(),
            slots: Buffer::default(),
        })
    }

    /// Time spent in each operation since the last [`CpuEngine::reset_times`], in layer order.
    pub fn times(&self) -> Vec<OperationTime> {
        let mut times = Vec::new();
        self.chain.times(self.threads.count(), false, &mut times);
        times
    }

    /// Peak throughput of the processor with these threads and instructions, in 10⁹ operations per second, measured
    /// over some milliseconds. `None` for portable code, where the compiler sets the limit.
    pub fn peak(&self) -> Option<f64> {
        (self.isa != Isa::Portable).then(|| peak::giga_operations_per_second(self.isa, &self.threads))
    }

    pub fn reset_times(&mut self) {
        self.chain.reset_times();
    }
}

impl Engine for CpuEngine {
    /// The instruction set: `avx512`, `avx2+fma` or `portable`.
    fn kernels(&self) -> &'static str {
        self.isa.name()
    }

    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        self.threads.enter(work);
    }

    fn threads(&self) -> usize {
        self.threads.count()
    }

    fn set_threads(&mut self, threads: usize) -> Result<()> {
        self.threads = Threads::new(threads)?;
        Ok(())
    }

    fn freeze(&mut self, frozen: &[bool]) {
        self.chain.freeze(frozen);
    }

    fn products(&self) -> Box<dyn Products<f32>> {
        Box::new(matrix::IsaProducts(self.isa))
    }

    fn train_batch(
        &mut self,
        parameters: &mut Parameters,
        batch: &Batch,
        gradients: &mut Gradients,
    ) -> Result<BatchStats> {
        self.contract.check_step(parameters, batch, gradients)?;
        let images = batch.len();
        let &Batch { seed, epoch, position, .. } = batch;
        let Self { isa, threads, chain, slots, .. } = self;
        let of_images = ImageContext { isa: *isa, training: true, seed, epoch, position };
        let step = StepContext { of_images, threads, images };
        let classes = self.contract.classes;
        let d_logits = self.d_logits.first(images * padded(classes));
        let label_smoothing = self.objective.label_smoothing;
        Ok(threads.enter(|| {
            chain.forward(&step, parameters, &batch.images);
            let stride = padded(classes);
            let objective = loss::CrossEntropy { classes, stride, label_smoothing, d_logits: Some(d_logits) };
            let stats = loss::cross_entropy(chain.output(images), batch.divisor, &batch.labels, objective);
            chain.backward(&step, parameters, (&batch.images, d_logits), None, slots, gradients);
            chain.update_statistics(parameters, None);
            stats
        }))
    }

    fn observe_batch(&mut self, parameters: &mut Parameters, batch: &Batch, share: f32) -> Result<()> {
        self.contract.check(parameters, batch)?;
        let &Batch { seed, epoch, position, .. } = batch;
        let Self { isa, threads, chain, .. } = self;
        let of_images = ImageContext { isa: *isa, training: true, seed, epoch, position };
        let step = StepContext { of_images, threads, images: batch.len() };
        threads.enter(|| {
            chain.forward(&step, parameters, &batch.images);
            chain.update_statistics(parameters, Some(share));
        });
        Ok(())
    }

    fn eval_batch(
        &mut self,
        parameters: &Parameters,
        batch: &Batch,
        mut logits: Option<&mut Vec<f32>>,
    ) -> Result<BatchStats> {
        self.contract.check(parameters, batch)?;
        if let Some(logits) = &mut logits {
            logits.clear();
        }
        let classes = self.contract.classes;
        let mut stats = BatchStats::default();
        let image_len = self.contract.image;
        let parts = batch.images.chunks(EVALUATION_IMAGES * image_len).zip(batch.labels.chunks(EVALUATION_IMAGES));
        for (images, labels) in parts {
            let &Batch { seed, epoch, position, .. } = batch;
            let of_images = ImageContext { isa: self.isa, training: false, seed, epoch, position };
            let step = StepContext { of_images, threads: &self.threads, images: labels.len() };
            let chain = &mut self.chain;
            self.threads.enter(|| chain.forward(&step, parameters, images));
            let output = self.chain.output(labels.len());
            let stride = padded(classes);
            let objective = loss::CrossEntropy { classes, stride, label_smoothing: 0.0, d_logits: None };
            stats += loss::cross_entropy(output, labels.len(), labels, objective);
            if let Some(logits) = &mut logits {
                logits.extend(output.chunks_exact(padded(classes)).flat_map(|row| &row[..classes]));
            }
        }
        Ok(stats)
    }
}
