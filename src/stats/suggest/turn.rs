//! Where learning turns: the rate from which on the network gets worse instead of better.

use super::loss::usual;
use super::{Answer, FEWEST, RangePoint, lowest, show};

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

/// The rate of the turn: the geometric mean of the rates with the lowest loss and with the highest accuracy, set back by
/// the memory of the momentum. `by_loss` and `by_accuracy`: whether these show that anything was learned.
///
/// The loss is that of each batch, because the recorded average lags behind by 1/(1 − β) updates of smoothing. Half of
/// the weight in a momentum m is of gradients older than ln ½ / ln m updates: what the network does now is the effect of
/// the rate that many updates ago. In a short test, that is a much lower rate.
///
/// # Errors
/// Nothing was learned, or all rates are within a few bins.
pub(super) fn turn_answer(
    points: &[RangePoint],
    by_loss: Result<(), String>,
    by_accuracy: Result<(), String>,
    exploded: bool,
) -> Result<Answer, String> {
    let mut places = Vec::new();
    let mut said = Vec::new();
    if by_loss.is_ok() {
        let most = MOST * usual(points.iter().map(|point| point.batch_loss)).unwrap_or(f64::INFINITY);
        let losses = points.iter().filter(|point| point.batch_loss.is_finite());
        let curve = smoothed(losses.map(|point| (point.rate, point.batch_loss.min(most))))?;
        places.push(place_of_lowest(&curve));
        said.push("the loss is lowest");
    }
    if by_accuracy.is_ok() {
        let curve = smoothed(points.iter().filter_map(|point| Some((point.rate, -point.accuracy?))))?;
        places.push(place_of_lowest(&curve));
        said.push("the accuracy highest");
    }
    if places.is_empty() {
        return by_loss.and(by_accuracy).and(Err("nothing was learned".to_string()));
    }
    let at: Vec<String> = places.iter().zip(&said).map(|(ln, said)| format!("{said} at {}", show(ln.exp()))).collect();
    let turn = places.iter().sum::<f64>() / places.len() as f64;
    let age = points.iter().find_map(|point| point.momentum).map_or(0.0, median_age);
    // The exponential of a logarithm may exceed the last rate by a rounding.
    let highest = points.last().map_or(f64::INFINITY, |point| point.rate);
    let rate = set_back(points, turn, age).exp().min(highest);
    let mut reason = at.join(", ");
    if age > 0.0 {
        reason += &format!("; set back from {} by the memory of the momentum, {} updates", show(turn.exp()), show(age));
    }
    if !exploded && places.iter().any(|place| *place > highest.ln() - WINDOW) {
        reason += "; it still learns at the end: a higher --max-lr may find more";
    }
    Ok(Answer { rate, reason })
}

/// The median age of the gradients in a momentum, in updates: mᵏ = ½, so k = ln ½ / ln m. 6.6 for 0.9.
fn median_age(momentum: f64) -> f64 {
    match momentum {
        m if m <= 0.0 => 0.0,
        m if m < 1.0 => 0.5_f64.ln() / m.ln(),
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

/// ln(rate) of the first lowest value.
fn place_of_lowest(curve: &[(f64, f64)]) -> f64 {
    let values: Vec<f64> = curve.iter().map(|point| point.1).collect();
    let least = lowest(&values);
    curve.iter().find(|point| point.1 == least).map_or(f64::NAN, |point| point.0)
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
