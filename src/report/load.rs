//! Finds runs, comparisons and range tests below folders, and reads what can be read of them.

use super::entrants::{Entrant, entrants_of, identity};
use super::range::RangeTests;
use super::rates::{self, Known};
use crate::number::{counted, rate};
use crate::record::{
    Applied, Change, Changed, ComparisonRow, EpochRow, RangeRow, Results, RunInfo, Status, StepRow, check_last,
    check_order, check_values, files, read_good_rows,
};
use crate::schedule::Semantics;
use crate::shell;
use crate::usage::shortened;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// How deep runs are looked for: results/comparison/runs/run, and one more.
const DEPTH: usize = 5;

/// Settings that make an entrant, its seed, or no difference to the result: not part of what tells settings apart.
const NOT_SETTINGS: [&str; 10] =
    ["optimizer", "schedule", "semantics", "lr", "seed", "log-steps", "threads", "out", "data-dir", "progress"];

/// The setting that stands for what was changed by hand.
const CHANGED: &str = "changed";

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// `row.run` is the run's folder, as it is reached from here.
    pub runs: Vec<LoadedRun>,
    /// Range tests; those of several seeds of one setting together.
    pub ranges: Vec<RangeTests>,
    /// One line for each file that could not be read, or not whole.
    pub complaints: Vec<String>,
    /// What was read: no output may overwrite it.
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LoadedRun {
    pub row: ComparisonRow,
    pub metrics: Vec<EpochRow>,
    /// The settings in which the runs that were found differ: `epochs=30 model=resnet9`.
    pub setting: String,
    /// The command line that it began with, ready to paste; empty where run.json is missing.
    pub command: String,
    /// Validation used the test images: the choice has seen them.
    pub validated_on_test: bool,
    /// What was changed by hand while it went on.
    pub changes: Vec<Change>,
    /// The epochs that it began with.
    epochs: u64,
    /// The steps of a run that was changed, where they were logged.
    steps: Vec<StepRow>,
    config: BTreeMap<String, String>,
}

impl LoadedRun {
    /// What was changed by hand, all of it; `None` where nothing was.
    pub fn changed(&self) -> Option<&str> {
        self.config.get(CHANGED).map(String::as_str)
    }
}

impl LoadedRun {
    /// What its rates follow from beside its row and its epochs.
    fn known(&self) -> Known {
        Known { epochs: Some(self.epochs), changes: self.changes.clone(), steps: self.steps.clone() }
    }

    /// The highest rate of the steps that were made; `None` where it is not known.
    fn highest_rate(&self) -> Option<f64> {
        rates::of_run(&self.row, &self.metrics, &self.known()).highest()
    }
}

impl Loaded {
    /// The epochs of each run, by its folder.
    pub fn metrics(&self) -> HashMap<String, Vec<EpochRow>> {
        self.runs.iter().map(|run| (run.row.run.clone(), run.metrics.clone())).collect()
    }

    /// What was changed by hand in each run, by its folder.
    pub fn changes(&self) -> HashMap<String, Vec<Change>> {
        self.runs.iter().map(|run| (run.row.run.clone(), run.changes.clone())).collect()
    }

    /// What the rates of each run follow from beside its row and its epochs, by its folder.
    pub fn known(&self) -> HashMap<String, Known> {
        self.runs.iter().map(|run| (run.row.run.clone(), run.known())).collect()
    }

    /// The entrants of all runs, the best first.
    pub fn entrants(&self) -> Vec<Entrant<'_>> {
        let mut entrants = entrants_of(self.runs.iter().map(|run| (&run.row, run.setting.as_str())));
        let rates: HashMap<&str, f64> =
            self.runs.iter().filter_map(|run| Some((run.row.run.as_str(), run.highest_rate()?))).collect();
        for entrant in &mut entrants {
            let known = entrant.runs.iter().filter_map(|run| rates.get(run.run.as_str()));
            entrant.rate = known.copied().reduce(f64::max).unwrap_or(entrant.rate);
        }
        entrants
    }

    /// `cnn on cifar10, 10 epochs`: what all runs have in common; empty where that is nothing.
    pub fn title(&self) -> String {
        let common = |key: &str| {
            let first = self.runs.first()?.config.get(key)?;
            self.runs.iter().all(|run| run.config.get(key) == Some(first)).then_some(first)
        };
        let mut title = match (common("model"), common("dataset")) {
            (Some(model), Some(dataset)) => format!("{model} on {dataset}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => return String::new(),
        };
        if let Some(epochs) = common("epochs").and_then(|epochs| epochs.parse().ok()) {
            title.push_str(&format!(", {}", counted(epochs, "epoch")));
        }
        title
    }
}

