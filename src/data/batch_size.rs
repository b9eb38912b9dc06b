//! Images per parameter update, and what follows from it: updates per epoch.

use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};

/// Images per parameter update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// 1 is stochastic gradient descent, more is mini-batch gradient descent.
    Images(usize),
    /// All training images: batch gradient descent.
    Full,
}

impl Default for BatchSize {
    fn default() -> Self {
        BatchSize::Images(128)
    }
}

impl BatchSize {
    /// The number of images, given that `available` exist.
    ///
    /// # Errors
    /// The batch size exceeds `available`.
    pub fn images(self, available: usize) -> Result<usize, Usage> {
        match self {
            BatchSize::Full => Ok(available),
            BatchSize::Images(size) if size > available => {
                usage!(
                    "batch-size must be at most the {available} training images, got {size}; `full` takes all of them"
                )
            }
            BatchSize::Images(size) => Ok(size),
        }
    }

    /// Updates per epoch of `available` images: ⌈images / batch size⌉, or ⌊images / batch size⌋ if the last, smaller
    /// batch is dropped.
    ///
    /// # Errors
    /// As [`BatchSize::images`].
    pub fn steps_per_epoch(self, available: usize, drop_last: bool) -> Result<u64, Usage> {
        Ok(steps_of(available, self.images(available)?, drop_last))
    }
}

/// Updates per epoch of `images` images.
pub(super) const fn steps_of(images: usize, batch: usize, drop_last: bool) -> u64 {
    (if drop_last { images / batch } else { images.div_ceil(batch) }) as u64
}

impl std::str::FromStr for BatchSize {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match text.parse() {
            Ok(0) => usage!("batch-size must be at least 1 image, got 0"),
            Ok(size) => Ok(BatchSize::Images(size)),
            Err(_) if text == "full" => Ok(BatchSize::Full),
            Err(_) => {
                let (hint, text) = (did_you_mean(text, ["full"]), shortened(text));
                usage!("batch-size must be a number of images, or `full`; got `{text}`{hint}")
            }
        }
    }
}

impl std::fmt::Display for BatchSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BatchSize::Images(size) => write!(f, "{size}"),
            BatchSize::Full => f.write_str("full"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_size_reads_back_and_0_words_and_too_many_are_errors() {
        for size in [BatchSize::Images(128), BatchSize::Full] {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for wrong in ["0", "-1", "all", "1.5"] {
            assert!(wrong.parse::<BatchSize>().is_err(), "{wrong}");
        }
        let error = BatchSize::Images(11).images(10).unwrap_err().to_string();
        assert_eq!(error, "batch-size must be at most the 10 training images, got 11; `full` takes all of them");
    }

    #[test]
    fn an_epoch_has_a_step_for_a_smaller_last_batch_unless_that_is_dropped() {
        let steps = |images, drop_last| BatchSize::Images(4).steps_per_epoch(images, drop_last).unwrap();
        assert_eq!([10, 8, 4].map(|images| (steps(images, false), steps(images, true))), [(3, 2), (2, 2), (1, 1)]);
        assert_eq!(BatchSize::Full.steps_per_epoch(10, true), Ok(1));
        assert!(BatchSize::Images(11).steps_per_epoch(10, true).is_err());
    }
}
