//! Charts: figures as plain data, rendered as PNG, SVG, or text for a terminal.

mod axis;
mod dots;
mod font;
mod inline;
mod layout;
mod lines;
mod matrix;
mod paint;
mod pdf;
mod quantity;
mod ranking;
mod scene;
mod stack;
mod terminal;

pub use axis::Axis;
pub use dots::{Dot, DotLook};
pub use matrix::Matrix;
pub use quantity::Quantity;
pub use ranking::{Claim, End, RankedGroup, RankedRow, Ranking};
pub use stack::Stack;

use crate::record::replace_file;
use std::collections::HashSet;
use std::path::Path;

/// One picture: a title, panels, and a shared legend.
///
/// Series with the same name share a colour in all panels, and one legend entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub title: String,
    pub panels: Vec<Panel>,
    /// Width and height in CSS pixels; a PNG has two pixels per CSS pixel.
    pub size: (u32, u32),
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    /// `None`: nothing depends on it.
    pub quantity: Option<Quantity>,
    pub x_scale: AxisScale,
    pub y_scale: AxisScale,
    /// `None`: the range of the values.
    pub x_range: Option<(f64, f64)>,
    /// `None`: the range of the values. Lines are clipped to the frame.
    pub y_range: Option<(f64, f64)>,
    /// Draw values below the range, but not below 0, on its lower edge: a rate of 0 on a log axis.
    pub y_edge: bool,
    /// Drawn in this order, later series on top, and grey ones behind all others.
    pub series: Vec<Series>,
    /// On top of the lines.
    pub dots: Vec<Dot>,
    /// Vertical lines.
    pub marks: Vec<Mark>,
}

/// More lines than this cannot be told apart: each colour of the palette with each marker.
pub const MOST_LINES: usize = layout::PALETTE.len() * layout::DASHES.len();

/// One line. A point that is NaN, infinite, or not above 0 on a log axis breaks it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The legend entry; empty: not in the legend.
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub style: Style,
    /// (x, lower, upper): a shaded area, such as ± one standard deviation. Empty: none.
    pub band: Vec<(f64, f64, f64)>,
    pub dashed: bool,
    pub stops: Stops,
}

/// Which points of a line are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stops {
    #[default]
    None,
    /// The first by a ring, the last by a dot, those between by small dots: an optimizer's path.
    Walk,
    /// Each by a dot: few results of their own, which the line only joins.
    Each,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// The next colour of the palette.
    #[default]
    Auto,
    /// A fixed colour of the palette: for the same line in several figures, or a pair of related lines.
    Colour(usize),
    /// Thin and grey: contour lines, raw values under smoothed ones.
    Grey,
}

/// A vertical line at `at` with a label. A panel with more than `MOST_LABELS` marks shows the lines only.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    pub at: f64,
    pub label: String,
    /// The series whose colour it has; empty: none.
    pub series: String,
}

/// More labels would cover the lines.
const MOST_LABELS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AxisScale {
    #[default]
    Linear,
    /// Base 10; values must be above 0.
    Log,
}

impl Series {
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, ..Self::default() }
    }
}

impl Panel {
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        Self { title: title.into(), x_label: x_label.into(), y_label: y_label.into(), ..Self::default() }
    }

    /// Of this quantity, which names the panel and its axis.
    pub fn of(quantity: Quantity, x_label: impl Into<String>) -> Self {
        Self { quantity: Some(quantity), ..Self::new(quantity.title(), x_label, quantity.label()) }
    }
}

impl Figure {
    /// A figure sized for its number of panels.
    pub fn new(title: impl Into<String>, panels: Vec<Panel>) -> Self {
        let size = match panels.len() {
            0 | 1 => (800, 500),
            2 => (1200, 460),
            _ => (1200, 860),
        };
        Self { title: title.into(), panels, size }
    }

