//! An optimizer at work: its rule and its state, over all parameters at once.

use super::products::{PlainProducts, Products};
use super::rule::{Buffers, Direction, Float, Initial, MOST_BUFFERS, Matrix, Measure, Now, Rule, Scalar, Sums};
use super::{OptimizerSpec, rule};
use crate::schedule::{Rates, Semantics};
use crate::usage::Usage;
use anyhow::{Result, bail};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// One named array and its gradient, for one update.
pub struct Slice<'a, T> {
    pub name: &'a str,
    /// Sides of the array, as in PyTorch: a rule for matrices takes the first side against the rest.
    pub shape: &'a [usize],
    pub values: &'a mut [T],
    pub gradient: &'a [T],
}

/// The state of an optimizer, for a checkpoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State<T> {
    /// Updates made so far.
    pub steps: u64,
    /// Keyed by parameter and PyTorch's buffer name: `conv1.weight.momentum_buffer`.
    pub arrays: BTreeMap<String, Vec<T>>,
    /// Numbers of the whole optimizer, by name.
    pub scalars: BTreeMap<String, f64>,
}

/// The state of one parameter, in the order of [`Rule::buffers`]; unused buffers are empty.
struct Memory<T> {
    name: String,
    buffers: [Vec<T>; MOST_BUFFERS],
}

/// An optimizer with its state, keyed by parameter name.
pub struct Optimizer<T> {
    rule: Box<dyn Rule<T>>,
    steps: u64,
    /// In the order of [`Rule::scalars`].
    scalars: Vec<f64>,
    /// In the order of the slices of the last step.
    memory: Vec<Memory<T>>,
}

/// The number of elements per unit of work for a thread: large enough to amortise the dispatch.
pub(super) const PART: usize = 1 << 15;
/// The block size: all pieces of a rule process a block before the next one. Small enough for the L1 cache.
const BLOCK: usize = 512;

impl<T: Float> Optimizer<T> {
    /// # Errors
    /// An option that does not exist under these semantics, or is not representable in `T`.
    pub fn new(spec: &OptimizerSpec, semantics: Semantics) -> Result<Self, Usage> {
        spec.check_fits::<T>()?;
        let rule = rule(spec.name(), &spec.options(semantics))?;
        let scalars = rule.scalars().iter().map(|scalar| scalar.initial).collect();
        Ok(Self { rule, steps: 0, scalars, memory: Vec::new() })
    }

