//! `--dry-run`: what a command would train, and about how long that would take here. Writes nothing to the disk.

use super::live::{JsonEvents, group_lines};
use super::session::Session;
use super::settings;
use crate::config::{MachineConfig, RunConfig, Shard};
use crate::data::Dataset;
use crate::experiment::{Remaining, Scheduler, Speed, Work};
use crate::number::{counted, exact, grouped, rounded};
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
    /// The number of runs in the plan, those of other shards included.
    pub planned: usize,
    /// Those of this process, in order.
    pub runs: Vec<Listed>,
    /// What follows from results may take less or more than is counted.
    pub may_differ: bool,
    /// Of the runs that have yet to follow from results, so many at most are over already.
    pub here: usize,
}

/// A run.
pub struct Listed {
    /// From 1, by which its lines name it while it is trained: its place among the planned runs, or of a tuned or screened
    /// comparison its turn. Range tests have none.
    pub number: Option<usize>,
    /// That of its folder; `None` if it has none of its own.
    pub name: Option<String>,
    pub remaining: Remaining,
}

impl DryRun<'_> {
    /// Measures and prints, even with `--quiet`: nothing else is asked for. Returns the exit code.
    pub fn print(&self, dataset: &Dataset, machine: &MachineConfig, session: &Session) -> Result<u8> {
        let work: Vec<Work> = self.runs.iter().filter_map(|run| run.remaining.work().cloned()).collect();
        let (scheduler, limit) = settings::scheduler(machine, self.config, work.len());
        let speed = match work.as_slice() {
            [] => None,
            work => Speed::measure(self.config, work, dataset, scheduler, &session.control)?,
        };
        if let Some(code) = session.stopped_early() {
            return Ok(code);
        }
        let shard = machine.shard;
        if machine.json {
            JsonEvents::new(self.folder, false).write("plan", self.json(shard, &work, scheduler, speed.as_ref()))?;
        } else {
            let left = match &speed {
                Some(speed) => estimate(&work, scheduler, limit, speed, self.counting()),
                None => ": nothing left to train".to_string(),
            };
            let count = settings::sentences(&(self.count(shard, work.len()) + &left));
            super::say(&(self.list() + &self.groups()? + &count))?;
        }
        Ok(0)
    }

    /// The names, each with its number and with how far it is.
    fn list(&self) -> String {
        let digits = self.planned.to_string().len();
        let mut text = String::new();
        for Listed { number, name, remaining } in &self.runs {
            let Some(name) = name else { continue };
            let number = number.map_or(String::new(), |number| format!("{number:>digits$}  "));
            let standing = match remaining {
                Remaining::Nothing => "  (done)".to_string(),
                Remaining::Work { epochs: 0, .. } => String::new(),
                Remaining::Work { epochs, .. } => format!("  ({} done)", counted(*epochs, "epoch")),
            };
            text.push_str(&format!("{number}{name}{standing}\n"));
        }
        text
    }

    /// The parameter groups that the runs share.
    fn groups(&self) -> Result<String> {
        let grouping = self.config.grouping(&self.config.architecture())?;
        Ok(group_lines(&grouping).iter().map(|line| format!("{line}\n")).collect())
    }

    /// How many runs there are, of which `missing` are left.
    fn count(&self, shard: Option<Shard>, missing: usize) -> String {
        let runs = self.runs.len();
        let all = format!("{} {}", grouped(runs as u64), if runs == 1 { "run" } else { "runs" });
        let all = match shard {
            Some(shard) => format!("shard {shard}: {all} of {}", grouped(self.planned as u64)),
            None => all,
        };
        let all = match runs - missing {
            0 => all,
            done => format!("{all}, {} of them done", grouped(done as u64)),
        };
        match self.runs.iter().filter(|run| run.name.is_none()).count() {
            // The only test of `find`.
            follow if follow > 0 && runs > 1 => {
                let here = match self.here {
                    0 => String::new(),
                    here => format!(", and up to {} of them are here already", grouped(here as u64)),
                };
                format!("{all}, {} not listed: they follow from the results of others{here}", grouped(follow as u64))
            }
            _ => all,
        }
    }

    /// How sure the work is.
    fn counting(&self) -> &'static str {
        match (self.may_differ, self.here) {
            (true, _) => "the short runs may be fewer or more",
            (false, 0) => "every epoch counted",
            (false, _) => "at most; every epoch counted",
        }
    }

    fn json(&self, shard: Option<Shard>, work: &[Work], scheduler: Scheduler, speed: Option<&Speed>) -> Value {
        let run = |Listed { name, remaining, .. }: &Listed| {
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
            "shard": shard.map(|shard| shard.to_string()),
            "planned": self.planned,
            "missing": work.len(),
            "train_images": trained(work),
            "may_differ": self.may_differ || self.here > 0,
            "jobs": scheduler.at_once,
            "threads": scheduler.threads,
            "images_per_second": training.map(|each| each.map(|(name, speed)| (name.to_string(), speed)).collect::<serde_json::Map<_, _>>()),
            "evaluated_per_second": speed.map(|speed| speed.evaluation),
            "seconds": speed.map_or(0.0, |speed| speed.seconds(work)),
        })
    }
}

