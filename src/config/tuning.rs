//! `--tune` and what goes with it: how the entrants of a comparison are tuned, and how many of them reach its finals.

use super::axis_key::{AxisKey, RATE};
use super::given::TableKey;
use super::settings::COUNT;
use super::{Given, Source};
use crate::number::{exact, grouped, rounded};
use crate::optim::check_rate;
use crate::stats::RATE_DIGITS;
use crate::usage;
use crate::usage::{Usage, shortened};

/// So many trials are different runs in any range of three decades, although values are rounded to three digits. More of
/// them in one study tell nothing more, and a mistyped number should not fill a disk.
pub const MOST_TRIALS: u64 = 200;

/// The studies of a tuning if none are given: the fewest from which anything can be concluded.
pub const STUDIES: u64 = 3;

/// The setting of the ranges.
const RANGE: &str = "tune-range";

/// A parameter to tune, and its range.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneAxis {
    /// `lr` is the highest rate of the run; any other is a parameter of an optimizer or a schedule.
    pub key: String,
    pub low: f64,
    /// Above `low`.
    pub high: f64,
}

impl TuneAxis {
    /// The value at a place in [0, 1): on a log scale, unless the range reaches down to 0.
    pub fn at(&self, place: f64) -> f64 {
        let Self { low, high, .. } = *self;
        if low > 0.0 { (low.ln() + place * (high.ln() - low.ln())).exp() } else { low + place * (high - low) }
    }

    fn of(given: &TableKey) -> Result<Self, Usage> {
        let TableKey { key, values, .. } = given;
        check_key(key)?;
        if values.iter().all(String::is_empty) {
            return usage!("{RANGE}: {key} has no range; write {key}=LOW:HIGH, two numbers");
        }
        let texts: Vec<&str> = match values.as_slice() {
            [one] => one.split(':').collect(),
            several => several.iter().map(String::as_str).collect(),
        };
        let ends: Vec<f64> = texts.iter().filter_map(|text| text.trim().parse().ok()).collect();
        let text = || shortened(&values.join(","));
        let (low, high) = match (ends.as_slice(), texts.len()) {
            (&[low, high], 2) if low.is_finite() && high.is_finite() => (low, high),
            _ => return usage!("{RANGE}: {key} must be LOW:HIGH, two numbers, got `{}`", text()),
        };
        if low > high {
            // What is out of range either way is not worth turning.
            let turned =
                if high > 0.0 { format!("; write {key}={}:{}", exact(high), exact(low)) } else { String::new() };
            return usage!("{RANGE}: {key} must rise from LOW to HIGH, got {}{turned}", text());
        }
        if low == high {
            return usage!(
                "{RANGE}: {key} must be a range, got the single value {}; give it to the entrants",
                exact(low)
            );
        }
        if key == RATE && low <= 0.0 {
            return usage!("{RANGE}: {RATE} must begin above 0, got {}: its scale is logarithmic", exact(low));
        }
        if key == RATE {
            [low, high].into_iter().try_for_each(|end| check_rate::<f32>(&format!("{RANGE}: {RATE}"), end))?;
        }
        Ok(Self { key: key.clone(), low, high })
    }
}

/// # Errors
/// It is no parameter that a comparison can tune.
fn check_key(key: &str) -> Result<(), Usage> {
    let switch = match AxisKey::of(RANGE, key, ["KEY=LOW:HIGH", "lr=0.001:1"])? {
        AxisKey::Value => return Ok(()),
        AxisKey::Switch => key,
        AxisKey::Off(switch) => switch,
    };
    usage!("{RANGE}: {switch} is a switch; cross the entrants with it: --grid {switch}=true,false")
}

/// How every entrant of a comparison is tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// The trials of an entrant in a study.
    pub trials: u64,
    /// The ranges that were given; without one of `lr`, that of each optimizer applies.
    pub ranges: Vec<TuneAxis>,
    /// Decides where in its ranges the trials of each study lie.
    pub seed: u64,
    /// How often the whole is repeated: with other trials and other seeds.
    pub studies: u64,
}

