//! Atomic replacement of files.

use super::{Contents, Status, files};
use crate::disk::{TEMPORARY, make_folders, no_folder, remove_empty};
use crate::memory::in_case_of_refusal;
use crate::usage;
use crate::usage::Usage;
use anyhow::Context as _;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Replaces `path` with `bytes` atomically: writes a temporary file in the same folder, syncs it, and renames it over
/// `path`. For paths that a person has named: creates missing parent folders, follows links, and writes devices in
/// place.
///
/// # Errors
/// One line that names `path`: an unwritable folder, a full disk.
pub fn replace_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    // Devices, pipes and open files by their descriptors are written in place, and links are followed rather than replaced.
    let of_descriptor = ["/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/proc"];
    let is_open_file = of_descriptor.iter().any(|place| path.starts_with(place));
    if path.metadata().is_ok_and(|found| !found.is_dir() && (is_open_file || !found.is_file())) {
        let write = || std::fs::OpenOptions::new().append(true).open(path)?.write_all(bytes);
        return write().with_context(|| format!("cannot write {}", path.display()));
    }
    let target = path.canonicalize().unwrap_or_else(|_| end_of_link(path));
    let cannot = || format!("cannot write {}", path.display());
    let made = make_folders(folder_of(&target)).with_context(cannot)?;
    let result = put(&target, bytes).with_context(cannot);
    // After an error, and of a path such as `new/../file`.
    remove_empty(&made);
    result
}

/// Where a link leads that leads to nothing yet, else `path` itself.
fn end_of_link(path: &Path) -> PathBuf {
    // As many links as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match target.read_link() {
            // An absolute one replaces the folder.
            Ok(next) => target = folder_of(&target).join(next),
            Err(_) => break,
        }
    }
    target
}

