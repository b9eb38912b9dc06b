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
use std::time::{Duration, Instant};

/// The table is written again after as many times the time that it took, so that writing it never takes a large part of
/// the time of this process, or of what shards share. What is not in it yet is in the run.json of each run.
const REST: u32 = 20;

/// But after this time at the latest, for whoever looks at it.
const LONGEST_REST: Duration = Duration::from_secs(60);

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
    /// Which of them this process trains.
    ours: Vec<bool>,
    shard: Option<Shard>,
    /// The names of runs that other processes were training when their turn came.
    in_use: HashSet<String>,
    /// Those of them that are not tried again before the plan is longer.
    resting: HashSet<usize>,
    /// When the table was last written while runs are being trained, and how long that took, the wait for other shards
    /// included.
    written: Option<(Instant, Duration)>,
    /// Whether the table lacks some row.
    is_behind: bool,
    /// Notes on what was found while runs are being trained, one per line.
    pub notes: Vec<String>,
}

impl Rows {
    pub fn new(plan: &Plan, shard: Option<Shard>) -> Self {
        let is_ours = |index| shard.is_none_or(|shard| plan.is_of(index, shard));
        Self {
            others: Vec::new(),
            planned: vec![None; plan.runs.len()],
            names: plan.runs.iter().map(|run| run.name.clone()).collect(),
            ours: (0..plan.runs.len()).map(is_ours).collect(),
            shard,
            in_use: HashSet::new(),
            resting: HashSet::new(),
            written: None,
            is_behind: false,
            notes: Vec::new(),
        }
    }

    /// Whether this process trains the run at this place in the plan.
    pub fn is_ours(&self, index: usize) -> bool {
        self.ours[index]
    }

    pub const fn is_of_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// The places of the runs that are left to train in this process, without those that others train.
    pub fn missing(&self) -> Vec<usize> {
        let is_missing =
            |index: &usize| self.is_ours(*index) && self.planned[*index].is_none() && !self.resting.contains(index);
        (0..self.planned.len()).filter(is_missing).collect()
    }

    /// Leaves a run to the process that trains it, until the plan is longer. Whether that is new of it.
    pub fn leave(&mut self, index: usize) -> bool {
        self.resting.insert(index);
        self.in_use.insert(self.names[index].clone())
    }

    /// The number of runs that were left to other processes and have no row since.
    pub fn left_to_others(&self) -> usize {
        let runs = self.names.iter().zip(&self.planned);
        runs.filter(|(name, row)| row.is_none() && self.in_use.contains(*name)).count()
    }

    /// How many runs of the plan this process trains, those that are done included.
    pub fn ours(&self) -> usize {
        self.ours.iter().filter(|ours| **ours).count()
    }

    pub fn has(&self, index: usize) -> bool {
        self.planned[index].is_some()
    }

    /// The rows of a longer plan: what is known stays known.
    pub fn of_longer(self, plan: &Plan) -> Self {
        let mut rows = Self::new(plan, self.shard);
        let planned: HashSet<&str> = plan.runs.iter().map(|run| run.name.as_str()).collect();
        let mut known: HashMap<String, ComparisonRow> =
            self.planned.into_iter().flatten().map(|row| (row.run.clone(), row)).collect();
        for (row, name) in rows.planned.iter_mut().zip(&rows.names) {
            *row = known.remove(name);
        }
        rows.others = self.others;
        rows.others.retain(|row| !planned.contains(row.run.as_str()));
        Self { in_use: self.in_use, written: self.written, notes: self.notes, ..rows }
    }

