//! Suggests learning rates from the curve of a learning rate range test.
//!
//! Every method is a pure function of the curve. A method without an answer says why; no suggestion is NaN.
//!
//! | method | suggestion | source |
//! |--------|------------|--------|
//! | [`Method::Plateau`]   | the middle of the range of rates with the best accuracy | Smith (2017), reduced to one rate |
//! | [`Method::Valley`]    | halfway through the longest fall of the loss           | fastai 2, `valley` |
//! | [`Method::Steepest`]  | the lowest d loss / d ln(rate) before the minimum       | Smith; fastai `steep`, pytorch-lr-finder |
//! | [`Method::Minimum`]   | a tenth of the rate with the lowest loss                | fastai `minimum` |
//! | [`Method::Base`]      | where the accuracy starts to rise                       | Smith (2017), section 3.3 |
//! | [`Method::Max`]       | 0.9 times the rate where it stops rising, gets ragged or falls | Smith (2017), section 3.3 |
//! | [`Method::Floor`]     | a quarter of that                                       | Smith (2017); Smith and Topin (2018) |
//!
//! The loss is smoothed. Its first tenth is dropped because smoothing has only just started, and its last five values
//! because the network may have diverged (as in fastai; of 100 iterations these are the 10 and 5 that pytorch-lr-finder
//! skips).

use super::distribution::normal_quantile;
use super::{mean, median, quantile};
use crate::number::significant;

/// Values dropped at the end.
const END: usize = 5;
/// Curves with fewer values are not evaluated.
const FEWEST: usize = 8;
/// A smaller relative fall of the smoothed loss counts as noise.
const FALL: f64 = 0.03;
/// A smaller rise of the accuracy does not count, however many images were evaluated: 3 percentage points. Untrained
/// networks differ by as much in what they guess right.
const RISE: f64 = 0.03;
/// Upper bound on the probability of detecting a rise that is only noise.
const FALSE_ALARMS: f64 = 0.01;
/// Upper bound on the size of a validation set.
const MOST_IMAGES: u32 = 100_000;
/// Correction for underestimating the standard deviation of the loss.
const DOUBT: f64 = 1.4;
/// Successive accuracies of a network that hardly changes scatter less than a binomial proportion, but by at least a
/// tenth of it.
const ALIKE: f64 = 10.0;
/// The loss has exploded above this multiple of its initial value, or of its minimum so far.
const EXPLODED: (f64, f64) = (2.0, 4.0);
/// Minimum factor between a suggested rate and one at which the loss explodes.
const DISTANCE: f64 = 2.0;
/// Fractions of the rise in accuracy: at which it has started, from which it counts as best, and below which a single
/// validation makes the accuracy ragged.
const STARTED: f64 = 0.1;
const BEST: f64 = 0.9;
const RAGGED: f64 = 0.5;

/// One iteration of a range test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangePoint {
    pub rate: f64,
    /// Smoothed.
    pub loss: f64,
    /// `None` if this iteration was not validated.
    pub accuracy: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Plateau,
    Valley,
    Steepest,
    Minimum,
    Base,
    Max,
    Floor,
}

impl Method {
    /// In table order. The first four suggest a rate to train with, the others bounds for a cyclical schedule.
    pub const ALL: [Method; 7] =
        [Method::Plateau, Method::Valley, Method::Steepest, Method::Minimum, Method::Base, Method::Max, Method::Floor];

    pub const fn name(self) -> &'static str {
        match self {
            Method::Plateau => "plateau",
            Method::Valley => "valley",
            Method::Steepest => "steepest",
            Method::Minimum => "minimum/10",
            Method::Base => "Smith's base",
            Method::Max => "Smith's max",
            Method::Floor => "max/4",
        }
    }

    /// Whether it suggests a rate to train with, rather than a bound.
    pub const fn is_rate(self) -> bool {
        matches!(self, Method::Plateau | Method::Valley | Method::Steepest | Method::Minimum)
    }
}

/// A suggested rate, and the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub rate: f64,
    pub reason: String,
}

/// The answer of one method, or why it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    pub method: Method,
    pub answer: Result<Answer, String>,
}

