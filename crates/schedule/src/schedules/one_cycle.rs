//! The one-cycle policy.

use super::curve::{CycledMomentum, Easing};
use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known, Scalar};
use crate::spec::{Bounds, Entry, Parameter, words};
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics};

/// One cycle: up to `max_lr`, then down to far below the initial rate; momentum cycles inversely.
///
/// ```text
/// max_lr / div_factor  →  max_lr  →  max_lr / div_factor / final_div_factor
/// ```
///
/// | parameter          | unit          | range      | default       |
/// |--------------------|---------------|------------|---------------|
/// | `max-lr`           | rate          | ≥ 0        | 1x (lr)       |
/// | `pct-start`        | part of T     | [0, 1]     | 0.3           |
/// | `div-factor`       | ratio         | > 0        | 25            |
/// | `final-div-factor` | ratio         | > 0        | 1e4           |
/// | `anneal`           | cos or linear |            | cos           |
/// | `three-phase`      | switch        |            | off           |
/// | `base-momentum`    | momentum      | [0, 1)     | 0.85          |
/// | `max-momentum`     | momentum      | [0, 1)     | 0.95          |
/// | `cycle-momentum`   | switch        |            | on            |
///
/// The peak is at t = pct_start · T − 1 and the end at the last step, T − 1, as in PyTorch's `OneCycleLR`. With
/// `three-phase` the fall to max_lr / div_factor takes as long as the rise, and the rate anneals to its final value
/// over the rest of the run.
///
/// With `--semantics optax` the peak is at ⌊pct_start · T⌋ and the end at T, which is never reached; `anneal=linear` is
/// then optax's `linear_onecycle_schedule`, which returns to max_lr / div_factor at ⌊0.85 · T⌋. Keras has no one-cycle
/// schedule; its semantics are PyTorch's.
///
/// L. N. Smith & N. Topin, Super-Convergence (2018).
///
#[doc = include_str!("../../pictures/one-cycle.svg")]
///
/// Draw it: `lrsched show --schedule one-cycle:max-lr=0.4`
///
/// # Errors
/// A value out of range, or divisors so small that the rate is not finite.
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let spec = "one-cycle:max-lr=1,div-factor=4,final-div-factor=10,pct-start=0.3,anneal=linear".parse()?;
/// let schedule = Schedule::build(&spec, &RunShape::new(0.1, 10, 10))?;
/// assert_eq!([0, 29, 64].map(|t| schedule.at(t).learning_rate), [0.25, 1.0, 0.5125]);
/// assert!((schedule.at(99).learning_rate - 0.025).abs() < 1e-15);
/// assert_eq!([0, 29].map(|t| schedule.at(t).momentum), [Some(0.95), Some(0.85)]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct OneCycle(Builder);

setters!(OneCycle, "one-cycle", max_lr: rate, pct_start: number, div_factor: number, final_div_factor: number, anneal: Anneal, three_phase: switch, base_momentum: number, max_momentum: number, cycle_momentum: switch);

words! {
    /// The shape of rise and fall in [`OneCycle`].
    pub enum Anneal {
        Cos = "cos",
        Linear = "linear",
    }
}

#[derive(Debug, Clone)]
struct Curve {
    shape: Easing,
    momentum: Option<CycledMomentum>,
    /// The phases, in order.
    phases: Vec<Phase>,
    max: f64,
    /// The step at which PyTorch reaches the peak.
    top: f64,
    known: Known,
}

/// A phase; it begins where the previous one ended (the first at step 0).
#[derive(Debug, Clone, Copy)]
struct Phase {
    end: f64,
    from: f64,
    to: f64,
    /// The momentum's position at the start and end of the phase: 0 as at the lowest rate, 1 as at the highest.
    cycle: (f64, f64),
}

