//! Where learning turns: the middle of the rates at which the network is at its best, for a run of some length.

use super::loss::usual;
use super::{Answer, FEWEST, MEASURED, RangePoint, lowest, show};
use std::ops::RangeInclusive;

/// At its best: the loss has completed this share of its fall, the accuracy of its rise.
const BEST: f64 = 0.8;
/// Lengths of runs, in updates, between which the best rate is taken to grow in proportion: measured at 189 and 315. At 471
/// that is true of sgd, but 2.6 times too high for Adam.
pub(super) const PROPORTIONAL: RangeInclusive<u64> = 100..=350;

/// Standard deviation of the Gaussian window in ln(rate): a quarter of an e-fold, a factor of 1.28.
const WINDOW: f64 = 0.25;
/// The window ends at this many standard deviations.
const REACH: f64 = 3.0;
/// Bins per standard deviation of the window. A longer test has more values per bin, not more bins.
const BINS: f64 = 5.0;
/// A batch counts with at most this multiple of the initial loss: an explosion must not outweigh its neighbours.
const MOST: f64 = 2.0;
/// The momentum sets a rate back by at most this factor: a test that is short for its momentum cannot tell more.
const SET_BACK: f64 = 4.0;

/// The rate of the turn for a run of `updates` updates. `by_loss` and `by_accuracy`: whether these show that anything was
/// learned.
///
/// ```text
/// ln rate = (middle of the loss + middle of the accuracy) / 2 − ln(rate now / rate m/(1 − m) updates ago)
///           + ln(clamp(updates, 100, 350) / 189)
/// middle  = (ln a + ln b) / 2,  [a, b] ∋ the best rate: all between have 80 % of the fall (of the rise)
/// ```
///
/// The middle of two edges, because the bottom itself is flat and noisy: between seeds, the rate with the lowest loss
/// scatters by half as much again. The loss is that of each batch, because the recorded average lags behind by
/// 1/(1 − β) updates of smoothing. The gradients in a momentum m are m/(1 − m) updates old on average: what the network
/// does now is the effect of the rate that many updates ago. In a short test, that is a much lower rate. The best rate of
/// a short run is lower: docs/FIND.md has the measurements.
///
/// # Errors
/// Nothing was learned, or all rates are within a few bins.
pub(super) fn turn_answer(
    points: &[RangePoint],
    updates: u64,
    by_loss: Result<(), String>,
    by_accuracy: Result<(), String>,
    exploded: bool,
) -> Result<Answer, String> {
    let mut best = Vec::new();
    if by_loss.is_ok() {
        let most = MOST * usual(points.iter().map(|point| point.batch_loss)).unwrap_or(f64::INFINITY);
        let losses = points.iter().filter(|point| point.batch_loss.is_finite());
        let curve = smoothed(losses.map(|point| (point.rate, point.batch_loss.min(most))))?;
        best.push(("the loss is at its lowest", edges(&curve)));
    }
    if by_accuracy.is_ok() {
        let curve = smoothed(points.iter().filter_map(|point| Some((point.rate, -point.accuracy?))))?;
        best.push(("the accuracy at its best", edges(&curve)));
    }
    if best.is_empty() {
        return by_loss.and(by_accuracy).and(Err("nothing was learned".to_string()));
    }
    let said: Vec<String> = best
        .iter()
        .map(|(said, (from, to))| format!("{said} from {} to {}", show(from.exp()), show(to.exp())))
        .collect();
    let turn = best.iter().map(|(_, (from, to))| f64::midpoint(*from, *to)).sum::<f64>() / best.len() as f64;
    let age = points.iter().find_map(|point| point.momentum).map_or(0.0, mean_age);
    let factor = of_length(updates);
    // The exponential of a logarithm may exceed the last rate by a rounding.
    let highest = points.last().map_or(f64::INFINITY, |point| point.rate);
    let rate = (set_back(points, turn, age).exp() * factor).min(highest);
    let mut reason = format!("{}: the middle is {}", said.join(", "), show(turn.exp()));
    if age > 0.0 {
        reason += &format!("; set back by the memory of the momentum, {} updates", show(age));
    }
    reason += &format!("; times {factor:.2} for {}", run_length(updates));
    if !exploded && best.iter().any(|(_, (_, to))| *to > highest.ln() - WINDOW) {
        reason += "; it still learns at the end: a higher --max-lr may find more";
    }
    Ok(Answer { rate, reason })
}

