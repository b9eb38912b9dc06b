//! Softmax and cross-entropy with label smoothing.

use crate::engine::BatchStats;

/// Parameters of [`cross_entropy`], and where its gradient goes.
pub struct CrossEntropy<'a> {
    pub classes: usize,
    /// Values from one row to the next, at least `classes`.
    pub stride: usize,
    /// ε of label smoothing.
    pub label_smoothing: f32,
    /// ∂(Σ loss / `divisor`)/∂logits, (images, stride), to be overwritten.
    pub d_logits: Option<&'a mut [f32]>,
}

impl BatchStats {
    /// Of logits, (images, classes), without label smoothing.
    ///
    /// # Panics
    /// There are no labels.
    pub fn of_logits(logits: &[f32], labels: &[u8]) -> Self {
        let classes = logits.len() / labels.len();
        let objective = CrossEntropy { classes, stride: classes, label_smoothing: 0.0, d_logits: None };
        cross_entropy(logits, labels.len(), labels, objective)
    }
}

/// Loss = log Σ exp(z) − Σ t·z with the target t = (1 − ε)·one-hot + ε / classes; its gradient is softmax(z) − t.
///
/// `logits` is (images, stride). A row costs only a few exponentials, so f64 costs nothing noticeable.
pub fn cross_entropy(logits: &[f32], divisor: usize, labels: &[u8], objective: CrossEntropy<'_>) -> BatchStats {
    let CrossEntropy { classes, stride, label_smoothing, mut d_logits } = objective;
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
