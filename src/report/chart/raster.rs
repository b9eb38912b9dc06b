//! A scene as PNG: every shape is drawn with exact or distance-based coverage, so that edges are smooth.

use super::font::{self, Weight};
use super::scene::{Anchor, Point, Rgb, Scene, Shape};
use ab_glyph::{Font as _, ScaleFont as _};
use ab_glyph_rasterizer::{Rasterizer, point};
use anyhow::Context as _;
use image::ImageEncoder as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};

/// Device pixels per CSS pixel.
const SHARPNESS: f64 = 2.0;

/// The bytes of a PNG, two pixels for each CSS pixel.
///
/// # Errors
/// The encoder refuses the size.
pub fn png(scene: &Scene) -> anyhow::Result<Vec<u8>> {
    let mut canvas = Canvas::new(scene);
    for shape in &scene.shapes {
        canvas.draw(shape);
    }
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::NoFilter)
        .write_image(&canvas.pixels, canvas.width as u32, canvas.height as u32, image::ColorType::Rgb8)
        .context("cannot encode the PNG")?;
    Ok(bytes)
}

struct Canvas {
    width: usize,
    height: usize,
    /// (height, width, 3)
    pixels: Vec<u8>,
    /// How much of each pixel the shape at hand covers, (height, width); all 0 between shapes.
    coverage: Vec<f32>,
}

