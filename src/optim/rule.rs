//! The update rule trait, and the building blocks of the rules.
//!
//! Every building block is an elementwise loop over a short block that stays in the L1 cache, so that several in a row
//! still make one pass over the parameters in memory.

use super::products::Products;
use super::spec::Options;
use crate::schedule::Semantics;
use crate::spec::{Entry, ParameterValue};
use crate::usage::Usage;
use std::ops::{Add, Div, Mul, Sub};

/// f32 for training, f64 for comparisons and plots. Constants are computed in f64 and rounded once.
pub trait Float:
    Copy
    + Default
    + PartialOrd
    + std::fmt::Debug
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + 'static
{
    /// The Rust name of the type.
    const NAME: &'static str;
    /// The smallest and the largest normal number, in f64.
    const NORMAL: (f64, f64);

    fn of(value: f64) -> Self;
    fn widened(self) -> f64;
    fn sqrt(self) -> Self;
    fn abs(self) -> Self;

    /// Whether `value` is 0 or a normal number of this type: it does not underflow, overflow or lose precision.
    fn holds(value: f64) -> bool {
        value == 0.0 || (Self::NORMAL.0..=Self::NORMAL.1).contains(&value.abs())
    }

    /// The requirement of [`holds`](Float::holds) for a positive value, for error messages.
    fn rule() -> String {
        let (least, largest) = Self::NORMAL;
        format!("from {least:.2e} to {largest:.2e} (a normal {})", Self::NAME)
    }
}

impl Float for f32 {
    const NAME: &'static str = "f32";
    const NORMAL: (f64, f64) = (f32::MIN_POSITIVE as f64, f32::MAX as f64);

    fn of(value: f64) -> Self {
        value as f32
    }
    fn widened(self) -> f64 {
        self.into()
    }
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    fn abs(self) -> Self {
        self.abs()
    }
}

impl Float for f64 {
    const NAME: &'static str = "f64";
    const NORMAL: (f64, f64) = (f64::MIN_POSITIVE, f64::MAX);

    fn of(value: f64) -> Self {
        value
    }
    fn widened(self) -> f64 {
        self
    }
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    fn abs(self) -> Self {
        self.abs()
    }
}

/// The most state arrays that any rule keeps per parameter.
pub(super) const MOST_BUFFERS: usize = 4;

/// The state of a block, in the order of [`Rule::buffers`]; unused buffers are empty.
pub(super) type Buffers<'a, T> = [&'a mut [T]; MOST_BUFFERS];

/// Turns a block of the gradient, in place, into the amount to subtract from the parameters, and updates the state. The
/// second block is that of the parameters, before any decay.
pub(super) type Direction<T> = Box<dyn Fn(&mut [T], &[T], Buffers<'_, T>) + Send + Sync>;

/// Updates the state from a part of the gradient and of the parameters, and adds up what the rule wants to know of all
/// of them.
pub(super) type Measure<T> = Box<dyn Fn(&[T], &[T], Buffers<'_, T>) -> Sums + Send + Sync>;

/// Turns the direction of a whole matrix into what is to be subtracted.
pub(super) type Finish<T> = Box<dyn Fn(Matrix<'_, T>, &dyn Products<T>) + Send + Sync>;

/// A parameter that is a matrix, by rows, and its step.
pub(super) struct Matrix<'a, T> {
    pub rows: usize,
    pub columns: usize,
    pub values: &'a mut [T],
    pub step: &'a mut [T],
}

/// Sums over all parameters.
pub(super) type Sums = [f64; 2];

/// Moves a block of the parameters to the point that is evaluated. Takes the state in the order of [`Rule::buffers`].
pub(super) type Move<T> = Box<dyn Fn(&mut [T], [&[T]; MOST_BUFFERS]) + Send + Sync>;

/// A state array, one per parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Buffer {
    /// PyTorch's name for it in `state_dict`.
    pub name: &'static str,
    pub initial: Initial,
}

impl Buffer {
    /// Starts at 0.
    pub const fn zeros(name: &'static str) -> Self {
        Self { name, initial: Initial::Constant(0.0) }
    }

    /// Starts as a copy of the parameter.
    pub const fn copy(name: &'static str) -> Self {
        Self { name, initial: Initial::Parameter }
    }
}

/// What a state array holds before the first step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Initial {
    Constant(f64),
    /// The values of its parameter.
    Parameter,
}

