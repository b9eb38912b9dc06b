//! Every entrant, one after the other, on the same weights and the same batches.

use super::entrant::Entrant;
use crate::data::Dataset;
use crate::record::{ComparisonRow, Results, RunInfo, Status, write_rows};
use crate::train::{All, Bars, Existing, JsonEvents, Observer, Outcome, Run, RunConfig, RunDirectory};
use crate::usage;
use crate::usage::Usage;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRun {
    /// Its folder below `runs/`, and its name in the CSV.
    pub name: String,
    pub config: RunConfig,
}

/// All runs of a comparison, seed by seed within an entrant.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub runs: Vec<PlannedRun>,
}

impl Plan {
    /// `config` makes the config of one run of an entrant with the first seed; the others follow it, one by one.
    ///
    /// # Errors
    /// No entrant, the same one twice, or one whose config cannot be.
    pub fn new(
        entrants: &[Entrant],
        seeds: u64,
        config: impl Fn(&Entrant) -> Result<RunConfig, Usage>,
    ) -> Result<Self, Usage> {
        if entrants.is_empty() || seeds == 0 {
            return usage!("a comparison needs at least 1 entrant and 1 seed, got {} and {seeds}", entrants.len());
        }
        let mut runs: Vec<PlannedRun> = Vec::new();
        for entrant in entrants {
            let first = config(entrant)?;
            for index in 0..seeds {
                let config = RunConfig { seed: first.seed.wrapping_add(index), ..first.clone() };
                let run = PlannedRun { name: name(&config), config };
                if runs.iter().any(|other| other.config == run.config) {
                    return usage!("entrant {}/{} is named twice", run.config.optimizer, run.config.schedule);
                }
                let clash = runs.iter().filter(|other| other.name == run.name).count();
                let suffix = if clash > 0 { format!("~{}", clash + 1) } else { String::new() };
                runs.push(PlannedRun { name: run.name + &suffix, ..run });
            }
        }
        Ok(Self { runs })
    }
}

/// A folder's name that says what ran in it, of characters that every file system takes.
fn name(config: &RunConfig) -> String {
    let text = format!("{}_{}_lr={}_seed={}", config.optimizer, config.schedule, config.lr, config.seed);
    let kept = |c: char| if c.is_ascii_alphanumeric() || "._=,+-".contains(c) { c } else { '_' };
    // File systems take 255 bytes; the config itself is in run.json.
    text.chars().map(kept).take(200).collect()
}

/// A comparison in its folder.
pub struct Comparison<'a> {
    folder: PathBuf,
    plan: &'a Plan,
    /// Of the runs that are done, in the order of the plan.
    rows: Vec<Option<ComparisonRow>>,
}

impl<'a> Comparison<'a> {
    /// Opens the folder and finds what an earlier start has left to do.
    ///
    /// # Errors
    /// A folder that holds something else, or runs of another configuration; one that cannot be written.
    pub fn open(folder: &Path, plan: &'a Plan, existing: Existing) -> Result<Self> {
        let marker = folder.join("comparison.csv");
        let occupied = folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if folder.exists() && !folder.is_dir() {
            return usage!("--out {} is not a folder", folder.display());
        }
        if occupied && !marker.exists() && existing == Existing::Refuse {
            return usage!(
                "--out {} is not empty and holds no comparison; choose another folder, or --force",
                folder.display()
            );
        }
        let mut comparison = Self { folder: folder.to_path_buf(), plan, rows: vec![None; plan.runs.len()] };
        if occupied && existing == Existing::Replace {
            remove_runs(&folder.join("runs"))?;
        } else {
            for (row, run) in comparison.rows.iter_mut().zip(&plan.runs) {
                *row = done(&folder.join("runs").join(&run.name), run)?;
            }
        }
        comparison.write()?;
        Ok(comparison)
    }

