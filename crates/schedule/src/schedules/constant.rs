//! A rate that stays.

use crate::{Formula, Kind, Rates, Semantics};
use crate::spec::Entry;

/// Constant rate: the baseline.
///
/// ```text
/// rate(t) = lr
/// ```
///
/// Draw it: `lrsched show --schedule constant`
///
/// ```
/// use lrsched_schedule::{Schedule, Setting};
/// let schedule = Schedule::build(&"constant".parse()?, &Setting::new(0.1, 2, 10))?;
/// assert_eq!([0, 19, 20].map(|t| schedule.at(t).learning_rate), [0.1; 3]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Constant {
    lr: f64,
}

pub(super) const KIND: Kind = Kind {
    entry: Entry {
        name: "constant",
        summary: "a constant rate",
        formula: "rate(t) = lr",
        parameters: &[],
        source: "the baseline",
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| Ok(Box::new(Constant { lr: a.lr })),
};

impl Formula for Constant {
    fn rates(&self, _t: u64) -> Rates {
        Rates::of(self.lr)
    }
}
