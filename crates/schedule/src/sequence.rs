//! A spec built for a run: one or more schedules in sequence, each after its warm-up and on its own clock.

use super::arguments::{Arguments, Span};
use super::code::Scalar;
use super::duration::MOST_STEPS;
use super::{Clock, Duration, EpochMetrics, Formula, Metric, Outline, Rates, RunShape, Spec, Unit};
use crate::error::UsageError;
use crate::spec::Part;
use crate::usage;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Runs up to this length are checked at every step, longer ones at this many evenly spaced steps and the end.
const MOST_CHECKED: u64 = 10_000_000;

/// T = epochs · S.
///
/// # Errors
/// The number of steps overflows.
pub fn total_steps(epochs: u64, steps_per_epoch: u64) -> Result<u64, UsageError> {
    match epochs.checked_mul(steps_per_epoch) {
        Some(steps) if steps <= MOST_STEPS => Ok(steps),
        _ => usage!("a run has at most {MOST_STEPS} steps, got {epochs} epochs of {steps_per_epoch}"),
    }
}

/// A schedule built for a run.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// At least one, in order of time; a single schedule is a sequence of one.
    pub(super) stages: Vec<Stage>,
    /// T: the rate is held from here on.
    pub(super) total_steps: u64,
    /// S.
    steps_per_epoch: u64,
}

/// Constructs a custom formula, which is not in the table.
pub(crate) type Make = Arc<dyn Fn(&Span) -> Result<Box<dyn Formula>, UsageError> + Send + Sync>;

/// One schedule of a sequence, not yet built for a run.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) part: Part,
    /// Constructs its formula instead of the table's row.
    pub(crate) own: Option<Make>,
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.part.fmt(f)
    }
}

impl From<&Part> for Piece {
    fn from(part: &Part) -> Self {
        Self { part: part.clone(), own: None }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// The step of the run at which this stage begins, including its warm-up if any.
    pub(super) begin: u64,
    /// The step of the run at which the formula's own clock starts.
    pub(super) start: u64,
    pub(super) warmup_from: f64,
    /// lr: the rate at the end of the warm-up.
    pub(super) lr: f64,
    pub(super) formula: Box<dyn Formula>,
    /// The intended course, including the warm-up.
    pub(super) outline: Outline,
}

/// Where a stage begins, and how much of the run remains.
#[derive(Debug, Clone, Copy)]
struct Begins {
    begin: u64,
    /// The remaining steps of the run, which percentages refer to.
    left: u64,
    /// The end of the run, for the last stage.
    end: Option<u64>,
}

impl Begins {
    /// The step at which a stage ends, given the start of its own clock and its length.
    fn end(self, piece: &Piece, start: u64, length: Option<Duration>, run: &RunShape) -> Result<u64, UsageError> {
        let name = piece.part.name();
        match (length, self.end) {
            (Some(length), Some(_)) => {
                usage!("{name}: for={} is only for a schedule that another one follows", length.short(Unit::Epochs))
            }
            (None, None) if piece.own.is_some() => {
                usage!("{name}: how long? In a sequence each but the last needs it, for example `.lasting(Epochs(5))`")
            }
            (None, None) => usage!(
                "{name}: how long? In a sequence each but the last needs for=DURATION, for example `{name}:for=5ep`"
            ),
            (Some(length), None) => Ok(start + length.steps(run.steps_per_epoch, self.left).max(1)),
            (None, Some(end)) => Ok(end),
        }
    }
}

impl Stage {
    /// Builds the stage of a piece; returns it and its end.
    fn of(piece: &Piece, run: &RunShape, begins: Begins) -> Result<(Self, u64), UsageError> {
        let part = &piece.part;
        let universal = part.universal(run.learning_rate)?;
        let lr = universal.lr;
        let steps = |duration: Duration| duration.steps(run.steps_per_epoch, begins.left);
        let start = begins.begin + universal.warmup.map_or(0, steps);
        let end = begins.end(piece, start, universal.length, run)?;
        let horizon = end.saturating_sub(start).max(1);
        let span = Span { lr, semantics: run.semantics, steps_per_epoch: run.steps_per_epoch, horizon };
        let formula = match &piece.own {
            Some(make) => make(&span)?,
            None => (part.row.build)(&Arguments { part, span })?,
        };
        let mut outline = formula.outline();
        if universal.warmup.is_some() && universal.warmup_from < 1.0 {
            outline.peak = outline.peak.or(Some(lr));
        }
        let warmup_from = universal.warmup_from;
        Ok((Self { begin: begins.begin, start, warmup_from, lr, formula, outline }, end))
    }

