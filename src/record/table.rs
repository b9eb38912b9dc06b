//! Tables of rows: appended row by row, and parsed strictly.

use super::check::out_of_place;
use super::{Row, replace_own, stop_at};
use crate::disk::{self, check_in_place, open_own, read_own};
use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// SHA-256 of the rows that a run has written so far, without the header. Rows are serialised again before hashing, so
/// that an editor's line endings do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDigests {
    pub metrics: String,
    /// Digest of steps.csv, with `--log-steps`.
    pub steps: Option<String>,
}

/// The first line of a table, without its line ending.
pub(super) fn header<T: Row>() -> String {
    T::header().join(",")
}

fn hex(digest: &Sha256) -> String {
    digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of `rows`, as in [`RowDigests`].
///
/// # Errors
/// Never for a valid row.
pub fn digest_of<T: Row>(rows: &[T]) -> anyhow::Result<String> {
    Ok(hex(&Sha256::new().chain_update(lines(rows)?)))
}

/// Writes rows one by one; each row is in the file, complete, when `write` returns.
#[derive(Debug)]
pub struct RowWriter<T> {
    file: File,
    path: PathBuf,
    /// Hash of all rows so far.
    digest: Sha256,
    row: PhantomData<fn(T)>,
}

impl<T: Row> RowWriter<T> {
    /// Creates the file, or truncates an existing table of the same rows, and writes the header at once. The folder
    /// must exist: one that was moved or deleted is not created again.
    ///
    /// # Errors
    /// The file cannot be written, or is not ours to replace; the line names it.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let header = format!("{}\n", header::<T>());
        let create = || -> std::io::Result<File> {
            let mut file = open_own(path)?;
            let mut start = Vec::new();
            (&file).take(header.len() as u64).read_to_end(&mut start)?;
            // A process that was killed may have left a partial header.
            if !header.as_bytes().starts_with(&start) {
                return Err(std::io::Error::other("the file that is there is not one of lrsched's; move it away"));
            }
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(header.as_bytes())?;
            Ok(file)
        };
        let file = create().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path: path.to_path_buf(), digest: Sha256::new(), row: PhantomData })
    }

    /// SHA-256 of all rows so far, as in [`RowDigests`].
    pub fn digest(&self) -> String {
        hex(&self.digest)
    }

    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn write(&mut self, row: &T) -> anyhow::Result<()> {
        // One write call per row: readers, also after a crash, see whole rows.
        let line = lines(std::slice::from_ref(row))?;
        if stop_at::reached("mid-row") {
            let _ = self.file.write_all(&line[..line.len() / 2]);
            stop_at::die();
        }
        self.digest.update(&line);
        self.file.write_all(&line).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// # Errors
    /// The path no longer names the file: it was moved or deleted.
    pub fn check_in_place(&self) -> anyhow::Result<()> {
        check_in_place(&self.file, &self.path)
    }

    /// A handle to the file, for syncing its rows to disk.
    ///
    /// # Errors
    /// The process has too many open files.
    pub fn handle(&self) -> anyhow::Result<File> {
        self.file.try_clone().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// The part of an existing table that is kept.
#[derive(Debug)]
enum Kept {
    /// Everything up to this byte offset.
    UpTo(u64),
    /// These bytes replace the file, which a spreadsheet or an editor has saved in its own format.
    Instead(Vec<u8>),
}

/// The rows of an earlier process, which a resumed run continues. They have been read; the file is unchanged.
#[derive(Debug)]
pub struct Table<T> {
    path: PathBuf,
    /// The part of the file to keep; `None` to create it anew.
    kept: Option<Kept>,
    digest: Sha256,
    row: PhantomData<fn(T)>,
}

impl<T: Row> Table<T> {
    /// Reads the first `rows` rows as strictly as [`read_rows`], and passes each to `see`, which may reject it. Later
    /// rows are ignored. If `rows` is 0, a file without a complete header will be created anew.
    ///
    /// # Errors
    /// The file has fewer rows, is of another kind, or holds a row that is damaged or out of place; the line names the
    /// file and the row.
    pub fn read(path: &Path, rows: u64, see: &mut dyn FnMut(&T) -> Result<(), String>) -> anyhow::Result<Self> {
        let mut digest = Sha256::new();
        let table = |kept, digest| Self { path: path.to_path_buf(), kept, digest, row: PhantomData };
        let (mut bytes, edited) = match read_own(path, disk::MOST_ROWS) {
            Ok(bytes) => plain(bytes),
            Err(error) if rows == 0 && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(table(None, digest));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if rows == 0 && format!("{}\n", header::<T>()).as_bytes().starts_with(&bytes) {
            return Ok(table(None, digest));
        }
        let mut number = 0;
        let mut check = |row: T| {
            let wrong = out_of_place(&row, number);
            number += 1;
            let mut seen = || match row.wrong(false) {
                Some(wrong) => Err(wrong),
                None => see(&row),
            };
            match wrong.map_or_else(|| seen().map_err(|wrong| format!("row {number}: {wrong}")), Err) {
                Ok(()) => digest.update(lines(std::slice::from_ref(&row))?),
                Err(wrong) => bail!(wrong),
            }
            Ok(())
        };
        let read = read_bytes(&bytes, Some(rows), &mut check).with_context(|| path.display().to_string())?;
        let (found, end) = read;
        if found < rows {
            bail!("{} has {found} whole rows, but the checkpoint was made after {rows}", path.display());
        }
        bytes.truncate(end);
        Ok(table(Some(if edited { Kept::Instead(bytes) } else { Kept::UpTo(end as u64) }), digest))
    }

    /// # Errors
    /// The rows do not match this digest; the line names the file.
    pub fn check_digest(&self, expected: &str) -> anyhow::Result<()> {
        if hex(&self.digest) != expected {
            bail!("{}: rows were changed: their SHA-256 is not the one in the checkpoint", self.path.display());
        }
        Ok(())
    }

    /// Truncates the file after the rows that were read, and appends from there.
    ///
    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn open(self) -> anyhow::Result<RowWriter<T>> {
        let end = match self.kept {
            None => return RowWriter::create(&self.path),
            Some(Kept::UpTo(end)) => end,
            Some(Kept::Instead(bytes)) => {
                replace_own(&self.path, &bytes)?;
                bytes.len() as u64
            }
        };
        let open = || -> std::io::Result<File> {
            let mut file = open_own(&self.path)?;
            file.set_len(end)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(RowWriter { file, path: self.path, digest: self.digest, row: PhantomData })
    }
}

/// Replaces a whole table atomically. Creates missing parent folders.
///
/// # Errors
/// The file cannot be written; the line names it.
pub fn write_rows<T: Row>(path: &Path, rows: &[T]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut bytes = format!("{}\n", header::<T>()).into_bytes();
    bytes.extend(lines(rows)?);
    replace_own(path, &bytes)
}

fn lines<T: Row>(rows: &[T]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    Ok(writer.into_inner()?)
}

/// All rows.
///
/// # Errors
/// One line that names the file, and the row and cell if any: unreadable, empty, an unexpected header, a cell of the
/// wrong type, a truncated row.
pub fn read_rows<T: Row>(path: &Path) -> anyhow::Result<Vec<T>> {
    match read_good_rows(path) {
        (rows, None) => Ok(rows),
        (_, Some(error)) => Err(error),
    }
}

/// The rows before the first damaged one, and what is wrong with that: see [`read_rows`].
pub fn read_good_rows<T: Row>(path: &Path) -> (Vec<T>, Option<anyhow::Error>) {
    let mut rows = Vec::new();
    let error = read_into(path, &mut rows).with_context(|| path.display().to_string()).err();
    (rows, error)
}

fn read_into<T: Row>(path: &Path, rows: &mut Vec<T>) -> anyhow::Result<()> {
    let (bytes, _) = plain(disk::read(path, disk::MOST_ROWS)?);
    read_bytes(&bytes, None, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(())
}

/// Passes up to `most` rows of a table to `see`; returns their number and the byte offset at which the last one ends.
fn read_bytes<T: Row>(
    bytes: &[u8],
    most: Option<u64>,
    see: &mut dyn FnMut(T) -> anyhow::Result<()>,
) -> anyhow::Result<(u64, usize)> {
    if bytes.is_empty() {
        bail!("the file is empty, expected the header `{}`", header::<T>());
    }
    check_header::<T>(bytes)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let columns = T::header();
    // With no rows to read, the end is that of the header.
    reader.headers()?;
    let mut record = csv::StringRecord::new();
    let mut number = 0;
    while most.is_none_or(|most| number < most) {
        number += 1;
        let more = reader.read_record(&mut record).map_err(|_| anyhow!("row {number} is not text"))?;
        if !more {
            number -= 1;
            break;
        }
        let ended = reader.position().byte() < bytes.len() as u64 || bytes.ends_with(b"\n");
        if !ended {
            bail!("row {number} is cut: the file ends inside it");
        }
        if record.len() != columns.len() {
            bail!("row {number} has {} cells, expected {}", record.len(), columns.len());
        }
        see(record.deserialize(None).map_err(|error| cell_error(number, &record, &error, &columns))?)?;
    }
    Ok((number, usize::try_from(reader.position().byte())?))
}

/// Strips what a spreadsheet or an editor adds on saving: a byte order mark, and CRLF line endings. Also returns
/// whether anything was stripped.
fn plain(bytes: Vec<u8>) -> (Vec<u8>, bool) {
    let rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if rest.len() == bytes.len() && !rest.contains(&b'\r') {
        return (bytes, false);
    }
    let mut kept = Vec::with_capacity(rest.len());
    for (at, &byte) in rest.iter().enumerate() {
        if byte != b'\r' || rest.get(at + 1) != Some(&b'\n') {
            kept.push(byte);
        }
    }
    let changed = kept.len() != bytes.len();
    (kept, changed)
}

/// How much of a header an error quotes: enough for our longest one.
const LONGEST_HEADER: usize = 240;

/// Checks the first line against the header of `T`; shared by reading and appending.
fn check_header<T: Row>(bytes: &[u8]) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = reader.headers().map_err(|_| anyhow!("row 0, the header, is not text"))?;
    if header.iter().eq(T::header()) {
        return Ok(());
    }
    let found: String = header.iter().collect::<Vec<_>>().join(",").chars().take(LONGEST_HEADER).collect();
    bail!("row 0, the header, is `{}`, expected `{}`", found.escape_debug(), self::header::<T>())
}

/// An error that names the cell that cannot be parsed.
fn cell_error(number: u64, record: &csv::StringRecord, error: &csv::Error, header: &[&str]) -> anyhow::Error {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return anyhow!("row {number}: {error}");
    };
    let field = err.field().map_or(0, |field| field as usize).min(header.len() - 1);
    let value: String = record.get(field).unwrap_or("").chars().take(40).collect();
    anyhow!("row {number}: `{}` is `{}`: {}", header[field], value.escape_debug(), err.kind())
}
