//! What a pass over a batch says of it.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// Sums over a batch, so that an epoch's mean weighs every image alike.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BatchStats {
    /// Σ cross-entropy over the images, in nats.
    pub loss_sum: f64,
    /// Images whose largest logit is that of their label (the first of equal ones counts).
    pub correct: usize,
    pub images: usize,
}

impl BatchStats {
    /// Mean cross-entropy, in nats; NaN over no images.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images as f64
    }

    /// The share of images that were classified right; NaN over no images.
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
