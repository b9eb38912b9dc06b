//! Finds runs, comparisons and range tests below folders, and reads as much of them as possible.

mod comparisons;
mod planned;
mod repeated;
mod run;
mod settings;

pub use planned::Planned;
pub use run::LoadedRun;

use super::entrants::{EntrantRuns, entrants_of};
use super::range::{RangeTests, Recorded};
use super::rates::{GroupRates, Known};
use super::tuning::Tuning;
use crate::disk::{self, OURS};
use crate::number::counted;
use crate::record::{Change, ComparisonRow, EpochRow, check_order, files, read_good_rows};
use crate::stats::suggest::MEASURED;
use crate::usage::{one_line, shortened};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

/// The maximum search depth: results/comparison/runs/run, and one more.
const DEPTH: usize = 5;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// `row.run` is the run's folder, as a path from the working directory.
    pub runs: Vec<LoadedRun>,
    /// Range tests; the seeds of one setting are grouped.
    pub ranges: Vec<RangeTests>,
    /// Of each comparison that has a plan.
    pub planned: Vec<Planned>,
    /// One line for each file that could not be read, or only in part.
    pub complaints: Vec<String>,
    /// The files read: no output may overwrite them.
    pub files: Vec<PathBuf>,
    /// The range tests read, by where they really are.
    tested: BTreeSet<PathBuf>,
}

impl Loaded {
    fn append(&mut self, other: Self) {
        let Self { runs, ranges, planned, complaints, files, tested } = other;
        self.tested.extend(tested);
        self.planned.extend(planned);
        self.runs.extend(runs);
        self.ranges.extend(ranges);
        self.complaints.extend(complaints);
        self.files.extend(files);
    }

    /// The epochs of each run, by its folder.
    pub fn metrics(&self) -> HashMap<String, Vec<EpochRow>> {
        self.runs.iter().map(|run| (run.row.run.clone(), run.metrics.clone())).collect()
    }

    /// The manual changes of each run, by its folder.
    pub fn changes(&self) -> HashMap<String, Vec<Change>> {
        self.runs.iter().map(|run| (run.row.run.clone(), run.changes.clone())).collect()
    }

    /// What determines the rates of each run besides its row and its epochs, by its folder.
    pub fn known(&self) -> HashMap<String, Known> {
        self.runs.iter().map(|run| (run.row.run.clone(), run.known())).collect()
    }

    /// The rates of the parameter groups of each run that has any, by its folder.
    pub fn group_rates(&self) -> HashMap<&str, &[GroupRates]> {
        let runs = self.runs.iter().filter(|run| !run.groups.is_empty());
        runs.map(|run| (run.row.run.as_str(), run.groups.as_slice())).collect()
    }

