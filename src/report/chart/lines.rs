//! Draws the lines of a panel: bands, strokes, markers, walks.

use super::Series;
use super::axis::Axis;
use super::layout::{DASHES, Drawn, Look, disc};
use super::scene::{Point, Primitive, Rect, WHITE, clip_polygon, clip_segment};
use std::collections::BTreeMap;

/// Maps values to points in one frame.
pub struct Transform {
    pub x: Axis,
    pub y: Axis,
    pub frame: Rect,
}

impl Transform {
    fn point(&self, x: f64, y: f64) -> Option<Point> {
        Some((self.across(x)?, self.down(y)?))
    }

    pub fn across(&self, x: f64) -> Option<f64> {
        Some(self.frame.left + self.x.place(x)? * self.frame.width())
    }

    pub fn down(&self, y: f64) -> Option<f64> {
        Some(self.frame.bottom - self.y.place(y)? * self.frame.height())
    }
}

/// Draws the band of a series. Use a lower `opacity` if many bands overlap.
pub fn draw_band(shapes: &mut Vec<Drawn>, series: &Series, to: &Transform, look: Look, opacity: f64) {
    let places = |&(x, lower, upper): &(f64, f64, f64)| Some((to.point(x, lower)?, to.point(x, upper)?));
    for run in runs(series.band.iter().map(places)) {
        let outline: Vec<Point> = run.iter().map(|p| p.0).chain(run.iter().rev().map(|p| p.1)).collect();
        let points = clip_polygon(&outline, &to.frame);
        if points.len() > 2 {
            shapes.push(Drawn(Primitive::Area { points, colour: look.colour, opacity }));
        }
    }
}

/// A series in its frame: unbroken runs of points.
pub struct Path(pub Vec<Vec<Point>>);

impl Path {
    pub fn of(series: &Series, to: &Transform) -> Self {
        Self(runs(series.points.iter().map(|&(x, y)| to.point(x, y))).into_iter().map(thin_out).collect())
    }

    /// Whether x never decreases, as for a function of the epoch.
    fn ascends(&self) -> bool {
        self.0.iter().flatten().zip(self.0.iter().flatten().skip(1)).all(|(a, b)| a.0 <= b.0)
    }
}

/// Overlapping lines are drawn alternately; each turn is this many pixels long. report.js uses the same length.
const TURN: f64 = 11.0;

/// The part of a segment within one turn.
type Piece = (Point, Point);

/// Whether a piece passes within a pixel of a point.
fn passes((a, b): Piece, at: Point) -> bool {
    const NEAR: f64 = 0.6;
    if a.0 > at.0 + NEAR || b.0 < at.0 - NEAR {
        return false;
    }
    let height = |x: f64| a.1 + ((x - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) * (b.1 - a.1);
    // A vertical piece covers all heights between its ends.
    let (p, q) = if b.0 > a.0 { (height(at.0 - NEAR), height(at.0 + NEAR)) } else { (a.1, b.1) };
    p.min(q) - 1.0 <= at.1 && at.1 <= p.max(q) + 1.0
}

/// Whether both ends and the middle of a piece lie on a line of these pieces.
fn lies_on((a, b): Piece, line: &[Piece]) -> bool {
    let middle = (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1));
    [a, middle, b].into_iter().all(|at| line.iter().any(|&piece| passes(piece, at)))
}

