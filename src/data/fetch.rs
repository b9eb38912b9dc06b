//! Downloads CIFAR-10: tries mirrors in turn, resumes interrupted downloads, and verifies the archive before unpacking
//! it.

use super::cifar::{self, CIFAR10, Layout, Place};
use super::dataset::hex;
use super::unpack::unpack;
use crate::disk::{self, is_at, make_folders, open_own, remove_empty};
use crate::number::grouped;
use crate::usage;
use crate::usage::{Usage, shortened};
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// The partial download, in the destination folder.
pub const PART: &str = "cifar-10-binary.tar.gz.part";
/// Where the archive is unpacked before its files are renamed into place.
const UNPACKING: &str = ".lrsched-unpacking";
/// Attempts per mirror that breaks off after sending something.
const ATTEMPTS: usize = 5;

/// An archive to download, and how to verify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Tried in order. `https://`, `http://` or `file://`.
    pub urls: Vec<String>,
    pub bytes: u64,
    /// In hex.
    pub sha256: String,
}

impl Archive {
    /// `cifar-10-binary.tar.gz` from the given mirrors, then from the University of Toronto.
    ///
    /// # Errors
    /// A mirror is not a URL with a supported scheme.
    pub fn cifar10(mirrors: &[String]) -> Result<Self, Usage> {
        let known = |url: &&String| ["https://", "http://", "file://"].iter().any(|scheme| url.starts_with(scheme));
        if let Some(url) = mirrors.iter().find(|url| !known(url)) {
            let url = shortened(&without_password(url));
            return usage!("mirror must begin with https://, http:// or file://, got `{url}`");
        }
        let official = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz".to_string();
        Ok(Self {
            urls: mirrors.iter().cloned().chain([official]).collect(),
            bytes: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd".to_string(),
        })
    }
}

/// Progress reports, for a progress bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownloadProgress<'a> {
    /// `done` of `total` bytes have been downloaded.
    Downloading {
        url: &'a str,
        done: u64,
        total: u64,
    },
    /// This URL failed; the next one, if any, is tried.
    Failed {
        url: &'a str,
        reason: &'a str,
    },
    /// The archive is complete and its digest is being computed.
    Verifying,
    Unpacking,
}

/// Installs the files of CIFAR-10 in `folder`, complete and verified, or not at all.
///
/// Until the files are in place, the download stays in `cifar-10-binary.tar.gz.part`, and the next call resumes it. If
/// nothing was downloaded, no file or new folder remains.
///
/// # Errors
/// No URL provides an archive with the right length and digest; the archive's contents are invalid; `folder` is not
/// writable; another process is fetching into it.
pub fn fetch(archive: &Archive, folder: &Path, report: &mut dyn FnMut(DownloadProgress)) -> Result<()> {
    let cannot_write = || format!("cannot write to {}", folder.display());
    let made = make_folders(folder).with_context(cannot_write)?;
    let part_path = folder.join(PART);
    let fetched = fetch_into(archive, folder, &part_path, report);
    if fetched.is_err() {
        remove_empty(&made);
    }
    fetched
}

fn fetch_into(
    archive: &Archive,
    folder: &Path,
    part_path: &Path,
    report: &mut dyn FnMut(DownloadProgress),
) -> Result<()> {
    let cannot_write = || format!("cannot write {}", part_path.display());
    let mut part = open_part(part_path, folder)?;
    let downloaded = download(archive, &mut part, report);
    // Nothing to resume. Remove the file while it is locked, so that no other process has started to fill it.
    if downloaded.is_err() && part.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        let _ = std::fs::remove_file(part_path);
    }
    downloaded?;
    report(DownloadProgress::Unpacking);
    unpack_into(&mut part, folder)?;
    std::fs::remove_file(part_path).with_context(cannot_write)
}

/// Opens and locks the partial download, creating it if needed.
fn open_part(path: &Path, folder: &Path) -> Result<File> {
    loop {
        let part = open_own(path).with_context(|| format!("cannot write {}", path.display()))?;
        match part.try_lock() {
            // A failed fetch may have removed the file between opening and locking.
            Ok(()) if is_at(&part, path) => return Ok(part),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another `lrsched data fetch` is writing to {}", folder.display()),
            // The file system has no locks: proceed without.
            Err(TryLockError::Error(_)) => return Ok(part),
        }
    }
}

