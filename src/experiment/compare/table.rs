//! The table of a comparison, which several processes may write.

use super::plan::{Plan, PlannedRun};
use super::rows::earlier_rows;
use crate::config::Shard;
use crate::disk::OpenFolder;
use crate::record::{ComparisonRow, RunOrder, files, write_rows};
use crate::run_folder::Part;
use anyhow::Result;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The folder of a comparison, with a part of its runs, or all, locked.
pub(super) struct Place {
    pub folder: PathBuf,
    pub part: Part,
    /// The folder of the runs.
    pub runs: OpenFolder,
}

impl Place {
    pub fn path(&self, run: &PlannedRun) -> PathBuf {
        self.folder.join(files::RUNS).join(&run.name)
    }

    /// # Errors
    /// The folder of the comparison, or of its runs, was moved or deleted.
    pub fn check(&self) -> Result<()> {
        self.part.folder().check()?;
        self.runs.check()
    }
}

/// How much of a plan is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanProgress {
    /// The runs that are over: finished or diverged.
    pub done: usize,
    pub planned: usize,
}

/// The rows of a comparison, as far as this process knows them.
pub(super) struct Rows {
    /// Runs of an earlier invocation that are not in this plan. None for a shard, which leaves the rows of others in the
    /// table.
    pub others: Vec<ComparisonRow>,
    /// The runs that are over, in plan order. None of other shards.
    planned: Vec<Option<ComparisonRow>>,
    /// The names of the plan.
    names: Vec<String>,
    shard: Option<Shard>,
    /// Runs that other processes were training when their turn came.
    pub left_to_others: usize,
}

impl Rows {
    pub fn new(plan: &Plan, shard: Option<Shard>) -> Self {
        let names = plan.runs.iter().map(|run| run.name.clone()).collect();
        Self { others: Vec::new(), planned: vec![None; plan.runs.len()], names, shard, left_to_others: 0 }
    }

    /// Whether this process trains the run at this place in the plan.
    pub fn is_ours(&self, index: usize) -> bool {
        self.shard.is_none_or(|shard| shard.has(index))
    }

    /// The places of the runs that are left to train in this process.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.planned.len()).filter(|index| self.is_ours(*index) && self.planned[*index].is_none()).collect()
    }

    pub fn put(&mut self, index: usize, row: ComparisonRow) {
        self.planned[index] = Some(row);
    }

    pub fn rows_of_plan(&self) -> usize {
        self.planned.iter().flatten().count()
    }

    /// Those of earlier invocations first.
    pub fn all(&self) -> Vec<ComparisonRow> {
        self.others.iter().chain(self.planned.iter().flatten()).cloned().collect()
    }

    /// Writes the table. A shard that cannot, because other processes have it for long, writes its rows the next time:
    /// each is in the run.json of its run, too.
    ///
    /// # Errors
    /// The folder was moved or deleted; the table cannot be written.
    pub fn write(&self, place: &Place) -> Result<()> {
        place.check()?;
        match place.part.moment()? {
            Some(_moment) => self.write_now(place),
            None => Ok(()),
        }
    }

    /// Writes the table for the last time, and counts the runs of the plan that are over.
    ///
    /// # Errors
    /// As [`Rows::write`]; other processes do not let go of the table.
    pub fn write_last(&self, place: &Place) -> Result<PlanProgress> {
        place.check()?;
        let _moment = place.part.long_moment()?;
        let rows = self.merged(&place.folder)?;
        write_rows(&place.folder.join(files::COMPARISON_CSV), &rows)?;
        let names: HashSet<&String> = self.names.iter().collect();
        let is_over = |row: &&ComparisonRow| row.status.is_over() && names.contains(&row.run);
        Ok(PlanProgress { done: rows.iter().filter(is_over).count(), planned: self.names.len() })
    }

    /// Writes the table, for a caller that has the folder.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn write_now(&self, place: &Place) -> Result<()> {
        write_rows(&place.folder.join(files::COMPARISON_CSV), &self.merged(&place.folder)?)
    }

    /// All rows of the table: those of this process as they are now, and those of other shards as they are there.
    fn merged(&self, folder: &Path) -> Result<Vec<ComparisonRow>> {
        if self.shard.is_none() {
            return Ok(self.all());
        }
        // A damaged table was set aside when the folder was opened; one that is damaged since is, too.
        let mut rows = earlier_rows(&folder.join(files::COMPARISON_CSV), &folder.join(files::RUNS), &mut Vec::new())?;
        let ours: HashMap<&String, &Option<ComparisonRow>> = self
            .names
            .iter()
            .zip(&self.planned)
            .enumerate()
            .filter(|(index, _)| self.is_ours(*index))
            .map(|(_, run)| run)
            .collect();
        rows.retain(|row| !ours.contains_key(&row.run));
        rows.extend(self.planned.iter().flatten().cloned());
        // Another process may have recorded a longer plan.
        let order = RunOrder::read(folder).ok().flatten();
        order.unwrap_or_else(|| RunOrder::new(self.names.iter().cloned())).sort(&mut rows);
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::name;
    use super::*;
    use crate::config::RunConfig;
    use crate::record::{Results, Status, read_rows};
    use crate::run_folder::claim_part;

    /// A plan of one entrant, by seeds.
    fn plan(runs: u64) -> Plan {
        let config = |seed| RunConfig { seed, ..RunConfig::default() };
        let runs = (0..runs).map(config).map(|config| PlannedRun { name: name(&config), config });
        Plan { runs: runs.collect() }
    }

    #[test]
    fn of_many_shards_that_write_one_table_at_once_none_loses_a_row_and_the_order_is_that_of_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join(files::RUNS);
        std::fs::create_dir(&runs).unwrap();
        let plan = plan(100);
        let names: Vec<String> = plan.runs.iter().map(|run| run.name.clone()).collect();
        write_rows::<ComparisonRow>(&folder.path().join(files::COMPARISON_CSV), &[]).unwrap();
        RunOrder::new(names.clone()).write(folder.path()).unwrap();
        std::thread::scope(|scope| {
            for index in 1..=8 {
                let (plan, folder, runs) = (&plan, folder.path().to_path_buf(), &runs);
                scope.spawn(move || {
                    let shard: Shard = format!("{index}/8").parse().unwrap();
                    let part = claim_part(&folder, Some(shard), &|| false).unwrap();
                    let place = Place { folder, part, runs: OpenFolder::new(runs) };
                    let mut rows = Rows::new(plan, Some(shard));
                    for at in rows.missing() {
                        let PlannedRun { name, config } = &plan.runs[at];
                        rows.put(at, ComparisonRow::new(name, config, Status::Finished, Results::default()));
                        rows.write(&place).unwrap();
                    }
                    let progress = rows.write_last(&place).unwrap();
                    assert!(progress.done >= rows.rows_of_plan() && progress.planned == 100);
                });
            }
        });
        let rows = read_rows::<ComparisonRow>(&folder.path().join(files::COMPARISON_CSV)).unwrap();
        assert_eq!(rows.into_iter().map(|row| row.run).collect::<Vec<_>>(), names);
        let left = folder.path().read_dir().unwrap().count();
        assert_eq!(left, 3, "the table, the plan and the runs: no lock");
    }
}
