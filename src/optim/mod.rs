//! Update rules over named slices, one file each. The rate is passed in at each step, not owned.
//!
//! A new optimizer is one file with a `Definition` and a `Rule` (see `rule.rs`), and one `mod` line in `optimizers!` below.

#![forbid(unsafe_code)]

mod clip;
mod parameters;
mod rule;
mod spec;

pub use clip::Clipping;
pub use rule::Float;
pub use spec::OptimizerSpec;

use crate::number::exact;
use crate::schedule::{Rates, Semantics};
use crate::spec::Entry;
use crate::usage;
use crate::usage::Usage;
use anyhow::{Result, bail};
use rayon::prelude::*;
use rule::{Buffers, Definition, Direction, MOST_BUFFERS, Now, Rule};
use spec::Options;
use std::collections::BTreeMap;

/// A row of the table of optimizers, which extends its [`Entry`].
struct Defined {
    name: &'static str,
    rate: f64,
    tuned: (f64, f64),
    tuned_scale: fn(&Options<'_>) -> f64,
    defaults: &'static [(Semantics, &'static str, f64)],
    has_momentum: fn(&Options<'_>) -> bool,
}

/// Declares the modules of the optimizers, their table in help order, and the lookup of a rule in it.
macro_rules! optimizers {
    (if #[cfg(all())] { $(mod $file:ident;)+ }) => {
        $(mod $file;)+

        static TABLE: &[Entry] = &[$($file::Row::ENTRY),+];

        static DEFINED: &[Defined] = &[$(Defined {
            name: $file::Row::ENTRY.name,
            rate: $file::Row::RATE,
            tuned: $file::Row::TUNED,
            tuned_scale: $file::Row::tuned_scale,
            defaults: $file::Row::DEFAULTS,
            has_momentum: $file::Row::has_momentum,
        }),+];

        fn rule<T: Float>(name: &str, options: &Options<'_>) -> Result<Box<dyn Rule<T>>, Usage> {
            $(if name == $file::Row::ENTRY.name {
                return Ok(Box::new($file::Row::new(options)?));
            })+
            unreachable!("a spec names an optimizer of the table, got `{name}`")
        }
    };
}

/// rustfmt follows `mod` lines only within a macro of this name.
mod cfg_if {
    pub(super) use optimizers;
}

cfg_if::optimizers! {
    if #[cfg(all())] {
        mod sgd;
        mod rmsprop;
        mod adam;
        mod adamw;
        mod adagrad;
        mod adadelta;
    }
}

/// Every optimizer: what the parser accepts, the command line offers and the help prints. Defaults are those of
/// `native`. Each takes `lr` besides its parameters.
pub fn table() -> &'static [Entry] {
    TABLE
}

fn find(name: &str) -> &'static Defined {
    DEFINED.iter().find(|row| row.name == name).expect("a spec names an optimizer of the table")
}

/// One named array and its gradient, for one update.
pub struct Slice<'a, T> {
    pub name: &'a str,
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
}

/// The state of one parameter, in the order of [`Rule::buffers`]; unused buffers are empty.
struct Memory<T> {
    name: String,
    buffers: [Vec<T>; MOST_BUFFERS],
}

/// Checks that `rate`, the value of the setting `name`, is a positive normal number in `T`: a smaller one moves no
/// weight, a larger one is infinite.
///
/// Only the requested rate is checked: a schedule may decay below it.
///
/// # Errors
/// It is not.
/// It is not.
pub fn check_rate<T: Float>(name: &str, rate: f64) -> Result<(), Usage> {
    if !(rate > 0.0 && rate.is_finite()) {
        return usage!("{name} must be a number above 0, got {}", exact(rate));
    }
    if !T::holds(rate) {
        return usage!("{name} must be {}, got {}", T::rule(), exact(rate));
    }
    Ok(())
}

/// An optimizer with its state, keyed by parameter name.
pub struct Optimizer<T> {
    rule: Box<dyn Rule<T>>,
    steps: u64,
    /// In the order of the slices of the last step.
    memory: Vec<Memory<T>>,
}

