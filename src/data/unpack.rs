//! Extracts CIFAR-10's files, and nothing else, from an archive.

use super::cifar10::{FILE_BYTES, Layout};
use crate::number::grouped;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
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
    unpack_files(archive, folder, FILE_BYTES)
}

/// [`unpack`] for files of `expected` bytes.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_files(archive: impl Read, folder: &Path, expected: u64) -> Result<()> {
    let names: Vec<&str> = Layout::Binary.files().collect();
    visit_files(archive, Layout::Binary, expected..=expected, |at, path, entry| {
        let name = names[at];
        let mut file = File::create_new(folder.join(name)).with_context(|| format!("cannot write {name}"))?;
        let written = std::io::copy(entry, &mut file).with_context(|| format!("cannot unpack {name}"))?;
        ensure!(written == expected, "the archive ends within `{}`", path.display());
        file.sync_all().with_context(|| format!("cannot write {name}"))
    })
}

/// Passes the six files of a gzipped tar to `visit`, in its order: the place of each among [`Layout::files`], its path in
/// the archive, its content.
///
/// # Errors
/// As [`unpack`], where `sizes` are right; or the first error of `visit`.
pub(super) fn visit_files(
    archive: impl Read,
    layout: Layout,
    sizes: RangeInclusive<u64>,
    mut visit: impl FnMut(usize, &Path, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let damaged = "the archive is damaged or ends early";
    let mut visited = HashSet::new();
    // Entry names are buffered in memory, so stop an archive that decompresses to far more than the files.
    let unzipped = flate2::read::GzDecoder::new(archive).take(8 * sizes.end().max(&SMALLEST_ARCHIVE));
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
        let is_at = |name| path.ends_with(Path::new(layout.folder()).join(name));
        let Some(place) = layout.files().position(is_at) else { continue };
        if let Some(wrong) = wrong_size(entry.size(), &sizes) {
            bail!("the archive's `{shown}` {wrong}");
        }
        ensure!(visited.insert(place), "the archive holds `{shown}` twice");
        visit(place, &path, &mut entry)?;
    }
    match layout.files().enumerate().find(|(place, _)| !visited.contains(place)) {
        Some((_, name)) => bail!("the archive holds no `{}/{name}`", layout.folder()),
        None => Ok(()),
    }
}

/// What is wrong with a file of `bytes` bytes, if anything.
pub(super) fn wrong_size(bytes: u64, sizes: &RangeInclusive<u64>) -> Option<String> {
    let at_most = if sizes.start() == sizes.end() { "" } else { "at most " };
    let wrong = || format!("is {} bytes, expected {at_most}{}", grouped(bytes), grouped(*sizes.end()));
    (!sizes.contains(&bytes)).then(wrong)
}
