//! Entrants to be tuned: their shape, and what each is at a point of its ranges.

use super::{Entrant, EntrantNote, Varied};
use crate::config::{RATE, TuneAxis};
use crate::number::{exact, rounded};
use crate::optim::OptimizerSpec;
use crate::schedule::{RunShape, Spec};
use crate::spec::{Parameter, ParameterKind, Values};
use crate::stats::RATE_DIGITS;
use crate::usage::Usage;
use std::collections::HashSet;

/// What cannot be tuned. Entrants are named as written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TuneError {
    /// A value at an end of a range, or a schedule that cannot be built for the run.
    #[error(transparent)]
    Invalid(#[from] Usage),
    /// Its rates are not proportional to the base rate: an expression with rates of its own.
    #[error("entrant {entrant} cannot be tuned: its rates are no multiples of lr")]
    OwnRates { entrant: String },
    /// Its rate is 0 in the whole run.
    #[error("entrant {entrant} cannot be tuned: its rate is 0 in the whole run")]
    NoRate { entrant: String },
    /// Two entrants differ only in what is tuned.
    #[error("entrants {first} and {second} are the same once tuned")]
    Same { first: String, second: String },
    /// No entrant's optimizer or schedule has this parameter.
    #[error("no entrant takes `{key}`")]
    Untaken { key: String },
    /// The entrants that have this parameter, with other values, are themselves at another rate.
    #[error("{key} only scales the rates, as lr does")]
    OnlyScales { key: String, entrants: Vec<String> },
    /// An end of a range is out of the range of its parameter.
    #[error("{error}")]
    OutOfRange { key: String, error: Usage },
    /// An entrant that cannot have the values at the ends of several ranges, or beside its own.
    #[error("entrant {entrant} with {values}: {error}")]
    AtEnd { key: String, entrant: String, values: String, error: Usage },
    /// A switch, a word, a list or an expression.
    #[error("{key} of {name} is not a number and cannot be tuned")]
    NotNumeric { key: String, name: String },
    /// A rate of 0 is on no log scale.
    #[error("the range of lr must begin above 0, got {}", exact(*low))]
    RateOfZero { low: f64 },
}

/// An entrant without the values that are tuned: its schedule in relative form, and the ranges that it is tuned over.
#[derive(Debug, Clone, PartialEq)]
pub struct Tunable {
    /// Without a rate and without values for its axes.
    entrant: Entrant,
    /// The highest rate first, the others by key: neither their places nor their points depend on the order of the flags.
    axes: Vec<TuneAxis>,
    /// The keys of ranges that it takes and that would only scale its rates.
    only_scaling: Vec<String>,
    run: RunShape,
    /// The peak at a rate of 1, if it is the same at all points: no parameter of the schedule is tuned. Finding it walks
    /// every step of the run.
    peak: Option<f64>,
}

impl Tunable {
    /// The entrant with the axes of `ranges` that it takes, in a run of this shape, whose rate is that of the run untuned.
    /// Without a range of `lr` its optimizer's own applies. Its own values for the axes are dropped.
    ///
    /// # Errors
    /// A schedule whose rates do not scale with the base rate, or a range that it cannot have.
    pub fn new(entrant: &Entrant, ranges: &[TuneAxis], run: &RunShape) -> Result<Self, TuneError> {
        let relative = entrant.schedule.relative_to(entrant.lr.unwrap_or(run.learning_rate))?;
        let (low, high) = entrant.optimizer.tuned_range(run.semantics);
        let usual = || TuneAxis { key: RATE.to_string(), low, high };
        let rate = ranges.iter().find(|axis| axis.key == RATE).cloned().unwrap_or_else(usual);
        if rate.low <= 0.0 {
            return Err(TuneError::RateOfZero { low: rate.low });
        }
        let mut tunable = Self {
            entrant: Entrant { schedule: relative.spec, lr: None, ..entrant.clone() },
            axes: vec![rate],
            only_scaling: Vec::new(),
            run: *run,
            peak: None,
        };
        let mut others: Vec<&TuneAxis> = ranges.iter().filter(|axis| axis.key != RATE).collect();
        others.sort_by_key(|axis| &axis.key);
        for axis in others {
            tunable.check_ends(axis)?;
            if tunable.only_scales(axis) {
                tunable.only_scaling.push(axis.key.clone());
            } else {
                tunable.take(axis);
            }
        }
        tunable.entrant.optimizer = tunable.entrant.optimizer.without(RATE);
        let peak = tunable.check(entrant)?;
        tunable.peak = tunable.schedule_stays().then_some(peak);
        Ok(tunable)
    }

