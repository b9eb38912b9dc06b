//! A scene as SVG.

use super::font::Weight;
use super::scene::{Anchor, Point, Rgb, Scene, Shape};
use crate::report::escape::escape;
use std::fmt::Write as _;

/// A complete SVG file, without scripts or references to anything outside.
pub fn text(scene: &Scene) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut body = String::new();
    for shape in &scene.shapes {
        draw(&mut body, shape).expect("writing to a String does not fail");
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="Roboto, 'Helvetica Neue', Arial, sans-serif"><rect width="100%" height="100%" fill="white"/>
{body}</svg>
"#
    )
}

fn draw(out: &mut String, shape: &Shape) -> std::fmt::Result {
    match shape {
        Shape::Line { points, colour, width, dash } => {
            let (path, colour) = (path(points), hex(*colour));
            let dash = match dash {
                [] => String::new(),
                lengths => {
                    let lengths: Vec<String> = lengths.iter().map(|&l| short(l)).collect();
                    format!(r#" stroke-dasharray="{}""#, lengths.join(" "))
                }
            };
            let width = short(*width);
            writeln!(
                out,
                r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"{dash}/>"#
            )
        }
        Shape::Area { points, colour, opacity } => {
            let (path, colour) = (path(points), hex(*colour));
            let opacity = short(*opacity);
            writeln!(out, r#"<polygon points="{path}" fill="{colour}" fill-opacity="{opacity}"/>"#)
        }
        Shape::Text { at, text, size, weight, colour, anchor, vertical } => {
            let (x, y, colour) = (short(at.0), short(at.1), hex(*colour));
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => r#" text-anchor="middle""#,
                Anchor::End => r#" text-anchor="end""#,
            };
            let weight = if *weight == Weight::Medium { r#" font-weight="500""# } else { "" };
            let turn = if *vertical { format!(r#" transform="rotate(-90 {x} {y})""#) } else { String::new() };
            let text = escape(text);
            writeln!(
                out,
                r#"<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{anchor}{weight}{turn}>{text}</text>"#
            )
        }
    }
}

fn path(points: &[Point]) -> String {
    let pairs: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", short(x), short(y))).collect();
    pairs.join(" ")
}

/// Two decimals at most: a hundredth of a pixel is not seen.
fn short(value: f64) -> String {
    format!("{}", (value * 100.0).round() / 100.0)
}

fn hex(Rgb(r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