    /// The entrants of all runs, group by group, the leader first.
    pub fn entrants(&self) -> Vec<EntrantRuns<'_>> {
        let mut entrants = entrants_of(self.runs.iter().map(|run| (&run.row, run.place())));
        let rates: HashMap<&str, f64> =
            self.runs.iter().filter_map(|run| Some((run.row.run.as_str(), run.highest_rate?))).collect();
        let epochs: HashMap<&str, usize> =
            self.runs.iter().map(|run| (run.row.run.as_str(), run.metrics.len())).collect();
        for entrant in &mut entrants {
            let peak = |run: &ComparisonRow| rates.get(run.run.as_str()).copied();
            let known = match entrant.tuning {
                Some(_) => {
                    let epochs = |run: &ComparisonRow| epochs.get(run.run.as_str()).copied().unwrap_or(0);
                    let tuning = Tuning::of(entrant, peak, epochs);
                    let known = tuning.peak();
                    entrant.tuning = Some(tuning);
                    known
                }
                None => entrant.runs.iter().chain(&entrant.aside).filter_map(|run| peak(run)).reduce(f64::max),
            };
            entrant.rate = known.unwrap_or(entrant.rate);
        }
        entrants
    }

    /// How many runs of unfinished comparisons are done: `53 of 1,215 runs are done.`
    pub fn progress(&self) -> Option<String> {
        let done: usize = self.planned.iter().map(Planned::done).sum();
        let total: usize = self.planned.iter().map(Planned::total).sum();
        let is_exact = self.planned.iter().all(Planned::is_exact);
        (done < total).then(|| format!("Under way: {} are done.", planned::of_runs(done, total, is_exact)))
    }

    /// The one comparison that this is a report on, if it is not complete.
    pub fn unfinished(&self) -> Option<&Planned> {
        let [one] = &self.planned[..] else { return None };
        Some(one).filter(|one| !one.is_complete())
    }

    /// The baseline that all comparisons have.
    pub fn baseline(&self) -> Option<&str> {
        let first = self.planned.first()?.baseline();
        first.filter(|_| self.planned.iter().all(|one| one.baseline() == first))
    }

    /// What all runs have in common: `cnn on cifar10, 10 epochs`; of one range test alone, what it tests.
    pub fn title(&self) -> Option<String> {
        if self.runs.is_empty() {
            let [one] = &self.ranges[..] else { return None };
            return Some(one.title());
        }
        let common = |key: &str| {
            let first = self.runs.first()?.settings.get(key)?;
            self.runs.iter().all(|run| run.settings.get(key) == Some(first)).then_some(first)
        };
        let mut title = match (common("model"), common("dataset")) {
            (Some(model), Some(dataset)) => {
                subject(model, dataset, common("train-limit").and_then(|limit| limit.parse().ok()))
            }
            (one, other) => one.or(other)?.to_string(),
        };
        if let Some(epochs) = common("epochs").and_then(|epochs| epochs.parse().ok()) {
            title.push_str(&format!(", {}", counted(epochs, "epoch")));
        }
        Some(title)
    }
}

/// `cnn on cifar10`, `cnn on 5,000 images of cifar10`: what is trained on what, for titles.
pub fn subject(model: impl fmt::Display, dataset: impl fmt::Display, train_limit: Option<u64>) -> String {
    match train_limit {
        Some(limit) => format!("{model} on {} of {dataset}", counted(limit, "image")),
        None => format!("{model} on {dataset}"),
    }
}

/// Reads all folders. An invalid file does not keep the others from being read.
pub fn load(folders: &[PathBuf]) -> Loaded {
    let mut loaded = Loaded::default();
    for folder in folders {
        let before = (loaded.runs.len(), loaded.tested.len(), loaded.complaints.len());
        walk(folder, DEPTH, &mut BTreeSet::new(), &mut loaded);
        if before == (loaded.runs.len(), loaded.tested.len(), loaded.complaints.len()) {
            let what = match (folder.is_dir(), folder.exists()) {
                (true, _) => "no run, comparison or range test in it",
                (_, true) => "not a folder",
                _ => "no such folder",
            };
            loaded.complaints.push(format!("{}: {what}", folder.display()));
        }
    }
    join_shards(&mut loaded);
    repeated::drop_repetitions(&mut loaded);
    settings::tell_apart(&mut loaded.runs);
    settings::group(&mut loaded.runs);
    loaded
}

/// Makes one plan of those that shards have, and tells each run whether its comparison is complete.
fn join_shards(loaded: &mut Loaded) {
    let mut joined: Vec<Planned> = Vec::new();
    let mut places = Vec::new();
    // Folders whose runs contradict each other are different comparisons, however alike their plans.
    let of_folder = comparisons::of_folders(&loaded.runs);
    let comparison = |one: &Planned| of_folder.get(&one.folder.display().to_string());
    for one in std::mem::take(&mut loaded.planned) {
        let is_same = |other: &Planned| other.is_same(&one) && comparison(other) == comparison(&one);
        let place = joined.iter().position(is_same).unwrap_or(joined.len());
        match joined.get_mut(place) {
            Some(other) => other.over.extend(one.over),
            None => joined.push(one),
        }
        places.push(place);
    }
    for run in &mut loaded.runs {
        run.under_way = run.plan.is_some_and(|plan| !joined[places[plan]].is_complete());
    }
    loaded.planned = joined;
}

