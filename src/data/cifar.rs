//! CIFAR-10 and CIFAR-100: files of images, binary (records of label bytes and 3 x 32 x 32 pixel bytes) or pickled by Python.
//!
//! <https://www.cs.toronto.edu/~kriz/cifar.html>, Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

mod known;
mod place;
mod python;

pub use known::{CIFAR10, CIFAR100};
pub use place::{Layout, Place, cache_folder, folders};
pub use python::read_batch;

use super::dataset::Dataset;
use super::images::{IMAGE_BYTES, Images};
use super::unpack::{visit_files, wrong_size};
use crate::disk;
use anyhow::{Context, Result, anyhow, bail};
use rayon::prelude::*;
use std::io::{BufReader, Read};
use std::ops::RangeInclusive;
use std::path::Path;

/// A dataset in these formats.
#[derive(Debug, PartialEq, Eq)]
pub struct Cifar {
    pub name: &'static str,
    title: &'static str,
    /// The binary files, those of the training images first, the test file last.
    files: &'static [CifarFile],
    /// Bytes before the pixels of a binary record. The last one is the class; one before it, a coarser class, is skipped.
    label_bytes: usize,
    /// The key of the classes in a pickle.
    labels_key: &'static str,
    pub classes: &'static [&'static str],
    /// Where the files of each layout may be.
    binary: place::Names,
    python: place::Names,
    /// How to get the files, and how to get them again.
    source: &'static str,
    remedy: &'static str,
}

/// A file of the binary layout; the pickled one has the same name without its ending.
#[derive(Debug, PartialEq, Eq)]
struct CifarFile {
    name: &'static str,
    images: usize,
}

impl Cifar {
    /// The names of the files in a layout, training first.
    pub fn files(&self, layout: Layout) -> impl Iterator<Item = &'static str> {
        self.files.iter().map(move |file| match layout {
            Layout::Binary => file.name,
            Layout::Python => file.name.trim_end_matches(".bin"),
        })
    }

    /// Bytes of the binary file at `place` in [`Self::files`].
    pub const fn file_bytes(&self, place: usize) -> u64 {
        (self.files[place].images * self.record()) as u64
    }

    /// Bytes of a binary record.
    const fn record(&self) -> usize {
        self.label_bytes + IMAGE_BYTES
    }

    /// The number of training images.
    pub const fn train_images(&self) -> usize {
        let (mut images, mut file) = (0, 0);
        while file + 1 < self.files.len() {
            images += self.files[file].images;
            file += 1;
        }
        images
    }

    /// The number of test images.
    pub const fn test_images(&self) -> usize {
        self.files[self.files.len() - 1].images
    }

    /// The label of an image, if it is a class.
    fn label(&self, record: usize, label: i64) -> Result<u8> {
        match u8::try_from(label) {
            Ok(class) if usize::from(class) < self.classes.len() => Ok(class),
            _ => {
                let last = self.classes.len() - 1;
                bail!("record {record}, counted from 0, has label {label}, expected 0 to {last}")
            }
        }
    }
}

/// Reads all files, checking their sizes and labels; those of a folder in parallel.
///
/// # Errors
/// A file is missing, unreadable, not what [`Layout`] says, or has a label that is no class; the message names it.
pub fn open(place: &Place) -> Result<Dataset> {
    let dataset = place.dataset;
    let blank = |count: usize| Images { pixels: vec![0; count * IMAGE_BYTES], labels: vec![0; count] };
    if !place.packed {
        check_files(place)?;
    }
    let (mut train, mut test) = (blank(dataset.train_images()), blank(dataset.test_images()));
    let mut batches = Batch::all(dataset, [&mut train, &mut test]);
    if place.packed {
        read_archive(place, &mut batches)?;
    } else {
        let files = place.files();
        let read = batches.par_iter_mut().zip(&files).try_for_each(|(batch, path)| {
            let file = disk::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            // A file may have grown since its size was checked.
            batch.read(path, file.take(*batch.sizes(place.layout).end()), place.layout)
        });
        read.map_err(|error| anyhow!("{error:#}; {}", dataset.remedy))?;
    }
    let classes = dataset.classes.iter().copied().map(String::from).collect();
    Ok(Dataset::new(dataset.name, train, test, classes))
}

