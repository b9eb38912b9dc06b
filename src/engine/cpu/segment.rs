//! A run of operations on single images, depth first: a few images pass through all of them on one thread while their
//! maps are cached, forward and later backward, before the next ones do. All threads meet once at its end, not after
//! every operation.

use super::buffer::Buffer;
use super::chain::is_frozen;
use super::operation::{BackwardImages, Cost, ForwardImages, ImageContext, ImageOperation, Slots, StepContext};
use super::threads::{Scratch, images_per_group};
use crate::model::{Gradients, Parameters};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Groups of a batch if no operation cares, and at least, so that several threads have something to do.
const MOST_GROUPS: usize = 32;
const FEWEST_GROUPS: usize = 4;

/// An operation, its outputs and the time in it.
struct Stage {
    operation: Box<dyn ImageOperation>,
    /// Floats per image of the output.
    output_len: usize,
    /// The arrays that it trains.
    trained: Vec<usize>,
    output: Buffer,
    codes: Vec<u8>,
    /// Nanoseconds of all threads, forward and backward.
    nanoseconds: [AtomicU64; 2],
}

pub struct Segment {
    /// Floats per image of the input.
    input_len: usize,
    stages: Vec<Stage>,
    /// Earlier stages have nothing to train, so the backward pass stops here.
    first_trained: usize,
}

/// Some images on their way through all stages.
struct ForwardTask<'a> {
    first: usize,
    input: &'a [f32],
    /// Outputs and codes of the last stages; those of earlier ones are not kept.
    kept: Vec<(&'a mut [f32], &'a mut [u8])>,
}

/// A stage without its buffers, which the tasks have.
struct ForwardStage<'a> {
    operation: &'a dyn ImageOperation,
    output_len: usize,
    nanoseconds: &'a AtomicU64,
}

/// Takes some images through all stages. What is not kept passes through two buffers in turn.
fn forward_task(
    context: ImageContext,
    stages: &[ForwardStage<'_>],
    images: usize,
    task: ForwardTask<'_>,
    scratch: &mut Scratch,
) {
    let ForwardTask { first, input, kept } = task;
    let skipped = stages.len() - kept.len();
    let mut kept = kept.into_iter();
    let [mut even, mut odd] = std::mem::take(&mut scratch.between);
    let mut unread = std::mem::take(&mut scratch.codes);
    let mut elsewhere = Some(input);
    let mut input_len = 0;
    for (place, stage) in stages.iter().enumerate() {
        let started = Instant::now();
        let (from, to) = if place % 2 == 0 { (&odd, &mut even) } else { (&even, &mut odd) };
        let input = elsewhere.take().unwrap_or_else(|| &from[..input_len]);
        let (output_len, code_len) = (images * stage.output_len, images * stage.operation.code_len());
        if place < skipped {
            unread.resize(unread.len().max(code_len), 0);
            let (output, codes) = (to.first(output_len), &mut unread[..code_len]);
            stage.operation.forward(context, ForwardImages { first, input, output, codes }, scratch);
        } else if let Some((output, codes)) = kept.next() {
            stage.operation.forward(context, ForwardImages { first, input, output: &mut *output, codes }, scratch);
            elsewhere = Some(output);
        }
        input_len = output_len;
        add_time(stage.nanoseconds, started);
    }
    scratch.between = [even, odd];
    scratch.codes = unread;
}

fn add_time(nanoseconds: &AtomicU64, since: Instant) {
    nanoseconds.fetch_add(since.elapsed().as_nanos() as u64, Ordering::Relaxed);
}

/// A group of images on their way back.
struct Group<'a> {
    first: usize,
    images: usize,
    d_output: &'a mut [f32],
    d_input: Option<&'a mut [f32]>,
    slot: &'a mut [f32],
}

impl Segment {
    pub fn new(input_len: usize) -> Self {
        Self { input_len, stages: Vec::new(), first_trained: 0 }
    }

    /// Appends an operation that trains these arrays.
    pub fn push(&mut self, operation: Box<dyn ImageOperation>, output_len: usize, trained: Vec<usize>) {
        let (output, codes, nanoseconds) = Default::default();
        self.stages.push(Stage { operation, output_len, trained, output, codes, nanoseconds });
        self.freeze(&[]);
    }

    /// Ends the backward pass at the first stage that trains an array that is not `frozen`; returns whether there is one.
    pub fn freeze(&mut self, frozen: &[bool]) -> bool {
        let is_trained = |stage: &Stage| stage.trained.iter().any(|array| !is_frozen(frozen, *array));
        self.first_trained = self.stages.iter().position(is_trained).unwrap_or(self.stages.len());
        self.first_trained < self.stages.len()
    }