    /// One update of every slice, in place. `rates.momentum`, if given, replaces the momentum (Adam's beta1) of the
    /// spec; an optimizer without momentum ignores it.
    ///
    /// Elements are computed independently, and sums over them in parts of a fixed length that are added in order, so the
    /// result is bit-identical for any number of threads.
    ///
    /// # Panics
    /// A gradient, or the state of an earlier step, differs in length from the values.
    pub fn step(&mut self, slices: &mut [Slice<'_, T>], rates: Rates) {
        self.step_with(slices, rates, &PlainProducts);
    }

    /// [`Optimizer::step`] with these products of matrices, for a rule that needs some.
    ///
    /// # Panics
    /// As [`Optimizer::step`]; a parameter that the optimizer does not take ([`OptimizerSpec::takes`]).
    pub fn step_with(&mut self, slices: &mut [Slice<'_, T>], rates: Rates, products: &dyn Products<T>) {
        let Rates { learning_rate, momentum } = rates;
        let mut now = Now { step: self.steps, learning_rate, momentum, sums: Sums::default() };
        let (decay, keep) = self.rule.decay().constants(learning_rate);
        let (decay, keep) = (T::of(decay), T::of(keep));
        self.remember(slices);
        let mut parts = parts(slices, &mut self.memory);
        if let Some(measure) = self.rule.measure(now, &self.scalars) {
            let sums: Vec<Sums> = parts.par_iter_mut().map(|part| part.measure(&measure)).collect();
            for [first, second] in sums {
                now.sums = [now.sums[0] + first, now.sums[1] + second];
            }
        }
        let direction = self.rule.at(now, &mut self.scalars);
        if let Some(finish) = self.rule.finish(now) {
            let mut steps: Vec<Vec<T>> = parts.iter().map(|part| vec![T::default(); part.values.len()]).collect();
            match (parts.as_mut_slice(), steps.as_mut_slice()) {
                ([part], [step]) => part.direct(&direction, decay, step),
                (parts, steps) => {
                    parts.par_iter_mut().zip(steps).for_each(|(part, step)| part.direct(&direction, decay, step));
                }
            }
            finish_matrices(slices, &steps.concat(), keep, |matrix| finish(matrix, products));
            self.steps += 1;
            return;
        }
        match parts.as_mut_slice() {
            [part] => part.update(&direction, decay, keep),
            parts => parts.par_iter_mut().for_each(|part| part.update(&direction, decay, keep)),
        }
        self.steps += 1;
    }

    /// Whether the point to evaluate and to save is another than the one that is trained.
    pub fn has_evaluation_point(&self) -> bool {
        self.rule.evaluation_point(&self.scalars).is_some()
    }

    /// Moves `values`, those of the parameter `name` that is trained, to the point to evaluate and to save. Before the first
    /// step they are the same.
    pub fn move_to_evaluation_point(&self, name: &str, values: &mut [T]) {
        let memory = self.memory.iter().find(|memory| memory.name == name);
        if let (Some(to), Some(memory)) = (self.rule.evaluation_point(&self.scalars), memory) {
            to(values, memory.buffers.each_ref().map(Vec::as_slice));
        }
    }

    /// Reorders the state to match the slices, with fresh buffers for new parameters.
    fn remember(&mut self, slices: &[Slice<'_, T>]) {
        for (place, slice) in slices.iter().enumerate() {
            match self.memory.iter().skip(place).position(|memory| memory.name == slice.name) {
                Some(offset) => self.memory.swap(place, place + offset),
                None => {
                    let mut buffers = [const { Vec::new() }; MOST_BUFFERS];
                    for (buffer, made) in buffers.iter_mut().zip(self.rule.buffers()) {
                        *buffer = match made.initial {
                            Initial::Constant(value) => vec![T::of(value); slice.values.len()],
                            Initial::Parameter => slice.values.to_vec(),
                        };
                    }
                    self.memory.insert(place, Memory { name: slice.name.to_string(), buffers });
                }
            }
        }
    }

    /// Everything besides the parameters that the next step depends on.
    pub fn state(&self) -> State<T> {
        let names = self.rule.buffers();
        let arrays = self.memory.iter().flat_map(|memory| {
            names.iter().zip(&memory.buffers).map(|(buffer, values)| (key(&memory.name, buffer.name), values.clone()))
        });
        let scalars = self.rule.scalars().into_iter().zip(&self.scalars);
        State {
            steps: self.steps,
            arrays: arrays.collect(),
            scalars: scalars.map(|(scalar, &value)| (scalar.name.to_string(), value)).collect(),
        }
    }

    /// Restores a state from [`Optimizer::state`], for `parameters` of these names and lengths.
    ///
    /// # Errors
    /// An array or a number that is missing, of the wrong length, or of another optimizer; the optimizer is then unchanged.
    pub fn restore<'a>(
        &mut self,
        mut state: State<T>,
        parameters: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Result<()> {
        let mut memory = Vec::new();
        let mut scalars: Vec<f64> = self.rule.scalars().iter().map(|scalar| scalar.initial).collect();
        if state.steps > 0 {
            for (name, length) in parameters {
                let mut buffers = [const { Vec::new() }; MOST_BUFFERS];
                for (buffer, made) in buffers.iter_mut().zip(self.rule.buffers()) {
                    let key = key(name, made.name);
                    *buffer = match state.arrays.remove(&key) {
                        Some(values) if values.len() == length => values,
                        Some(values) => bail!("optimizer state: {key} has {} values, expected {length}", values.len()),
                        None => bail!("optimizer state: {key} is missing"),
                    };
                }
                memory.push(Memory { name: name.to_string(), buffers });
            }
            for (value, Scalar { name, .. }) in scalars.iter_mut().zip(self.rule.scalars()) {
                match state.scalars.get(name) {
                    Some(saved) => *value = *saved,
                    None => bail!("optimizer state: {name} is missing"),
                }
            }
        }
        let known = self.rule.scalars();
        let other = state.scalars.keys().find(|key| !known.iter().any(|scalar| scalar.name == key.as_str()));
        if let Some(key) = state.arrays.keys().next().or(other) {
            bail!("optimizer state: {key} belongs to another optimizer or network");
        }
        (self.steps, self.memory, self.scalars) = (state.steps, memory, scalars);
        Ok(())
    }
}

fn key(parameter: &str, buffer: &str) -> String {
    format!("{parameter}.{buffer}")
}

/// A contiguous part of one parameter, with its gradient and state.
struct Part<'a, T> {
    values: &'a mut [T],
    gradient: &'a [T],
    buffers: Buffers<'a, T>,
}

/// The parts of all slices, in order.
fn parts<'a, T: Float>(slices: &'a mut [Slice<'_, T>], memory: &'a mut [Memory<T>]) -> Vec<Part<'a, T>> {
    let mut parts = Vec::new();
    for (slice, memory) in slices.iter_mut().zip(memory) {
        let length = slice.values.len();
        assert_eq!(slice.gradient.len(), length, "{}: a gradient of another length", slice.name);
        for buffer in memory.buffers.iter().filter(|buffer| !buffer.is_empty()) {
            assert_eq!(buffer.len(), length, "{}: state of another length", slice.name);
        }
        let mut buffers = memory.buffers.each_mut().map(|buffer| buffer.chunks_mut(PART));
        for (values, gradient) in slice.values.chunks_mut(PART).zip(slice.gradient.chunks(PART)) {
            let buffers = buffers.each_mut().map(|chunks| chunks.next().unwrap_or_default());
            parts.push(Part { values, gradient, buffers });
        }
    }
    parts
}

impl<T: Float> Part<'_, T> {
    fn measure(&mut self, measure: &Measure<T>) -> Sums {
        measure(self.gradient, self.values, self.buffers.each_mut().map(|buffer| &mut **buffer))
    }

