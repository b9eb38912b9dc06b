//! Rates to train with, from the curve of a learning rate range test.
//!
//! Every method is a pure function of the curve. One that has no answer says why; no rate is ever NaN.
//!
//! | method | what it takes | source |
//! |--------|---------------|--------|
//! | [`Method::Plateau`]   | the middle of the rates at which the accuracy is at its best | Smith (2017), made one rate |
//! | [`Method::Valley`]    | halfway through the longest fall of the loss           | fastai 2, `valley` |
//! | [`Method::Steepest`]  | the lowest d loss / d ln(rate) before the minimum       | Smith; fastai `steep`, pytorch-lr-finder |
//! | [`Method::Minimum`]   | a tenth of the rate with the lowest loss                | fastai `minimum` |
//! | [`Method::Base`]      | where the accuracy starts to rise                       | Smith (2017), section 3.3 |
//! | [`Method::Max`]       | 0.9 times where it slows down to nothing, gets ragged or falls | Smith (2017), section 3.3 |
//! | [`Method::Floor`]     | a quarter of that                                       | Smith (2017); Smith and Topin (2018) |
//!
//! The loss is the smoothed one. Its first tenth is left out, because smoothing has only begun there, and its last five values, because they may
//! be those of a network that has blown up (fastai; of 100 iterations these are the 10 and 5 that pytorch-lr-finder leaves out).

use super::{mean, median, normal_quantile, quantile};
use crate::number::significant;

/// Values that are left out at the end.
const END: usize = 5;
/// With fewer values a curve says nothing.
const FEWEST: usize = 8;
/// A smoothed loss that falls by a smaller share than this is noise.
const FALL: f64 = 0.03;
/// An accuracy that rises by less is not worth a rate, however many images were looked at: 3 points. What a network that has learned nothing
/// guesses right differs by as much.
const RISE: f64 = 0.03;
/// How often a rise is found, at most, where there is none.
const FALSE_ALARMS: f64 = 0.01;
/// More images than a validation set has.
const MOST_IMAGES: u32 = 100_000;
/// For what the standard deviation of the loss is estimated too small by.
const DOUBT: f64 = 1.4;
/// Looks scatter by less than a binomial share where the network hardly changes from one to the next, but not by less than a tenth.
const ALIKE: f64 = 10.0;
/// The loss has exploded where it is this many times what it was at first, or the lowest before.
const EXPLODED: (f64, f64) = (2.0, 4.0);
/// How far a suggested rate must be from one at which the loss explodes.
const DISTANCE: f64 = 2.0;
/// Shares of the rise of the accuracy: by which it has started, from which on it is at its best, and which a single look keeps unless the
/// accuracy is ragged.
const STARTED: f64 = 0.1;
const BEST: f64 = 0.9;
const RAGGED: f64 = 0.5;

/// One iteration of a range test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangePoint {
    pub rate: f64,
    /// Smoothed.
    pub loss: f64,
    /// `None` where nobody looked.
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
    /// In the order of tables. The first four suggest a rate to train with, the others bounds for one that cycles.
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

    /// Whether it suggests a rate to train with, not a bound.
    pub const fn is_rate(self) -> bool {
        matches!(self, Method::Plateau | Method::Valley | Method::Steepest | Method::Minimum)
    }
}

/// A rate, and why this one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub rate: f64,
    pub reason: String,
}

/// What one method says; `Err` says why it has no answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    pub method: Method,
    pub answer: Result<Answer, String>,
}

/// What all methods say about one test, in the order of [`Method::ALL`].
pub fn suggest(points: &[RangePoint]) -> Vec<Suggestion> {
    // A file may hold anything; a rate that is none would make others so.
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

/// Where the loss explodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explosion {
    /// The first rate with an exploded loss.
    pub rate: f64,
    /// The rate that was tested before it.
    before: f64,
}

impl Explosion {
    /// # Errors
    /// The rate of `answer` is that of the explosion, one that was tested right before it, or within a factor of 2 of it: the line says so.
    pub fn allows(&self, answer: &Answer) -> Result<(), String> {
        if answer.rate < self.before && answer.rate <= self.rate / DISTANCE {
            return Ok(());
        }
        let (rate, at) = (show(answer.rate), show(self.rate));
        Err(format!("{rate} is too near {at}, where the loss explodes; take more --steps, or a lower --max-lr"))
    }
}

