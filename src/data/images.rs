//! Images as bytes, and subsets of them.

use std::sync::Arc;

/// Height and width of an image.
pub const SIDE: usize = 32;
/// Red, green, blue.
pub const CHANNELS: usize = 3;
/// Bytes of one image: 3 planes of 32 x 32.
pub const IMAGE_BYTES: usize = CHANNELS * SIDE * SIDE;

/// The row or column that stands for one beyond the edge when an image is padded by reflection: −1 is 1, 32 is 30.
/// `place` is less than 32 pixels beyond.
pub(super) const fn reflected(place: isize) -> usize {
    let last = SIDE.cast_signed() - 1;
    let place = place.abs();
    (if place > last { 2 * last - place } else { place }).unsigned_abs()
}

/// Labelled images, in the layout of CIFAR-10's files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Images {
    /// (images, 3, 32, 32), one plane per channel.
    pub pixels: Vec<u8>,
    /// (images), each less than the number of classes.
    pub labels: Vec<u8>,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// One image, (3, 32, 32).
    pub fn image(&self, index: usize) -> &[u8; IMAGE_BYTES] {
        let pixels = &self.pixels[index * IMAGE_BYTES..(index + 1) * IMAGE_BYTES];
        pixels.try_into().expect("the slice is one image long")
    }

    /// The number of images of each of `classes` classes.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        self.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        counts
    }
}

/// A subset of images, for training, validation or testing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    pub images: Arc<Images>,
    /// Indices into `images`, ascending.
    pub indices: Vec<u32>,
}

impl Subset {
    /// All of `images`.
    pub fn all(images: Arc<Images>) -> Self {
        let indices = (0..images.len() as u32).collect();
        Self { images, indices }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The first `count` images, or all if there are fewer.
    pub fn first(&self, count: usize) -> Self {
        Self { images: Arc::clone(&self.images), indices: self.indices[..count.min(self.len())].to_vec() }
    }
}
