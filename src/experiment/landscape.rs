//! The figure of `lrsched descend`: paths over the contour lines of the function, and the value and the rate by step.

use super::contour::Grid;
use super::descend::{Function, Iterate};
use crate::report::chart::{AxisScale, Figure, Panel, Series, Stops, Style};
use crate::report::rates::Stretches;

/// The share of the picture below each contour line.
const SHARES: [f64; 12] = [0.005, 0.015, 0.03, 0.06, 0.11, 0.18, 0.27, 0.38, 0.51, 0.66, 0.81, 0.94];
const GRID: usize = 240;
/// The view grows to include the paths by at most this share of the function's own view on each side.
const WIDEST: f64 = 0.75;
/// A path this far out, in units of the view, does not come back: the rest is not drawn.
const LOST: f64 = 20.0;

/// Three panels: the paths (start: ring, end: dot), the value above the minimum by step, and the rate by step.
pub fn figure(function: Function, walks: &[(String, Vec<Iterate>)]) -> Figure {
    let mut path = Panel::new(format!("{function}: {}", function.formula()), "x", "y");
    let [x, y] = view(function, walks);
    (path.x_range, path.y_range) = (Some(x), Some(y));
    path.series.push(contours(function, x, y));
    let mut value = Panel::new("Value above the minimum", "step", "");
    value.y_scale = AxisScale::Log;
    let mut rate = Panel::new("Learning rate", "step", "");
    for (name, positions) in walks {
        let step = |position: &Iterate| position.step as f64;
        // The values of a lost path would stretch the scale over many powers of ten.
        let seen: Vec<_> = positions.iter().take_while(|position| !lost(position.at, x, y)).collect();
        let points = seen.iter().map(|position| (position.at[0], position.at[1])).collect();
        path.series.push(Series { stops: Stops::Walk, ..Series::new(name.clone(), points) });
        let above = seen.iter().map(|position| (step(position), position.value - function.minimum())).collect();
        value.series.push(Series::new(name.clone(), above));
        let rates = positions.iter().filter_map(|position| position.learning_rate);
        rate.series.push(Series::new(name.clone(), Stretches::of(rates, 1).points()));
    }
    Figure::new("", vec![path, value, rate])
}

/// All contour lines as one unnamed series, separated by NaN.
fn contours(function: Function, x: (f64, f64), y: (f64, f64)) -> Series {
    let grid = Grid::sample(x, y, GRID, GRID, |at| function.value(at));
    let mut points = Vec::new();
    for line in grid.levels(&SHARES).into_iter().flat_map(|level| grid.lines(level)) {
        points.extend(line);
        points.push((f64::NAN, f64::NAN));
    }
    Series { style: Style::Grey, ..Series::new("", points) }
}

fn lost(at: [f64; 2], x: (f64, f64), y: (f64, f64)) -> bool {
    // NaN compares false, so it counts as lost.
    let near = |at: f64, (low, high): (f64, f64)| (at - low).abs().max((at - high).abs()) < LOST * (high - low);
    !(near(at[0], x) && near(at[1], y))
}

/// The function's own view, widened to include the paths within limits.
fn view(function: Function, walks: &[(String, Vec<Iterate>)]) -> [(f64, f64); 2] {
    let mut view = function.view();
    for (axis, (low, high)) in view.iter_mut().enumerate() {
        let reach = WIDEST * (*high - *low);
        let (least, most) = (*low - reach, *high + reach);
        let margin = 0.05 * (*high - *low);
        for position in walks.iter().flat_map(|(_, positions)| positions) {
            let at = position.at[axis];
            if at.is_finite() {
                *low = low.min((at - margin).max(least));
                *high = high.max((at + margin).min(most));
            }
        }
    }
    view
}
