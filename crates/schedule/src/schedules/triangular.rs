//! Cyclical rates: `triangular` and its two variants with shrinking cycles.

use super::curve::CycledMomentum;
use crate::arguments::Arguments;
use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar, Swing};
use crate::error::UsageError;
use crate::spec::{Bounds, Entry, Parameter};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics, Unit};

/// Cyclical rates: linearly from lr up to `max_lr` and back down, repeatedly.
///
/// ```text
/// rate(t) = lr + (max_lr − lr) · max(0, 1 − x)
/// c = ⌊1 + t / 2s⌋,  x = |t / s − 2c + 1|        s: step-size, half a cycle
/// ```
///
/// | parameter        | unit     | range    | default                      |
/// |------------------|----------|----------|------------------------------|
/// | `max-lr`         | rate     | ≥ 0      | 3x (three times lr)          |
/// | `step-size`      | duration | ≥ 1 step | 2ep; a plain number is steps |
/// | `step-size-down` | duration | ≥ 1 step | as `step-size`               |
/// | `base-momentum`  | momentum | [0, 1)   | 0.85 if `max-momentum` given |
/// | `max-momentum`   | momentum | [0, 1)   | 0.95 if `base-momentum` given|
/// | `cycle-momentum` | switch   |          | on if one of them is given   |
///
/// If momentum cycles, it is `base-momentum` at the highest rate and `max-momentum` at the lowest.
/// L. N. Smith, Cyclical Learning Rates for Training Neural Networks (2017); PyTorch's `CyclicLR`.
///
#[doc = include_str!("../../pictures/triangular.svg")]
///
/// Draw it: `lrsched show --schedule triangular:max-lr=0.5,step-size=4ep`
///
/// # Errors
/// A negative `max-lr`, a `step-size` of 0, a momentum outside [0, 1).
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let spec = "triangular:max-lr=0.75,step-size=10,base-momentum=0.8".parse()?;
/// let schedule = Schedule::build(&spec, &RunShape::new(0.25, 4, 10))?;
/// assert_eq!([0, 5, 10, 15, 20, 30].map(|t| schedule.at(t).learning_rate), [0.25, 0.5, 0.75, 0.5, 0.25, 0.75]);
/// assert_eq!([0, 10].map(|t| schedule.at(t).momentum), [Some(0.95), Some(0.8)]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Triangular(Builder);

setters!(Triangular, "triangular", max_lr: rate, step_size: duration, step_size_down: duration, base_momentum: number, max_momentum: number, cycle_momentum: switch);

/// Cyclical rates whose amplitude is halved each cycle.
///
/// ```text
/// rate(t) = lr + (max_lr − lr) · max(0, 1 − x) / 2^(c − 1)        x, c: as in `triangular`
/// ```
///
/// The parameters are those of [`Triangular`]; the amplitude of cycling momentum shrinks too.
/// L. N. Smith, Cyclical Learning Rates for Training Neural Networks (2017); PyTorch's `CyclicLR(mode="triangular2")`.
///
#[doc = include_str!("../../pictures/triangular2.svg")]
///
/// Draw it: `lrsched show --schedule triangular2:max-lr=0.5,step-size=4ep`
///
/// # Errors
/// A negative `max-lr`, a `step-size` of 0, a momentum outside [0, 1).
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let schedule = Schedule::build(&"triangular2:max-lr=0.75,step-size=10".parse()?, &RunShape::new(0.25, 5, 10))?;
/// assert_eq!([0, 10, 20, 30, 40].map(|t| schedule.at(t).learning_rate), [0.25, 0.75, 0.25, 0.5, 0.25]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Triangular2(Builder);

setters!(Triangular2, "triangular2", max_lr: rate, step_size: duration, step_size_down: duration, base_momentum: number, max_momentum: number, cycle_momentum: switch);

/// Cyclical rates whose amplitude shrinks with every step.
///
/// ```text
/// rate(t) = lr + (max_lr − lr) · max(0, 1 − x) · gamma^t        x: as in `triangular`
/// ```
///
/// | parameter | unit  | range  | default |
/// |-----------|-------|--------|---------|
/// | `gamma`   | ratio | (0, 1] | 0.99994 |
///
/// The other parameters are those of [`Triangular`]; the amplitude of cycling momentum shrinks too.
/// L. N. Smith, Cyclical Learning Rates for Training Neural Networks (2017); PyTorch's `CyclicLR(mode="exp_range")`.
///
#[doc = include_str!("../../pictures/exp-range.svg")]
///
/// Draw it: `lrsched show --schedule exp-range:max-lr=0.5,step-size=4ep,gamma=0.9998`
///
/// # Errors
/// A `gamma` outside (0, 1], a negative `max-lr`, a `step-size` of 0, a momentum outside [0, 1).
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let spec = "exp-range:max-lr=0.5,step-size=10,gamma=0.9".parse()?;
/// let schedule = Schedule::build(&spec, &RunShape::new(0.1, 5, 10))?;
/// assert_eq!([0, 20, 40].map(|t| schedule.at(t).learning_rate), [0.1; 3]);
/// assert_eq!(schedule.at(30).learning_rate, 0.1 + 0.4 * 0.9_f64.powf(30.0));
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ExpRange(Builder);

setters!(ExpRange, "exp-range", max_lr: rate, step_size: duration, step_size_down: duration, base_momentum: number, max_momentum: number, cycle_momentum: switch, gamma: number);

const MAX_LR: Parameter = Parameter::rate("max-lr", "3x", "peak rate (3x is three times lr)");
const STEP_SIZE: Parameter = Parameter::duration("step-size", Unit::Steps, "2ep", "duration of the rise, half a cycle");
const STEP_SIZE_DOWN: Parameter =
    Parameter::duration("step-size-down", Unit::Steps, "", "duration of the fall (default: step-size)");
