//! Renders a scene as PDF: vector graphics on one page, with texts as outlines that can still be searched and copied.

use super::font::{self, Weight};
use super::scene::{Anchor, Point, Primitive, Rgb, Scene};
use ab_glyph::{Font as _, OutlineCurve};
use anyhow::Context as _;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, TextStr};
use std::collections::BTreeSet;
use std::io::Write as _;

/// Points per CSS pixel: 72 to the inch instead of 96.
const POINTS: f32 = 0.75;
const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const INFO: Ref = Ref::new(5);
/// The first of the graphics states, one for each opacity.
const STATES: i32 = 6;

/// The bytes of a PDF of one page, as large as the scene.
///
/// # Errors
/// The content cannot be compressed.
pub fn pdf(scene: &Scene) -> anyhow::Result<Vec<u8>> {
    let (width, height) = (scene.width as f32 * POINTS, scene.height as f32 * POINTS);
    let opacities: BTreeSet<u8> = scene.shapes.iter().filter_map(opacity).collect();
    let mut content = Content::new();
    // CSS pixels, downwards.
    content.transform([POINTS, 0.0, 0.0, -POINTS, 0.0, height]);
    content.set_line_join(LineJoinStyle::RoundJoin);
    for shape in &scene.shapes {
        draw(&mut content, shape);
    }
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(content.finish().as_slice()).context("cannot compress the PDF")?;
    let compressed = compressed.finish().context("cannot compress the PDF")?;

    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES);
    pdf.pages(PAGES).kids([PAGE]).count(1);
    let mut page = pdf.page(PAGE);
    page.parent(PAGES).media_box(Rect::new(0.0, 0.0, width, height)).contents(CONTENT);
    let mut resources = page.resources();
    let mut states = resources.ext_g_states();
    for (place, opacity) in (STATES..).zip(&opacities) {
        states.pair(Name(state(*opacity).as_bytes()), Ref::new(place));
    }
    states.finish();
    resources.finish();
    page.finish();
    for (place, opacity) in (STATES..).zip(&opacities) {
        pdf.ext_graphics(Ref::new(place)).non_stroking_alpha(f32::from(*opacity) / 255.0);
    }
    pdf.stream(CONTENT, &compressed).filter(Filter::FlateDecode);
    pdf.document_info(INFO).creator(TextStr(concat!("lrsched ", env!("CARGO_PKG_VERSION"))));
    Ok(pdf.finish())
}

/// That of a translucent area, out of 255.
fn opacity(shape: &Primitive) -> Option<u8> {
    match shape {
        Primitive::Area { opacity, .. } if *opacity < 1.0 => Some((opacity * 255.0).round() as u8),
        _ => None,
    }
}

/// The name of a graphics state.
fn state(opacity: u8) -> String {
    format!("A{opacity}")
}

fn draw(content: &mut Content, shape: &Primitive) {
    match shape {
        Primitive::Line { points, colour, width, dash } => {
            let (red, green, blue) = parts(*colour);
            content.save_state().set_stroke_rgb(red, green, blue).set_line_width(*width as f32);
            content.set_line_cap(LineCapStyle::ButtCap);
            content.set_dash_pattern(dash.iter().map(|length| *length as f32), 0.0);
            path(content, points);
            content.stroke().restore_state();
        }
        Primitive::Area { points, colour, .. } => {
            let (red, green, blue) = parts(*colour);
            content.save_state().set_fill_rgb(red, green, blue);
            if let Some(opacity) = opacity(shape) {
                content.set_parameters(Name(state(opacity).as_bytes()));
            }
            path(content, points);
            content.close_path().fill_nonzero().restore_state();
        }
        Primitive::Text { at, text, size, weight, colour, anchor, vertical } => {
            let across = match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => -0.5 * font::width(text, *size, *weight),
                Anchor::End => -font::width(text, *size, *weight),
            };
            let (x, y) = (at.0 as f32, at.1 as f32);
            let (red, green, blue) = parts(*colour);
            content.save_state().set_fill_rgb(red, green, blue);
            content.begin_marked_content_with_properties(Name(b"Span")).properties().actual_text(TextStr(text));
            content.transform(if *vertical { [0.0, -1.0, 1.0, 0.0, x, y] } else { [1.0, 0.0, 0.0, 1.0, x, y] });
            glyphs(content, text, across, *size, *weight);
            content.end_marked_content().restore_state();
        }
    }
}

