//! run.json: everything needed to repeat a run, and its results.

use super::{
    Change, ComparisonRow, Provenance, RecordedConfig, Results, Role, RowDigests, Standing, Status, write_status,
};
use crate::config::{Every, Keep};
use crate::disk;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// How its images are normalised; `None` before its training begins, and in the records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<ChannelStatistics>,
    /// The parameter groups besides the base group, defaults included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupInfo>,
    /// What the run is for, in a comparison that tunes or screens its entrants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// `--checkpoint-every`, if given.
    #[serde(default)]
    pub checkpoint_every: Option<Recorded<Every>>,
    /// `--keep`, if given; `None` keeps all.
    #[serde(default)]
    pub keep: Option<Recorded<Keep>>,
    #[serde(flatten)]
    pub standing: Standing,
    /// The manual changes during the run, in order; `config` is the config at its start.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// The results so far.
    pub results: Results,
    /// SHA-256 of weights.safetensors, once it has been written.
    #[serde(default)]
    pub weights: Option<String>,
    /// Digests of all rows, once the run has ended.
    #[serde(default)]
    pub rows: Option<RowDigests>,
}

/// x = (byte / 255 − mean) / standard_deviation, for red, green and blue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelStatistics {
    pub mean: Vec<f64>,
    pub standard_deviation: Vec<f64>,
}

/// A parameter group, as it was resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupInfo {
    pub name: String,
    pub optimizer: String,
    pub lr: f64,
    /// `None`: it follows the run's.
    pub schedule: Option<String>,
    pub freeze_after: Option<String>,
    /// The names of its parameters.
    pub parameters: Vec<String>,
}

/// A value in run.json that only matters when the run is resumed. Other readers ignore a value they do not understand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Recorded<T> {
    Known(T),
    /// A value from another version of lrsched, kept as it is.
    Unknown(Value),
}

impl<T: Copy> Recorded<T> {
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Unknown(_) => None,
        }
    }
}

impl RunInfo {
    /// The value of `keep`, if this version knows it.
    pub fn known_keep(&self) -> Option<Keep> {
        self.keep.as_ref()?.known()
    }

    /// The row of this run in a comparison, by the name of its folder.
    pub fn row(&self, run: &str) -> ComparisonRow {
        let row = self.config.row(run, self.standing.status, self.results.clone());
        ComparisonRow { role: self.role.clone(), ..row }
    }

    /// Writes run.json atomically, as [`write_status`] does.
    ///
    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        write_status(path, self, self.standing.status, |message| Self {
            standing: Standing { status: Status::Failed, message: Some(message), ..self.standing.clone() },
            ..self.clone()
        })
    }

    /// # Errors
    /// One line that names the file: unreadable, or not a run.json (with line and column).
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> { Ok(serde_json::from_slice(&disk::read(path, disk::MOST_RECORD)?)?) };
        read().with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_only_resume_depends_on_keeps_nobody_else_from_reading_the_file() {
        let written = |every: Value, keep: Value| {
            json!({
                "version": "1", "command": [], "config": {}, "git": null, "device": "cpu", "engine": "cpu", "threads": 1,
                "dataset": {"name": "", "digest": ""}, "started": "", "finished": null, "status": "running", "results": {},
                "checkpoint_every": every, "keep": keep,
            })
        };
        let read = |value: Value| serde_json::from_value::<RunInfo>(value).unwrap();
        let known = read(written(json!("500st"), json!("best")));
        assert_eq!(
            (known.checkpoint_every, known.keep),
            (Some(Recorded::Known(Every::Steps(500))), Some(Recorded::Known(Keep::Best)))
        );
        assert_eq!(read(written(Value::Null, Value::Null)).keep, None);
        let future = read(written(json!("0s"), json!({ "last": 2 })));
        assert_eq!(future.known_keep(), None);
        let again = serde_json::to_value(&future).unwrap();
        assert_eq!((&again["checkpoint_every"], &again["keep"]), (&json!("0s"), &json!({ "last": 2 })));
    }
}
