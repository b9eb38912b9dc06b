//! The operations that the layers are compiled into.

use super::buffer::Buffer;
use super::simd::{Isa, padded};
use super::threads::Threads;
use crate::model::{Gradients, Parameters, Shape};

/// The step that an operation is part of.
pub struct StepContext<'a> {
    pub isa: Isa,
    pub threads: &'a Threads,
    pub images: usize,
    pub training: bool,
    /// Keys of the dropout masks: the run's seed, the epoch, and the first image's position in the epoch.
    pub seed: u64,
    pub epoch: u64,
    pub position: u64,
}

/// Floats per image of a map of this shape, with channels padded to whole lines.
pub const fn map_len(shape: Shape) -> usize {
    padded(shape.channels) * shape.height * shape.width
}

/// Inputs and outputs of a backward pass. All maps are (images, height, width, channels padded to whole lines).
pub struct BackwardPass<'a> {
    pub input: &'a [f32],
    pub output: &'a [f32],
    /// ∂loss/∂output; the operation may overwrite it.
    pub d_output: &'a mut [f32],
    /// ∂loss/∂input, to be overwritten; `None` if it is not needed.
    pub d_input: Option<&'a mut [f32]>,
    /// Scratch for partial sums per group of images, shared by all operations.
    pub slots: &'a mut Buffer,
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

/// One fused operation, with the state that its backward pass needs from its forward pass.
pub trait Operation: Send + Sync {
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
        pass: BackwardPass<'_>,
        gradients: &mut Gradients,
    );

    /// Updates the running statistics after a training forward pass.
    fn update_statistics(&self, _parameters: &mut Parameters) {}
}