/// Decides which pieces of the lines that pass through turn `turn` are drawn.
///
/// Overlapping lines take turns at being first; a piece on top of a drawn one is not drawn. Overlap is not transitive (of three lines, the outer
/// two may be too far apart), so a piece is hidden only by pieces that are actually drawn.
fn drawn_in(turn: i64, lines: &[Vec<Piece>]) -> Vec<Vec<bool>> {
    let extents: Vec<(f64, f64)> = lines
        .iter()
        .map(|line| {
            let heights = line.iter().flat_map(|(a, b)| [a.1, b.1]);
            heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)))
        })
        .collect();
    let touch = |i: usize, j: usize| {
        extents[i].0 <= extents[j].1 + 1.0
            && extents[j].0 <= extents[i].1 + 1.0
            && [(i, j), (j, i)].into_iter().any(|(i, j)| lines[i].iter().any(|&piece| lies_on(piece, &lines[j])))
    };
    let mut cluster: Vec<usize> = (0..lines.len()).collect();
    for i in 0..lines.len() {
        for j in i + 1..lines.len() {
            let (one, other) = (cluster[i], cluster[j]);
            if one != other && touch(i, j) {
                cluster.iter_mut().filter(|of| **of == other).for_each(|of| *of = one);
            }
        }
    }
    let mut shown: Vec<Vec<bool>> = lines.iter().map(|line| vec![true; line.len()]).collect();
    for of in 0..lines.len() {
        let mut order: Vec<usize> = (0..lines.len()).filter(|&i| cluster[i] == of).collect();
        let first = turn.rem_euclid(order.len().max(1) as i64) as usize;
        order.rotate_left(first);
        let mut above: Vec<Vec<Piece>> = Vec::new();
        for i in order {
            shown[i] = lines[i].iter().map(|&piece| !above.iter().any(|line| lies_on(piece, line))).collect();
            above.push(lines[i].iter().zip(&shown[i]).filter_map(|(piece, shown)| shown.then_some(*piece)).collect());
        }
    }
    shown
}

/// The drawn parts of each of `paths`: everything, except that overlapping lines alternate so that none hides another.
pub fn take_turns(paths: &[Path], frame: &Rect) -> Vec<Vec<Vec<Point>>> {
    if paths.len() < 2 || !paths.iter().all(Path::ascends) {
        return paths.iter().map(|path| path.0.clone()).collect();
    }
    let turn = |x: f64| ((x - frame.left) / TURN).floor();
    let pieces_of = |run: &Vec<Point>| -> Vec<Piece> {
        run.windows(2).flat_map(|pair| at_turns(pair[0], pair[1], frame, turn)).collect()
    };
    let turn_of = |(a, b): Piece| turn(f64::midpoint(a.0, b.0)) as i64;
    let pieces: Vec<Vec<Vec<Piece>>> = paths.iter().map(|path| path.0.iter().map(pieces_of).collect()).collect();
    let mut turns: BTreeMap<i64, BTreeMap<usize, Vec<Piece>>> = BTreeMap::new();
    for (own, runs) in pieces.iter().enumerate() {
        for &piece in runs.iter().flatten() {
            turns.entry(turn_of(piece)).or_default().entry(own).or_default().push(piece);
        }
    }
    // For each path, whether its pieces are drawn, in their order: a path passes through the turns in order.
    let mut shown: Vec<Vec<bool>> = vec![Vec::new(); paths.len()];
    for (turn, lines) in turns {
        let (owners, lines): (Vec<usize>, Vec<Vec<Piece>>) = lines.into_iter().unzip();
        for (own, drawn) in owners.into_iter().zip(drawn_in(turn, &lines)) {
            shown[own].extend(drawn);
        }
    }
    let parts_of = |((path, runs), shown): ((&Path, Vec<Vec<Piece>>), Vec<bool>)| {
        let mut shown = shown.into_iter();
        let mut parts: Vec<Vec<Point>> = Vec::new();
        for (run, pieces) in path.0.iter().zip(runs) {
            if pieces.is_empty() {
                parts.push(run.clone());
            }
            let mut joined = false;
            for (a, b) in pieces {
                let drawn = shown.next().unwrap_or(true);
                match parts.last_mut() {
                    Some(part) if drawn && joined => part.push(b),
                    _ if drawn => parts.push(vec![a, b]),
                    _ => {}
                }
                joined = drawn;
            }
        }
        parts
    };
    paths.iter().zip(pieces).zip(shown).map(parts_of).collect()
}

