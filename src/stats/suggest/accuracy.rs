//! Suggestions from the validation accuracy.

use super::{Answer, FALSE_ALARMS, FEWEST, RangePoint, climb, explosion, lowest, show};
use crate::stats::distribution::normal_quantile;
use crate::stats::{mean, median};

/// A smaller rise of the accuracy does not count, however many images were evaluated: 3 percentage points. Untrained
/// networks differ by as much in what they guess right.
const RISE: f64 = 0.03;
/// Upper bound on the size of a validation set.
const MOST_IMAGES: u32 = 100_000;
/// Successive accuracies of a network that hardly changes scatter less than a binomial proportion, but by at least a
/// tenth of it.
const ALIKE: f64 = 10.0;
/// Fractions of the rise in accuracy: at which it has started, from which it counts as best, and below which a single
/// validation makes the accuracy ragged.
const STARTED: f64 = 0.1;
const BEST: f64 = 0.9;
const RAGGED: f64 = 0.5;

/// Half-width of the accuracy's smoothing window, for a number of `validations`: the accuracy fluctuates between
/// iterations.
fn reach(validations: usize) -> usize {
    (validations / 25).max(2)
}

/// The largest rise in accuracy to expect by chance among these validations on `images` images.
///
/// ```text
/// z · s · √2,   s = min(√(p·(1 − p)/n), 10·d),   z = Φ⁻¹(1 − 0.01 / (k·(k − 1)/2)),   k = ⌈validations / (2·reach + 1)⌉
/// ```
///
/// p is the mean accuracy, which would be common to all validations if nothing was learned. √(p(1 − p)/n), with n
/// images, is the standard deviation of a binomial proportion; the difference of two validations has √2 of it; and all
/// pairs of the k smoothing windows are compared (Bonferroni). Validations within a window may be correlated, as those
/// of a network that hardly changes are, so their median is assumed to be as noisy as a single one. If neighbouring
/// validations before the peak scatter far less than chance predicts, d = √(mean of (aᵢ₋₁ − 2aᵢ + aᵢ₊₁)²/6), their
/// changes are not chance.
fn noise(accuracies: &[f64], peak: usize, images: u32) -> f64 {
    let n = accuracies.len();
    let stretches = n.div_ceil(2 * reach(n) + 1).max(2) as f64;
    let pairs = stretches * (stretches - 1.0) / 2.0;
    let p = mean(accuracies).unwrap_or(0.5);
    let binomial = (p * (1.0 - p) / f64::from(images)).sqrt();
    // Only up to the peak: beyond it the accuracy falls systematically.
    let bends: Vec<f64> = accuracies[..=peak].windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).powi(2) / 6.0).collect();
    let scatter = if bends.len() < FEWEST { f64::INFINITY } else { mean(&bends).unwrap_or(0.0).sqrt() };
    normal_quantile(1.0 - FALSE_ALARMS / pairs) * binomial.min(ALIKE * scatter) * std::f64::consts::SQRT_2
}

/// The number of images per validation: the smallest n such that every accuracy is a multiple of 1/n. It divides the
/// true number, so noise is never underestimated. `None` if there is no such n up to 100,000.
fn images(accuracies: &[f64]) -> Option<u32> {
    let whole = |count: f64| (count - count.round()).abs() < 1e-8;
    (1..=MOST_IMAGES).find(|&images| accuracies.iter().all(|accuracy| whole(accuracy * f64::from(images))))
}

/// The smoothed accuracies, (rate, accuracy), to which the reasons refer; empty if there are too few validations for
/// suggestions.
pub fn smoothed_accuracy(points: &[RangePoint]) -> Vec<(f64, f64)> {
    let validations = climb(points).iter().filter_map(|point| Some((point.rate, point.accuracy?)));
    let (rates, raw): (Vec<f64>, Vec<f64>) = validations.unzip();
    if raw.len() < FEWEST { Vec::new() } else { rates.into_iter().zip(medians(&raw)).collect() }
}

/// The running median.
fn medians(raw: &[f64]) -> Vec<f64> {
    let (n, reach) = (raw.len(), reach(raw.len()));
    let around = |i: usize| &raw[i.saturating_sub(reach)..(i + reach + 1).min(n)];
    (0..n).map(|i| median(around(i)).unwrap_or(f64::NAN)).collect()
}

