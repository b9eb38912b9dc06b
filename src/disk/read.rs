//! Reads user-supplied files: only regular files, and stdin where a user names it, of bounded size.
//!
//! A named pipe could block for ever, a device may be endless, and a huge file would exhaust memory. All reads of this
//! program go through here, each with the limit for its kind of file.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Config files: about fifty settings.
pub const MOST_CONFIG: u64 = 256 * KIB;
/// run.json, find.json and state.json: settings, results, and changes during the run.
pub const MOST_RECORD: u64 = 64 * MIB;
/// CSV files and logs: tens of millions of rows.
pub const MOST_ROWS: u64 = 2048 * MIB;
/// Weights and optimizer state: over a hundred times what any built-in network needs.
pub const MOST_ARRAYS: u64 = 1024 * MIB;

/// Opens a regular file for reading, without blocking.
///
/// # Errors
/// The file cannot be opened, or is a folder, a pipe, a socket or a device.
pub fn open(path: &Path) -> Result<File> {
    // Check before opening, which can itself affect a device, and again after, in case the file was replaced in
    // between.
    regular(&std::fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`]; or the file is larger.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    if size <= limit {
        bytes.reserve_exact(size as usize);
        // The file may have grown since.
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if size > limit { Err(too_large(limit)) } else { at_most(bytes, limit) }
}

fn at_most(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>> {
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: u64) -> Error {
    Error::new(ErrorKind::FileTooLarge, format!("it is larger than {}, the most that is read", shown(limit)))
}

/// Reads text from stdin, to its end.
///
/// # Errors
/// It cannot be read, is longer than `limit` bytes, or is not UTF-8.
pub fn read_stdin(limit: u64) -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?;
    text(at_most(bytes, limit)?)
}

/// Reads a text file; see [`read`].
///
/// # Errors
/// As [`read`]; or the contents are not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    text(read(path, limit)?)
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn regular(metadata: &std::fs::Metadata) -> Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    #[cfg(unix)]
    let what = {
        use std::os::unix::fs::FileTypeExt as _;
        match () {
            () if kind.is_dir() => "a folder",
            () if kind.is_fifo() => "a named pipe",
            () if kind.is_socket() => "a socket",
            () => "a device",
        }
    };
    #[cfg(not(unix))]
    let what = if kind.is_dir() { "a folder" } else { "a device" };
    Err(Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a regular file")))
}

fn shown(bytes: u64) -> String {
    if bytes >= MIB { format!("{} MiB", bytes / MIB) } else { format!("{} KiB", bytes / KIB) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_limit_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b'x'; 2048]).unwrap();
        assert_eq!(read(&path, 2048).unwrap().len(), 2048);
        let error = read(&path, 2047).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 KiB, the most that is read");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read_text(&path, 9).unwrap_err().to_string(), "it is not UTF-8 text");
        assert_eq!(read(&folder.path().join("none"), 9).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_sparse_file_of_a_terabyte_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let made = File::create(&path).and_then(|file| file.set_len(1 << 40));
        if made.is_ok() {
            assert_eq!(read(&path, MOST_ROWS).unwrap_err().kind(), ErrorKind::FileTooLarge);
        }
    }

    #[cfg(unix)]
    #[test]
    fn pipes_devices_sockets_and_folders_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
        for (name, what) in [("pipe", "a named pipe"), ("socket", "a socket"), ("link", "a device"), (".", "a folder")]
        {
            let error = read(&path(name), MOST_CONFIG).unwrap_err();
            assert_eq!(error.to_string(), format!("it is {what}, not a regular file"), "{name}");
        }
    }
}
