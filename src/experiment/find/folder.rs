//! The folder of a range test: `range.csv` (with several seeds, one each in `seed-N/`), `refine.csv`, the plots, and
//! `find.json`.

use super::{Ended, RangeObserver, RangeTest, RangeTestObserver, ShortRun};
use crate::config::{FindConfig, RunConfig};
use crate::data::Dataset;
use crate::disk::{OpenFolder, Watch, make_own_folder, own_folder};
use crate::experiment::scheduler::{Scheduler, is_refused_a_thread};
use crate::record::{
    Holds, NextCommand, Provenance, RangeRow, RefineRow, RowWriter, Standing, Status, files, is_table_of, write_rows,
    write_status,
};
use crate::run_folder::{Existing, Lock, claim};
use crate::stats::suggest::{Combined, ShortResult, as_printed, beyond, headline};
use crate::train::{Control, Run, Stop, ThreadShare};
use anyhow::{Context, Result};
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// find.json: everything needed to repeat the test, and its results.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindInfo {
    #[serde(flatten)]
    pub provenance: Provenance,
    /// The resolved config: every setting, defaults included.
    pub config: FindConfig,
    #[serde(flatten)]
    pub standing: Standing,
    pub tests: Vec<Tested>,
    /// The length of the run that `suggested_lr` is for: config.for-epochs, in updates.
    pub run_updates: u64,
    /// The suggestions of the methods, in table order; empty while the test runs.
    pub suggestions: Vec<SuggestionRecord>,
    /// The suggested rate; `None` if no method found one.
    pub suggested_lr: Option<f64>,
    /// Commands that train at what was found; empty while the test runs, and if nothing was.
    pub commands: Vec<NextCommand>,
}

impl FindInfo {
    /// Records the suggestions of the methods.
    pub fn suggest(&mut self, said: &[Combined]) {
        self.suggested_lr = headline(said).map(|(_, rate)| as_printed(rate));
        let suggestion = |one: &Combined| SuggestionRecord {
            method: one.method.name().to_string(),
            rate: one.answer.as_ref().ok().map(|answer| answer.rate),
            lowest: one.spread.map(|spread| spread.0),
            highest: one.spread.map(|spread| spread.1),
            seeds: one.answers,
            reason: one.answer.as_ref().map_or_else(Clone::clone, |answer| answer.reason.clone()),
        };
        self.suggestions = said.iter().map(suggestion).collect();
    }
}

/// A finished test of one seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    pub seed: u64,
    /// Relative to the folder.
    pub file: String,
    pub iterations: usize,
    pub ended: Ended,
}

/// The result of one method over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuggestionRecord {
    pub method: String,
    /// The median over the seeds that gave an answer.
    pub rate: Option<f64>,
    pub lowest: Option<f64>,
    pub highest: Option<f64>,
    /// The number of seeds that gave an answer.
    pub seeds: usize,
    /// Why this rate, or why there is none.
    pub reason: String,
}

/// The open folder of a range test.
pub struct FindDirectory {
    path: PathBuf,
    several: bool,
    pub info: FindInfo,
    /// Held until the last file is written.
    lock: Lock,
}

impl FindDirectory {
    /// # Errors
    /// A folder that is in use, not empty (unless it may be replaced), or not writable.
    pub fn create(
        path: &Path,
        existing: Existing,
        config: &FindConfig,
        dataset: &Dataset,
        threads: usize,
    ) -> Result<Self> {
        if config.seeds > 1 {
            (0..config.seeds).try_for_each(|index| own_folder(&path.join(files::of_seed(config.run.seed + index))))?;
        }
        let lock = claim(path, existing, Holds::RangeTest, files::unmarked(&files::OF_RANGE_TEST))?;
        remove_seeds(path)?;
        let info = FindInfo {
            // The kernels are known only once the first test is built.
            provenance: Provenance::here(dataset, threads, None),
            config: config.clone(),
            standing: Standing::RUNNING,
            tests: Vec::new(),
            run_updates: config.run_updates(Run::steps_of(&config.run, dataset)?),
            suggestions: Vec::new(),
            suggested_lr: None,
            commands: Vec::new(),
        };
        let directory = Self { path: path.to_path_buf(), several: config.seeds > 1, info, lock };
        directory.write()?;
        Ok(directory)
    }

