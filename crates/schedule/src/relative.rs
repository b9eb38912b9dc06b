//! Schedules as shapes: every rate a multiple of the base rate, so that the shape can be tried at any height.

use crate::error::UsageError;
use crate::number::rounded;
use crate::spec::{ParameterValue, Part, RateValue, rate_of, shortest};
use crate::usage;
use crate::{RunShape, Schedule, Spec};

/// Digits of a multiple: 0.3 is `3x` at a base rate of 0.1, although 0.3 / 0.1 is 2.9999999999999996.
const DIGITS: usize = 14;

/// The base rates, as multiples of 1, at which a shape is compared with itself at 1: powers of 2, which add no rounding.
const COMPARED: [f64; 6] = [16.0, 0.25, 1.0 / 64.0, 1.0 / 1024.0, 1.0 / 32768.0, 1.0 / 1_048_576.0];

/// Two rates this close, relative to the larger, are the same.
const SAME: f64 = 1e-9;

/// A schedule in relative form, and the base rate at which it has the rates that it was written with.
#[derive(Debug, Clone, PartialEq)]
pub struct Relative {
    /// No rate is absolute, except 0, and the first schedule has no `lr`.
    pub spec: Spec,
    pub lr: f64,
}

impl Spec {
    /// The relative form of this schedule, as it is in a run with the base rate `lr`: each absolute rate becomes a multiple
    /// of its schedule's `lr`, and each `lr` a multiple of the first one, which becomes the base rate.
    ///
    /// ```
    /// use lrsched_schedule::Spec;
    /// let relative = |text: &str| Ok::<_, lrsched_schedule::UsageError>(text.parse::<Spec>()?.relative_to(0.1)?);
    /// let cycles = relative("triangular:lr=0.01,max-lr=0.06,step-size=25%")?;
    /// assert_eq!((cycles.spec.to_string().as_str(), cycles.lr), ("triangular:max-lr=6x,step-size=25%", 0.01));
    /// let sequence = relative("constant:for=5ep;linear:lr=0.05,end-lr=0.005")?;
    /// assert_eq!(sequence.spec.to_string(), "constant:for=5;linear:end-lr=0.1x,lr=0.5x");
    /// assert_eq!(sequence.spec.relative_to(0.02)?.spec, sequence.spec);
    /// # Ok::<(), lrsched_schedule::UsageError>(())
    /// ```
    ///
    /// An expression keeps its numbers: [`Spec::scales`] tells whether they matter.
    ///
    /// # Errors
    /// A base rate that is not positive, or a rate beside an `lr` of 0, which it is no multiple of.
    pub fn relative_to(&self, lr: f64) -> Result<Relative, UsageError> {
        if !(lr.is_finite() && lr > 0.0) {
            return usage!(
                "lr must be a finite rate above 0 for other rates to be multiples of it, got {}",
                shortest(lr)
            );
        }
        let own: Vec<f64> = self.parts().iter().map(|part| own_rate(part, lr)).collect::<Result<_, _>>()?;
        let base = if own[0] > 0.0 { own[0] } else { lr };
        let parts = self.parts().iter().zip(own).map(|(part, own)| relative(part, own, base));
        Ok(Relative { spec: Spec::of(parts.collect::<Result<_, _>>()?), lr: base })
    }

    /// p: the highest rate of the run at a base rate of 1. If the schedule [scales](Spec::scales), its peak is p · lr at any
    /// base rate. One that listens to metrics is taken as it begins, before any drop.
    ///
    /// ```
    /// use lrsched_schedule::{RunShape, Spec};
    /// let run = RunShape::new(0.1, 4, 10);
    /// assert_eq!("triangular:max-lr=6x,step-size=25%".parse::<Spec>()?.peak(&run)?, 6.0);
    /// # Ok::<(), lrsched_schedule::UsageError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Schedule::build`].
    pub fn peak(&self, run: &RunShape) -> Result<f64, UsageError> {
        Ok(self.at_rate(1.0, run)?.highest(0).learning_rate)
    }

