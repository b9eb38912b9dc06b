//! The three files of a checkpoint.

use crate::config::{Difference, RunConfig, SettingValues};
use crate::disk;
use crate::record::files::{OPTIMIZER, STATE_JSON, WEIGHTS};
use crate::record::{Change, RecordedConfig, RowDigests, RunInfo, sync_folder};
use crate::run_folder::arrays::{from_bytes, sha256, to_bytes};
use crate::train::{Arrays, Checkpoint, TrainState};
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// state.json is `{"sha256": "…", "state": …}`; the digest covers the bytes between MIDDLE and FOOT.
const HEAD: &str = "{\"sha256\": \"";
const MIDDLE: &str = "\",\n\"state\": ";
const FOOT: &str = "}\n";

/// state.json.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StateFile {
    /// The lrsched version.
    version: String,
    #[serde(deserialize_with = "RunConfig::of_any_version")]
    config: RunConfig,
    /// Digest of the images; checkpoints of earlier versions have none.
    #[serde(default)]
    dataset: Option<String>,
    #[serde(rename = "position")]
    state: TrainState,
    /// Digests of the rows written before it; checkpoints of earlier versions have none.
    #[serde(default)]
    rows: Option<RowDigests>,
    /// SHA-256 of the other two files, by name.
    files: BTreeMap<String, String>,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedCheckpoint {
    pub checkpoint: Checkpoint,
    /// Digests of the rows written by then, if known.
    pub rows: Option<RowDigests>,
}

impl SavedCheckpoint {
    /// Reads the checkpoint in `folder`, such as `checkpoints/last` or `checkpoints/best` of a run.
    ///
    /// # Errors
    /// One line that names the file: it is missing, or is not what was written (truncated, changed, of another version).
    pub fn read(folder: &Path) -> Result<Self> {
        let state = read_state(&folder.join(STATE_JSON))?;
        let arrays = |name: &str| -> Result<Arrays> {
            let path = folder.join(name);
            let bytes =
                disk::read(&path, disk::MOST_ARRAYS).with_context(|| format!("cannot read {}", path.display()))?;
            let same = state.files.get(name).is_some_and(|digest| *digest == sha256(&bytes));
            ensure!(same, "{} is damaged: its SHA-256 is not the one in {STATE_JSON}", path.display());
            from_bytes(&bytes).map_err(shown).with_context(|| path.display().to_string())
        };
        let (weights, optimizer) = (arrays(WEIGHTS)?, arrays(OPTIMIZER)?);
        let StateFile { config, dataset, state, rows, .. } = state;
        Ok(Self { checkpoint: Checkpoint { config, dataset, state, weights, optimizer }, rows })
    }

    /// Reads a checkpoint of the run that `info` describes, if known.
    ///
    /// # Errors
    /// As [`SavedCheckpoint::read`]; it is the checkpoint of another run.
    pub fn read_of(folder: &Path, info: Option<&RunInfo>) -> Result<Self> {
        let saved = Self::read(folder)?;
        match info.and_then(|info| stranger(&saved.checkpoint, info)) {
            Some(why) => bail!("{} is a checkpoint of another run: {why}", folder.display()),
            None => Ok(saved),
        }
    }
}

/// Why this is not a checkpoint of the run that `info` describes: `its seed is 3, this run's is 0`.
fn stranger(checkpoint: &Checkpoint, info: &RunInfo) -> Option<String> {
    if checkpoint.dataset.as_ref().is_some_and(|dataset| *dataset != info.provenance.dataset.digest) {
        return Some("its run was trained on other images".to_string());
    }
    // After a crash or by choice, either may be older, but one history must be a prefix of the other.
    let pairs = || checkpoint.state.changes.iter().zip(&info.changes);
    // Compared as text: one of the files may be from an earlier version that recorded no more.
    let same = |its: &Change, this: &Change| {
        (its.step, its.setting(), its.to_text()) == (this.step, this.setting(), this.to_text())
    };
    if let Some((its, this)) = pairs().find(|(its, this)| !same(its, this)) {
        return Some(format!(
            "its {} was changed to {} at step {}, this run's {} to {} at step {}",
            its.setting(),
            its.to_text(),
            its.step,
            this.setting(),
            this.to_text(),
            this.step
        ));
    }
    // The same change made twice: in a run and in a copy of it.
    if let Some((its, this)) = pairs().find(|(its, this)| its.time != this.time) {
        return Some(format!("its {} was changed by hand at {}, this run's at {}", its.setting(), its.time, this.time));
    }
    // A config from another version is rejected by whoever reads it.
    let RecordedConfig::Known { config, .. } = &info.config else { return None };
    let (its, this) = (checkpoint.config.settings(), config.settings());
    let differing = SettingValues::differences(&its, &this).into_iter().next();
    let told =
        differing.map(|Difference { name, first, second }| format!("its {name} is {first}, this run's is {second}"));
    told.or((checkpoint.config != **config).then(|| "its settings are others".to_string()))
}