/// Where the loss of a test explodes on the way up; `None` where it does not.
///
/// The first loss that is not finite, is above twice the first ones (their median), or above four times the lowest so far. The loss is smoothed:
/// by then that of the batch has exploded long since.
pub fn explosion(points: &[RangePoint]) -> Option<Explosion> {
    let up = climb(points);
    let first: Vec<f64> = up.iter().take(FEWEST.min(up.len() / 4).max(1)).map(|point| point.loss).collect();
    let first = median(&first).filter(|first| first.is_finite()).unwrap_or(f64::INFINITY);
    let mut lowest = f64::INFINITY;
    let place = up.iter().position(|point| {
        let limit = (EXPLODED.0 * first).min(EXPLODED.1 * lowest);
        lowest = lowest.min(point.loss);
        // Losses of 0 or below have no multiples.
        !point.loss.is_finite() || (limit > 0.0 && point.loss > limit)
    })?;
    Some(Explosion { rate: up[place].rate, before: up[place.saturating_sub(1)].rate })
}

/// The part in which the rate climbs: all of it, or the first half of a cycle.
fn climb(points: &[RangePoint]) -> &[RangePoint] {
    let end = points.windows(2).position(|pair| pair[1].rate <= pair[0].rate).map_or(points.len(), |top| top + 1);
    &points[..end]
}

/// Rates and losses without the first tenth, the last five, and what comes after a value that is no number.
fn trimmed(points: &[RangePoint]) -> (Vec<f64>, Vec<f64>) {
    let n = points.len();
    let kept = points.get(n / 10..n.saturating_sub(END)).unwrap_or_default();
    kept.iter().take_while(|point| point.loss.is_finite()).map(|point| (point.rate, point.loss)).unzip()
}

/// Whether the loss goes up, or blows up, right behind the trimmed part: then its end is that of the fall, not that of the test.
fn rises_after(points: &[RangePoint], rates: &[f64], losses: &[f64]) -> bool {
    let (Some(end), Some(last)) = (rates.last(), losses.last()) else { return false };
    let mut behind = points.iter().skip_while(|point| point.rate <= *end);
    behind.any(|point| !point.loss.is_finite() || point.loss > *last)
}

/// Whether there is anything to be said about the losses.
fn learned(rates: &[f64], losses: &[f64]) -> Result<(), String> {
    let n = losses.len();
    if n < FEWEST {
        return Err(format!(
            "{n} usable iterations are too few, it takes {FEWEST}; lower --min-lr, or take more --steps"
        ));
    }
    // The first loss is one of many noisy ones: the median of the first few tells where the fall begins.
    let first = median(&losses[..FEWEST.min(n / 4)]).unwrap_or(losses[0]);
    let fall = (first - lowest(losses)) / first.abs();
    let between = || format!("between {} and {}: nothing was learned", show(rates[0]), show(rates[n - 1]));
    if fall.is_nan() || fall < FALL {
        return Err(format!("the loss never falls by {} % {}", FALL * 100.0, between()));
    }
    // The lowest of so many.
    let deep = DOUBT * normal_quantile(1.0 - FALSE_ALARMS / n as f64);
    if fall * first.abs() < deep * scatter(losses) {
        return Err(format!("the loss falls by {:.1} %, no more than its noise, {}", fall * 100.0, between()));
    }
    Ok(())
}

/// The standard deviation of losses about their course, robustly: what those a twentieth of the test apart differ by, in the median, over what
/// it is for independent normal ones of deviation 1, √2 · Φ⁻¹(3/4). Smoothed losses next to each other differ by less than their noise.
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
    // Only on its way down to the minimum: what has blown up may fall faster still.
    let least = lowest(losses);
    let end = losses.iter().position(|&loss| loss == least).map_or(losses.len(), |place| place + 1);
    // A twentieth of the test on either side: one noisy batch does not decide.
    let reach = (losses.len() / 20).max(1);
    let (place, slope) = steepest(&rates[..end], &losses[..end], reach).ok_or("the loss falls nowhere")?;
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

