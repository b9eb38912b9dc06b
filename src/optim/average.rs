//! Averages of the weights along a run, beside any optimizer: evaluated and saved is the average.

use super::optimizer::PART;
use super::rule::Float;
use crate::number::exact;
use crate::schedule::{Duration, Unit};
use crate::spec::{Bounds, Entry, Family, Parameter, ParameterValue, Values, check_length};
use crate::usage;
use crate::usage::{GLOSSARY, Usage};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt;

const fn every(default: &'static str) -> Parameter {
    Parameter::duration("every", Unit::Epochs, default, "time from one average to the next").only_in_spec()
}

static TABLE: &[Entry] = &[
    Entry {
        name: "ema",
        summary: "exponential moving average of the weights",
        formula: "a = a + (1 − decay)·(θ − a), a = θ at first",
        parameters: &[
            Parameter::number("decay", Bounds::UNIT, "0.999", "share of the average that is kept").only_in_spec(),
            every("1st"),
        ],
        source: "Polyak & Juditsky 1992; torch.optim.swa_utils",
        entrant: None,
    },
    Entry {
        name: "swa",
        summary: "equal average of the weights over the end of the run",
        formula: "a = a + (θ − a)/(n + 1) for the n + 1st weights",
        parameters: &[
            Parameter::duration_or_zero("from", Unit::Epochs, "75%", "time of the first weights in the average")
                .only_in_spec(),
            every("1ep"),
        ],
        source: "Izmailov et al. 2018, arXiv:1803.05407; torch.optim.swa_utils",
        entrant: None,
    },
    Entry {
        name: "lookahead",
        summary: "slow weights that follow the trained ones, which start anew from them",
        formula: "a = a + alpha·(θ − a), θ = a",
        parameters: &[
            every("5st"),
            Parameter::number("alpha", Bounds::POSITIVE_UNIT, "0.5", "share of the way that the slow weights go")
                .only_in_spec(),
        ],
        source: "Zhang et al. 2019, arXiv:1907.08610",
        entrant: None,
    },
];

static FAMILY: Family = Family {
    what: "average",
    example: "ema:decay=0.999",
    entries: averages,
    before: &[],
    after: &[],
    glossary: &GLOSSARY,
    number: exact,
};

/// Every average.
pub fn averages() -> &'static [Entry] {
    TABLE
}

/// An average and its values: `swa:from=75%,every=1ep`. `parse(display(a)) == a`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AverageSpec(Values);

impl PartialEq for AverageSpec {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name() && self.0.given().eq(other.0.given())
    }
}

impl std::str::FromStr for AverageSpec {
    type Err = Usage;

    /// # Errors
    /// An unknown average or parameter, a value out of its range.
    fn from_str(text: &str) -> Result<Self, Usage> {
        check_length("average", text)?;
        Values::parse(&FAMILY, text).map(Self)
    }
}

impl TryFrom<String> for AverageSpec {
    type Error = Usage;
    fn try_from(text: String) -> Result<Self, Usage> {
        text.parse()
    }
}

impl From<AverageSpec> for String {
    fn from(spec: AverageSpec) -> Self {
        spec.to_string()
    }
}

impl fmt::Display for AverageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AverageSpec {
    /// In a run of `total` steps.
    ///
    /// # Errors
    /// A time from one average to the next that is no step; a first one beyond the end of the run; a number that is
    /// another one in f32.
    pub fn in_run(&self, steps_per_epoch: u64, total: u64) -> Result<Average, Usage> {
        let name = self.0.name();
        let steps = |key| match self.0.value(key) {
            Some(ParameterValue::Duration(duration)) => Duration::steps(duration, steps_per_epoch, total),
            other => unreachable!("{name}: {key} is a duration, got {other:?}"),
        };
        let number = |key| match self.0.value(key) {
            Some(ParameterValue::Number(number)) if f32::holds(number) => Ok(number),
            Some(ParameterValue::Number(number)) => {
                usage!("average: {name}: {key} must be 0, or {}, got {}", f32::rule(), exact(number))
            }
            other => unreachable!("{name}: {key} is a number, got {other:?}"),
        };
        let every = steps("every");
        if every == 0 {
            return usage!("average: {name}: every must be at least 1 step, got 0 of the {total} steps");
        }
        let (kind, from) = match name {
            "ema" => (Kind::Ema { decay: number("decay")? }, 0),
            "swa" => (Kind::Swa, steps("from")),
            _ => (Kind::Lookahead { alpha: number("alpha")? }, 0),
        };
        if from > total {
            let got = match self.0.value("from") {
                // A duration in steps would say the same again.
                Some(ParameterValue::Duration(time)) if time.to_string() != format!("{from}st") => {
                    format!("{time}, step {from}")
                }
                _ => format!("step {from}"),
            };
            return usage!("average: {name}: from must be within the run of {total} steps, got {got}");
        }
        if from == 0 && every > total {
            return usage!("average: {name}: every must be at most the {total} steps of the run, got {every}");
        }
        Ok(Average { kind, from, every })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Ema { decay: f64 },
    Swa,
    Lookahead { alpha: f64 },
}

/// An average in a run of known length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Average {
    kind: Kind,
    /// The updates after which its first and its next ones are due.
    from: u64,
    every: u64,
}