/// What there is to do, and about how long it takes. `limit`: why fewer runs are trained at once than could be.
fn estimate(work: &[Work], scheduler: Scheduler, limit: Option<String>, speed: &Speed, counting: &str) -> String {
    let Scheduler { at_once, threads } = scheduler;
    let each = if at_once == 1 { String::new() } else { format!(", {at_once} runs at once") };
    let limit = limit.map_or(String::new(), |limit| format!("{limit}\n"));
    let speeds: Vec<String> = match speed.training.as_slice() {
        [(_, one)] => vec![per_second(*one)],
        several => several.iter().map(|(name, speed)| format!("{name} {}", per_second(*speed))).collect(),
    };
    format!(
        "\n{} training images in all ({counting})\n{limit}{} on {}{each}: {} images a second in training and {} in evaluation, measured just now",
        grouped(trained(work)),
        about(speed.seconds(work)),
        counted(threads as u64, "thread"),
        speeds.join(", "),
        per_second(speed.evaluation),
    )
}

/// An estimated time.
fn about(seconds: f64) -> String {
    if seconds < 1.0 { "less than a second".to_string() } else { format!("about {}", duration(seconds)) }
}

/// A measured speed, to three digits.
fn per_second(speed: f64) -> String {
    let speed = rounded(speed, 3);
    if speed < 1000.0 { exact(speed) } else { grouped(speed as u64) }
}

/// Images to train on, each as often as it is seen.
fn trained(work: &[Work]) -> u64 {
    work.iter().fold(0, |sum, work| sum.saturating_add(work.trained))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dry_run(planned: usize, done: &[bool]) -> DryRun<'static> {
        let run = |(at, done): (usize, &bool)| {
            let work = Work { optimizer: "sgd".parse().unwrap(), trained: 1, evaluated: 1 };
            let remaining = if *done { Remaining::Nothing } else { Remaining::Work { epochs: 0, work } };
            Listed { number: Some(3 * at + 1), name: Some(format!("run-{at}")), remaining }
        };
        let config = Box::leak(Box::default());
        DryRun {
            folder: Path::new("out"),
            config,
            planned,
            runs: done.iter().enumerate().map(run).collect(),
            may_differ: false,
            here: 0,
        }
    }

    #[test]
    fn the_runs_are_numbered_by_their_places_in_the_plan_and_counted_with_their_shard() {
        let some = dry_run(10_000, &[false, true]);
        assert_eq!(some.list(), "    1  run-0\n    4  run-1  (done)\n");
        let shard = "1/3".parse().ok();
        assert_eq!(some.count(None, 1), "2 runs, 1 of them done");
        assert_eq!(some.count(shard, 2), "shard 1/3: 2 runs of 10,000");
        assert_eq!(dry_run(2, &[false]).count(shard, 1), "shard 1/3: 1 run of 2");
    }

    #[test]
    fn of_runs_that_follow_from_results_it_is_said_how_many_may_be_there_already() {
        let work = Work { optimizer: "sgd".parse().unwrap(), trained: 1, evaluated: 1 };
        let to_come =
            || Listed { number: None, name: None, remaining: Remaining::Work { epochs: 0, work: work.clone() } };
        let mut plan = dry_run(4, &[true, false]);
        plan.runs.extend([to_come(), to_come()]);
        let follow = "4 runs, 1 of them done, 2 not listed: they follow from the results of others";
        for (here, told) in
            [(0, ""), (1, ", and up to 1 of them are here already"), (2, ", and up to 2 of them are here already")]
        {
            plan.here = here;
            assert_eq!(plan.count(None, 3), format!("{follow}{told}"));
            assert_eq!(plan.counting().starts_with("at most"), here > 0);
        }
    }

    #[test]
    fn times_and_speeds_are_as_precise_as_an_estimate_can_be() {
        assert_eq!([0.03, 0.99, 12.4].map(about), ["less than a second", "less than a second", "about 12s"]);
        assert_eq!([98.76, 999.9, 12_345.6].map(per_second), ["98.8", "1,000", "12,300"]);
    }
}
