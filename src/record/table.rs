//! metrics.csv, steps.csv and comparison.csv: their rows, written as they come and read strictly.

use super::{Status, replace_file, stop_at};
use crate::files;
use crate::schedule::Semantics;
use anyhow::{Context as _, anyhow, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::marker::PhantomData;
use std::path::{Component, Path, PathBuf};

/// A row of a CSV with a fixed header.
///
/// Floats are the shortest decimals that read back the same; unknown (`None`) is an empty cell; diverged is `NaN`.
pub trait Row: Serialize + DeserializeOwned {
    const HEADER: &'static [&'static str];
}

/// metrics.csv: one row an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// 0-based.
    pub epoch: u64,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// The mean over the epoch's images, as they were trained on.
    pub loss: f64,
    /// A fraction.
    pub accuracy: f64,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    /// Of the epoch's last step; `None` for an optimizer without one.
    pub momentum: Option<f64>,
    /// Updates made so far.
    pub step: u64,
    pub images_per_second: f64,
    /// Wall time of the epoch, validation included.
    pub seconds: f64,
}

impl Row for EpochRow {
    const HEADER: &'static [&'static str] = &[
        "epoch",
        "learning_rate",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "momentum",
        "step",
        "images_per_second",
        "seconds",
    ];
}

/// steps.csv: the values applied at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// 0-based.
    pub step: u64,
    pub epoch: u64,
    pub learning_rate: f64,
    pub momentum: Option<f64>,
    pub loss: f64,
}

impl Row for StepRow {
    const HEADER: &'static [&'static str] = &["step", "epoch", "learning_rate", "momentum", "loss"];
}

/// comparison.csv: one row a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// The run's folder below `runs/`.
    pub run: String,
    pub schedule: String,
    pub optimizer: String,
    pub semantics: Semantics,
    pub seed: u64,
    pub epochs: u64,
    pub lr: f64,
    /// This and the next three: of the last epoch.
    pub loss: Option<f64>,
    pub accuracy: Option<f64>,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    pub best_val_accuracy: Option<f64>,
    pub best_epoch: Option<u64>,
    pub test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    pub seconds: Option<f64>,
    pub status: Status,
}

impl ComparisonRow {
    /// The run's folder in that of its comparison; `None` where its name would lead out of it.
    pub fn folder(&self, comparison: &Path) -> Option<PathBuf> {
        let name = Path::new(&self.run);
        let mut parts = name.components();
        let single =
            matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name.as_os_str());
        single.then(|| comparison.join("runs").join(name))
    }
}

impl Row for ComparisonRow {
    const HEADER: &'static [&'static str] = &[
        "run",
        "schedule",
        "optimizer",
        "semantics",
        "seed",
        "epochs",
        "lr",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "best_val_accuracy",
        "best_epoch",
        "test_loss",
        "test_accuracy",
        "seconds",
        "status",
    ];
}

/// range.csv: one iteration of a learning rate range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeRow {
    /// 0-based.
    pub iteration: u64,
    pub learning_rate: f64,
    pub momentum: Option<f64>,
    pub loss: f64,
    /// With bias correction.
    pub smoothed_loss: f64,
    /// `None` in the iterations between two evaluations.
    pub val_accuracy: Option<f64>,
}

impl Row for RangeRow {
    const HEADER: &'static [&'static str] =
        &["iteration", "learning_rate", "momentum", "loss", "smoothed_loss", "val_accuracy"];
}

/// Writes rows one by one; each is in the file, whole, when `write` returns.
#[derive(Debug)]
pub struct RowWriter<T> {
    file: File,
    path: PathBuf,
    row: PhantomData<fn(T)>,
}

