//! A length of time in epochs, steps or percent.

use crate::error::{UsageError, shortened};
use crate::spec::shortest;
use crate::usage;
use std::fmt;

/// `10`, `10ep`, `400st`, `30%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Duration {
    Epochs(f64),
    Steps(f64),
    /// A percentage of the run, or of what remains after a warm-up or an earlier schedule.
    Percent(f64),
}

/// The limit of runs and durations: far longer than any real training run, exact in f64, and small enough that sums of
/// steps do not overflow.
pub(super) const MOST_STEPS: u64 = 1 << 48;

/// The unit of a number without a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Epochs,
    Steps,
}

impl Unit {
    /// The equivalent suffix.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Epochs => "ep",
            Self::Steps => "st",
        }
    }
}

impl Duration {
    /// Parses a duration; `unit` is the unit of a plain number.
    ///
    /// # Errors
    /// Not a number, an unknown suffix, a number that is negative or not finite. The message has no subject: the caller
    /// adds it.
    pub fn parse(text: &str, unit: Unit) -> Result<Self, UsageError> {
        let text = text.trim();
        let (number, make): (&str, fn(f64) -> Self) = if let Some(number) = text.strip_suffix("ep") {
            (number, Self::Epochs)
        } else if let Some(number) = text.strip_suffix("st") {
            (number, Self::Steps)
        } else if let Some(number) = text.strip_suffix('%') {
            (number, Self::Percent)
        } else if unit == Unit::Steps {
            (text, Self::Steps)
        } else {
            (text, Self::Epochs)
        };
        match number.trim().parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(make(value)),
            _ => usage!("must be a duration such as 10, 10ep, 400st or 30%, got `{text}`", text = shortened(text)),
        }
    }

    /// The duration in epochs as an exact fraction, numerator and denominator: 1.5 epochs are 15/10, and 0.1 epochs
    /// 1/10, which f64 cannot represent. `None` if it is not given in epochs, or has too many digits.
    pub fn epochs(self) -> Option<(u64, u64)> {
        let Self::Epochs(epochs) = self else { return None };
        (0..=15).map(|digits| 10_u64.pow(digits)).find_map(|denominator| {
            let numerator = (epochs * denominator as f64).round();
            let same = numerator < (1_u64 << 53) as f64 && numerator / denominator as f64 == epochs;
            same.then_some((numerator as u64, denominator))
        })
    }

    pub fn is_zero(self) -> bool {
        let (Self::Epochs(length) | Self::Steps(length) | Self::Percent(length)) = self;
        length == 0.0
    }

    /// Rounded to the nearest whole number of steps; percentages are of `horizon` steps.
    pub fn steps(self, steps_per_epoch: u64, horizon: u64) -> u64 {
        let steps = match self {
            Self::Epochs(epochs) => epochs * steps_per_epoch as f64,
            Self::Steps(steps) => steps,
            Self::Percent(percent) => percent * horizon as f64 / 100.0,
        };
        steps.round().min(MOST_STEPS as f64) as u64
    }
}

impl Duration {
    /// The number and its suffix.
    fn parts(self) -> (f64, &'static str) {
        match self {
            Self::Epochs(epochs) => (epochs, Unit::Epochs.suffix()),
            Self::Steps(steps) => (steps, Unit::Steps.suffix()),
            Self::Percent(percent) => (percent, "%"),
        }
    }

    /// The shortest form, where a plain number counts `unit`: `10`, `400st`.
    pub(crate) fn short(self, unit: Unit) -> String {
        let (number, suffix) = self.parts();
        format!("{}{}", shortest(number), if suffix == unit.suffix() { "" } else { suffix })
    }

    /// Rounds a duration in epochs up to whole ones; others are unchanged.
    pub(crate) fn ceil_epochs(self) -> Self {
        match self {
            Self::Epochs(epochs) => Self::Epochs(epochs.ceil()),
            other => other,
        }
    }

    pub(crate) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Epochs(epochs) => Self::Epochs(epochs * factor),
            Self::Steps(steps) => Self::Steps(steps * factor),
            Self::Percent(percent) => Self::Percent(percent * factor),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, suffix) = self.parts();
        write!(f, "{}{suffix}", shortest(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_number_counts_the_unit_of_its_parameter_and_a_suffix_says_its_own() {
        assert_eq!(Duration::parse("10", Unit::Epochs), Ok(Duration::Epochs(10.0)));
        assert_eq!(Duration::parse("10", Unit::Steps), Ok(Duration::Steps(10.0)));
        assert_eq!(Duration::parse("10ep", Unit::Steps), Ok(Duration::Epochs(10.0)));
        assert_eq!(Duration::parse("400st", Unit::Epochs), Ok(Duration::Steps(400.0)));
        assert_eq!(Duration::parse("30 %", Unit::Epochs), Ok(Duration::Percent(30.0)));
    }

    #[test]
    fn a_duration_becomes_the_nearest_whole_number_of_steps() {
        assert_eq!(Duration::Epochs(1.5).steps(391, 0), 587);
        assert_eq!(Duration::Steps(12.0).steps(391, 0), 12);
        assert_eq!(Duration::Percent(30.0).steps(391, 3910), 1173);
        assert_eq!(Duration::Percent(55.0).steps(1, 100), 55);
        assert_eq!(Duration::Epochs(1e300).steps(391, 3910), 1 << 48);
    }

    #[test]
    fn epochs_are_an_exact_fraction() {
        assert_eq!(Duration::Epochs(1.5).epochs(), Some((15, 10)));
        assert_eq!(Duration::Epochs(0.1).epochs(), Some((1, 10)));
        assert_eq!(Duration::Epochs(10.0).epochs(), Some((10, 1)));
        assert_eq!([Duration::Steps(10.0), Duration::Epochs(1e300)].map(Duration::epochs), [None, None]);
    }

    #[test]
    fn negative_endless_and_unknown_durations_are_refused() {
        for text in ["-1", "inf", "NaN", "", "ep", "10min", "ten"] {
            assert!(Duration::parse(text, Unit::Epochs).is_err(), "{text}");
        }
    }

    #[test]
    fn huge_and_tiny_durations_are_shown_short_and_read_back() {
        for (text, shown) in
            [("2000000st", "2000000st"), ("1e300ep", "1e300ep"), ("0.5%", "0.5%"), ("1e-9ep", "1e-9ep")]
        {
            let duration = Duration::parse(text, Unit::Steps).unwrap();
            assert_eq!(duration.to_string(), shown);
            assert_eq!(Duration::parse(shown, Unit::Epochs), Ok(duration));
        }
    }
}
