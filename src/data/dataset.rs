//! Datasets: which exist, and their images in memory.

use super::augment::Augment;
use super::cifar::{self, CIFAR10, CIFAR100};
use super::idx::{self, FASHION_MNIST, MNIST};
use super::images::{IMAGE_BYTES, Images};
use super::split::Validation;
use super::synthetic;
use crate::usage::{Usage, named};
use anyhow::Result;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// A dataset by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DatasetKind {
    /// CIFAR-10 (Krizhevsky 2009), read from its official files, binary or pickled: 50,000 training and 10,000 test images.
    #[default]
    Cifar10,
    /// CIFAR-100 (Krizhevsky 2009), read from its official files, binary or pickled: 50,000 training and 10,000 test images.
    Cifar100,
    /// MNIST (LeCun et al. 1998), handwritten digits, padded to 32x32: 60,000 training and 10,000 test images.
    Mnist,
    /// Fashion-MNIST (Xiao et al. 2017), clothes, padded to 32x32: 60,000 training and 10,000 test images.
    FashionMnist,
    /// Ten classes of shapes and textures that this program draws: 6,000 training and 2,000 test images.
    Synthetic,
}

impl DatasetKind {
    pub const ALL: [DatasetKind; 5] = [
        DatasetKind::Cifar10,
        DatasetKind::Cifar100,
        DatasetKind::Mnist,
        DatasetKind::FashionMnist,
        DatasetKind::Synthetic,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            DatasetKind::Cifar10 => CIFAR10.name,
            DatasetKind::Cifar100 => CIFAR100.name,
            DatasetKind::Mnist => MNIST.name,
            DatasetKind::FashionMnist => FASHION_MNIST.name,
            DatasetKind::Synthetic => "synthetic",
        }
    }

    /// The default of `--validation`: hold out 1,000 images of the synthetic set, 5,000 of the others.
    pub const fn default_validation(self) -> Validation {
        match self {
            DatasetKind::Synthetic => Validation::Holdout(1000),
            _ => Validation::Holdout(5000),
        }
    }

    /// The number of classes, and of outputs that a network for them has.
    pub const fn classes(self) -> usize {
        match self {
            DatasetKind::Cifar100 => 100,
            _ => 10,
        }
    }

    /// The accuracy of guessing.
    pub const fn chance(self) -> f64 {
        1.0 / self.classes() as f64
    }

    /// The default of `--augment`: without it, networks overfit CIFAR-10 within ten epochs. Runs on the synthetic images are
    /// shorter than that, a mirrored digit is none, and Fashion-MNIST is centred and upright.
    pub const fn default_augment(self) -> Augment {
        match self {
            DatasetKind::Cifar10 | DatasetKind::Cifar100 => Augment::FLIP_CROP,
            DatasetKind::Mnist | DatasetKind::FashionMnist | DatasetKind::Synthetic => Augment::NONE,
        }
    }

    /// The number of training images, those held out among them.
    pub const fn train_images(self) -> usize {
        match self {
            DatasetKind::Cifar10 => CIFAR10.train_images(),
            DatasetKind::Cifar100 => CIFAR100.train_images(),
            DatasetKind::Mnist | DatasetKind::FashionMnist => idx::TRAIN_IMAGES,
            DatasetKind::Synthetic => synthetic::TRAIN_IMAGES,
        }
    }

    /// The number of test images.
    pub const fn test_images(self) -> usize {
        match self {
            DatasetKind::Cifar10 => CIFAR10.test_images(),
            DatasetKind::Cifar100 => CIFAR100.test_images(),
            DatasetKind::Mnist | DatasetKind::FashionMnist => idx::TEST_IMAGES,
            DatasetKind::Synthetic => synthetic::TEST_IMAGES,
        }
    }
}

impl std::str::FromStr for DatasetKind {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        named("dataset", text, Self::ALL, Self::name)
    }
}

impl std::fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which dataset to open, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetOptions {
    pub kind: DatasetKind,
    /// The only folder to search for the files, or an archive of CIFAR-10 or -100; `None` searches [`cifar::folders`].
    pub data_dir: Option<PathBuf>,
}

/// Training and test images in memory.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub name: String,
    pub train: Arc<Images>,
    pub test: Arc<Images>,
    /// The name of each label.
    pub classes: Vec<String>,
    digest: OnceLock<String>,
}

