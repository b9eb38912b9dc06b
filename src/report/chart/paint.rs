//! Renders a scene with plotters, as PNG or SVG.
//!
//! plotters uses integer coordinates. To keep lines smooth, both formats use several units per CSS pixel: a PNG is rendered larger and
//! averaged down, an SVG is scaled by its `viewBox`.

use super::font::{self, Weight};
use super::scene::{Anchor, Point, Primitive, Rgb, Scene};
use anyhow::Context as _;
use image::ImageEncoder as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Pixels of a PNG per CSS pixel.
const SHARPNESS: u32 = 2;
/// Units per pixel of a PNG in each direction: a pixel is the mean of 2 x 2 units ([`averaged`]).
const OVERSAMPLING: u32 = 2;

/// The conventions of a plotters backend.
struct Units {
    /// Units per CSS pixel.
    per_pixel: f64,
    /// The backend's size for a font of 1 em.
    font_size: f64,
    /// From the top of a text, as the backend places it, to the baseline, in em.
    ascent: f64,
    /// Whether the backend joins the segments of a line.
    joins: bool,
}

/// The bytes of a PNG, two pixels for each CSS pixel.
///
/// # Errors
/// A shape cannot be drawn, or the encoder rejects the size.
pub fn png(scene: &Scene) -> anyhow::Result<Vec<u8>> {
    // The bitmap backend's font size is the height from descender to ascender, and it puts the baseline at half of that.
    let height = font::height(Weight::Regular);
    let units =
        Units { per_pixel: f64::from(SHARPNESS * OVERSAMPLING), font_size: height, ascent: height / 2.0, joins: false };
    let size = units.size(scene);
    let mut pixels = vec![255; size.0 as usize * size.1 as usize * 3];
    paint(BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area(), scene, &units)?;
    let (width, height) = (size.0 / OVERSAMPLING, size.1 / OVERSAMPLING);
    let picture = averaged(&pixels, size.0 as usize);
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::NoFilter)
        .write_image(&picture, width, height, image::ColorType::Rgb8)
        .context("cannot encode the PNG")?;
    Ok(bytes)
}

/// Averages blocks of 2 x 2 pixels; `width` is that of the larger picture. `pixels`: (H, W, 3).
fn averaged(pixels: &[u8], width: usize) -> Vec<u8> {
    let row = width * 3;
    let mut means = vec![0; pixels.len() / 4];
    for (rows, out) in pixels.chunks_exact(2 * row).zip(means.chunks_exact_mut(row / 2)) {
        let (upper, lower) = rows.split_at(row);
        for ((mean, u), l) in out.chunks_exact_mut(3).zip(upper.chunks_exact(6)).zip(lower.chunks_exact(6)) {
            for channel in 0..3 {
                let four = [u[channel], u[channel + 3], l[channel], l[channel + 3]];
                mean[channel] = ((four.into_iter().map(u16::from).sum::<u16>() + 2) / 4) as u8;
            }
        }
    }
    means
}

