//! The rows and files that a run leaves: written by `train`, read by `report`.

use anyhow::Context as _;
use std::io::Write as _;
use std::path::Path;

/// Puts `bytes` at `path` whole or not at all: a temporary file in the same folder, synced, then renamed over `path`.
///
/// Missing folders above it are made.
///
/// # Errors
/// One line that names `path`: an unwritable folder, a full disk.
pub fn replace_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        // As any new file: what the umask leaves, not the owner alone.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.prefix(".tmp-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
