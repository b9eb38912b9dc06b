//! plan.json: the runs of a comparison in the order of its table.

use super::provenance::command_line;
use super::{ComparisonRow, files, is_folder_name, replace_own};
use crate::config::{CommandName, given_variables};
use crate::disk;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// The format that this version writes. Another number is for a change that an earlier version would get wrong.
const FORMAT: u64 = 1;

/// The order of the runs of a comparison, those that have yet to be trained included. Processes that train parts of it
/// find the place of each run here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOrder {
    format: u64,
    /// The lrsched that wrote it.
    version: String,
    /// How many runs the comparison has in all: those that follow from others and have no name yet, and those that other
    /// commands added, included. `None` in the files of earlier versions, and of merged shards with plans of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    /// What the last command compared the entrants with, as it was given; `None` if each with each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<String>,
    /// How these runs were planned; empty in the files of earlier versions, and of merged shards with plans of their own.
    #[serde(flatten)]
    planned_by: PlannedBy,
    /// Names of folders below `runs/`.
    runs: Vec<String>,
    /// Those of `runs` that other commands began: the last one trains none of them. Empty in the files of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<String>,
    /// Those of `runs` that the stages so far do not plan, although a later one may: they do not count as done. Empty in the
    /// files of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unplanned: Vec<String>,
}

/// A command that plans runs, as it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBy {
    /// The command line, the program first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The variables of settings. Empty in the files of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl PlannedBy {
    /// That of this process.
    pub fn this_process() -> Self {
        Self { command: command_line(), variables: given_variables(CommandName::Compare) }
    }
}

/// Why the order of a comparison's runs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// Its order can be had from the table, so far as runs have rows.
    #[error("{0:#}")]
    Damaged(anyhow::Error),
    #[error("{file} was written by lrsched {version} in format {format}, and this version knows format {FORMAT} only")]
    Newer { file: String, version: String, format: u64 },
}

impl RunOrder {
    /// Runs in this order; of a name that comes twice, the first place counts.
    pub fn new(runs: impl IntoIterator<Item = String>) -> Self {
        let mut seen = HashSet::new();
        let runs = runs.into_iter().filter(|run| seen.insert(run.clone())).collect();
        let version = env!("CARGO_PKG_VERSION").to_string();
        let (planned_by, others, unplanned) = (PlannedBy::default(), Vec::new(), Vec::new());
        Self { format: FORMAT, version, total: None, baseline: None, planned_by, runs, others, unplanned }
    }

    /// The same, for so many runs in all.
    #[must_use]
    pub fn of(self, total: usize) -> Self {
        Self { total: Some(total), ..self }
    }

    /// The same, with these [others](Self::others) and these [unplanned](Self::unplanned).
    #[must_use]
    pub fn with_others(self, others: Vec<String>, unplanned: Vec<String>) -> Self {
        Self { others, unplanned, ..self }
    }

    /// The same, with this baseline.
    #[must_use]
    pub fn against(self, baseline: Option<&str>) -> Self {
        Self { baseline: baseline.map(str::to_string), ..self }
    }

    /// The same, with the number of runs and the command of this plan, and what that does not plan.
    #[must_use]
    pub fn of_plan(self, plan: &Self) -> Self {
        let (others, unplanned) = (plan.others.clone(), plan.unplanned.clone());
        Self { total: plan.total, planned_by: plan.planned_by.clone(), others, unplanned, ..self }
    }

    /// The same, planned so.
    #[must_use]
    pub fn by(self, planned_by: PlannedBy) -> Self {
        Self { planned_by, ..self }
    }

    pub const fn planned_by(&self) -> &PlannedBy {
        &self.planned_by
    }

    pub fn baseline(&self) -> Option<&str> {
        self.baseline.as_deref()
    }

    pub fn runs(&self) -> &[String] {
        &self.runs
    }

    /// Those of its runs that other commands began and the last one does not train.
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// Those of its runs that the stages so far do not plan, although a later one may.
    pub fn unplanned(&self) -> &[String] {
        &self.unplanned
    }

    pub const fn total(&self) -> Option<usize> {
        self.total
    }

