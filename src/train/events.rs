//! `events.jsonl`: what happened to a run, and when, one JSON object a line.

use super::control::Stop;
use super::run::Outcome;
use crate::files;
use crate::record::{self, Change};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Its name in the folder of a run.
pub const EVENTS: &str = "events.jsonl";

/// Appends `{"time": …, "event": "start" | "resume" | "change" | "save" | "stop" | "finish", …}`. Lines are never taken back: what a `resume`
/// at step s finds after s is void.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    path: PathBuf,
}

impl EventLog {
    /// # Errors
    /// The file cannot be written.
    pub fn create(run: &Path) -> Result<Self> {
        let path = run.join(EVENTS);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path })
    }

    /// Goes on behind the last whole line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn reopen(run: &Path) -> Result<Self> {
        let path = run.join(EVENTS);
        let open = || -> std::io::Result<File> {
            let text = files::read(&path, files::MOST_ROWS).or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(Vec::new()),
                _ => Err(error),
            })?;
            let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let file = File::options().append(true).create(true).open(&path)?;
            file.set_len(whole as u64)?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path })
    }

    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, event: &str, fields: Value) -> Result<()> {
        let mut object = Map::from_iter([("time".into(), record::now().into()), ("event".into(), event.into())]);
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        let line = format!("{}\n", Value::Object(object));
        self.file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// # Errors
    /// The file cannot be written.
    pub fn change(&mut self, change: &Change) -> Result<()> {
        self.add("change", serde_json::to_value(change)?)
    }

    /// # Errors
    /// The file cannot be written.
    pub fn end(&mut self, outcome: &Outcome) -> Result<()> {
        match outcome.stop {
            Some(stop) => self.add("stop", json!({ "step": outcome.step, "by": by(stop) })),
            None => self
                .add("finish", json!({ "step": outcome.step, "status": outcome.status, "message": outcome.message })),
        }
    }
}

fn by(stop: Stop) -> &'static str {
    match stop {
        Stop::Interrupt => "the user",
        Stop::Terminate => "SIGTERM",
        Stop::Requeue => "SIGUSR1",
        Stop::Hangup => "SIGHUP",
    }
}
