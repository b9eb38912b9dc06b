//! Files and folders that this program owns: opened without following symbolic links, and watched for being moved or
//! deleted.

use anyhow::{Context as _, bail};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prefix of the names of our lock and temporary files; no other program uses it.
pub const OURS: &str = ".lrsched-";

/// Prefix of the names of temporary files.
pub const TEMPORARY: &str = ".lrsched-tmp-";

/// Opens one of our files for reading and writing, creating it if needed. Its contents stay.
///
/// # Errors
/// The file cannot be opened, is a symbolic link (its target is not ours), or is not a regular file (a pipe would
/// block).
pub fn open_own(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    // Check first, for a clear message, and because some systems have no way to open a file without following links.
    refuse_other_kinds(path)?;
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(other_kind("not a regular file")) }
}

/// Reads one of our files, of at most `limit` bytes, with the restrictions of [`open_own`].
///
/// # Errors
/// The file cannot be read, is larger, or is a symbolic link or not a regular file.
pub fn read_own(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    refuse_other_kinds(path)?;
    super::read(path, limit)
}

fn refuse_other_kinds(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => Err(other_kind("a symbolic link")),
        Ok(found) if !found.is_file() => Err(other_kind("not a regular file")),
        // A missing file may be created; other errors will surface when it is opened.
        _ => Ok(()),
    }
}

fn other_kind(what: &str) -> io::Error {
    io::Error::other(format!("it is {what}, and lrsched keeps its rows and locks in regular files only; remove it"))
}

/// Refuses a folder of ours that is a symbolic link, since the contents of its target are not ours to change or remove.
///
/// # Errors
/// `path` is a symbolic link, or exists and is not a folder. A missing folder is no error.
pub fn own_folder(path: &Path) -> anyhow::Result<()> {
    let what = match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => "a symbolic link",
        Ok(found) if !found.is_dir() => "not a folder",
        // Other errors will surface when it is used.
        _ => return Ok(()),
    };
    bail!("{}: it is {what}, and lrsched changes only what is in folders of its own; remove it", path.display())
}

/// Creates a folder of ours if it does not exist. Never creates its parents: they may have been moved or deleted.
///
/// # Errors
/// As [`own_folder`]; or the folder cannot be created.
pub fn make_own_folder(path: &Path) -> anyhow::Result<()> {
    own_folder(path)?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot make the folder {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whether `path` still refers to the open `file`; true if the system cannot tell.
#[cfg(unix)]
pub fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(ours) = file.metadata() else { return true };
    match path.metadata() {
        Ok(there) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

/// Other systems do not allow moving or deleting an open file.
#[cfg(not(unix))]
pub fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// Checks that `path` still refers to the open `file` or folder.
///
/// # Errors
/// It does not: one line that says whether the file was deleted or moved.
pub fn check_in_place(file: &File, path: &Path) -> anyhow::Result<()> {
    if is_at(file, path) {
        return Ok(());
    }
    let name = path.display();
    if is_deleted(file) {
        bail!("stopped: {name} was deleted while it was being written")
    }
    match place_of(file) {
        Some(place) => {
            bail!(
                "stopped: {name} was moved to {} while it was being written; what was written is there",
                place.display()
            )
        }
        None => bail!("stopped: {name} was moved or replaced while it was being written"),
    }
}

/// The current path of the open `file` or folder, which was opened at `path`; `None` if it was deleted or the system
/// cannot tell.
pub fn place(file: &File, path: &Path) -> Option<PathBuf> {
    if is_at(file, path) { Some(path.to_path_buf()) } else { place_of(file) }
}

/// The current path of the open file or folder, if the system can tell.
fn place_of(file: &File) -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd as _;
        let place = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
        if is_at(file, &place) { Some(place) } else { None }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}

#[cfg(unix)]
fn is_deleted(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

#[cfg(not(unix))]
fn is_deleted(_file: &File) -> bool {
    false
}

/// A folder that is being written to, kept open so that a move can be followed.
#[derive(Debug, Clone)]
pub struct OpenFolder {
    path: PathBuf,
    /// `None` if the system cannot open folders.
    handle: Option<Arc<File>>,
}

impl OpenFolder {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), handle: File::open(path).ok().map(Arc::new) }
    }

    /// # Errors
    /// As [`check_in_place`].
    pub fn check(&self) -> anyhow::Result<()> {
        self.handle.as_ref().map_or(Ok(()), |handle| check_in_place(handle, &self.path))
    }

    /// Its current path, even after a move; `None` if it was deleted or the system cannot tell.
    pub fn place(&self) -> Option<PathBuf> {
        self.handle.as_ref().map_or_else(|| Some(self.path.clone()), |handle| place(handle, &self.path))
    }
}

