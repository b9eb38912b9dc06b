//! How the rate of a range test rises from its lowest to its highest value.

use crate::usage::{Usage, named};

/// The rate at iteration i = 0, 1, …, n; n is the last one.
///
/// ```text
/// linear       min + (max − min) · i/n                       Smith (2015)
/// exponential  min · (max / min)^(i/n)                       fastai, pytorch-lr-finder
/// triangular   min + (max − min) · (1 − |2i/n − 1|)          one full cycle, up and down: Smith (2017)
/// ```
///
/// ```
/// use lrsched::config::Mode;
/// let rates = |mode: Mode, min, max| [0, 1, 2, 3, 4].map(|i| mode.rate(i, 5, min, max));
/// assert_eq!(rates(Mode::Linear, 0.0, 1.0), [0.0, 0.25, 0.5, 0.75, 1.0]);
/// assert_eq!(rates(Mode::Triangular, 0.0, 1.0), [0.0, 0.5, 1.0, 0.5, 0.0]);
/// assert_eq!(rates(Mode::Exponential, 1.0, 16.0), [1.0, 2.0, 4.0, 8.0, 16.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    Linear,
    #[default]
    Exponential,
    Triangular,
}

impl Mode {
    pub const ALL: [Mode; 3] = [Mode::Linear, Mode::Exponential, Mode::Triangular];

    pub const fn name(self) -> &'static str {
        match self {
            Mode::Linear => "linear",
            Mode::Exponential => "exponential",
            Mode::Triangular => "triangular",
        }
    }

    /// The rate at `iteration` (0-based) of `steps`, which must be at least 2.
    pub fn rate(self, iteration: u64, steps: u64, min: f64, max: f64) -> f64 {
        let share = iteration as f64 / (steps - 1) as f64;
        // A weighted mean rather than a sum: exact at both ends.
        let between = |share: f64| min * (1.0 - share) + max * share;
        match self {
            Mode::Linear => between(share),
            Mode::Exponential => min.powf(1.0 - share) * max.powf(share),
            Mode::Triangular => between(1.0 - (2.0 * share - 1.0).abs()),
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        named("mode", text, Self::ALL, Self::name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The values that pytorch-lr-finder's own test expects (tests/test_lr_finder.py, test_lr_history).
    #[test]
    fn five_exponential_iterations_from_1e_5_to_0_1_are_the_powers_of_ten_that_pytorch_lr_finder_takes() {
        let rates: Vec<f64> = (0..5).map(|i| Mode::Exponential.rate(i, 5, 1e-5, 0.1)).collect();
        for (rate, expected) in rates.iter().zip([1e-5, 1e-4, 1e-3, 1e-2, 0.1]) {
            assert!((rate / expected - 1.0).abs() < 1e-12, "{rates:?}");
        }
    }

    #[test]
    fn every_mode_starts_at_the_minimum_stays_within_the_bounds_and_reaches_the_maximum() {
        for mode in Mode::ALL {
            for steps in [2, 3, 10, 401] {
                let rates: Vec<f64> = (0..steps).map(|i| mode.rate(i, steps, 1e-5, 10.0)).collect();
                assert_eq!(rates[0], 1e-5);
                assert!(rates.iter().all(|rate| (1e-5..=10.0).contains(rate)));
                let highest = rates.iter().fold(0.0_f64, |a, &b| a.max(b));
                // With an even number of iterations, the peak lies between two of them.
                assert!(highest == 10.0 || (mode == Mode::Triangular && steps % 2 == 0), "{mode:?} {steps}");
            }
        }
    }
}