    /// Runs the tests of all seeds, several at once, and writes each row as it comes. Returns the rows of each seed that
    /// was tested, in the order of the seeds.
    ///
    /// # Errors
    /// A failing engine, a file that cannot be written, or an observer that fails: the other tests stop.
    pub fn run_tests(
        &mut self,
        dataset: &Dataset,
        scheduler: Scheduler,
        control: &Control,
        observer: &dyn RangeObserver,
    ) -> Result<Vec<(u64, Vec<RangeRow>)>> {
        let config = self.info.config.clone();
        let seeds: Vec<u64> = (config.run.seed..).take(config.seeds as usize).collect();
        let (files, folder) = (self.files(), self.lock.folder().clone());
        let directory = Mutex::new(self);
        let began = |kernels: &str| {
            let mut directory = directory.lock().unwrap_or_else(PoisonError::into_inner);
            directory.info.provenance.kernels = Some(kernels.to_string());
            directory.write()
        };
        let test = |seed: &u64, share: &ThreadShare| -> Result<(Tested, Vec<RangeRow>)> {
            let run = RunConfig { seed: *seed, ..config.run.clone() };
            let test = RangeTest::new(&config, &run, dataset, share)?;
            began(test.kernels())?;
            let mut watcher = observer.observe(*seed, test.steps())?;
            let (tested, rows) = files.record(*seed, test, &folder, control, watcher.as_mut())?;
            watcher.end(tested.ended);
            Ok((tested, rows))
        };
        let (mut tests, mut error) = (Vec::new(), None);
        let mut finished = |_, done: Result<(Tested, Vec<RangeRow>)>| {
            let written = done.and_then(|(tested, rows)| {
                tests.push((tested.seed, rows));
                let mut directory = directory.lock().unwrap_or_else(PoisonError::into_inner);
                directory.info.tests.push(tested);
                directory.info.tests.sort_by_key(|test| test.seed);
                directory.write()
            });
            stop_at_error(written, control, &mut error)
        };
        let starved = |_: &u64, done: &Result<(Tested, Vec<RangeRow>)>| is_refused_a_thread(done);
        scheduler.run(&seeds, &|| control.stopping().is_some(), &test, &starved, &mut finished)?;
        tests.sort_by_key(|(seed, _)| *seed);
        error.map_or(Ok(tests), Err)
    }

    /// Trains the short runs around `rate`, and beyond them as [`beyond`] has it, several at once; writes their table anew after each.
    /// Returns its rows, by rate and seed; fewer if `control` requests a stop.
    ///
    /// # Errors
    /// As [`FindDirectory::run_tests`].
    pub fn refine(
        &mut self,
        rate: f64,
        safe: f64,
        dataset: &Dataset,
        scheduler: Scheduler,
        control: &Control,
        observer: &dyn RangeObserver,
    ) -> Result<Vec<RefineRow>> {
        let config = &self.info.config;
        let steps_per_epoch = Run::steps_of(&config.run, dataset)?;
        let mut rows: Vec<RefineRow> = Vec::new();
        let mut runs = ShortRun::at(&ShortRun::around(rate), config, steps_per_epoch)?;
        while !runs.is_empty() {
            let expected = rows.len() + runs.len();
            observer.expect_short(expected as u64)?;
            self.train_short(&runs, &mut rows, dataset, scheduler, control, observer)?;
            if rows.len() < expected {
                return Ok(rows);
            }
            let known: Vec<ShortResult> = rows.iter().map(RefineRow::result).collect();
            let next = beyond(&known, config.run.dataset.chance(), safe);
            runs = ShortRun::at(next.as_slice(), config, steps_per_epoch)?;
        }
        Ok(rows)
    }

