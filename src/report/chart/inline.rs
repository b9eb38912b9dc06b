//! A scene as an SVG inside a page, in the colours of the page: light or dark.

use super::font::Weight;
use super::layout::{FRAME, GREY, GRID, INK, MINOR_GRID, PALETTE, SOFT_INK};
use super::scene::{Anchor, Point, Primitive, Rgb, Scene, WHITE};
use crate::report::escape::escape;
use std::fmt::Write as _;

/// It is as wide as its place in the page. `label` is for those who cannot see it.
pub fn inline(scene: &Scene, label: &str) -> String {
    let mut out = format!(
        "<svg viewBox=\"0 0 {:.0} {:.0}\" role=img aria-label=\"{}\">",
        scene.width,
        scene.height,
        escape(label)
    );
    for shape in &scene.shapes {
        draw(&mut out, shape);
    }
    out.push_str("</svg>");
    out
}

fn draw(out: &mut String, shape: &Primitive) {
    let _ = match shape {
        Primitive::Line { points, colour, width, dash } => {
            let dash = dash.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
            let dash = if dash.is_empty() { dash } else { format!(" stroke-dasharray=\"{dash}\"") };
            let (points, colour) = (listed(points), of_page(*colour));
            write!(out, "<polyline points=\"{points}\" fill=none stroke=\"{colour}\" stroke-width=\"{width}\"{dash} />")
        }
        Primitive::Area { points, colour, opacity } => {
            write!(out, "<polygon points=\"{}\" fill=\"{}\" opacity=\"{opacity}\" />", listed(points), of_page(*colour))
        }
        Primitive::Text { at: (x, y), text, size, weight, colour, anchor, vertical } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let weight = if *weight == Weight::Medium { 600 } else { 400 };
            let turn = if *vertical { format!(" transform=\"rotate(-90 {x:.1} {y:.1})\"") } else { String::new() };
            let (colour, text) = (of_page(*colour), escape(text));
            write!(
                out,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" font-weight={weight} text-anchor={anchor} fill=\"{colour}\"{turn}>{text}</text>"
            )
        }
    };
}

fn listed(points: &[Point]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

/// The variable of report.css for a colour of the pictures.
fn of_page(colour: Rgb) -> String {
    let named = [
        (GREY, "behind"),
        (INK, "ink"),
        (SOFT_INK, "soft"),
        (FRAME, "line"),
        (GRID, "grid"),
        (MINOR_GRID, "grid"),
        (WHITE, "panel"),
    ];
    if let Some(place) = PALETTE.iter().position(|one| *one == colour) {
        return format!("var(--c{place})");
    }
    let Rgb(red, green, blue) = colour;
    named
        .iter()
        .find(|(known, _)| *known == colour)
        .map_or_else(|| format!("#{red:02x}{green:02x}{blue:02x}"), |(_, name)| format!("var(--{name})"))
}