    pub fn output_len(&self) -> usize {
        self.stages.last().map_or(self.input_len, |stage| stage.output_len)
    }

    /// The last output: (images, output length).
    pub fn output(&self, images: usize) -> &[f32] {
        self.stages.last().map_or(&[], |stage| &stage.output[..images * stage.output_len])
    }

    /// In training, all outputs are kept for the backward pass, else the last one alone.
    pub fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32]) {
        let images = self.images_per_task(step);
        let mut tasks: Vec<ForwardTask> = (input[..step.images * self.input_len].chunks(images * self.input_len))
            .enumerate()
            .map(|(place, input)| ForwardTask { first: place * images, input, kept: Vec::new() })
            .collect();
        let last = self.stages.len() - 1;
        let mut operations = Vec::new();
        for (place, stage) in self.stages.iter_mut().enumerate() {
            stage.operation.prepare_forward(step, parameters);
            if step.of_images.training || place == last {
                let code_len = stage.operation.code_len();
                stage.codes.resize(stage.codes.len().max(step.images * code_len), 0);
                let outputs = stage.output.first(step.images * stage.output_len).chunks_mut(images * stage.output_len);
                let mut codes = &mut stage.codes[..];
                for (task, output) in tasks.iter_mut().zip(outputs) {
                    let (own, rest) = codes.split_at_mut(output.len() / stage.output_len * code_len);
                    codes = rest;
                    task.kept.push((output, own));
                }
            }
            let (output_len, nanoseconds) = (stage.output_len, &stage.nanoseconds[0]);
            operations.push(ForwardStage { operation: &*stage.operation, output_len, nanoseconds });
        }
        let context = step.of_images;
        step.threads.each(tasks.into_par_iter(), |task, scratch| {
            let images = task.input.len() / self.input_len;
            forward_task(context, &operations, images, task, scratch);
        });
    }

    /// Images per task of the forward pass: equal shares for the threads, each in tasks that are not slower for being small.
    /// A single operation gains nothing from small ones.
    fn images_per_task(&self, step: &StepContext) -> usize {
        let share = step.images.div_ceil(step.threads.count());
        let most = if self.stages.len() == 1 { 8 } else { share };
        share.div_ceil((share / self.images_at_once()).clamp(1, most))
    }

    /// Images that pass through all stages together: the fewest that no stage is slower for, so that their maps stay
    /// cached. A function of the shapes alone: the order of the sums must not depend on the machine.
    fn images_at_once(&self) -> usize {
        self.stages.iter().map(|stage| stage.operation.fewest_images()).max().unwrap_or(1)
    }

    /// Computes `d_input` from `d_output`, and the gradients of all parameters on the way. `d_output` is clobbered.
    pub fn backward(
        &mut self,
        step: &StepContext,
        parameters: &Parameters,
        (input, d_output): (&[f32], &mut [f32]),
        d_input: Option<&mut [f32]>,
        slots: &mut Buffer,
        gradients: &mut Gradients,
    ) {
        let from = if d_input.is_some() { 0 } else { self.first_trained };
        let prepared = if d_input.is_some() { 0 } else { from + 1 };
        for stage in self.stages.iter_mut().skip(prepared) {
            stage.operation.prepare_backward(step, parameters);
        }
        let images = images_per_group(step.images, self.groups(step.images, from));
        let row_len: usize = self.stages.iter().map(|stage| stage.operation.slot_len()).sum::<usize>().max(1);
        let rows = slots.first(step.images.div_ceil(images) * row_len);
        let mut d_inputs = d_input.map(|d_input| d_input.chunks_mut(images * self.input_len));
        let groups: Vec<Group> = (d_output.chunks_mut(images * self.output_len()))
            .zip(rows.chunks_mut(row_len))
            .enumerate()
            .map(|(place, (d_output, slot))| Group {
                first: place * images,
                images: d_output.len() / self.output_len(),
                d_output,
                d_input: d_inputs.as_mut().and_then(Iterator::next),
                slot,
            })
            .collect();
        let context = step.of_images;
        step.threads
            .each(groups.into_par_iter(), |group, scratch| self.backward_group(context, input, from, group, scratch));
        let mut offset = 0;
        for (place, stage) in self.stages.iter().enumerate() {
            // Earlier ones have no sums.
            if place >= from {
                stage.operation.collect(step, Slots { rows, row_len, offset }, gradients);
            }
            offset += stage.operation.slot_len();
        }
    }

    /// Groups that a batch is divided into for the sums of the stages from `from` on: the mean of what suits each, so
    /// that a small batch keeps several threads busy although some stages would rather have it whole.
    fn groups(&self, images: usize, from: usize) -> usize {
        let wanted = self.stages[from..].iter().filter_map(|stage| stage.operation.most_groups(images));
        let (count, sum) = wanted.fold((0_usize, 0), |(count, sum), groups| (count + 1, sum + groups));
        if count == 0 { MOST_GROUPS } else { sum.div_ceil(count).max(FEWEST_GROUPS) }
    }

    fn backward_group(
        &self,
        context: ImageContext,
        input: &[f32],
        from: usize,
        group: Group<'_>,
        scratch: &mut Scratch,
    ) {
        let Group { first, images, d_output, mut d_input, slot } = group;
        let mut sums = std::mem::take(&mut scratch.sums);
        sums.resize_with(sums.len().max(self.stages.len()), Buffer::default);
        for (sums, stage) in sums.iter_mut().zip(&self.stages) {
            sums.ensure(stage.operation.sums_len());
        }
        let [mut even, mut odd] = std::mem::take(&mut scratch.between);
        let parts = if self.stages.len() - from == 1 { 1 } else { images / self.images_at_once() };
        let at_once = images.div_ceil(parts.max(1));
        let longest = self.stages.iter().map(|stage| stage.output_len).max().unwrap_or(0);
        even.ensure(at_once * longest);
        odd.ensure(at_once * longest);
        let last = self.stages.len() - 1;
        for start in (0..images).step_by(at_once) {
            let count = at_once.min(images - start);
            for place in (from..=last).rev() {
                let stage = &self.stages[place];
                let started = Instant::now();
                let (incoming, outgoing) = if place % 2 == 0 { (&mut even, &mut odd) } else { (&mut odd, &mut even) };
                let d_output = match place == last {
                    true => &mut d_output[start * stage.output_len..(start + count) * stage.output_len],
                    false => &mut incoming[..count * stage.output_len],
                };
                let at = first + start;
                let of = |length: usize| at * length..(at + count) * length;
                // Its maps, for these images.
                let input_of = |place: usize| -> (&[f32], usize) {
                    let (maps, length): (&[f32], usize) = match place.checked_sub(1) {
                        Some(before) => (&self.stages[before].output, self.stages[before].output_len),
                        None => (input, self.input_len),
                    };
                    (&maps[of(length)], length)
                };
                let (input, input_len) = input_of(place);
                let d_input = match place == from {
                    true => d_input.as_mut().map(|d| &mut d[start * input_len..(start + count) * input_len]),
                    false => Some(&mut outgoing[..count * input_len]),
                };
                let images = BackwardImages {
                    first: at,
                    input,
                    output: &stage.output[of(stage.output_len)],
                    codes: &stage.codes[of(stage.operation.code_len())],
                    d_output,
                    d_input,
                    sums: &mut sums[place][..stage.operation.sums_len()],
                    begins: start == 0,
                    next: if place > from { input_of(place - 1).0 } else { &[] },
                };
                stage.operation.backward(context, images, scratch);
                add_time(&stage.nanoseconds[1], started);
            }
        }
        self.finish_sums(context, &sums, from, slot);
        scratch.sums = sums;
        scratch.between = [even, odd];
    }

    /// Fills a group's slot from its sums.
    fn finish_sums(&self, context: ImageContext, sums: &[Buffer], from: usize, slot: &mut [f32]) {
        let mut rest = slot;
        for (place, (sums, stage)) in sums.iter().zip(&self.stages).enumerate() {
            let (slot, after) = std::mem::take(&mut rest).split_at_mut(stage.operation.slot_len());
            rest = after;
            if place >= from {
                let started = Instant::now();
                stage.operation.finish_sums(context, &sums[..stage.operation.sums_len()], slot);
                add_time(&stage.nanoseconds[1], started);
            }
        }
    }

    /// Calls `with(name, cost, times, whether the input's gradient is computed)` for every operation; the times are those
    /// of all threads, divided by their number.
    pub fn times(&self, threads: usize, input_gradient: bool, mut with: impl FnMut(&str, Cost, [Duration; 2], bool)) {
        for (place, stage) in self.stages.iter().enumerate() {
            let times = [0, 1].map(|direction| {
                Duration::from_nanos(stage.nanoseconds[direction].load(Ordering::Relaxed) / threads as u64)
            });
            let operation = &stage.operation;
            with(operation.name(), operation.cost(), times, input_gradient || place > self.first_trained);
        }
    }

    pub fn reset_times(&mut self) {
        for stage in &mut self.stages {
            stage.nanoseconds = Default::default();
        }
    }
}