/// Why `folder` is no folder and cannot become one: it, or the innermost of its parents that exists, is something else.
pub fn no_folder(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    match there.metadata() {
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some(format!("{} is not a folder", there.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(format!("{} is a link to nothing", there.display()))
        }
        Err(error) => Some(format!("the link {} cannot be followed: {error}", there.display())),
    }
}

/// Creates `folder` and its missing parents. Returns the folders created, innermost first.
///
/// # Errors
/// As [`no_folder`]; a folder cannot be created: those already created are removed again.
pub fn make_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
    let missing: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
    // The system's own words differ from call to call: "File exists", "Not a directory".
    if let Some(wrong) = no_folder(folder) {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, wrong));
    }
    std::fs::create_dir_all(folder).inspect_err(|_| remove_empty(&missing))?;
    Ok(missing)
}

/// Removes those of `folders` that are empty, in the given order.
pub fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        // Fails for one that is not empty, which stays.
        let _ = std::fs::remove_dir(folder);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_symbolic_link_is_refused_and_what_it_points_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("thesis"), "mine").unwrap();
        for target in ["thesis", "nowhere"] {
            symlink(path(target), path("link")).unwrap();
            let error = open_own(&path("link")).unwrap_err().to_string();
            assert!(error.contains("symbolic link"), "{error}");
            std::fs::remove_file(path("link")).unwrap();
        }
        assert_eq!(std::fs::read(path("thesis")).unwrap(), b"mine");
        assert!(!path("nowhere").exists());
    }

    #[test]
    fn a_folder_that_is_a_link_or_a_file_is_refused_and_none_is_made_in_one_that_is_not_there() {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        for _ in 0..2 {
            make_own_folder(&path("mine")).unwrap();
        }
        for target in ["mine", "nowhere"] {
            symlink(path(target), path("link")).unwrap();
            for refused in [own_folder(&path("link")), make_own_folder(&path("link"))] {
                let error = refused.unwrap_err().to_string();
                assert!(error.contains("link: it is a symbolic link"), "{error}");
            }
            std::fs::remove_file(path("link")).unwrap();
        }
        std::fs::write(path("file"), "").unwrap();
        assert!(own_folder(&path("file")).unwrap_err().to_string().contains("not a folder"));
        assert!(own_folder(&path("none")).is_ok());
        assert!(make_own_folder(&path("none/folder")).is_err() && !path("none").exists());
    }

    #[test]
    fn a_pipe_is_refused_and_blocks_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(open_own(&path).unwrap_err().to_string().contains("not a regular file"));
        assert!(read_own(&path, 9).unwrap_err().to_string().contains("not a regular file"));
    }

    #[test]
    fn a_file_or_folder_that_was_moved_or_deleted_is_told_apart() {
        let outer = tempfile::tempdir().unwrap();
        let (folder, file) = (outer.path().join("run"), outer.path().join("run/rows.csv"));
        std::fs::create_dir(&folder).unwrap();
        let opened = open_own(&file).unwrap();
        let place = OpenFolder::new(&folder);
        assert!(check_in_place(&opened, &file).is_ok() && place.check().is_ok());

        std::fs::rename(&folder, outer.path().join("elsewhere")).unwrap();
        let moved = [check_in_place(&opened, &file), place.check()];
        assert!(moved.iter().all(|result| result.as_ref().unwrap_err().to_string().contains("was moved")), "{moved:?}");
        // A new folder and file with the old names do not count.
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&file, "another's").unwrap();
        assert!(check_in_place(&opened, &file).is_err() && place.check().is_err());

        std::fs::remove_dir_all(outer.path().join("elsewhere")).unwrap();
        let deleted = [check_in_place(&opened, &file), place.check()];
        assert!(
            deleted.iter().all(|result| result.as_ref().unwrap_err().to_string().contains("was deleted")),
            "{deleted:?}"
        );
    }

    #[test]
    fn folders_that_were_made_are_unmade_where_nothing_was_put_into_them() {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir(outer.path().join("a")).unwrap();
        let made = make_folders(&outer.path().join("a/b/c")).unwrap();
        assert_eq!(made, [outer.path().join("a/b/c"), outer.path().join("a/b")]);
        std::fs::write(outer.path().join("a/b/notes"), "").unwrap();
        remove_empty(&made);
        assert!(!outer.path().join("a/b/c").exists() && outer.path().join("a/b/notes").exists());
        std::fs::write(outer.path().join("file"), "").unwrap();
        let file = outer.path().join("file");
        for below in [file.join("x"), file.join("x/y"), file.clone()] {
            let error = make_folders(&below).unwrap_err().to_string();
            assert_eq!(error, format!("{} is not a folder", file.display()));
        }
        #[cfg(unix)]
        {
            let link = outer.path().join("link");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            let error = make_folders(&link.join("x")).unwrap_err().to_string();
            assert_eq!(error, format!("{} is a link to nothing", link.display()));
        }
    }
}
