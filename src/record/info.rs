//! `run.json`: everything needed to run it again, and how it ended.

use super::replace_file;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::SystemTime;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Running,
    Finished,
    Interrupted,
    /// The loss was no longer a number.
    Diverged,
    /// Something outside the mathematics went wrong.
    Failed,
}

/// What a run came to. What is not known is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub loss: Option<f64>,
    pub accuracy: Option<f64>,
    pub val_loss: Option<f64>,
    pub val_accuracy: Option<f64>,
    pub best_val_accuracy: Option<f64>,
    /// 0-based.
    pub best_epoch: Option<u64>,
    pub test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    pub seconds: f64,
}

/// The whole of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    pub status: Status,
    /// Why it did not finish, where it did not.
    pub message: Option<String>,
    /// The resolved settings, under the names of the command line.
    pub config: serde_json::Value,
    /// As typed.
    pub command: Vec<String>,
    pub lrsched_version: String,
    /// `git describe` of the folder that the program was started in, where it is a checkout.
    pub git: Option<String>,
    pub device: String,
    pub engine: String,
    pub threads: usize,
    pub dataset: String,
    /// SHA-256 over the images and labels.
    pub dataset_digest: String,
    /// What the training images were divided into: what was validated with.
    pub validation: String,
    /// RFC 3339, UTC.
    pub started: String,
    pub finished: Option<String>,
    pub results: Option<Results>,
}

/// What a run is started with, beside its config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surroundings<'a> {
    pub device: &'a str,
    pub engine: &'a str,
    pub threads: usize,
    pub dataset: &'a str,
    pub dataset_digest: &'a str,
    pub validation: &'a str,
}

impl RunInfo {
    /// A run that is about to start.
    pub fn started(config: &impl Serialize, surroundings: Surroundings<'_>) -> Result<Self> {
        Ok(Self {
            status: Status::Running,
            message: None,
            config: serde_json::to_value(config)?,
            command: std::env::args().collect(),
            lrsched_version: env!("CARGO_PKG_VERSION").to_string(),
            git: git_state(),
            device: surroundings.device.to_string(),
            engine: surroundings.engine.to_string(),
            threads: surroundings.threads,
            dataset: surroundings.dataset.to_string(),
            dataset_digest: surroundings.dataset_digest.to_string(),
            validation: surroundings.validation.to_string(),
            started: timestamp(),
            finished: None,
            results: None,
        })
    }

    /// Notes how the run ended.
    pub fn finish(&mut self, status: Status, message: Option<String>, results: Option<Results>) {
        self.status = status;
        self.message = message;
        self.results = results;
        self.finished = Some(timestamp());
    }

    /// # Errors
    /// One line that names the file: not there, not JSON, not of this kind.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not the record of a run", path.display()))
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        replace_file(path, (serde_json::to_string_pretty(self)? + "\n").as_bytes())
    }
}

fn git_state() -> Option<String> {
    let output = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_string();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Now, as RFC 3339 in UTC to the second: `2026-11-22T06:30:00Z`.
pub fn timestamp() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