    /// Whether lines are means, with bands around them.
    pub fn has_bands(&self) -> bool {
        self.panels.iter().flat_map(|panel| &panel.series).any(|series| !series.band.is_empty())
    }

    /// Writes a PNG atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_png(&self, path: &Path) -> anyhow::Result<()> {
        replace_file(path, &self.png()?)
    }

    /// Writes an SVG atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_svg(&self, path: &Path) -> anyhow::Result<()> {
        replace_file(path, self.svg()?.as_bytes())
    }

    /// The bytes of a PNG.
    ///
    /// # Errors
    /// A shape cannot be drawn, or the encoder rejects the size.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        paint::png(&layout::scene(self))
    }

    /// A self-contained SVG.
    ///
    /// # Errors
    /// A shape cannot be drawn.
    pub fn svg(&self) -> anyhow::Result<String> {
        paint::svg(&layout::scene(self))
    }

    /// The bytes of a PDF.
    ///
    /// # Errors
    /// It cannot be compressed.
    pub fn pdf(&self) -> anyhow::Result<Vec<u8>> {
        pdf::pdf(&layout::scene(self))
    }

    /// As an SVG inside a page, in its colours; `label` is for those who cannot see it.
    pub fn inline(&self, label: &str) -> String {
        inline::inline(&layout::scene(self), label)
    }

    /// The figure as text: braille lines with a marker for each series, axes, and the legend below.
    ///
    /// No line is wider than `width` columns; each panel takes `height` lines. `colour` adds ANSI colours; without them, the markers
    /// distinguish the series.
    pub fn terminal(&self, width: usize, height: usize, colour: bool) -> String {
        terminal::text(self, width, height, colour)
    }

    /// The named series that have points, in order of first appearance, with their palette indices.
    fn legend(&self) -> Vec<LegendEntry<'_>> {
        let mut entries: Vec<LegendEntry<'_>> = Vec::new();
        let mut next = 0;
        let drawn: HashSet<&str> = self
            .panels
            .iter()
            .flat_map(|panel| &panel.series)
            .filter(|series| !series.points.is_empty())
            .map(|series| series.name.as_str())
            .collect();
        let mut seen = HashSet::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if series.name.is_empty() || !seen.insert(series.name.as_str()) {
                continue;
            }
            let place = match series.style {
                Style::Auto => {
                    next += 1;
                    Some(next - 1)
                }
                Style::Colour(place) => Some(place),
                Style::Grey => None,
            };
            // One without a line keeps its colour, for figures in which it has one.
            if !drawn.contains(series.name.as_str()) {
                continue;
            }
            entries.push(LegendEntry { name: &series.name, place, dashed: series.dashed });
        }
        entries
    }
}

impl Panel {
    fn axes(&self) -> (axis::Axis, axis::Axis) {
        let dots = || self.dots.iter().map(|dot| dot.at);
        let points = || self.series.iter().flat_map(|s| s.points.iter().copied()).chain(dots());
        let bands = || self.series.iter().flat_map(|s| s.band.iter().copied());
        let marks = self.marks.iter().map(|mark| mark.at);
        let x = match self.x_range {
            Some((low, high)) => axis::Axis::between(self.x_scale, low, high),
            None => axis::Axis::fit(self.x_scale, points().map(|p| p.0).chain(marks), 0.0),
        };
        let mut y = match self.y_range {
            Some((low, high)) => axis::Axis::between(self.y_scale, low, high),
            None => {
                let values = points().map(|p| p.1).chain(bands().flat_map(|(_, lower, upper)| [lower, upper]));
                axis::Axis::fit(self.y_scale, values, 0.04)
            }
        };
        y.edge = self.y_edge;
        (x, y)
    }
}

/// A legend entry. `place` is its palette index; `None` is grey.
#[derive(Debug, Clone, Copy, PartialEq)]
struct LegendEntry<'a> {
    name: &'a str,
    place: Option<usize>,
    dashed: bool,
}