/// The answers of all methods for one test, in the order of [`Method::ALL`].
pub fn suggest(points: &[RangePoint]) -> Vec<Suggestion> {
    // The points may come from a file. Drop invalid rates so that no suggestion is invalid.
    let points: Vec<RangePoint> = points.iter().copied().filter(|p| p.rate > 0.0 && p.rate.is_finite()).collect();
    let up = climb(&points);
    let (rates, losses) = trimmed(up);
    let usable = learned(&rates, &losses);
    let rises = rises_after(up, &rates, &losses);
    let accuracy = Accuracy::of(up);
    let of = |answer: fn(&Accuracy) -> Result<Answer, String>| accuracy.as_ref().map_err(Clone::clone).and_then(answer);
    let max = of(Accuracy::max);
    let floor = max.clone().map(|max| Answer {
        rate: max.rate / 4.0,
        reason: "a quarter of Smith's max: the lower bound of one-cycle".to_string(),
    });
    let answers = [
        of(Accuracy::plateau),
        usable.clone().and_then(|()| valley_answer(&rates, &losses, rises)),
        usable.clone().and_then(|()| steepest_answer(&rates, &losses)),
        usable.and_then(|()| minimum_answer(&rates, &losses, rises)),
        of(Accuracy::base),
        max,
        floor,
    ];
    let explosion = explosion(&points);
    let stands = |answer: Answer| match explosion {
        Some(explosion) => explosion.allows(&answer).map(|()| answer),
        None => Ok(answer),
    };
    let said = Method::ALL.into_iter().zip(answers);
    said.map(|(method, answer)| Suggestion { method, answer: answer.and_then(stands) }).collect()
}

/// The point at which the loss explodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explosion {
    /// The first rate with an exploded loss.
    pub rate: f64,
    /// The rate tested just before it.
    before: f64,
}

impl Explosion {
    /// Whether a suggestion keeps its distance from the explosion.
    ///
    /// # Errors
    /// The rate of `answer` is not below the one tested just before the explosion, or is within a factor of 2 of the
    /// explosion.
    pub fn allows(&self, answer: &Answer) -> Result<(), String> {
        if answer.rate < self.before && answer.rate <= self.rate / DISTANCE {
            return Ok(());
        }
        let (rate, at) = (show(answer.rate), show(self.rate));
        Err(format!("{rate} is too close to {at}, where the loss explodes; take more --steps, or a lower --max-lr"))
    }
}

/// Finds where the loss explodes while the rate increases; `None` if it does not.
///
/// That is the first loss that is not finite, exceeds twice the median of the first few, or exceeds four times the
/// minimum so far. By then the unsmoothed loss has long exploded.
pub fn explosion(points: &[RangePoint]) -> Option<Explosion> {
    let up = climb(points);
    let first: Vec<f64> = up.iter().take(FEWEST.min(up.len() / 4).max(1)).map(|point| point.loss).collect();
    let first = median(&first).filter(|first| first.is_finite()).unwrap_or(f64::INFINITY);
    let mut lowest = f64::INFINITY;
    let place = up.iter().position(|point| {
        let limit = (EXPLODED.0 * first).min(EXPLODED.1 * lowest);
        lowest = lowest.min(point.loss);
        // Multiples of losses at or below 0 are no limits.
        !point.loss.is_finite() || (limit > 0.0 && point.loss > limit)
    })?;
    Some(Explosion { rate: up[place].rate, before: up[place.saturating_sub(1)].rate })
}

/// The part in which the rate increases: the whole test, or the first half of a cycle.
fn climb(points: &[RangePoint]) -> &[RangePoint] {
    let end = points.windows(2).position(|pair| pair[1].rate <= pair[0].rate).map_or(points.len(), |top| top + 1);
    &points[..end]
}

/// Rates and losses without the first tenth, the last five values, and everything from the first loss that is not
/// finite.
fn trimmed(points: &[RangePoint]) -> (Vec<f64>, Vec<f64>) {
    let n = points.len();
    let kept = points.get(n / 10..n.saturating_sub(END)).unwrap_or_default();
    kept.iter().take_while(|point| point.loss.is_finite()).map(|point| (point.rate, point.loss)).unzip()
}

