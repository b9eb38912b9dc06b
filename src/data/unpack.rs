//! Extracts CIFAR-10's files, and nothing else, from the archive.

use super::cifar10;
use crate::number::grouped;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};
use tar::EntryType;

/// Allowance for headers.
const SMALLEST_ARCHIVE: u64 = 1 << 20;

/// Extracts the six files of a `cifar-10-binary.tar.gz` into the (empty) `folder`.
///
/// File names come from this program, never from the archive; other entries (`readme.html`, …) are skipped.
///
/// # Errors
/// The archive ends early or is damaged; a file is missing, duplicated or has the wrong size; an entry is a link or has
/// a path outside the archive's folder, neither of which CIFAR-10 has.
pub fn unpack(archive: impl Read, folder: &Path) -> Result<()> {
    unpack_files(archive, folder, cifar10::FILE_BYTES)
}

/// [`unpack`] for files of `expected` bytes.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_files(archive: impl Read, folder: &Path, expected: u64) -> Result<()> {
    let damaged = "the archive is damaged or ends early";
    let mut unpacked = HashSet::new();
    // Entry names are buffered in memory, so stop an archive that decompresses to far more than the files.
    let unzipped = flate2::read::GzDecoder::new(archive).take(8 * expected.max(SMALLEST_ARCHIVE));
    let mut archive = tar::Archive::new(unzipped);
    for entry in archive.entries().context(damaged)? {
        let mut entry = entry.context(damaged)?;
        let path = entry.path().context(damaged)?.into_owned();
        let shown = path.display();
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        ensure!(inside, "the archive holds `{shown}`, which points out of its folder; nothing was unpacked");
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory => continue,
            kind => bail!("the archive holds `{shown}`, a {kind:?} instead of a file; nothing was unpacked"),
        }
        let Some(name) = cifar10::files().find(|name| path.ends_with(Path::new(cifar10::FOLDER).join(name))) else {
            continue;
        };
        let bytes = entry.size();
        ensure!(
            bytes == expected,
            "the archive's `{shown}` is {} bytes, expected {}",
            grouped(bytes),
            grouped(expected)
        );
        ensure!(unpacked.insert(name), "the archive holds `{shown}` twice");
        let mut file = File::create_new(folder.join(name)).with_context(|| format!("cannot write {name}"))?;
        let written = std::io::copy(&mut entry, &mut file).with_context(|| format!("cannot unpack {name}"))?;
        ensure!(written == expected, "the archive ends within `{shown}`");
        file.sync_all().with_context(|| format!("cannot write {name}"))?;
    }
    match cifar10::files().find(|name| !unpacked.contains(name)) {
        Some(name) => bail!("the archive holds no `{}/{name}`", cifar10::FOLDER),
        None => Ok(()),
    }
}