/// Reads all folders. Nothing that is wrong in one file keeps the others from being read.
pub fn load(folders: &[PathBuf]) -> Loaded {
    let mut loaded = Loaded::default();
    for folder in folders {
        let before = (loaded.runs.len(), loaded.ranges.len(), loaded.complaints.len());
        walk(folder, DEPTH, &mut BTreeSet::new(), &mut loaded);
        if before == (loaded.runs.len(), loaded.ranges.len(), loaded.complaints.len()) {
            let what = match (folder.is_dir(), folder.exists()) {
                (true, _) => "no run, comparison or range test in it",
                (_, true) => "not a folder",
                _ => "no such folder",
            };
            loaded.complaints.push(format!("{}: {what}", folder.display()));
        }
    }
    drop_repetitions(&mut loaded);
    tell_settings_apart(&mut loaded.runs);
    loaded
}

/// Reads `folder` and what is below it, each folder once by whatever names and links it is reached. `seen`: those that were read.
fn walk(folder: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, loaded: &mut Loaded) {
    let Ok(place) = folder.canonicalize() else { return };
    if !seen.insert(place) {
        return;
    }
    let children = folders_in(folder);
    if folder.join(files::RANGE_CSV).is_file() {
        let rows = read(&folder.join(files::RANGE_CSV), loaded);
        add_range(folder, rows, loaded);
    }
    let mut in_comparison = BTreeSet::new();
    if folder.join(files::COMPARISON_CSV).is_file() {
        let rows = read::<ComparisonRow>(&folder.join(files::COMPARISON_CSV), loaded);
        let (rows, complaints) = within(folder, rows);
        loaded.complaints.extend(complaints);
        for (path, row) in rows {
            in_comparison.insert(path.clone());
            load_run(&path, Some(row), loaded);
        }
    }
    if folder.join(files::METRICS_CSV).is_file() || folder.join(files::RUN_JSON).is_file() {
        load_run(folder, None, loaded);
    }
    if depth > 0 {
        for child in children {
            // Runs of a comparison that is still going are not in its CSV yet.
            if child.ends_with(files::RUNS) && !in_comparison.is_empty() {
                let mut rest = folders_in(&child);
                rest.retain(|path| !in_comparison.contains(path));
                rest.iter().for_each(|path| walk(path, depth - 1, seen, loaded));
            } else {
                walk(&child, depth - 1, seen, loaded);
            }
        }
    }
}

/// The rows of a comparison with the folders of their runs, and one line for each whose name leads out of the comparison.
pub(super) fn within(comparison: &Path, rows: Vec<ComparisonRow>) -> (Vec<(PathBuf, ComparisonRow)>, Vec<String>) {
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

/// The folders in `folder` by name, links behind the others: a folder that has both is shown under its own name.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_by_cached_key(|path| (path.is_symlink(), path.clone()));
    folders
}

/// `seed-N` belongs to the tests of other seeds beside it.
fn add_range(folder: &Path, rows: Vec<RangeRow>, loaded: &mut Loaded) {
    let test = folder.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let parent = folder.parent().filter(|_| test.starts_with(files::SEED));
    let name = parent.unwrap_or(folder).display().to_string();
    match loaded.ranges.iter_mut().find(|range| parent.is_some() && range.name == name) {
        Some(range) => range.tests.push((test, rows)),
        None => loaded.ranges.push(RangeTests { name, tests: vec![(test, rows)] }),
    }
}

fn read<T: crate::record::Row>(path: &Path, loaded: &mut Loaded) -> Vec<T> {
    let (mut rows, complaint) = read_good_rows(path);
    loaded.files.push(path.to_path_buf());
    loaded.complaints.extend(complaint.map(|error| format!("{error:#}")));
    // Rows behind a gap are as little to be relied on as those behind damage.
    if let Some((good, wrong)) = check_order(&rows) {
        rows.truncate(good);
        loaded.complaints.push(format!("{}: {wrong}; only the rows before it are shown", path.display()));
    }
    rows
}

