//! Datasets, and the path of images to the engine.
//!
//! ```text
//! Dataset::open -> split(validation, train limit) -> Subset -> Loader -> epoch(e, first step) -> Batch
//! ```
//!
//! Images stay in memory as bytes. Shuffling, augmentation, normalisation and the layout change happen on a background
//! thread, a few batches ahead of the training step.

#![forbid(unsafe_code)]

mod augment;
mod batch;
mod batch_size;
pub mod cifar;
mod dataset;
pub mod fetch;
pub mod idx;
mod images;
mod loader;
mod normalisation;
mod pickle;
mod split;
mod synthetic;
mod tta;
mod unpack;

pub use augment::{Augment, augmentations};
pub use batch::{Batch, LossReduction};
pub use batch_size::BatchSize;
pub use dataset::{Dataset, DatasetKind, DatasetOptions};
pub use images::{CHANNELS, IMAGE_BYTES, Images, SIDE, Subset};
pub use loader::{Epoch, Loader, LoaderOptions, Micro};
pub use normalisation::Normalisation;
pub use split::{Split, Validation};
pub use tta::{Tta, View};
pub use unpack::{unpack, unpack_files};