impl Dataset {
    pub fn new(name: &str, train: Images, test: Images, classes: Vec<String>) -> Self {
        Self { name: name.to_string(), train: Arc::new(train), test: Arc::new(test), classes, digest: OnceLock::new() }
    }

    /// Reads or draws the images.
    ///
    /// # Errors
    /// The files are not found, or one is invalid.
    pub fn open(options: &DatasetOptions) -> Result<Self> {
        match options.kind {
            DatasetKind::Cifar10 => cifar::open(&CIFAR10.locate(options.data_dir.as_deref())?),
            DatasetKind::Cifar100 => cifar::open(&CIFAR100.locate(options.data_dir.as_deref())?),
            DatasetKind::Mnist => MNIST.open(&MNIST.locate(options.data_dir.as_deref())?),
            DatasetKind::FashionMnist => FASHION_MNIST.open(&FASHION_MNIST.locate(options.data_dir.as_deref())?),
            DatasetKind::Synthetic => Ok(synthetic::dataset()),
        }
    }

    /// SHA-256 of the content, in hex: the hash of the lines that `sha256sum data_batch_*.bin test_batch.bin` prints
    /// for the images in CIFAR-10's layout, 10,000 per file. Computed on first use.
    pub fn digest(&self) -> &str {
        self.digest.get_or_init(|| {
            let lines = self.file_digests().into_iter().map(|(name, sha256)| format!("{sha256}  {name}\n"));
            hex(&Sha256::digest(lines.collect::<String>()))
        })
    }

    /// Name and SHA-256 of each file of the images in CIFAR-10's layout (other datasets have no such files, but a
    /// digest).
    pub fn file_digests(&self) -> Vec<(String, String)> {
        let starts = |images: &Images| (0..images.len()).step_by(RECORDS);
        let train =
            starts(&self.train).map(|start| (&self.train, start, format!("data_batch_{}.bin", start / RECORDS + 1)));
        let test = starts(&self.test).map(|start| (&self.test, start, "test_batch.bin".to_string()));
        let files: Vec<_> = train.chain(test).collect();
        files.into_par_iter().map(|(images, start, name)| (name, records_sha256(images, start))).collect()
    }
}

/// Images per file of CIFAR-10.
const RECORDS: usize = 10_000;

/// SHA-256 of a file of up to 10,000 records starting with image `start`.
fn records_sha256(images: &Images, start: usize) -> String {
    let mut hash = Sha256::new();
    let mut record = [0_u8; 1 + IMAGE_BYTES];
    for index in start..(start + RECORDS).min(images.len()) {
        record[0] = images.labels[index];
        record[1..].copy_from_slice(images.image(index));
        hash.update(record);
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_a_mistyped_one_suggests_the_nearest() {
        for kind in DatasetKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "cifar".parse::<DatasetKind>().unwrap_err().to_string();
        assert!(error.contains("did you mean `cifar10`?"), "{error}");
    }

    #[test]
    fn a_dataset_has_as_many_classes_as_names_of_them() {
        for (kind, classes) in [(DatasetKind::Cifar10, CIFAR10.classes), (DatasetKind::Cifar100, CIFAR100.classes)] {
            assert_eq!(kind.classes(), classes.len());
        }
        assert_eq!(
            Dataset::open(&DatasetOptions { kind: DatasetKind::Synthetic, data_dir: None }).unwrap().classes.len(),
            10
        );
        assert_eq!((DatasetKind::Cifar10.chance(), DatasetKind::Cifar100.chance()), (0.1, 0.01));
    }

    #[test]
    fn one_changed_label_or_pixel_changes_the_digest() {
        let images = |label: u8, pixel: u8| Images { pixels: vec![pixel; 2 * IMAGE_BYTES], labels: vec![0, label] };
        let digest = |train, test| Dataset::new("toy", train, test, Vec::new()).digest().to_string();
        let first = digest(images(1, 5), images(1, 5));
        assert_eq!(first, digest(images(1, 5), images(1, 5)));
        assert_ne!(first, digest(images(2, 5), images(1, 5)));
        assert_ne!(first, digest(images(1, 5), images(1, 6)));
    }
}
