//! Schedules built in code: `Step::new(0.1).factor(0.5).drop_every(Epochs(10))`, and sequences of them and of custom
//! formulas.

use crate::arguments::Span;
use crate::error::UsageError;
use crate::sequence::{Make, Piece};
use crate::spec::{FAMILY, Parameter, ParameterValue, Part, RateValue, Spec, Values};
use crate::{Duration, Formula, RunShape, Schedule};
use std::sync::Arc;

/// A number of epochs, steps or percent: any integer or float type.
pub trait Amount: sealed::Sealed {
    #[doc(hidden)]
    fn in_f64(self) -> f64;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! amounts {
    ($($number:ty)+) => {$(
        impl sealed::Sealed for $number {}
        impl Amount for $number {
            #[allow(clippy::cast_lossless, clippy::unnecessary_cast)]
            fn in_f64(self) -> f64 {
                self as f64
            }
        }
    )+};
}

amounts!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

/// A duration in epochs: `Epochs(10)`, `Epochs(1.5)`.
///
/// ```
/// use lrsched_schedule::schedules::linear::Linear;
/// use lrsched_schedule::{Epochs, RunShape, Steps};
/// let run = RunShape::new(0.1, 40, 391);
/// let losses: Vec<f32> = vec![0.0; 391];
/// let spec = Linear::new(0.1).over(Epochs(run.epochs)).warmup(Steps(losses.len())).spec()?;
/// assert_eq!(spec.to_string(), "linear:over=40,lr=0.1,warmup=391st");
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epochs<T>(pub T);

/// A duration in steps of the optimizer: `Steps(400)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps<T>(pub T);

/// A duration in percent of the run, or of what remains after a warm-up or another schedule: `Percent(30)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent<T>(pub T);

impl<T: Amount> From<Epochs<T>> for Duration {
    fn from(Epochs(epochs): Epochs<T>) -> Self {
        Self::Epochs(epochs.in_f64())
    }
}

impl<T: Amount> From<Steps<T>> for Duration {
    fn from(Steps(steps): Steps<T>) -> Self {
        Self::Steps(steps.in_f64())
    }
}

impl<T: Amount> From<Percent<T>> for Duration {
    fn from(Percent(percent): Percent<T>) -> Self {
        Self::Percent(percent.in_f64())
    }
}

/// The values of one schedule, collected by the setters of its builder.
#[derive(Debug, Clone)]
pub(crate) struct Builder {
    values: Values,
    /// The first invalid value.
    problem: Option<UsageError>,
}

impl Builder {
    pub(crate) fn of(name: &str, lr: RateValue) -> Self {
        let entry = FAMILY.find(name).expect("a builder is of an entry of the table");
        Self { values: Values::of(&FAMILY, entry), problem: None }.with("lr", ParameterValue::Rate(lr))
    }

    /// `key` is the name of the setter.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: ParameterValue) -> Self {
        let problem = self.values.give(&key.replace('_', "-"), value).err();
        self.problem = self.problem.or(problem);
        self
    }

    pub(crate) fn part(self) -> Result<Part, UsageError> {
        self.problem.map_or(Ok(Part::of(self.values)), Err)
    }
}

/// The methods of a builder: `setters!(Step, "step", factor: number, drop_every: duration);`, a setter for each parameter of its row.
macro_rules! setters {
    ($builder:ident, $name:literal $(, $key:ident: $kind:ident)*) => {
        impl $builder {
            /// With every parameter at its default. The base learning rate `lr` takes precedence over that of the run.
            pub fn new(lr: impl Into<$crate::spec::RateValue>) -> Self {
                Self($crate::builder::Builder::of($name, lr.into()))
            }

            $($crate::builder::setter!($key: $kind);)*

            /// Adds a linear warm-up of this duration before the schedule.
            #[must_use]
            pub fn warmup(self, duration: impl Into<$crate::Duration>) -> Self {
                Self(self.0.with("warmup", $crate::spec::ParameterValue::Duration(duration.into())))
            }

            /// The fraction of lr at which the warm-up begins.
            #[must_use]
            pub fn warmup_from(self, fraction: f64) -> Self {
                Self(self.0.with("warmup-from", $crate::spec::ParameterValue::Number(fraction)))
            }

            /// The duration, excluding its warm-up, before the next schedule of a sequence begins.
            #[must_use]
            pub fn lasting(self, duration: impl Into<$crate::Duration>) -> Self {
                Self(self.0.with("for", $crate::spec::ParameterValue::Duration(duration.into())))
            }

            /// Appends another schedule.
            #[must_use]
            pub fn then(self, next: impl Into<$crate::Sequence>) -> $crate::Sequence {
                $crate::Sequence::from(self).then(next)
            }

            /// Converts to a spec.
            ///
            /// # Errors
            /// A value out of range.
            pub fn spec(self) -> Result<$crate::Spec, $crate::UsageError> {
                $crate::Sequence::from(self).spec()
            }

            /// Builds the schedule for a run.
            ///
            /// # Errors
            /// A value out of range, by itself or for this run.
            pub fn build(self, run: &$crate::RunShape) -> Result<$crate::Schedule, $crate::UsageError> {
                $crate::Sequence::from(self).build(run)
            }
        }

        impl From<$builder> for $crate::Sequence {
            fn from(builder: $builder) -> Self {
                Self::of_part(builder.0.part())
            }
        }
    };
}