impl Tuning {
    /// What was given; `None` if nothing is tuned.
    ///
    /// # Errors
    /// A value or a range that is wrong whatever the entrants, settings that go with --tune without it, or a rate.
    pub fn of(given: &Given) -> Result<Option<Self>, Usage> {
        let keys = given.table(RANGE)?;
        // The flag is in the line itself.
        let below_flags = |name: &str, source: Source, error: Usage| match source {
            Source::CommandLine => error,
            _ => given.with_source_of_key(name, source, &error),
        };
        let Some(trials) = given.parse::<u64>("tune", COUNT)? else {
            let lonely =
                |name: &str| Usage(format!("--{name} says how to tune; give --tune N as well, or leave it out"));
            if let Some(name) = ["tune-seed", "studies"].into_iter().find(|name| given.has(name)) {
                return Err(given.with_source(name, lonely(name)));
            }
            return match keys.first() {
                Some(key) => Err(below_flags(RANGE, key.source, lonely(RANGE))),
                None => Ok(None),
            };
        };
        let sourced = |name: &str, error: Usage| given.with_source(name, error);
        if !(1..=MOST_TRIALS).contains(&trials) {
            let remedy = match trials {
                0 => "leave it out to compare without tuning",
                _ => "more would coincide, since values have three digits; repeat the tuning with --studies N",
            };
            let rule = format!("tune must be 1 to {} trials, got {}; {remedy}", grouped(MOST_TRIALS), grouped(trials));
            return Err(sourced("tune", Usage(rule)));
        }
        if given.has(RATE) {
            let rule =
                format!("--{RATE} sets the rate that --tune varies; leave one out, or give --{RANGE} {RATE}=LOW:HIGH");
            return Err(sourced(RATE, Usage(rule)));
        }
        if let Some(key) = given.table("grid")?.iter().find(|key| key.key == RATE) {
            let rule = Usage(format!("--grid {RATE} sets the rates that --tune varies; leave one out"));
            return Err(below_flags("grid", key.source, rule));
        }
        let studies = given.parse("studies", COUNT)?.unwrap_or(STUDIES);
        if studies == 0 {
            return Err(sourced("studies", Usage("studies must be at least 1, got 0".to_string())));
        }
        let axis =
            |key: &&TableKey| TuneAxis::of(key).map_err(|error| given.with_source_of_key(RANGE, key.source, &error));
        Ok(Some(Self {
            trials,
            ranges: keys.iter().map(axis).collect::<Result<_, _>>()?,
            seed: given.parse("tune-seed", "a whole number of at least 0")?.unwrap_or(0),
            studies,
        }))
    }

    /// As the `[tune-range]` of a config file.
    pub fn ranges_to_toml(&self) -> toml::Table {
        let ends = |axis: &TuneAxis| vec![toml::Value::Float(axis.low), toml::Value::Float(axis.high)];
        self.ranges.iter().map(|axis| (axis.key.clone(), ends(axis).into())).collect()
    }
}

/// `lr=0.003:3`, as it is typed.
impl std::fmt::Display for TuneAxis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, low, high } = self;
        write!(f, "{key}={}:{}", exact(rounded(*low, RATE_DIGITS)), exact(rounded(*high, RATE_DIGITS)))
    }
}

/// `--finalists`: how many entrants are judged, out of `entrants`.
///
/// # Errors
/// Fewer than two, or not fewer than there are.
pub fn finalists(given: &Given, entrants: usize) -> Result<Option<usize>, Usage> {
    let Some(finalists) = given.parse::<usize>("finalists", "a whole number of at least 2")? else { return Ok(None) };
    if finalists < 2 || finalists >= entrants {
        let rule = match entrants {
            ..3 => format!("finalists are chosen from 3 entrants or more, got {entrants}; leave it out, or name more"),
            3 => format!("finalists must be 2 of the 3 entrants, got {finalists}"),
            _ => format!("finalists must be 2 to {} of the {entrants} entrants, got {finalists}", entrants - 1),
        };
        return Err(given.with_source("finalists", Usage(rule)));
    }
    Ok(Some(finalists))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn axis(text: &str) -> Result<TuneAxis, String> {
        TuneAxis::of(&TableKey::parse(text, Source::CommandLine)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_range_is_two_numbers_that_rise_of_a_parameter_that_can_be_tuned() {
        assert_eq!(axis("lr=1e-3:1").unwrap(), TuneAxis { key: "lr".into(), low: 1e-3, high: 1.0 });
        assert_eq!(axis("momentum=0,0.9").unwrap().to_string(), "momentum=0:0.9");
        for (text, why) in [
            ("lr=1:0.1", "must rise from LOW to HIGH, got 1:0.1; write lr=0.1:1"),
            ("lr=0.1:0.1", "got the single value 0.1"),
            ("lr=0.1", "must be LOW:HIGH, two numbers, got `0.1`"),
            ("lr=a:b", "must be LOW:HIGH"),
            ("lr=1:2:3", "must be LOW:HIGH"),
            ("lr=1:inf", "must be LOW:HIGH"),
            ("lr=", "lr has no range; write lr=LOW:HIGH"),
            ("lr", "lr has no range; write lr=LOW:HIGH"),
            ("lr=0:1", "must begin above 0"),
            ("=0:1", "a key is missing"),
            ("0.01:0.1", "`0.01:0.1` is a value without its key; write KEY=LOW:HIGH, without spaces"),
            ("epochs=1:9", "epochs is the same for all runs of a comparison; make one for each value"),
            ("seeds=1:9", "give the number of seeds as --seeds N"),
            ("no-nesterov=0:1", "nesterov is a switch; cross the entrants with it: --grid nesterov=true,false"),
            ("nesterov=0:1", "is a switch"),
            ("wieght-decay=0:1", "did you mean `weight-decay`"),
        ] {
            let error = axis(text).unwrap_err();
            assert!(error.starts_with("tune-range: ") && error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_range_above_0_is_logarithmic_and_one_from_0_linear() {
        assert!((axis("lr=0.01:1").unwrap().at(0.5) - 0.1).abs() < 1e-12);
        assert!((axis("momentum=0:0.9").unwrap().at(0.5) - 0.45).abs() < 1e-12);
    }
}
