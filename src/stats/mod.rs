//! Mean, standard deviation, quantiles, t-intervals, paired differences, smoothing; rate suggestions from a range test.
//!
//! Unknown values are `None`, never 0: a single run has no standard deviation.

#![forbid(unsafe_code)]

pub mod eigen;
pub mod suggest;

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};
use std::sync::{Mutex, PoisonError};

/// x̄ = Σ xᵢ / n; `None` for n = 0.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
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

/// The `p`-quantile of Student's t-distribution with `degrees` degrees of freedom, 0 < p < 1.
///
/// Inverts the finite series of Abramowitz and Stegun, 26.7.3 and 26.7.4, by bisection over θ = atan(t / √ν).
pub fn student_t_quantile(p: f64, degrees: u32) -> f64 {
    let wanted = (2.0 * p - 1.0).abs();
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    // One bisection per bit of an f64 mantissa, and a few more.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if student_t_central(middle, degrees) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    (f64::from(degrees).sqrt() * ((low + high) / 2.0).tan()).copysign(p - 0.5)
}

/// The `p`-quantile of the standard normal distribution, Φ⁻¹(p), 0 < p < 1: Wichura's algorithm AS 241 (PPND7), seven
/// digits.
pub fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * (((5.910_937_472e1 * r + 1.592_911_320_2e2) * r + 5.043_427_146_1e1) * r + 3.387_132_717_9)
            / (((6.718_756_360_0e1 * r + 7.875_775_766_4e1) * r + 1.789_516_946_9e1) * r + 1.0);
    }
    let r = (-p.min(1.0 - p).ln()).sqrt();
    let tail = if r <= 5.0 {
        let r = r - 1.6;
        (((1.702_382_110_3e-1 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7)
            / ((1.202_113_297_5e-1 * r + 7.370_016_425_0e-1) * r + 1.0)
    } else {
        let r = r - 5.0;
        (((1.733_720_399_7e-2 * r + 4.286_829_433_7e-1) * r + 3.081_226_386_0) * r + 6.657_905_115_0)
            / ((1.225_820_263_5e-2 * r + 2.419_789_422_5e-1) * r + 1.0)
    };
    tail.copysign(q)
}

/// P(|T| < √ν · tan θ).
fn student_t_central(theta: f64, degrees: u32) -> f64 {
    let (sin, cos) = theta.sin_cos();
    // Odd ν: 2/π (θ + sin θ (cos θ + 2/3 cos³ θ + …)); even ν: sin θ (1 + 1/2 cos² θ + 3/8 cos⁴ θ + …).
    let odd = degrees % 2 == 1;
    let (mut term, mut sum) = if odd { (cos, 0.0) } else { (1.0, 0.0) };
    let mut k = if odd { 1 } else { 0 };
    while k + 2 <= degrees {
        sum += term;
        term *= f64::from(k + 1) / f64::from(k + 2) * cos * cos;
        k += 2;
    }
    if odd { FRAC_2_PI * (theta + sin * sum) } else { sin * sum }
}

/// A mean and half the width of its 95 % t-interval: x̄ ± t₀.₉₇₅,ₙ₋₁ · s / √n.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub mean: f64,
    pub half_width: f64,
    pub n: usize,
}

impl Interval {
    /// Whether the interval excludes 0.
    pub fn excludes_zero(&self) -> bool {
        self.mean.abs() > self.half_width
    }
}

/// The 95 % t-interval of the mean; `None` for n < 2.
pub fn t_interval(values: &[f64]) -> Option<Interval> {
    let (mean, std_dev, n) = (mean(values)?, standard_deviation(values)?, values.len());
    Some(Interval { mean, half_width: half_width(std_dev, n), n })
}

/// t₀.₉₇₅,ₙ₋₁ · s / √n, for n ≥ 2.
fn half_width(std_dev: f64, n: usize) -> f64 {
    t_975(n as u32 - 1) * std_dev / (n as f64).sqrt()
}

/// t₀.₉₇₅, computed once for each number of degrees: the search for the needed n asks for thousands of degrees, the
/// first ones for every pair of entrants, and each quantile is a sum of as many terms.
fn t_975(degrees: u32) -> f64 {
    static KNOWN: Mutex<BTreeMap<u32, f64>> = Mutex::new(BTreeMap::new());
    // A map is whole even if a thread panicked with the lock.
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&quantile) = known().get(&degrees) {
        return quantile;
    }
    let quantile = student_t_quantile(0.975, degrees);
    known().insert(degrees, quantile);
    quantile
}

/// The difference between two entrants that share their seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// The mean of aᵢ − bᵢ.
    pub mean: f64,
    pub n: usize,
    /// The 95 % t-interval; `None` for n = 1.
    pub interval: Option<Interval>,
    /// The smallest n for which the interval would exclude 0 at the same mean and standard deviation; `None` if no n up
    /// to 10,000 does, or if the standard deviation is unknown.
    pub needed: Option<usize>,
}

