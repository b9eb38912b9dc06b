//! The folder of a range test: `range.csv` (with several seeds, one each in `seed-N/`), the plots, and `find.json`.

use super::{Ended, RangeTest};
use crate::config::FindConfig;
use crate::data::Dataset;
use crate::disk::{Watch, make_own_folder, own_folder};
use crate::record::{Holds, Provenance, RangeRow, RowWriter, Standing, Status, files, is_table_of, write_status};
use crate::run_folder::{Existing, Lock, claim};
use crate::stats::suggest::{Combined, headline, show};
use crate::train::Control;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

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
    /// The suggestions of the methods, in table order; empty while the test runs.
    pub suggestions: Vec<SuggestionRecord>,
    /// The suggested rate; `None` if no method found one.
    pub suggested_lr: Option<f64>,
}

impl FindInfo {
    /// Records the suggestions of the methods.
    pub fn suggest(&mut self, said: &[Combined]) {
        // Rounded to three digits, as printed for copying.
        self.suggested_lr = headline(said).and_then(|(_, rate)| show(rate).parse().ok());
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
            suggestions: Vec::new(),
            suggested_lr: None,
        };
        let directory = Self { path: path.to_path_buf(), several: config.seeds > 1, info, lock };
        directory.write()?;
        Ok(directory)
    }

    /// Runs the test for `seed`, writing each row as it comes and passing it to `see`.
    ///
    /// # Errors
    /// A failing engine, or a file that cannot be written.
    pub fn record(
        &mut self,
        seed: u64,
        test: RangeTest<'_>,
        control: &Control,
        see: &mut dyn FnMut(&RangeRow) -> Result<()>,
    ) -> Result<Vec<RangeRow>> {
        let file = if self.several {
            format!("{}/{}", files::of_seed(seed), files::RANGE_CSV)
        } else {
            files::RANGE_CSV.to_string()
        };
        self.info.provenance.kernels = Some(test.kernels().to_string());
        self.write()?;
        if self.several {
            make_own_folder(&self.path.join(files::of_seed(seed)))?;
        }
        let mut writer = RowWriter::create(&self.path.join(&file))?;
        let mut rows = Vec::new();
        let mut watch = Watch::start();
        let ended = test.run(control, &mut |row| {
            writer.write(row)?;
            if watch.is_due() {
                self.lock.folder().check()?;
                writer.check_in_place()?;
            }
            rows.push(row.clone());
            see(row)
        })?;
        self.check_in_place()?;
        writer.check_in_place()?;
        self.info.tests.push(Tested { seed, file, iterations: rows.len(), ended });
        self.write()?;
        Ok(rows)
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