/// Unpacks into a temporary folder next to the destination, checks the files, and only then renames them into place.
fn unpack_into(part: &mut File, folder: &Path) -> Result<()> {
    let cannot_write = || format!("cannot write to {}", folder.display());
    let unpacking = folder.join(UNPACKING);
    remove_folder(&unpacking).with_context(cannot_write)?; // left by a fetch that was killed
    std::fs::create_dir(&unpacking).with_context(cannot_write)?;
    let mut unpack_and_check = || -> Result<()> {
        part.seek(SeekFrom::Start(0))?;
        unpack(BufReader::new(&*part), &unpacking)?;
        cifar::open(&Place::binary(&CIFAR10, &unpacking))?;
        place(&unpacking, folder).with_context(cannot_write)
    };
    let result = unpack_and_check();
    remove_folder(&unpacking).with_context(cannot_write)?;
    result
}

/// Renames all files of CIFAR-10 from one folder to another on the same file system.
fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    for name in CIFAR10.files(Layout::Binary) {
        std::fs::rename(from.join(name), to.join(name))?;
    }
    Ok(())
}

fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Fills `part` from the first URL that provides the right archive.
fn download(archive: &Archive, part: &mut File, report: &mut dyn FnMut(DownloadProgress)) -> Result<()> {
    let mut reasons = Vec::new();
    for url in &archive.urls {
        match download_from(url, archive, part, report) {
            Ok(()) => return Ok(()),
            Err(error) => {
                // Libraries may repeat the URL in their messages.
                let shown = without_password(url);
                let reason = format!("{error:#}").replace(url.as_str(), &shown);
                report(DownloadProgress::Failed { url: &shown, reason: &reason });
                reasons.push(format!("{shown}: {reason}"));
            }
        }
    }
    bail!(
        "CIFAR-10 could not be fetched ({}); rerun to resume the download, pass a copy with \
         `--mirror file:///path/to/cifar-10-binary.tar.gz`, or train without it: `--dataset synthetic`",
        reasons.join("; ")
    )
}

/// Resumes `part`, retrying after each interruption, and verifies the digest of the whole. A whole with a wrong digest
/// is discarded and, if an earlier download began it, downloaded once more from the start.
fn download_from(
    url: &str,
    archive: &Archive,
    part: &mut File,
    report: &mut dyn FnMut(DownloadProgress),
) -> Result<()> {
    for attempt in 1.. {
        let before = part.metadata()?.len();
        let result = resume(url, archive, part, report);
        let after = part.metadata()?.len();
        match result {
            Ok(()) => {
                report(DownloadProgress::Verifying);
                match check_digest(archive, part) {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        part.set_len(0)?;
                        if before == 0 || attempt >= ATTEMPTS {
                            return Err(error);
                        }
                    }
                }
            }
            Err(error) if after <= before || attempt >= ATTEMPTS => return Err(error),
            Err(_) => {}
        }
    }
    unreachable!("the last attempt returns")
}

/// Appends the rest of the archive to `part`; starts over if the source cannot resume.
fn resume(url: &str, archive: &Archive, part: &mut File, report: &mut dyn FnMut(DownloadProgress)) -> Result<()> {
    let mut here = part.metadata()?.len();
    if here > archive.bytes {
        part.set_len(0)?;
        here = 0;
    }
    if here == archive.bytes {
        return Ok(());
    }
    let (from, mut body) = match url.strip_prefix("file://") {
        Some(path) => open_file(path, archive)?,
        None => request(url, here, archive)?,
    };
    part.set_len(from)?;
    part.seek(SeekFrom::Start(from))?;
    let shown = without_password(url);
    let mut done = from;
    let mut buffer = vec![0; 1 << 16];
    loop {
        report(DownloadProgress::Downloading { url: &shown, done, total: archive.bytes });
        let count = body.read(&mut buffer).map_err(|error| anyhow::anyhow!("broke off: {error}"))?;
        if count == 0 {
            break;
        }
        done += count as u64;
        ensure!(done <= archive.bytes, "is longer than the {} bytes expected", grouped(archive.bytes));
        part.write_all(&buffer[..count]).context("cannot write what was downloaded")?;
    }
    ensure!(done == archive.bytes, "broke off after {} of {} bytes", grouped(done), grouped(archive.bytes));
    Ok(())
}