/// A fall of the loss, and the place in it that fastai suggests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valley {
    pub start: usize,
    pub end: usize,
    pub place: usize,
}

/// fastai's `valley`: the longest strictly falling subsequence of `losses`, of length L, ends at `end`; counted back from there it takes L
/// places, and the suggestion stands ⌊L/3⌋ + ⌊L/6⌋ into them. `None` where no loss is below an earlier one.
///
/// fastai compares every pair of losses; this keeps the highest end of a fall of each length and is done in n·log n.
pub fn valley(losses: &[f64]) -> Option<Valley> {
    // highest[k]: the highest loss that a fall of k + 1 places ends in, so far. Falling in k.
    let mut highest: Vec<f64> = Vec::new();
    let mut end = 0;
    for (place, &loss) in losses.iter().enumerate() {
        let length = highest.partition_point(|&other| other > loss);
        if length == highest.len() {
            // The first place that the longest fall is reached at is its end.
            highest.push(loss);
            end = place;
        } else {
            highest[length] = highest[length].max(loss);
        }
    }
    let length = highest.len();
    // Counted back so, a fall of all places begins one before the first.
    let back = |into: usize| (end + into).saturating_sub(length);
    (length > 1).then(|| Valley { start: back(0), end, place: back(length / 3 + length / 6) })
}

/// The place with the lowest slope d loss / d ln(rate), and that slope, by least squares over `reach` places on either side (fewer at the ends); `None`
/// where it is below 0 nowhere.
///
/// With a reach of 1 and rates that grow exponentially this is the place that pytorch-lr-finder suggests.
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

/// How many of `looks` on either side the accuracy is smoothed over: a network is better or worse from one iteration to the next, by luck.
fn reach(looks: usize) -> usize {
    (looks / 25).max(2)
}

/// By how much the accuracy rises by chance, at most, from one of these looks at `images` images to another.
///
/// ```text
/// z · s · √2,   s = min(√(p·(1 − p)/n), 10·d),   z = Φ⁻¹(1 − 0.01 / (k·(k − 1)/2)),   k = ⌈looks / (2·reach + 1)⌉
/// ```
///
/// p is the mean over the looks: what all of them have in common, if nothing is learned. √(p(1 − p)/n) is the standard deviation of a binomial
/// share, two looks differ by √2 of it, and all pairs of the k stretches that the median is taken over are compared (Bonferroni). That looks
/// within a stretch may be alike, as those of a network that hardly changes are, is allowed for: the median is not taken for less noisy than one
/// of them. Where neighbouring looks before the peak scatter by far less than chance would have it, d = √(mean of (aᵢ₋₁ − 2aᵢ + aᵢ₊₁)²/6), it is
/// not chance that moves them.
fn noise(looks: &[f64], peak: usize, images: u32) -> f64 {
    let n = looks.len();
    let stretches = n.div_ceil(2 * reach(n) + 1).max(2) as f64;
    let pairs = stretches * (stretches - 1.0) / 2.0;
    let p = mean(looks).unwrap_or(0.5);
    let binomial = (p * (1.0 - p) / f64::from(images)).sqrt();
    // On the way up only: behind the peak the accuracy falls, and not by chance.
    let bends: Vec<f64> = looks[..=peak].windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).powi(2) / 6.0).collect();
    let scatter = if bends.len() < FEWEST { f64::INFINITY } else { mean(&bends).unwrap_or(0.0).sqrt() };
    normal_quantile(1.0 - FALSE_ALARMS / pairs) * binomial.min(ALIKE * scatter) * std::f64::consts::SQRT_2
}

/// How many images each look took: the least number of which every accuracy is a whole count. It divides the true number, so that noise is never
/// taken for smaller than it is. `None` where they are no counts of up to 100,000 images.
fn images(accuracies: &[f64]) -> Option<u32> {
    let whole = |count: f64| (count - count.round()).abs() < 1e-8;
    (1..=MOST_IMAGES).find(|&images| accuracies.iter().all(|accuracy| whole(accuracy * f64::from(images))))
}

