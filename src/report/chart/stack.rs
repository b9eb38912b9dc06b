//! Several drawings as one picture, one below the other.

use super::dots::{DotLook, draw_dot};
use super::font::{self, Weight};
use super::layout::{self, Drawn, INK, LABEL, MARGIN, text};
use super::scene::{Anchor, Point, Primitive, Scene};
use super::{Figure, Ranking, paint, pdf};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stack(Vec<Scene>);

impl Stack {
    pub fn ranking(&mut self, ranking: &Ranking) {
        self.0.push(ranking.scene());
    }

    pub fn figure(&mut self, figure: &Figure) {
        self.0.push(layout::scene(figure));
    }

    /// What the dots of the figure above mean.
    pub fn legend(&mut self, looks: &[(DotLook, &str)]) {
        let mut shapes: Vec<Drawn> = Vec::new();
        let (mut left, middle) = (MARGIN + 6.0, 8.0);
        for (look, words) in looks {
            draw_dot(&mut shapes, (left, middle), *look);
            shapes.push(text((left + 11.0, middle + LABEL * 0.36), (*words).into(), LABEL, INK, Anchor::Start));
            left += 11.0 + font::width(words, LABEL, Weight::Regular) + 24.0;
        }
        self.0.push(Scene { width: left, height: 22.0, shapes: shapes.into_iter().map(|drawn| drawn.0).collect() });
    }

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

    /// The bytes of a PDF.
    ///
    /// # Errors
    /// It cannot be compressed.
    pub fn pdf(&self) -> anyhow::Result<Vec<u8>> {
        pdf::pdf(&self.scene())
    }

    fn scene(&self) -> Scene {
        let mut whole = Scene { width: 160.0, height: 0.0, shapes: Vec::new() };
        for scene in &self.0 {
            whole.shapes.extend(scene.shapes.iter().map(|shape| lowered(shape.clone(), whole.height)));
            whole.width = whole.width.max(scene.width);
            whole.height += scene.height;
        }
        whole.height = whole.height.max(40.0);
        whole
    }
}

fn lowered(shape: Primitive, by: f64) -> Primitive {
    let down = |points: Vec<Point>| points.into_iter().map(|(x, y)| (x, y + by)).collect();
    match shape {
        Primitive::Line { points, colour, width, dash } => {
            Primitive::Line { points: down(points), colour, width, dash }
        }
        Primitive::Area { points, colour, opacity } => Primitive::Area { points: down(points), colour, opacity },
        Primitive::Text { at: (x, y), text, size, weight, colour, anchor, vertical } => {
            Primitive::Text { at: (x, y + by), text, size, weight, colour, anchor, vertical }
        }
    }
}
