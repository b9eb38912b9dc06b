//! One run: its run.json, its rows, and its row in the comparison.

use super::super::changes;
use super::super::entrants::Place;
use super::super::rates::{self, GroupRates, Known};
use super::{Loaded, read, settings};
use crate::config::{SettingValues, typed};
use crate::data::{DatasetKind, Validation};
use crate::record::{
    Change, Changed, ComparisonRow, EpochRow, Results, Row as _, RunInfo, Status, StepRow, check_last, check_values,
    files,
};
use crate::schedule::Semantics;
use crate::shell;
use std::path::Path;

#[derive(Debug, Clone, PartialEq)]
pub struct LoadedRun {
    pub row: ComparisonRow,
    pub metrics: Vec<EpochRow>,
    /// The settings that differ between the loaded runs: `epochs=30 model=resnet9`.
    pub setting: String,
    /// Those of them without which runs cannot be compared: see [`Place::group`].
    pub group: String,
    /// The command line it started with, ready to paste; empty if run.json is missing.
    pub command: String,
    /// Manual changes made while it ran.
    pub changes: Vec<Change>,
    /// The same in words; `None` without changes.
    pub changed: Option<String>,
    /// The epochs it started with.
    epochs: u64,
    /// The steps of an epoch by its settings, if these are known.
    steps_per_epoch: Option<u64>,
    /// The steps of a changed run, if logged.
    steps: Vec<StepRow>,
    /// The rates of its parameter groups besides the base group.
    pub(in crate::report) groups: Vec<GroupRates>,
    /// The highest rate of the steps taken; `None` if unknown.
    pub(in crate::report) highest_rate: Option<f64>,
    /// The settings that may distinguish it from other runs; empty if nothing records them.
    pub(super) settings: SettingValues,
    /// The digest of its images, if recorded.
    pub(super) images: Option<String>,
    /// The place of its comparison's plan among those that were read.
    pub(super) plan: Option<usize>,
    /// More runs of its comparison are planned.
    pub(super) under_way: bool,
}

impl LoadedRun {
    /// Where it stands among the others.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            setting: &self.setting,
            by_hand: self.changed.as_deref(),
            group: &self.group,
            on_test: self.validated_on_test(),
            tta: self.settings.get("tta").and_then(|name| name.parse().ok()).unwrap_or_default(),
            images: self.validation_images().map(|images| images as u64),
            dataset: self.dataset(),
            under_way: self.under_way,
        }
    }

    /// Validation used the test images, so they influenced the choice of the best epoch.
    pub fn validated_on_test(&self) -> bool {
        self.settings.get("validation") == Some("test")
    }

    fn dataset(&self) -> Option<DatasetKind> {
        self.settings.get("dataset")?.parse().ok()
    }

    /// How many images each of its validation accuracies is a share of, if known.
    fn validation_images(&self) -> Option<usize> {
        match self.settings.get("validation")?.parse().ok()? {
            Validation::Holdout(images) => Some(images),
            Validation::Test => self.dataset().map(DatasetKind::test_images),
        }
    }

    /// What determines its rates, besides its row and its epochs.
    pub(super) fn known(&self) -> Known {
        let (epochs, changes, steps) = (Some(self.epochs), self.changes.clone(), self.steps.clone());
        Known { epochs, changes, steps, steps_per_epoch: self.steps_per_epoch }
    }
}

/// `row` is its row in the comparison.
pub(super) fn load(folder: &Path, row: Option<ComparisonRow>, loaded: &mut Loaded) {
    let info = read_info(folder, loaded);
    // A run that failed before its first epoch has no metrics, and its row says so.
    let failed = row.as_ref().is_some_and(|row| row.status == Status::Failed);
    let metrics = read_metrics(folder, failed, info.as_ref(), loaded);
    let Some(mut row) = shown(folder, row, info.as_ref(), &metrics, loaded) else { return };
    row.run = folder.display().to_string();
    complete(&mut row.results, metrics.last());
    let epochs = row.epochs;
    let changes = info.as_ref().map(|info| info.changes.clone()).unwrap_or_default();
    let changed = (!changes.is_empty()).then(|| changes::all(&changes));
    let mut steps = Vec::new();
    let mut settings = info.as_ref().map(|info| settings::telling(info.config.settings())).unwrap_or_default();
    if let Some(changed) = &changed {
        row.epochs = length(&changes).unwrap_or(row.epochs);
        // Without manual changes, the rates follow from the schedule.
        let file = folder.join(files::STEPS_CSV);
        if file.is_file() {
            steps = read(&file, loaded);
        }
        loaded.complaints.push(format!(
            "{} was changed by hand ({changed}): its command reproduces the run without these changes",
            folder.display()
        ));
        settings = settings.only(|name| name != "epochs");
    }
    let config = info.as_ref().and_then(|info| info.config.known().ok());
    let mut run = LoadedRun {
        row,
        metrics,
        setting: String::new(),
        group: String::new(),
        command: info.as_ref().map(command).unwrap_or_default(),
        changes,
        changed,
        epochs,
        steps_per_epoch: config.as_ref().and_then(rates::planned_steps),
        steps,
        groups: Vec::new(),
        highest_rate: None,
        settings,
        images: info.as_ref().map(|info| info.provenance.dataset.digest.clone()),
        plan: None,
        under_way: false,
    };
    let base = rates::of_run(&run.row, &run.metrics, &run.known());
    // How a group's own schedule was fitted to another length is in the steps alone.
    let is_known = !run.steps.is_empty() || length(&run.changes).is_none();
    if let Some(config) = config.filter(|_| is_known) {
        run.groups = rates::of_groups(&config, &base, &run.metrics, &run.steps);
    }
    run.highest_rate = base.highest();
    loaded.runs.push(run);
}

