//! A comparison as it is found, without changing it.

use super::error::MergeError;
use crate::disk::OURS;
use crate::experiment::compare::{ComparisonError, check_unique, ended_row, planned_of, set_aside};
use crate::record::{
    ComparisonRow, Contents, EpochRow, OrderError, Role, RunInfo, RunOrder, files, read_good_rows, read_rows,
};
use crate::run_folder::{InUse, held_shards, is_in_use};
use anyhow::{Context as _, Result, bail};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A comparison.
pub struct Source {
    /// The names of its runs in the order of its plan, those that have yet to be trained included.
    pub order: Vec<String>,
    /// Its plan.json, if that can be read.
    pub plan: Option<RunOrder>,
    pub runs: Vec<Found>,
    /// Files of this comparison to set aside before they are replaced.
    pub damaged: Vec<Damaged>,
}

/// A file that cannot be used.
pub struct Damaged {
    file: PathBuf,
    error: anyhow::Error,
    /// What does instead.
    instead: &'static str,
}

impl Damaged {
    /// Renames the file, and returns a note on it.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn set_aside(&self) -> Result<String> {
        let Self { file, error, instead } = self;
        Ok(format!("{error:#}; {}; {instead}", set_aside(file)?))
    }

    /// A note on a file that stays as it is.
    fn note(&self) -> String {
        format!("{:#}; {}", self.error, self.instead)
    }
}

/// A run of a comparison.
pub struct Found {
    pub name: String,
    pub comparison: PathBuf,
    /// `None` if nothing is left of it but its row.
    pub info: Option<RunInfo>,
    /// `None` if it never ended: its process was killed.
    pub row: Option<ComparisonRow>,
    /// The epochs that are in its metrics.csv.
    epochs: usize,
}

/// # Errors
/// There is no such folder, or it holds no comparison.
pub fn check(folder: &Path) -> Result<()> {
    if !folder.exists() {
        bail!(MergeError::Missing(folder.to_path_buf()));
    }
    if !folder.is_dir() || !Contents::of(folder)?.comparison {
        bail!(MergeError::NotAComparison(folder.to_path_buf()));
    }
    Ok(())
}

impl Source {
    /// `is_ours`: this process has the folder, and will replace its table.
    ///
    /// # Errors
    /// A process is training its runs; a run.json or a folder that cannot be read; a plan.json of a later version.
    pub fn read(folder: &Path, is_ours: bool, notes: &mut Vec<String>) -> Result<Self> {
        let shard = held_shards(folder).into_iter().next();
        if !is_ours && (shard.is_some() || is_in_use(folder)) {
            bail!(InUse { folder: folder.to_path_buf(), by: shard });
        }
        let mut damaged = Vec::new();
        let mut rows = rows(&folder.join(files::COMPARISON_CSV), &mut damaged)?;
        if let Some(row) = rows.iter().find(|row| row.folder(folder).is_none()) {
            let table = folder.join(files::COMPARISON_CSV);
            bail!(MergeError::Unfit(ComparisonError::NotItsFolder { table, run: row.run.clone() }));
        }
        let plan = match RunOrder::read(folder) {
            Ok(plan) => plan,
            Err(OrderError::Damaged(error)) => {
                let instead = "the order is that of comparison.csv";
                damaged.push(Damaged { file: folder.join(files::PLAN_JSON), error, instead });
                None
            }
            Err(newer) => bail!(newer),
        };
        if !is_ours {
            notes.extend(damaged.drain(..).map(|file| file.note()));
        }
        let mut order: Vec<String> = plan.iter().flat_map(RunOrder::runs).cloned().collect();
        order.extend(rows.iter().map(|row| row.run.clone()));
        let listed: HashMap<String, ComparisonRow> = rows.drain(..).map(|row| (row.run.clone(), row)).collect();
        let mut runs = runs(folder, &listed)?;
        order.extend(runs.iter().map(|run| run.name.clone()));
        let with_folder: HashSet<String> = runs.iter().map(|run| run.name.clone()).collect();
        let rest = listed.into_values().filter(|row| !with_folder.contains(&row.run));
        runs.extend(rest.map(|row| Found {
            name: row.run.clone(),
            comparison: folder.to_path_buf(),
            info: None,
            row: Some(row),
            epochs: 0,
        }));
        let order = RunOrder::new(order);
        let places: HashMap<&String, usize> = order.runs().iter().enumerate().map(|(at, run)| (run, at)).collect();
        runs.sort_by_key(|run| places.get(&run.name).copied());
        drop(places);
        Ok(Self { order: order.runs().to_vec(), plan, runs, damaged })
    }
}

