//! Mean, standard deviation, quantiles, smoothing; verdicts on entrants; rate suggestions from a range test.
//!
//! Unknown values are `None`, never 0: a single run has no standard deviation.

#![forbid(unsafe_code)]

use std::cmp::Ordering;

pub mod distribution;
pub mod eigen;
pub mod suggest;
pub mod tuning;
pub mod verdict;

/// The significant digits of a rate as it is told, tuned and suggested: more than a comparison can tell apart, few enough to
/// retype.
pub const RATE_DIGITS: usize = 3;

/// x̄ = Σ xᵢ / n; `None` for n = 0.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Accuracies, and means of them, that differ by less are equal: sums of the same numbers in another order, or of others with the same
/// sum. A single image of a million is a thousand times as much.
const ROUNDING: f64 = 1e-9;

/// The order of two means, in which rounding alone decides nothing. Not transitive, so it compares two and sorts no list.
pub fn compare_means(a: f64, b: f64) -> Ordering {
    if (a - b).abs() < ROUNDING { Ordering::Equal } else { a.total_cmp(&b) }
}

/// The sample standard deviation s = √(Σ (xᵢ − x̄)² / (n − 1)); `None` for n < 2.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Whether an accuracy over so many `images` is better than that of guessing, `chance`, by more than luck explains: by 3
/// standard deviations of the binomial proportion, and by 3/10 of `chance`.
pub fn beats_guessing(accuracy: f64, images: f64, chance: f64) -> bool {
    accuracy - chance > luck(images, chance).max(RISE * chance)
}

/// Whether it is not, and the images are so many that luck could not hide a rise by 3/10 of `chance`.
pub fn only_guesses(accuracy: f64, images: f64, chance: f64) -> bool {
    luck(images, chance) <= RISE * chance && !beats_guessing(accuracy, images, chance)
}

/// The rise above guessing that is learning, as a share of the accuracy of guessing.
const RISE: f64 = 0.3;

/// 3 standard deviations of the binomial proportion.
fn luck(images: f64, chance: f64) -> f64 {
    3.0 * (chance * (1.0 - chance) / images).sqrt()
}

/// The `q`-quantile, 0 ≤ q ≤ 1, with linear interpolation between order statistics (NumPy's default, Hyndman and Fan's
/// type 7).
///
/// `None` if `values` is empty. NaN sorts above every number.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(if below == above { below } else { below + (above - below) * place.fract() })
}

/// The 0.5-quantile; `None` if `values` is empty.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The median of rates, which are compared by their ratios: of an even number, the geometric mean of the middle two. `None`
/// if `rates` is empty.
pub fn median_rate(rates: &[f64]) -> Option<f64> {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let (below, above) = (sorted[last / 2], sorted[last.div_ceil(2)]);
    // The root of a square may differ from it in the last bit.
    Some(if below == above { below } else { (below * above).sqrt() })
}

/// Exponential moving average with Adam's bias correction, so that it does not start near 0: mₜ = β · mₜ₋₁ + (1 − β) ·
/// xₜ, smoothed = mₜ / (1 − βᵗ).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// β in [0, 1): 0 disables smoothing.
    beta: f64,
    average: f64,
    /// βᵗ
    power: f64,
}

impl Smoothing {
    pub fn new(beta: f64) -> Self {
        Self { beta, average: 0.0, power: 1.0 }
    }

    /// Adds `value` and returns the smoothed value.
    pub fn push(&mut self, value: f64) -> f64 {
        self.average = self.beta * self.average + (1.0 - self.beta) * value;
        self.power *= self.beta;
        self.average / (1.0 - self.power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found}, expected {expected}");
    }

    #[test]
    fn few_images_do_not_tell_guessing_from_learning() {
        assert!(beats_guessing(0.14, 5000.0, 0.1) && !only_guesses(0.14, 5000.0, 0.1));
        assert!(!beats_guessing(0.12, 5000.0, 0.1) && only_guesses(0.12, 5000.0, 0.1));
        assert!(!beats_guessing(0.14, 100.0, 0.1) && !only_guesses(0.1, 100.0, 0.1));
        assert!(beats_guessing(0.3, 100.0, 0.1));
    }

    #[test]
    fn one_value_has_a_mean_but_no_standard_deviation() {
        assert_eq!((mean(&[0.7]), standard_deviation(&[0.7])), (Some(0.7), None));
        assert_eq!((mean(&[]), median(&[])), (None, None));
    }

    #[test]
    fn mean_and_deviation_are_those_of_numpy() {
        let values = [2.1, 2.3, 1.9, 2.6, 2.2];
        near(mean(&values).unwrap(), 2.22);
        near(standard_deviation(&values).unwrap(), 0.258_843_582_110_895_75);
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (q, expected) in [(0.0, 1.0), (0.1, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (1.0, 9.0)] {
            near(quantile(&values, q).unwrap(), expected);
        }
    }

    #[test]
    fn smoothing_starts_at_the_first_value_and_keeps_a_constant() {
        let mut smoothing = Smoothing::new(0.98);
        near(smoothing.push(2.5), 2.5);
        near(smoothing.push(2.5), 2.5);
        let mut smoothing = Smoothing::new(0.5);
        smoothing.push(1.0);
        near(smoothing.push(4.0), (0.25 * 1.0 + 0.5 * 4.0) / 0.75);
    }
}
