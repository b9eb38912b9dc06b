//! A constant rate.

use crate::builder::{Builder, setters};
use crate::code::{Code, Known};
use crate::spec::Entry;
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics};

/// Constant rate: the baseline.
///
/// ```text
/// rate(t) = lr
/// ```
///
#[doc = include_str!("../../pictures/constant.svg")]
///
/// Draw it: `lrsched show --schedule constant`
///
/// ```
/// use lrsched_schedule::{Schedule, RunShape};
/// let schedule = Schedule::build(&"constant".parse()?, &RunShape::new(0.1, 2, 10))?;
/// assert_eq!([0, 19, 20].map(|t| schedule.at(t).learning_rate), [0.1; 3]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Constant(Builder);

setters!(Constant, "constant");

#[derive(Debug, Clone)]
struct Curve {
    lr: f64,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "constant",
        summary: "a constant rate",
        formula: "rate(t) = lr",
        parameters: &[],
        source: "the baseline",
        entrant: Some("constant"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| Ok(Box::new(Curve { lr: a.lr })),
}];

impl Formula for Curve {
    fn outline(&self) -> Outline {
        Outline { free: true, ..Outline::default() }
    }

    fn rates(&self, _t: u64) -> Rates {
        Rates::of(self.lr)
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(self.lr.into()))
    }

    fn known(&self) -> Option<Known> {
        Some(Known::Constant { lr: self.lr })
    }
}
