//! A confusion matrix as a picture: correct counts in blue, others in orange, the opacity growing with the share of the row.

use super::font::{self, Weight};
use super::layout::{Drawn, INK, LABEL, MARGIN, PALETTE, SOFT_INK, TICK, TITLE, line, text};
use super::paint;
use super::scene::{Anchor, Point, Primitive, Rgb, Scene, WHITE};

/// A square matrix of counts with the same labels for rows and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub labels: Vec<String>,
    /// (row, column)
    pub counts: Vec<Vec<u64>>,
}

const CELL: (f64, f64) = (66.0, 38.0);
/// Of more than [`MOST_WITH_COUNTS`] classes, without counts in the cells and with vertical labels of columns.
const SMALL_CELL: (f64, f64) = (18.0, 18.0);
const MOST_WITH_COUNTS: usize = 20;
const LABELS: f64 = 96.0;
const GRID: Rgb = Rgb(0xd8, 0xd8, 0xd8);

impl Matrix {
    /// The bytes of a PNG.
    ///
    /// # Errors
    /// A shape cannot be drawn, or the encoder rejects the size.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        paint::png(&self.scene())
    }

    /// A self-contained SVG.
    ///
    /// # Errors
    /// A shape cannot be drawn.
    pub fn svg(&self) -> anyhow::Result<String> {
        paint::svg(&self.scene())
    }

    fn scene(&self) -> Scene {
        let size = self.labels.len() as f64;
        let is_small = self.labels.len() > MOST_WITH_COUNTS;
        let (cell, heads) = if is_small { (SMALL_CELL, LABELS) } else { (CELL, TICK) };
        let (left, top) = (MARGIN + LABEL + 8.0 + LABELS, MARGIN + TITLE + 12.0 + LABEL + 10.0 + heads + 8.0);
        let (right, bottom) = (left + size * cell.0, top + size * cell.1);
        let mut shapes = Vec::new();
        let title = font::fit(&self.title, right - MARGIN, TITLE, Weight::Medium);
        shapes.push(text((MARGIN, MARGIN + TITLE * 0.8), title, TITLE, INK, Anchor::Start).medium());
        let middle = ((left + right) / 2.0, top - heads - 18.0);
        shapes.push(text(middle, self.x_label.clone(), LABEL, INK, Anchor::Middle));
        let middle = (MARGIN + LABEL * 0.8, (top + bottom) / 2.0);
        shapes.push(text(middle, self.y_label.clone(), LABEL, INK, Anchor::Middle).vertical());

        for (row, (label, counts)) in self.labels.iter().zip(&self.counts).enumerate() {
            let base = top + (row as f64 + 0.5) * cell.1 + TICK * 0.36;
            let name = font::fit(label, LABELS - 8.0, LABEL, Weight::Regular);
            shapes.push(text((left - 8.0, base), name, LABEL, INK, Anchor::End));
            let across = left + (row as f64 + 0.5) * cell.0;
            shapes.push(if is_small {
                let name = font::fit(label, LABELS - 8.0, TICK, Weight::Regular);
                text((across + TICK * 0.36, top - 8.0), name, TICK, SOFT_INK, Anchor::Start).vertical()
            } else {
                let name = font::fit(label, cell.0 - 4.0, TICK, Weight::Regular);
                text((across, top - 8.0), name, TICK, SOFT_INK, Anchor::Middle)
            });
            let total = counts.iter().sum::<u64>().max(1) as f64;
            for (column, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let corner = (left + column as f64 * cell.0, top + row as f64 * cell.1);
                let opacity = (count as f64 / total).sqrt();
                shapes.push(filled(corner, cell, opacity, row == column));
                if !is_small {
                    shapes.push(number(corner, cell, count, opacity));
                }
            }
        }
        for at in 0..=self.labels.len() {
            let (x, y) = (left + at as f64 * cell.0, top + at as f64 * cell.1);
            shapes.push(line(vec![(x, top), (x, bottom)], GRID, 1.0));
            shapes.push(line(vec![(left, y), (right, y)], GRID, 1.0));
        }
        let shapes = shapes.into_iter().map(|drawn| drawn.0).collect();
        Scene { width: right + MARGIN, height: bottom + MARGIN, shapes }
    }
}

/// The opacity is the square root of the share, which keeps 1 % visible.
fn filled((x, y): Point, cell: (f64, f64), opacity: f64, right: bool) -> Drawn {
    let colour = PALETTE[usize::from(!right)];
    let points = vec![(x, y), (x + cell.0, y), (x + cell.0, y + cell.1), (x, y + cell.1)];
    Drawn(Primitive::Area { points, colour, opacity })
}

fn number((x, y): Point, cell: (f64, f64), count: u64, opacity: f64) -> Drawn {
    let ink = if opacity > 0.7 { WHITE } else { INK };
    let middle = (x + cell.0 / 2.0, y + cell.1 / 2.0 + LABEL * 0.36);
    text(middle, count.to_string(), LABEL, ink, Anchor::Middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_above_0_is_a_cell_with_its_number_and_correct_ones_are_blue() {
        let labels = vec!["cat".to_string(), "dog".to_string()];
        let counts = vec![vec![9, 1], vec![0, 7]];
        let matrix = Matrix {
            title: "pets".into(),
            x_label: "predicted class".into(),
            y_label: "true class".into(),
            labels,
            counts,
        };
        let scene = matrix.scene();
        let colours = scene.shapes.iter().filter_map(|shape| match shape {
            Primitive::Area { colour, .. } => Some(*colour),
            _ => None,
        });
        assert_eq!(colours.collect::<Vec<_>>(), [PALETTE[0], PALETTE[1], PALETTE[0]]);
        let svg = matrix.svg().unwrap();
        for word in ["pets", "predicted class", "true class", "cat", "dog", "9", "1", "7"] {
            assert!(svg.lines().any(|line| line == word), "{word}: {svg}");
        }
        assert!(matrix.png().unwrap().starts_with(b"\x89PNG"));
    }
}