/// One setter.
macro_rules! setter {
    ($key:ident: number) => { $crate::builder::setter!($key, number: f64 => Number(number)); };
    ($key:ident: count) => { $crate::builder::setter!($key, count: u64 => Count(count)); };
    ($key:ident: duration) => {
        $crate::builder::setter!($key, duration: impl Into<$crate::Duration> => Duration(duration.into()));
    };
    ($key:ident: durations) => {
        $crate::builder::setter!($key, durations: impl IntoIterator<Item = impl Into<$crate::Duration>> =>
            Durations(durations.into_iter().map(Into::into).collect()));
    };
    ($key:ident: rate) => {
        $crate::builder::setter!($key, rate: impl Into<$crate::spec::RateValue> => Rate(rate.into()));
    };
    ($key:ident: rates) => {
        $crate::builder::setter!($key, rates: impl IntoIterator<Item = impl Into<$crate::spec::RateValue>> =>
            Rates(rates.into_iter().map(Into::into).collect()));
    };
    ($key:ident: switch) => { $crate::builder::setter!($key, on: bool => Switch(on)); };
    ($key:ident: conditions) => {
        $crate::builder::setter!($key, conditions: impl IntoIterator<Item = $crate::spec::Condition> =>
            Conditions(conditions.into_iter().collect()));
    };
    ($key:ident: expression) => {
        $crate::builder::setter!($key, expression: impl Into<String> => Expression(expression.into()));
    };
    // An enum made by `words!`.
    ($key:ident: $words:ident) => { $crate::builder::setter!($key, $key: $words => Choice($key.name())); };
    ($key:ident, $argument:ident: $type:ty => $variant:ident($value:expr)) => {
        #[doc = concat!("Sets the parameter `", stringify!($key), "` of the table above.")]
        #[must_use]
        pub fn $key(self, $argument: $type) -> Self {
            Self(self.0.with(stringify!($key), $crate::spec::ParameterValue::$variant($value)))
        }
    };
}

pub(crate) use {setter, setters};

/// A sequence of schedules, each on its own clock: builders, specs, and custom formulas.
///
/// Each but the last must say how long it lasts.
///
/// ```
/// use lrsched_schedule::{Epochs, Formula, Rates, RunShape, Sequence};
/// use lrsched_schedule::schedules::{constant::Constant, cosine::Cosine};
///
/// /// A rate of your own: it swings around lr.
/// #[derive(Debug, Clone)]
/// struct Swing {
///     lr: f64,
/// }
///
/// impl Formula for Swing {
///     fn rates(&self, t: u64) -> Rates {
///         Rates::of(self.lr * if t % 2 == 0 { 1.5 } else { 0.5 })
///     }
/// }
///
/// let schedule = Constant::new(0.1).lasting(Epochs(1))
///     .then(Sequence::custom(Swing { lr: 0.1 }).lasting(Epochs(1)))
///     .then(Cosine::new(0.1))
///     .build(&RunShape::new(0.1, 4, 10))?;
/// assert_eq!([0, 10, 11, 20, 30].map(|t| schedule.at(t).learning_rate), [0.1, 0.15000000000000002, 0.05, 0.1, 0.05]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sequence {
    pieces: Vec<Piece>,
    problem: Option<UsageError>,
}

impl Sequence {
    pub(crate) fn of_part(part: Result<Part, UsageError>) -> Self {
        match part {
            Ok(part) => Self { pieces: vec![Piece { part, own: None }], problem: None },
            Err(problem) => Self { pieces: Vec::new(), problem: Some(problem) },
        }
    }

    /// A custom formula, on its own clock, that does not depend on the run.
    pub fn custom(formula: impl Formula + 'static) -> Self {
        let formula: Box<dyn Formula> = Box::new(formula);
        Self::of_formula(Arc::new(move |_| Ok(formula.clone())))
    }

