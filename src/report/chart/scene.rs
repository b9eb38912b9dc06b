//! A scene: shapes in CSS pixels, drawn in order, already clipped to their frames.

use super::font::Weight;

pub type Point = (f64, f64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

pub const WHITE: Rgb = Rgb(255, 255, 255);

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Primitive {
    Line {
        points: Vec<Point>,
        colour: Rgb,
        width: f64,
        /// Lengths of dash, gap, dash, …; empty: a solid line.
        dash: &'static [f64],
    },
    /// A filled polygon.
    Area { points: Vec<Point>, colour: Rgb, opacity: f64 },
    Text {
        /// On the baseline.
        at: Point,
        text: String,
        size: f64,
        weight: Weight,
        colour: Rgb,
        anchor: Anchor,
        /// Rotated to read from bottom to top.
        vertical: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub width: f64,
    pub height: f64,
    pub shapes: Vec<Primitive>,
}

/// The part of the segment a–b inside `rect` (Liang–Barsky), if any.
pub fn clip_segment(a: Point, b: Point, rect: &Rect) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut from, mut to) = (0.0_f64, 1.0_f64);
    for (direction, distance) in
        [(-dx, a.0 - rect.left), (dx, rect.right - a.0), (-dy, a.1 - rect.top), (dy, rect.bottom - a.1)]
    {
        if direction == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if direction < 0.0 {
            from = from.max(distance / direction);
        } else {
            to = to.min(distance / direction);
        }
    }
    let at = |t: f64| (a.0 + t * dx, a.1 + t * dy);
    (from <= to).then(|| (at(from), at(to)))
}

/// The polygon inside `rect` (Sutherland–Hodgman).
pub fn clip_polygon(points: &[Point], rect: &Rect) -> Vec<Point> {
    // A coordinate, its limit, and the sign of the inside.
    type Side = (fn(Point) -> f64, f64, f64);
    let sides: [Side; 4] = [
        (|p| p.0, rect.left, 1.0),
        (|p| p.0, rect.right, -1.0),
        (|p| p.1, rect.top, 1.0),
        (|p| p.1, rect.bottom, -1.0),
    ];
    sides.into_iter().fold(points.to_vec(), |polygon, (coordinate, limit, sign)| {
        let depth = |p: Point| (coordinate(p) - limit) * sign;
        let mut kept = Vec::with_capacity(polygon.len());
        for (i, &here) in polygon.iter().enumerate() {
            let before = polygon[(i + polygon.len() - 1) % polygon.len()];
            let (depth_here, depth_before) = (depth(here), depth(before));
            if (depth_here >= 0.0) != (depth_before >= 0.0) {
                let t = depth_before / (depth_before - depth_here);
                kept.push((before.0 + t * (here.0 - before.0), before.1 + t * (here.1 - before.1)));
            }
            if depth_here >= 0.0 {
                kept.push(here);
            }
        }
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Rect = Rect { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };

    #[test]
    fn a_segment_is_cut_at_the_frame() {
        assert_eq!(clip_segment((-5.0, 5.0), (15.0, 5.0), &BOX), Some(((0.0, 5.0), (10.0, 5.0))));
        assert_eq!(clip_segment((2.0, 2.0), (3.0, 3.0), &BOX), Some(((2.0, 2.0), (3.0, 3.0))));
        assert_eq!(clip_segment((-5.0, -1.0), (15.0, -1.0), &BOX), None);
        assert_eq!(clip_segment((-3.0, 8.0), (2.0, 14.0), &BOX), None);
    }

    #[test]
    fn a_polygon_is_cut_at_the_frame() {
        let cut = clip_polygon(&[(-5.0, -5.0), (5.0, -5.0), (5.0, 5.0), (-5.0, 5.0)], &BOX);
        assert!(
            cut.iter().all(|&(x, y)| (0.0..=5.0).contains(&x) && (0.0..=5.0).contains(&y)) && cut.len() == 4,
            "{cut:?}"
        );
        assert!(clip_polygon(&[(20.0, 20.0), (30.0, 20.0), (30.0, 30.0)], &BOX).is_empty());
    }
}