/// Whether the loss rises or diverges right after the trimmed part: then the fall ended before the test did.
fn rises_after(points: &[RangePoint], rates: &[f64], losses: &[f64]) -> bool {
    let (Some(end), Some(last)) = (rates.last(), losses.last()) else { return false };
    let mut behind = points.iter().skip_while(|point| point.rate <= *end);
    behind.any(|point| !point.loss.is_finite() || point.loss > *last)
}

/// Whether the loss falls enough for a suggestion.
fn learned(rates: &[f64], losses: &[f64]) -> Result<(), String> {
    let n = losses.len();
    if n < FEWEST {
        return Err(format!("{n} usable iterations, must be at least {FEWEST}; lower --min-lr, or take more --steps"));
    }
    // The first loss is noisy: take the median of the first few as the start of the fall.
    let first = median(&losses[..FEWEST.min(n / 4)]).unwrap_or(losses[0]);
    let fall = (first - lowest(losses)) / first.abs();
    let between = || format!("between {} and {}: nothing was learned", show(rates[0]), show(rates[n - 1]));
    if fall.is_nan() || fall < FALL {
        return Err(format!("the loss never falls by {} % {}", FALL * 100.0, between()));
    }
    // The minimum of n values lies this many standard deviations below their mean by chance.
    let deep = DOUBT * normal_quantile(1.0 - FALSE_ALARMS / n as f64);
    if fall * first.abs() < deep * scatter(losses) {
        return Err(format!("the loss falls by {:.1} %, no more than its noise, {}", fall * 100.0, between()));
    }
    Ok(())
}

/// A robust estimate of the standard deviation of the losses about their trend: the median difference between losses a
/// twentieth of the test apart, divided by its value for independent standard normal losses, √2 · Φ⁻¹(3/4). Adjacent
/// losses are not used because smoothing correlates them.
fn scatter(losses: &[f64]) -> f64 {
    let apart = (losses.len() / 20).max(1);
    let differences: Vec<f64> = losses.windows(apart + 1).map(|window| (window[apart] - window[0]).abs()).collect();
    median(&differences).unwrap_or(0.0) / (std::f64::consts::SQRT_2 * normal_quantile(0.75))
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn valley_answer(rates: &[f64], losses: &[f64], rises: bool) -> Result<Answer, String> {
    let Valley { start, end, place } =
        valley(losses).ok_or("the loss never falls from one iteration to a later one")?;
    let still = match end + 1 == losses.len() && !rises {
        true => "; it still falls at the end: a higher --max-lr may find more",
        false => "",
    };
    let (from, to) = (show(rates[start]), show(rates[end]));
    Ok(Answer { rate: rates[place], reason: format!("halfway through the valley of the loss, {from} to {to}{still}") })
}

fn steepest_answer(rates: &[f64], losses: &[f64]) -> Result<Answer, String> {
    // Only up to the minimum: a diverged loss may fall even faster.
    let least = lowest(losses);
    let end = losses.iter().position(|&loss| loss == least).map_or(losses.len(), |place| place + 1);
    // A twentieth of the test on either side, so that one noisy batch does not decide.
    let reach = (losses.len() / 20).max(1);
    let (place, slope) = steepest(&rates[..end], &losses[..end], reach).ok_or("the loss falls at no rate")?;
    let decade = slope * std::f64::consts::LN_10;
    Ok(Answer { rate: rates[place], reason: format!("the loss falls fastest here: by {:.2} a decade", -decade) })
}

fn minimum_answer(rates: &[f64], losses: &[f64], rises: bool) -> Result<Answer, String> {
    let least = lowest(losses);
    let place = losses.iter().position(|&loss| loss == least).ok_or("there is no lowest loss")?;
    let at = show(rates[place]);
    if place + 1 == losses.len() && !rises {
        return Err(format!("the loss is lowest at the end, at {at}: its minimum lies beyond; raise --max-lr"));
    }
    Ok(Answer { rate: rates[place] / 10.0, reason: format!("a tenth of {at}, where the loss is lowest ({least:.3})") })
}

/// A fall of the loss, and the index in it that fastai suggests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valley {
    pub start: usize,
    pub end: usize,
    pub place: usize,
}