    /// # Errors
    /// The parameter of an axis has no numbers, or an end is none of its values.
    fn check_ends(&self, axis: &TuneAxis) -> Result<(), TuneError> {
        let key = axis.key.clone();
        let Some((parameter, name)) = parameter(&self.entrant, &key) else { return Ok(()) };
        let [Some(low), Some(high)] = [axis.low, axis.high].map(|end| text(parameter, end)) else {
            return Err(TuneError::NotNumeric { key, name: name.to_string() });
        };
        let Entrant { optimizer, schedule, .. } = &self.entrant;
        let of_optimizer = find(optimizer.given_values(), &key).map(|_| optimizer.given_values());
        let Some(values) = of_optimizer.or_else(|| schedule.schedules().next()) else { return Ok(()) };
        let mut none = values.clone();
        values.given().for_each(|(parameter, _)| none.remove(parameter.name));
        let set = [low, high].iter().try_for_each(|end| none.clone().set(&key, end));
        set.map_err(|error| TuneError::OutOfRange { key, error })
    }

    /// Whether the axis is of the schedule, and the rate does the same.
    fn only_scales(&self, axis: &TuneAxis) -> bool {
        let Entrant { optimizer, schedule, .. } = &self.entrant;
        let Some((parameter, _)) = parameter(&self.entrant, &axis.key) else { return false };
        if find(optimizer.given_values(), &axis.key).is_some() {
            return false;
        }
        let rest = schedule.without(&axis.key).to_string();
        let end = |value| Spec::from_flags(&rest, &[(axis.key.clone(), text(parameter, value)?)]).ok();
        end(axis.low).zip(end(axis.high)).is_some_and(|(low, high)| low.is_scaled(&high, &self.run))
    }

    /// Adds an axis if the entrant has the parameter, whose value is then dropped.
    fn take(&mut self, axis: &TuneAxis) {
        if parameter(&self.entrant, &axis.key).is_none() {
            return;
        }
        let Entrant { optimizer, schedule, .. } = &mut self.entrant;
        *optimizer = optimizer.clone().without(&axis.key);
        *schedule = schedule.without(&axis.key);
        self.axes.push(axis.clone());
    }

    /// Whether no axis is a parameter of the schedule.
    fn schedule_stays(&self) -> bool {
        self.axes[1..].iter().all(|axis| find(self.entrant.optimizer.given_values(), &axis.key).is_some())
    }

    /// Checks the shape at both ends of every range, and returns the peak at the last; `entrant` is as written.
    fn check(&self, entrant: &Entrant) -> Result<f64, TuneError> {
        let ends: [fn(&TuneAxis) -> f64; 2] = [|axis| axis.low, |axis| axis.high];
        let mut peak = 0.0;
        for (place, end) in ends.into_iter().enumerate() {
            let point: Vec<f64> = self.axes.iter().map(end).collect();
            let shape = self.shape(&point).map_err(|error| self.at_end(entrant, &point, error))?;
            if place > 0 && self.schedule_stays() {
                break;
            }
            if !shape.schedule.scales(&self.run) {
                return Err(TuneError::OwnRates { entrant: entrant.to_string() });
            }
            peak = shape.schedule.peak(&self.run)?;
            if peak == 0.0 {
                return Err(TuneError::NoRate { entrant: entrant.to_string() });
            }
        }
        Ok(peak)
    }

    /// The error of `entrant`, as written, at a point of which each value is one of its parameter.
    fn at_end(&self, entrant: &Entrant, point: &[f64], error: Usage) -> TuneError {
        let Some(first) = self.axes.get(1) else { return TuneError::Invalid(error) };
        let values = self.axes.iter().zip(point).skip(1);
        let values: Vec<String> = values.map(|(axis, value)| format!("{}={}", axis.key, exact(*value))).collect();
        TuneError::AtEnd { key: first.key.clone(), entrant: entrant.to_string(), values: values.join(", "), error }
    }

    /// The entrant before tuning: `sgd:momentum=0.9/triangular:max-lr=6x`.
    pub fn name(&self) -> String {
        self.entrant.to_string()
    }

    /// What is tuned, the highest rate first.
    pub fn axes(&self) -> &[TuneAxis] {
        &self.axes
    }

    /// Whether a range of this key would only scale its rates.
    pub fn is_only_scaled_by(&self, key: &str) -> bool {
        self.only_scaling.iter().any(|other| other == key)
    }

    /// The entrant at a point, which has a value for each axis. Values are rounded to three significant digits.
    ///
    /// # Errors
    /// A value out of the range of its parameter.
    ///
    /// # Panics
    /// The point has a value too few or too many.
    pub fn at(&self, point: &[f64]) -> Result<Entrant, Usage> {
        let shape = self.shape(point)?;
        let peak = self.peak.map_or_else(|| shape.schedule.peak(&self.run), Ok)?;
        Ok(Entrant { lr: Some(rounded(point[0] / peak, RATE_DIGITS)), ..shape })
    }