/// The number of elements per unit of work for a thread: large enough to amortise the dispatch.
const PART: usize = 1 << 15;
/// The block size: all pieces of a rule process a block before the next one. Small enough for the L1 cache.
const BLOCK: usize = 512;

impl<T: Float> Optimizer<T> {
    /// # Errors
    /// An option that does not exist under these semantics, or is not representable in `T`.
    pub fn new(spec: &OptimizerSpec, semantics: Semantics) -> Result<Self, Usage> {
        spec.check_fits::<T>()?;
        let rule = rule(spec.name(), &spec.options(semantics))?;
        Ok(Self { rule, steps: 0, memory: Vec::new() })
    }

    /// One update of every slice, in place. `rates.momentum`, if given, replaces the momentum (Adam's beta1) of the
    /// spec; an optimizer without momentum ignores it.
    ///
    /// Each element is computed independently, so the result is bit-identical for any number of threads.
    ///
    /// # Panics
    /// A gradient, or the state of an earlier step, differs in length from the values.
    pub fn step(&mut self, slices: &mut [Slice<'_, T>], rates: Rates) {
        let now = Now { step: self.steps, learning_rate: rates.learning_rate, momentum: rates.momentum };
        let direction = self.rule.at(now);
        let (decay, keep) = self.rule.decay().constants(rates.learning_rate);
        let (decay, keep) = (T::of(decay), T::of(keep));
        self.remember(slices);
        let mut parts = Vec::new();
        for (slice, memory) in slices.iter_mut().zip(&mut self.memory) {
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
        match parts.as_mut_slice() {
            [part] => part.update(&direction, decay, keep),
            parts => parts.par_iter_mut().for_each(|part| part.update(&direction, decay, keep)),
        }
        self.steps += 1;
    }

    /// Reorders the state to match the slices, with fresh buffers for new parameters.
    fn remember(&mut self, slices: &[Slice<'_, T>]) {
        for (place, slice) in slices.iter().enumerate() {
            match self.memory.iter().skip(place).position(|memory| memory.name == slice.name) {
                Some(offset) => self.memory.swap(place, place + offset),
                None => {
                    let mut buffers = [const { Vec::new() }; MOST_BUFFERS];
                    for (buffer, made) in buffers.iter_mut().zip(self.rule.buffers()) {
                        *buffer = vec![T::of(made.initial); slice.values.len()];
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
        State { steps: self.steps, arrays: arrays.collect() }
    }

    /// Restores a state from [`Optimizer::state`], for `parameters` of these names and lengths.
    ///
    /// # Errors
    /// An array that is missing, of the wrong length, or of another optimizer; the optimizer is then unchanged.
    pub fn restore<'a>(
        &mut self,
        mut state: State<T>,
        parameters: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Result<()> {
        let mut memory = Vec::new();
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
        }
        if let Some(key) = state.arrays.keys().next() {
            bail!("optimizer state: {key} belongs to another optimizer or network");
        }
        (self.steps, self.memory) = (state.steps, memory);
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

impl<T: Float> Part<'_, T> {
    /// θ = keep·θ − direction(g + decay·θ), block by block.
    fn update(&mut self, direction: &Direction<T>, decay: T, keep: T) {
        let mut step = [T::default(); BLOCK];
        let mut buffers = self.buffers.each_mut().map(|buffer| buffer.chunks_mut(BLOCK));
        for (values, gradient) in self.values.chunks_mut(BLOCK).zip(self.gradient.chunks(BLOCK)) {
            let step = &mut step[..values.len()];
            for ((step, &gradient), &value) in step.iter_mut().zip(gradient).zip(&*values) {
                *step = gradient + decay * value;
            }
            direction(step, buffers.each_mut().map(|chunks| chunks.next().unwrap_or_default()));
            for (value, &step) in values.iter_mut().zip(&*step) {
                *value = keep * *value - step;
            }
        }
    }
}