/// Reads `folder` and everything below it, each folder once, whatever names and links lead to it. `seen`: folders
/// already read.
fn walk(folder: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, loaded: &mut Loaded) {
    let Ok(place) = folder.canonicalize() else { return };
    if !seen.insert(place) {
        return;
    }
    let children = folders_in(folder);
    let first = loaded.runs.len();
    if folder.join(files::RANGE_CSV).is_file() {
        add_range(folder, loaded);
    }
    let mut in_comparison = BTreeSet::new();
    if folder.join(files::COMPARISON_CSV).is_file() {
        let rows = read::<ComparisonRow>(&folder.join(files::COMPARISON_CSV), loaded);
        let (rows, complaints) = within(folder, rows);
        loaded.complaints.extend(complaints);
        in_comparison.extend(rows.iter().map(|(path, _)| path.clone()));
        let read = |(path, row): (PathBuf, ComparisonRow)| {
            let mut one = Loaded::default();
            run::load(&path, Some(row), &mut one);
            one
        };
        // Many small files: most of the time goes to the system, which serves several threads at once.
        let runs: Vec<Loaded> = rows.into_par_iter().map(read).collect();
        let mut of_table = Loaded::default();
        runs.into_iter().for_each(|one| of_table.append(one));
        settings::share(&mut of_table.runs);
        loaded.append(of_table);
    }
    if folder.join(files::METRICS_CSV).is_file() || folder.join(files::RUN_JSON).is_file() {
        run::load(folder, None, loaded);
    }
    if depth > 0 {
        for child in children {
            // Runs of a comparison in progress are not in its CSV yet.
            if child.ends_with(files::RUNS) && !in_comparison.is_empty() {
                let mut rest = folders_in(&child);
                rest.retain(|path| !in_comparison.contains(path));
                rest.iter().for_each(|path| walk(path, depth - 1, seen, loaded));
            } else {
                walk(&child, depth - 1, seen, loaded);
            }
        }
    }
    // Of all runs that are there: the table may lag behind, or be lost.
    // As their rows have it, whatever its characters are.
    let runs = PathBuf::from(folder.join(files::RUNS).display().to_string());
    let is_own = |run: &LoadedRun| Path::new(&run.row.run).parent() == Some(&runs);
    let own: Vec<&LoadedRun> = loaded.runs[first..].iter().filter(|run| is_own(run)).collect();
    if own.is_empty() {
        return;
    }
    match Planned::of(folder, &own) {
        Ok(None) => {}
        Ok(Some(planned)) => {
            let place = loaded.planned.len();
            loaded.runs[first..].iter_mut().filter(|run| is_own(run)).for_each(|run| run.plan = Some(place));
            loaded.planned.push(planned);
        }
        Err(error) => loaded.complaints.push(format!("{error}: whether runs are missing is not known")),
    }
}

/// The rows of a comparison with the folders of their runs, and one line for each run whose name leads outside the
/// comparison.
fn within(comparison: &Path, rows: Vec<ComparisonRow>) -> (Vec<(PathBuf, ComparisonRow)>, Vec<String>) {
    let (mut inside, mut complaints) = (Vec::new(), Vec::new());
    for row in rows {
        match row.folder(comparison) {
            Some(path) => inside.push((path, row)),
            None => complaints.push(format!(
                "{}: the run `{}` is not a folder of this comparison, left out",
                comparison.join(files::COMPARISON_CSV).display(),
                shortened(&row.run)
            )),
        }
    }
    (inside, complaints)
}

