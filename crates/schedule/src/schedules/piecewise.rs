//! Piecewise constant rates.

use crate::builder::{Builder, setters};
use crate::code::{Code, Expression, Known};
use crate::spec::{Bounds, Entry, Parameter, ParameterKind};
use crate::usage;
use crate::{Formula, Outline, Rates, ScheduleRow, Semantics, Unit};

/// Piecewise constant: a drop at each milestone.
///
/// ```text
/// rate(e) = lr · factor^(number of milestones ≤ e)        or, with values: values[number of milestones ≤ e]
/// ```
///
/// | parameter    | unit      | range                    | default |
/// |--------------|-----------|--------------------------|---------|
/// | `milestones` | durations | ascending                | 50%,75% |
/// | `factor`     | ratio     | ≥ 0                      | 0.1     |
/// | `values`     | rates     | one more than milestones |         |
///
/// The drop happens at the milestone itself, as in PyTorch's `MultiStepLR` and optax's `piecewise_constant_schedule`.
/// Keras's `PiecewiseConstantDecay` keeps the old value at its boundary and drops one step later: `--semantics keras`.
/// A milestone of 1.5 epochs takes effect at e = 2; under the frameworks' semantics it is counted in steps.
///
#[doc = include_str!("../../pictures/piecewise.svg")]
///
/// Draw it: `lrsched show --schedule piecewise:milestones=15,25`
///
/// # Errors
/// Milestones that are not ascending, a `factor` that is negative or makes a rate infinite, a number of `values` other
/// than one more than the milestones.
///
/// ```
/// use lrsched_schedule::{Schedule, Semantics, RunShape};
/// let setting = RunShape::new(1.0, 4, 10);
/// let spec = "piecewise:milestones=1,3,values=0.5,0.2,0.1".parse()?;
/// let torch = Schedule::build(&spec, &setting)?;
/// assert_eq!([0, 9, 10, 11, 30, 99].map(|t| torch.at(t).learning_rate), [0.5, 0.5, 0.2, 0.2, 0.1, 0.1]);
/// let keras = Schedule::build(&spec, &setting.with(Semantics::Keras))?;
/// assert_eq!([0, 9, 10, 11, 30, 99].map(|t| keras.at(t).learning_rate), [0.5, 0.5, 0.5, 0.2, 0.2, 0.1]);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Piecewise(Builder);

setters!(Piecewise, "piecewise", milestones: durations, factor: number, values: rates);

#[derive(Debug, Clone)]
struct Curve {
    /// The first step of each piece except the first, ascending.
    starts: Vec<u64>,
    /// One more than `starts`.
    values: Vec<f64>,
    /// The factor whose powers times lr the values are.
    factor: Option<f64>,
    /// Whether one of the values is a multiple of lr.
    multiplies_lr: bool,
    /// T.
    horizon: u64,
}

pub(super) const ROWS: &[ScheduleRow] = &[ScheduleRow {
    entry: Entry {
        name: "piecewise",
        summary: "a drop at each milestone, or a list of rates",
        formula: "rate(e) = lr * factor^(number of milestones <= e), or values[number of milestones <= e]; keras semantics drops one step later",
        parameters: &[
            Parameter::new(
                "milestones",
                ParameterKind::Durations(Unit::Epochs),
                "50%,75%",
                "durations from the start, ascending: 15,25; in st or %, or with torch, keras or optax semantics, those that are no whole number of epochs are counted in steps",
            ),
            Parameter::number("factor", Bounds::at_least(0.0), "0.1", "factor at each milestone"),
            Parameter::new(
                "values",
                ParameterKind::Rates,
                "",
                "absolute rates instead of factor, one more than milestones",
            ),
        ],
        source: "PyTorch MultiStepLR; Keras PiecewiseConstantDecay; optax piecewise_constant_schedule",
        entrant: Some("piecewise:milestones=50%,80%,factor=0.2"),
    },
    frameworks: Semantics::FRAMEWORKS,
    build: |a| {
        let durations = a.durations("milestones");
        let mut milestones: Vec<u64> = durations.iter().map(|duration| a.whole_steps(*duration)).collect();
        if !milestones.is_sorted() {
            return a.refuse("milestones", "in ascending order");
        }
        if a.semantics == Semantics::Native {
            // Milestones in epochs take effect at the start of an epoch.
            milestones = durations.into_iter().map(|duration| a.whole_steps(duration.ceil_epochs())).collect();
            // Rounding up may have moved 1.5ep past a milestone in steps.
            milestones.sort_unstable();
        }
        let values = if a.given("values") {
            a.rates("values")?
        } else {
            let factor = a.number("factor");
            (0..=milestones.len()).map(|drops| a.lr * factor.powi(drops as i32)).collect()
        };
        if values.len() != milestones.len() + 1 {
            return usage!(
                "piecewise: values must be one more than milestones, got {} values and {} milestones",
                values.len(),
                milestones.len()
            );
        }
        let late = u64::from(a.semantics == Semantics::Keras);
        let starts = milestones.into_iter().map(|m| m + late).collect();
        Ok(Box::new(Curve {
            starts,
            values,
            factor: (!a.given("values")).then(|| a.number("factor")),
            multiplies_lr: a.multiplies_lr("values"),
            horizon: a.horizon,
        }))
    },
}];

impl Formula for Curve {
    fn cautions(&self) -> Vec<String> {
        let passed = self.starts.partition_point(|&start| start < self.horizon);
        let missed = self.starts.len() - passed;
        // If no milestone is passed, the rate never changes, which another warning reports.
        if passed == 0 || missed == 0 {
            return Vec::new();
        }
        vec![format!("milestones after the end at step {}: {missed} of {}", self.horizon, self.starts.len())]
    }

    fn applies_lr(&self) -> bool {
        self.factor.is_some()
    }

    fn names_lr(&self) -> bool {
        self.factor.is_some() || self.multiplies_lr
    }

    fn outline(&self) -> Outline {
        Outline { free: true, ..Outline::default() }
    }

    fn rates(&self, t: u64) -> Rates {
        Rates::of(self.values[self.starts.partition_point(|&start| start <= t)])
    }

    fn code(&self) -> Option<Code> {
        Some(Code::of(Expression::pieces(&self.starts, &self.values)))
    }

    fn known(&self) -> Option<Known> {
        let Self { starts, values, factor, .. } = self.clone();
        Some(Known::Pieces { starts, values, factor })
    }
}
