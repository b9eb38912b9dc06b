//! Extracts a dataset's files, and nothing else, from an archive.

use super::cifar::{CIFAR10, Cifar, Layout};
use crate::number::grouped;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Component, Path};
use tar::EntryType;

/// Allowance for headers.
const SMALLEST_ARCHIVE: u64 = 8 << 20;

/// Extracts the six files of a `cifar-10-binary.tar.gz` into the (empty) `folder`.
///
/// File names come from this program, never from the archive; other entries (`readme.html`, …) are skipped.
///
/// # Errors
/// The archive ends early or is damaged; a file is missing, duplicated or has the wrong size; an entry is a link or has
/// a path outside the archive's folder, neither of which CIFAR-10 has.
pub fn unpack(archive: impl Read, folder: &Path) -> Result<()> {
    unpack_files(archive, folder, CIFAR10.file_bytes(0))
}

/// [`unpack`] for files of `expected` bytes.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_files(archive: impl Read, folder: &Path, expected: u64) -> Result<()> {
    let names: Vec<&str> = CIFAR10.files(Layout::Binary).collect();
    let sizes = |_| expected..=expected;
    visit_files(archive, &CIFAR10, Layout::Binary, sizes, |at, path, entry| {
        let name = names[at];
        let mut file = File::create_new(folder.join(name)).with_context(|| format!("cannot write {name}"))?;
        let written = std::io::copy(entry, &mut file).with_context(|| format!("cannot unpack {name}"))?;
        ensure!(written == expected, "the archive ends within `{}`", path.display());
        file.sync_all().with_context(|| format!("cannot write {name}"))
    })
}

/// Passes the files of a gzipped tar to `visit`, in its order: the place of each among [`Cifar::files`], its path in the
/// archive, its content.
///
/// # Errors
/// As [`unpack`], where the `sizes` of the file at each place are right; or the first error of `visit`.
pub(super) fn visit_files(
    archive: impl Read,
    dataset: &Cifar,
    layout: Layout,
    sizes: impl Fn(usize) -> RangeInclusive<u64>,
    mut visit: impl FnMut(usize, &Path, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let damaged = "the archive is damaged or ends early";
    let mut visited = HashSet::new();
    // Entry names are buffered in memory, so stop an archive that decompresses to far more than the files.
    let most: u64 = (0..dataset.files(layout).count()).map(|place| *sizes(place).end()).sum();
    let unzipped = flate2::read::GzDecoder::new(archive).take((most + most / 3).max(SMALLEST_ARCHIVE));
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
        let is_at = |name| path.ends_with(Path::new(dataset.folder(layout)).join(name));
        let Some(place) = dataset.files(layout).position(is_at) else { continue };
        if let Some(wrong) = wrong_size(entry.size(), &sizes(place)) {
            bail!("the archive's `{shown}` {wrong}");
        }
        ensure!(visited.insert(place), "the archive holds `{shown}` twice");
        visit(place, &path, &mut entry)?;
    }
    match dataset.files(layout).enumerate().find(|(place, _)| !visited.contains(place)) {
        Some((_, name)) => bail!("the archive holds no `{}/{name}`", dataset.folder(layout)),
        None => Ok(()),
    }
}

/// What is wrong with a file of `bytes` bytes, if anything.
pub(super) fn wrong_size(bytes: u64, sizes: &RangeInclusive<u64>) -> Option<String> {
    let at_most = if sizes.start() == sizes.end() { "" } else { "at most " };
    let wrong = || format!("is {} bytes, expected {at_most}{}", grouped(bytes), grouped(*sizes.end()));
    (!sizes.contains(&bytes)).then(wrong)
}