/// The factor between the best rates of a run of `updates` updates and of the measured one.
fn of_length(updates: u64) -> f64 {
    updates.clamp(*PROPORTIONAL.start(), *PROPORTIONAL.end()) as f64 / MEASURED as f64
}

/// The runs that the turn is for if `updates` are asked for: `a run of 189 updates`, `a run of at least 350 updates`.
pub fn run_length(updates: u64) -> String {
    match updates {
        few if few < *PROPORTIONAL.start() => format!("a run of at most {} updates", PROPORTIONAL.start()),
        many if many > *PROPORTIONAL.end() => format!("a run of at least {} updates", PROPORTIONAL.end()),
        some => format!("a run of {some} updates"),
    }
}

/// Whether the turn is for a run of just `updates` updates, rather than for all longer, or all shorter, ones too.
pub fn is_for_just(updates: u64) -> bool {
    PROPORTIONAL.contains(&updates)
}

/// The mean age of the gradients in a momentum, in updates: Σ k·(1 − m)·mᵏ = m/(1 − m). 9 for 0.9.
fn mean_age(momentum: f64) -> f64 {
    match momentum {
        m if m <= 0.0 => 0.0,
        m if m < 1.0 => m / (1.0 - m),
        _ => f64::INFINITY,
    }
}

/// ln of the rate `updates` before the rate e^`ln`, interpolated, but of a quarter of that rate at the least.
fn set_back(points: &[RangePoint], ln: f64, updates: f64) -> f64 {
    let lns: Vec<f64> = points.iter().map(|point| point.rate.ln()).collect();
    let last = lns.len() - 1;
    let place = lns.partition_point(|other| *other <= ln).saturating_sub(1);
    let step = |i: usize| if i < last { lns[i + 1] - lns[i] } else { 0.0 };
    let within = if step(place) > 0.0 { (ln - lns[place]) / step(place) } else { 0.0 };
    let earlier = (place as f64 + within - updates).max(0.0);
    let i = (earlier.floor() as usize).min(last);
    (lns[i] + earlier.fract() * step(i)).max(ln - SET_BACK.ln()).min(ln)
}

/// ln of the lowest and of the highest rate around the first lowest value between which all values have completed 80 % of
/// the fall from the highest value before it.
fn edges(curve: &[(f64, f64)]) -> (f64, f64) {
    let values: Vec<f64> = curve.iter().map(|point| point.1).collect();
    let least = lowest(&values);
    let place = values.iter().position(|value| *value == least).unwrap_or(0);
    let most = values[..=place].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level = most - BEST * (most - least);
    let from = values[..place].iter().rposition(|value| *value > level).map_or(0, |worse| worse + 1);
    let to =
        values[place..].iter().position(|value| *value > level).map_or(values.len() - 1, |worse| place + worse - 1);
    (curve[from].0, curve[to].0)
}

/// The values under a Gaussian window in ln(rate), as (ln(rate), value), from (rate, value) with rising rates.
///
/// # Errors
/// Fewer than 8 bins of a fifth of the window hold any values.
fn smoothed(values: impl Iterator<Item = (f64, f64)>) -> Result<Vec<(f64, f64)>, String> {
    // (number, Σ ln(rate), Σ value) of each bin with values.
    let mut bins: Vec<(i64, f64, f64, f64)> = Vec::new();
    for (rate, value) in values {
        let ln = rate.ln();
        let bin = (ln / WINDOW * BINS).floor() as i64;
        match bins.last_mut().filter(|last| last.0 == bin) {
            Some(last) => *last = (bin, last.1 + 1.0, last.2 + ln, last.3 + value),
            None => bins.push((bin, 1.0, ln, value)),
        }
    }
    if bins.len() < FEWEST {
        return Err("the rates are too close together; take a lower --min-lr, or a higher --max-lr".to_string());
    }
    let means: Vec<(f64, f64, f64)> = bins.iter().map(|(_, n, ln, value)| (*n, ln / n, value / n)).collect();
    let reach = (REACH * BINS) as usize;
    let around = |i: usize| {
        let centre = means[i].1;
        let near = &means[i.saturating_sub(reach)..(i + reach + 1).min(means.len())];
        let (mut weights, mut sum) = (0.0, 0.0);
        for (n, ln, value) in near.iter().filter(|bin| (bin.1 - centre).abs() <= REACH * WINDOW) {
            let weight = n * (-0.5 * ((ln - centre) / WINDOW).powi(2)).exp();
            weights += weight;
            sum += weight * value;
        }
        (centre, sum / weights)
    };
    Ok((0..means.len()).map(around).collect())
}