    /// Whether every rate of the run is proportional to the base rate: the schedule is one curve times lr. In relative
    /// form each is, except expressions such as `max(lr,1e-3)`.
    ///
    /// ```
    /// use lrsched_schedule::{RunShape, Spec};
    /// let scales = |text: &str| Ok::<_, lrsched_schedule::UsageError>(text.parse::<Spec>()?.scales(&RunShape::new(0.1, 4, 10)));
    /// assert!(scales("cosine:end-lr=0.1x")? && scales("expr:lr*0.5^epoch")?);
    /// assert!(!scales("cosine:end-lr=0.001")? && !scales("expr:0.1*0.5^epoch")? && !scales("expr:max(lr,1e-3)")?);
    /// # Ok::<(), lrsched_schedule::UsageError>(())
    /// ```
    pub fn scales(&self, run: &RunShape) -> bool {
        let Ok(one) = self.at_rate(1.0, run) else { return false };
        let highest = one.highest(0).learning_rate;
        let same = |rate: f64, of_one: f64| (rate - of_one).abs() <= SAME * of_one.max(SAME * highest);
        COMPARED.iter().all(|&lr| {
            let Ok(other) = self.at_rate(lr, run) else { return false };
            one.checked_steps(0).all(|t| same(other.at(t).learning_rate / lr, one.at(t).learning_rate))
        })
    }

    /// Whether the rates of the run are those of `other` times a factor, which is not 1: a higher or lower base rate makes
    /// one of the other.
    ///
    /// ```
    /// use lrsched_schedule::{RunShape, Spec};
    /// let run = RunShape::new(0.1, 4, 10);
    /// let scaled = |a: &str, b: &str| Ok::<_, lrsched_schedule::UsageError>(a.parse::<Spec>()?.is_scaled(&b.parse()?, &run));
    /// assert!(scaled("one-cycle:max-lr=2x", "one-cycle:max-lr=8x")?);
    /// assert!(!scaled("triangular:max-lr=2x", "triangular:max-lr=8x")?);
    /// assert!(!scaled("linear", "linear")? && !scaled("plateau:min-lr=0.1x", "plateau:min-lr=0.2x")?);
    /// # Ok::<(), lrsched_schedule::UsageError>(())
    /// ```
    pub fn is_scaled(&self, other: &Self, run: &RunShape) -> bool {
        let (Ok(one), Ok(other)) = (self.at_rate(1.0, run), other.at_rate(1.0, run)) else { return false };
        let [of_one, of_other] = [&one, &other].map(|schedule| schedule.highest(0).learning_rate);
        let close = |a: f64, b: f64| (a - b).abs() <= SAME;
        let same = |t: u64| {
            let (one, other) = (one.at(t), other.at(t));
            close(one.learning_rate / of_one, other.learning_rate / of_other) && one.momentum == other.momentum
        };
        of_one > 0.0 && of_other > 0.0 && !close(of_one / of_other, 1.0) && one.checked_steps(0).all(same)
    }

    fn at_rate(&self, learning_rate: f64, run: &RunShape) -> Result<Schedule, UsageError> {
        Schedule::build(self, &RunShape { learning_rate, ..*run })
    }
}

/// The `lr` of a schedule in a run with this base rate.
fn own_rate(part: &Part, lr: f64) -> Result<f64, UsageError> {
    match part.values.get("lr") {
        Some(ParameterValue::Rate(rate)) => rate_of(*rate, lr, &format!("{}: lr", part.name())),
        _ => Ok(lr),
    }
}

/// The schedule with its `lr`, which is `own`, as a multiple of `base`, and its other rates as multiples of `own`.
fn relative(part: &Part, own: f64, base: f64) -> Result<Part, UsageError> {
    let multiple = |key: &str, rate: RateValue| match rate {
        RateValue::Absolute(rate) if rate > 0.0 && own > 0.0 => Ok(RateValue::TimesLr(rounded(rate / own, DIGITS))),
        RateValue::Absolute(rate) if rate > 0.0 => {
            usage!("{}: {key} must be a multiple of lr, got {rate} with lr=0", part.name())
        }
        RateValue::Absolute(_) | RateValue::TimesLr(_) => Ok(rate),
    };
    let mut values = part.values.clone();
    for (parameter, value) in part.values.given() {
        let key = parameter.name;
        let value = match value {
            ParameterValue::Rate(rate) => ParameterValue::Rate(multiple(key, *rate)?),
            ParameterValue::Rates(rates) => {
                let multiples = rates.iter().map(|rate| multiple(key, *rate));
                ParameterValue::Rates(multiples.collect::<Result<_, UsageError>>()?)
            }
            _ => continue,
        };
        values.give(key, value)?;
    }
    values.remove("lr");
    match rounded(own / base, DIGITS) {
        1.0 => {}
        0.0 => values.give("lr", ParameterValue::Rate(RateValue::Absolute(0.0)))?,
        times => values.give("lr", ParameterValue::Rate(RateValue::TimesLr(times)))?,
    }
    Ok(Part::of(values))
}