/// fastai's `valley`: the longest strictly decreasing subsequence of `losses`, of length L, ends at `end`. The valley
/// is taken to span the L indices up to `end`, and the suggestion is at ⌊L/3⌋ + ⌊L/6⌋ into it. `None` if no loss is
/// below an earlier one.
///
/// fastai compares every pair of losses; this takes O(n log n), keeping the highest end of a decreasing subsequence of
/// each length.
pub fn valley(losses: &[f64]) -> Option<Valley> {
    // highest[k]: the highest last loss of a decreasing subsequence of length k + 1 so far. Decreasing in k.
    let mut highest: Vec<f64> = Vec::new();
    let mut end = 0;
    for (place, &loss) in losses.iter().enumerate() {
        let length = highest.partition_point(|&other| other > loss);
        if length == highest.len() {
            // The longest subsequence ends where its length is first reached.
            highest.push(loss);
            end = place;
        } else {
            highest[length] = highest[length].max(loss);
        }
    }
    let length = highest.len();
    // Counted this way, a fall over all indices would start one before the first.
    let back = |into: usize| (end + into).saturating_sub(length);
    (length > 1).then(|| Valley { start: back(0), end, place: back(length / 3 + length / 6) })
}

/// The index with the lowest slope d loss / d ln(rate), and that slope, by least squares over `reach` points on either
/// side (fewer at the ends); `None` if no slope is negative.
///
/// With a reach of 1 and exponentially increasing rates this is the suggestion of pytorch-lr-finder.
pub fn steepest(rates: &[f64], losses: &[f64], reach: usize) -> Option<(usize, f64)> {
    let slope = |place: usize| {
        let window = place.saturating_sub(reach)..(place + reach + 1).min(losses.len());
        let n = window.len() as f64;
        let (logs, losses) = (rates[window.clone()].iter().map(|rate| rate.ln()), &losses[window]);
        let (mean_log, mean_loss) = (logs.clone().sum::<f64>() / n, losses.iter().sum::<f64>() / n);
        let (mut together, mut alone) = (0.0, 0.0);
        for (log, loss) in logs.zip(losses) {
            together += (log - mean_log) * (loss - mean_loss);
            alone += (log - mean_log).powi(2);
        }
        together / alone
    };
    let slopes = (0..losses.len()).map(|place| (place, slope(place)));
    slopes.filter(|(_, slope)| *slope < 0.0).min_by(|a, b| a.1.total_cmp(&b.1))
}

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
struct Accuracy {
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
}

