//! A chain of segments and operations on whole batches, and the buffers between them.

use super::buffer::Buffer;
use super::operation::{BackwardBatch, BatchOperation, Cost, ImageOperation, OperationKind, StepContext, map_len};
use super::segment::Segment;
use super::threads::PIECE;
use crate::model::{Gradients, Parameters, Shape};
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// What the layers are compiled into.
pub enum Compiled {
    Image(Box<dyn ImageOperation>),
    Batch(Box<dyn BatchOperation>),
    /// y = x + chain(x).
    Residual(Chain),
}

/// A link of a chain and its output.
struct Link {
    work: Work,
    /// Floats per image of the output.
    output_len: usize,
    /// Unused by a segment, which has its own.
    output: Buffer,
    /// The arrays that it trains; those of a segment or a residual branch are there.
    trained: Vec<usize>,
    times: [Duration; 2],
}

enum Work {
    Segment(Segment),
    Batch(Box<dyn BatchOperation>),
    Residual {
        chain: Chain,
        /// Gradient of the input through the branch.
        d_branch: Buffer,
    },
}

impl Link {
    fn output(&self, images: usize) -> &[f32] {
        match &self.work {
            Work::Segment(segment) => segment.output(images),
            Work::Batch(_) | Work::Residual { .. } => &self.output[..images * self.output_len],
        }
    }
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
    links: Vec<Link>,
    /// Earlier links have nothing to train, so the backward pass stops here.
    first_trained: usize,
    /// Gradients between links: each link reads one buffer and writes the other. (images, output length)
    d: [Buffer; 2],
}

impl Chain {
    /// Appends an operation that trains these arrays. `input_len`: floats per image of its input.
    pub fn push(&mut self, compiled: Compiled, input_len: usize, output: Shape, trained: Vec<usize>) {
        let output_len = map_len(output);
        let mut own = Vec::new();
        let work = match compiled {
            Compiled::Image(operation) => {
                if let Some(Link { work: Work::Segment(segment), output_len: length, .. }) = self.links.last_mut() {
                    segment.push(operation, output_len, trained);
                    *length = output_len;
                    return self.freeze(&[]);
                }
                let mut segment = Segment::new(input_len);
                segment.push(operation, output_len, trained);
                Work::Segment(segment)
            }
            Compiled::Batch(operation) => {
                own = trained;
                Work::Batch(operation)
            }
            Compiled::Residual(chain) => Work::Residual { chain, d_branch: Buffer::default() },
        };
        let (output, times) = (Buffer::default(), [Duration::ZERO; 2]);
        self.links.push(Link { work, output_len, output, trained: own, times });
        self.freeze(&[]);
    }

    /// Ends the backward pass at the first operation that trains an array that is not `frozen`; those left out are not.
    pub fn freeze(&mut self, frozen: &[bool]) {
        let is_trained = |link: &mut Link| match &mut link.work {
            Work::Segment(segment) => segment.freeze(frozen),
            Work::Batch(_) => link.trained.iter().any(|array| !is_frozen(frozen, *array)),
            Work::Residual { chain, .. } => {
                chain.freeze(frozen);
                chain.first_trained < chain.links.len()
            }
        };
        // Every link is told, also behind the first that is trained.
        let trained: Vec<bool> = self.links.iter_mut().map(is_trained).collect();
        self.first_trained = trained.iter().position(|trained| *trained).unwrap_or(self.links.len());
    }

    /// The last output: (images, output length).
    pub fn output(&self, images: usize) -> &[f32] {
        self.links.last().map_or(&[], |link| link.output(images))
    }

