//! Quantiles and tails of the distributions that verdicts need: normal, Student's t, beta; Clopper and Pearson's limits; power.
//!
//! docs/STATISTICS.md has the sources; scripts/check_statistics.py compares every function with SciPy and statsmodels.

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, PI};
use std::sync::{Mutex, PoisonError};

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

/// Φ(x): the share of the standard normal distribution below `x`, by Marsaglia's series.
fn normal_share(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        k += 2.0;
        term *= x * x / k;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

/// ln Γ(x) for x > 0: Lanczos's approximation with g = 7 and nine terms.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let at = x + 7.5;
    let terms = (1..).zip(TERMS).map(|(place, term)| term / (x + f64::from(place)));
    let sum = 0.999_999_999_999_809_9 + terms.sum::<f64>();
    (x + 0.5) * at.ln() - at + ((2.0 * PI).sqrt() * sum).ln()
}

/// The regularised incomplete beta function Iₓ(a, b), the share of Beta(a, b) below `x`, where `y` is 1 − x: a small
/// one keeps its digits.
fn beta_share(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // The continued fraction converges fast below the mean.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_share(y, x, b, a);
    }
    let ln_front = a * x.ln() + b * y.ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    ln_front.exp() / (a * beta_fraction(x, a, b))
}

/// The continued fraction 1 + d₁/(1 + d₂/(1 + …)) of the incomplete beta function, by Lentz's method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    // Stands in for a denominator of 0.
    const TINY: f64 = 1e-300;
    let safe = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut fraction, mut above, mut below) = (1.0, 1.0, 0.0);
    for place in 1..10_000 {
        let m = f64::from(place / 2);
        let d = if place % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        above = safe(1.0 + d / above);
        below = 1.0 / safe(1.0 + d * below);
        fraction *= above * below;
        if (above * below - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// P(T > t) under Student's t-distribution with `degrees` degrees of freedom.
pub fn student_t_tail(t: f64, degrees: u32) -> f64 {
    let degrees = f64::from(degrees);
    let half = if t.is_infinite() {
        0.0
    } else {
        let whole = degrees + t * t;
        beta_share(degrees / whole, t * t / whole, degrees / 2.0, 0.5) / 2.0
    };
    if t > 0.0 { half } else { 1.0 - half }
}

/// The `p`-quantile of Student's t-distribution with `degrees` degrees of freedom, 0 < p < 1.
///
/// Bisection over the angle φ of t = √ν · cot φ. Each quantile is computed once: verdicts on many entrants ask for the
/// same ones again and again.
pub fn student_t_quantile(p: f64, degrees: u32) -> f64 {
    static KNOWN: Mutex<BTreeMap<(u64, u32), f64>> = Mutex::new(BTreeMap::new());
    // A map is whole even if a thread panicked with the lock.
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&quantile) = known().get(&(p.to_bits(), degrees)) {
        return quantile;
    }
    let wanted = 2.0 * p.min(1.0 - p);
    let nu = f64::from(degrees);
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    // Twice the bits of a mantissa: far in the tail the angle is small.
    for _ in 0..110 {
        let middle: f64 = (low + high) / 2.0;
        let (sin, cos) = middle.sin_cos();
        if beta_share(sin * sin, cos * cos, nu / 2.0, 0.5) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    let quantile = (nu.sqrt() / ((low + high) / 2.0).tan()).copysign(p - 0.5);
    known().insert((p.to_bits(), degrees), quantile);
    quantile
}

/// Clopper and Pearson's exact limits at `confidence` for a share of which `successes` of `n` trials were seen. A tie
/// is half a success.
pub fn clopper_pearson(successes: f64, n: usize, confidence: f64) -> (f64, f64) {
    let (failures, tail) = (n as f64 - successes, (1.0 - confidence) / 2.0);
    let lower = if successes <= 0.0 { 0.0 } else { beta_quantile(tail, successes, failures + 1.0) };
    let upper = if failures <= 0.0 { 1.0 } else { 1.0 - beta_quantile(tail, failures, successes + 1.0) };
    (lower, upper)
}

/// The `p`-quantile of Beta(a, b), by bisection.
fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle: f64 = (low + high) / 2.0;
        if beta_share(middle, 1.0 - middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The smallest number of pairs with which a two-sided paired t-test at 5 % finds a true difference of `effect` standard
/// deviations (of the differences) with a probability of 80 %; `None` beyond 10,000.
pub fn pairs_for_power(effect: f64) -> Option<usize> {
    const WANTED: f64 = 0.8;
    // With a known deviation it would be this many: a bound from below, close to the answer.
    let of_normal = ((normal_quantile(0.975) + normal_quantile(WANTED)) / effect).powi(2);
    if of_normal.is_nan() || of_normal >= 10_000.0 {
        return None;
    }
    (2.max(of_normal as usize)..=10_000).find(|&n| power(effect, n) >= WANTED)
}

/// The probability that the two-sided t-test at 5 % with `n` pairs finds a true difference of `effect` standard
/// deviations: P(Z + δ > t · U), with δ = effect · √n and U = √(χ²/ν), integrated over U by Simpson's rule.
pub fn power(effect: f64, n: usize) -> f64 {
    const STEPS: i32 = 1000;
    let degrees = n as u32 - 1;
    let (nu, shift) = (f64::from(degrees), effect.abs() * (n as f64).sqrt());
    let critical = student_t_quantile(0.975, degrees);
    // U is about 1 ± 1 / √(2ν).
    let (low, high) = ((1.0 - 8.0 / nu.sqrt()).max(0.0), 1.0 + 8.0 / nu.sqrt());
    let ln_scale = 2.0_f64.ln() + nu / 2.0 * (nu / 2.0).ln() - ln_gamma(nu / 2.0);
    let step = (high - low) / f64::from(STEPS);
    let at = |place: i32| {
        let u = low + step * f64::from(place);
        // u^(ν − 1) is 1 for ν = 1, at 0 too.
        let ln_power = if degrees == 1 { 0.0 } else { (nu - 1.0) * u.ln() };
        let density = (ln_scale + ln_power - nu * u * u / 2.0).exp();
        density * (normal_share(shift - critical * u) + normal_share(-shift - critical * u))
    };
    let inner = |place: i32| at(place) * if place % 2 == 0 { 2.0 } else { 4.0 };
    (at(0) + (1..STEPS).map(inner).sum::<f64>() + at(STEPS)) * step / 3.0
}

/// Holm's adjusted p-values of `p`, in the same order, out of `tests` tests in all: the others are not below any of
/// these. A hypothesis is rejected at the level α if its adjusted p-value is at most α.
pub fn holm(p: &[f64], tests: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut highest = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        highest = highest.max(((tests - rank) as f64 * p[place]).min(1.0));
        adjusted[place] = highest;
    }
    adjusted
}
