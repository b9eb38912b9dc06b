//! run.json: everything needed to run it again, and what came of it.

use super::{RowDigests, Status, replace_own};
use crate::config::Keep;
use crate::disk;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Number;
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
    pub config: serde_json::Value,
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

/// One setting that was changed by hand while the run was under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenChange")]
pub struct Change {
    /// RFC 3339, UTC.
    pub time: String,
    /// The first step that it counts for, 0-based.
    pub step: u64,
    /// The epoch of that step, 0-based.
    pub epoch: u64,
    /// `lr` (a constant rate from here), `scale-lr`, `schedule` or `epochs`.
    pub setting: String,
    /// The learning rate of that step without the change and with it; for `epochs`, how many epochs the run has.
    pub from: Option<Number>,
    pub to: Option<Number>,
    /// The same in words, and what the rate comes from: `0.02 (linear at 0.04)`; `4, schedule stretched`.
    pub from_text: String,
    pub to_text: String,
    /// What the rates come from after a change of them: `linear at 0.04`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub course: Option<String>,
}

/// A change as it is in a file: the first versions had words in `from` and `to`, which begin with the number.
#[derive(Deserialize)]
struct WrittenChange {
    time: String,
    step: u64,
    epoch: u64,
    setting: String,
    from: NumberOrWords,
    to: NumberOrWords,
    from_text: Option<String>,
    to_text: Option<String>,
    course: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrWords {
    Number(Number),
    Words(String),
    Unknown(()),
}

impl NumberOrWords {
    fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(number.clone()),
            Self::Words(words) => {
                let first = words.split([' ', ',']).next()?;
                let whole = first.parse::<u64>().ok().map(Number::from);
                whole.or_else(|| Number::from_f64(first.parse().ok()?))
            }
            Self::Unknown(()) => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Words(words) => words,
            Self::Unknown(()) => String::new(),
        }
    }
}

impl From<WrittenChange> for Change {
    fn from(written: WrittenChange) -> Self {
        let WrittenChange { time, step, epoch, setting, from, to, from_text, to_text, course } = written;
        let in_words = match &to {
            NumberOrWords::Words(words) => {
                words.split_once(" (").map(|(_, rest)| rest.trim_end_matches(')').to_string())
            }
            _ => None,
        };
        Self {
            time,
            step,
            epoch,
            setting,
            from: from.number(),
            to: to.number(),
            from_text: from_text.unwrap_or_else(|| from.text()),
            to_text: to_text.unwrap_or_else(|| to.text()),
            course: course.or(in_words),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_written_in_words_by_an_earlier_version_reads_as_numbers() {
        let old = |setting: &str, from: &str, to: &str| -> Change {
            let change = json!({ "time": "", "step": 8, "epoch": 2, "setting": setting, "from": from, "to": to });
            serde_json::from_value(change).unwrap()
        };
        let rate = old("lr", "0.02 (linear at 0.04)", "5e-5 (constant at 5e-5)");
        assert_eq!((rate.from.and_then(|n| n.as_f64()), rate.to.and_then(|n| n.as_f64())), (Some(0.02), Some(5e-5)));
        assert_eq!(
            (rate.from_text.as_str(), rate.course.as_deref()),
            ("0.02 (linear at 0.04)", Some("constant at 5e-5"))
        );
        let epochs = old("epochs", "2", "4, schedule held");
        assert_eq!((epochs.to.and_then(|n| n.as_u64()), epochs.to_text.as_str()), (Some(4), "4, schedule held"));
        let odd = old("lr", "soon", "");
        assert_eq!((odd.from, odd.to), (None, None));
    }

    #[test]
    fn a_change_is_numbers_in_the_file_and_reads_back() {
        let change = Change {
            time: "2026-01-02T03:04:05Z".into(),
            step: 8,
            epoch: 2,
            setting: "lr".into(),
            from: Number::from_f64(0.02),
            to: Number::from_f64(0.01),
            from_text: "0.02 (linear at 0.04)".into(),
            to_text: "0.01 (constant at 0.01)".into(),
            course: Some("constant at 0.01".into()),
        };
        let written = serde_json::to_value(&change).unwrap();
        assert_eq!((&written["from"], &written["to"]), (&json!(0.02), &json!(0.01)));
        assert_eq!(serde_json::from_value::<Change>(written).unwrap(), change);
    }
}
