//! Softmax and cross-entropy with label smoothing.

use super::simd::padded;
use crate::engine::BatchStats;

/// Parameters of [`cross_entropy`], and where its gradient goes.
pub struct CrossEntropy<'a> {
    pub classes: usize,
    /// ε of label smoothing.
    pub label_smoothing: f32,
    /// ∂(Σ loss / `divisor`)/∂logits, (images, classes padded), to be overwritten.
    pub d_logits: Option<&'a mut [f32]>,
}

/// Loss = log Σ exp(z) − Σ t·z with the target t = (1 − ε)·one-hot + ε / classes; its gradient is softmax(z) − t.
///
/// `logits` is (images, classes padded). A row costs only a few exponentials, so f64 costs nothing noticeable.
pub fn cross_entropy(logits: &[f32], divisor: usize, labels: &[u8], objective: CrossEntropy<'_>) -> BatchStats {
    let CrossEntropy { classes, label_smoothing, mut d_logits } = objective;
    let stride = padded(classes);
    let uniform = f64::from(label_smoothing) / classes as f64;
    let target =
        |class: usize, label: usize| uniform + if class == label { 1.0 - f64::from(label_smoothing) } else { 0.0 };
    let mut stats = BatchStats { images: labels.len(), ..BatchStats::default() };
    for (image, (row, &label)) in logits.chunks_exact(stride).zip(labels).enumerate() {
        let (row, label) = (&row[..classes], usize::from(label));
        let best = (0..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best });
        stats.correct += usize::from(best == label);
        let largest = f64::from(row[best]);
        let exponentials = row.iter().map(|&z| (f64::from(z) - largest).exp());
        let sum: f64 = exponentials.clone().sum();
        let expected: f64 = row.iter().enumerate().map(|(class, &z)| target(class, label) * f64::from(z)).sum();
        stats.loss_sum += largest + sum.ln() - expected;
        if let Some(d_logits) = &mut d_logits {
            let row = &mut d_logits[image * stride..(image + 1) * stride];
            row[classes..].fill(0.0);
            for (class, (gradient, exponential)) in row.iter_mut().zip(exponentials).enumerate() {
                *gradient = ((exponential / sum - target(class, label)) / divisor as f64) as f32;
            }
        }
    }
    stats
}