/// The accuracy as a function of the rate, and its rise from floor to peak.
pub(super) struct Accuracy {
    rates: Vec<f64>,
    /// As measured.
    raw: Vec<f64>,
    /// Running median of `raw`.
    smooth: Vec<f64>,
    /// Index of the first maximum of `smooth`.
    peak: usize,
    /// Minimum of `smooth` up to the peak.
    floor: f64,
    rise: f64,
    /// What to do about a test that ends too early.
    remedy: &'static str,
}

impl Accuracy {
    /// `Err` says why the accuracy supports no suggestion.
    pub(super) fn of(points: &[RangePoint]) -> Result<Self, String> {
        let validations = points.iter().filter_map(|point| Some((point.rate, point.accuracy?)));
        let (rates, raw): (Vec<f64>, Vec<f64>) = validations.unzip();
        let n = rates.len();
        if n < FEWEST {
            return Err(format!(
                "the number of validations must be at least {FEWEST}, got {n}; take more --steps (or --epochs), or lower --eval-every"
            ));
        }
        let smooth = medians(&raw);
        let highest = smooth.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let peak = smooth.iter().position(|&accuracy| accuracy == highest).unwrap_or(0);
        let floor = lowest(&smooth[..=peak]);
        let rise = highest - floor;
        if rise.is_nan() || rise < RISE {
            return Err(format!(
                "the accuracy never rises by {} points: nothing was learned; take other rates, or more --steps (or --epochs)",
                RISE * 100.0
            ));
        }
        if let Some(images) = images(&raw) {
            let needed = noise(&raw, peak, images);
            if rise <= needed {
                return Err(format!(
                    "the accuracy rises by {:.1} points, and by chance by up to {:.1} among {n} validations of {images} images: nothing was \
                     learned; take more --eval-images",
                    rise * 100.0,
                    needed * 100.0
                ));
            }
        }
        let remedy = if explosion(points).is_some() { "there the loss explodes" } else { "raise --max-lr" };
        Ok(Self { rates, raw, smooth, peak, floor, rise, remedy })
    }

    /// The smoothed accuracy after `share` of the rise.
    fn level(&self, share: f64) -> f64 {
        self.floor + share * self.rise
    }

    /// The last index before the peak at which the accuracy has hardly risen.
    fn start(&self) -> usize {
        (0..self.peak).rev().find(|&i| self.smooth[i] <= self.level(STARTED)).unwrap_or(0)
    }

    pub(super) fn plateau(&self) -> Result<Answer, String> {
        let best = |i: &usize| self.smooth[*i] >= self.level(BEST);
        let all = 0..self.smooth.len();
        let (first, last) = all.clone().find(best).zip(all.rev().find(best)).ok_or("the accuracy has no peak")?;
        let (from, to) = (self.rates[first], self.rates[last]);
        if last + 1 == self.smooth.len() {
            return Err(format!("the accuracy is still at its best at the end, at {}; {}", show(to), self.remedy));
        }
        let best = (self.level(BEST) * 100.0, show(from), show(to));
        Ok(Answer {
            rate: (from * to).sqrt(),
            reason: format!(
                "the middle of {} to {}, where the accuracy is at its best, above {:.1} %",
                best.1, best.2, best.0
            ),
        })
    }

    pub(super) fn base(&self) -> Result<Answer, String> {
        let start = self.start();
        let early = if start <= reach(self.rates.len()) {
            "; it rises from the start: the base may lie below --min-lr"
        } else {
            ""
        };
        let from = self.floor * 100.0;
        Ok(Answer {
            rate: self.rates[start],
            reason: format!("the accuracy starts to rise here, from {from:.1} %{early}"),
        })
    }

    pub(super) fn max(&self) -> Result<Answer, String> {
        let (start, last) = (self.start(), self.rates.len() - 1);
        let mut gained = 0.0_f64;
        let ragged = (start..self.peak).find(|&i| {
            gained = gained.max(self.smooth[i] - self.floor);
            gained > BEST * RAGGED * self.rise && self.raw[i + 1] < self.floor + RAGGED * gained
        });
        let place = ragged.unwrap_or(self.peak);
        let at = show(self.rates[place]);
        let what = match ragged {
            Some(_) => "gets ragged",
            None if self.peak == last => {
                return Err(format!("the accuracy still rises at the end, at {at}; {}", self.remedy));
            }
            None if self.smooth[self.peak..].iter().any(|&accuracy| accuracy < self.level(BEST)) => "starts to fall",
            None => "rises no further",
        };
        let high = self.smooth[place] * 100.0;
        Ok(Answer {
            rate: 0.9 * self.rates[place],
            reason: format!("0.9 of {at}, where the accuracy {what}, at {high:.1} %"),
        })
    }
}
