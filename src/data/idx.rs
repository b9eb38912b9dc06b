//! MNIST and Fashion-MNIST: IDX files of grey images of 28 x 28 pixels and of their labels, plain or compressed by gzip.
//!
//! The networks take images of 3 x 32 x 32: two rows and columns of black are added at each side, as LeNet-5 had them,
//! and red, green and blue are the same.

use super::cifar::folders;
use super::dataset::Dataset;
use super::images::{IMAGE_BYTES, Images, SIDE};
use crate::disk;
use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use std::ffi::OsStr;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Height and width of an image in the files.
const GREY_SIDE: usize = 28;
/// Rows and columns added at each side.
const BORDER: usize = (SIDE - GREY_SIDE) / 2;
const CLASSES: usize = 10;
/// The number of training images.
pub const TRAIN_IMAGES: usize = 60_000;
/// The number of test images.
pub const TEST_IMAGES: usize = 10_000;
/// The images and the labels of training and test.
const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// A dataset in these files.
#[derive(Debug)]
pub struct IdxDataset {
    pub name: &'static str,
    title: &'static str,
    /// Where torchvision and Keras put the files, below their own folders.
    folders: [&'static str; 2],
    classes: [&'static str; CLASSES],
    /// The labels of the first training images.
    first: [u8; 10],
}

/// The datasets whose files have the same names.
const ALIKE: [&IdxDataset; 2] = [&MNIST, &FASHION_MNIST];

/// LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
pub const MNIST: IdxDataset = IdxDataset {
    name: "mnist",
    title: "MNIST",
    folders: ["MNIST/raw", "mnist"],
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    first: [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
};

/// Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017.
pub const FASHION_MNIST: IdxDataset = IdxDataset {
    name: "fashion-mnist",
    title: "Fashion-MNIST",
    folders: ["FashionMNIST/raw", "fashion-mnist"],
    classes: ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
    first: [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
};

impl IdxDataset {
    /// The folder of the files: below `data_dir`, or `data_dir` itself, if given; otherwise below the folders that are
    /// searched for CIFAR-10. Files right in one of these could be of either dataset, since both have the same names.
    ///
    /// # Errors
    /// None of the folders holds any of the files.
    pub fn locate(&self, data_dir: Option<&Path>) -> Result<PathBuf> {
        let searched = folders(data_dir);
        let below = searched.iter().flat_map(|folder| self.folders.map(|name| folder.join(name)));
        let holds_files = |folder: &PathBuf| FILES.iter().any(|name| file_in(folder, name).is_some());
        match below.chain(data_dir.map(Path::to_path_buf)).find(holds_files) {
            Some(folder) => Ok(folder),
            None => {
                let looked: Vec<String> = searched.iter().map(|folder| folder.display().to_string()).collect();
                if let Some(given) = data_dir.filter(|given| !given.exists()) {
                    bail!(
                        "{}: no such folder; --data-dir (or LRSCHED_DATA) has to hold {}",
                        given.display(),
                        self.title
                    );
                }
                bail!(
                    "{} is not in {}; put {}.gz and the other three files there, below `{}`, or train without it: `--dataset synthetic`",
                    self.title,
                    looked.join(" or "),
                    FILES[0],
                    self.folders[0]
                )
            }
        }
    }

    /// The four files in `folder`.
    ///
    /// # Errors
    /// One is missing.
    pub fn files(&self, folder: &Path) -> Result<[PathBuf; 4]> {
        let found = FILES.map(|name| file_in(folder, name));
        if let Some(missing) = found.iter().position(Option::is_none) {
            let name = folder.join(FILES[missing]);
            bail!("neither {} nor {}.gz is there, other files of {} are", name.display(), name.display(), self.title)
        }
        Ok(found.map(Option::unwrap_or_default))
    }

    /// Reads the files in `folder`.
    ///
    /// # Errors
    /// A file is missing, unreadable or not what its name says, or the files are those of another dataset; the message names
    /// it.
    pub fn open(&self, folder: &Path) -> Result<Dataset> {
        let files = self.files(folder)?;
        let read = |count: usize, images: &Path, labels: &Path| -> Result<Images> {
            let mut read = Images { pixels: vec![0; count * IMAGE_BYTES], labels: vec![0; count] };
            read_labels(labels, content(labels)?, &mut read.labels)?;
            read_images(images, content(images)?, &mut read.pixels)?;
            Ok(read)
        };
        let [train_images, train_labels, test_images, test_labels] = &files;
        let (train, test) = rayon::join(
            || read(TRAIN_IMAGES, train_images, train_labels),
            || read(TEST_IMAGES, test_images, test_labels),
        );
        let train = train?;
        let begins = |other: &&IdxDataset| other.name != self.name && train.labels.starts_with(&other.first);
        if let Some(other) = ALIKE.into_iter().find(begins) {
            let (folder, other, name) = (folder.display(), other.title, other.name);
            bail!(
                "{folder} holds {other}, not {}; train on it with `--dataset {name}`, or name another folder",
                self.title
            )
        }
        Ok(Dataset::new(self.name, train, test?, self.classes.map(String::from).to_vec()))
    }
}

/// The plain file, which is faster, or the compressed one.
fn file_in(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

fn content(path: &Path) -> Result<Box<dyn Read>> {
    let file = BufReader::new(disk::open(path).with_context(|| format!("cannot read {}", path.display()))?);
    let is_compressed = path.extension() == Some(OsStr::new("gz"));
    Ok(if is_compressed { Box::new(BufReader::new(GzDecoder::new(file))) } else { Box::new(file) })
}

/// Reads as many grey images as `pixels`, (images, 3, 32, 32), has room for, and adds borders and channels.
///
/// # Errors
/// `from` is not an IDX file of that many images; the message names `path`.
pub fn read_images(path: &Path, mut from: impl Read, pixels: &mut [u8]) -> Result<()> {
    check_header(path, &mut from, &[pixels.len() / IMAGE_BYTES, GREY_SIDE, GREY_SIDE])?;
    let mut grey = [0; GREY_SIDE * GREY_SIDE];
    for image in pixels.chunks_exact_mut(IMAGE_BYTES) {
        fill(path, &mut from, &mut grey)?;
        image.fill(0);
        for plane in image.chunks_exact_mut(SIDE * SIDE) {
            let rows = plane.chunks_exact_mut(SIDE).skip(BORDER);
            for (row, grey) in rows.zip(grey.chunks_exact(GREY_SIDE)) {
                row[BORDER..BORDER + GREY_SIDE].copy_from_slice(grey);
            }
        }
    }
    check_end(path, from)
}

/// Reads as many labels as `labels` has room for.
///
/// # Errors
/// `from` is not an IDX file of that many labels from 0 to 9; the message names `path`.
pub fn read_labels(path: &Path, mut from: impl Read, labels: &mut [u8]) -> Result<()> {
    check_header(path, &mut from, &[labels.len()])?;
    fill(path, &mut from, labels)?;
    check_end(path, from)?;
    match labels.iter().position(|&label| usize::from(label) >= CLASSES) {
        None => Ok(()),
        Some(at) => bail!("{}: label {at}, counted from 0, is {}, expected 0 to 9", path.display(), labels[at]),
    }
}

/// The header: two zeros, 8 for unsigned bytes, the number of dimensions, and each in four bytes, the highest first.
fn check_header(path: &Path, mut from: impl Read, shape: &[usize]) -> Result<()> {
    let mut magic = [0; 4];
    fill(path, &mut from, &mut magic)?;
    let expected = [0, 0, 8, shape.len() as u8];
    ensure!(
        magic == expected,
        "{} begins with {magic:02x?}, an IDX file of its kind with {expected:02x?}",
        path.display()
    );
    for &expected in shape {
        let mut size = [0; 4];
        fill(path, &mut from, &mut size)?;
        let size = u32::from_be_bytes(size);
        ensure!(size as usize == expected, "{} has a dimension of {size}, expected {expected}", path.display());
    }
    Ok(())
}

fn fill(path: &Path, mut from: impl Read, bytes: &mut [u8]) -> Result<()> {
    from.read_exact(bytes).with_context(|| format!("{} ends early or is damaged", path.display()))
}

fn check_end(path: &Path, mut from: impl Read) -> Result<()> {
    let more = from.read(&mut [0]).with_context(|| format!("{} is damaged", path.display()))?;
    ensure!(more == 0, "{} is longer than its header says", path.display());
    Ok(())
}
