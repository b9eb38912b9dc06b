//! Simplifies lines to fewer points without a visible difference.

use super::{LOWEST, SAME};

/// A point is dropped if the line without it is off by less than this fraction of the rate, and of the height the line
/// covers: an axis that starts far above 0 magnifies differences that are small relative to the rate.
const VISIBLE: f64 = 2e-3;
const VISIBLE_ON_AXIS: f64 = 1e-3;

/// Reduces to about 2,000 points, keeping the maximum and minimum of each bucket, so that no peak or drop is lost.
pub fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const STRETCHES: usize = 1000;
    if points.len() <= 2 * STRETCHES {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(2 * STRETCHES + 2);
    kept.push(points[0]);
    for stretch in points.chunks(points.len().div_ceil(STRETCHES)) {
        let low = stretch.iter().min_by(|a, b| a.1.total_cmp(&b.1)).copied();
        let high = stretch.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied();
        let mut ends: Vec<_> = low.into_iter().chain(high).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.extend(ends);
    }
    kept.extend(points.last());
    kept.dedup();
    kept
}

/// Drops visually redundant points, for a linear or a log axis (Douglas–Peucker, by vertical distance).
pub fn simplified(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() < 3 || points.iter().any(|point| !point.1.is_finite()) {
        return points.to_vec();
    }
    let rates = points.iter().map(|point| point.1);
    let (low, high) = rates.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), rate| (l.min(rate), h.max(rate)));
    let least = rates.filter(|rate| *rate > 0.0).fold(high, f64::min);
    // Rates that differ only by rounding count as level; a log axis reaches no lower than LOWEST.
    let span = (high - low).max(SAME * high.abs());
    let decades = (high / least).min(1.0 / LOWEST).ln().max(SAME);
    let mut keep = vec![false; points.len()];
    (keep[0], keep[points.len() - 1]) = (true, true);
    let mut stretches = vec![(0, points.len() - 1)];
    while let Some((first, last)) = stretches.pop() {
        let (a, b) = (points[first], points[last]);
        // In units of the tolerance: above 1 it is visible.
        let off = |p: (f64, f64)| {
            let share = if b.0 > a.0 { (p.0 - a.0) / (b.0 - a.0) } else { 0.0 };
            let linear = || (a.1 + share * (b.1 - a.1) - p.1).abs() / (VISIBLE * p.1).min(VISIBLE_ON_AXIS * span);
            // On a log axis, the line between two points is curved in linear terms.
            let log = || {
                let apart = (1.0 - share) * a.1.ln() + share * b.1.ln() - p.1.ln();
                apart.abs() / VISIBLE.min(VISIBLE_ON_AXIS * decades)
            };
            match (p.1 > 0.0, a.1.min(b.1) > 0.0) {
                (true, true) => linear().max(log()),
                (true, false) => linear(),
                // A 0 among other rates: keep both of its ends.
                _ if a.1 == 0.0 && b.1 == 0.0 => 0.0,
                _ => f64::INFINITY,
            }
        };
        let farthest = (first + 1..last).max_by(|&i, &j| off(points[i]).total_cmp(&off(points[j])));
        if let Some(middle) = farthest.filter(|&i| off(points[i]) > 1.0) {
            keep[middle] = true;
            stretches.extend([(first, middle), (middle, last)]);
        }
    }
    points.iter().zip(keep).filter_map(|(point, kept)| kept.then_some(*point)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Stretches;
    use super::*;
    use crate::schedule::{RunShape, Schedule};

    #[test]
    fn thinning_keeps_the_ends_and_every_peak() {
        let points: Vec<_> = (0..100_000).map(|t| (f64::from(t), if t == 77_777 { 9.0 } else { 0.5 })).collect();
        let thin = thinned(&points);
        assert!(thin.len() < 2100);
        assert!(thin.contains(&(77_777.0, 9.0)));
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
    }

    #[test]
    fn few_points_are_left_of_a_smooth_line_and_it_stays_where_it_was_on_both_axes() {
        for spec in ["linear", "cosine", "exponential:decay-rate=0.1", "constant:for=1ep;linear"] {
            let schedule = Schedule::build(&spec.parse().unwrap(), &RunShape::new(0.1, 4, 1000)).unwrap();
            let line = Stretches::of((0..4000).map(|t| schedule.at(t).learning_rate), 1000).points();
            assert!(line.len() < 600, "{spec}: {}", line.len());
            for t in 0..3900 {
                let (x, rate) = (t as f64 / 1000.0, schedule.at(t).learning_rate);
                let after = line.partition_point(|point| point.0 <= x);
                let (a, b) = (line[after - 1], line[after]);
                let share = (x - a.0) / (b.0 - a.0);
                let linear = a.1 + share * (b.1 - a.1);
                let log = (a.1.ln() * (1.0 - share) + b.1.ln() * share).exp();
                assert!((linear / rate - 1.0).abs() < 5e-3 && (log / rate - 1.0).abs() < 5e-3, "{spec} {t}");
            }
        }
    }

    #[test]
    fn a_curve_stays_round_on_an_axis_that_starts_far_above_0() {
        let (steps, per_epoch) = (30 * 352, 352);
        for spec in ["cosine:end-lr=0.095", "cosine:end-lr=0.09999", "one-cycle", "polynomial:power=2,end-lr=0.08"] {
            let schedule = Schedule::build(&spec.parse().unwrap(), &RunShape::new(0.1, 30, per_epoch)).unwrap();
            let rates: Vec<_> = (0..steps).map(|t| schedule.at(t)).collect();
            let values: [Vec<f64>; 2] = [
                rates.iter().map(|rates| rates.learning_rate).collect(),
                rates.iter().filter_map(|rates| rates.momentum).collect(),
            ];
            assert_eq!(values[1].is_empty(), spec != "one-cycle");
            for (values, log) in values.iter().filter(|values| !values.is_empty()).flat_map(|v| [(v, false), (v, true)])
            {
                let line = Stretches::of(values.iter().copied(), per_epoch).points();
                assert!(line.len() < 600, "{spec}: {}", line.len());
                let (low, high) = values.iter().fold((f64::INFINITY, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
                let place = |value: f64| if log { value.ln() } else { value };
                let height = if log { (high / low.max(LOWEST * high)).ln() } else { high - low };
                // In its last thousandth, a pixel wide, one-cycle falls by two powers of ten.
                let whole = values.len() - if log { values.len() / 1000 + 1 } else { 0 };
                for (t, &value) in (0_u64..).zip(&values[..whole]) {
                    let x = t as f64 / per_epoch as f64;
                    let after = line.partition_point(|point| point.0 <= x);
                    let (a, b) = (line[after - 1], line[after]);
                    let drawn = place(a.1) + (x - a.0) / (b.0 - a.0) * (place(b.1) - place(a.1));
                    let off = (drawn - place(value)).abs() / height;
                    assert!(off < 3e-3, "{spec}, log {log}, step {t}: {off}");
                }
            }
        }
    }
}
