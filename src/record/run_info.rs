//! run.json: everything needed to run it again, and what came of it.

use super::{Change, EpochRow, RecordedConfig, RowDigests, Status, replace_own};
use crate::config::Keep;
use crate::disk;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;

/// The contents of run.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Of lrsched.
    pub version: String,
    /// The command line, one argument each.
    pub command: Vec<String>,
    /// The resolved config: every setting, defaults included.
    pub config: RecordedConfig,
    pub git: Option<GitState>,
    pub device: String,
    pub engine: String,
    /// What the engine computes with: `avx512`, `avx2+fma`, `portable` or `candle`. It decides the last bits.
    #[serde(default)]
    pub kernels: Option<String>,
    pub threads: usize,
    pub dataset: Dataset,
    /// RFC 3339, UTC.
    pub started: String,
    /// `None` while it runs.
    pub finished: Option<String>,
    pub status: Status,
    /// Why it did not get to its end, or got there with weights that are of no use.
    #[serde(default)]
    pub message: Option<String>,
    /// `--checkpoint-every`, where it was given.
    #[serde(default)]
    pub checkpoint_every: Option<String>,
    /// `--keep`, where it was given; `None` keeps all.
    #[serde(default)]
    pub keep: Option<Keep>,
    /// What was changed by hand on the way, in order; `config` is what the run began with.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// As far as they are known.
    pub results: Results,
    /// SHA-256 of weights.safetensors, once it is there.
    #[serde(default)]
    pub weights: Option<String>,
    /// Of all rows, once the run has ended.
    #[serde(default)]
    pub rows: Option<RowDigests>,
}

/// The repository the program was started in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitState {
    pub commit: String,
    /// Tracked files were changed.
    pub dirty: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    pub name: String,
    /// sha256 of the images and labels that were used.
    pub digest: String,
}

/// Accuracies are fractions. JSON has no NaN: what diverged is null here, and `NaN` in the CSV.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Results {
    /// This and the next three: of the last epoch.
    pub loss: Option<f64>,
    pub accuracy: Option<f64>,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    pub best_val_accuracy: Option<f64>,
    /// 0-based.
    pub best_epoch: Option<u64>,
    pub test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    pub seconds: Option<f64>,
}

impl Results {
    /// Of the epoch of this row.
    pub fn of_epoch(row: &EpochRow) -> Self {
        Self {
            loss: Some(row.loss),
            accuracy: Some(row.accuracy),
            val_loss: row.val_loss,
            val_accuracy: row.val_accuracy,
            ..Self::default()
        }
    }
}

impl RunInfo {
    /// Writes run.json whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        replace_own(path, self.text()?.as_bytes())
    }

    /// What [`RunInfo::write`] writes.
    ///
    /// # Errors
    /// None that a `RunInfo` can have.
    pub fn text(&self) -> anyhow::Result<String> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// # Errors
    /// One line that names the file: unreadable, or not a run.json (with line and column).
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> { Ok(serde_json::from_slice(&disk::read(path, disk::MOST_RECORD)?)?) };
        read().with_context(|| path.display().to_string())
    }
}

impl GitState {
    /// Of the current folder; `None` outside a repository, or without git.
    pub fn here() -> Option<Self> {
        let git = |arguments: &[&str]| -> Option<String> {
            let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let dirty = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        Some(Self { commit, dirty })
    }
}

/// The command line of this process; bytes that are not text become `\u{fffd}`.
pub fn command_line() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// The time as RFC 3339 in UTC: `2026-03-04T05:06:07Z`.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
