//! What an engine is fed.

/// Images, normalised, and their labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// (images, height, width, channels), channels innermost.
    pub images: Vec<f32>,
    /// (images), each below the number of classes.
    pub labels: Vec<u8>,
    /// What the sum of losses is divided by before it is differentiated: the images of the batch, or of the whole batch of which this
    /// is a micro-batch.
    pub divisor: usize,
    /// The run's seed, the epoch, and the place in the epoch of the first image (the others follow): what dropout is keyed by.
    pub seed: u64,
    pub epoch: u64,
    pub position: u64,
}

impl Batch {
    /// How many images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