/// a − b over pairs of the same seed; `None` if there are no pairs.
pub fn paired_difference(pairs: &[(f64, f64)]) -> Option<PairedDifference> {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    let mean = mean(&differences)?;
    let needed = standard_deviation(&differences).and_then(|std_dev| needed(mean, std_dev));
    Some(PairedDifference { mean, n: pairs.len(), interval: t_interval(&differences), needed })
}

fn needed(mean: f64, std_dev: f64) -> Option<usize> {
    let separates = |n: usize| mean.abs() > half_width(std_dev, n);
    let (mut low, mut high) = (2, 10_000);
    if !separates(high) {
        return None;
    }
    while low < high {
        let middle = (low + high) / 2;
        if separates(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
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
    fn one_value_has_a_mean_but_no_standard_deviation_and_no_interval() {
        assert_eq!(mean(&[0.7]), Some(0.7));
        assert_eq!(standard_deviation(&[0.7]), None);
        assert_eq!(t_interval(&[0.7]), None);
        assert_eq!((mean(&[]), median(&[]), paired_difference(&[])), (None, None, None));
        let single = paired_difference(&[(0.7, 0.6)]).unwrap();
        assert_eq!((single.n, single.interval, single.needed), (1, None, None));
    }

    // Expected values of this and the next three tests: SciPy 1.17.1 (stats.t.ppf, stats.t.interval, stats.sem) and
    // NumPy.
    #[test]
    fn student_t_quantiles_are_those_of_scipy() {
        let expected = [
            (1, [0.324_919_696_232_906_34, 12.706_204_736_174_694, 3_183.098_757_118_502]),
            (2, [0.288_675_134_594_812_8, 4.302_652_729_749_462, 70.700_071_074_968_18]),
            (3, [0.276_670_662_332_689_8, 3.182_446_305_283_707_8, 22.203_742_273_205]),
            (9, [0.260_955_336_473_911, 2.262_157_162_798_205, 6.010_132_129_081_531]),
            (100, [0.254_022_182_458_227_66, 1.983_971_518_523_551_7, 3.861_599_790_950_091]),
        ];
        for (degrees, quantiles) in expected {
            for (p, quantile) in [0.6, 0.975, 0.9999].into_iter().zip(quantiles) {
                near(student_t_quantile(p, degrees), quantile);
                near(student_t_quantile(1.0 - p, degrees), -quantile);
            }
        }
    }

    #[test]
    fn normal_quantiles_are_those_of_scipy() {
        for (p, quantile) in [
            (0.5, 0.0),
            (0.75, 0.674_489_750_196_081_7),
            (0.975, 1.959_963_984_540_054),
            (0.999, 3.090_232_306_167_813),
            (1.0 - 1e-6, 4.753_424_308_817_088),
            (1e-12, -7.034_483_825_269_02),
        ] {
            assert!((normal_quantile(p) - quantile).abs() < 1e-5, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn mean_deviation_and_interval_are_those_of_scipy() {
        let values = [2.1, 2.3, 1.9, 2.6, 2.2];
        near(mean(&values).unwrap(), 2.22);
        near(standard_deviation(&values).unwrap(), 0.258_843_582_110_895_75);
        let interval = t_interval(&values).unwrap();
        near(interval.mean - interval.half_width, 1.898_603_242_926_801);
        near(interval.mean + interval.half_width, 2.541_396_757_073_199_5);
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (q, expected) in [(0.0, 1.0), (0.1, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (1.0, 9.0)] {
            near(quantile(&values, q).unwrap(), expected);
        }
    }

    #[test]
    fn a_paired_difference_has_the_interval_of_scipy() {
        let difference = paired_difference(&[(0.71, 0.695), (0.73, 0.705), (0.702, 0.69)]).unwrap();
        let interval = difference.interval.unwrap();
        near(interval.mean, 0.017_333_333_333_333_35);
        near(interval.mean - interval.half_width, 0.000_424_157_483_510_618_35);
        assert!(interval.excludes_zero());
        assert_eq!(difference.needed, Some(3), "two would not do: t with one degree of freedom is 12.7");
    }

    #[test]
    fn the_needed_n_is_the_first_at_which_the_interval_excludes_zero() {
        let pairs = [(0.70, 0.69), (0.72, 0.73), (0.75, 0.73)];
        let difference = paired_difference(&pairs).unwrap();
        assert!(!difference.interval.unwrap().excludes_zero());
        let n = difference.needed.unwrap();
        let std_dev = standard_deviation(&[0.01, -0.01, 0.02]).unwrap();
        assert!(difference.mean > half_width(std_dev, n) && difference.mean <= half_width(std_dev, n - 1), "{n}");
    }

    #[test]
    fn a_quantile_that_is_remembered_has_the_bits_of_one_that_is_computed() {
        for degrees in [1, 2, 9, 4999, 9999, 9, 4999] {
            assert_eq!(t_975(degrees).to_bits(), student_t_quantile(0.975, degrees).to_bits(), "{degrees}");
        }
    }

    #[test]
    fn no_number_of_runs_separates_equals() {
        assert_eq!(paired_difference(&[(0.5, 0.6), (0.6, 0.5)]).unwrap().needed, None);
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