    /// `step` = direction(g + decay·θ), block by block.
    fn direct(&mut self, direction: &Direction<T>, decay: T, step: &mut [T]) {
        let mut buffers = self.buffers.each_mut().map(|buffer| buffer.chunks_mut(BLOCK));
        let blocks = self.values.chunks(BLOCK).zip(self.gradient.chunks(BLOCK));
        for ((values, gradient), step) in blocks.zip(step.chunks_mut(BLOCK)) {
            let buffers = buffers.each_mut().map(|chunks| chunks.next().unwrap_or_default());
            direct(direction, decay, (values, gradient), buffers, step);
        }
    }

    /// θ = keep·θ − direction(g + decay·θ), block by block.
    fn update(&mut self, direction: &Direction<T>, decay: T, keep: T) {
        let mut step = [T::default(); BLOCK];
        let mut buffers = self.buffers.each_mut().map(|buffer| buffer.chunks_mut(BLOCK));
        for (values, gradient) in self.values.chunks_mut(BLOCK).zip(self.gradient.chunks(BLOCK)) {
            let step = &mut step[..values.len()];
            let buffers = buffers.each_mut().map(|chunks| chunks.next().unwrap_or_default());
            direct(direction, decay, (values, gradient), buffers, step);
            subtract(values, step, keep);
        }
    }
}

/// `step` = direction(g + decay·θ) of one block.
fn direct<T: Float>(
    direction: &Direction<T>,
    decay: T,
    (values, gradient): (&[T], &[T]),
    buffers: Buffers<'_, T>,
    step: &mut [T],
) {
    for ((step, &gradient), &value) in step.iter_mut().zip(gradient).zip(values) {
        *step = gradient + decay * value;
    }
    direction(step, values, buffers);
}

/// θ = keep·θ − step.
fn subtract<T: Float>(values: &mut [T], step: &[T], keep: T) {
    for (value, &step) in values.iter_mut().zip(step) {
        *value = keep * *value - step;
    }
}

/// Finishes the step of each matrix and subtracts it. `steps`: those of all slices, one after the other.
fn finish_matrices<T: Float>(slices: &mut [Slice<'_, T>], steps: &[T], keep: T, finish: impl Fn(Matrix<'_, T>)) {
    let mut rest = steps;
    for Slice { name, shape, values, .. } in slices {
        let [rows, rest_of_shape @ ..] = shape else { panic!("{name}: no matrix") };
        assert!(!rest_of_shape.is_empty(), "{name}: no matrix");
        let (step, after) = rest.split_at(values.len());
        rest = after;
        let mut step = step.to_vec();
        let columns = rest_of_shape.iter().product();
        finish(Matrix { rows: *rows, columns, values, step: &mut step });
        // A single part is not worth waking a thread for.
        if values.len() <= PART {
            subtract(values, &step, keep);
        } else {
            let parts = values.par_chunks_mut(PART).zip(step.par_chunks(PART));
            parts.for_each(|(values, step)| subtract(values, step, keep));
        }
    }
}