impl Canvas {
    fn new(scene: &Scene) -> Self {
        let (width, height) = ((scene.width * SHARPNESS) as usize, (scene.height * SHARPNESS) as usize);
        Self { width, height, pixels: vec![255; width * height * 3], coverage: vec![0.0; width * height] }
    }

    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Line { points, colour, width, dash } => self.line(points, *colour, *width, dash),
            Shape::Area { points, colour, opacity } => self.area(points, *colour, *opacity),
            Shape::Text { at, text, size, weight, colour, anchor, vertical } => {
                self.text(*at, text, *size, *weight, *colour, *anchor, *vertical);
            }
        }
    }

    /// A pixel is covered as far as it lies within half a width of the line: round joints and ends, no seams.
    fn line(&mut self, points: &[Point], colour: Rgb, width: f64, dash: &[f64]) {
        let radius = width * SHARPNESS / 2.0;
        let scaled: Vec<Point> = points.iter().map(|&(x, y)| (x * SHARPNESS, y * SHARPNESS)).collect();
        let mut touched = Vec::new();
        for (a, b) in dashes(&scaled, dash) {
            let reach = radius + 1.0;
            let (x0, x1) = span(a.0.min(b.0) - reach, a.0.max(b.0) + reach, self.width);
            let (y0, y1) = span(a.1.min(b.1) - reach, a.1.max(b.1) + reach, self.height);
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let length2 = dx * dx + dy * dy;
            for y in y0..y1 {
                for x in x0..x1 {
                    let (px, py) = (x as f64 + 0.5 - a.0, y as f64 + 0.5 - a.1);
                    let t = if length2 > 0.0 { ((px * dx + py * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
                    let covered = (radius + 0.5 - (px - t * dx).hypot(py - t * dy)).clamp(0.0, 1.0) as f32;
                    let place = y * self.width + x;
                    if covered > self.coverage[place] {
                        if self.coverage[place] == 0.0 {
                            touched.push(place);
                        }
                        self.coverage[place] = covered;
                    }
                }
            }
        }
        for place in touched {
            let covered = std::mem::take(&mut self.coverage[place]);
            self.blend(place, colour, covered);
        }
    }

    fn area(&mut self, points: &[Point], colour: Rgb, opacity: f64) {
        let scaled: Vec<Point> = points.iter().map(|&(x, y)| (x * SHARPNESS, y * SHARPNESS)).collect();
        let extent = |pick: fn(&Point) -> f64, size| {
            let (low, high) = scaled.iter().map(pick).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            span(low, high, size)
        };
        let ((left, right), (top, bottom)) = (extent(|p| p.0, self.width), extent(|p| p.1, self.height));
        if left >= right || top >= bottom {
            return;
        }
        // Only the pixels around the polygon: most are markers.
        let mut rasterizer = Rasterizer::new(right - left, bottom - top);
        let local = |(x, y): Point| point((x - left as f64) as f32, (y - top as f64) as f32);
        for (i, &corner) in scaled.iter().enumerate() {
            rasterizer.draw_line(local(corner), local(scaled[(i + 1) % scaled.len()]));
        }
        rasterizer.for_each_pixel_2d(|x, y, covered| {
            if covered > 0.0 {
                let place = (top + y as usize) * self.width + left + x as usize;
                self.blend(place, colour, covered.min(1.0) * opacity as f32);
            }
        });
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one shape")]
    fn text(&mut self, at: Point, text: &str, size: f64, weight: Weight, colour: Rgb, anchor: Anchor, vertical: bool) {
        let face = font::font(weight);
        let scale = font::scale(&face, size * SHARPNESS);
        let scaled = face.as_scaled(scale);
        let width = font::width(text, size * SHARPNESS, weight);
        let mut pen = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        } as f32;
        let origin = (at.0 * SHARPNESS, at.1 * SHARPNESS);
        // The fraction of the pen's place goes into the glyph, the rest is whole pixels: upright stems stay sharp.
        let shift = if vertical { origin.1.ceil() - origin.1 } else { origin.0 - origin.0.floor() } as f32;
        for c in text.chars() {
            let id = face.glyph_id(c);
            let glyph = id.with_scale_and_position(scale, ab_glyph::point(pen + shift, 0.0));
            pen += scaled.h_advance(id);
            let Some(outline) = face.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|gx, gy, covered| {
                let (along, down) = (i64::from(gx) + bounds.min.x as i64, i64::from(gy) + bounds.min.y as i64);
                let (x, y) = if vertical {
                    (origin.0.round() as i64 + down, origin.1.ceil() as i64 - 1 - along)
                } else {
                    (origin.0.floor() as i64 + along, origin.1.round() as i64 + down)
                };
                if (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y) {
                    self.blend(y as usize * self.width + x as usize, colour, covered.min(1.0));
                }
            });
        }
    }

    fn blend(&mut self, place: usize, Rgb(r, g, b): Rgb, covered: f32) {
        for (channel, ink) in self.pixels[place * 3..place * 3 + 3].iter_mut().zip([r, g, b]) {
            let paper = f32::from(*channel);
            *channel = (paper + (f32::from(ink) - paper) * covered).round() as u8;
        }
    }
}

/// The pixels from `low` to `high` that are on a canvas of this size.
fn span(low: f64, high: f64, size: usize) -> (usize, usize) {
    (low.floor().max(0.0) as usize, (high.ceil().max(0.0) as usize).min(size))
}

/// The segments of a line, cut into its dashes; a lone point is a segment of length 0.
fn dashes(points: &[Point], pattern: &[f64]) -> Vec<(Point, Point)> {
    if points.len() == 1 {
        return vec![(points[0], points[0])];
    }
    let segments = points.windows(2).map(|pair| (pair[0], pair[1]));
    if pattern.is_empty() {
        return segments.collect();
    }
    let (mut place, mut left) = (0, pattern[0] * SHARPNESS);
    let mut drawn = Vec::new();
    for (a, b) in segments {
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let at = |s: f64| (a.0 + (b.0 - a.0) * s / length, a.1 + (b.1 - a.1) * s / length);
        let mut done = 0.0;
        while length > done {
            let piece = left.min(length - done);
            if place % 2 == 0 {
                drawn.push((at(done), at(done + piece)));
            }
            done += piece;
            left -= piece;
            if left <= 1e-9 {
                place = (place + 1) % pattern.len();
                left = pattern[place] * SHARPNESS;
            }
        }
    }
    drawn
}
