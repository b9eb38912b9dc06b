//! Evaluates a batch, under test-time augmentation too.

use crate::data::{Batch, Tta};
use crate::engine::{BatchStats, Engine};
use crate::model::Parameters;
use anyhow::Result;

/// Loss and accuracy of `batch` by the average of its views' logits, which replaces the contents of `logits`, if given:
/// (images, classes). Without test-time augmentation it is the engine's own evaluation, to the bit.
///
/// # Errors
/// Those of the engine.
pub fn evaluate_batch(
    engine: &mut dyn Engine,
    parameters: &Parameters,
    batch: &Batch,
    tta: Tta,
    logits: Option<&mut Vec<f32>>,
) -> Result<BatchStats> {
    if tta == Tta::None {
        return engine.eval_batch(parameters, batch, logits);
    }
    let mut seen = batch.without_images();
    let (mut average, mut of_view) = (Vec::new(), Vec::new());
    for view in tta.views() {
        view.show(&batch.images, &mut seen.images);
        engine.eval_batch(parameters, &seen, Some(&mut of_view))?;
        average.resize(of_view.len(), 0.0);
        average.iter_mut().zip(&of_view).for_each(|(sum, logit)| *sum += view.weight * logit);
    }
    let stats = BatchStats::of_logits(&average, &batch.labels);
    if let Some(logits) = logits {
        *logits = average;
    }
    Ok(stats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Objective;
    use crate::engine::cpu::CpuEngine;
    use crate::model::{Model, ModelOptions, initialise};
    use crate::random::{Purpose, keyed, normal};

    /// (images, 32, 32, 3), each image by `pixel` of its place, row, column and channel.
    fn drawn(images: &[f32], pixel: impl Fn(usize, usize) -> (usize, usize)) -> Vec<f32> {
        let mut out = Vec::with_capacity(images.len());
        for image in images.chunks_exact(32 * 32 * 3) {
            for y in 0..32 {
                for x in 0..32 {
                    let (y, x) = pixel(y, x);
                    out.extend_from_slice(&image[(y * 32 + x) * 3..][..3]);
                }
            }
        }
        out
    }

    #[test]
    fn half_of_the_logits_are_those_of_the_image_and_its_mirror_and_an_eighth_each_of_the_four_that_are_moved() {
        let architecture = "tiny".parse::<Model>().unwrap().architecture(&ModelOptions::default());
        let mut engine = CpuEngine::new(&architecture, Objective::default(), 1).unwrap();
        let parameters = initialise(&architecture, 0);
        let mut rng = keyed(0, Purpose::Synthetic, 0, 0);
        let images: Vec<f32> = (0..3 * 32 * 32 * 3).map(|_| normal(&mut rng)).collect();
        let of = |images: Vec<f32>| Batch { images, labels: vec![0, 1, 2], divisor: 3, ..Batch::default() };
        let mut logits = |images: Vec<f32>| {
            let mut logits = Vec::new();
            engine.eval_batch(&parameters, &of(images), Some(&mut logits)).unwrap();
            logits
        };
        // Rows and columns beyond the edge are those that mirror it: -1 is 1, 32 is 30.
        let down = |y: usize| y.abs_diff(1);
        let up = |y: usize| if y == 31 { 30 } else { y + 1 };
        let views = [
            (0.25, drawn(&images, |y, x| (y, x))),
            (0.25, drawn(&images, |y, x| (y, 31 - x))),
            (0.125, drawn(&images, |y, x| (down(y), down(x)))),
            (0.125, drawn(&images, |y, x| (down(y), down(31 - x)))),
            (0.125, drawn(&images, |y, x| (up(y), up(x)))),
            (0.125, drawn(&images, |y, x| (up(y), up(31 - x)))),
        ];
        let mut expected = vec![0.0; 30];
        for (weight, images) in views {
            expected.iter_mut().zip(logits(images)).for_each(|(sum, logit)| *sum += weight * logit);
        }
        let mut got = Vec::new();
        let stats =
            evaluate_batch(&mut engine, &parameters, &of(images), Tta::MirrorTranslate, Some(&mut got)).unwrap();
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-5, "{got}, expected {expected}");
        }
        assert_eq!((got.len(), stats.images), (30, 3));
        assert_eq!(stats, BatchStats::of_logits(&got, &[0, 1, 2]));
    }
}