/// The outlines of a text that begins at `x` on the baseline 0, filled.
fn glyphs(content: &mut Content, text: &str, mut x: f64, size: f64, weight: Weight) {
    let font = font::font(weight);
    let scale = size / f64::from(font.units_per_em().unwrap_or(2048.0));
    for letter in text.chars() {
        let glyph = font.glyph_id(letter);
        let place =
            |point: ab_glyph::Point| ((x + f64::from(point.x) * scale) as f32, (-f64::from(point.y) * scale) as f32);
        let mut last = None;
        for curve in font.outline(glyph).map(|outline| outline.curves).unwrap_or_default() {
            let (from, to) = match &curve {
                OutlineCurve::Line(from, to)
                | OutlineCurve::Quad(from, _, to)
                | OutlineCurve::Cubic(from, _, _, to) => (*from, *to),
            };
            if last != Some(from) {
                let (x, y) = place(from);
                content.move_to(x, y);
            }
            let end = place(to);
            // Two thirds of the way from an end to the control point.
            let near = |end: ab_glyph::Point, control: ab_glyph::Point| {
                let part = |end: f32, control: f32| end + (control - end) * 2.0 / 3.0;
                place(ab_glyph::point(part(end.x, control.x), part(end.y, control.y)))
            };
            match curve {
                OutlineCurve::Line(..) => content.line_to(end.0, end.1),
                // The same curve with two control points.
                OutlineCurve::Quad(from, control, to) => {
                    let (first, second) = (near(from, control), near(to, control));
                    content.cubic_to(first.0, first.1, second.0, second.1, end.0, end.1)
                }
                OutlineCurve::Cubic(_, first, second, _) => {
                    let (first, second) = (place(first), place(second));
                    content.cubic_to(first.0, first.1, second.0, second.1, end.0, end.1)
                }
            };
            last = Some(to);
        }
        x += f64::from(font.h_advance_unscaled(glyph)) * scale;
    }
    content.fill_nonzero();
}

fn path(content: &mut Content, points: &[Point]) {
    for (place, &(x, y)) in points.iter().enumerate() {
        if place == 0 {
            content.move_to(x as f32, y as f32);
        } else {
            content.line_to(x as f32, y as f32);
        }
    }
}

fn parts(Rgb(red, green, blue): Rgb) -> (f32, f32, f32) {
    let part = |value: u8| f32::from(value) / 255.0;
    (part(red), part(green), part(blue))
}

#[cfg(test)]
mod tests {

    use crate::report::chart::{Figure, Panel, Series};

    #[test]
    fn a_page_has_the_size_of_the_figure_and_its_texts() {
        let panel = Panel {
            series: vec![Series::new("cosine", vec![(0.0, 1.0), (9.0, 0.0)])],
            ..Panel::new("Rate", "epoch", "rate")
        };
        let bytes = Figure { size: (400, 300), ..Figure::new("A title of mine", vec![panel]) }.pdf().unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("%PDF-1.7") && text.trim_end().ends_with("%%EOF"));
        assert!(text.contains("/MediaBox [0 0 300 225]"), "{text}");
        let start = bytes.windows(8).position(|window| window == b"stream\nx").unwrap() + 7;
        let mut content = String::new();
        let mut decoder = flate2::read::ZlibDecoder::new(&bytes[start..]);
        std::io::Read::read_to_string(&mut decoder, &mut content).unwrap();
        assert!(content.contains("A title of mine") && content.contains("cosine"), "{content}");
        assert!(content.contains(" c\n") && content.contains("\nS\n"), "curves of glyphs, and lines");
    }
}