/// The share of an average that may still be the first weights in it when a run ends, without a word.
const FIRST_SHARE: f64 = 0.05;

impl Average {
    /// A line about an average that stays near the first weights that it took in, in a run of `total` steps: their share after n
    /// averages is decay^(n − 1).
    pub fn advice(&self, total: u64) -> Option<String> {
        let Kind::Ema { decay } = self.kind else { return None };
        let share = decay.powf((total / self.every).saturating_sub(1) as f64);
        let percent = 100.0 * share;
        let every = self.every;
        // A single average is its first weights whatever the decay is.
        let remedy = if total / every < 2 { "every" } else { "decay" };
        (share > FIRST_SHARE && total > 1).then(|| {
            format!("{percent:.0} % of it is still the weights after step {every} when the run of {total} steps ends; take a smaller {remedy}")
        })
    }
}

/// The running statistics of batch norm beside an average of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// Those that the trained weights had when they were last taken in, as in PyTorch's `AveragedModel`.
    Copied,
    /// Those of the trained weights.
    Current,
    /// Computed again: nothing else fits.
    Own,
}

impl Average {
    /// Which running statistics of batch norm are the average's.
    pub fn statistics(self) -> Statistics {
        match self.kind {
            Kind::Ema { .. } => Statistics::Copied,
            Kind::Swa => Statistics::Own,
            Kind::Lookahead { .. } => Statistics::Current,
        }
    }

    /// Whether it sets the trained weights back to itself.
    pub fn sets_back(self) -> bool {
        matches!(self.kind, Kind::Lookahead { .. })
    }

    /// Whether it begins with the initial weights, before the first update.
    pub fn starts_with_the_run(self) -> bool {
        matches!(self.kind, Kind::Lookahead { .. })
    }

    /// Whether the average takes in the weights after `step` updates.
    pub fn is_due(self, step: u64) -> bool {
        step.checked_sub(self.from).is_some_and(|since| step > 0 && since.is_multiple_of(self.every))
    }

    /// Takes the trained `weights` into the average of `count` earlier ones. Lookahead sets them back to it.
    pub fn take<T: Float>(self, average: &mut [T], weights: &mut [T], count: u64) {
        if count == 0 {
            average.copy_from_slice(weights);
            return;
        }
        let parts = average.par_chunks_mut(PART).zip(weights.par_chunks_mut(PART));
        match self.kind {
            Kind::Ema { decay } => {
                let share = T::of(1.0 - decay);
                parts.for_each(|(average, weights)| lerp(average, weights, share));
            }
            Kind::Swa => {
                let number = T::of((count + 1) as f64);
                parts.for_each(|(average, weights)| {
                    average.iter_mut().zip(weights).for_each(|(a, w)| *a = *a + (*w - *a) / number);
                });
            }
            Kind::Lookahead { alpha } => {
                let share = T::of(alpha);
                parts.for_each(|(average, weights)| {
                    lerp(average, weights, share);
                    weights.copy_from_slice(average);
                });
            }
        }
    }
}

