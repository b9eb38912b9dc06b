//! The input of an engine.

use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};

/// How the losses of a batch become the one that is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LossReduction {
    /// Their mean, PyTorch's default.
    #[default]
    Mean,
    /// Their sum: gradients grow with the batch, so rates are smaller and weight decay is larger by as much.
    Sum,
}

impl LossReduction {
    pub const ALL: [Self; 2] = [Self::Mean, Self::Sum];

    /// As in PyTorch.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Sum => "sum",
        }
    }

    /// Divides the sum of the losses of `images` images.
    pub const fn divisor(self, images: usize) -> usize {
        match self {
            Self::Mean => images,
            Self::Sum => 1,
        }
    }
}

impl std::str::FromStr for LossReduction {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match Self::ALL.into_iter().find(|reduction| reduction.name() == text) {
            Some(reduction) => Ok(reduction),
            None => {
                let hint = did_you_mean(text, Self::ALL.map(Self::name));
                usage!("loss-reduction must be mean or sum, got `{}`{hint}", shortened(text))
            }
        }
    }
}

impl std::fmt::Display for LossReduction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Normalised images and their labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// (images, height, width, channels)
    pub images: Vec<f32>,
    /// (images), each less than the number of classes.
    pub labels: Vec<u8>,
    /// Divides the sum of losses before differentiation: the number of images in the batch, or in the whole batch if
    /// this is a micro-batch of it; 1 for [`LossReduction::Sum`].
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

    /// A batch with the same labels and keys, to be filled.
    pub fn without_images(&self) -> Self {
        let &Self { divisor, seed, epoch, position, .. } = self;
        Self { images: Vec::new(), labels: self.labels.clone(), divisor, seed, epoch, position }
    }
}
