//! How many runs to train at once.

use crate::usage::{Usage, did_you_mean, shortened};
use std::fmt;
use std::str::FromStr;

/// The number of runs trained at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jobs {
    /// One per thread, or fewer if memory is short.
    #[default]
    Auto,
    Count(usize),
}

impl Jobs {
    /// More threads than any machine could use.
    pub const MOST: usize = 1024;
}

impl FromStr for Jobs {
    type Err = Usage;

    /// # Errors
    /// Neither `auto` nor a number from 1 to [`Jobs::MOST`].
    fn from_str(text: &str) -> Result<Self, Usage> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            number => match number.parse() {
                Ok(count @ 1..=Self::MOST) => Ok(Self::Count(count)),
                _ => Err(Usage(format!(
                    "jobs must be `auto` or a number of runs from 1 to {}, got `{}`{}",
                    Self::MOST,
                    shortened(text),
                    did_you_mean(text, ["auto"])
                ))),
            },
        }
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_auto_or_a_number_from_1_to_1024_and_read_back_as_they_are_shown() {
        for (text, jobs) in [("auto", Jobs::Auto), ("1", Jobs::Count(1)), ("1024", Jobs::Count(1024))] {
            assert_eq!(text.parse(), Ok(jobs));
            assert_eq!(jobs.to_string(), text);
        }
        for wrong in ["0", "-1", "1025", "two", "", "1.5", "99999999999999999999"] {
            let refused = wrong.parse::<Jobs>().unwrap_err().to_string();
            assert_eq!(refused, format!("jobs must be `auto` or a number of runs from 1 to 1024, got `{wrong}`"));
        }
    }
}