    /// Those of the plan that this process knows, and those that other shards have put into the table.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn known(&mut self, plan: &Plan, folder: &Path) -> Result<Vec<ComparisonRow>> {
        let mut rows: Vec<ComparisonRow> = self.planned.iter().flatten().cloned().collect();
        if let Some(shard) = self.shard {
            let known: HashSet<String> = rows.iter().map(|row| row.run.clone()).collect();
            let planned: HashMap<&str, usize> =
                plan.runs.iter().enumerate().map(|(at, run)| (run.name.as_str(), at)).collect();
            let chain = |row: &ComparisonRow| match planned.get(row.run.as_str()) {
                Some(at) => Some(plan.place(*at).chain),
                None => plan.chain_of(row.role.as_ref()?),
            };
            let of_others =
                earlier_rows(&folder.join(files::COMPARISON_CSV), &folder.join(files::RUNS), &mut self.notes)?;
            let is_of_others = |row: &ComparisonRow| chain(row).is_some_and(|chain| !shard.has(chain));
            rows.extend(of_others.into_iter().filter(|row| !known.contains(&row.run) && is_of_others(row)));
        }
        Ok(rows)
    }

    pub fn put(&mut self, index: usize, row: ComparisonRow) {
        self.planned[index] = Some(row);
        self.is_behind = true;
    }

    pub fn rows_of_plan(&self) -> usize {
        self.planned.iter().flatten().count()
    }

    /// How many of them are over.
    pub fn over(&self) -> usize {
        self.planned.iter().flatten().filter(|row| row.status.is_over()).count()
    }

    /// Those of earlier invocations first.
    pub fn all(&self) -> Vec<ComparisonRow> {
        self.others.iter().chain(self.planned.iter().flatten()).cloned().collect()
    }

    /// Writes the table, unless that was done a moment ago.
    ///
    /// # Errors
    /// As [`Rows::write_rest`].
    pub fn write(&mut self, place: &Place) -> Result<()> {
        let is_due = |(at, took): (Instant, Duration)| at.elapsed() >= took.saturating_mul(REST).min(LONGEST_REST);
        if self.written.is_none_or(is_due) { self.write_rest(place) } else { Ok(()) }
    }

    /// Writes the table if it lacks a row. A shard that cannot, because other processes have it for long, writes its
    /// rows the next time: each is in the run.json of its run, too.
    ///
    /// # Errors
    /// The folder was moved or deleted; the table cannot be written.
    pub fn write_rest(&mut self, place: &Place) -> Result<()> {
        if !self.is_behind {
            return Ok(());
        }
        place.check()?;
        let begun = Instant::now();
        if let Some(_moment) = place.part.moment()? {
            let mut notes = Vec::new();
            self.write_now(place, &mut notes)?;
            self.notes.extend(notes);
            self.is_behind = false;
        }
        self.written = Some((Instant::now(), begun.elapsed()));
        Ok(())
    }

    /// Writes the table for the last time, and counts the runs of the plan that are over.
    ///
    /// # Errors
    /// As [`Rows::write`]; other processes do not let go of the table.
    pub fn write_last(&mut self, place: &Place) -> Result<PlanProgress> {
        place.check()?;
        let _moment = place.part.long_moment()?;
        let mut notes = Vec::new();
        let rows = self.merged(&place.folder, &mut notes)?;
        self.notes.extend(notes);
        write_rows(&place.folder.join(files::COMPARISON_CSV), &rows)?;
        let names: HashSet<&String> = self.names.iter().collect();
        let is_over = |row: &&ComparisonRow| row.status.is_over() && names.contains(&row.run);
        Ok(PlanProgress { done: rows.iter().filter(is_over).count(), planned: self.names.len() })
    }

    /// Writes the table, for a caller that has the folder.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn write_now(&self, place: &Place, notes: &mut Vec<String>) -> Result<()> {
        write_rows(&place.folder.join(files::COMPARISON_CSV), &self.merged(&place.folder, notes)?)
    }

    /// All rows of the table: those of this process as they are now, and those of other shards as they are there.
    fn merged(&self, folder: &Path, notes: &mut Vec<String>) -> Result<Vec<ComparisonRow>> {
        if self.shard.is_none() {
            return Ok(self.all());
        }
        // A damaged table was set aside when the folder was opened; one that is damaged since is, too.
        let mut rows = earlier_rows(&folder.join(files::COMPARISON_CSV), &folder.join(files::RUNS), notes)?;
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
        let runs = (0..runs).map(config).map(|config| PlannedRun { name: name(&config), config, role: None });
        Plan::of(runs.collect())
    }

    /// The names in the table.
    fn listed(folder: &Path) -> Vec<String> {
        let rows = read_rows::<ComparisonRow>(&folder.join(files::COMPARISON_CSV)).unwrap();
        rows.into_iter().map(|row| row.run).collect()
    }

    #[test]
    fn a_table_written_a_moment_ago_is_not_written_again_at_once_but_the_rest_comes_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join(files::RUNS);
        std::fs::create_dir(&runs).unwrap();
        let plan = plan(3);
        write_rows::<ComparisonRow>(&folder.path().join(files::COMPARISON_CSV), &[]).unwrap();
        RunOrder::new(plan.runs.iter().map(|run| run.name.clone())).write(folder.path()).unwrap();
        let shard: Shard = "1/1".parse().unwrap();
        let part = claim_part(folder.path(), Some(shard), &|| false).unwrap();
        let place = Place { folder: folder.path().to_path_buf(), part, runs: OpenFolder::new(&runs) };
        let mut rows = Rows::new(&plan, Some(shard));
        let row = |at: usize| {
            let PlannedRun { name, config, .. } = &plan.runs[at];
            ComparisonRow::new(name, config, Status::Finished, Results::default())
        };
        for (at, expected) in [(0, 1), (1, 1)] {
            rows.put(at, row(at));
            rows.write(&place).unwrap();
            assert_eq!(listed(folder.path()).len(), expected);
            // As if it had taken a second.
            rows.written = Some((Instant::now(), Duration::from_secs(1)));
        }
        // What somebody did to the table meanwhile is said.
        std::fs::write(folder.path().join(files::COMPARISON_CSV), "mine\n").unwrap();
        rows.write_rest(&place).unwrap();
        assert_eq!(listed(folder.path()).len(), 2);
        assert!(rows.notes.len() == 1 && rows.notes[0].contains("comparison.csv.damaged-1"), "{:?}", rows.notes);
    }

    #[test]
    fn a_run_that_another_process_trains_is_tried_again_once_the_plan_is_longer_and_counts_until_it_has_a_row() {
        let mut rows = Rows::new(&plan(2), None);
        assert!(rows.leave(1), "it is said once");
        assert_eq!((rows.missing(), rows.left_to_others()), (vec![0], 1));
        let mut rows = rows.of_longer(&plan(3));
        assert_eq!((rows.missing(), rows.left_to_others()), (vec![0, 1, 2], 1));
        assert!(!rows.leave(1));
        assert_eq!((rows.missing(), rows.left_to_others()), (vec![0, 2], 1));
        let mut rows = rows.of_longer(&plan(4));
        let PlannedRun { name, config, .. } = &plan(4).runs[1];
        rows.put(1, ComparisonRow::new(name, config, Status::Finished, Results::default()));
        assert_eq!((rows.missing(), rows.left_to_others()), (vec![0, 2, 3], 0), "this process trained it");
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
                        let PlannedRun { name, config, .. } = &plan.runs[at];
                        rows.put(at, ComparisonRow::new(name, config, Status::Finished, Results::default()));
                        rows.write(&place).unwrap();
                    }
                    let progress = rows.write_last(&place).unwrap();
                    assert!(progress.done >= rows.rows_of_plan() && progress.planned == 100);
                });
            }
        });
        assert_eq!(listed(folder.path()), names);
        let left = folder.path().read_dir().unwrap().count();
        assert_eq!(left, 3, "the table, the plan and the runs: no lock");
    }
}
