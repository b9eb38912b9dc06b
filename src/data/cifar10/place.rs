//! Where CIFAR-10 is: in a folder or an archive, as binary files or as the pickles that torchvision and Keras download.

use super::{FILE_BYTES, FOLDER, files};
use anyhow::{Result, bail};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The largest pickle that is read. Protocol 2 writes bytes as text: of Python 3, up to 61,440,000 bytes of pixels.
const MOST_PICKLED: u64 = 64 << 20;

/// The form of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `data_batch_1.bin` …: a label byte and the pixels of each image.
    Binary,
    /// `data_batch_1` …: a pickled dictionary each.
    Python,
}

impl Layout {
    const ALL: [Layout; 2] = [Layout::Binary, Layout::Python];

    /// The folder inside the official archive.
    pub const fn folder(self) -> &'static str {
        match self {
            Layout::Binary => FOLDER,
            Layout::Python => "cifar-10-batches-py",
        }
    }

    /// The names of all files, training first.
    pub fn files(self) -> impl Iterator<Item = &'static str> {
        files().map(move |name| match self {
            Layout::Binary => name,
            Layout::Python => name.trim_end_matches(".bin"),
        })
    }

    /// The sizes that a file may have.
    pub const fn sizes(self) -> RangeInclusive<u64> {
        match self {
            Layout::Binary => FILE_BYTES..=FILE_BYTES,
            Layout::Python => 0..=MOST_PICKLED,
        }
    }

    /// Where the files may be below a folder that is searched. Keras 3 unpacks into a folder of its own.
    const fn subfolders(self) -> &'static [&'static str] {
        match self {
            Layout::Binary => &["", FOLDER],
            Layout::Python => &["", "cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"],
        }
    }

    /// The names of archives: the official one, then those of Keras 2 and 3.
    const fn archives(self) -> &'static [&'static str] {
        match self {
            Layout::Binary => &["cifar-10-binary.tar.gz"],
            Layout::Python => {
                &["cifar-10-python.tar.gz", "cifar-10-batches-py.tar.gz", "cifar-10-batches-py-target_archive"]
            }
        }
    }
}

/// A folder with the files, or an archive of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    pub layout: Layout,
    /// Whether `path` is an archive.
    pub packed: bool,
}

impl Place {
    /// The binary files in `folder`.
    pub fn binary(folder: &Path) -> Self {
        Self { path: folder.to_path_buf(), layout: Layout::Binary, packed: false }
    }

    /// The files to read: six, or the archive.
    pub fn files(&self) -> Vec<PathBuf> {
        if self.packed {
            return vec![self.path.clone()];
        }
        self.layout.files().map(|name| self.path.join(name)).collect()
    }

    fn holds_files(&self) -> bool {
        self.files().iter().any(|path| if self.packed { path.is_file() } else { path.exists() })
    }

    /// All places in or at `path`: folders first, since an archive takes a second or two to unpack each time.
    fn candidates(path: &Path) -> Vec<Place> {
        if path.is_file() {
            let binary = path.file_name().is_some_and(|name| name.to_string_lossy().contains("bin"));
            let layout = if binary { Layout::Binary } else { Layout::Python };
            return vec![Place { path: path.to_path_buf(), layout, packed: true }];
        }
        let below = |layout: Layout, names: &[&str], packed: bool| -> Vec<Place> {
            let named = |name: &&str| if name.is_empty() { path.to_path_buf() } else { path.join(name) };
            names.iter().map(|name| Place { path: named(name), layout, packed }).collect()
        };
        let folders = Layout::ALL.into_iter().flat_map(|layout| below(layout, layout.subfolders(), false));
        let archives = Layout::ALL.into_iter().flat_map(|layout| below(layout, layout.archives(), true));
        folders.chain(archives).collect()
    }
}

/// Where to look for CIFAR-10: only in `data_dir` if given, otherwise in `data` (torchvision's usual folder, too), the
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

/// The first place in [`folders`] that holds at least one of the files, or an archive.
///
/// # Errors
/// There is none. The message lists the folders searched and both remedies.
pub fn locate(data_dir: Option<&Path>) -> Result<Place> {
    let folders = folders(data_dir);
    match folders.iter().flat_map(|folder| Place::candidates(folder)).find(Place::holds_files) {
        Some(place) => Ok(place),
        None => {
            let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            bail!(
                "CIFAR-10 is not in {}; get it with `lrsched data fetch`, or train without it: `--dataset synthetic`",
                looked.join(" or ")
            )
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
