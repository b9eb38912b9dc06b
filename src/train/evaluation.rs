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
