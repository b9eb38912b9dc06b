//! The lines of a panel: bands, strokes, markers, walks.

use super::Series;
use super::axis::Axis;
use super::layout::{DASHES, Drawn, Look, disc};
use super::scene::{Point, Rect, Shape, WHITE, clip_polygon, clip_segment};

/// From values to places in one frame.
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

/// `opacity` is less where many bands lie over each other.
pub fn draw_band(shapes: &mut Vec<Drawn>, series: &Series, to: &Transform, look: Look, opacity: f64) {
    let places = |&(x, lower, upper): &(f64, f64, f64)| Some((to.point(x, lower)?, to.point(x, upper)?));
    for run in runs(series.band.iter().map(places)) {
        let outline: Vec<Point> = run.iter().map(|p| p.0).chain(run.iter().rev().map(|p| p.1)).collect();
        let points = clip_polygon(&outline, &to.frame);
        if points.len() > 2 {
            shapes.push(Drawn(Shape::Area { points, colour: look.colour, opacity }));
        }
    }
}

/// A series as it lies in its frame: unbroken stretches of places.
pub struct Path(pub Vec<Vec<Point>>);

impl Path {
    pub fn of(series: &Series, to: &Transform) -> Self {
        Self(runs(series.points.iter().map(|&(x, y)| to.point(x, y))).into_iter().map(thin_out).collect())
    }

    /// Whether it goes from left to right all the way, as what is a function of the epoch does.
    fn ascends(&self) -> bool {
        self.0.iter().flatten().zip(self.0.iter().flatten().skip(1)).all(|(a, b)| a.0 <= b.0)
    }

    /// Whether it passes within a pixel of a place.
    fn passes(&self, at: Point) -> bool {
        const NEAR: f64 = 0.6;
        self.0.iter().any(|run| {
            let first = run.partition_point(|point| point.0 < at.0 - NEAR).saturating_sub(1);
            let segments = run[first..].windows(2).take_while(|pair| pair[0].0 <= at.0 + NEAR);
            segments.into_iter().any(|pair| {
                let (a, b) = (pair[0], pair[1]);
                let height = |x: f64| {
                    let share = if b.0 > a.0 { ((x - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) } else { 0.0 };
                    a.1 + share * (b.1 - a.1)
                };
                // A vertical piece has all heights from one end to the other.
                let (p, q) = if b.0 > a.0 { (height(at.0 - NEAR), height(at.0 + NEAR)) } else { (a.1, b.1) };
                b.0 >= at.0 - NEAR && p.min(q) - 1.0 <= at.1 && at.1 <= p.max(q) + 1.0
            })
        })
    }
}

/// How far one of several lines that lie on each other is seen before it is the turn of the next.
const TURN: f64 = 11.0;

/// What is drawn of each of `paths`: all of it, but where several lie on each other each shows in its turn, so that none hides another.
pub fn take_turns(paths: &[Path], frame: &Rect) -> Vec<Vec<Vec<Point>>> {
    if paths.len() < 2 || !paths.iter().all(Path::ascends) {
        return paths.iter().map(|path| path.0.clone()).collect();
    }
    let turn = |x: f64| ((x - frame.left) / TURN).floor();
    paths
        .iter()
        .enumerate()
        .map(|(own, path)| {
            let shown = |a: Point, b: Point| {
                let middle = (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1));
                let along: Vec<usize> = (0..paths.len())
                    .filter(|&i| i == own || [a, middle, b].into_iter().all(|at| paths[i].passes(at)))
                    .collect();
                let rank = along.iter().position(|&i| i == own).unwrap_or(0);
                turn(middle.0).rem_euclid(along.len() as f64) as usize == rank
            };
            path.0
                .iter()
                .flat_map(|run| {
                    let [_, _, ..] = run[..] else { return vec![run.clone()] };
                    let mut parts: Vec<Vec<Point>> = Vec::new();
                    let mut joined = false;
                    for pair in run.windows(2) {
                        for (a, b) in at_turns(pair[0], pair[1], frame, turn) {
                            if !shown(a, b) {
                                joined = false;
                            } else if joined && let Some(part) = parts.last_mut() {
                                part.push(b);
                            } else {
                                parts.push(vec![a, b]);
                                joined = true;
                            }
                        }
                    }
                    parts
                })
                .collect()
        })
        .collect()
}

/// A segment in pieces that end where the turns do; what is outside the frame stays whole.
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

/// Draws the `parts` of a line, those that [`take_turns`] gave.
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
            shapes.push(Drawn(Shape::Line { points, colour: look.colour, width: look.width, dash: look.dash }));
        }
    }
}

/// The path that somebody walked: a small dot for each step, a ring where it starts, a large dot where it ends.
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

/// A few markers along a line that shares its colour with another one, at places of its own.
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

/// Nothing, a dot, a square, a triangle: one for each round of the palette.
pub fn draw_marker(shapes: &mut Vec<Drawn>, at: Point, look: Look) {
    let corners = match look.round % DASHES.len() {
        0 => return,
        1 => return shapes.push(disc(at, 3.2, look.colour)),
        2 => vec![(-2.9, -2.9), (2.9, -2.9), (2.9, 2.9), (-2.9, 2.9)],
        _ => vec![(0.0, -4.2), (3.8, 2.6), (-3.8, 2.6)],
    };
    let points = corners.into_iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect();
    shapes.push(Drawn(Shape::Area { points, colour: look.colour, opacity: 1.0 }));
}

/// The unbroken stretches.
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