impl Accuracy {
    /// `Err` says why the accuracy supports no suggestion.
    fn of(points: &[RangePoint]) -> Result<Self, String> {
        let validations = points.iter().filter_map(|point| Some((point.rate, point.accuracy?)));
        let (rates, raw): (Vec<f64>, Vec<f64>) = validations.unzip();
        let n = rates.len();
        if n < FEWEST {
            return Err(format!(
                "{n} validations, must be at least {FEWEST}; take more --steps, or lower --eval-every"
            ));
        }
        let smooth = medians(&raw);
        let highest = smooth.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let peak = smooth.iter().position(|&accuracy| accuracy == highest).unwrap_or(0);
        let floor = lowest(&smooth[..=peak]);
        let rise = highest - floor;
        if rise.is_nan() || rise < RISE {
            return Err(format!("the accuracy never rises by {} points: nothing was learned", RISE * 100.0));
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
        Ok(Self { rates, raw, smooth, peak, floor, rise })
    }

    /// The smoothed accuracy after `share` of the rise.
    fn level(&self, share: f64) -> f64 {
        self.floor + share * self.rise
    }

    /// The last index before the peak at which the accuracy has hardly risen.
    fn start(&self) -> usize {
        (0..self.peak).rev().find(|&i| self.smooth[i] <= self.level(STARTED)).unwrap_or(0)
    }

    fn plateau(&self) -> Result<Answer, String> {
        let best = |i: &usize| self.smooth[*i] >= self.level(BEST);
        let all = 0..self.smooth.len();
        let (first, last) = all.clone().find(best).zip(all.rev().find(best)).ok_or("the accuracy has no peak")?;
        let (from, to) = (self.rates[first], self.rates[last]);
        if last + 1 == self.smooth.len() {
            return Err(format!("the accuracy is still at its best at the end, at {}; raise --max-lr", show(to)));
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

    fn base(&self) -> Result<Answer, String> {
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

    fn max(&self) -> Result<Answer, String> {
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
                return Err(format!("the accuracy still rises at the end, at {at}; raise --max-lr"));
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

/// The combined answer of one method over tests with different seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    pub method: Method,
    /// `Err` says why there is no answer.
    pub answer: Result<Answer, String>,
    /// The lowest and highest answers.
    pub spread: Option<(f64, f64)>,
    /// Number of tests with an answer.
    pub answers: usize,
    pub tests: usize,
}

/// The median answer of each method; none if fewer than half of the tests have one.
pub fn combine(tests: &[Vec<Suggestion>]) -> Vec<Combined> {
    let of = |method: Method| {
        let all: Vec<&Suggestion> = tests.iter().flatten().filter(|suggestion| suggestion.method == method).collect();
        let answers: Vec<&Answer> = all.iter().filter_map(|suggestion| suggestion.answer.as_ref().ok()).collect();
        let rates: Vec<f64> = answers.iter().map(|answer| answer.rate).collect();
        let (n, tests) = (answers.len(), all.len());
        let answer = match (answers.as_slice(), middle(&rates)) {
            ([only], _) if tests == 1 => Ok((*only).clone()),
            (some, Some(_)) if some.len() * 2 < tests => {
                let why = all.iter().find_map(|suggestion| suggestion.answer.as_ref().err());
                Err(format!(
                    "only {n} of {tests} seeds have an answer; one of the others: {}",
                    why.map_or("", String::as_str)
                ))
            }
            (_, Some(rate)) => {
                let nearest = answers.iter().min_by(|a, b| far(a.rate, rate).total_cmp(&far(b.rate, rate)));
                let example = nearest.map_or("", |answer| answer.reason.as_str());
                Ok(Answer { rate, reason: format!("median of {n} of {tests} seeds; the nearest: {example}") })
            }
            _ => {
                Err(all.iter().find_map(|s| s.answer.as_ref().err()).cloned().unwrap_or_else(|| "no test".to_string()))
            }
        };
        let spread = quantile(&rates, 0.0).zip(quantile(&rates, 1.0)).filter(|_| answer.is_ok());
        Combined { method, answer, spread, answers: n, tests }
    };
    Method::ALL.into_iter().map(of).collect()
}

/// The median; for an even number of rates, the geometric mean of the middle two.
fn middle(rates: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
    match rates {
        [only] => Some(*only),
        _ => median(&logs).map(f64::exp),
    }
}

/// Distance of two rates: |ln(a / b)|.
fn far(a: f64, b: f64) -> f64 {
    (a / b).ln().abs()
}

/// The rate to train with: that of the plateau, or else of the next method with an answer. `None` if no method has one.
///
/// The plateau comes first because on CIFAR-10 it was the only method within a factor of 3 of the best rate for sgd,
/// sgd with momentum and adam alike: see `docs/FIND.md`.
pub fn headline(combined: &[Combined]) -> Option<(Method, f64)> {
    let rates = combined.iter().filter(|one| one.method.is_rate());
    rates.filter_map(|one| Some((one.method, one.answer.as_ref().ok()?.rate))).next()
}

/// The lowest and highest of the suggested rates to train with; `None` if fewer than two methods have an answer.
pub fn range(combined: &[Combined]) -> Option<(f64, f64)> {
    let rates: Vec<f64> = combined
        .iter()
        .filter(|one| one.method.is_rate())
        .filter_map(|one| Some(one.answer.as_ref().ok()?.rate))
        .collect();
    quantile(&rates, 0.0).zip(quantile(&rates, 1.0)).filter(|_| rates.len() > 1)
}

/// Formats a rate to three significant digits: `0.00123`, `1.23e-5`.
pub fn show(rate: f64) -> String {
    significant(rate, 3)
}