/// A self-contained SVG, without scripts or external references.
///
/// # Errors
/// A shape cannot be drawn.
pub fn svg(scene: &Scene) -> anyhow::Result<String> {
    // The SVG backend divides font sizes by 1.24 and shifts text down by 0.76 em.
    let units = Units { per_pixel: 10.0, font_size: 1.24, ascent: 0.76, joins: true };
    let (width, height) = units.size(scene);
    let mut text = String::new();
    let canvas = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
    finished::<SVGBackend>(canvas.fill(&WHITE))?;
    paint(canvas, scene, &units)?;
    let units_wide = format!(r#"width="{width}" height="{height}" "#);
    let pixels_wide = format!(r#"width="{}" height="{}" stroke-linejoin="round" "#, scene.width, scene.height);
    Ok(text.replacen(&units_wide, &pixels_wide, 1))
}

/// Draws the shapes of `scene` in order.
fn paint<B: DrawingBackend>(canvas: DrawingArea<B, Shift>, scene: &Scene, units: &Units) -> anyhow::Result<()> {
    font::register_with_plotters();
    finished::<B>(scene.shapes.iter().try_for_each(|shape| units.draw(&canvas, shape)))?;
    finished::<B>(canvas.present())
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn finished<B: DrawingBackend>(drawn: Drawn<B>) -> anyhow::Result<()> {
    drawn.map_err(|error| anyhow::anyhow!("cannot draw the chart: {error}"))
}

impl Units {
    fn size(&self, scene: &Scene) -> (u32, u32) {
        ((scene.width * self.per_pixel) as u32, (scene.height * self.per_pixel) as u32)
    }

    fn place(&self, at: Point) -> (i32, i32) {
        ((at.0 * self.per_pixel).round() as i32, (at.1 * self.per_pixel).round() as i32)
    }

    fn draw<B: DrawingBackend>(&self, canvas: &DrawingArea<B, Shift>, shape: &Primitive) -> Drawn<B> {
        match shape {
            Primitive::Line { points, colour, width, dash } => {
                pieces(points, dash).iter().try_for_each(|piece| self.line(canvas, piece, *colour, *width))
            }
            Primitive::Area { points, colour, opacity } => {
                let corners: Vec<_> = points.iter().map(|&at| self.place(at)).collect();
                canvas.draw(&Polygon::new(corners, plain(*colour).mix(*opacity)))
            }
            Primitive::Text { at, text, size, weight, colour, anchor, vertical } => {
                let em = size * self.per_pixel;
                let across = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let turn = if *vertical { FontTransform::Rotate270 } else { FontTransform::None };
                let style = FontDesc::new(weight.family(), em * self.font_size, FontStyle::Normal)
                    .transform(turn)
                    .color(&plain(*colour))
                    .pos(Pos::new(across, VPos::Top));
                let (x, y) = self.place(*at);
                let up = (em * self.ascent).round() as i32;
                // Names may come from files, and XML does not allow control characters.
                let text = text.replace(char::is_control, " ");
                canvas.draw_text(&text, &style, if *vertical { (x - up, y) } else { (x, y - up) })
            }
        }
    }

    fn line<B: DrawingBackend>(
        &self,
        canvas: &DrawingArea<B, Shift>,
        points: &[Point],
        colour: Rgb,
        width: f64,
    ) -> Drawn<B> {
        let stroke = width * self.per_pixel;
        if self.joins {
            let places: Vec<_> = points.iter().map(|&at| self.place(at)).collect();
            return canvas.draw(&PathElement::new(places, plain(colour).stroke_width(stroke.round() as u32)));
        }
        // The bitmap backend rounds half widths down, which makes diagonals thin, and leaves notches between segments. So each segment is
        // drawn as a rectangle, with a dot on each joint.
        for ends in points.windows(2) {
            let (a, b) = (ends[0], ends[1]);
            let aside = width / 2.0 / (b.0 - a.0).hypot(b.1 - a.1);
            if aside.is_finite() {
                let (dx, dy) = ((b.1 - a.1) * aside, (a.0 - b.0) * aside);
                let corners = [(a, 1.0), (b, 1.0), (b, -1.0), (a, -1.0)];
                let corner = |(at, side): (Point, f64)| self.place((at.0 + side * dx, at.1 + side * dy));
                canvas.draw(&Polygon::new(corners.map(corner), plain(colour)))?;
            }
        }
        let joints = if stroke >= 3.0 && points.len() > 2 { &points[1..points.len() - 1] } else { &[] };
        let dot = |at: Point| Circle::new(self.place(at), (stroke / 2.0) as u32, plain(colour).filled());
        joints.iter().try_for_each(|&joint| canvas.draw(&dot(joint)))
    }
}

fn plain(Rgb(r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

/// Splits a line into its dashes.
fn pieces(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    if pattern.is_empty() {
        return vec![points.to_vec()];
    }
    let (mut place, mut left) = (0, pattern[0]);
    let mut drawn: Vec<Vec<Point>> = vec![points.iter().take(1).copied().collect()];
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let mut done = 0.0;
        while length > done {
            let piece = left.min(length - done);
            done += piece;
            left -= piece;
            let at = (a.0 + (b.0 - a.0) * done / length, a.1 + (b.1 - a.1) * done / length);
            if place % 2 == 0
                && let Some(dash) = drawn.last_mut()
            {
                dash.push(at);
            }
            if left <= 1e-9 {
                place = (place + 1) % pattern.len();
                left = pattern[place];
                if place % 2 == 0 {
                    drawn.push(vec![at]);
                }
            }
        }
    }
    drawn.retain(|dash| dash.len() > 1);
    drawn
}
