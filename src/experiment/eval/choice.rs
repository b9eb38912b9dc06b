//! Which images, and which checkpoint.

use crate::record::files;
use crate::usage::{Usage, named};
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
        named("split", text, Self::ALL, Self::name)
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
        named("checkpoint", text, Self::ALL, Self::name)
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
