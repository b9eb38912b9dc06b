//! The CSV files: their columns are the fields, in order.
//!
//! Numbers are the shortest decimal that reads back to the same f64; an unknown value is an empty cell, a diverged one `NaN`.

use super::info::Status;
use super::replace_file;
use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A row of `metrics.csv`: one epoch. Keras CSVLogger's names first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// 0-based.
    pub epoch: u64,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Mean over the epoch's images, as they were trained on, in nats.
    pub loss: f64,
    /// A share, 0 to 1.
    pub accuracy: f64,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    /// Applied in the epoch's last step; nothing for an optimizer without one. Adam's beta1.
    pub momentum: Option<f64>,
    /// Updates made so far.
    pub step: u64,
    /// Of training alone.
    pub images_per_second: f64,
    /// Wall time of the epoch, validation included.
    pub seconds: f64,
}

/// A row of `steps.csv`: one update, with the values that it was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// 0-based, over the whole run.
    pub step: u64,
    pub epoch: u64,
    pub learning_rate: f64,
    pub momentum: Option<f64>,
    /// Mean over the step's images, before the update.
    pub loss: f64,
}

/// A row of `comparison.csv`: one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// The run's folder below `runs/`.
    pub run: String,
    pub schedule: String,
    pub optimizer: String,
    pub semantics: String,
    pub seed: u64,
    pub epochs: u64,
    pub lr: f64,
    /// Of the last epoch, as the next three.
    pub loss: Option<f64>,
    pub accuracy: Option<f64>,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    pub best_val_accuracy: Option<f64>,
    pub best_epoch: Option<u64>,
    /// Of the weights after the last epoch.
    pub test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    pub seconds: f64,
    pub status: Status,
}

/// A type of row, and its columns.
pub trait Row: Serialize + DeserializeOwned {
    const COLUMNS: &'static [&'static str];
}

impl Row for EpochRow {
    const COLUMNS: &'static [&'static str] = &[
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

impl Row for StepRow {
    const COLUMNS: &'static [&'static str] = &["step", "epoch", "learning_rate", "momentum", "loss"];
}

impl Row for ComparisonRow {
    const COLUMNS: &'static [&'static str] = &[
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

/// A CSV file that grows row by row; each row is in the file when `write` returns.
pub struct RowWriter<R> {
    path: PathBuf,
    csv: csv::Writer<File>,
    rows: PhantomData<R>,
}

impl<R: Row> RowWriter<R> {
    /// A new file with the header in it.
    ///
    /// # Errors
    /// A file that cannot be made or written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        csv.write_record(R::COLUMNS).with_context(|| format!("cannot write {}", path.display()))?;
        csv.flush().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_path_buf(), csv, rows: PhantomData })
    }

    /// # Errors
    /// A full disk, a folder that is gone.
    pub fn write(&mut self, row: &R) -> Result<()> {
        self.csv.serialize(row).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.csv.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Replaces a comparison's CSV as a whole.
pub fn write_comparison(path: &Path, rows: &[ComparisonRow]) -> Result<()> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    csv.write_record(ComparisonRow::COLUMNS)?;
    rows.iter().try_for_each(|row| csv.serialize(row))?;
    replace_file(path, &csv.into_inner()?)
}

/// Reads all rows of a file.
///
/// # Errors
/// One line that names the file, and the row where it is one: not there, another header, a cell that does not parse, a row cut short.
pub fn read_rows<R: Row>(path: &Path) -> Result<Vec<R>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!text.is_empty(), "{} is empty; expected the header {}", path.display(), R::COLUMNS.join(","));
    let mut csv = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = csv.headers().with_context(|| format!("{} is not a CSV file", path.display()))?;
    if header.iter().ne(R::COLUMNS.iter().copied()) {
        let found: String = header.iter().collect::<Vec<_>>().join(",").chars().take(80).collect();
        bail!(
            "{} is another kind of file: its header is `{found}`, expected `{}`",
            path.display(),
            R::COLUMNS.join(",")
        );
    }
    let mut rows = Vec::new();
    for (index, record) in csv.deserialize().enumerate() {
        let row = record.map_err(|error| {
            let reason = error.to_string().replace('\n', " ");
            anyhow::anyhow!("{} row {}: {reason}", path.display(), index + 1)
        })?;
        rows.push(row);
    }
    ensure!(text.ends_with('\n'), "{} row {}: the row is cut short", path.display(), rows.len());
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: u64) -> EpochRow {
        EpochRow {
            epoch,
            learning_rate: 0.1,
            loss: 1.0 / 3.0,
            accuracy: 0.5,
            val_loss: Some(f64::NAN),
            val_accuracy: None,
            momentum: None,
            step: 391,
            images_per_second: 1234.5,
            seconds: 1e-7,
        }
    }

    #[test]
    fn a_row_is_in_the_file_at_once_in_full_precision_with_unknown_empty_and_diverged_nan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let mut writer = RowWriter::create(&path).unwrap();
        writer.write(&epoch(0)).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,momentum,step,images_per_second,seconds\n\
             0,0.1,0.3333333333333333,0.5,NaN,,,391,1234.5,1e-7\n"
        );
        let read: Vec<EpochRow> = read_rows(&path).unwrap();
        assert_eq!(read[0].loss, 1.0 / 3.0);
        assert!(read[0].val_loss.unwrap().is_nan() && read[0].val_accuracy.is_none());
    }

    #[test]
    fn columns_are_the_fields_in_order() {
        let json = serde_json::to_value(epoch(0)).unwrap();
        assert_eq!(json.as_object().unwrap().len(), EpochRow::COLUMNS.len());
        assert!(EpochRow::COLUMNS.iter().all(|column| json.get(column).is_some()));
    }

    #[test]
    fn a_file_that_is_not_what_it_should_be_is_named_with_the_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.csv");
        for (content, expected) in [
            ("", "is empty"),
            ("a,b\n1,2\n", "its header is `a,b`"),
            ("step,epoch,learning_rate,momentum,loss\n0,0,0.1,,2.3\n1,0,x,,2\n", "row 2"),
            ("step,epoch,learning_rate,momentum,loss\n0,0,0.1,,2.3\n1,0,0.1\n", "row 2"),
            ("step,epoch,learning_rate,momentum,loss\n0,0,0.1,,2.3", "row 1: the row is cut short"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = format!("{:#}", read_rows::<StepRow>(&path).unwrap_err());
            assert!(error.contains(expected) && error.contains("steps.csv") && !error.contains('\n'), "{error}");
        }
    }
}