/// All files are there with the right size: cheap to check, so done before 180 MB are read.
fn check_files(place: &Place) -> Result<()> {
    let Cifar { title, files, remedy, .. } = place.dataset;
    let missing: Vec<&str> =
        place.dataset.files(place.layout).filter(|name| !is_there(&place.path.join(name))).collect();
    match missing[..] {
        [] => {}
        [name] => {
            let path = place.path.join(name);
            let others = if files.len() == 2 { "the other file is" } else { "the other files are" };
            bail!("{} is missing, {others} there; {remedy}", path.display())
        }
        _ => bail!(
            "{} holds {} of the {} files of {title}: {} are missing; {remedy}",
            place.path.display(),
            files.len() - missing.len(),
            files.len(),
            missing.join(", ")
        ),
    }
    place.files().iter().enumerate().try_for_each(|(at, path)| check_size(place, at, path))
}

/// Reads the files of an archive, in whichever order it has them.
fn read_archive(place: &Place, batches: &mut [Batch]) -> Result<()> {
    let name = place.path.display();
    let archive = disk::open(&place.path).with_context(|| format!("cannot read {name}"))?;
    let sizes = |at| place.dataset.sizes(place.layout, at);
    let read = visit_files(BufReader::new(archive), place.dataset, place.layout, sizes, |at, path, file| {
        batches[at].read(path, file, place.layout)
    });
    read.map_err(|error| anyhow!("{name}: {error:#}; {}", place.dataset.remedy))
}

/// The part of the images that one file holds.
struct Batch<'a> {
    dataset: &'static Cifar,
    /// Its place among the files.
    place: usize,
    pixels: &'a mut [u8],
    labels: &'a mut [u8],
}

impl<'a> Batch<'a> {
    /// Of all files; `images` are those of training and test.
    fn all(dataset: &'static Cifar, images: [&'a mut Images; 2]) -> Vec<Self> {
        let last = dataset.files.len() - 1;
        let [mut train, mut test] = images.map(|images| (&mut images.pixels[..], &mut images.labels[..]));
        let mut batches = Vec::new();
        for (place, file) in dataset.files.iter().enumerate() {
            let rest = if place == last { &mut test } else { &mut train };
            let (pixels, labels) = std::mem::take(rest);
            let (pixels, more_pixels) = pixels.split_at_mut(file.images * IMAGE_BYTES);
            let (labels, more_labels) = labels.split_at_mut(file.images);
            *rest = (more_pixels, more_labels);
            batches.push(Self { dataset, place, pixels, labels });
        }
        batches
    }

    fn sizes(&self, layout: Layout) -> RangeInclusive<u64> {
        self.dataset.sizes(layout, self.place)
    }

    /// Reads the file, whose size has been checked.
    fn read(&mut self, path: &Path, mut file: impl Read, layout: Layout) -> Result<()> {
        match layout {
            Layout::Binary => read_records(path, file, self.dataset, self.pixels, self.labels),
            Layout::Python => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
                read_batch(path, &bytes, self.dataset, self.pixels, self.labels)
            }
        }
    }
}

/// A path whose metadata cannot be read may still exist.
fn is_there(path: &Path) -> bool {
    !std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn check_size(place: &Place, at: usize, path: &Path) -> Result<()> {
    let name = path.display();
    let bytes = disk::open(path).and_then(|file| file.metadata()).with_context(|| format!("cannot read {name}"))?.len();
    match wrong_size(bytes, &place.dataset.sizes(place.layout, at)) {
        None => Ok(()),
        Some(wrong) => bail!("{name} {wrong}; {}", place.dataset.remedy),
    }
}

/// Reads one record per element of `labels`; `pixels` is (labels, 3, 32, 32).
///
/// # Errors
/// `from` ends early, or a label is no class; the message names `path`.
pub fn read_records(
    path: &Path,
    mut from: impl Read,
    dataset: &Cifar,
    pixels: &mut [u8],
    labels: &mut [u8],
) -> Result<()> {
    const AT_ONCE: usize = 100; // records: a buffer that stays in the cache
    let (size, label_bytes) = (dataset.record(), dataset.label_bytes);
    let mut buffer = vec![0; AT_ONCE * size];
    let places = pixels.chunks_mut(AT_ONCE * IMAGE_BYTES).zip(labels.chunks_mut(AT_ONCE));
    for (pixels, labels) in places {
        let buffer = &mut buffer[..labels.len() * size];
        from.read_exact(buffer).with_context(|| format!("cannot read {}", path.display()))?;
        let records = buffer.chunks_exact(size);
        for ((record, pixels), label) in records.zip(pixels.chunks_exact_mut(IMAGE_BYTES)).zip(labels) {
            *label = record[label_bytes - 1];
            pixels.copy_from_slice(&record[label_bytes..]);
        }
    }
    let mut found = labels.iter().enumerate();
    let checked = found.try_for_each(|(record, &found)| dataset.label(record, found.into()).map(drop));
    checked.map_err(|error| anyhow!("{}: {error}", path.display()))
}