/// Writes the three files into `folder`.
pub(super) fn write_files(checkpoint: &Checkpoint, folder: &Path, rows: Option<&RowDigests>) -> Result<()> {
    let put = |name: &str, bytes: &[u8]| -> Result<String> {
        let mut file = File::create(folder.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(sha256(bytes))
    };
    let mut files = BTreeMap::new();
    for (name, arrays) in [(WEIGHTS, &checkpoint.weights), (OPTIMIZER, &checkpoint.optimizer)] {
        files.insert(name.to_string(), put(name, &to_bytes(arrays)?)?);
    }
    let state = StateFile {
        version: env!("CARGO_PKG_VERSION").to_string(),
        config: checkpoint.config.clone(),
        dataset: checkpoint.dataset.clone(),
        state: checkpoint.state.clone(),
        rows: rows.cloned(),
        files,
    };
    let text = serde_json::to_string_pretty(&state)?;
    put(STATE_JSON, format!("{HEAD}{}{MIDDLE}{text}{FOOT}", sha256(text.as_bytes())).as_bytes())?;
    sync_folder(folder);
    Ok(())
}

fn read_state(path: &Path) -> Result<StateFile> {
    let text = disk::read_text(path, disk::MOST_RECORD).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = text
        .strip_prefix(HEAD)
        .and_then(|text| text.split_once(MIDDLE))
        .and_then(|(digest, text)| Some((digest, text.strip_suffix(FOOT)?)));
    let Some((_, body)) = parts.filter(|(digest, body)| *digest == sha256(body.as_bytes())) else {
        bail!("{} is damaged: its SHA-256 is not the one in it", path.display());
    };
    let of_other_version = || format!("{} is of another version of lrsched", path.display());
    serde_json::from_str(body).map_err(|error| shown(error.into())).with_context(of_other_version)
}

/// An error that may quote a file, made safe to print: names in it may be long and contain anything.
fn shown(error: anyhow::Error) -> anyhow::Error {
    anyhow!(format!("{error:#}").chars().take(300).collect::<String>().escape_debug().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Course;
    use serde_json::json;

    #[test]
    fn a_change_in_words_by_an_earlier_version_and_the_same_one_with_its_course_are_of_one_run() {
        let course = json!({ "schedule": "constant", "lr": 0.03, "since": 8, "epochs": 4, "until": 4, "scale": 1.0 });
        let words = json!({
            "time": "", "step": 8, "epoch": 2, "setting": "lr", "from": 0.02, "to": 0.03,
            "from_text": "0.02 (constant at 0.02)", "to_text": "0.03 (constant at 0.03)",
        });
        let mut typed = words.clone();
        (typed["before"], typed["after"]) = (course.clone(), course);
        let mut other = words.clone();
        (other["to"], other["to_text"]) = (json!(0.04), json!("0.04 (constant at 0.04)"));
        let config = RunConfig::default();
        let strange = |its: &serde_json::Value, this: &serde_json::Value| {
            let info: RunInfo = serde_json::from_value(json!({
                "version": "1", "command": [], "config": &config, "git": null, "device": "cpu", "engine": "cpu", "threads": 1,
                "dataset": {"name": "", "digest": ""}, "started": "", "finished": null, "status": "running", "results": {},
                "changes": [this],
            }))
            .unwrap();
            let state = TrainState {
                changes: vec![serde_json::from_value(its.clone()).unwrap()],
                ..TrainState::start(Course::of(&config))
            };
            let (weights, optimizer) = Default::default();
            stranger(&Checkpoint { config: config.clone(), dataset: None, state, weights, optimizer }, &info)
        };
        for (its, this) in [(&words, &typed), (&typed, &words), (&typed, &typed)] {
            assert_eq!(strange(its, this), None);
        }
        let told = strange(&typed, &other).unwrap();
        assert!(
            told.starts_with("its lr was changed to 0.03 (constant at 0.03) at step 8, this run's lr to 0.04"),
            "{told}"
        );
    }
}