    /// The entrant with the values of a point except its rate.
    fn shape(&self, point: &[f64]) -> Result<Entrant, Usage> {
        assert_eq!(point.len(), self.axes.len(), "a point has a value for each axis");
        let Entrant { optimizer, schedule, .. } = &self.entrant;
        let (mut for_optimizer, mut for_schedule) = (Vec::new(), Vec::new());
        for (axis, &value) in self.axes.iter().zip(point).skip(1) {
            let of_optimizer = find(optimizer.given_values(), &axis.key);
            let values = if of_optimizer.is_some() { &mut for_optimizer } else { &mut for_schedule };
            let parameter = parameter(&self.entrant, &axis.key).and_then(|(parameter, _)| text(parameter, value));
            values.push((axis.key.clone(), parameter.expect("an axis is a number of the entrant")));
        }
        Ok(Entrant {
            optimizer: OptimizerSpec::from_flags(&optimizer.to_string(), &for_optimizer)?,
            schedule: Spec::from_flags(&schedule.to_string(), &for_schedule)?,
            ..self.entrant.clone()
        })
    }
}

/// All entrants to tune, each over the ranges that it takes. `run` is the shape of an entrant's run, with the rate that it
/// has untuned.
///
/// # Errors
/// Those of [`Tunable::new`], a range that no entrant takes, or two entrants that are the same once tuned.
pub fn tunable(
    entrants: &[Entrant],
    ranges: &[TuneAxis],
    run: impl Fn(&Entrant) -> Result<RunShape, Usage>,
) -> Result<Vec<Tunable>, TuneError> {
    let mut all: Vec<Tunable> = Vec::new();
    for entrant in entrants {
        all.push(Tunable::new(entrant, ranges, &run(entrant)?)?);
    }
    let taken: HashSet<&str> = all.iter().flat_map(|one| &one.axes).map(|axis| axis.key.as_str()).collect();
    if let Some(axis) = ranges.iter().find(|axis| !taken.contains(axis.key.as_str())) {
        let key = axis.key.clone();
        let scaled = all.iter().zip(entrants).filter(|(one, _)| one.is_only_scaled_by(&key));
        let entrants: Vec<String> = scaled.map(|(_, entrant)| entrant.to_string()).collect();
        return Err(if entrants.is_empty() {
            TuneError::Untaken { key }
        } else {
            TuneError::OnlyScales { key, entrants }
        });
    }
    for (place, one) in all.iter().enumerate() {
        let same = |other: &&Tunable| {
            other.entrant.schedule == one.entrant.schedule && other.entrant.optimizer == one.entrant.optimizer
        };
        if let Some(first) = all[..place].iter().position(|other| same(&other)) {
            let [first, second] = [first, place].map(|place| entrants[place].to_string());
            return Err(TuneError::Same { first, second });
        }
    }
    Ok(all)
}

/// The parameter of this name, and the optimizer or schedule that has it. In a sequence a value can only be that of the
/// warm-up before it, as with flags.
fn parameter(entrant: &Entrant, key: &str) -> Option<(&'static Parameter, &'static str)> {
    let Entrant { optimizer, schedule, .. } = entrant;
    let of_schedule = || {
        let first = schedule.schedules().next()?;
        let parameter = find(first, key).filter(|parameter| parameter.is_flag)?;
        (!schedule.is_sequence() || key.starts_with("warmup")).then_some((parameter, schedule.name()))
    };
    find(optimizer.given_values(), key).map(|parameter| (parameter, optimizer.name())).or_else(of_schedule)
}

/// The ranges that do not apply to some of these entrants, which are named as written.
pub fn untuned(entrants: &[Entrant], tunables: &[Tunable], ranges: &[TuneAxis]) -> Vec<EntrantNote> {
    let mut notes = Vec::new();
    for TuneAxis { key, .. } in ranges {
        let named = |of: &dyn Fn(&Tunable) -> bool| -> Vec<String> {
            entrants.iter().zip(tunables).filter(|(_, one)| of(one)).map(|(entrant, _)| entrant.to_string()).collect()
        };
        let scaled = named(&|one| one.is_only_scaled_by(key));
        let without = named(&|one| !one.is_only_scaled_by(key) && one.axes.iter().all(|axis| axis.key != *key));
        if !scaled.is_empty() {
            notes.push(EntrantNote::OnlyScaled { key: key.clone(), entrants: scaled });
        }
        if !without.is_empty() {
            notes.push(EntrantNote::NotTaken { by: Varied::Tuning, key: key.clone(), entrants: without });
        }
    }
    notes
}

fn find(values: &Values, key: &str) -> Option<&'static Parameter> {
    values.parameters().find(|parameter| parameter.name == key)
}

/// The value of a parameter as a spec has it: a rate is a multiple of lr, a plain duration in the unit of the parameter.
/// `None` if its values are not numbers.
fn text(parameter: &Parameter, value: f64) -> Option<String> {
    let value = rounded(value, RATE_DIGITS);
    match parameter.kind {
        ParameterKind::Number(_) | ParameterKind::Duration(_) | ParameterKind::DurationOrZero(_) => Some(exact(value)),
        ParameterKind::Count => Some(exact(value.round())),
        ParameterKind::Rate => Some(format!("{}x", exact(value))),
        ParameterKind::Durations(_)
        | ParameterKind::Rates
        | ParameterKind::Numbers(_)
        | ParameterKind::Switch
        | ParameterKind::Choice(_)
        | ParameterKind::Conditions
        | ParameterKind::Expression => None,
    }
}
