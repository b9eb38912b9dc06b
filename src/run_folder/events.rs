//! `events.jsonl`: the timeline of a run, one JSON object per line.

use super::directory::Words;
use crate::disk::{self, check_in_place, open_own, read_own};
use crate::record::{self, Status, files};
use crate::train::{Event, Outcome, Reason, Started, Stop};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Whether `path` is an event log, or the beginning of one.
pub fn is_log(path: &Path) -> bool {
    let mut start = Vec::new();
    // Our own lines are much shorter.
    let mut read = |file: File| file.take(1 << 16).read_to_end(&mut start);
    if !path.is_file() || !File::open(path).is_ok_and(|file| read(file).is_ok()) {
        return false;
    }
    match start.iter().position(|&byte| byte == b'\n') {
        Some(end) => is_event(&start[..end]),
        None => start.is_empty() || start.starts_with(b"{\""),
    }
}

fn is_event(line: &[u8]) -> bool {
    let event = serde_json::from_slice::<Map<String, Value>>(line);
    event.is_ok_and(|event| event.get("event").is_some_and(Value::is_string))
}

/// Appends `{"time": …, "event": "start" | "resume" | "change" | "save" | "stop" | "finish", …}`. The log is
/// append-only: a `resume` at step s voids the earlier entries after s.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    path: PathBuf,
    words: Words,
}

impl EventLog {
    /// # Errors
    /// The file cannot be written.
    pub fn create(run: &Path, words: Words) -> Result<Self> {
        Self::open(run, 0, words)
    }

    /// Reads the log of an earlier process, and returns where its last complete line ends; a truncated line is void.
    ///
    /// # Errors
    /// A complete line is not an event: the error names the file and the line. The file cannot be read.
    pub fn read(run: &Path) -> Result<u64> {
        let path = run.join(files::EVENTS_JSONL);
        let bytes = match read_own(&path, disk::MOST_ROWS) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        for (line, number) in bytes[..whole].split_inclusive(|&byte| byte == b'\n').zip(1..) {
            if !is_event(line) {
                bail!(
                    "{}: line {number} is not an event of a run; restore the file, or remove it to resume without its history",
                    path.display()
                );
            }
        }
        Ok(whole as u64)
    }

    /// Continues after the first `length` bytes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(run: &Path, length: u64, words: Words) -> Result<Self> {
        let path = run.join(files::EVENTS_JSONL);
        let open = || -> std::io::Result<File> {
            let mut file = open_own(&path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path, words })
    }

    /// # Errors
    /// The file was moved or deleted.
    pub fn check_in_place(&self) -> Result<()> {
        check_in_place(&self.file, &self.path)
    }

    /// Appends the event, if it is one that the log records.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn log(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Started(Started { state, .. }) => {
                let name = if state.step == 0 { "start" } else { "resume" };
                self.add(name, json!({ "step": state.step, "epoch": state.epoch }))
            }
            Event::Checkpoint { checkpoint, reason: Reason::Asked } => {
                self.add("save", json!({ "step": checkpoint.state.step, "epoch": checkpoint.state.epoch }))
            }
            Event::Changed(change) => self.add("change", serde_json::to_value(change)?),
            Event::Finished(Outcome { stop: Some(stop), step, .. }) => {
                self.add("stop", json!({ "step": step, "by": by(*stop) }))
            }
            Event::Finished(Outcome { step, status, verdict, .. }) => {
                let message = verdict.as_ref().map(self.words);
                self.add("finish", json!({ "step": step, "status": status, "message": message }))
            }
            Event::Failed(message) => self.add("finish", json!({ "status": Status::Failed, "message": message })),
            Event::Step { .. } | Event::Epoch(_) | Event::Checkpoint { .. } | Event::Warning(_) => Ok(()),
        }
    }

    fn add(&mut self, event: &str, fields: Value) -> Result<()> {
        let mut object = Map::from_iter([("time".into(), record::now().into()), ("event".into(), event.into())]);
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        let line = format!("{}\n", Value::Object(object));
        self.file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn by(stop: Stop) -> &'static str {
    match stop {
        Stop::Interrupt => "the user",
        Stop::Terminate => "SIGTERM",
        Stop::Requeue => "SIGUSR1",
        Stop::Hangup => "SIGHUP",
        Stop::CpuLimit => "SIGXCPU",
    }
}