    pub fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32]) {
        for place in 0..self.links.len() {
            let (before, rest) = self.links.split_at_mut(place);
            let input = before.last().map_or(input, |link| link.output(step.images));
            let link = &mut rest[0];
            let mut started = Instant::now();
            match &mut link.work {
                Work::Segment(segment) => segment.forward(step, parameters, input),
                Work::Batch(operation) => {
                    operation.forward(step, parameters, input, link.output.first(step.images * link.output_len));
                }
                Work::Residual { chain, .. } => {
                    chain.forward(step, parameters, input);
                    // The time of the branch is counted there.
                    started = Instant::now();
                    add(step, input, chain.output(step.images), link.output.first(step.images * link.output_len));
                }
            }
            link.times[0] += started.elapsed();
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
        let longest = self.links.iter().map(|link| link.output_len).max().unwrap_or(0);
        let [even, odd] = &mut self.d;
        even.ensure(step.images * longest);
        odd.ensure(step.images * longest);
        let last = self.links.len() - 1;
        let first = if d_input.is_some() { 0 } else { self.first_trained };
        for place in (first..=last).rev() {
            let (before, rest) = self.links.split_at_mut(place);
            let link = &mut rest[0];
            let mut started = Instant::now();
            let (from, to): (&mut Buffer, &mut Buffer) = if place % 2 == 0 { (even, odd) } else { (odd, even) };
            let d_output = match place == last {
                true => &mut *d_output,
                false => &mut from[..step.images * link.output_len],
            };
            let (input, d_input) = match before.last() {
                Some(link) => {
                    let length = step.images * link.output_len;
                    (link.output(step.images), (place > first).then(|| &mut to[..length]))
                }
                None => (input, d_input.as_deref_mut()),
            };
            match &mut link.work {
                Work::Segment(segment) => {
                    segment.backward(step, parameters, (input, d_output), d_input, slots, gradients);
                }
                Work::Batch(operation) => {
                    let output = &link.output[..step.images * link.output_len];
                    let batch = BackwardBatch { input, output, d_output, d_input };
                    operation.backward(step, parameters, batch, gradients);
                }
                Work::Residual { chain, d_branch } => match d_input {
                    Some(d_input) => {
                        d_input.copy_from_slice(d_output);
                        let d_branch = d_branch.first(d_input.len());
                        chain.backward(step, parameters, (input, d_output), Some(d_branch), slots, gradients);
                        started = Instant::now();
                        add_to(step, d_branch, d_input);
                    }
                    None => {
                        chain.backward(step, parameters, (input, d_output), None, slots, gradients);
                        started = Instant::now();
                    }
                },
            }
            link.times[1] += started.elapsed();
        }
    }

    /// `momentum` replaces that of the layers.
    pub fn update_statistics(&self, parameters: &mut Parameters, momentum: Option<f32>) {
        for link in &self.links {
            match &link.work {
                Work::Segment(_) => {}
                Work::Batch(operation) => operation.update_statistics(parameters, momentum),
                Work::Residual { chain, .. } => chain.update_statistics(parameters, momentum),
            }
        }
    }

    /// Appends the times of all operations, including each one in a residual branch. `input_gradient`: the backward
    /// pass of this chain also computes the gradient of its input.
    pub fn times(&self, threads: usize, input_gradient: bool, times: &mut Vec<OperationTime>) {
        for (place, Link { work, times: [forward, backward], .. }) in self.links.iter().enumerate() {
            let input_gradient = input_gradient || place > self.first_trained;
            let mut add_time = |name: &str, cost: Cost, [forward, backward]: [Duration; 2], input_gradient: bool| {
                times.push(OperationTime {
                    name: name.to_string(),
                    kind: cost.kind,
                    forward,
                    backward,
                    forward_multiply_adds: cost.forward,
                    backward_multiply_adds: cost.weight_gradient + if input_gradient { cost.forward } else { 0 },
                });
            };
            match work {
                Work::Segment(segment) => segment.times(threads, input_gradient, add_time),
                Work::Batch(operation) => {
                    add_time(operation.name(), operation.cost(), [*forward, *backward], input_gradient);
                }
                Work::Residual { chain, .. } => {
                    chain.times(threads, input_gradient, times);
                    times.push(OperationTime {
                        name: "residual add".to_string(),
                        kind: OperationKind::Elementwise,
                        forward: *forward,
                        backward: *backward,
                        forward_multiply_adds: 0,
                        backward_multiply_adds: 0,
                    });
                }
            }
        }
    }

    pub fn reset_times(&mut self) {
        for link in &mut self.links {
            link.times = [Duration::ZERO; 2];
            match &mut link.work {
                Work::Segment(segment) => segment.reset_times(),
                Work::Batch(_) => {}
                Work::Residual { chain, .. } => chain.reset_times(),
            }
        }
    }
}

/// Whether an array is among the `frozen` ones.
pub(super) fn is_frozen(frozen: &[bool], array: usize) -> bool {
    frozen.get(array).copied().unwrap_or(false)
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
