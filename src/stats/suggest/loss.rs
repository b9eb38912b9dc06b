//! Suggestions from the training loss.

use super::{Answer, FALSE_ALARMS, FEWEST, RangePoint, lowest, show};
use crate::stats::distribution::normal_quantile;
use crate::stats::median;

/// Values dropped at the end.
const END: usize = 5;
/// A smaller relative fall of the smoothed loss counts as noise.
const FALL: f64 = 0.03;
/// Correction for underestimating the standard deviation of the loss.
const DOUBT: f64 = 1.4;

/// Rates and losses without the first tenth, the last five values, and everything from the first loss that is not
/// finite.
pub(super) fn trimmed(points: &[RangePoint]) -> (Vec<f64>, Vec<f64>) {
    let n = points.len();
    let kept = points.get(n / 10..n.saturating_sub(END)).unwrap_or_default();
    kept.iter().take_while(|point| point.loss.is_finite()).map(|point| (point.rate, point.loss)).unzip()
}

/// Whether the loss rises or diverges right after the trimmed part: then the fall ended before the test did.
pub(super) fn rises_after(points: &[RangePoint], rates: &[f64], losses: &[f64]) -> bool {
    let (Some(end), Some(last)) = (rates.last(), losses.last()) else { return false };
    let mut behind = points.iter().skip_while(|point| point.rate <= *end);
    behind.any(|point| !point.loss.is_finite() || point.loss > *last)
}

/// The loss before anything is learned. The first one is noisy: the median of the first few, if that is finite.
pub(super) fn usual(losses: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let few = FEWEST.min(losses.len() / 4).max(1);
    median(&losses.take(few).collect::<Vec<_>>()).filter(|first| first.is_finite())
}

/// Whether the loss falls enough for a suggestion.
pub(super) fn learned(rates: &[f64], losses: &[f64]) -> Result<(), String> {
    let n = losses.len();
    if n < FEWEST {
        return Err(format!(
            "{n} usable iterations, must be at least {FEWEST}; take more --steps (or --epochs), or, if it diverged at once, a lower --min-lr"
        ));
    }
    let first = usual(losses.iter().copied()).unwrap_or(losses[0]);
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

pub(super) fn valley_answer(rates: &[f64], losses: &[f64], rises: bool) -> Result<Answer, String> {
    let Valley { start, end, place } =
        valley(losses).ok_or("the loss never falls from one iteration to a later one")?;
    let still = match end + 1 == losses.len() && !rises {
        true => "; it still falls at the end: a higher --max-lr may find more",
        false => "",
    };
    let (from, to) = (show(rates[start]), show(rates[end]));
    Ok(Answer { rate: rates[place], reason: format!("halfway through the valley of the loss, {from} to {to}{still}") })
}

pub(super) fn steepest_answer(rates: &[f64], losses: &[f64]) -> Result<Answer, String> {
    // Only up to the minimum: a diverged loss may fall even faster.
    let least = lowest(losses);
    let end = losses.iter().position(|&loss| loss == least).map_or(losses.len(), |place| place + 1);
    // A twentieth of the test on either side, so that one noisy batch does not decide.
    let reach = (losses.len() / 20).max(1);
    let (place, slope) = steepest(&rates[..end], &losses[..end], reach).ok_or("the loss falls at no rate")?;
    let decade = slope * std::f64::consts::LN_10;
    Ok(Answer { rate: rates[place], reason: format!("the loss falls fastest here: by {:.2} a decade", -decade) })
}

pub(super) fn minimum_answer(rates: &[f64], losses: &[f64], rises: bool) -> Result<Answer, String> {
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