/// The same for a file of our own: its folder must exist (one that was moved or deleted is not created again), and a
/// link in its place is replaced.
///
/// # Errors
/// One line that names `path`.
pub fn replace_own(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    put(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes run.json or find.json, as JSON. While `status` is running, the record that `failed` returns is serialised in
/// advance and written if the process runs out of memory.
///
/// # Errors
/// One line that names `path`.
pub fn write_status<T: Serialize>(
    path: &Path,
    record: &T,
    status: Status,
    failed: impl FnOnce(String) -> T,
) -> anyhow::Result<()> {
    let text = |record: &T| -> anyhow::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(record)?;
        text.push(b'\n');
        Ok(text)
    };
    replace_own(path, &text(record)?)?;
    let prepare = || text(&failed("out of memory: the system refused more".to_string()));
    in_case_of_refusal(path, (status == Status::Running).then(prepare).transpose()?);
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    // The mode of any new file, subject to the umask; tempfile's default is owner-only.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(TEMPORARY).tempfile_in(folder).map_err(without_path)?;
    file.write_all(bytes).map_err(without_path)?;
    // One that others may not read stays so.
    if let Ok(replaced) = path.metadata() {
        file.as_file().set_permissions(replaced.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder);
    Ok(())
}

/// The error of tempfile without the name of the temporary file, which nobody has asked for. It is in the text alone.
pub fn without_path(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((cause, _)) => std::io::Error::new(error.kind(), cause),
        None => error,
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs `folder`, which makes a rename in it durable. Files are whole even on systems that cannot sync folders.
pub fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Removes the temporary files of a process that died while writing to `folder`. Only the process that may write there
/// may call this.
pub fn remove_leftovers(folder: &Path) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            // A leftover file is harmless.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// A folder name made of characters that every file system accepts, of limited length. If it had to be altered, it ends
/// in a digest of the original text, which keeps it unique.
pub fn folder_name(text: &str) -> String {
    let plain: String = text.chars().map(|c| if ":/".contains(c) { '_' } else { c }).collect();
    let kept = |c: char| if c.is_ascii_alphanumeric() || "._=,+-%".contains(c) { c } else { '_' };
    // File systems allow 255 bytes; run.json has the full text.
    let name: String = plain.chars().map(kept).take(200).collect();
    if name == plain {
        return name;
    }
    let digest = Sha256::digest(text.as_bytes());
    format!("{name}~{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

/// The ending of an output, in lower case. A name that is only one of the `known` endings, such as `.svg`, means it all the
/// same.
pub fn ending(output: &Path, known: &[&str]) -> Option<String> {
    let lower = |text: &OsStr| text.to_string_lossy().to_lowercase();
    let of_hidden = || lower(output.file_name()?).strip_prefix('.').map(str::to_string);
    output.extension().map(lower).or_else(|| of_hidden().filter(|name| known.contains(&name.as_str())))
}

/// Rejects outputs that would overwrite one of `sources`, a file of a run, or each other, and those that no file can be
/// written to.
///
/// # Errors
/// The first such output, and the file it would overwrite, or what is in its place.
pub fn check_outputs(outputs: &[PathBuf], sources: &[PathBuf]) -> Result<(), Usage> {
    for (place, output) in outputs.iter().enumerate() {
        if output.as_os_str().is_empty() {
            return usage!("the file to write has no name");
        }
        let text = output.to_string_lossy();
        let ends_as_folder = text.ends_with(std::path::is_separator) || output.file_name().is_none();
        if output.is_dir() || ends_as_folder || text.ends_with("/.") {
            return usage!("{} names a folder; name a file", output.display());
        }
        let target = end_of_link(output);
        let wrong = match target.is_symlink() {
            true => Some("its link leads back to itself".to_string()),
            false => no_folder(folder_of(&target)),
        };
        if let Some(wrong) = wrong {
            return usage!("cannot write {}: {wrong}; name another output", output.display());
        }
        if sources.iter().any(|source| same_file(output, source)) {
            return usage!(
                "{} is read by this command and would be overwritten; name another output",
                output.display()
            );
        }
        if is_record(output) {
            return usage!("{} is a file of a run and would be overwritten; name another output", output.display());
        }
        if outputs[..place].iter().any(|other| same_file(output, other)) {
            return usage!("{} would be written twice; name two outputs", output.display());
        }
    }
    Ok(())
}

/// Whether two paths name the same file, links resolved. A path that does not exist yet is compared by folder and name.
pub fn same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let inode =
            |path: &Path| path.metadata().ok().filter(|found| found.is_file()).map(|found| (found.dev(), found.ino()));
        if let (Some(a), Some(b)) = (inode(a), inode(b)) {
            return a == b;
        }
    }
    let full = |path: &Path| full_path(path).unwrap_or_else(|| path.to_path_buf());
    full(a) == full(b)
}

fn full_path(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| {
        let path = &end_of_link(path);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    })
}

fn is_record(path: &Path) -> bool {
    let Some(target) = path.canonicalize().ok().filter(|target| target.is_file()) else { return false };
    let named = target.file_name().and_then(|name| name.to_str()).is_some_and(files::is_record);
    // The mark may have been lost, and the folder of a seed has none.
    let is_ours = || Contents::of(folder_of(&target)).is_ok_and(|contents| contents.ours().is_some());
    named && (files::marks().any(|mark| target.with_file_name(mark).is_file()) || is_ours())
}

/// Total size in bytes of all files below `folder`, counting hard links once.
pub fn disk_size(folder: &Path) -> u64 {
    fn add(folder: &Path, seen: &mut HashSet<(u64, u64)>) -> u64 {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        let size = |entry: std::fs::DirEntry| match entry.metadata() {
            Ok(found) if found.is_dir() => add(&entry.path(), seen),
            Ok(found) if found.is_file() && is_first(&found, seen) => found.len(),
            _ => 0,
        };
        entries.map(size).sum()
    }
    add(folder, &mut HashSet::new())
}

#[cfg(unix)]
fn is_first(found: &std::fs::Metadata, seen: &mut HashSet<(u64, u64)>) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.nlink() == 1 || seen.insert((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn is_first(_found: &std::fs::Metadata, _seen: &mut HashSet<(u64, u64)>) -> bool {
    true
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
        symlink("later", path("dangling")).unwrap();
        replace_file(&path("dangling"), b"first").unwrap();
        assert_eq!(std::fs::read(path("later")).unwrap(), b"first");
        assert!(path("dangling").is_symlink());
        symlink("/dev/null", path("null")).unwrap();
        replace_file(&path("null"), b"gone").unwrap();
        assert!(Path::new("/dev/null").metadata().unwrap().file_type().is_char_device());
        assert!(path("null").is_symlink());
    }

    #[test]
    fn a_name_too_long_or_of_odd_characters_is_shortened_and_stays_unlike_any_other() {
        assert_eq!(folder_name("sgd:momentum=0.9/step_lr=0.1"), "sgd_momentum=0.9_step_lr=0.1");
        let long = |last: char| folder_name(&format!("{}{last}", "x".repeat(300)));
        assert!(long('a').len() < 210 && long('a') != long('b'));
        assert_ne!(folder_name("expr:lr*1"), folder_name("expr:lr^1"));
    }

    #[cfg(unix)]
    #[test]
    fn an_output_that_is_a_source_a_file_of_a_run_or_another_output_is_refused_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["run.json", "steps.csv", "notes.csv", "source.csv"] {
            std::fs::write(path(name), "old").unwrap();
        }
        std::os::unix::fs::symlink(path("source.csv"), path("link.csv")).unwrap();
        std::fs::hard_link(path("source.csv"), path("twin.csv")).unwrap();
        std::os::unix::fs::symlink(path("steps.csv"), path("steps-link.csv")).unwrap();
        let sources = [path("source.csv")];
        let dotted = folder.path().join(".").join("source.csv");
        for output in
            [path("source.csv"), dotted, path("link.csv"), path("twin.csv"), path("steps.csv"), path("steps-link.csv")]
        {
            assert!(check_outputs(std::slice::from_ref(&output), &sources).is_err(), "{}", output.display());
        }
        assert!(check_outputs(&[path("notes.csv"), path("new.csv")], &sources).is_ok());
        assert!(check_outputs(&[path("new.csv"), path("./new.csv")], &sources).is_err());
        std::os::unix::fs::symlink("new.csv", path("to-new.csv")).unwrap();
        assert!(check_outputs(&[path("new.csv"), path("to-new.csv")], &sources).is_err(), "a link to nothing yet");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_two_names_takes_up_its_size_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/one"), [0; 1000]).unwrap();
        std::fs::hard_link(folder.path().join("a/one"), folder.path().join("two")).unwrap();
        std::fs::write(folder.path().join("three"), [0; 20]).unwrap();
        assert_eq!(disk_size(folder.path()), 1020);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let error = replace_file(&folder.path().join("file/run.json"), b"").unwrap_err();
        assert!(format!("{error:#}").contains("file/run.json"), "{error:#}");
    }

    #[test]
    fn a_file_of_our_own_makes_no_folder_anew_and_replaces_a_link_not_what_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let error = format!("{:#}", replace_own(&path("moved/run.json"), b"").unwrap_err());
        // The file that was asked for is named, and no other.
        assert!(error.contains("moved/run.json: ") && !error.contains(TEMPORARY), "{error}");
        assert!(!path("moved").exists());
        std::fs::write(path("thesis"), "mine").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(path("thesis"), path("run.json")).unwrap();
            replace_own(&path("run.json"), b"new").unwrap();
            assert!(!path("run.json").is_symlink());
            assert_eq!(std::fs::read(path("run.json")).unwrap(), b"new");
        }
        assert_eq!(std::fs::read(path("thesis")).unwrap(), b"mine");
    }

    #[test]
    fn only_temporary_files_that_are_surely_ours_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".tmp-thesis.txt", ".tmpabc", "lrsched-tmp-x", ".lrsched-tmp-a1B2c3"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(folder.path().join(".lrsched-tmp-folder")).unwrap();
        remove_leftovers(folder.path());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
        assert!(!folder.path().join(".lrsched-tmp-a1B2c3").exists());
    }
}