/// The median of the accuracies around each look, against its rate: what the reasons speak of, where there are enough looks to speak of any.
pub fn smoothed_accuracy(points: &[RangePoint]) -> Vec<(f64, f64)> {
    let looks = climb(points).iter().filter_map(|point| Some((point.rate, point.accuracy?)));
    let (rates, raw): (Vec<f64>, Vec<f64>) = looks.unzip();
    if raw.len() < FEWEST { Vec::new() } else { rates.into_iter().zip(medians(&raw)).collect() }
}

/// The median of the values around each.
fn medians(raw: &[f64]) -> Vec<f64> {
    let (n, reach) = (raw.len(), reach(raw.len()));
    let around = |i: usize| &raw[i.saturating_sub(reach)..(i + reach + 1).min(n)];
    (0..n).map(|i| median(around(i)).unwrap_or(f64::NAN)).collect()
}

/// The accuracy against the rate, and how it rises from its floor to its peak.
struct Accuracy {
    rates: Vec<f64>,
    /// As it was seen.
    raw: Vec<f64>,
    /// The median of the looks around each.
    smooth: Vec<f64>,
    /// The first look at which the smoothed accuracy is highest.
    peak: usize,
    /// The lowest smoothed accuracy before that.
    floor: f64,
    rise: f64,
}

impl Accuracy {
    /// `Err` says why it tells nothing.
    fn of(points: &[RangePoint]) -> Result<Self, String> {
        let looks = points.iter().filter_map(|point| Some((point.rate, point.accuracy?)));
        let (rates, raw): (Vec<f64>, Vec<f64>) = looks.unzip();
        let n = rates.len();
        if n < FEWEST {
            return Err(format!(
                "too few validations: {n}, and it takes {FEWEST}; take more --steps, or lower --eval-every"
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

    /// The smoothed accuracy with `share` of the rise behind it.
    fn level(&self, share: f64) -> f64 {
        self.floor + share * self.rise
    }

    /// The last look before the peak at which hardly anything of the rise has happened.
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

/// What one method says over several tests that differ in their seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    pub method: Method,
    /// `Err`: why no test has an answer.
    pub answer: Result<Answer, String>,
    /// The lowest and the highest of the answers.
    pub spread: Option<(f64, f64)>,
    /// How many tests have one.
    pub answers: usize,
    pub tests: usize,
}

/// The median of the answers of each method; none where fewer than half of the tests have one.
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
                Err(format!("only {n} of {tests} seeds have an answer; another: {}", why.map_or("", String::as_str)))
            }
            (_, Some(rate)) => {
                let nearest = answers.iter().min_by(|a, b| far(a.rate, rate).total_cmp(&far(b.rate, rate)));
                let example = nearest.map_or("", |answer| answer.reason.as_str());
                Ok(Answer { rate, reason: format!("median of {n} of {tests} seeds; of the nearest one: {example}") })
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

/// The median; of an even number of rates the geometric mean of the two in the middle.
fn middle(rates: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
    match rates {
        [only] => Some(*only),
        _ => median(&logs).map(f64::exp),
    }
}

/// How far two rates are apart: 0 for equal ones, 1 for a factor e.
fn far(a: f64, b: f64) -> f64 {
    (a / b).ln().abs()
}

/// The rate to train with: the plateau, or the next method that has an answer. `None` where none has.
///
/// The plateau, because on CIFAR-10 it was the only one within a factor of 3 of the best rate for sgd, sgd with momentum and adam alike: see
/// `docs/FIND.md`.
pub fn headline(combined: &[Combined]) -> Option<(Method, f64)> {
    let rates = combined.iter().filter(|one| one.method.is_rate());
    rates.filter_map(|one| Some((one.method, one.answer.as_ref().ok()?.rate))).next()
}

/// The lowest and the highest of the rates to train with that the methods suggest; `None` where fewer than two have an answer.
pub fn range(combined: &[Combined]) -> Option<(f64, f64)> {
    let rates: Vec<f64> = combined
        .iter()
        .filter(|one| one.method.is_rate())
        .filter_map(|one| Some(one.answer.as_ref().ok()?.rate))
        .collect();
    quantile(&rates, 0.0).zip(quantile(&rates, 1.0)).filter(|_| rates.len() > 1)
}

/// Three significant digits, as one would type them: `0.00123`, `1.23e-5`.
pub fn show(rate: f64) -> String {
    significant(rate, 3)
}
