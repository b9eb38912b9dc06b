//! Where a record comes from, and how its run stands.

use super::Status;
use crate::data;
use serde::{Deserialize, Serialize};
use std::process::Command;
use std::sync::OnceLock;

/// What was started, with what and on what: the same in run.json and find.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Of lrsched.
    pub version: String,
    /// The command line, one argument each.
    pub command: Vec<String>,
    pub git: Option<GitState>,
    /// What the engine computes with: `avx512`, `avx2+fma`, `portable` or `candle`. It decides the last bits. `None` before it is known.
    #[serde(default)]
    pub kernels: Option<String>,
    pub threads: usize,
    pub dataset: DatasetId,
    /// RFC 3339, UTC.
    pub started: String,
}

/// How a run or a range test stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub status: Status,
    /// RFC 3339, UTC; `None` while it runs.
    pub finished: Option<String>,
    /// Why it did not reach its end, or reached it with useless weights.
    #[serde(default)]
    pub message: Option<String>,
}

/// The repository the program was started in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitState {
    pub commit: String,
    /// Tracked files were changed.
    pub dirty: bool,
}

/// The images, as far as they can be told from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetId {
    pub name: String,
    /// SHA-256 of the images and labels that were used.
    pub digest: String,
}

impl Provenance {
    /// Of what this process starts now.
    pub fn here(dataset: &data::Dataset, threads: usize, kernels: Option<&str>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_string(),
            command: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            git: GitState::here(),
            kernels: kernels.map(str::to_string),
            threads,
            dataset: DatasetId { name: dataset.name.clone(), digest: dataset.digest().to_string() },
            started: now(),
        }
    }
}

impl Standing {
    pub const RUNNING: Self = Self { status: Status::Running, finished: None, message: None };

    /// Of one that has ended now.
    pub fn ended(status: Status, message: Option<String>) -> Self {
        Self { status, finished: Some(now()), message }
    }
}

impl GitState {
    /// Of the current folder, as it was when this process first asked; `None` outside a repository, or without git.
    ///
    /// A comparison asks for each of its runs; the two processes that answer are started for the first of them.
    pub fn here() -> Option<Self> {
        static HERE: OnceLock<Option<GitState>> = OnceLock::new();
        HERE.get_or_init(Self::ask).clone()
    }

    fn ask() -> Option<Self> {
        let git = |arguments: &[&str]| -> Option<String> {
            let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let dirty = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        Some(Self { commit, dirty })
    }
}

/// The time as RFC 3339 in UTC: `2026-03-04T05:06:07Z`.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