    /// Adds the rows of `runs` to `rows`, sorted, and writes them as each run ends; not all of them if `control` requests a stop.
    fn train_short(
        &self,
        runs: &[ShortRun],
        rows: &mut Vec<RefineRow>,
        dataset: &Dataset,
        scheduler: Scheduler,
        control: &Control,
        observer: &dyn RangeObserver,
    ) -> Result<()> {
        let config = &self.info.config;
        let train = |run: &ShortRun, share: &ThreadShare| -> Result<Option<RefineRow>> {
            let mut watcher = observer.observe_short(*run)?;
            let mut watch = Watch::start();
            let row = run.run(config, dataset, share, control, &mut |loss| {
                if watch.is_due() {
                    self.check_in_place()?;
                }
                watcher.see(loss)
            })?;
            watcher.end(row.as_ref())?;
            Ok(row)
        };
        let mut error = None;
        let mut finished = |_, result: Result<Option<RefineRow>>| {
            let written = result.and_then(|row| {
                let Some(row) = row else { return Ok(()) };
                let by_rate = |a: &RefineRow, b: &RefineRow| a.learning_rate.total_cmp(&b.learning_rate);
                rows.push(row);
                rows.sort_by(|a, b| by_rate(a, b).then(a.seed.cmp(&b.seed)));
                self.check_in_place()?;
                write_rows(&self.path.join(files::REFINE_CSV), rows)
            });
            stop_at_error(written, control, &mut error)
        };
        let starved = |_: &ShortRun, done: &Result<Option<RefineRow>>| is_refused_a_thread(done);
        scheduler.run(runs, &|| control.stopping().is_some(), &train, &starved, &mut finished)?;
        error.map_or(Ok(()), Err)
    }

    fn files(&self) -> SeedFiles {
        SeedFiles { path: self.path.clone(), several: self.several }
    }

    /// Records the results, or the error.
    pub fn close(&mut self, status: Status, message: Option<String>) -> Result<()> {
        self.info.standing = Standing::ended(status, message);
        // If the folder was moved, the test failed; record that at its new location.
        match self
            .lock
            .folder()
            .place()
            .filter(|place| status == Status::Failed && place.join(files::FIND_JSON).exists())
        {
            Some(place) => self.write_to(&place),
            None => self.write(),
        }
    }

    /// # Errors
    /// The folder was moved or deleted.
    pub fn check_in_place(&self) -> Result<()> {
        self.lock.folder().check()
    }

    fn write(&self) -> Result<()> {
        self.check_in_place()?;
        self.write_to(&self.path)
    }

    fn write_to(&self, folder: &Path) -> Result<()> {
        write_status(&folder.join(files::FIND_JSON), &self.info, self.info.standing.status, |message| FindInfo {
            standing: Standing { status: Status::Failed, message: Some(message), ..self.info.standing.clone() },
            ..self.info.clone()
        })
    }
}

/// Stops all others at an error, and keeps the first: without one of its tests or short runs there is no suggestion.
fn stop_at_error(done: Result<()>, control: &Control, error: &mut Option<anyhow::Error>) -> ControlFlow<()> {
    let Err(found) = done else { return ControlFlow::Continue(()) };
    control.stop(Stop::Interrupt);
    error.get_or_insert(found);
    ControlFlow::Break(())
}

/// Where the rows of each seed go.
struct SeedFiles {
    path: PathBuf,
    several: bool,
}

impl SeedFiles {
    /// Runs the test of `seed`, writing each row as it comes and passing it to `watcher`.
    fn record(
        &self,
        seed: u64,
        test: RangeTest<'_>,
        folder: &OpenFolder,
        control: &Control,
        watcher: &mut dyn RangeTestObserver,
    ) -> Result<(Tested, Vec<RangeRow>)> {
        let file = if self.several {
            make_own_folder(&self.path.join(files::of_seed(seed)))?;
            format!("{}/{}", files::of_seed(seed), files::RANGE_CSV)
        } else {
            files::RANGE_CSV.to_string()
        };
        let mut writer = RowWriter::create(&self.path.join(&file))?;
        let mut rows = Vec::new();
        let mut watch = Watch::start();
        let ended = test.run(control, &mut |row| {
            writer.write(row)?;
            if watch.is_due() {
                folder.check()?;
                writer.check_in_place()?;
            }
            rows.push(row.clone());
            watcher.see(row)
        })?;
        folder.check()?;
        writer.check_in_place()?;
        Ok((Tested { seed, file, iterations: rows.len(), ended }, rows))
    }
}

/// Removes the tables of an earlier multi-seed test, and no other files.
fn remove_seeds(folder: &Path) -> Result<()> {
    let entries = folder.read_dir().with_context(|| format!("cannot read the folder {}", folder.display()))?;
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(files::SEED)) {
        let table = entry.path().join(files::RANGE_CSV);
        // The target of a link is not ours.
        let is_own = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_own && is_table_of::<RangeRow>(&table) {
            std::fs::remove_file(&table).with_context(|| format!("cannot replace {}", table.display()))?;
            // Only if nothing else is in it.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
    Ok(())
}