/// Splits a segment at the turns; a segment outside the frame remains whole.
fn at_turns(a: Point, b: Point, frame: &Rect, turn: impl Fn(f64) -> f64) -> Vec<(Point, Point)> {
    let (from, to) = (a.0.max(frame.left), b.0.min(frame.right));
    if to <= from {
        return vec![(a, b)];
    }
    let at = |x: f64| (x, a.1 + (x - a.0) / (b.0 - a.0) * (b.1 - a.1));
    let ends = (turn(from) as i64 + 1..=turn(to) as i64).map(|k| frame.left + k as f64 * TURN);
    let ends = ends.filter(|x| *x > a.0 && *x < b.0).map(at).chain([b]);
    ends.scan(a, |before, end| Some((std::mem::replace(before, end), end))).collect()
}

/// Draws the `parts` of a line, as returned by [`take_turns`].
pub fn draw_series(shapes: &mut Vec<Drawn>, parts: &[Vec<Point>], to: &Transform, look: Look, phase: f64) {
    for run in parts {
        if let [only] = run[..] {
            if clip_segment(only, only, &to.frame).is_some() {
                shapes.push(disc(only, look.width + 1.0, look.colour));
            }
            continue;
        }
        for points in clip_run(run, &to.frame) {
            draw_markers(shapes, &points, look, phase, &to.frame);
            shapes.push(Drawn(Primitive::Line { points, colour: look.colour, width: look.width, dash: look.dash }));
        }
    }
}

/// Draws an optimizer's path: a small dot for each step, a ring at the start, a large dot at the end.
pub fn draw_walk(shapes: &mut Vec<Drawn>, series: &Series, to: &Transform, look: Look) {
    let inside = |&(x, y): &(f64, f64)| to.point(x, y).filter(|&p| clip_segment(p, p, &to.frame).is_some());
    if series.points.len() <= 300 {
        shapes.extend(series.points.iter().filter_map(inside).map(|step| disc(step, 2.2, look.colour)));
    }
    if let Some(start) = series.points.first().and_then(inside) {
        shapes.extend([disc(start, 6.0, WHITE), disc(start, 4.8, look.colour), disc(start, 2.8, WHITE)]);
    }
    let end =
        if series.points.len() > 1 { series.points.iter().rev().find(|p| to.point(p.0, p.1).is_some()) } else { None };
    if let Some(end) = end.and_then(inside) {
        shapes.extend([disc(end, 6.0, WHITE), disc(end, 4.8, look.colour)]);
    }
}

/// A dot at each point.
pub fn draw_results(shapes: &mut Vec<Drawn>, series: &Series, to: &Transform, look: Look) {
    let inside = |&(x, y): &(f64, f64)| to.point(x, y).filter(|&p| clip_segment(p, p, &to.frame).is_some());
    shapes.extend(
        series.points.iter().filter_map(inside).flat_map(|at| [disc(at, 5.2, WHITE), disc(at, 4.0, look.colour)]),
    );
}

/// A few markers along a line that shares its colour with another; `phase` keeps them apart from those of other lines.
fn draw_markers(shapes: &mut Vec<Drawn>, points: &[Point], look: Look, phase: f64, frame: &Rect) {
    let spacing = (frame.width() / 4.0).max(60.0);
    let mut next = frame.left + spacing * (0.1 + 0.8 * phase);
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        while next < a.0.min(b.0) {
            next += spacing;
        }
        while a.0 < b.0 && next <= b.0 {
            let t = (next - a.0) / (b.0 - a.0);
            draw_marker(shapes, (next, a.1 + t * (b.1 - a.1)), look);
            next += spacing;
        }
    }
}

/// Draws the marker of a round of the palette: none, a dot, a square, a triangle.
pub fn draw_marker(shapes: &mut Vec<Drawn>, at: Point, look: Look) {
    let corners = match look.round % DASHES.len() {
        0 => return,
        1 => return shapes.push(disc(at, 3.2, look.colour)),
        2 => vec![(-2.9, -2.9), (2.9, -2.9), (2.9, 2.9), (-2.9, 2.9)],
        _ => vec![(0.0, -4.2), (3.8, 2.6), (-3.8, 2.6)],
    };
    let points = corners.into_iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect();
    shapes.push(Drawn(Primitive::Area { points, colour: look.colour, opacity: 1.0 }));
}

