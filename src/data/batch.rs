//! The input of an engine.

/// Normalised images and their labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// (images, height, width, channels)
    pub images: Vec<f32>,
    /// (images), each less than the number of classes.
    pub labels: Vec<u8>,
    /// Divides the sum of losses before differentiation: the number of images in the batch, or in the whole batch if
    /// this is a micro-batch of it.
    pub divisor: usize,
    /// Keys of the dropout masks: the run's seed, the epoch, and the first image's position in the epoch (the others
    /// follow it).
    pub seed: u64,
    pub epoch: u64,
    pub position: u64,
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