    /// Whether it plans the same, by whatever command.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.runs, self.total, &self.baseline) == (&other.runs, other.total, &other.baseline)
    }

    /// The order in which `plan` comes last and as it is: runs outside it come before, in the order they have now.
    #[must_use]
    pub fn ending_with(&self, plan: &[String]) -> Self {
        let planned: HashSet<&String> = plan.iter().collect();
        Self::new(self.runs.iter().filter(|run| !planned.contains(run)).chain(plan).cloned())
    }

    /// Sorts the rows; runs that are not in the order come first, and stay as they are.
    pub fn sort(&self, rows: &mut [ComparisonRow]) {
        let places: HashMap<&String, usize> = self.runs.iter().enumerate().map(|(at, run)| (run, at + 1)).collect();
        rows.sort_by_key(|row| places.get(&row.run).copied().unwrap_or(0));
    }

    /// The order recorded in the folder of a comparison; `None` if none is, as in folders of earlier versions.
    ///
    /// # Errors
    /// An [`OrderError`].
    pub fn read(folder: &Path) -> Result<Option<Self>, OrderError> {
        let path = folder.join(files::PLAN_JSON);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let read =
            || -> Result<serde_json::Value> { Ok(serde_json::from_slice(&disk::read(&path, disk::MOST_RECORD)?)?) };
        let named = |error: anyhow::Error| OrderError::Damaged(error.context(path.display().to_string()));
        let value = read().map_err(named)?;
        if let Some(format) = value["format"].as_u64().filter(|format| *format > FORMAT) {
            let version = value["version"].as_str().unwrap_or("of a later version").to_string();
            return Err(OrderError::Newer { file: path.display().to_string(), version, format });
        }
        Self::checked(value).map(Some).map_err(named)
    }

    fn checked(value: serde_json::Value) -> Result<Self> {
        let order: Self = serde_json::from_value(value)?;
        if let Some(run) = order.runs.iter().find(|run| !is_folder_name(run)) {
            bail!("the run `{}` is not a folder of this comparison", run.escape_debug());
        }
        if Self::new(order.runs.iter().cloned()).runs.len() != order.runs.len() {
            bail!("a run is listed twice");
        }
        let beside: HashSet<&String> = order.others.iter().chain(&order.unplanned).collect();
        if beside.len() != order.others.len() + order.unplanned.len() || !beside.is_subset(&order.runs.iter().collect())
        {
            bail!("`others` and `unplanned` must have runs of `runs`, each once");
        }
        Ok(order)
    }

    /// Whether the folder has a plan.json of ours, of this version or a later one.
    pub(super) fn is_in(folder: &Path) -> bool {
        matches!(Self::read(folder), Ok(Some(_)) | Err(OrderError::Newer { .. }))
    }

    /// Writes plan.json atomically.
    ///
    /// # Errors
    /// The file cannot be written; the line names it.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).context("plan.json")?;
        text.push('\n');
        replace_own(&folder.join(files::PLAN_JSON), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(runs: &[&str]) -> RunOrder {
        RunOrder::new(runs.iter().map(ToString::to_string))
    }

    #[test]
    fn a_plan_comes_last_in_its_own_order_and_what_it_lacks_comes_before() {
        let plan = ["c", "a", "d"].map(str::to_string);
        assert_eq!(order(&["a", "b", "c"]).ending_with(&plan), order(&["b", "c", "a", "d"]));
        assert_eq!(order(&["x", "c", "a", "d"]).ending_with(&plan), order(&["x", "c", "a", "d"]));
    }

    #[test]
    fn what_was_written_is_read_and_damage_is_told_from_a_later_format() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RunOrder::read(folder.path()).unwrap().is_none());
        order(&["b", "a"]).write(folder.path()).unwrap();
        assert_eq!(RunOrder::read(folder.path()).unwrap(), Some(order(&["b", "a"])));
        let read = |text: &str| {
            std::fs::write(folder.path().join("plan.json"), text).unwrap();
            RunOrder::read(folder.path()).unwrap_err()
        };
        for damaged in [
            "",
            "[]",
            "{\"format\": 1, \"version\": \"1\"}",
            "{\"format\": 1, \"version\": \"1\", \"runs\": [\"../x\"]}",
            "{\"format\": 1, \"version\": \"1\", \"runs\": [\"x\", \"x\"]}",
            "{\"format\": 1, \"version\": \"1\", \"runs\": [\"x\"], \"others\": [\"y\"]}",
            "{\"format\": 1, \"version\": \"1\", \"runs\": [\"x\"], \"others\": [\"x\"], \"unplanned\": [\"x\"]}",
        ] {
            let error = read(damaged);
            assert!(matches!(&error, OrderError::Damaged(_)) && error.to_string().contains("plan.json"), "{error}");
            assert!(!RunOrder::is_in(folder.path()));
        }
        let later = read("{\"format\": 2, \"version\": \"9.1\", \"parts\": []}");
        assert!(matches!(&later, OrderError::Newer { format: 2, .. }) && later.to_string().contains("9.1"), "{later}");
        assert!(RunOrder::is_in(folder.path()));
    }
}
