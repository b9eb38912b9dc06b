//! Schedules as code for other programs: each formula as an expression of the step, and the function that a program of another
//! language calls.

mod dialect;
mod expression;
mod known;
mod scalar;

pub use dialect::{Dialect, Of, indented};
pub use expression::Expression;
pub use known::{Cycled, Known, Swing};
pub(crate) use scalar::Scalar;

use crate::Schedule;

/// The rates of a formula as expressions of the step on its own clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    pub rate: Expression,
    /// `None` if it does not set the momentum.
    pub momentum: Option<Expression>,
    /// Whether a user wrote it: a part may be infinite or undefined, or too large for f32. None of a schedule of the table is.
    pub is_written: bool,
}

impl Code {
    /// A rate without a momentum.
    pub fn of(rate: Expression) -> Self {
        Self { rate, momentum: None, is_written: false }
    }

    /// The same with a momentum.
    pub(crate) fn with_momentum(self, momentum: Option<Expression>) -> Self {
        Self { momentum, ..self }
    }

    /// A rate as a user wrote it.
    pub(crate) fn written(rate: Expression) -> Self {
        Self { is_written: true, ..Self::of(rate) }
    }
}

/// A stretch of a run with one formula.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The step before which it holds; `None` for the last one.
    pub until: Option<u64>,
    /// The step at which its own clock starts.
    pub start: u64,
    pub code: Code,
}

/// A schedule of a run as code.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// At least one, in order of time.
    pub stretches: Vec<Stretch>,
    /// The rates are held from this step on.
    pub last: u64,
}

impl Program {
    /// Whether it sets the momentum, at any step.
    pub fn has_momentum(&self) -> bool {
        self.stretches.iter().any(|stretch| stretch.code.momentum.is_some())
    }

    /// The rate of a step of the run.
    pub fn rate(&self, step: u64) -> f64 {
        let (code, t) = self.code_at(step);
        code.rate.at(t)
    }

    /// The first step at which a part of what a user wrote is infinite or undefined, so that a program in `dialect` raises an error, or has
    /// another value by its own rules; also in the f32 that it computes in.
    pub fn differs_in(&self, dialect: Dialect) -> Option<u64> {
        if dialect == Dialect::Rust || !self.stretches.iter().any(|stretch| stretch.code.is_written) {
            return None;
        }
        (0..=self.last).find(|step| {
            let (code, t) = self.code_at(*step);
            let same = |code: &Expression| code.value_in(dialect, t).is_some_and(f64::is_finite);
            code.is_written && !(same(&code.rate) && code.momentum.as_ref().is_none_or(same))
        })
    }

    /// The code of a step of the run, and the step on its clock.
    fn code_at(&self, step: u64) -> (&Code, f64) {
        let step = step.min(self.last);
        let last = &self.stretches[self.stretches.len() - 1];
        let stretch =
            self.stretches.iter().find(|stretch| stretch.until.is_none_or(|until| step < until)).unwrap_or(last);
        (&stretch.code, (step - stretch.start) as f64)
    }
}

impl Schedule {
    /// The schedule as code; `None` if a formula of it listens to metrics, or is not an expression of the step.
    pub fn program(&self) -> Option<Program> {
        let mut stretches = Vec::new();
        for (at, stage) in self.stages.iter().enumerate() {
            let code = stage.formula.code()?;
            if stage.start > stage.begin {
                let momentum = code.momentum.as_ref().map(|momentum| momentum.at(0.0).into());
                let rate = stage.warmup::<Expression>(Expression::Step);
                let code = Code::of(rate).with_momentum(momentum);
                stretches.push(Stretch { until: Some(stage.start), start: stage.begin, code });
            }
            let until = self.stages.get(at + 1).map(|next| next.begin);
            stretches.push(Stretch { until, start: stage.start, code });
        }
        let (end, before) = (self.total_steps, self.total_steps - 1);
        // As in `Schedule::at`: past the end it never rises.
        let falls = self.at(end).learning_rate < self.at(before).learning_rate;
        Some(Program { stretches, last: if falls { end } else { before } })
    }

    /// What frameworks have a class for, if the schedule is one of those and nothing else: no sequence, no warm-up.
    pub fn known(&self) -> Option<Known> {
        match self.stages.as_slice() {
            [stage] if stage.start == 0 => stage.formula.known(),
            _ => None,
        }
    }

    /// The same behind a warm-up from 0 of so many steps, or of none.
    pub fn known_after_warmup(&self) -> Option<(u64, Known)> {
        match self.stages.as_slice() {
            [stage] if stage.begin == 0 && (stage.start == 0 || stage.warmup_from == 0.0) => {
                Some((stage.start, stage.formula.known()?))
            }
            _ => None,
        }
    }
}