    /// How many runs are still to do.
    pub fn missing(&self) -> usize {
        self.rows.iter().filter(|row| row.is_none()).count()
    }

    /// Does what is missing. A run that diverges or fails is a row, and the rest go on.
    pub fn run(&mut self, dataset: &Dataset, threads: usize, bars: &Bars, json: bool) -> Result<()> {
        for (index, planned) in self.plan.runs.iter().enumerate() {
            if self.rows[index].is_some() {
                continue;
            }
            let path = self.path(planned);
            let trained = train(planned, &path, dataset, threads, bars, json);
            let (status, results) = match trained {
                Ok(outcome) => (outcome.status, outcome.results()),
                Err(error) => {
                    bars.line(&format!("{}: failed: {error:#}", planned.name));
                    (Status::Failed, Results::default())
                }
            };
            self.rows[index] = Some(row(planned, status, results));
            self.write()?;
            bars.run_done();
        }
        Ok(())
    }

    /// The rows of the runs that are done.
    pub fn rows(&self) -> Vec<ComparisonRow> {
        self.rows.iter().flatten().cloned().collect()
    }

    fn path(&self, run: &PlannedRun) -> PathBuf {
        self.folder.join("runs").join(&run.name)
    }

    fn write(&self) -> Result<()> {
        write_rows(&self.folder.join("comparison.csv"), &self.rows())
    }
}

/// Removes the folders of runs, and nothing else that may lie there.
fn remove_runs(folder: &Path) -> Result<()> {
    let Ok(entries) = folder.read_dir() else { return Ok(()) };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.join("run.json").is_file() {
            std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn train(
    planned: &PlannedRun,
    path: &Path,
    dataset: &Dataset,
    threads: usize,
    bars: &Bars,
    json: bool,
) -> Result<Outcome> {
    let run = Run::new(&planned.config, dataset, threads)?;
    // What an interrupted run has left is done again from the start.
    let directory = RunDirectory::create(path, Existing::Replace, &planned.config, dataset, threads)?;
    directory.record(|files| {
        let mut observers: Vec<Box<dyn Observer + '_>> = vec![Box::new(files), Box::new(bars.run(Some(&planned.name)))];
        if json {
            observers.push(Box::new(JsonEvents::new(&planned.name, planned.config.log_steps)));
        }
        run.train(&mut All(observers))
    })
}

/// The row of a run that has been done before, or `None` where it is to be done.
fn done(path: &Path, planned: &PlannedRun) -> Result<Option<ComparisonRow>> {
    let file = path.join("run.json");
    if !file.exists() {
        return Ok(None);
    }
    let info = RunInfo::read(&file)?;
    if info.config != serde_json::to_value(&planned.config)? {
        return usage!(
            "{} holds a run of another configuration; choose another --out, or --force to start over",
            path.display()
        );
    }
    let done = matches!(info.status, Status::Finished | Status::Diverged);
    Ok(done.then(|| row(planned, info.status, info.results)))
}

fn row(planned: &PlannedRun, status: Status, results: Results) -> ComparisonRow {
    let PlannedRun { name, config } = planned;
    // JSON has no NaN: what a diverged run no longer had a number for comes back as nothing.
    let number = |value: Option<f64>| if status == Status::Diverged { value.or(Some(f64::NAN)) } else { value };
    ComparisonRow {
        run: name.clone(),
        schedule: config.schedule.to_string(),
        optimizer: config.optimizer.to_string(),
        semantics: config.semantics,
        seed: config.seed,
        epochs: config.epochs,
        lr: config.lr,
        loss: number(results.loss),
        accuracy: number(results.accuracy),
        val_loss: number(results.val_loss),
        val_accuracy: number(results.val_accuracy),
        best_val_accuracy: results.best_val_accuracy,
        best_epoch: results.best_epoch,
        test_loss: results.test_loss,
        test_accuracy: results.test_accuracy,
        seconds: results.seconds,
        status,
    }
}
