//! run.json: everything needed to run it again, and what came of it.

use super::{Change, Provenance, RecordedConfig, Results, RowDigests, Standing, replace_own};
use crate::config::{Every, Keep};
use crate::disk;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The contents of run.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    #[serde(flatten)]
    pub provenance: Provenance,
    pub device: String,
    pub engine: String,
    /// The resolved config: every setting, defaults included.
    pub config: RecordedConfig,
    /// `--checkpoint-every`, where it was given.
    #[serde(default)]
    pub checkpoint_every: Option<Every>,
    /// `--keep`, where it was given; `None` keeps all.
    #[serde(default)]
    pub keep: Option<Keep>,
    #[serde(flatten)]
    pub standing: Standing,
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
