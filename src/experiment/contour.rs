//! Contour lines of a function of two variables, by marching squares.

use std::collections::BTreeMap;

/// A function sampled on a grid.
pub struct Grid {
    x: (f64, f64),
    y: (f64, f64),
    columns: usize,
    rows: usize,
    // (rows, columns), from the lowest y up
    values: Vec<f64>,
}

/// A grid edge: from a corner to its neighbour on the right (`true`) or above (`false`).
type Edge = (usize, bool);

impl Grid {
    /// Samples `function` at `columns` by `rows` points, at least 2 each, including the ends of the ranges.
    pub fn sample(
        x: (f64, f64),
        y: (f64, f64),
        columns: usize,
        rows: usize,
        function: impl Fn([f64; 2]) -> f64,
    ) -> Self {
        let mut grid = Self { x, y, columns, rows, values: Vec::new() };
        grid.values = (0..columns * rows).map(|corner| function(grid.place(corner))).collect();
        grid
    }

    /// The quantiles of the grid's finite values at these shares: their contour lines spread over the picture whatever the function's range.
    pub fn levels(&self, shares: &[f64]) -> Vec<f64> {
        let mut sorted: Vec<f64> = self.values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        shares.iter().filter_map(|share| sorted.get((share * last as f64).round() as usize).copied()).collect()
    }

    /// The lines on which the function equals `level`; a closed line ends with its first point.
    pub fn lines(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        // A crossed edge joins at most two segments: one in each adjacent cell.
        let mut joined: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
        for (from, to) in self.segments(level) {
            joined.entry(from).or_default().push(to);
            joined.entry(to).or_default().push(from);
        }
        let ends: Vec<Edge> = joined.iter().filter(|(_, next)| next.len() == 1).map(|(&edge, _)| edge).collect();
        let mut lines = Vec::new();
        for edge in ends {
            lines.extend(follow(&mut joined, edge));
        }
        while let Some(&edge) = joined.keys().next() {
            lines.extend(follow(&mut joined, edge));
        }
        lines.into_iter().map(|line| line.into_iter().map(|edge| self.crossing(edge, level)).collect()).collect()
    }

    fn segments(&self, level: f64) -> Vec<(Edge, Edge)> {
        let mut segments = Vec::new();
        for row in 0..self.rows - 1 {
            for column in 0..self.columns - 1 {
                let corner = row * self.columns + column;
                let above = corner + self.columns;
                // The corners of the cell, counterclockwise from the lower left, and the side from each to the next.
                let high = [corner, corner + 1, above + 1, above].map(|corner| self.values[corner] >= level);
                let sides = [(corner, true), (corner + 1, false), (above, true), (corner, false)];
                let crossed: Vec<Edge> = (0..4).filter(|&i| high[i] != high[(i + 1) % 4]).map(|i| sides[i]).collect();
                match crossed.as_slice() {
                    [a, b] => segments.push((*a, *b)),
                    // A saddle: at this resolution either pairing is valid.
                    [a, b, c, d] => segments.extend([(*a, *b), (*c, *d)]),
                    _ => {}
                }
            }
        }
        segments
    }

    fn crossing(&self, (corner, right): Edge, level: f64) -> (f64, f64) {
        let other = if right { corner + 1 } else { corner + self.columns };
        let (from, to) = (self.values[corner], self.values[other]);
        let share = if to.is_finite() && from.is_finite() { (level - from) / (to - from) } else { 0.5 };
        let ([x0, y0], [x1, y1]) = (self.place(corner), self.place(other));
        (x0 + share * (x1 - x0), y0 + share * (y1 - y0))
    }

    fn place(&self, corner: usize) -> [f64; 2] {
        let along =
            |(low, high): (f64, f64), at: usize, count: usize| low + (high - low) * at as f64 / (count - 1) as f64;
        [along(self.x, corner % self.columns, self.columns), along(self.y, corner / self.columns, self.rows)]
    }
}

/// Removes the line that starts at `edge` from `joined` and returns it.
fn follow(joined: &mut BTreeMap<Edge, Vec<Edge>>, edge: Edge) -> Option<Vec<Edge>> {
    let mut next = joined.get_mut(&edge)?.pop()?;
    let mut line = vec![edge];
    loop {
        let before = line[line.len() - 1];
        line.push(next);
        let onward = joined.get_mut(&next)?;
        onward.retain(|&other| other != before);
        match onward.pop() {
            Some(after) => next = after,
            None => break,
        }
    }
    joined.retain(|_, next| !next.is_empty());
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_one_closed_line_at_its_radius() {
        let grid = Grid::sample((-2.0, 2.0), (-2.0, 2.0), 41, 41, |[x, y]| x * x + y * y);
        let lines = grid.lines(1.03);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        assert!(lines[0].iter().all(|(x, y)| (x.hypot(*y) - 1.03_f64.sqrt()).abs() < 0.01));
        assert!(lines[0].len() > 50);
    }

    #[test]
    fn a_line_that_leaves_the_grid_is_open_and_in_one_piece() {
        let grid = Grid::sample((0.0, 1.0), (0.0, 1.0), 11, 21, |[x, y]| x - 0.3 * y);
        let lines = grid.lines(0.333);
        assert_eq!(lines.len(), 1);
        let mut ends = [lines[0][0].1, lines[0][lines[0].len() - 1].1];
        ends.sort_by(f64::total_cmp);
        assert_eq!(ends, [0.0, 1.0]);
        assert!(lines[0].iter().all(|(x, y)| (x - 0.3 * y - 0.333).abs() < 1e-12));
    }

    #[test]
    fn two_basins_have_one_line_each_below_the_saddle_and_share_one_above_it() {
        let grid = Grid::sample((-2.0, 2.0), (-2.0, 2.0), 81, 81, |[x, y]| (x * x - 1.0).powi(2) + y * y);
        assert_eq!(grid.lines(0.51).len(), 2);
        assert_eq!(grid.lines(2.03).len(), 1);
    }

    #[test]
    fn levels_are_quantiles_of_the_finite_values() {
        let grid = Grid::sample((0.0, 10.0), (0.0, 1.0), 11, 2, |[x, _]| if x > 9.5 { f64::INFINITY } else { x });
        assert_eq!(grid.levels(&[0.0, 0.5, 1.0]), [0.0, 5.0, 9.0]);
    }
}