    /// A custom formula, on its own clock, built from the lr, semantics and length of its part of the run.
    ///
    /// ```
    /// use lrsched_schedule::{Epochs, Formula, Rates, RunShape, Sequence};
    ///
    /// #[derive(Debug, Clone)]
    /// struct Fall {
    ///     lr: f64,
    ///     steps: u64,
    /// }
    ///
    /// impl Formula for Fall {
    ///     fn rates(&self, t: u64) -> Rates {
    ///         Rates::of(self.lr * (1.0 - t as f64 / self.steps as f64))
    ///     }
    /// }
    ///
    /// let fall = Sequence::custom_with(|span| Ok(Fall { lr: span.lr, steps: span.horizon })).warmup(Epochs(1));
    /// let schedule = fall.build(&RunShape::new(0.8, 3, 4))?;
    /// assert_eq!([0, 2, 4, 8, 12].map(|t| schedule.at(t).learning_rate), [0.0, 0.4, 0.8, 0.4, 0.0]);
    /// # Ok::<(), lrsched_schedule::UsageError>(())
    /// ```
    pub fn custom_with<F: Formula + 'static>(
        make: impl Fn(&Span) -> Result<F, UsageError> + Send + Sync + 'static,
    ) -> Self {
        Self::of_formula(Arc::new(move |span| Ok(Box::new(make(span)?))))
    }

    fn of_formula(make: Make) -> Self {
        Self { pieces: vec![Piece { part: Part::of_formula(), own: Some(make) }], problem: None }
    }

    /// Sets a parameter of the last schedule.
    fn with_last(mut self, key: &str, value: ParameterValue) -> Self {
        if let Some(last) = self.pieces.last_mut() {
            let problem = last.part.values.give(key, value).err();
            self.problem = self.problem.or(problem);
        }
        self
    }

    /// Adds a linear warm-up of this duration before the last schedule.
    #[must_use]
    pub fn warmup(self, duration: impl Into<Duration>) -> Self {
        self.with_last("warmup", ParameterValue::Duration(duration.into()))
    }

    /// The fraction of lr at which the warm-up of the last schedule begins.
    #[must_use]
    pub fn warmup_from(self, fraction: f64) -> Self {
        self.with_last("warmup-from", ParameterValue::Number(fraction))
    }

    /// The duration of the last schedule, excluding its warm-up, before the next one begins.
    #[must_use]
    pub fn lasting(self, duration: impl Into<Duration>) -> Self {
        self.with_last("for", ParameterValue::Duration(duration.into()))
    }

    /// Appends another schedule.
    #[must_use]
    pub fn then(mut self, next: impl Into<Self>) -> Self {
        let next = next.into();
        self.pieces.extend(next.pieces);
        self.problem = self.problem.or(next.problem);
        self
    }

    /// Converts to a spec.
    ///
    /// # Errors
    /// A value out of range; a custom formula, which a spec cannot express.
    pub fn spec(self) -> Result<Spec, UsageError> {
        let parts = self.checked()?.iter().map(|piece| match piece {
            Piece { part, own: None } => Ok(part.clone()),
            _ => crate::usage!("a formula of your own has no spec: it is not in the table of schedules"),
        });
        parts.collect::<Result<_, _>>().map(Spec::of)
    }

    /// Builds the sequence for a run.
    ///
    /// # Errors
    /// Those of [`Schedule::build`].
    pub fn build(self, run: &RunShape) -> Result<Schedule, UsageError> {
        self.fitted(run, 0)
    }

    /// Builds the sequence for the rest of a run from step `since` on, like [`Schedule::build_from`] for a spec.
    ///
    /// # Errors
    /// Those of [`Schedule::build`].
    pub fn build_from(self, run: &RunShape, since: u64) -> Result<Schedule, UsageError> {
        self.fitted(run, since)
    }

    pub(crate) fn fitted(&self, run: &RunShape, since: u64) -> Result<Schedule, UsageError> {
        Schedule::assemble(self.checked()?, run, since)
    }

    /// The schedules, at least one, if every value was valid.
    fn checked(&self) -> Result<&[Piece], UsageError> {
        self.problem.clone().map_or(Ok(&self.pieces), Err)
    }

    pub(crate) fn part(&self, at: usize) -> &Part {
        &self.pieces[at].part
    }

    pub(crate) fn is_sequence(&self) -> bool {
        self.pieces.len() > 1
    }

    /// The parameters given in it, with the index of their schedule.
    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, &'static Parameter, &ParameterValue)> {
        let pieces = self.pieces.iter().enumerate();
        pieces.flat_map(|(at, piece)| piece.part.values.given().map(move |(parameter, value)| (at, parameter, value)))
    }

    /// The sequence with one parameter of one schedule reset to its default.
    pub(crate) fn without(&self, at: usize, key: &str) -> Self {
        let mut sequence = self.clone();
        sequence.pieces[at].part.values.remove(key);
        sequence
    }

    /// The sequence with one parameter of one schedule set to another value; `None` if that is invalid.
    pub(crate) fn with(&self, at: usize, key: &str, value: ParameterValue) -> Option<Self> {
        let mut sequence = self.clone();
        sequence.pieces[at].part.values.give(key, value).ok()?;
        Some(sequence)
    }
}

impl From<Spec> for Sequence {
    fn from(spec: Spec) -> Self {
        Self::from(&spec)
    }
}

impl From<&Spec> for Sequence {
    fn from(spec: &Spec) -> Self {
        Self { pieces: spec.parts().iter().map(Piece::from).collect(), problem: None }
    }
}
