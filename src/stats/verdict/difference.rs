//! The difference between two entrants over the seeds that both have, and what a t-test says of it.

use super::LEVEL;
use crate::stats::distribution::{clopper_pearson, pairs_for_power, student_t_quantile, student_t_tail};
use crate::stats::{ROUNDING, mean, standard_deviation};
use std::collections::BTreeMap;

/// The results of one entrant by seed. A run that diverged has the accuracy of guessing.
pub type Results = BTreeMap<u64, f64>;

/// A claim needs this many seeds. Two differences that agree prove little: with noise of two modes they agree, and are
/// not 0, in one of eight comparisons of equals.
pub const FEWEST: usize = 3;

/// The difference between two entrants over the seeds that both have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The mean of aᵢ − bᵢ.
    pub mean: f64,
    pub n: usize,
    /// The sample standard deviation of aᵢ − bᵢ, but no less than what rounding to whole images causes; `None` for
    /// n = 1.
    pub deviation: Option<f64>,
    /// On how many seeds a is ahead; a tie is half of one.
    pub ahead: f64,
}

impl Difference {
    /// a − b; `None` if they have no seed in common. `grain` is the smallest step between two results.
    pub fn of(a: &Results, b: &Results, grain: f64) -> Option<Self> {
        let clear = |difference: f64| if difference.abs() < ROUNDING { 0.0 } else { difference };
        let differences: Vec<f64> = a.iter().filter_map(|(seed, a)| Some(clear(a - b.get(seed)?))).collect();
        let ahead = |d: &f64| match *d {
            d if d > 0.0 => 1.0,
            d if d < 0.0 => 0.0,
            _ => 0.5,
        };
        Some(Self {
            mean: clear(mean(&differences)?),
            n: differences.len(),
            // Each of two rounded numbers has the variance grain² / 12.
            deviation: standard_deviation(&differences).map(|deviation| deviation.max(grain / 6.0_f64.sqrt())),
            ahead: differences.iter().map(ahead).sum(),
        })
    }

    /// Student's t, x̄ √n / s; `None` with fewer than [`FEWEST`] seeds.
    fn t(&self) -> Option<f64> {
        let deviation = self.deviation.filter(|_| self.n >= FEWEST)?;
        Some(if self.mean == 0.0 { 0.0 } else { self.mean * (self.n as f64).sqrt() / deviation })
    }

    /// The same with a deviation of at least `least`.
    pub(super) fn with_deviation_of(self, least: f64) -> Self {
        Self { deviation: self.deviation.map(|deviation| deviation.max(least)), ..self }
    }

    fn degrees(&self) -> u32 {
        self.n as u32 - 1
    }

    /// The mean with which t is the `p`-quantile; `None` with fewer than [`FEWEST`] seeds.
    pub(super) fn margin(&self, p: f64) -> Option<f64> {
        let deviation = self.deviation.filter(|_| self.n >= FEWEST)?;
        Some(student_t_quantile(p, self.degrees()) * deviation / (self.n as f64).sqrt())
    }

    /// Whether t is above the `p`-quantile.
    pub(super) fn exceeds(&self, p: f64) -> bool {
        self.margin(p).is_some_and(|margin| self.mean > margin)
    }

    /// The two-sided p-value of the paired t-test; `None` with fewer than [`FEWEST`] seeds.
    pub fn p_value(&self) -> Option<f64> {
        Some(2.0 * student_t_tail(self.t()?.abs(), self.degrees()))
    }

    /// The probability that a is ahead on a new seed, with its 95 % limits: of this pair by itself, and too favourable to
    /// an a that was chosen because it is ahead.
    pub fn share_ahead(&self) -> (f64, f64, f64) {
        let (lower, upper) = clopper_pearson(self.ahead, self.n, 1.0 - LEVEL);
        (self.ahead / self.n as f64, lower, upper)
    }

    /// How many fresh seeds find a gap as wide as this one with a probability of 80 %, if it is real; `None` beyond
    /// 10,000, or if the deviation is unknown.
    pub fn seeds_for_power(&self) -> Option<usize> {
        pairs_for_power(self.mean.abs() / self.deviation?).map(|n| n.max(FEWEST))
    }
}

/// Results of the seeds from `first` on.
#[cfg(test)]
pub(super) fn entrant(first: u64, results: &[f64]) -> Results {
    (first..).zip(results.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_in_the_last_bits_is_none() {
        let (a, b) = (entrant(0, &[0.1 + 0.2, 0.3, 0.1 + 0.2]), entrant(0, &[0.3; 3]));
        let difference = Difference::of(&a, &b, 0.0).unwrap();
        assert_eq!((difference.mean, difference.ahead, difference.p_value()), (0.0, 1.5, Some(1.0)));
    }
}
