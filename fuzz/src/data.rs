//! The room of the images without the download, which brings a whole TLS library.

#[path = "../../src/data/augment.rs"]
mod augment;
#[path = "../../src/data/batch.rs"]
mod batch;
#[path = "../../src/data/cifar10.rs"]
pub mod cifar10;
#[path = "../../src/data/dataset.rs"]
mod dataset;
#[path = "../../src/data/images.rs"]
mod images;
#[path = "../../src/data/loader.rs"]
mod loader;
#[path = "../../src/data/normalisation.rs"]
mod normalisation;
#[path = "../../src/data/split.rs"]
mod split;
#[path = "../../src/data/synthetic.rs"]
mod synthetic;
#[path = "../../src/data/unpack.rs"]
mod unpack;

pub use augment::Augment;
pub use dataset::{Dataset, DatasetKind};
pub use images::{IMAGE_BYTES, Images, Subset};
pub use loader::BatchSize;
pub use normalisation::Normalisation;
pub use split::Validation;
pub use unpack::unpack_files;
