//! Where a dataset is: in a folder or an archive, as binary files or as the pickles that torchvision and Keras download.

use super::Cifar;
use anyhow::{Result, bail};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The most bytes of a pickle for each of its images. Protocol 2 writes bytes as text: of Python 3, up to 6,144 for the
/// pixels.
const MOST_PICKLED: u64 = 6_700;

/// The form of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `data_batch_1.bin` …: the label and the pixels of each image, as bytes.
    Binary,
    /// `data_batch_1` …: a pickled dictionary each.
    Python,
}

impl Layout {
    const ALL: [Layout; 2] = [Layout::Binary, Layout::Python];
}

/// Where the files of one layout may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The folder inside the official archive.
    pub folder: &'static str,
    /// Below a folder that is searched; itself, if empty.
    pub subfolders: &'static [&'static str],
    /// Archives in a folder that is searched.
    pub archives: &'static [&'static str],
}

impl Cifar {
    fn names(&self, layout: Layout) -> &Names {
        match layout {
            Layout::Binary => &self.binary,
            Layout::Python => &self.python,
        }
    }

    /// The folder inside the official archive.
    pub fn folder(&self, layout: Layout) -> &'static str {
        self.names(layout).folder
    }

    /// The sizes that the file at `place` may have.
    pub(super) fn sizes(&self, layout: Layout, place: usize) -> RangeInclusive<u64> {
        match layout {
            Layout::Binary => self.file_bytes(place)..=self.file_bytes(place),
            Layout::Python => 0..=MOST_PICKLED * self.files[place].images as u64,
        }
    }

    /// The first place in [`folders`] that holds at least one of the files, or an archive.
    ///
    /// # Errors
    /// There is none. The message lists the folders searched and both remedies.
    pub fn locate(&'static self, data_dir: Option<&Path>) -> Result<Place> {
        let folders = folders(data_dir);
        match folders.iter().flat_map(|folder| Place::candidates(self, folder)).find(Place::holds_files) {
            Some(place) => Ok(place),
            None => {
                let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
                if let Some(given) = data_dir.filter(|given| !given.exists()) {
                    bail!(
                        "{}: no such folder; --data-dir (or LRSCHED_DATA) has to hold {}",
                        given.display(),
                        self.title
                    );
                }
                let elsewhere = match data_dir {
                    Some(_) => "",
                    None => ", say with --data-dir where torchvision or Keras has it",
                };
                bail!(
                    "{} is not in {}; {}{elsewhere}, or train without it: `--dataset synthetic`",
                    self.title,
                    looked.join(" or "),
                    self.source
                )
            }
        }
    }
}

/// A folder with the files, or an archive of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub dataset: &'static Cifar,
    pub path: PathBuf,
    pub layout: Layout,
    /// Whether `path` is an archive.
    pub packed: bool,
}

impl Place {
    /// The binary files in `folder`.
    pub fn binary(dataset: &'static Cifar, folder: &Path) -> Self {
        Self { dataset, path: folder.to_path_buf(), layout: Layout::Binary, packed: false }
    }

    /// The files to read, or the archive.
    pub fn files(&self) -> Vec<PathBuf> {
        if self.packed {
            return vec![self.path.clone()];
        }
        self.dataset.files(self.layout).map(|name| self.path.join(name)).collect()
    }

    fn holds_files(&self) -> bool {
        self.files().iter().any(|path| path.is_file())
    }

    /// All places in or at `path`: folders first, since an archive takes a second or two to unpack each time.
    fn candidates(dataset: &'static Cifar, path: &Path) -> Vec<Place> {
        if path.is_file() {
            let binary = path.file_name().is_some_and(|name| name.to_string_lossy().contains("bin"));
            let layout = if binary { Layout::Binary } else { Layout::Python };
            return vec![Place { dataset, path: path.to_path_buf(), layout, packed: true }];
        }
        let below = |layout: Layout, names: &[&str], packed: bool| -> Vec<Place> {
            let named = |name: &&str| if name.is_empty() { path.to_path_buf() } else { path.join(name) };
            names.iter().map(|name| Place { dataset, path: named(name), layout, packed }).collect()
        };
        let folders = Layout::ALL.into_iter().flat_map(|layout| below(layout, dataset.names(layout).subfolders, false));
        let archives = Layout::ALL.into_iter().flat_map(|layout| below(layout, dataset.names(layout).archives, true));
        folders.chain(archives).collect()
    }
}

/// Where to look for images: only in `data_dir` if given, otherwise in `data` (torchvision's usual folder, too), the
/// user's cache folder, and Keras's.
pub fn folders(data_dir: Option<&Path>) -> Vec<PathBuf> {
    match data_dir {
        Some(folder) => vec![folder.to_path_buf()],
        None => std::iter::once(PathBuf::from("data")).chain(cache_folder()).chain(keras_folder()).collect(),
    }
}

/// `$XDG_CACHE_HOME/lrsched`, else `~/.cache/lrsched`.
pub fn cache_folder() -> Option<PathBuf> {
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("lrsched"))
}

/// `$KERAS_HOME/datasets`, else `~/.keras/datasets`.
fn keras_folder() -> Option<PathBuf> {
    let keras = variable("KERAS_HOME").or_else(|| variable("HOME").map(|home| home.join(".keras")))?;
    Some(keras.join("datasets"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
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