/// The row that is shown of a run: its record says it, or the table of its comparison does. `None` for a folder that is no
/// run, and for one with impossible values.
fn shown(
    folder: &Path,
    row: Option<ComparisonRow>,
    info: Option<&RunInfo>,
    metrics: &[EpochRow],
    loaded: &mut Loaded,
) -> Option<ComparisonRow> {
    let (row, from) = match (row, info) {
        // A run that failed may not have been able to say so itself.
        (Some(row), Some(info)) if row.status == Status::Failed && !info.standing.status.is_over() => {
            (row, files::COMPARISON_CSV)
        }
        (Some(row), Some(info)) => (of_both(folder, row, info, loaded), files::RUN_JSON),
        (Some(row), None) => (row, files::COMPARISON_CSV),
        (None, Some(info)) => (info.row(""), files::RUN_JSON),
        (None, None) if metrics.is_empty() => return None,
        (None, None) => {
            loaded
                .complaints
                .push(format!("{}: no readable run.json; shown under its folder's name", folder.display()));
            (unknown_row(folder, metrics), files::METRICS_CSV)
        }
    };
    if let Some(wrong) = row.wrong(false) {
        loaded.complaints.push(format!("{}: {wrong} in {from}; left out", folder.display()));
        return None;
    }
    Some(row)
}

/// What the record of a run says, unless that is impossible: the table of a comparison may lag behind its runs, which may
/// also have been changed or resumed by hand.
fn of_both(folder: &Path, row: ComparisonRow, info: &RunInfo, loaded: &mut Loaded) -> ComparisonRow {
    let mut own = info.row(&row.run);
    let (run, record, table) = (folder.display(), files::RUN_JSON, files::COMPARISON_CSV);
    if info.config.known().is_err() {
        // Of another version: the table has what it was, the record how it ended.
        own = ComparisonRow { status: own.status, results: own.results, ..row.clone() };
    }
    let both = row.status == Status::Finished && own.status == Status::Finished && info.changes.is_empty();
    if let Some(wrong) = own.wrong(false).filter(|_| row.wrong(false).is_none()) {
        loaded.complaints.push(format!("{run}: {wrong} in its {record}; shown is what {table} says of it"));
        return row;
    }
    if both && !row.results.are_those_of(&own.results) {
        loaded.complaints.push(format!(
            "{run}: its results are not those that its comparison has in {table}; shown is what its {record} says"
        ));
    }
    own
}

fn read_info(folder: &Path, loaded: &mut Loaded) -> Option<RunInfo> {
    let path = folder.join(files::RUN_JSON);
    if !path.is_file() {
        return None;
    }
    loaded.files.push(path.clone());
    RunInfo::read(&path).map_err(|error| loaded.complaints.push(format!("{error:#}"))).ok()
}

fn read_metrics(folder: &Path, failed: bool, info: Option<&RunInfo>, loaded: &mut Loaded) -> Vec<EpochRow> {
    let path = folder.join(files::METRICS_CSV);
    let metrics: Vec<EpochRow> = if failed && !path.is_file() { Vec::new() } else { read(&path, loaded) };
    if let Some(info) = info
        && let Err(error) = check_last(&metrics, &info.results)
    {
        loaded.complaints.push(format!("{}: {error}", path.display()));
    }
    if let Some(wrong) = check_values(&metrics, info.is_none_or(|info| info.standing.status != Status::Finished)) {
        loaded.complaints.push(format!("{}: {wrong}", path.display()));
    }
    metrics
}

/// The number of epochs the run was last set to by hand.
fn length(changes: &[Change]) -> Option<u64> {
    changes.iter().rev().find_map(|change| match change.what {
        Changed::Epochs { to, .. } => Some(to),
        _ => None,
    })?
}

/// Fills in from the last epoch what a run in progress has not written yet.
fn complete(results: &mut Results, last: Option<&EpochRow>) {
    let Some(last) = last.map(Results::of_epoch) else { return };
    for (known, (_, last)) in results.of_last_mut().into_iter().zip(last.of_last()) {
        *known = known.or(last);
    }
}

fn unknown_row(folder: &Path, metrics: &[EpochRow]) -> ComparisonRow {
    ComparisonRow {
        run: String::new(),
        schedule: folder.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()),
        optimizer: "unknown".into(),
        semantics: Semantics::Native,
        seed: 0,
        epochs: metrics.len() as u64,
        lr: metrics.first().map_or(f64::NAN, |row| row.learning_rate),
        results: Results::default(),
        status: Status::Interrupted,
        role: None,
    }
}

/// The command that started the run: as typed, or, for a run of a comparison, derived from its config.
fn command(info: &RunInfo) -> String {
    if info.provenance.command.get(1).is_some_and(|word| word == "train") {
        return shell::line(&info.provenance.command);
    }
    let mut words = vec!["lrsched".to_string(), "train".to_string()];
    words.extend(info.config.settings().iter().flat_map(|(name, value)| typed(name, value)));
    shell::line(&words)
}
