//! CIFAR-10's official binary files: 10,000 records per file, each a label byte and 3 x 32 x 32 pixel bytes.
//!
//! <https://www.cs.toronto.edu/~kriz/cifar.html>, Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

use super::dataset::Dataset;
use super::images::{IMAGE_BYTES, Images};
use crate::disk;
use crate::number::grouped;
use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The training files, in order.
pub const TRAIN_FILES: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
/// The test file.
pub const TEST_FILE: &str = "test_batch.bin";
/// The folder inside the official archive.
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

/// Where to look for CIFAR-10: only in `data_dir` if given, otherwise in `data` and then in the user's cache folder.
pub fn folders(data_dir: Option<&Path>) -> Vec<PathBuf> {
    match data_dir {
        Some(folder) => vec![folder.to_path_buf()],
        None => std::iter::once(PathBuf::from("data")).chain(cache_folder()).collect(),
    }
}

/// `$XDG_CACHE_HOME/lrsched`, else `~/.cache/lrsched`.
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("lrsched"))
}

/// The first of [`folders`], or its subfolder `cifar-10-batches-bin`, that holds at least one of the files.
///
/// # Errors
/// There is none. The message lists the folders searched and both remedies.
pub fn locate(data_dir: Option<&Path>) -> Result<PathBuf> {
    let folders = folders(data_dir);
    let holds_files = |folder: &PathBuf| files().any(|name| folder.join(name).exists());
    match folders.iter().flat_map(|folder| [folder.clone(), folder.join(FOLDER)]).find(holds_files) {
        Some(folder) => Ok(folder),
        None => {
            let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            bail!(
                "CIFAR-10 is not in {}; get it with `lrsched data fetch`, or train without it: `--dataset synthetic`",
                looked.join(" or ")
            )
        }
    }
}

/// The names of all files, training first.
pub fn files() -> impl Iterator<Item = &'static str> {
    TRAIN_FILES.into_iter().chain([TEST_FILE])
}

/// Reads all files in `folder` in parallel, checking their sizes and labels.
///
/// # Errors
/// A file is missing, unreadable, not 30,730,000 bytes long, or has a label above 9; the message names it.
pub fn open(folder: &Path) -> Result<Dataset> {
    let missing: Vec<&str> = files().filter(|name| !is_there(&folder.join(name))).collect();
    match missing[..] {
        [] => {}
        [name] => bail!("{} is missing, the other files are there; {REMEDY}", folder.join(name).display()),
        _ => bail!(
            "{} holds {} of the {} files of CIFAR-10: {} are missing; fetch them with `lrsched data fetch`",
            folder.display(),
            files().count() - missing.len(),
            files().count(),
            missing.join(", ")
        ),
    }
    // Sizes first: a wrong size is cheap to detect, so do not read 180 MB before reporting it.
    for name in files() {
        check_size(&folder.join(name))?;
    }
    let read = |names: &[&str]| -> Result<Images> {
        let count = names.len() * RECORDS;
        let mut images = Images { pixels: vec![0; count * IMAGE_BYTES], labels: vec![0; count] };
        let places = images.pixels.par_chunks_mut(RECORDS * IMAGE_BYTES).zip(images.labels.par_chunks_mut(RECORDS));
        places.zip(names).try_for_each(|((pixels, labels), name)| read_file(&folder.join(name), pixels, labels))?;
        Ok(images)
    };
    let (train, test) = rayon::join(|| read(&TRAIN_FILES), || read(&[TEST_FILE]));
    Ok(Dataset::new("cifar10", train?, test?, CLASSES.map(String::from).to_vec()))
}

/// A path whose metadata cannot be read may still exist.
fn is_there(path: &Path) -> bool {
    !std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn check_size(path: &Path) -> Result<()> {
    let name = path.display();
    match disk::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.len() == FILE_BYTES => Ok(()),
        Ok(metadata) => {
            bail!("{name} is {} bytes, expected {}; {REMEDY}", grouped(metadata.len()), grouped(FILE_BYTES))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {name}")),
    }
}

fn read_file(path: &Path, pixels: &mut [u8], labels: &mut [u8]) -> Result<()> {
    let file = disk::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    read_records(path, file, pixels, labels)
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
    check_labels(path, labels)
}

fn check_labels(path: &Path, labels: &[u8]) -> Result<()> {
    match labels.iter().position(|&label| usize::from(label) >= CLASSES.len()) {
        None => Ok(()),
        Some(record) => {
            let (name, label) = (path.display(), labels[record]);
            bail!("{name}: record {record} (of 0 to 9,999) has label {label}, expected 0 to 9; {REMEDY}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_folder_is_the_only_one_looked_in() {
        assert_eq!(folders(Some(Path::new("/elsewhere"))), [PathBuf::from("/elsewhere")]);
        assert_eq!(folders(None)[0], PathBuf::from("data"));
    }
}
