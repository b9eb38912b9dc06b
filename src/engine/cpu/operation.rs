//! The operations that the layers are compiled into.

use super::simd::{Isa, padded};
use super::threads::{Scratch, Threads};
use crate::model::{Gradients, Parameters, Shape};

/// What every image of a step shares.
#[derive(Clone, Copy)]
pub struct ImageContext {
    pub isa: Isa,
    pub training: bool,
    /// Keys of the dropout masks: the run's seed, the epoch, and the first image's position in the epoch.
    pub seed: u64,
    pub epoch: u64,
    pub position: u64,
}

/// The step that an operation is part of.
pub struct StepContext<'a> {
    pub of_images: ImageContext,
    pub threads: &'a Threads,
    pub images: usize,
}

impl StepContext<'_> {
    pub const fn isa(&self) -> Isa {
        self.of_images.isa
    }
}

/// Floats per image of a map of this shape, with channels padded to whole lines.
pub const fn map_len(shape: Shape) -> usize {
    padded(shape.channels) * shape.height * shape.width
}

/// The category of an operation in a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    Convolution,
    Linear,
    Elementwise,
}

/// Cost per image in multiply-adds, by the definition of the layer and not by the algorithm used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub kind: OperationKind,
    /// Forward. The gradient of the input costs the same.
    pub forward: usize,
    /// Gradient of the weight; 0 if frozen.
    pub weight_gradient: usize,
}

impl Cost {
    pub const fn of(kind: OperationKind, forward: usize, frozen: bool) -> Self {
        Self { kind, forward, weight_gradient: if frozen { 0 } else { forward } }
    }
    /// Not counted: elementwise work is memory-bound.
    pub const ELEMENTWISE: Self = Self::of(OperationKind::Elementwise, 0, true);
}

/// Consecutive images of a batch on their way forward. All maps are (images, height, width, channels padded to whole
/// lines).
pub struct ForwardImages<'a> {
    /// Place of the first image in the batch.
    pub first: usize,
    pub input: &'a [f32],
    /// To be overwritten; channel padding becomes 0.
    pub output: &'a mut [f32],
    /// What the backward pass needs besides the maps: (images, [`ImageOperation::code_len`]).
    pub codes: &'a mut [u8],
}

/// Consecutive images of a batch on their way back.
pub struct BackwardImages<'a> {
    /// Place of the first image in the batch.
    pub first: usize,
    pub input: &'a [f32],
    pub output: &'a [f32],
    pub codes: &'a [u8],
    /// ∂loss/∂output; the operation may overwrite it.
    pub d_output: &'a mut [f32],
    /// ∂loss/∂input, to be overwritten; `None` if it is not needed.
    pub d_input: Option<&'a mut [f32]>,
    /// Sums over the images of the group so far: ([`ImageOperation::sums_len`]).
    pub sums: &'a mut [f32],
    /// These are the first images of the group: the sums are to be overwritten, else added to.
    pub begins: bool,
    /// Input of the operation that goes back next: read last on the way forward, so worth prefetching.
    pub next: &'a [f32],
}

/// Sums of one operation per group of images: one slot in each row of a matrix.
#[derive(Clone, Copy)]
pub struct Slots<'a> {
    pub rows: &'a [f32],
    pub row_len: usize,
    /// Where the operation's slot begins in a row.
    pub offset: usize,
}

impl Slots<'_> {
    /// `to` = Σ over the groups, in their order, of the floats that start at `at` in each slot.
    pub fn sum(&self, at: usize, to: &mut [f32]) {
        to.fill(0.0);
        for row in self.rows.chunks_exact(self.row_len) {
            for (sum, value) in to.iter_mut().zip(&row[self.offset + at..]) {
                *sum += value;
            }
        }
    }
}

/// A fused operation on one image at a time: images meet only in the sums of its parameters' gradients. Several of
/// them in a row take a few images all the way through before the next ones ([`super::segment::Segment`]).
pub trait ImageOperation: Send + Sync {
    fn name(&self) -> &str;

    fn cost(&self) -> Cost {
        Cost::ELEMENTWISE
    }

    /// Bytes per image that the backward pass needs from the forward pass besides the maps.
    fn code_len(&self) -> usize {
        0
    }

    /// The fewest images in one call that it is not slower for.
    fn fewest_images(&self) -> usize {
        1
    }

    /// Copies or transforms the parameters for the forward pass, and for the weights' gradient.
    fn prepare_forward(&mut self, _step: &StepContext, _parameters: &Parameters) {}

    /// Copies or transforms the parameters for the input's gradient.
    fn prepare_backward(&mut self, _step: &StepContext, _parameters: &Parameters) {}

    fn forward(&self, context: ImageContext, images: ForwardImages<'_>, scratch: &mut Scratch);

    fn backward(&self, context: ImageContext, images: BackwardImages<'_>, scratch: &mut Scratch);

    /// The most groups that a batch is worth dividing into, because each costs a pass over the sums. `None` if that costs
    /// next to nothing.
    fn most_groups(&self, _images: usize) -> Option<usize> {
        None
    }

    /// Floats of the sums of a group while it is under way, and of those that it leaves in its slot.
    fn sums_len(&self) -> usize {
        0
    }
    fn slot_len(&self) -> usize {
        0
    }

    /// Overwrites `slot` by what the sums of a group stand for.
    fn finish_sums(&self, _context: ImageContext, _sums: &[f32], _slot: &mut [f32]) {}

    /// Overwrites the gradients of this operation's parameters by the sums of all groups.
    fn collect(&self, _step: &StepContext, _slots: Slots<'_>, _gradients: &mut Gradients) {}
}

/// Inputs and outputs of the backward pass of a whole batch.
pub struct BackwardBatch<'a> {
    pub input: &'a [f32],
    pub output: &'a [f32],
    /// ∂loss/∂output; the operation may overwrite it.
    pub d_output: &'a mut [f32],
    /// ∂loss/∂input, to be overwritten; `None` if it is not needed.
    pub d_input: Option<&'a mut [f32]>,
}

/// A fused operation on a whole batch, with the state that its backward pass needs from its forward pass.
pub trait BatchOperation: Send + Sync {
    fn name(&self) -> &str;

    fn cost(&self) -> Cost {
        Cost::ELEMENTWISE
    }

    /// Overwrites `output`; channel padding becomes 0.
    fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32], output: &mut [f32]);

    /// Overwrites `d_input` and the gradients of this operation's parameters.
    fn backward(
        &mut self,
        step: &StepContext,
        parameters: &Parameters,
        batch: BackwardBatch<'_>,
        gradients: &mut Gradients,
    );

    /// Updates the running statistics after a training forward pass. `momentum` replaces that of the layer.
    fn update_statistics(&self, _parameters: &mut Parameters, _momentum: Option<f32>) {}
}