/// The URL without its password, for messages and logs: `https://user:***@host/path`.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("//") else { return url.to_string() };
    let rest_of = |at: usize| (&rest[..at], &rest[at..]);
    let (authority, _) = rest_of(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    // A password containing a slash makes the URL invalid but must still be hidden.
    let secret = authority.contains('@') || authority.rsplit_once(':').is_some_and(|(_, port)| !is_port(port));
    let end = if authority.contains('@') { authority.rfind('@') } else { rest.rfind('@').filter(|_| secret) };
    let Some((user, host)) = end.map(rest_of) else { return url.to_string() };
    match user.split_once(':') {
        Some((user, _)) => format!("{scheme}//{user}:***{host}"),
        None => url.to_string(),
    }
}

/// The archive offset at which a body starts, and the body.
type Opened = (u64, Box<dyn Read>);

fn open_file(path: &str, archive: &Archive) -> Result<Opened> {
    let path = percent_decoded(path.strip_prefix("localhost").unwrap_or(path));
    let file = disk::open(Path::new(&path))?;
    let bytes = file.metadata()?.len();
    ensure!(bytes == archive.bytes, "is {} bytes, expected {}", grouped(bytes), grouped(archive.bytes));
    Ok((0, Box::new(file)))
}

/// Decodes `%20` and the like; other percent signs stay. On Unix the result may hold any bytes, as paths there do.
fn percent_decoded(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(bytes);
    #[cfg(not(unix))]
    String::from_utf8(bytes).map_or_else(|_| text.into(), OsString::from)
}

/// Requests the archive from byte `from`. Servers that cannot resume (200, or 416) send it from the start.
fn request(url: &str, from: u64, archive: &Archive) -> Result<Opened> {
    let agent = ureq::Agent::config_builder()
        .user_agent(concat!("lrsched/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity") // the archive as it is: its length and digest are of the compressed bytes
        .http_status_as_error(false)
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .new_agent();
    let mut request = agent.get(url);
    if from > 0 {
        request = request.header("Range", format!("bytes={from}-"));
    }
    let response = request.call().map_err(|error| anyhow::anyhow!("{error} (is there a network?)"))?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let start = match response.status().as_u16() {
        200 => 0,
        206 => {
            let range = header("content-range").unwrap_or_default();
            ensure!(range.starts_with(&format!("bytes {from}-")), "sent `{range}` when asked to resume at byte {from}");
            from
        }
        416 if from > 0 => return self::request(url, 0, archive),
        status => bail!("answered {status}"),
    };
    if let Some(length) = header("content-length").and_then(|length| length.parse::<u64>().ok()) {
        let (whole, expected) = (grouped(start.saturating_add(length)), grouped(archive.bytes));
        ensure!(whole == expected, "is {whole} bytes, expected {expected}");
    }
    Ok((start, Box::new(response.into_body().into_reader())))
}

fn check_digest(archive: &Archive, part: &mut File) -> Result<()> {
    part.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match part.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let digest = hex(&hash.finalize());
    ensure!(digest == archive.sha256, "has SHA-256 {digest}, expected {}", archive.sha256);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_come_before_the_official_page_and_must_be_urls() {
        let archive = Archive::cifar10(&["file:///srv/c.tar.gz".to_string()]).unwrap();
        assert_eq!(archive.urls[0], "file:///srv/c.tar.gz");
        assert!(archive.urls[1].starts_with("https://www.cs.toronto.edu/"));
        let error = Archive::cifar10(&["/srv/c.tar.gz".to_string()]).unwrap_err().to_string();
        assert_eq!(error, "mirror must begin with https://, http:// or file://, got `/srv/c.tar.gz`");
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("https://user:secret@host/a.tar.gz", "https://user:***@host/a.tar.gz"),
            ("https://user:se@cret@host:8080/a?b@c", "https://user:***@host:8080/a?b@c"),
            ("https://user:se/cret@host/a", "https://user:***@host/a"),
            ("ftp://:secret@host", "ftp://:***@host"),
            ("https://host:8080/a@b", "https://host:8080/a@b"),
            ("https://host/a:b@c", "https://host/a:b@c"),
            ("file:///srv/a:b@c", "file:///srv/a:b@c"),
            ("user:secret", "user:secret"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn percent_codes_are_decoded_and_other_percent_signs_kept() {
        assert_eq!(percent_decoded("/a%20b%2Fc"), "/a b/c");
        assert_eq!(percent_decoded("/100%/%zz%4"), "/100%/%zz%4");
        assert_eq!(percent_decoded("/%é"), "/%é");
        #[cfg(unix)]
        assert_eq!(std::os::unix::ffi::OsStringExt::into_vec(percent_decoded("/%ff")), b"/\xff");
    }
}