impl<T: Row> RowWriter<T> {
    /// Opens a new file (or empties the one that is there) and writes the header at once. Missing folders above it are made.
    ///
    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let create = || -> std::io::Result<File> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = File::create(path)?;
            file.write_all(format!("{}\n", T::HEADER.join(",")).as_bytes())?;
            Ok(file)
        };
        let file = create().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path: path.to_path_buf(), row: PhantomData })
    }

    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn write(&mut self, row: &T) -> anyhow::Result<()> {
        // One write call a row: a reader, or a crash, sees whole rows.
        let line = lines(std::slice::from_ref(row))?;
        if stop_at::reached("mid-row") {
            let _ = self.file.write_all(&line[..line.len() / 2]);
            stop_at::die();
        }
        self.file.write_all(&line).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Goes on after the first `rows` rows of a file that an earlier process has written: what comes after them, a half-written row
    /// too, is cut off. A file that has no whole header yet is begun anew, where `rows` is 0.
    ///
    /// # Errors
    /// The file has fewer rows, or is of another kind; the line names it.
    pub fn reopen(path: &Path, rows: u64) -> anyhow::Result<Self> {
        let header = format!("{}\n", T::HEADER.join(","));
        let (bytes, edited) = match files::read(path, files::MOST_ROWS) {
            Ok(bytes) => plain(bytes),
            Err(error) if rows == 0 && error.kind() == std::io::ErrorKind::NotFound => (Vec::new(), false),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if rows == 0 && header.as_bytes().starts_with(&bytes) {
            return Self::create(path);
        }
        check_header::<T>(&bytes).with_context(|| path.display().to_string())?;
        // No cell of these files holds a line break.
        let ends = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at as u64 + 1);
        let Some(end) = ends.clone().nth(usize::try_from(rows)?) else {
            bail!("{} has {} whole rows, but the checkpoint was made after {rows}", path.display(), ends.count() - 1);
        };
        if edited {
            replace_file(path, &bytes)?;
        }
        let open = || -> std::io::Result<File> {
            let mut file = File::options().write(true).open(path)?;
            file.set_len(end)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path: path.to_path_buf(), row: PhantomData })
    }

    /// The file itself, for whoever is to see its rows to the disk.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn handle(&self) -> anyhow::Result<File> {
        self.file.try_clone().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Puts a whole file of rows in place of the one before, atomically.
///
/// # Errors
/// The file cannot be written; the line names it.
pub fn write_rows<T: Row>(path: &Path, rows: &[T]) -> anyhow::Result<()> {
    let mut bytes = format!("{}\n", T::HEADER.join(",")).into_bytes();
    bytes.extend(lines(rows)?);
    replace_file(path, &bytes)
}

fn lines<T: Row>(rows: &[T]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    Ok(writer.into_inner()?)
}

/// All rows, or why not.
///
/// # Errors
/// One line that names the file, and the row and cell where there is one: unreadable, empty, a foreign header, a cell that is not what
/// its column holds, a row that is cut.
pub fn read_rows<T: Row>(path: &Path) -> anyhow::Result<Vec<T>> {
    match read_good_rows(path) {
        (rows, None) => Ok(rows),
        (_, Some(error)) => Err(error),
    }
}

/// The rows before the first damage, and what the damage is: see [`read_rows`].
pub fn read_good_rows<T: Row>(path: &Path) -> (Vec<T>, Option<anyhow::Error>) {
    let mut rows = Vec::new();
    let error = read_into(path, &mut rows).with_context(|| path.display().to_string()).err();
    (rows, error)
}

fn read_into<T: Row>(path: &Path, rows: &mut Vec<T>) -> anyhow::Result<()> {
    let (bytes, _) = plain(files::read(path, files::MOST_ROWS)?);
    if bytes.is_empty() {
        bail!("the file is empty, expected the header `{}`", T::HEADER.join(","));
    }
    check_header::<T>(&bytes)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_slice());
    let mut record = csv::StringRecord::new();
    let mut number = 0;
    loop {
        number += 1;
        let more = reader.read_record(&mut record).map_err(|_| anyhow!("row {number} is not text"))?;
        if !more {
            break;
        }
        let ended = reader.position().byte() < bytes.len() as u64 || bytes.ends_with(b"\n");
        if !ended {
            bail!("row {number} is cut: the file ends inside it");
        }
        if record.len() != T::HEADER.len() {
            bail!("row {number} has {} cells, expected {}", record.len(), T::HEADER.len());
        }
        rows.push(record.deserialize(None).map_err(|error| cell_error(number, &record, &error, T::HEADER))?);
    }
    Ok(())
}

/// The bytes without what a spreadsheet or an editor adds when it saves the same rows: a byte order mark, and CRLF for each line end. Says
/// whether there was any.
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

/// What a message shows of a header at most: our longest one, and some more.
const LONGEST_HEADER: usize = 240;

/// Holds the first line to the header of `T`: the one reading of it, for those who read rows and for those who append some.
fn check_header<T: Row>(bytes: &[u8]) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = reader.headers().map_err(|_| anyhow!("row 0, the header, is not text"))?;
    if header.iter().eq(T::HEADER.iter().copied()) {
        return Ok(());
    }
    let found: String = header.iter().collect::<Vec<_>>().join(",").chars().take(LONGEST_HEADER).collect();
    bail!("row 0, the header, is `{}`, expected `{}`", found.escape_debug(), T::HEADER.join(","))
}

/// Which cell of the row is not what its column holds.
fn cell_error(number: usize, record: &csv::StringRecord, error: &csv::Error, header: &[&str]) -> anyhow::Error {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return anyhow!("row {number}: {error}");
    };
    let field = err.field().map_or(0, |field| field as usize).min(header.len() - 1);
    let value: String = record.get(field).unwrap_or("").chars().take(40).collect();
    anyhow!("row {number}: `{}` is `{}`: {}", header[field], value.escape_debug(), err.kind())
}