    /// The rate at step `t` of its warm-up.
    pub(super) fn warmup<N: Scalar>(&self, t: N) -> N {
        let (steps, from) = ((self.start - self.begin) as f64, self.warmup_from);
        (t * (1.0 - from) / steps + from) * self.lr
    }
}

impl Schedule {
    /// Builds a spec for a run.
    ///
    /// # Errors
    /// A value out of range, a sequence whose parts do not state their lengths, a rate that is negative or not finite
    /// anywhere in the run.
    pub fn build(spec: &Spec, run: &RunShape) -> Result<Self, UsageError> {
        Self::build_from(spec, run, 0)
    }

    /// Builds a spec for the rest of a run, from step `since` on. Its clock starts there, and its horizon T, which
    /// percentages refer to, is the rest of the run: step `since + t` has the rates that step `t` has in a run of that
    /// length. Earlier steps have the rates of step `since`.
    ///
    /// ```
    /// use lrsched_schedule::{Schedule, RunShape};
    /// let spec = "linear:warmup=50%".parse()?;
    /// let rest = Schedule::build_from(&spec, &RunShape::new(0.08, 4, 4), 8)?; // step 8 of 16
    /// assert_eq!([8, 10, 12, 14].map(|t| rest.at(t).learning_rate), [0.0, 0.04, 0.08, 0.04]);
    /// # Ok::<(), lrsched_schedule::UsageError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Schedule::build`].
    pub fn build_from(spec: &Spec, run: &RunShape, since: u64) -> Result<Self, UsageError> {
        let pieces: Vec<Piece> = spec.parts().iter().map(Piece::from).collect();
        Self::assemble(&pieces, run, since)
    }

    pub(crate) fn assemble(pieces: &[Piece], run: &RunShape, since: u64) -> Result<Self, UsageError> {
        let total_steps = total_steps(run.epochs, run.steps_per_epoch)?;
        if total_steps == 0 {
            return usage!(
                "a schedule needs a run of at least 1 step, got {} epochs of {} steps",
                run.epochs,
                run.steps_per_epoch
            );
        }
        let left = total_steps.saturating_sub(since).max(1);
        let (mut stages, mut begin) = (Vec::new(), since);
        for (at, piece) in pieces.iter().enumerate() {
            let begins = Begins { begin, left, end: (at + 1 == pieces.len()).then_some(total_steps) };
            let (stage, end) = Stage::of(piece, run, begins)?;
            stages.push(stage);
            begin = end;
        }
        let schedule = Self { stages, total_steps, steps_per_epoch: run.steps_per_epoch };
        schedule.refuse_bad_rates(pieces)?;
        Ok(schedule)
    }

    /// Values that are each in range can still overflow in combination, or fall below 0.
    fn refuse_bad_rates(&self, pieces: &[Piece]) -> Result<(), UsageError> {
        for t in self.checked_steps(self.since()) {
            let rate = self.at(t).learning_rate;
            if !(rate.is_finite() && rate >= 0.0) {
                let at = self.position(t);
                let part = match &pieces[at] {
                    Piece { own: Some(_), .. } => format!("{:?}", self.stages[at].formula),
                    Piece { part, .. } => part.to_string(),
                };
                let epoch = t / self.steps_per_epoch;
                return usage!(
                    "{part}: the rate must be finite and at least 0 in the whole run, got {rate} at step {t} (epoch {epoch})"
                );
            }
        }
        Ok(())
    }

