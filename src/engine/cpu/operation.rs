//! What the engine's list of layers is compiled into.

use super::buffer::Buffer;
use super::simd::{Isa, padded};
use super::threads::Threads;
use crate::model::{Gradients, Parameters, Shape};

/// What an operation knows of the step it is part of.
pub struct StepContext<'a> {
    pub isa: Isa,
    pub threads: &'a Threads,
    pub images: usize,
    pub training: bool,
    /// What dropout is keyed by: the run's seed, the epoch, and the place in it of the first image.
    pub seed: u64,
    pub epoch: u64,
    pub position: u64,
}

/// Floats of one image's map of this shape, channels padded to whole lines.
pub const fn map_len(shape: Shape) -> usize {
    padded(shape.channels) * shape.height * shape.width
}

/// What an operation is given on the way back. All maps are (images, height, width, channels padded to whole lines).
pub struct BackwardPass<'a> {
    pub input: &'a [f32],
    pub output: &'a [f32],
    /// ∂loss/∂output; the operation may use its place.
    pub d_output: &'a mut [f32],
    /// ∂loss/∂input, to be overwritten; `None` where nobody needs it.
    pub d_input: Option<&'a mut [f32]>,
    /// Room for partial sums of groups of images, shared by all operations.
    pub slots: &'a mut Buffer,
}

/// What an operation counts as in a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    Convolution,
    Linear,
    Elementwise,
}

/// What one image costs, in multiply-adds by the definition of the layer, whatever way it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub kind: OperationKind,
    /// Forward; the gradient of the input costs the same again.
    pub forward: usize,
    /// The gradient of the weight; 0 where it is frozen.
    pub weight_gradient: usize,
}

impl Cost {
    pub const fn of(kind: OperationKind, forward: usize, frozen: bool) -> Self {
        Self { kind, forward, weight_gradient: if frozen { 0 } else { forward } }
    }
    /// Not counted: elementwise work is traffic, not arithmetic.
    pub const ELEMENTWISE: Self = Self::of(OperationKind::Elementwise, 0, true);
}

/// One fused operation with the memory that it keeps between its forward and backward pass.
pub trait Operation: Send + Sync {
    fn name(&self) -> &str;

    fn cost(&self) -> Cost {
        Cost::ELEMENTWISE
    }

    /// Overwrites `output`, padding included (with zeros).
    fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32], output: &mut [f32]);

    /// Overwrites the gradients of its own parameters and `d_input`.
    fn backward(
        &mut self,
        step: &StepContext,
        parameters: &Parameters,
        pass: BackwardPass<'_>,
        gradients: &mut Gradients,
    );

    /// Writes the running statistics, after a forward pass of training.
    fn update_statistics(&self, _parameters: &mut Parameters) {}
}