/// A number that is part of the state: one for the whole optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scalar {
    pub name: &'static str,
    pub initial: f64,
}

/// The inputs of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Now {
    /// Updates made so far: 0 at the first.
    pub step: u64,
    pub learning_rate: f64,
    /// Replaces the momentum of the rule, if it has one.
    pub momentum: Option<f64>,
    /// What [`Rule::measure`] added up.
    pub sums: Sums,
}

/// A row of the table of optimizers.
pub(super) trait Definition: Sized {
    const ENTRY: Entry;
    /// The usual learning rate.
    const RATE: f64;
    /// The range over which the highest rate of a run is tuned: at least three decades around its optimum on `cnn`.
    const TUNED: (f64, f64);
    /// What [`TUNED`](Self::TUNED) is multiplied by with these options.
    fn tuned_scale(_options: &Options<'_>) -> f64 {
        1.0
    }
    /// The defaults that differ in a framework: (framework, parameter or `lr`, value).
    const DEFAULTS: &'static [(Semantics, &'static str, f64)];
    /// The frameworks that do not have it: their semantics are the native ones.
    const MISSING: &'static [Semantics] = &[];
    /// What a user of a framework should know beside its semantics, for `lrsched diff`.
    const NOTES: &'static [(Semantics, &'static str)] = &[];
    /// Whether the optimizer has a momentum for the schedule to replace.
    fn has_momentum(options: &Options<'_>) -> bool;
    /// Whether it updates matrices alone: arrays of at least two sides, the first against the rest.
    const MATRICES_ONLY: bool = false;
    /// Whether it trains at one point and is evaluated at another, the average of its steps.
    const AVERAGES: bool = false;
    /// A default that follows from other options, or is a word that differs in a framework.
    fn derived(_options: &Options<'_>, _key: &str) -> Option<ParameterValue> {
        None
    }
    /// A line about a run at this rate, under a schedule that decays or not, that is allowed but not what the optimizer is for.
    fn advice(_lr: f64, _decays: bool) -> Option<String> {
        None
    }
    /// # Errors
    /// Options that do not exist under these semantics.
    fn new(options: &Options<'_>) -> Result<Self, Usage>;
}

/// An update rule with its constants.
///
/// Most are elementwise and implement `buffers`, `decay` and `at`, and `scalars` if they keep numbers of the whole optimizer.
pub(super) trait Rule<T: Float>: Send + Sync {
    fn buffers(&self) -> Vec<Buffer>;

    /// The weight decay applied to the parameters at each step.
    fn decay(&self) -> Decay;

    /// The update of one step, with every constant computed. `scalars` are those of [`Rule::scalars`].
    fn at(&self, now: Now, scalars: &mut [f64]) -> Direction<T>;

    fn scalars(&self) -> Vec<Scalar> {
        Vec::new()
    }

    /// A pass over the state before the update, for a rule that needs sums over all parameters.
    fn measure(&self, _now: Now, _scalars: &[f64]) -> Option<Measure<T>> {
        None
    }

    /// What is done with the direction of each matrix before it is subtracted, for a rule that is not elementwise.
    fn finish(&self, _now: Now) -> Option<Finish<T>> {
        None
    }

    /// How to get from the point that is trained to the one that is evaluated and saved; `None` if they are the same.
    fn evaluation_point(&self, _scalars: &[f64]) -> Option<Move<T>> {
        None
    }
}

/// Weight decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Decay {
    /// Added to the gradient: g + λθ.
    Coupled(f64),
    /// Decoupled from the gradient: θ·(1 − ηλ), in the same step (Loshchilov and Hutter 2019, arXiv:1711.05101).
    Decoupled(f64),
}

impl Decay {
    /// How an optimizer's weight decay is applied under these semantics: Keras decouples it everywhere.
    pub fn placed(weight_decay: f64, semantics: Semantics) -> Self {
        if semantics == Semantics::Keras { Decay::Decoupled(weight_decay) } else { Decay::Coupled(weight_decay) }
    }

    /// Where the option `decoupled` decides, unless the framework leaves no choice.
    pub fn chosen(options: &Options<'_>) -> Self {
        let weight_decay = options.get("weight-decay");
        if options.is_on("decoupled") {
            Decay::Decoupled(weight_decay)
        } else {
            Decay::placed(weight_decay, options.semantics)
        }
    }

