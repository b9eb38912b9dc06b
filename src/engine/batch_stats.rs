//! Loss and accuracy sums of one pass over a batch.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// Sums over a batch, so that an epoch's mean weights every image equally.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BatchStats {
    /// Σ cross-entropy over the images, in nats.
    pub loss_sum: f64,
    /// Correctly classified images. On ties the first largest logit is the prediction.
    pub correct: usize,
    pub images: usize,
}

impl BatchStats {
    /// Mean cross-entropy in nats; NaN if there are no images.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images as f64
    }

    /// Fraction of images classified correctly; NaN if there are none.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

impl std::ops::AddAssign for BatchStats {
    fn add_assign(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.correct += other.correct;
        self.images += other.images;
    }
}
