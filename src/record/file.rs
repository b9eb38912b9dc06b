//! Files that appear whole or not at all.

use crate::usage;
use anyhow::Context as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// How the names of temporary files begin.
const TEMPORARY: &str = ".tmp-";

/// Puts `bytes` at `path` whole or not at all: a temporary file in the same folder, synced, then renamed over `path`.
///
/// Missing folders above it are made.
///
/// # Errors
/// One line that names `path`: an unwritable folder, a full disk.
pub fn replace_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if path.as_os_str().is_empty() {
        return usage!("the file to write has no name");
    }
    // A device or a pipe is written to, never replaced, and a link stays a link.
    if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let write = || std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
        return write().with_context(|| format!("cannot write {}", path.display()));
    }
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        // As any new file: what the umask leaves, not the owner alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.prefix(TEMPORARY).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| error.error)?;
        sync_folder(folder);
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Brings the names in `folder` to the disk: a rename is there once its folder is. Where folders cannot be synced, files still are whole.
pub fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Removes the temporary files of a process that died while it wrote to `folder`. Only for the one that may write there.
pub fn remove_leftovers(folder: &Path) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) && entry.path().is_file() {
            // One that stays does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_new_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/run.json");
        replace_file(&path, b"first").unwrap();
        replace_file(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_a_link_stays_a_link() {
        use std::os::unix::fs::{FileTypeExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("target"), "old").unwrap();
        symlink(path("target"), path("link")).unwrap();
        replace_file(&path("link"), b"new").unwrap();
        assert_eq!(std::fs::read(path("target")).unwrap(), b"new");
        assert!(path("link").is_symlink());
        symlink("/dev/null", path("null")).unwrap();
        replace_file(&path("null"), b"gone").unwrap();
        assert!(Path::new("/dev/null").metadata().unwrap().file_type().is_char_device());
        assert!(path("null").is_symlink());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = replace_file(&folder.path().join("file/run.json"), b"").unwrap_err();
        assert!(format!("{error:#}").contains("file/run.json"), "{error:#}");
    }
}