    /// (λ to add to the gradient, factor to multiply the parameters by).
    pub fn constants(self, learning_rate: f64) -> (f64, f64) {
        match self {
            Decay::Coupled(decay) => (decay, 1.0),
            Decay::Decoupled(decay) => (0.0, 1.0 - learning_rate * decay),
        }
    }
}

/// Momentum (Polyak 1964), b = μ·b + inside·g; the step is outside·b, or with Nesterov's look-ahead outside·(μ·b + ahead·g).
///
/// PyTorch keeps the rate outside the buffer, Keras inside it; the two differ only when the rate changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HeavyBall<T> {
    momentum: T,
    inside: T,
    outside: T,
    ahead: Option<T>,
}

impl<T: Float> HeavyBall<T> {
    /// b = μ·b + fresh·g, step = η·b.
    pub fn rate_outside(momentum: f64, fresh: f64, learning_rate: f64, nesterov: bool) -> Self {
        Self {
            momentum: T::of(momentum),
            inside: T::of(fresh),
            outside: T::of(learning_rate),
            ahead: nesterov.then_some(T::of(1.0)),
        }
    }

    /// b = μ·b + η·g, step = b.
    pub fn rate_inside(momentum: f64, learning_rate: f64, nesterov: bool) -> Self {
        Self {
            momentum: T::of(momentum),
            inside: T::of(learning_rate),
            outside: T::of(1.0),
            ahead: nesterov.then_some(T::of(learning_rate)),
        }
    }

    /// Turns the gradient into the step.
    pub fn apply(self, gradient: &mut [T], buffer: &mut [T]) {
        let Self { momentum, inside, outside, ahead } = self;
        match ahead {
            None => {
                for (g, b) in gradient.iter_mut().zip(buffer) {
                    *b = momentum * *b + inside * *g;
                    *g = outside * *b;
                }
            }
            Some(ahead) => {
                for (g, b) in gradient.iter_mut().zip(buffer) {
                    *b = momentum * *b + inside * *g;
                    *g = outside * (momentum * *b + ahead * *g);
                }
            }
        }
    }
}

/// step = η·g.
pub(super) fn scale<T: Float>(gradient: &mut [T], learning_rate: T) {
    gradient.iter_mut().for_each(|g| *g = learning_rate * *g);
}

/// m = m + (1 − β)·(g − m): the running mean of the gradient.
pub(super) fn running_mean<T: Float>(mean: &mut [T], gradient: &[T], fresh: T) {
    for (m, &g) in mean.iter_mut().zip(gradient) {
        *m = *m + fresh * (g - *m);
    }
}

/// v = ρ·v + (1 − ρ)·g²: the running mean of the squared gradient.
pub(super) fn running_square<T: Float>(square: &mut [T], gradient: &[T], rho: T, fresh: T) {
    for (v, &g) in square.iter_mut().zip(gradient) {
        *v = rho * *v + fresh * (g * g);
    }
}

/// u = max(u, x).
pub(super) fn running_max<T: Float>(highest: &mut [T], values: impl Iterator<Item = T>) {
    for (u, x) in highest.iter_mut().zip(values) {
        // Takes NaN as well: a diverged run should show.
        *u = if *u > x { *u } else { x };
    }
}

/// Where ε is added to the root of a mean square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Root<T> {
    /// √v + ε: PyTorch.
    EpsOutside(T),
    /// √(v + ε): Keras and optax.
    EpsInside(T),
}

impl<T: Float> Root<T> {
    pub fn placed(eps: f64, semantics: Semantics) -> Self {
        match semantics {
            Semantics::Native | Semantics::Torch => Root::EpsOutside(T::of(eps)),
            Semantics::Keras | Semantics::Optax => Root::EpsInside(T::of(eps)),
        }
    }

    /// g = g / root(v).
    pub fn divide(self, gradient: &mut [T], square: impl Iterator<Item = T>) {
        match self {
            Root::EpsOutside(eps) => gradient.iter_mut().zip(square).for_each(|(g, v)| *g = *g / (v.sqrt() + eps)),
            Root::EpsInside(eps) => gradient.iter_mut().zip(square).for_each(|(g, v)| *g = *g / (v + eps).sqrt()),
        }
    }
}