/// The subfolders of `folder` by name, links last: a folder that has both is shown under its own name.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // A copy that a merge had not finished when it was killed is not a run.
    let entries = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with(OURS));
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_by_cached_key(|path| (path.is_symlink(), path.clone()));
    folders
}

/// `seed-N` belongs with the tests of other seeds beside it, unless it is a test with a record of its own.
fn add_range(folder: &Path, loaded: &mut Loaded) {
    let Ok(place) = folder.canonicalize() else { return };
    if !loaded.tested.insert(place.clone()) {
        loaded.complaints.push(format!("{}: the same range test again, left out", folder.display()));
        return;
    }
    let rows = read_sound(&folder.join(files::RANGE_CSV), loaded);
    let test = place.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let is_seed = test.starts_with(files::SEED) && !folder.join(files::FIND_JSON).is_file();
    let parent = place.parent().filter(|_| is_seed);
    let same = |range: &RangeTests| Path::new(&range.name).canonicalize().ok().as_deref() == place.parent();
    match loaded.ranges.iter_mut().find(|range| parent.is_some() && same(range)) {
        Some(range) => range.tests.push((test, rows)),
        None => {
            // As it was typed, unless that names another folder, as from inside it or through a link.
            let typed = |parent: &&Path| {
                folder.parent().filter(|typed| typed.canonicalize().is_ok_and(|typed| typed == **parent))
            };
            let whole = parent.map_or(folder, |parent| typed(&parent).unwrap_or(parent));
            let name = whole.display().to_string();
            let recorded = recorded(&whole.join(files::FIND_JSON), loaded);
            let refining = whole.join(files::REFINE_CSV);
            let refining = if refining.is_file() { read_sound(&refining, loaded) } else { Vec::new() };
            let run_updates = recorded.run_updates.unwrap_or(MEASURED);
            loaded.ranges.push(RangeTests { name, tests: vec![(test, rows)], refining, run_updates, recorded });
        }
    }
}

/// A table without its record is reported all the same.
fn recorded(path: &Path, loaded: &mut Loaded) -> Recorded {
    let assumed = format!("the rate is taken to be for a run of {MEASURED} updates");
    if !path.is_file() {
        loaded.complaints.push(format!("{} is missing: {assumed}", path.display()));
        return Recorded::default();
    }
    loaded.files.push(path.to_path_buf());
    let read = || anyhow::Ok(serde_json::from_slice(&disk::read(path, disk::MOST_RECORD)?)?);
    let mut recorded = read().unwrap_or_else(|error: anyhow::Error| {
        loaded.complaints.push(format!("{}: {error:#}; {assumed}", path.display()));
        Recorded::default()
    });
    // Anybody may have written the file: what is pasted is what is seen.
    recorded.commands.retain(|command| one_line(&command.line) == command.line);
    recorded
}

/// The rows before the first that holds a value no test writes.
fn read_sound<T: crate::record::Row>(path: &Path, loaded: &mut Loaded) -> Vec<T> {
    let mut rows: Vec<T> = read(path, loaded);
    let wrong = rows.iter().enumerate().find_map(|(at, row)| Some((at, row.wrong(false)?)));
    if let Some((good, wrong)) = wrong {
        rows.truncate(good);
        let (path, number) = (path.display(), good + 1);
        loaded.complaints.push(format!("{path}: row {number}: {wrong}; only the rows before it are shown"));
    }
    rows
}

fn read<T: crate::record::Row>(path: &Path, loaded: &mut Loaded) -> Vec<T> {
    let (mut rows, complaint) = read_good_rows(path);
    loaded.files.push(path.to_path_buf());
    loaded.complaints.extend(complaint.map(|error| format!("{error:#}")));
    // Rows after a gap are as unreliable as rows after damage.
    if let Some((good, wrong)) = check_order(&rows) {
        rows.truncate(good);
        loaded.complaints.push(format!("{}: {wrong}; only the rows before it are shown", path.display()));
    }
    rows
}
