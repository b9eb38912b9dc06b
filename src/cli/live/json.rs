//! `--json`: one JSON object per event on stdout.

use crate::cli::{advice, write_line};
use crate::record::{Results, Status, StepRow};
use crate::train::{Event, Observer, Reason, Started};
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// Writes `{"event": "start" | "step" | "epoch" | "change" | "save" | "finish", "run": …, "path": …, …}`, one per line.
/// Numbers that JSON cannot represent are null. docs/JSON.md describes all events.
pub struct JsonEvents {
    /// The folder's name, and its path relative to the working directory.
    run: String,
    path: String,
    steps: bool,
    /// The parameter groups besides the base group, whose rates each step has.
    groups: Vec<String>,
}

impl JsonEvents {
    /// `path` is the folder of the run, comparison or range test. `steps`: also emit an event for every step.
    pub fn new(path: &Path, steps: bool) -> Self {
        // `.` and `runs/..` get the name of the folder they refer to.
        let whole = if path.file_name().is_some() { None } else { path.canonicalize().ok() };
        let name = whole.as_deref().unwrap_or(path).file_name();
        let name = name.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Self { run: name, path: path.display().to_string(), steps, groups: Vec::new() }
    }

    /// Emits the event `name` with `fields`, an object.
    pub fn write(&self, event: &str, fields: impl Serialize) -> Result<()> {
        let mut object = serde_json::Map::from_iter([
            ("event".to_string(), Value::from(event)),
            ("run".to_string(), Value::from(self.run.as_str())),
            ("path".to_string(), Value::from(self.path.as_str())),
        ]);
        if let Value::Object(fields) = serde_json::to_value(fields)? {
            object.extend(fields);
        }
        match write_line(std::io::stdout().lock(), &Value::Object(object).to_string()) {
            // stdout is closed; the run continues.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("cannot write to stdout"),
        }
    }

    /// The columns of steps.csv.
    fn step(&self, row: &StepRow) -> Result<Value> {
        let mut step = serde_json::to_value(row)?;
        for (name, rate) in self.groups.iter().zip(&row.groups) {
            step[format!("learning_rate:{name}")] = json!(rate);
        }
        Ok(step)
    }

    pub fn finish(&self, finish: &Finish<'_>) -> Result<()> {
        self.write("finish", finish)
    }
}

/// The end of a run.
#[derive(Serialize)]
pub struct Finish<'a> {
    pub status: Status,
    pub message: Option<String>,
    /// `None` if nothing was left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    #[serde(flatten)]
    pub results: &'a Results,
}

impl Observer for JsonEvents {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Started(started) => {
                self.groups = started.grouping.groups.iter().map(|group| group.name.clone()).collect();
                self.write(
                    "start",
                    json!({
                        "config": started.config,
                        "step": started.state.step,
                        "epoch": started.state.epoch,
                        "steps_per_epoch": started.steps_per_epoch,
                        "train_images": started.train_images,
                        "trainable_parameters": started.trainable_parameters,
                        "notes": notes(started),
                    }),
                )
            }
            Event::Step { row, .. } if self.steps => self.write("step", self.step(row)?),
            Event::Epoch(row) => self.write("epoch", row),
            Event::Checkpoint { checkpoint, reason: Reason::Asked } => {
                self.write("save", json!({ "step": checkpoint.state.step, "epoch": checkpoint.state.epoch }))
            }
            Event::Changed(change) => self.write("change", change),
            Event::Finished(outcome) => self.finish(&Finish {
                status: outcome.status,
                message: outcome.verdict.as_ref().map(advice::verdict),
                step: Some(outcome.step),
                results: &outcome.results,
            }),
            Event::Failed(message) => self.write("finish", json!({ "status": Status::Failed, "message": message })),
            Event::Step { .. } | Event::Checkpoint { .. } | Event::Warning(_) => Ok(()),
        }
    }
}

fn notes<'a>(started: &'a Started<'_>) -> Vec<&'a String> {
    started.grouping.notes.iter().chain(&started.notes).collect()
}