const BASE_MOMENTUM: Parameter = Parameter::number(
    "base-momentum",
    Bounds::BELOW_ONE,
    "",
    "momentum at the highest rate (0.85 if max-momentum is given)",
);
const MAX_MOMENTUM: Parameter = Parameter::number(
    "max-momentum",
    Bounds::BELOW_ONE,
    "",
    "momentum at the lowest rate (0.95 if base-momentum is given)",
);
const CYCLE_MOMENTUM: Parameter =
    Parameter::switch("cycle-momentum", "", "cycle the momentum (default: if one of the two is given)");
const GAMMA: Parameter =
    Parameter::number("gamma", Bounds::POSITIVE_UNIT, "0.99994", "factor of the amplitude per step");

pub(super) const ROWS: &[ScheduleRow] = &[
    ScheduleRow {
        entry: Entry {
            name: "triangular",
            summary: "linear cycles between lr and max-lr",
            formula: "rate(t) = lr + (max_lr - lr) * max(0, 1 - x),  c = floor(1 + t / (2s)),  x = abs(t / s - 2c + 1),  s = step-size",
            parameters: &[MAX_LR, STEP_SIZE, STEP_SIZE_DOWN, BASE_MOMENTUM, MAX_MOMENTUM, CYCLE_MOMENTUM],
            source: "Smith, Cyclical Learning Rates; PyTorch CyclicLR",
            entrant: Some("triangular:max-lr=6x,step-size=25%"),
        },
        frameworks: &[Semantics::Torch],
        build: |a| Ok(Box::new(Cycle::read(a, Swing::Full)?)),
    },
    ScheduleRow {
        entry: Entry {
            name: "triangular2",
            summary: "triangular, with the amplitude halved every cycle",
            formula: "rate(t) = lr + (max_lr - lr) * max(0, 1 - x) / 2^(c - 1),  x and c as in triangular",
            parameters: &[MAX_LR, STEP_SIZE, STEP_SIZE_DOWN, BASE_MOMENTUM, MAX_MOMENTUM, CYCLE_MOMENTUM],
            source: "Smith, Cyclical Learning Rates; PyTorch CyclicLR(mode=\"triangular2\")",
            entrant: Some("triangular2:max-lr=6x,step-size=25%"),
        },
        frameworks: &[Semantics::Torch],
        build: |a| Ok(Box::new(Cycle::read(a, Swing::Halved)?)),
    },
    ScheduleRow {
        entry: Entry {
            name: "exp-range",
            summary: "triangular, with the amplitude shrinking at every step",
            formula: "rate(t) = lr + (max_lr - lr) * max(0, 1 - x) * gamma^t,  x as in triangular",
            parameters: &[MAX_LR, STEP_SIZE, STEP_SIZE_DOWN, GAMMA, BASE_MOMENTUM, MAX_MOMENTUM, CYCLE_MOMENTUM],
            source: "Smith, Cyclical Learning Rates; PyTorch CyclicLR(mode=\"exp_range\")",
            entrant: Some("exp-range:max-lr=6x,step-size=25%"),
        },
        frameworks: &[Semantics::Torch],
        build: |a| Ok(Box::new(Cycle::read(a, Swing::Gamma(a.number("gamma")))?)),
    },
];

/// A rate that rises linearly from lr to `max` and falls back.
#[derive(Debug, Clone)]
struct Cycle {
    lr: f64,
    max: f64,
    /// In steps.
    up: u64,
    /// In steps.
    down: u64,
    swing: Swing,
    momentum: Option<CycledMomentum>,
}

impl Cycle {
    fn read(a: &Arguments, swing: Swing) -> Result<Self, UsageError> {
        let up = a.steps("step-size");
        Ok(Self {
            lr: a.lr,
            max: a.rate("max-lr")?,
            up,
            down: if a.given("step-size-down") { a.steps("step-size-down") } else { up },
            swing,
            momentum: CycledMomentum::read(a, false),
        })
    }

    /// 0 at the lowest rate of the first cycle, 1 at its highest.
    fn height<N: Scalar>(&self, t: N) -> N {
        let (up, down, length) = (self.up as f64, self.down as f64, (self.up + self.down) as f64);
        let u = t.clone().modulo(length);
        let x = u.up_to(up, |u| u / up, |u| (N::from(length) - u) / down);
        match self.swing {
            Swing::Full => x,
            Swing::Halved => x * N::from(0.5).power((t / length).floored()),
            Swing::Gamma(gamma) => x * N::from(gamma).power(t),
        }
    }

    fn rate<N: Scalar>(&self, height: N) -> N {
        height * (self.max - self.lr) + self.lr
    }

    fn momentum<N: Scalar>(&self, height: N) -> Option<N> {
        let m = self.momentum?;
        Some(N::from(m.max) - height * (m.max - m.base))
    }
}

impl Formula for Cycle {
    fn outline(&self) -> Outline {
        Outline { peak: Some(self.max), top: Some(self.up as f64), rises: true, ..Outline::default() }
    }

    fn rates(&self, t: u64) -> Rates {
        let height = self.height(t as f64);
        Rates { learning_rate: self.rate(height), momentum: self.momentum(height) }
    }

    fn code(&self) -> Option<Code> {
        let height = self.height(Expression::Step);
        Some(Code::of(self.rate(height.clone())).with_momentum(self.momentum(height)))
    }

    fn known(&self) -> Option<Known> {
        let (lr, max, up, down, swing) = (self.lr, self.max, self.up, self.down, self.swing);
        Some(Known::Cyclic { lr, max, up, down, swing, momentum: self.momentum.map(CycledMomentum::known) })
    }
}