/// `row` is what its comparison says of it.
fn load_run(folder: &Path, row: Option<ComparisonRow>, loaded: &mut Loaded) {
    let path = folder.join(files::RUN_JSON);
    let info = if path.is_file() {
        loaded.files.push(path.clone());
        RunInfo::read(&path).map_err(|error| loaded.complaints.push(format!("{error:#}"))).ok()
    } else {
        None
    };
    // A run that failed before its first epoch has nothing to read, and its row says so.
    let failed = row.as_ref().is_some_and(|row| row.status == Status::Failed);
    let metrics_file = folder.join(files::METRICS_CSV);
    let metrics: Vec<EpochRow> =
        if failed && !metrics_file.is_file() { Vec::new() } else { read(&metrics_file, loaded) };
    if let Some(info) = &info
        && let Err(error) = check_last(&metrics, &info.results)
    {
        loaded.complaints.push(format!("{}: {error}", metrics_file.display()));
    }
    if let Some(wrong) = check_values(&metrics, info.as_ref().is_none_or(|info| info.status != Status::Finished)) {
        loaded.complaints.push(format!("{}: {wrong}", metrics_file.display()));
    }
    let mut row = match (row, &info) {
        (Some(row), _) => row,
        (None, Some(info)) => row_of(info),
        (None, None) if metrics.is_empty() => return,
        (None, None) => {
            loaded
                .complaints
                .push(format!("{}: no readable run.json; shown under its folder's name", folder.display()));
            unknown_row(folder)
        }
    };
    let epochs = row.epochs;
    let was_changed = info.as_ref().is_some_and(|info| !info.changes.is_empty());
    let steps_file = folder.join(files::STEPS_CSV);
    // What was not changed follows from its schedule.
    let steps = if was_changed && steps_file.is_file() { read(&steps_file, loaded) } else { Vec::new() };
    let mut config = info.as_ref().map(|info| settings(&info.config)).unwrap_or_default();
    if let Some((info, changed)) = info.as_ref().map(|info| (info, changes(info))).filter(|(_, told)| !told.is_empty())
    {
        row.epochs = length(info).unwrap_or(row.epochs);
        loaded.complaints.push(format!(
            "{} was changed by hand ({changed}): its command reproduces the run without these changes",
            folder.display()
        ));
        config.insert(CHANGED.to_string(), changed);
        config.remove("epochs");
    }
    loaded.runs.push(LoadedRun {
        row: ComparisonRow { run: folder.display().to_string(), ..with_last_epoch(row, &metrics) },
        metrics,
        setting: String::new(),
        command: info.as_ref().map(command).unwrap_or_default(),
        validated_on_test: config.get("validation").is_some_and(|value| value == "test"),
        changes: info.map(|info| info.changes).unwrap_or_default(),
        epochs,
        steps,
        config,
    });
}

/// The epochs that the run was last given by hand.
fn length(info: &RunInfo) -> Option<u64> {
    info.changes.iter().rev().find_map(|change| match change.what {
        Changed::Epochs { to, .. } => Some(to),
        _ => None,
    })?
}

/// `lr 0.02 from epoch 3, epochs 9 from epoch 5`: what a person changed while the run went on; empty where nothing was.
fn changes(info: &RunInfo) -> String {
    let told = info
        .changes
        .iter()
        .map(|change| format!("{} {} from epoch {}", change.setting(), change.to_text(), change.epoch));
    told.collect::<Vec<_>>().join(", ")
}

/// What a run that is still going has not written yet, from its last epoch.
fn with_last_epoch(mut row: ComparisonRow, metrics: &[EpochRow]) -> ComparisonRow {
    let Some(last) = metrics.last() else { return row };
    row.loss = row.loss.or(Some(last.loss));
    row.accuracy = row.accuracy.or(Some(last.accuracy));
    row.val_loss = row.val_loss.or(last.val_loss);
    row.val_accuracy = row.val_accuracy.or(last.val_accuracy);
    row
}

/// The row of a run that is in no comparison.
fn row_of(info: &RunInfo) -> ComparisonRow {
    let text = |key: &str| info.config.get(key).map_or(String::new(), plain);
    let Results {
        loss,
        accuracy,
        val_loss,
        val_accuracy,
        best_val_accuracy,
        best_epoch,
        test_loss,
        test_accuracy,
        seconds,
    } = info.results.clone();
    ComparisonRow {
        run: String::new(),
        schedule: text("schedule"),
        optimizer: text("optimizer"),
        semantics: info
            .config
            .get("semantics")
            .and_then(|s| serde_json::from_value(s.clone()).ok())
            .unwrap_or_default(),
        seed: info.config.get("seed").and_then(Value::as_u64).unwrap_or(0),
        epochs: info.config.get("epochs").and_then(Value::as_u64).unwrap_or(0),
        lr: info.config.get("lr").and_then(Value::as_f64).unwrap_or(f64::NAN),
        loss,
        accuracy,
        val_loss,
        val_accuracy,
        best_val_accuracy,
        best_epoch,
        test_loss,
        test_accuracy,
        seconds,
        status: info.status,
    }
}

fn unknown_row(folder: &Path) -> ComparisonRow {
    ComparisonRow {
        run: String::new(),
        schedule: folder.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()),
        optimizer: "unknown".into(),
        semantics: Semantics::Native,
        seed: 0,
        epochs: 0,
        lr: f64::NAN,
        loss: None,
        accuracy: None,
        val_loss: None,
        val_accuracy: None,
        best_val_accuracy: None,
        best_epoch: None,
        test_loss: None,
        test_accuracy: None,
        seconds: None,
        status: Status::Interrupted,
    }
}

