//! A chain of operations, and the buffers between them.

use super::buffer::Buffer;
use super::operation::{BackwardPass, Cost, Operation, OperationKind, StepContext, map_len};
use super::threads::PIECE;
use crate::model::{Gradients, Parameters, Shape};
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// An operation and its output.
pub struct Stage {
    operation: Link,
    /// Floats per image of the output.
    output_len: usize,
    output: Buffer,
    times: [Duration; 2],
}

/// A single operation, or a residual branch.
pub enum Link {
    Single(Box<dyn Operation>),
    /// y = x + chain(x).
    Residual {
        chain: Chain,
        /// Gradient of the input through the branch.
        d_branch: Buffer,
    },
}

/// Time spent in one operation, over all steps since the last reset.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationTime {
    pub name: String,
    pub kind: OperationKind,
    pub forward: Duration,
    pub backward: Duration,
    /// Cost per image and direction, in multiply-adds by the definition of the layer.
    pub forward_multiply_adds: usize,
    pub backward_multiply_adds: usize,
}

#[derive(Default)]
pub struct Chain {
    stages: Vec<Stage>,
    /// Earlier stages have nothing to train, so the backward pass stops here.
    first_trained: usize,
    /// Gradients between stages: each stage reads one buffer and writes the other. (images, output length)
    d: [Buffer; 2],
}

impl Chain {
    pub fn push(&mut self, operation: Link, output: Shape, trained: bool) {
        if !trained && self.first_trained == self.stages.len() {
            self.first_trained += 1;
        }
        let (output_len, output, times) = (map_len(output), Buffer::default(), [Duration::ZERO; 2]);
        self.stages.push(Stage { operation, output_len, output, times });
    }

    /// Whether any stage has trainable parameters.
    pub fn is_trained(&self) -> bool {
        self.first_trained < self.stages.len()
    }

    /// The last output: (images, output length).
    pub fn output(&self, images: usize) -> &[f32] {
        self.stages.last().map_or(&[], |stage| &stage.output[..images * stage.output_len])
    }

    pub fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32]) {
        for place in 0..self.stages.len() {
            let (before, rest) = self.stages.split_at_mut(place);
            let input = match before.last() {
                Some(stage) => &stage.output[..step.images * stage.output_len],
                None => input,
            };
            let stage = &mut rest[0];
            let started = Instant::now();
            let output = stage.output.first(step.images * stage.output_len);
            match &mut stage.operation {
                Link::Single(operation) => operation.forward(step, parameters, input, output),
                Link::Residual { chain, .. } => {
                    chain.forward(step, parameters, input);
                    add(step, input, chain.output(step.images), output);
                }
            }
            stage.times[0] += started.elapsed();
        }
    }

    /// Computes `d_input` from `d_output`, and the gradients of all parameters on the way. `d_output` is clobbered.
    pub fn backward(
        &mut self,
        step: &StepContext,
        parameters: &Parameters,
        (input, d_output): (&[f32], &mut [f32]),
        mut d_input: Option<&mut [f32]>,
        slots: &mut Buffer,
        gradients: &mut Gradients,
    ) {
        let longest = self.stages.iter().map(|stage| stage.output_len).max().unwrap_or(0);
        let [even, odd] = &mut self.d;
        even.ensure(step.images * longest);
        odd.ensure(step.images * longest);
        let last = self.stages.len() - 1;
        let first = if d_input.is_some() { 0 } else { self.first_trained };
        for place in (first..=last).rev() {
            let (before, rest) = self.stages.split_at_mut(place);
            let stage = &mut rest[0];
            let started = Instant::now();
            let (from, to): (&mut Buffer, &mut Buffer) = if place % 2 == 0 { (even, odd) } else { (odd, even) };
            let d_output = match place == last {
                true => &mut *d_output,
                false => &mut from[..step.images * stage.output_len],
            };
            let (input, d_input) = match before.last() {
                Some(stage) => {
                    let length = step.images * stage.output_len;
                    (&stage.output[..length], (place > first).then(|| &mut to[..length]))
                }
                None => (input, d_input.as_deref_mut()),
            };
            let output = &stage.output[..step.images * stage.output_len];
            match &mut stage.operation {
                Link::Single(operation) => {
                    let pass = BackwardPass { input, output, d_output, d_input, slots };
                    operation.backward(step, parameters, pass, gradients);
                }
                Link::Residual { chain, d_branch } => match d_input {
                    Some(d_input) => {
                        d_input.copy_from_slice(d_output);
                        let d_branch = d_branch.first(d_input.len());
                        chain.backward(step, parameters, (input, d_output), Some(d_branch), slots, gradients);
                        add_to(step, d_branch, d_input);
                    }
                    None => chain.backward(step, parameters, (input, d_output), None, slots, gradients),
                },
            }
            stage.times[1] += started.elapsed();
        }
    }

    pub fn update_statistics(&self, parameters: &mut Parameters) {
        for stage in &self.stages {
            match &stage.operation {
                Link::Single(operation) => operation.update_statistics(parameters),
                Link::Residual { chain, .. } => chain.update_statistics(parameters),
            }
        }
    }

    /// Appends the times of all operations, including each one in a residual branch. `input_gradient`: the backward
    /// pass of this chain also computes the gradient of its input.
    pub fn times(&self, input_gradient: bool, times: &mut Vec<OperationTime>) {
        for (place, Stage { operation, times: [forward, backward], .. }) in self.stages.iter().enumerate() {
            let input_gradient = input_gradient || place > self.first_trained;
            let add_time = |times: &mut Vec<OperationTime>, name: &str, cost: Cost, forward, backward| {
                times.push(OperationTime {
                    name: name.to_string(),
                    kind: cost.kind,
                    forward,
                    backward,
                    forward_multiply_adds: cost.forward,
                    backward_multiply_adds: cost.weight_gradient + if input_gradient { cost.forward } else { 0 },
                });
            };
            match operation {
                Link::Single(operation) => add_time(times, operation.name(), operation.cost(), *forward, *backward),
                Link::Residual { chain, .. } => {
                    let first = times.len();
                    chain.times(input_gradient, times);
                    let inside: [Duration; 2] = times[first..]
                        .iter()
                        .fold([Duration::ZERO; 2], |[a, b], time| [a + time.forward, b + time.backward]);
                    let own = [forward.saturating_sub(inside[0]), backward.saturating_sub(inside[1])];
                    add_time(times, "residual add", Cost::ELEMENTWISE, own[0], own[1]);
                }
            }
        }
    }

    pub fn reset_times(&mut self) {
        for stage in &mut self.stages {
            stage.times = [Duration::ZERO; 2];
            if let Link::Residual { chain, .. } = &mut stage.operation {
                chain.reset_times();
            }
        }
    }
}

fn add(step: &StepContext, a: &[f32], b: &[f32], to: &mut [f32]) {
    let tasks = to.par_chunks_mut(PIECE).zip(a.par_chunks(PIECE).zip(b.par_chunks(PIECE)));
    step.threads.each(tasks, |(to, (a, b)), _| {
        for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
            *to = a + b;
        }
    });
}

fn add_to(step: &StepContext, from: &[f32], to: &mut [f32]) {
    step.threads.each(to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE)), |(to, from), _| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    });
}
