//! CIFAR-10: six files of 10,000 images, binary (records of a label byte and 3 x 32 x 32 pixel bytes) or pickled by Python.
//!
//! <https://www.cs.toronto.edu/~kriz/cifar.html>, Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

mod place;
mod python;

pub use place::{Layout, Place, cache_folder, folders, locate};
pub use python::read_batch;

use super::dataset::Dataset;
use super::images::{IMAGE_BYTES, Images};
use super::unpack::{visit_files, wrong_size};
use crate::disk;
use anyhow::{Context, Result, anyhow, bail};
use rayon::prelude::*;
use std::io::{BufReader, Read};
use std::path::Path;

/// The training files, in order.
pub const TRAIN_FILES: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
/// The test file.
pub const TEST_FILE: &str = "test_batch.bin";
/// The folder inside the official archive of binary files.
pub const FOLDER: &str = "cifar-10-batches-bin";
/// The names of labels 0 to 9, as in `batches.meta.txt`.
pub const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Records per file.
pub const RECORDS: usize = 10_000;
/// Bytes per record: the label, then the pixels.
const RECORD: usize = 1 + IMAGE_BYTES;
/// Bytes per file: 30,730,000.
pub const FILE_BYTES: u64 = (RECORDS * RECORD) as u64;

const REMEDY: &str = "fetch it again with `lrsched data fetch`";

/// The names of the binary files, training first.
pub fn files() -> impl Iterator<Item = &'static str> {
    TRAIN_FILES.into_iter().chain([TEST_FILE])
}

/// Reads all files, checking their sizes and labels; those of a folder in parallel.
///
/// # Errors
/// A file is missing, unreadable, not what [`Layout`] says, or has a label above 9; the message names it.
pub fn open(place: &Place) -> Result<Dataset> {
    let blank = |files: usize| {
        let count = files * RECORDS;
        Images { pixels: vec![0; count * IMAGE_BYTES], labels: vec![0; count] }
    };
    if !place.packed {
        check_files(place)?;
    }
    let (mut train, mut test) = (blank(TRAIN_FILES.len()), blank(1));
    let mut batches: Vec<Batch> = Batch::all(&mut train).chain(Batch::all(&mut test)).collect();
    if place.packed {
        read_archive(place, &mut batches)?;
    } else {
        let files = place.files();
        let read = batches.par_iter_mut().zip(&files).try_for_each(|(batch, path)| {
            let file = disk::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            // A file may have grown since its size was checked.
            batch.read(path, file.take(*place.layout.sizes().end()), place.layout)
        });
        read.map_err(|error| anyhow!("{error:#}; {REMEDY}"))?;
    }
    Ok(Dataset::new("cifar10", train, test, CLASSES.map(String::from).to_vec()))
}

/// All files are there with the right size: cheap to check, so done before 180 MB are read.
fn check_files(place: &Place) -> Result<()> {
    let missing: Vec<&str> = place.layout.files().filter(|name| !is_there(&place.path.join(name))).collect();
    match missing[..] {
        [] => {}
        [name] => bail!("{} is missing, the other files are there; {REMEDY}", place.path.join(name).display()),
        _ => bail!(
            "{} holds {} of the {} files of CIFAR-10: {} are missing; fetch them with `lrsched data fetch`",
            place.path.display(),
            files().count() - missing.len(),
            files().count(),
            missing.join(", ")
        ),
    }
    place.files().iter().try_for_each(|path| check_size(path, place.layout))
}

/// Reads the six files of an archive, in whichever order it has them.
fn read_archive(place: &Place, batches: &mut [Batch]) -> Result<()> {
    let name = place.path.display();
    let archive = disk::open(&place.path).with_context(|| format!("cannot read {name}"))?;
    let read = visit_files(BufReader::new(archive), place.layout, place.layout.sizes(), |at, path, file| {
        batches[at].read(path, file, place.layout)
    });
    read.map_err(|error| anyhow!("{name}: {error:#}; {REMEDY}"))
}

/// The part of the images that one file holds.
struct Batch<'a> {
    pixels: &'a mut [u8],
    labels: &'a mut [u8],
}

impl<'a> Batch<'a> {
    fn all(images: &'a mut Images) -> impl Iterator<Item = Batch<'a>> {
        let pixels = images.pixels.chunks_mut(RECORDS * IMAGE_BYTES);
        pixels.zip(images.labels.chunks_mut(RECORDS)).map(|(pixels, labels)| Batch { pixels, labels })
    }

    /// Reads the file, whose size has been checked.
    fn read(&mut self, path: &Path, mut file: impl Read, layout: Layout) -> Result<()> {
        match layout {
            Layout::Binary => read_records(path, file, self.pixels, self.labels),
            Layout::Python => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
                read_batch(path, &bytes, self.pixels, self.labels)
            }
        }
    }
}

/// A path whose metadata cannot be read may still exist.
fn is_there(path: &Path) -> bool {
    !std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn check_size(path: &Path, layout: Layout) -> Result<()> {
    let name = path.display();
    let bytes = disk::open(path).and_then(|file| file.metadata()).with_context(|| format!("cannot read {name}"))?.len();
    match wrong_size(bytes, &layout.sizes()) {
        None => Ok(()),
        Some(wrong) => bail!("{name} {wrong}; {REMEDY}"),
    }
}

/// Reads one record per element of `labels`; `pixels` is (labels, 3, 32, 32).
///
/// # Errors
/// `from` ends early, or a label is above 9; the message names `path`.
pub fn read_records(path: &Path, mut from: impl Read, pixels: &mut [u8], labels: &mut [u8]) -> Result<()> {
    const AT_ONCE: usize = 100; // records: a buffer that stays in the cache
    let mut buffer = vec![0; AT_ONCE * RECORD];
    let places = pixels.chunks_mut(AT_ONCE * IMAGE_BYTES).zip(labels.chunks_mut(AT_ONCE));
    for (pixels, labels) in places {
        let buffer = &mut buffer[..labels.len() * RECORD];
        from.read_exact(buffer).with_context(|| format!("cannot read {}", path.display()))?;
        let records = buffer.chunks_exact(RECORD);
        for ((record, pixels), label) in records.zip(pixels.chunks_exact_mut(IMAGE_BYTES)).zip(labels) {
            *label = record[0];
            pixels.copy_from_slice(&record[1..]);
        }
    }
    let mut found = labels.iter().enumerate();
    let checked = found.try_for_each(|(record, &found)| label(record, found.into()).map(drop));
    checked.map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// The label of an image, if it is a class.
fn label(record: usize, label: i64) -> Result<u8> {
    match u8::try_from(label) {
        Ok(class) if usize::from(class) < CLASSES.len() => Ok(class),
        _ => bail!("record {record} (of 0 to 9,999) has label {label}, expected 0 to 9"),
    }
}
