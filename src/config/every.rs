//! The checkpoint interval, in addition to the checkpoint after each epoch.

use crate::usage;
use crate::usage::{Usage, shortened};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// `--checkpoint-every`: also checkpoint at this interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Every {
    Steps(u64),
    Time(Duration),
}

impl std::str::FromStr for Every {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        let trimmed = text.trim();
        let unit = trimmed.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &trimmed[..trimmed.len() - unit.len()];
        let seconds = |per: f64| {
            let seconds = number.parse::<f64>().ok().map(|number| number * per);
            let time = seconds.filter(|seconds| *seconds > 0.0 && *seconds < 1e9).map(Duration::from_secs_f64);
            // Fractions of a nanosecond are rounded.
            time.filter(|time| !time.is_zero()).map(Every::Time)
        };
        let every = match unit.trim() {
            "st" => number.parse().ok().filter(|steps| *steps > 0).map(Every::Steps),
            "s" => seconds(1.0),
            "m" | "min" => seconds(60.0),
            "h" => seconds(3600.0),
            _ => None,
        };
        match every {
            Some(every) => Ok(every),
            None => usage!(
                "checkpoint-every must be steps or a time above 0, such as 500st, 60s, 10min or 1h; got `{text}`",
                text = shortened(text)
            ),
        }
    }
}

impl Serialize for Every {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'a> Deserialize<'a> for Every {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Every {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Every::Steps(steps) => write!(f, "{steps}st"),
            Every::Time(time) => write!(f, "{}s", time.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_times_read_back_and_anything_else_is_an_error() {
        for (text, every) in [("500st", Every::Steps(500)), ("60s", Every::Time(Duration::from_secs(60)))] {
            assert_eq!(text.parse(), Ok(every));
            assert_eq!(every.to_string().parse(), Ok(every));
        }
        assert_eq!("1.5min".parse(), Ok(Every::Time(Duration::from_secs(90))));
        for wrong in ["", "500", "0st", "0s", "1.5st", "-1s", "10ep", "s", "1e99s", "9999999999999s", "0.0000000001s"] {
            assert!(wrong.parse::<Every>().is_err(), "{wrong}");
        }
    }
}
