//! A confusion matrix as a picture: correct counts in blue, others in orange, the opacity growing with the share of the row.

use super::font::{self, Weight};
use super::layout::{Drawn, INK, LABEL, MARGIN, PALETTE, SOFT_INK, TICK, TITLE, line, text};
use super::paint;
use super::scene::{Anchor, Primitive, Rgb, Scene, WHITE};

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
        let (left, top) = (MARGIN + LABEL + 8.0 + LABELS, MARGIN + TITLE + 12.0 + LABEL + 10.0 + TICK + 8.0);
        let (right, bottom) = (left + size * CELL.0, top + size * CELL.1);
        let mut shapes = Vec::new();
        let title = font::fit(&self.title, right - MARGIN, TITLE, Weight::Medium);
        shapes.push(text((MARGIN, MARGIN + TITLE * 0.8), title, TITLE, INK, Anchor::Start).medium());
        let middle = ((left + right) / 2.0, top - TICK - 18.0);
        shapes.push(text(middle, self.x_label.clone(), LABEL, INK, Anchor::Middle));
        let middle = (MARGIN + LABEL * 0.8, (top + bottom) / 2.0);
        shapes.push(text(middle, self.y_label.clone(), LABEL, INK, Anchor::Middle).vertical());

        for (row, (label, counts)) in self.labels.iter().zip(&self.counts).enumerate() {
            let base = top + (row as f64 + 0.5) * CELL.1 + TICK * 0.36;
            let name = font::fit(label, LABELS - 8.0, LABEL, Weight::Regular);
            shapes.push(text((left - 8.0, base), name, LABEL, INK, Anchor::End));
            let name = font::fit(label, CELL.0 - 4.0, TICK, Weight::Regular);
            let across = left + (row as f64 + 0.5) * CELL.0;
            shapes.push(text((across, top - 8.0), name, TICK, SOFT_INK, Anchor::Middle));
            let total = counts.iter().sum::<u64>().max(1) as f64;
            for (column, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let corner = (left + column as f64 * CELL.0, top + row as f64 * CELL.1);
                draw_cell(&mut shapes, corner, count, count as f64 / total, row == column);
            }
        }
        for at in 0..=self.labels.len() {
            let (x, y) = (left + at as f64 * CELL.0, top + at as f64 * CELL.1);
            shapes.push(line(vec![(x, top), (x, bottom)], GRID, 1.0));
            shapes.push(line(vec![(left, y), (right, y)], GRID, 1.0));
        }
        let shapes = shapes.into_iter().map(|drawn| drawn.0).collect();
        Scene { width: right + MARGIN, height: bottom + MARGIN, shapes }
    }
}

fn draw_cell(shapes: &mut Vec<Drawn>, (x, y): (f64, f64), count: u64, share: f64, right: bool) {
    let colour = PALETTE[usize::from(!right)];
    // The square root keeps a share of 1 % visible.
    let opacity = share.sqrt();
    let points = vec![(x, y), (x + CELL.0, y), (x + CELL.0, y + CELL.1), (x, y + CELL.1)];
    shapes.push(Drawn(Primitive::Area { points, colour, opacity }));
    let ink = if opacity > 0.7 { WHITE } else { INK };
    let middle = (x + CELL.0 / 2.0, y + CELL.1 / 2.0 + LABEL * 0.36);
    shapes.push(text(middle, count.to_string(), LABEL, ink, Anchor::Middle));
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