/// The rows of the table; none if it is missing or damaged.
fn rows(table: &Path, damaged: &mut Vec<Damaged>) -> Result<Vec<ComparisonRow>> {
    if !table.exists() {
        return Ok(Vec::new());
    }
    match read_rows(table) {
        Ok(rows) => check_unique(table, &rows).map(|()| rows),
        Err(error) => {
            damaged.push(Damaged { file: table.to_path_buf(), error, instead: "its rows are taken from the runs" });
            Ok(Vec::new())
        }
    }
}

/// The runs that have a folder, by name.
fn runs(comparison: &Path, listed: &HashMap<String, ComparisonRow>) -> Result<Vec<Found>> {
    let folder = comparison.join(files::RUNS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let cannot_read = || format!("cannot read {}", folder.display());
    let mut runs = Vec::new();
    for entry in folder.read_dir().with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_string) else { continue };
        // A copy that a merge had not finished when it was killed is not a run: its run.json may be empty.
        if !name.starts_with(OURS) && path.join(files::RUN_JSON).is_file() {
            runs.extend(Found::read(&path, name, comparison, listed)?);
        }
    }
    runs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(runs)
}

impl Found {
    /// Its row, or what it would be by now if it never ended.
    pub fn row_so_far(&self) -> Option<ComparisonRow> {
        self.row.clone().or_else(|| self.info.as_ref().map(|info| info.row(&self.name)))
    }

    /// `None` for a run that is not one of a comparison.
    fn read(
        path: &Path,
        folder_name: String,
        comparison: &Path,
        listed: &HashMap<String, ComparisonRow>,
    ) -> Result<Option<Self>> {
        let info = RunInfo::read(&path.join(files::RUN_JSON))?;
        let row = match planned_of(&info, &folder_name) {
            // run.json is written before the table.
            Some(planned) => ended_row(&planned, &info),
            // A config or a name of another version.
            None => match listed.get(&folder_name) {
                Some(row) => Some(row.clone()),
                None => return Ok(None),
            },
        };
        if is_in_use(path) {
            bail!(InUse { folder: path.to_path_buf(), by: None });
        }
        let epochs = if info.standing.status.is_over() {
            0
        } else {
            read_good_rows::<EpochRow>(&path.join(files::METRICS_CSV)).0.len()
        };
        Ok(Some(Self { name: folder_name, comparison: comparison.to_path_buf(), info: Some(info), row, epochs }))
    }

    /// What it is for in a tuned or screened comparison, and its seed.
    pub fn role(&self) -> Option<(&Role, u64)> {
        let of_info = || Some((self.info.as_ref()?.role.as_ref()?, self.info.as_ref()?.config.known().ok()?.seed));
        let of_row = || Some((self.row.as_ref()?.role.as_ref()?, self.row.as_ref()?.seed));
        of_row().or_else(of_info)
    }

    pub fn path(&self) -> PathBuf {
        self.comparison.join(files::RUNS).join(&self.name)
    }

    fn is_over(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.status.is_over())
    }

    /// The more, the more of the run is there.
    pub fn rank(&self) -> (bool, bool, usize) {
        (self.is_over(), self.info.is_some(), self.epochs)
    }

    /// What differs between two that are over, apart from times.
    pub fn differs(&self, other: &Self) -> Option<&'static str> {
        if !(self.is_over() && other.is_over()) {
            return None;
        }
        let (first, second) = (self.row.as_ref()?, other.row.as_ref()?);
        let weights = |found: &Self| found.info.as_ref().and_then(|info| info.weights.clone());
        if first.status != second.status {
            Some("status")
        } else if !first.results.are_those_of(&second.results) {
            Some("results")
        } else if weights(self).zip(weights(other)).is_some_and(|(first, second)| first != second) {
            Some("weights")
        } else {
            None
        }
    }
}
