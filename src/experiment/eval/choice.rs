//! Which images, and which checkpoint.

use crate::record::files;
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use std::str::FromStr;

/// The split to evaluate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SplitName {
    /// The training images, without augmentation.
    Train,
    /// The validation images; the test images if the run validated on these.
    Validation,
    #[default]
    Test,
}

impl SplitName {
    pub const ALL: [SplitName; 3] = [SplitName::Test, SplitName::Validation, SplitName::Train];

    pub const fn name(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Validation => "validation",
            SplitName::Test => "test",
        }
    }
}

impl std::fmt::Display for SplitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SplitName {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match SplitName::ALL.into_iter().find(|part| part.name() == text) {
            Some(part) => Ok(part),
            None => {
                let names = SplitName::ALL.map(SplitName::name);
                usage!(
                    "unknown split `{text}`{} (splits: {})",
                    did_you_mean(text, names),
                    names.join(", "),
                    text = shortened(text)
                )
            }
        }
    }
}

/// Which checkpoint of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The last checkpoint.
    Last,
    /// After the epoch with the highest validation accuracy.
    Best,
}

impl Moment {
    pub const ALL: [Moment; 2] = [Moment::Last, Moment::Best];

    pub const fn name(self) -> &'static str {
        match self {
            Moment::Last => files::LAST,
            Moment::Best => files::BEST,
        }
    }
}

impl FromStr for Moment {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match Moment::ALL.into_iter().find(|moment| moment.name() == text) {
            Some(moment) => Ok(moment),
            None => {
                let names = Moment::ALL.map(Moment::name);
                let (hint, text) = (did_you_mean(text, names), shortened(text));
                usage!("unknown checkpoint `{text}`{hint} (checkpoints: {})", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_read_back_and_a_mistyped_one_suggests_the_nearest() {
        for part in SplitName::ALL {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert!("tset".parse::<SplitName>().unwrap_err().to_string().contains("did you mean `test`?"));
    }
}