/// Where optax's linear one-cycle returns to its initial rate, as a fraction of T.
const OPTAX_LINEAR_PCT_FINAL: f64 = 0.85;

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "one-cycle",
        summary: "up to max-lr, then down far below the initial rate, with momentum cycling inversely",
        formula: "max_lr / div_factor -> max_lr at pct_start * T - 1 -> max_lr / div_factor / final_div_factor at T - 1; with optax semantics at floor(pct_start * T) and T",
        parameters: &[
            Parameter::rate("max-lr", "1x", "highest rate (1x is lr)"),
            Parameter::number("pct-start", Bounds::UNIT, "0.3", "fraction of the run spent rising"),
            Parameter::number("div-factor", Bounds::above(0.0), "25", "max-lr / first rate"),
            Parameter::number("final-div-factor", Bounds::above(0.0), "1e4", "first rate / last rate"),
            Parameter::choice("anneal", &Anneal::NAMES, "cos", "shape of rise and fall"),
            Parameter::switch(
                "three-phase",
                "false",
                "three phases: fall as slowly as rising, then anneal to the last rate",
            ),
            Parameter::number("base-momentum", Bounds::BELOW_ONE, "0.85", "momentum at the highest rate"),
            Parameter::number("max-momentum", Bounds::BELOW_ONE, "0.95", "momentum at the lowest rate"),
            Parameter::switch("cycle-momentum", "true", "cycle the momentum inversely to the rate"),
        ],
        source: "Smith & Topin, Super-Convergence; PyTorch OneCycleLR; optax cosine_onecycle_schedule",
        entrant: Some("one-cycle"),
    },
    frameworks: &[Semantics::Torch, Semantics::Optax],
    build: |a| {
        let shape = match a.choice("anneal", Anneal::named) {
            Anneal::Cos => Easing::Cosine,
            Anneal::Linear => Easing::Linear,
        };
        let pct = a.number("pct-start");
        let max = a.rate("max-lr")?;
        let first = max / a.number("div-factor");
        let last = first / a.number("final-div-factor");
        let total = a.horizon as f64;
        let three_phase = a.switch("three-phase");
        // The end of the rise, of the fall back to the initial rate (if any), and of the last phase.
        let (peak, back, end) = if a.semantics == Semantics::Optax {
            let back = match shape {
                Easing::Linear => Some(OPTAX_LINEAR_PCT_FINAL * total),
                _ => three_phase.then_some(2.0 * pct * total),
            };
            ((pct * total).floor(), back.map(f64::floor), total)
        } else {
            (pct * total - 1.0, three_phase.then_some(2.0 * pct * total - 2.0), total - 1.0)
        };
        let up = Phase { end: peak, from: first, to: max, cycle: (0.0, 1.0) };
        let phases = match back {
            Some(back) => vec![
                up,
                Phase { end: back, from: max, to: first, cycle: (1.0, 0.0) },
                Phase { end, from: first, to: last, cycle: (0.0, 0.0) },
            ],
            None => vec![up, Phase { end, from: max, to: last, cycle: (1.0, 0.0) }],
        };
        let momentum = CycledMomentum::read(a, true);
        let known = Known::OneCycle {
            max,
            total: a.horizon,
            pct_start: pct,
            div_factor: a.number("div-factor"),
            final_div_factor: a.number("final-div-factor"),
            linear: shape == Easing::Linear,
            three_phase,
            optax: a.semantics == Semantics::Optax,
            momentum: momentum.map(CycledMomentum::known),
        };
        Ok(Box::new(Curve { shape, momentum, phases, max, top: pct * total - 1.0, known }))
    },
}];

impl Curve {
    fn rate<N: Scalar>(&self, t: N) -> N {
        self.through(0, t, &|phase| (phase.from, phase.to))
    }

    fn momentum<N: Scalar>(&self, t: N) -> Option<N> {
        let m = self.momentum?;
        let ends = [m.max, m.base];
        Some(self.through(0, t, &|phase| (ends[phase.cycle.0 as usize], ends[phase.cycle.1 as usize])))
    }

    /// The value at `t` of what has these `ends` in each phase, from the phase `at` on.
    fn through<N: Scalar>(&self, at: usize, t: N, ends: &dyn Fn(Phase) -> (f64, f64)) -> N {
        let phase = self.phases[at];
        let start = if at == 0 { 0.0 } else { self.phases[at - 1].end };
        let (from, to) = ends(phase);
        let is_last = at + 1 == self.phases.len();
        let within = |t: N| {
            // A phase of zero length is skipped.
            if phase.end <= start {
                return to.into();
            }
            let x = (t - start) / (phase.end - start);
            // Past the end, the last phase holds its final value.
            let x = if is_last { x.minimum(1.0) } else { x };
            x.until_1(|x| if from == to { to.into() } else { self.shape.between(from, to, x) }, to)
        };
        if is_last { within(t) } else { t.up_to(phase.end, within, |t| self.through(at + 1, t, ends)) }
    }
}

impl Formula for Curve {
    fn outline(&self) -> Outline {
        Outline { peak: Some(self.max), top: Some(self.top), rises: true, ..Outline::default() }
    }

    fn applies_lr(&self) -> bool {
        false
    }

    fn rates(&self, t: u64) -> Rates {
        let t = t as f64;
        Rates { learning_rate: self.rate(t), momentum: self.momentum(t) }
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(self.rate(Expression::Step)).with_momentum(self.momentum(Expression::Step)))
    }

    fn known(&self) -> Option<Known> {
        Some(self.known.clone())
    }
}
