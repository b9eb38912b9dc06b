//! The y axis of a rate panel.

use super::super::chart::{AxisScale, Panel};
use super::LOWEST;

/// Switches to a log axis if the rates span a wide range.
pub fn spread_out(panel: &mut Panel) {
    let (low, high) = extremes(panel);
    if low < high / 20.0 {
        log_axis(panel, high * LOWEST);
    }
}

fn positive(panel: &Panel) -> impl Iterator<Item = f64> {
    panel.series.iter().flat_map(|series| &series.points).map(|point| point.1).filter(|rate| *rate > 0.0)
}

fn extremes(panel: &Panel) -> (f64, f64) {
    positive(panel).fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)))
}

/// Switches to a log axis that reaches down to 1/100,000 of the highest rate, or to the rate that some line stays above
/// for 19/20 of its length. A cosine that ends near 0 thus does not compress the others, and a decay that spends most
/// of its length far down stays visible. Returns whether any rate is below the axis.
pub fn to_log(panel: &mut Panel) -> bool {
    let (_, high) = extremes(panel);
    let usual = panel.series.iter().filter_map(|series| usually_above(&series.points));
    log_axis(panel, usual.fold(high * LOWEST, f64::min))
}

/// A log axis from the lowest rate, but not below `lowest`. Rates of 0, and rates below the axis, are drawn along its
/// lower edge; returns whether there are any.
fn log_axis(panel: &mut Panel, lowest: f64) -> bool {
    let (low, high) = extremes(panel);
    if low > high {
        return false;
    }
    let lowest = low.max(lowest);
    let (bottom, top) = if lowest < high { (lowest / 1.3, high * 1.3) } else { (high / 3.0, high * 3.0) };
    panel.y_scale = AxisScale::Log;
    panel.y_range = Some((bottom, top));
    panel.y_edge = true;
    panel.series.iter().flat_map(|series| &series.points).any(|point| point.1 < bottom)
}

/// The rate that a line exceeds for 19/20 of its length, counting only rates above 0.
fn usually_above(points: &[(f64, f64)]) -> Option<f64> {
    let mut lengths: Vec<(f64, f64)> =
        points.windows(2).map(|pair| (pair[1].1, pair[1].0 - pair[0].0)).filter(|piece| piece.0 > 0.0).collect();
    lengths.sort_by(|a, b| a.0.total_cmp(&b.0));
    let whole: f64 = lengths.iter().map(|piece| piece.1).sum();
    let mut passed = 0.0;
    lengths
        .into_iter()
        .find(|piece| {
            passed += piece.1;
            passed >= 0.05 * whole
        })
        .map(|piece| piece.0)
}

#[cfg(test)]
mod tests {
    use super::super::super::chart::Series;
    use super::*;

    #[test]
    fn on_a_log_axis_a_rate_of_0_runs_along_the_lower_edge_and_a_decay_to_next_to_nothing_squeezes_no_other() {
        let cosine =
            (0..1000).map(|t| (f64::from(t), (1.0 + (f64::from(t) * std::f64::consts::PI / 999.0).cos()) / 20.0));
        let mut panel = Panel { series: vec![Series::new("cosine", cosine.collect())], ..Panel::default() };
        assert!(to_log(&mut panel));
        let (bottom, top) = panel.y_range.unwrap();
        assert!((1e-8..1e-3).contains(&bottom) && top > 0.1, "{bottom} {top}");
        assert!(panel.y_edge && panel.series[0].points.last().is_some_and(|last| last.1 < bottom), "and stays 0");
        // A line that lies far down for its whole length is shown there.
        let decay = (0..100).map(|t| (f64::from(t), 0.1 * 10_f64.powf(-f64::from(t) / 10.0))).collect();
        let mut panel = Panel { series: vec![Series::new("decay", decay)], ..Panel::default() };
        to_log(&mut panel);
        assert!(panel.y_range.unwrap().0 < 1e-10, "{:?}", panel.y_range);
        let mut zero = Panel { series: vec![Series::new("zero", vec![(0.0, 0.0), (1.0, 0.0)])], ..Panel::default() };
        assert!(!to_log(&mut zero) && zero.y_scale == AxisScale::Linear);
    }
}
