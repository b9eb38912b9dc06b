//! The origin of a record, and the status of its run.

use super::Status;
use crate::data;
use serde::{Deserialize, Serialize};
use std::process::Command;
use std::sync::OnceLock;

/// Version, command, environment and data of a run or range test: the same in run.json and find.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of lrsched.
    pub version: String,
    /// The command line, one element per argument.
    pub command: Vec<String>,
    /// The repository of the current folder.
    pub git: Option<GitState>,
    /// The sources that the program was built from; `None` if they were in no repository, and in the records of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<GitState>,
    /// The engine's kernels: `avx512`, `avx2+fma`, `portable` or `candle`. They affect the last bits of the results.
    /// `None` before this is known.
    #[serde(default)]
    pub kernels: Option<String>,
    pub threads: usize,
    pub dataset: DatasetId,
    /// RFC 3339, UTC.
    pub started: String,
}

/// The status of a run or a range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub status: Status,
    /// RFC 3339, UTC; `None` while it runs.
    pub finished: Option<String>,
    /// Why it ended early, or ended with useless weights.
    #[serde(default)]
    pub message: Option<String>,
}

/// The state of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitState {
    pub commit: String,
    /// Whether tracked files were modified.
    pub dirty: bool,
}

/// Identifies the images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetId {
    pub name: String,
    /// SHA-256 of the images and labels that were used.
    pub digest: String,
}

impl Provenance {
    /// The provenance of a run that this process starts now.
    pub fn here(dataset: &data::Dataset, threads: usize, kernels: Option<&str>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_string(),
            command: command_line(),
            git: GitState::here(),
            program: GitState::of_program(),
            kernels: kernels.map(str::to_string),
            threads,
            dataset: DatasetId { name: dataset.name.clone(), digest: dataset.digest().to_string() },
            started: now(),
        }
    }
}

impl Standing {
    pub const RUNNING: Self = Self { status: Status::Running, finished: None, message: None };

    /// The standing of a run that has just ended.
    pub fn ended(status: Status, message: Option<String>) -> Self {
        Self { status, finished: Some(now()), message }
    }
}

impl GitState {
    /// What the program was built from, as build.rs found it.
    pub fn of_program() -> Option<Self> {
        let commit = option_env!("PROGRAM_COMMIT")?.to_string();
        Some(Self { commit, dirty: option_env!("PROGRAM_CHANGED") != Some("false") })
    }

    /// The repository of the current folder, as of the first call; `None` outside a repository, or without git.
    ///
    /// Cached because a comparison asks for each of its runs, and answering starts two processes.
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

/// The current time as RFC 3339 in UTC: `2026-03-04T05:06:07Z`.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

/// The command line of this process, the program first. What is no Unicode has � in its place.
pub fn command_line() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}
