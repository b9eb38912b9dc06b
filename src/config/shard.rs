//! A part of a comparison: every N-th run of the plan.

use crate::usage;
use crate::usage::{Usage, shortened};

/// `--shard I/N`: run k of the plan, counted from 0, belongs to shard k mod N + 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    index: u64,
    of: u64,
}

impl Shard {
    /// All runs.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Whether the run at this place in the plan, from 0, belongs to the shard.
    pub const fn has(self, place: usize) -> bool {
        place as u64 % self.of == self.index - 1
    }

    /// How many runs of a plan of this many belong to the shard.
    pub fn count(self, runs: usize) -> usize {
        (0..runs).filter(|place| self.has(*place)).count()
    }

    /// Whether some run of a long enough plan belongs to both shards.
    pub const fn overlaps(self, other: Self) -> bool {
        self.index.abs_diff(other.index).is_multiple_of(common_divisor(self.of, other.of))
    }

    /// `3-of-8`, for the name of a file.
    pub fn file_name(self) -> String {
        format!("{}-of-{}", self.index, self.of)
    }

    /// The shard of a [`Shard::file_name`].
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (index, of) = name.split_once("-of-")?;
        Self::new(index.parse().ok()?, of.parse().ok()?)
    }

    fn new(index: u64, of: u64) -> Option<Self> {
        (1..=of).contains(&index).then_some(Self { index, of })
    }
}

/// The greatest common divisor.
const fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

impl std::str::FromStr for Shard {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        let number = |text: &str| text.trim().parse().ok();
        let parts = text.split_once('/').and_then(|(index, of)| Some((number(index)?, number(of)?)));
        match parts.and_then(|(index, of)| Self::new(index, of)) {
            Some(shard) => Ok(shard),
            None => usage!("shard must be I/N with I from 1 to N, such as 1/4, got `{}`", shortened(text)),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    #[test]
    fn every_run_belongs_to_one_of_n_shards_and_anything_but_one_of_n_is_refused() {
        for of in 1..6 {
            for place in 0..20 {
                let owners = (1..=of).filter(|index| shard(&format!("{index}/{of}")).has(place)).count();
                assert_eq!(owners, 1, "run {place} of {of} shards");
            }
        }
        assert_eq!(["1/3", "2/3", "3/3"].map(|part| shard(part).count(5)), [2, 2, 1]);
        assert!(shard(" 2 / 4 ").has(1) && !shard("2/4").has(2));
        for wrong in ["0/4", "5/4", "a/b", "1", "1/0", "-1/4", "1/4/2", "", "/", "1.5/4", "1/99999999999999999999"] {
            let error = wrong.parse::<Shard>().unwrap_err().to_string();
            assert!(error.starts_with("shard must be I/N with I from 1 to N") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn shards_overlap_exactly_if_they_share_a_run() {
        let all: Vec<Shard> = (1..7).flat_map(|of| (1..=of).map(move |index| Shard { index, of })).collect();
        for a in &all {
            for b in &all {
                let shared = (0..60).any(|place| a.has(place) && b.has(place));
                assert_eq!(a.overlaps(*b), shared, "{a} and {b}");
            }
            assert!(a.overlaps(Shard::WHOLE));
            assert_eq!(Shard::of_file_name(&a.file_name()), Some(*a));
        }
        assert_eq!(Shard::of_file_name("0-of-4"), None);
    }
}