/// Splits a sequence at its `None`s.
fn runs<T>(places: impl Iterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut runs = vec![Vec::new()];
    for place in places {
        match place {
            Some(point) => runs.last_mut().expect("never empty").push(point),
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// The parts of a line inside the frame.
fn clip_run(points: &[Point], frame: &Rect) -> Vec<Vec<Point>> {
    let mut parts: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let Some((a, b)) = clip_segment(pair[0], pair[1], frame) else { continue };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&a) => part.push(b),
            _ => parts.push(vec![a, b]),
        }
    }
    parts
}

/// Drops points that lie within a tenth of a pixel of the line through their neighbours (Douglas–Peucker).
fn thin_out(points: Vec<Point>) -> Vec<Point> {
    let mut keep = vec![false; points.len()];
    let mut stretches = vec![(0, points.len() - 1)];
    (keep[0], keep[points.len() - 1]) = (true, true);
    while let Some((first, last)) = stretches.pop() {
        let (a, b) = (points[first], points[last]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx.hypot(dy);
        let distance = |p: Point| {
            let (px, py) = (p.0 - a.0, p.1 - a.1);
            if length > 0.0 { (px * dy - py * dx).abs() / length } else { px.hypot(py) }
        };
        let farthest = (first + 1..last).max_by(|&i, &j| distance(points[i]).total_cmp(&distance(points[j])));
        if let Some(middle) = farthest.filter(|&i| distance(points[i]) > 0.1) {
            keep[middle] = true;
            stretches.extend([(first, middle), (middle, last)]);
        }
    }
    points.into_iter().zip(keep).filter_map(|(point, kept)| kept.then_some(point)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_pictures_use_the_same_turn_length() {
        assert!(include_str!("../assets/report.js").contains(&format!("const TURN = {TURN};")));
    }

    /// The largest distance, over all pixels and paths, from a path to the nearest drawn line.
    fn farthest_from_ink(paths: &[Path], frame: &Rect) -> f64 {
        let height = |run: &[Point], x: f64| {
            let pair = run.windows(2).find(|pair| pair[0].0 <= x && x <= pair[1].0)?;
            Some(pair[0].1 + (x - pair[0].0) / (pair[1].0 - pair[0].0) * (pair[1].1 - pair[0].1))
        };
        let drawn: Vec<Vec<Point>> = take_turns(paths, frame).into_iter().flatten().collect();
        let mut farthest = 0.0_f64;
        for x in (0..frame.width() as u32).map(|x| f64::from(x) + 0.5) {
            let ink: Vec<f64> = drawn.iter().filter_map(|run| height(run, x)).collect();
            for own in paths.iter().filter_map(|path| height(&path.0[0], x)) {
                farthest = farthest.max(ink.iter().map(|y| (y - own).abs()).fold(f64::INFINITY, f64::min));
            }
        }
        farthest
    }

    #[test]
    fn a_hidden_piece_is_covered_by_a_drawn_one() {
        let frame = Rect { left: 0.0, top: 0.0, right: 400.0, bottom: 300.0 };
        // The outer two do not overlap, but both overlap the middle one.
        let level = |y: f64| Path(vec![vec![(0.0, y), (400.0, y)]]);
        let chain = [level(100.0), level(100.8), level(101.6)];
        assert!(farthest_from_ink(&chain, &frame) < 1.01, "{}", farthest_from_ink(&chain, &frame));
        // A bundle of twenty diverging curves with different points.
        let curve = |i: u32| {
            let at = |k: u32| {
                let x = f64::from(k) * 400.0 / f64::from(20 + i);
                (x, 100.0 + 60.0 * (x / 150.0).cos() + f64::from(i) * x / 600.0)
            };
            Path(vec![(0..=20 + i).map(at).collect()])
        };
        let bundle: Vec<Path> = (0..20).map(curve).collect();
        // One pixel vertically, on slopes of up to 0.4.
        assert!(farthest_from_ink(&bundle, &frame) < 1.5, "{}", farthest_from_ink(&bundle, &frame));
        let each = take_turns(&chain, &frame);
        assert!(each.iter().all(|parts| !parts.is_empty()), "each line is visible somewhere");
    }
}
