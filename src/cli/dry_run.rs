//! `--dry-run`: what a command would train, and about how long that would take here. Writes nothing to the disk.

use super::live::JsonEvents;
use super::session::Session;
use super::settings;
use crate::config::{MachineConfig, RunConfig};
use crate::data::Dataset;
use crate::experiment::{Remaining, Scheduler, Speed, Work};
use crate::number::{counted, significant};
use crate::report::table::duration;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// The runs of a command that would train.
pub struct DryRun<'a> {
    /// The folder that they would be written to.
    pub folder: &'a Path,
    /// The network, images and batches of each.
    pub config: &'a RunConfig,
    /// Each with its name, in order.
    pub runs: Vec<(String, Remaining)>,
}

impl DryRun<'_> {
    /// Measures and prints. Returns the exit code.
    pub fn print(&self, dataset: &Dataset, machine: &MachineConfig, quiet: bool, session: &Session) -> Result<u8> {
        let work: Vec<Work> = self.runs.iter().filter_map(|(_, remaining)| remaining.work().cloned()).collect();
        let (scheduler, limit) = settings::scheduler(machine, self.config, work.len());
        let speed = match work.as_slice() {
            [] => None,
            work => Speed::measure(self.config, work, dataset, scheduler, &session.control)?,
        };
        if let Some(code) = session.stopped_early() {
            return Ok(code);
        }
        if machine.json {
            JsonEvents::new(self.folder, false).write("plan", self.json(&work, scheduler, speed.as_ref()))?;
        } else if !quiet {
            let limit = limit.filter(|_| speed.is_some()).map_or(String::new(), |limit| format!("{limit}\n"));
            super::say(&format!("{}{limit}", self.text(&work, scheduler, speed.as_ref())))?;
        }
        Ok(0)
    }

    fn text(&self, work: &[Work], scheduler: Scheduler, speed: Option<&Speed>) -> String {
        let mut text = String::new();
        for (name, remaining) in &self.runs {
            let standing = match remaining {
                Remaining::Nothing => "  (done)".to_string(),
                Remaining::Work { epochs: 0, .. } => String::new(),
                Remaining::Work { epochs, .. } => format!("  ({} done)", counted(*epochs, "epoch")),
            };
            text.push_str(&format!("{name}{standing}\n"));
        }
        let all = counted(self.runs.len() as u64, "run");
        let done = match self.runs.len() - work.len() {
            0 => String::new(),
            done => format!(", {done} of them done"),
        };
        let Some(speed) = speed else {
            return format!("{text}{all}{done}: nothing left to train\n");
        };
        let Scheduler { at_once, threads } = scheduler;
        let each = if at_once == 1 { String::new() } else { format!(", {at_once} runs at once") };
        let trained = trained(work);
        let speeds: Vec<String> = match speed.training.as_slice() {
            [(_, one)] => vec![significant(*one, 3)],
            several => several.iter().map(|(name, speed)| format!("{name} {}", significant(*speed, 3))).collect(),
        };
        format!(
            "{text}{all}{done}\n\
             {trained} images to train on, each counted as often as it is seen\n\
             about {} on {}{each}: {} images a second in training and {} in evaluation, measured just now\n",
            duration(speed.seconds(work)),
            counted(threads as u64, "thread"),
            speeds.join(", "),
            significant(speed.evaluation, 3),
        )
    }

    fn json(&self, work: &[Work], scheduler: Scheduler, speed: Option<&Speed>) -> Value {
        let run = |(name, remaining): &(String, Remaining)| {
            let (epochs, work) = match remaining {
                Remaining::Nothing => (None, None),
                Remaining::Work { epochs, work } => (Some(*epochs), Some(work)),
            };
            json!({
                "run": name,
                "done": work.is_none(),
                "epochs_done": epochs,
                "train_images": work.map_or(0, |work| work.trained),
            })
        };
        let training = speed.map(|speed| speed.training.iter().map(|(name, speed)| (*name, json!(speed))));
        json!({
            "runs": self.runs.iter().map(run).collect::<Vec<_>>(),
            "missing": work.len(),
            "train_images": trained(work),
            "jobs": scheduler.at_once,
            "threads": scheduler.threads,
            "images_per_second": training.map(|each| each.map(|(name, speed)| (name.to_string(), speed)).collect::<serde_json::Map<_, _>>()),
            "evaluated_per_second": speed.map(|speed| speed.evaluation),
            "seconds": speed.map_or(0.0, |speed| speed.seconds(work)),
        })
    }
}

/// Images to train on, each as often as it is seen.
fn trained(work: &[Work]) -> u64 {
    work.iter().fold(0, |sum, work| sum.saturating_add(work.trained))
}
