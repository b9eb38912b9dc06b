//! Detects what a folder holds from the contents of its files: a file name alone proves nothing.

use super::columns::Columns;
use super::{ComparisonRow, EpochRow, RangeRow, Row, RunInfo, RunOrder, Status, files};
use crate::disk::{self, OURS};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::io::Read as _;
use std::path::Path;

/// The kinds of result folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Run,
    Comparison,
    RangeTest,
}

impl Holds {
    pub const fn name(self) -> &'static str {
        match self {
            Holds::Run => "run",
            Holds::Comparison => "comparison",
            Holds::RangeTest => "range test",
        }
    }
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Detected by its run.json, or by its metrics.csv alone.
    pub run: bool,
    /// The status in its run.json.
    pub status: Option<Status>,
    /// Detected by its comparison.csv, or if that is lost or damaged, by its plan.json or a run of `lrsched compare` in its
    /// `runs`.
    pub comparison: bool,
    pub range_test: bool,
    /// The first name in it other than our lock and temporary files; `None` if the folder is free.
    pub something: Option<String>,
}

/// The fields that every find.json has.
#[derive(Deserialize)]
#[allow(dead_code, reason = "that it can be read is all that counts")]
struct FindMark {
    version: String,
    command: Vec<String>,
    config: serde_json::Map<String, serde_json::Value>,
    tests: Vec<serde_json::Value>,
    suggestions: Vec<serde_json::Value>,
}

impl Contents {
    /// Inspects `folder` without changing it.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let cannot_read = || format!("cannot read the folder {}", folder.display());
        let mut names = Vec::new();
        for entry in folder.read_dir().with_context(cannot_read)? {
            names.push(entry.with_context(cannot_read)?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| !name.starts_with(OURS));
        let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        let info = file(files::RUN_JSON).and_then(|path| RunInfo::read(&path).ok());
        let find = file(files::FIND_JSON)
            .and_then(|path| disk::read(&path, disk::MOST_RECORD).ok())
            .is_some_and(|bytes| serde_json::from_slice::<FindMark>(&bytes).is_ok());
        Ok(Self {
            run: info.is_some() || is_table_of::<EpochRow>(&folder.join(files::METRICS_CSV)),
            status: info.map(|info| info.standing.status),
            comparison: is_table_of::<ComparisonRow>(&folder.join(files::COMPARISON_CSV))
                || RunOrder::is_in(folder)
                || has_compared_runs(&folder.join(files::RUNS)),
            range_test: find || is_table_of::<RangeRow>(&folder.join(files::RANGE_CSV)),
            something: names.into_iter().min(),
        })
    }

    pub fn is_free(&self) -> bool {
        self.something.is_none()
    }

    pub fn has(&self, what: Holds) -> bool {
        match what {
            Holds::Run => self.run,
            Holds::Comparison => self.comparison,
            Holds::RangeTest => self.range_test,
        }
    }

    /// One of the kinds of results that it holds.
    pub fn ours(&self) -> Option<Holds> {
        [Holds::Comparison, Holds::Run, Holds::RangeTest].into_iter().find(|what| self.has(*what))
    }
}

/// Whether `lrsched compare` started any of the runs in this folder. Runs of `lrsched train --out runs/NAME` are not a
/// comparison.
fn has_compared_runs(runs: &Path) -> bool {
    let is_own = runs.symlink_metadata().is_ok_and(|found| found.is_dir());
    let is_compared = |run: &Path| {
        run.symlink_metadata().is_ok_and(|found| found.is_dir())
            && RunInfo::read(&run.join(files::RUN_JSON))
                .is_ok_and(|info| info.provenance.command.iter().skip(1).any(|argument| argument == "compare"))
    };
    is_own && runs.read_dir().into_iter().flatten().flatten().any(|entry| is_compared(&entry.path()))
}

/// The most bytes of a header: that of many parameter groups.
const LONGEST_HEADER: u64 = 1 << 16;

/// Whether `path` is a file that begins with the header of these rows, of this version or of an earlier one.
pub fn is_table_of<T: Row>(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = disk::open(path).is_ok_and(|file| file.take(LONGEST_HEADER).read_to_end(&mut start).is_ok());
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let line = text.iter().position(|byte| b"\r\n".contains(byte)).map(|end| &text[..=end]);
    read && line.is_some_and(|line| Columns::of::<T>(line).is_ok())
}

/// The same, but also accepts a partial header, left by a process killed while writing it.
pub fn is_begun<T: Row>(path: &Path) -> bool {
    let header = Columns::all::<T>().header::<T>();
    let is_short = path.is_file() && path.metadata().is_ok_and(|found| found.len() <= header.len() as u64);
    is_table_of::<T>(path) || is_short && std::fs::read(path).is_ok_and(|start| header.as_bytes().starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RowWriter, StepRow};

    #[test]
    fn only_files_with_our_contents_make_a_folder_ours() {
        let folder = tempfile::tempdir().unwrap();
        let holds = || Contents::of(folder.path()).unwrap();
        assert!(holds().is_free());
        std::fs::write(folder.path().join(".lrsched-lock"), "").unwrap();
        assert!(holds().is_free(), "the lock of a process that was killed");
        for (name, text) in [
            ("run.json", "{\"version\": \"1\", \"status\": \"finished\"}"),
            ("find.json", "{\"tests\": []}"),
            ("metrics.csv", "epoch,learning_rate\n"),
            ("comparison.csv", "run\n"),
            ("range.csv", "old"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let contents = holds();
        assert_eq!((contents.ours(), contents.something.as_deref()), (None, Some("comparison.csv")));
        RowWriter::<EpochRow>::create(&folder.path().join("run.csv")).unwrap();
        std::fs::rename(folder.path().join("run.csv"), folder.path().join("metrics.csv")).unwrap();
        assert_eq!((holds().ours(), holds().status), (Some(Holds::Run), None));
    }

    #[test]
    fn a_table_is_known_by_its_header_with_any_line_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.csv");
        let header = StepRow::header().join(",");
        for (text, is_ours) in [
            (format!("{header}\n"), true),
            (format!("\u{feff}{header}\r\n"), true),
            (format!("{header},more\n"), false),
            (header, false),
            (String::new(), false),
        ] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(is_table_of::<StepRow>(&path), is_ours, "{text:?}");
        }
    }
}
