//! Tables of rows: appended row by row, and parsed strictly.

use super::check::out_of_place;
use super::columns::Columns;
use super::{Row, replace_own, stop_at};
use crate::disk::{self, check_in_place, make_folders, open_own, read_own};
use crate::usage::shortened;
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

fn hex(digest: &Sha256) -> String {
    digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of `rows` in a table of these columns, as in [`RowDigests`].
///
/// # Errors
/// Never for a valid row.
pub(super) fn digest_of<T: Row>(rows: &[T], columns: &Columns) -> anyhow::Result<String> {
    Ok(hex(&Sha256::new().chain_update(columns.lines(rows)?)))
}

/// Writes rows one by one; each row is in the file, complete, when `write` returns.
#[derive(Debug)]
pub struct RowWriter<T> {
    file: File,
    path: PathBuf,
    columns: Columns,
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
        Self::create_with(path, Columns::all::<T>())
    }

    /// The same, with these columns.
    ///
    /// # Errors
    /// As [`RowWriter::create`].
    pub fn create_with(path: &Path, columns: Columns) -> anyhow::Result<Self> {
        let header = format!("{}\n", columns.header::<T>());
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
        Ok(Self { file, path: path.to_path_buf(), columns, digest: Sha256::new(), row: PhantomData })
    }

    /// SHA-256 of all rows so far, as in [`RowDigests`].
    pub fn digest(&self) -> String {
        hex(&self.digest)
    }

    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn write(&mut self, row: &T) -> anyhow::Result<()> {
        // One write call per row: readers, also after a crash, see whole rows.
        let line = self.columns.lines(std::slice::from_ref(row))?;
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
    columns: Columns,
    digest: Sha256,
    row: PhantomData<fn(T)>,
}

impl<T: Row> Table<T> {
    /// Reads the first `rows` rows as strictly as [`read_rows`], and passes each to `see`, which may reject it, with the
    /// columns of the file. Later rows are ignored. If `rows` is 0, a file without a complete header of these `columns`
    /// will be created anew.
    ///
    /// # Errors
    /// The file has fewer rows, is of another kind, or holds a row that is damaged or out of place; the line names the file and the row.
    pub fn read(
        path: &Path,
        rows: u64,
        columns: Columns,
        see: &mut dyn FnMut(&T, &Columns) -> Result<(), String>,
    ) -> anyhow::Result<Self> {
        let mut digest = Sha256::new();
        let table = |kept, columns, digest| Self { path: path.to_path_buf(), kept, columns, digest, row: PhantomData };
        let all = columns;
        let (mut bytes, edited) = match read_own(path, disk::MOST_ROWS) {
            Ok(bytes) => plain(bytes),
            Err(error) if rows == 0 && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(table(None, all, digest));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if rows == 0 && format!("{}\n", all.header::<T>()).as_bytes().starts_with(&bytes) {
            return Ok(table(None, all, digest));
        }
        let mut number = 0;
        let mut check = |row: T, columns: &Columns| {
            let wrong = out_of_place(&row, number);
            number += 1;
            let mut seen = || match row.wrong(false) {
                Some(wrong) => Err(wrong),
                None => see(&row, columns),
            };
            match wrong.map_or_else(|| seen().map_err(|wrong| format!("row {number}: {wrong}")), Err) {
                Ok(()) => digest.update(columns.lines(std::slice::from_ref(&row))?),
                Err(wrong) => bail!(wrong),
            }
            Ok(())
        };
        let read = read_bytes(&bytes, Some(rows), &mut check).with_context(|| path.display().to_string())?;
        let ReadTable { columns, rows: found, end } = read;
        if found < rows {
            bail!("{} has {found} whole rows, but the checkpoint was made after {rows}", path.display());
        }
        bytes.truncate(end);
        Ok(table(Some(if edited { Kept::Instead(bytes) } else { Kept::UpTo(end as u64) }), columns, digest))
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
            None => return RowWriter::create_with(&self.path, self.columns),
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
        Ok(RowWriter { file, path: self.path, columns: self.columns, digest: self.digest, row: PhantomData })
    }
}

/// Replaces a whole table atomically. Creates missing parent folders.
///
/// # Errors
/// The file cannot be written; the line names it.
pub fn write_rows<T: Row>(path: &Path, rows: &[T]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        make_folders(folder).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let columns = Columns::all::<T>();
    let mut bytes = format!("{}\n", columns.header::<T>()).into_bytes();
    bytes.extend(columns.lines(rows)?);
    replace_own(path, &bytes)
}

/// All rows. Columns that a file of an earlier version lacks are empty.
///
/// # Errors
/// One line that names the file, and the row and cell if any: unreadable, empty, an unexpected header, a cell of the
/// wrong type, a truncated row.
pub fn read_rows<T: Row>(path: &Path) -> anyhow::Result<Vec<T>> {
    read_table(path).map(|(rows, _)| rows)
}

/// As [`read_rows`], with the columns of the file.
pub(super) fn read_table<T: Row>(path: &Path) -> anyhow::Result<(Vec<T>, Columns)> {
    let mut rows = Vec::new();
    let columns = read_into(path, &mut rows).with_context(|| path.display().to_string())?;
    Ok((rows, columns))
}

/// The rows before the first damaged one, and what is wrong with that: see [`read_rows`].
pub fn read_good_rows<T: Row>(path: &Path) -> (Vec<T>, Option<anyhow::Error>) {
    let mut rows = Vec::new();
    let error = read_into(path, &mut rows).with_context(|| path.display().to_string()).err();
    (rows, error)
}

fn read_into<T: Row>(path: &Path, rows: &mut Vec<T>) -> anyhow::Result<Columns> {
    let (bytes, _) = plain(disk::read(path, disk::MOST_ROWS)?);
    let read = read_bytes(&bytes, None, &mut |row, _| {
        rows.push(row);
        Ok(())
    })?;
    Ok(read.columns)
}

/// What was read of a table.
struct ReadTable {
    columns: Columns,
    rows: u64,
    /// Where the last of the rows ends.
    end: usize,
}

/// Hands up to `most` rows of a table to `see`, with its columns.
fn read_bytes<T: Row>(
    bytes: &[u8],
    most: Option<u64>,
    see: &mut dyn FnMut(T, &Columns) -> anyhow::Result<()>,
) -> anyhow::Result<ReadTable> {
    if bytes.is_empty() {
        bail!("the file is empty, expected the header `{}`", Columns::all::<T>().header::<T>());
    }
    let columns = Columns::of::<T>(bytes)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let names = T::header();
    // Where no row is wanted, the end is that of the header.
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
        if record.len() != columns.count() {
            bail!("row {number} has {} cells, expected {}", record.len(), columns.count());
        }
        let named = named_cells(number, &record, &columns)?;
        record.truncate(columns.own());
        names[columns.own()..].iter().for_each(|_| record.push_field(""));
        let mut row: T = record.deserialize(None).map_err(|error| cell_error(number, &record, &error, &names))?;
        row.set_named(named);
        see(row, &columns)?;
    }
    Ok(ReadTable { columns, rows: number, end: usize::try_from(reader.position().byte())? })
}

/// The numbers in the columns of [`Row::NAMED`].
fn named_cells(number: u64, record: &csv::StringRecord, columns: &Columns) -> anyhow::Result<Vec<f64>> {
    let cells = record.iter().skip(columns.own()).zip(columns.names());
    let value = |(cell, name): (&str, &String)| {
        let value = cell.parse().ok().filter(|value: &f64| value.is_finite());
        value.with_context(|| {
            format!("row {number}: `{name}` is `{}`, expected a number", shortened(cell).escape_debug())
        })
    };
    cells.map(value).collect()
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

/// Which cell of the row is not what its column holds.
fn cell_error(number: u64, record: &csv::StringRecord, error: &csv::Error, header: &[&str]) -> anyhow::Error {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return anyhow!("row {number}: {error}");
    };
    let field = err.field().map_or(0, |field| field as usize).min(header.len() - 1);
    let value: String = record.get(field).unwrap_or("").chars().take(40).collect();
    anyhow!("row {number}: `{}` is `{}`: {}", header[field], value.escape_debug(), err.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{is_begun, is_table_of};

    /// Rows of this version, and of the one that wrote `step` and `loss` alone.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wide {
        step: u64,
        loss: f64,
        gradient: Option<f64>,
    }

    impl Row for Wide {
        const ADDED: &'static [&'static str] = &["gradient"];

        fn place(&self) -> Option<(&'static str, u64)> {
            Some(("step", self.step))
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Narrow {
        step: u64,
        loss: f64,
    }

    impl Row for Narrow {}

    fn wide(step: u64, gradient: Option<f64>) -> Wide {
        Wide { step, loss: 0.5, gradient }
    }

    #[test]
    fn a_table_of_an_earlier_version_is_read_with_its_missing_columns_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.csv");
        write_rows(&path, &[Narrow { step: 0, loss: 0.5 }]).unwrap();
        assert_eq!(read_rows::<Wide>(&path).unwrap(), [wide(0, None)]);
        assert!(is_table_of::<Wide>(&path) && is_begun::<Wide>(&path));
        for (text, why) in [
            ("step\n0\n", "row 0, the header, is `step`, expected `step,loss,gradient`"),
            ("loss,step\n", "row 0, the header, is `loss,step`, expected `step,loss,gradient`"),
            ("step,loss\n0,0.5,1\n", "row 1 has 3 cells, expected 2"),
            ("step,loss,gradient\n0,0.5\n", "row 1 has 2 cells, expected 3"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", read_rows::<Wide>(&path).unwrap_err());
            assert!(error.ends_with(why), "{error}");
        }
        assert!(read_rows::<Narrow>(&path).is_err(), "columns of a later version");
    }

    #[test]
    fn a_table_of_an_earlier_version_is_continued_in_its_own_columns_and_digested_over_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.csv");
        let first = Narrow { step: 0, loss: 0.5 };
        write_rows(&path, &[Narrow { ..first }, Narrow { step: 1, loss: 0.75 }]).unwrap();
        let mut same = false;
        let table = Table::read(&path, 1, Columns::all::<Wide>(), &mut |row: &Wide, columns| {
            same = columns.same(row, &wide(0, Some(2.0)));
            Ok(())
        })
        .unwrap();
        assert!(same, "what the checkpoint has in a column that the file lacks does not count");
        table.check_digest(&digest_of(&[Narrow { ..first }], &Columns::all::<Narrow>()).unwrap()).unwrap();
        let mut writer = table.open().unwrap();
        writer.write(&wide(1, Some(3.0))).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "step,loss\n0,0.5\n1,0.5\n");
        let (rows, columns) = read_table::<Wide>(&path).unwrap();
        assert_eq!(rows, [wide(0, None), wide(1, None)]);
        assert_eq!(digest_of(&rows, &columns).unwrap(), writer.digest());
    }

    #[test]
    fn a_table_that_is_begun_anew_has_every_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.csv");
        std::fs::write(&path, "step,lo").unwrap();
        let mut writer =
            Table::<Wide>::read(&path, 0, Columns::all::<Wide>(), &mut |_, _| Ok(())).unwrap().open().unwrap();
        writer.write(&wide(0, Some(2.0))).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "step,loss,gradient\n0,0.5,2.0\n");
    }
}