/// a = a + share·(w − a), from the nearer end, as PyTorch's lerp.
fn lerp<T: Float>(average: &mut [T], weights: &[T], share: T) {
    let rest = T::of(1.0) - share;
    if share < T::of(0.5) {
        average.iter_mut().zip(weights).for_each(|(a, &w)| *a = *a + share * (w - *a));
    } else {
        average.iter_mut().zip(weights).for_each(|(a, &w)| *a = w - rest * (w - *a));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The average after each of these weights, one update each, in epochs of 2 steps and a run of 8.
    fn averages_of(spec: &str, weights: [f64; 8]) -> Vec<Option<f64>> {
        let average = spec.parse::<AverageSpec>().unwrap().in_run(2, 8).unwrap();
        let (mut now, mut count) = ([0.0], 0);
        let after = |(step, weight): (u64, f64)| {
            if average.is_due(step) {
                average.take(&mut now, &mut [weight], count);
                count += 1;
            }
            (count > 0).then_some(now[0])
        };
        (1..).zip(weights).map(after).collect()
    }

    #[test]
    fn ema_begins_with_the_first_weights_and_then_keeps_its_share() {
        let weights = [1.0, 2.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let ema = averages_of("ema:decay=0.75", weights);
        assert_eq!(ema[..4], [Some(1.0), Some(1.25), Some(1.4375), Some(2.078125)]);
        let rarely = averages_of("ema:decay=0.75,every=1ep", weights);
        assert_eq!(rarely[..4], [None, Some(2.0), Some(2.0), Some(2.5)]);
    }

    #[test]
    fn swa_is_the_mean_of_the_weights_from_its_time_on() {
        let weights = [9.0, 9.0, 9.0, 1.0, 9.0, 2.0, 9.0, 6.0];
        let swa = averages_of("swa:from=50%", weights);
        assert_eq!(swa, [None, None, None, Some(1.0), Some(1.0), Some(1.5), Some(1.5), Some(3.0)]);
        let all = averages_of("swa:from=0,every=1st", weights);
        assert!((all[7].unwrap() - weights.iter().sum::<f64>() / 8.0).abs() < 1e-15, "{all:?}");
    }

    #[test]
    fn lookahead_sets_the_weights_back_to_the_slow_ones() {
        let average = "lookahead:every=2st,alpha=0.25".parse::<AverageSpec>().unwrap().in_run(2, 8).unwrap();
        assert_eq!([1, 2, 3, 4].map(|step| average.is_due(step)), [false, true, false, true]);
        let (mut slow, mut weights) = ([1.0], [5.0]);
        // The initial weights are the first.
        average.take(&mut slow, &mut weights, 1);
        assert_eq!((slow, weights), ([2.0], [2.0]));
    }

    #[test]
    fn an_average_reads_back_and_a_wrong_one_is_one_line() {
        for text in
            ["ema", "ema:decay=0.99,every=2", "swa:from=75%", "swa:from=3,every=1st", "lookahead:every=5st,alpha=0.5"]
        {
            assert_eq!(text.parse::<AverageSpec>().unwrap().to_string(), text);
        }
        for (text, said) in [
            ("emma", "unknown average `emma`; did you mean `ema`? (averages: ema, swa, lookahead)"),
            ("ema:decay=1.5", "ema: decay must be in [0, 1], got 1.5"),
            ("lookahead:alpha=0", "lookahead: alpha must be in (0, 1], got 0"),
            ("swa:form=3", "swa does not take `form`; did you mean `from`?"),
        ] {
            let error = text.parse::<AverageSpec>().unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
        let late = "swa:from=9".parse::<AverageSpec>().unwrap().in_run(2, 8).unwrap_err().to_string();
        assert_eq!(late, "average: swa: from must be within the run of 8 steps, got 9ep, step 18");
        let late = "swa:from=1e300st".parse::<AverageSpec>().unwrap().in_run(2, 8).unwrap_err().to_string();
        assert!(late.contains("got 1e300st, step "), "a number of 300 digits: {late}");
        let never = "ema:every=0.1%".parse::<AverageSpec>().unwrap().in_run(2, 8).unwrap_err().to_string();
        assert_eq!(never, "average: ema: every must be at least 1 step, got 0 of the 8 steps");
        // Its initial weights would be evaluated for the whole run.
        let after = "lookahead:every=9st".parse::<AverageSpec>().unwrap().in_run(2, 8).unwrap_err().to_string();
        assert_eq!(after, "average: lookahead: every must be at most the 8 steps of the run, got 9");
        let advice = |text: &str, total| text.parse::<AverageSpec>().unwrap().in_run(2, total).unwrap().advice(total);
        // 0.999⁷ and 0.9²⁸, with the weights after the first step as 1 and all others as 0.
        let near = advice("ema", 8).unwrap();
        let said = "99 % of it is still the weights after step 1 when the run of 8 steps ends; take a smaller decay";
        assert_eq!(near, said);
        assert!(advice("ema:decay=0.9", 29).is_some_and(|line| line.starts_with("5 %")));
        assert!(advice("ema:decay=0.5,every=25%", 8).is_some_and(|line| line.starts_with("12 %")));
        // A smaller decay would not help where only one point is taken in.
        let single = advice("ema:every=6st", 8).unwrap();
        assert!(single.starts_with("100 %") && single.ends_with("take a smaller every"), "{single}");
        for (spec, total) in [("ema:decay=0.9", 30), ("ema", 3000), ("swa", 8), ("lookahead", 8)] {
            assert_eq!(advice(spec, total), None, "{spec}");
        }
    }
}