fn settings(config: &Value) -> BTreeMap<String, String> {
    let fields = config.as_object().into_iter().flatten();
    fields
        .filter(|(key, _)| !NOT_SETTINGS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), plain(value)))
        .collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// The same entrant and seed in the same setting, twice: the same bits, as far as both came. The one that came furthest counts, of several the
/// first by name: the order of the folders decides nothing.
fn drop_repetitions(loaded: &mut Loaded) {
    let key = |run: &LoadedRun| {
        let row = &run.row;
        (identity(row), row.semantics.name(), row.lr.to_bits(), row.seed, run.config.clone())
    };
    let rank = |run: &LoadedRun| {
        (run.row.status != Status::Finished, std::cmp::Reverse(run.metrics.len()), run.row.run.clone())
    };
    let mut kept = HashMap::new();
    for run in &loaded.runs {
        let best = kept.entry(key(run)).or_insert_with(|| rank(run));
        if rank(run) < *best {
            *best = rank(run);
        }
    }
    let mut complaints = Vec::new();
    loaded.runs.retain(|run| {
        let (_, _, best) = &kept[&key(run)];
        let stays = *best == run.row.run || run.row.optimizer == "unknown";
        if !stays {
            complaints.push(format!("{}: the same run as {best}, left out", run.row.run));
        }
        stays
    });
    loaded.complaints.extend(complaints);
}

fn tell_settings_apart(runs: &mut [LoadedRun]) {
    let keys: BTreeSet<String> = runs.iter().flat_map(|run| run.config.keys().cloned()).collect();
    let known = |run: &LoadedRun| !run.config.is_empty();
    let differing: Vec<String> = keys
        .into_iter()
        .filter(|key| {
            let values: BTreeSet<_> = runs.iter().filter(|run| known(run)).map(|run| run.config.get(key)).collect();
            values.len() > 1
        })
        .collect();
    let by_hand = names_of_changes(runs);
    for run in runs.iter_mut().filter(|run| !run.config.is_empty()) {
        let value = |key: &String| {
            let by_hand = |value| by_hand.get(value).filter(|_| key == CHANGED).cloned();
            run.config.get(key).map(|value| by_hand(value).unwrap_or_else(|| format!("{key}={value}")))
        };
        run.setting = differing.iter().filter_map(value).collect::<Vec<_>>().join(" ");
    }
}

/// `lr 0.02`, `schedule cosine at 0.1`, `epochs 9`: what was changed to what.
fn told_shortly(change: &Change) -> String {
    match &change.what {
        Changed::Rate { to: Applied { rate: Some(to), .. }, .. }
        | Changed::Scale { to: Applied { rate: Some(to), .. }, .. } => format!("lr {}", rate(*to)),
        Changed::Schedule { to, .. } => format!("schedule {}", to.origin),
        Changed::Epochs { to: Some(to), .. } => format!("epochs {to}"),
        _ => format!("{} {}", change.setting(), change.to_text()),
    }
}

/// What each set of changes by hand is called, short enough for the name of an entrant: the whole of them are told beside it.
fn names_of_changes(runs: &[LoadedRun]) -> HashMap<String, String> {
    let mut names: HashMap<String, String> = HashMap::new();
    for run in runs {
        let (Some(changed), [first, rest @ ..]) = (run.config.get(CHANGED), &run.changes[..]) else { continue };
        let what = match rest {
            [] => told_shortly(first),
            _ => format!("{} changes", rest.len() + 1),
        };
        let name = format!("by hand: {what} from epoch {}", first.epoch);
        if !names.contains_key(changed) {
            let numbered = format!("{name} (");
            let alike = names.values().filter(|other| **other == name || other.starts_with(&numbered)).count();
            let name = if alike == 0 { name } else { format!("{numbered}{})", alike + 1) };
            names.insert(changed.clone(), name);
        }
    }
    names
}

/// The command that a run began with: as it was typed, or, for a run of a comparison, made from its config.
fn command(info: &RunInfo) -> String {
    if info.command.get(1).is_some_and(|word| word == "train") {
        return shell::line(&info.command);
    }
    let mut words = vec!["lrsched".to_string(), "train".to_string()];
    for (key, value) in info.config.as_object().into_iter().flatten() {
        match value {
            Value::Bool(false) | Value::Null => {}
            Value::Bool(true) => words.push(format!("--{key}")),
            value => words.extend([format!("--{key}"), plain(value)]),
        }
    }
    shell::line(&words)
}