    /// The steps to check from `from` on: all of them or an evenly spaced selection, and the end.
    pub(crate) fn checked_steps(&self, from: u64) -> impl Iterator<Item = u64> {
        let stride = (self.total_steps / MOST_CHECKED).max(1) as usize;
        (from..self.total_steps).step_by(stride).chain([self.total_steps - 1, self.total_steps])
    }

    /// The highest rate and the highest momentum from step `from` on, as far as known now.
    pub fn highest(&self, from: u64) -> Rates {
        let zero = Rates::of(0.0);
        self.checked_steps(from).map(|t| self.at(t)).fold(zero, |highest, rates| Rates {
            learning_rate: highest.learning_rate.max(rates.learning_rate),
            momentum: match (highest.momentum, rates.momentum) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            },
        })
    }

    /// The lowest momentum from step `from` on, as far as known now; `None` if it is never set.
    pub fn lowest_momentum(&self, from: u64) -> Option<f64> {
        self.checked_steps(from).filter_map(|t| self.at(t).momentum).reduce(f64::min)
    }

    /// A pure function of the clock (and, for `halve` and `plateau`, of what has been observed so far).
    pub fn rates(&self, clock: Clock) -> Rates {
        self.at(clock.step)
    }

    /// The rates of step `t` of the run. Past the end the rate is held, and never rises.
    pub fn at(&self, t: u64) -> Rates {
        if t < self.total_steps {
            return self.within(t);
        }
        let (last, end) = (self.within(self.total_steps - 1), self.within(self.total_steps));
        if end.learning_rate <= last.learning_rate { end } else { last }
    }

    /// The step of the run at which its clock starts.
    fn since(&self) -> u64 {
        self.stages[0].begin
    }

    fn within(&self, t: u64) -> Rates {
        let t = t.max(self.since());
        let stage = self.stage(t);
        if t >= stage.start {
            return stage.formula.rates(t - stage.start);
        }
        let learning_rate = stage.warmup((t - stage.begin) as f64);
        Rates { learning_rate, momentum: stage.formula.rates(0).momentum }
    }

    fn stage(&self, t: u64) -> &Stage {
        &self.stages[self.position(t)]
    }

    fn position(&self, t: u64) -> usize {
        self.stages.partition_point(|stage| stage.begin <= t).saturating_sub(1)
    }

    /// Called once after each epoch. Only `halve` and `plateau` listen, once their own clock has started.
    pub fn observe(&mut self, metrics: &EpochMetrics) {
        let next = (metrics.epoch + 1) * self.steps_per_epoch;
        let at = self.position(next - 1);
        let stage = &mut self.stages[at];
        if next > stage.start {
            stage.formula.observe(next - stage.start, metrics);
        }
    }

    /// The metrics that the schedule listens to; empty for a pure function of the clock.
    pub fn listens_to(&self) -> Vec<Metric> {
        self.stages.iter().flat_map(|stage| stage.formula.listens_to()).collect()
    }

    /// What `observe` has changed, for a checkpoint; null for a pure schedule. As JSON text, its rates read back to the same bits only with
    /// serde_json's feature `float_roundtrip`.
    pub fn state(&self) -> Value {
        let states: Vec<Value> = self.stages.iter().map(|stage| stage.formula.state()).collect();
        if states.iter().all(Value::is_null) { Value::Null } else { Value::Array(states) }
    }

    /// # Errors
    /// The state belongs to another schedule.
    pub fn restore(&mut self, state: &Value) -> Result<(), UsageError> {
        let count = self.stages.len();
        let states = match state {
            Value::Null => &vec![Value::Null; count][..],
            Value::Array(states) if states.len() == count => states,
            // Older checkpoints have a constant schedule before one that began within a run.
            Value::Array(states) if self.since() > 0 && states.len() == count + 1 && states[0].is_null() => {
                &states[1..]
            }
            _ => return usage!("the saved state is of another schedule"),
        };
        self.stages.iter_mut().zip(states).try_for_each(|(stage, state)| stage.formula.restore(state))
    }
}
