//! Distinguishes runs of one entrant: by the settings in which they differ, and by manual changes.

use super::super::changes;
use super::super::entrants::of_tuning;
use super::{LoadedRun, comparisons};
use crate::config::SettingValues;
use crate::config::settings::tells_apart;
use crate::usage::one_line;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The settings key for manual changes.
const CHANGED: &str = "changed";

/// The settings that may distinguish a run from others of its entrant.
pub(super) fn telling(settings: SettingValues) -> SettingValues {
    settings.only(tells_apart)
}

/// Gives the runs of one comparison of which no run.json can be read what all the others have: the runs of a comparison
/// share their settings and images.
pub(super) fn share(runs: &mut [LoadedRun]) {
    let mut known = runs.iter().filter(|run| !run.settings.is_empty());
    let Some(first) = known.next() else { return };
    if known.any(|other| (&other.settings, &other.images) != (&first.settings, &first.images)) {
        return;
    }
    let (settings, images) = (first.settings.clone(), first.images.clone());
    for run in runs.iter_mut().filter(|run| run.settings.is_empty()) {
        (run.settings, run.images) = (settings.clone(), images.clone());
    }
}

/// Runs that differ in one of these solve another problem, or with another budget: their accuracies cannot be compared.
const OF_GROUP: [&str; 5] = ["dataset", "train-limit", "model", "batch-size", "validation"];

/// What sets comparisons apart that have the same plan: not all settings are in the names of runs.
pub(super) fn of_problem(run: &LoadedRun) -> (SettingValues, Option<String>, u64) {
    // A run that was changed by hand has its length in its row alone.
    (run.settings.clone().only(|name| name != "epochs"), run.images.clone(), run.row.epochs)
}

/// Gives each run its group: what it was trained on and for how long, as far as the runs differ in it.
pub(super) fn group(runs: &mut [LoadedRun]) {
    // The number of different images under each name of a dataset.
    let mut images: BTreeMap<Option<&str>, BTreeSet<&str>> = BTreeMap::new();
    for run in runs.iter() {
        images.entry(run.settings.get("dataset")).or_default().extend(run.images.as_deref());
    }
    let comparisons = comparisons::of_runs(runs);
    let known = |(run, comparison): (&LoadedRun, &Option<String>)| -> BTreeMap<&'static str, String> {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_string();
        let is_tuned = of_tuning(&run.row).is_some();
        // Tuned entrants compete with others that were tuned, and seeds of finals were used for nothing else.
        let mut known = BTreeMap::from([
            ("epochs", run.row.epochs.to_string()),
            ("tuned", yes(is_tuned)),
            ("screened", yes(run.row.role.is_some() && !is_tuned)),
        ]);
        if !run.settings.is_empty() {
            // A run with all images has no limit; another version may not have recorded the others.
            let missing = |name| if name == "train-limit" { "all" } else { "unknown" };
            let value = |name| run.settings.get(name).unwrap_or_else(|| missing(name)).to_string();
            known.extend(OF_GROUP.map(|name| (name, value(name))));
        }
        if let Some(digest) = run.images.as_ref().filter(|_| images[&run.settings.get("dataset")].len() > 1) {
            known.insert("images", digest.chars().take(8).collect());
        }
        // A study of one says nothing about the same study of another: they share neither points nor seeds.
        known.extend(comparison.clone().map(|folder| ("comparison", folder)));
        known
    };
    let all: Vec<BTreeMap<&str, String>> = runs.iter().zip(&comparisons).map(known).collect();
    let names: BTreeSet<&str> = all.iter().flat_map(BTreeMap::keys).copied().collect();
    let differs = |name: &&str| all.iter().map(|known| known.get(name)).collect::<BTreeSet<_>>().len() > 1;
    let differing: Vec<&str> = names.into_iter().filter(differs).collect();
    for (run, known) in runs.iter_mut().zip(&all) {
        let told = |name: &&str| Some(format!("{name}={}", known.get(name)?));
        let unknown = (run.settings.is_empty()
            && differing.iter().any(|name| OF_GROUP.contains(name) || *name == "images"))
        .then(|| "unknown settings".to_string());
        // Values come from untrusted files, and go to terminals and pages.
        run.group = one_line(&differing.iter().filter_map(told).chain(unknown).collect::<Vec<_>>().join(" "));
    }
}

/// Gives each run the settings in which the runs differ, and its manual changes: without them its name would be that of
/// another run. Runs with unknown settings are left out.
pub(super) fn tell_apart(runs: &mut [LoadedRun]) {
    let by_hand = names_of_changes(runs);
    let shown = |run: &LoadedRun| -> BTreeMap<String, String> {
        let changed =
            run.changed.as_ref().and_then(|changed| Some((CHANGED.to_string(), by_hand.get(changed)?.clone())));
        run.settings.iter().map(|(name, value)| (name.to_string(), format!("{name}={value}"))).chain(changed).collect()
    };
    let all: Vec<BTreeMap<String, String>> = runs.iter().map(shown).collect();
    let known = || all.iter().filter(|settings| !settings.is_empty());
    let names: BTreeSet<&String> = known().flat_map(BTreeMap::keys).collect();
    let differs = |name: &&String| known().map(|settings| settings.get(*name)).collect::<BTreeSet<_>>().len() > 1;
    let differing: Vec<&String> = names.into_iter().filter(|name| *name == CHANGED || differs(name)).collect();
    for (run, settings) in runs.iter_mut().zip(&all) {
        let texts: Vec<&str> = differing.iter().filter_map(|name| settings.get(*name)).map(String::as_str).collect();
        run.setting = texts.join(" ");
    }
}

/// A short label for each set of manual changes, for use in entrant names; the full text is shown beside it. It does not
/// depend on the order of the runs.
fn names_of_changes(runs: &[LoadedRun]) -> HashMap<String, String> {
    let mut alike: BTreeMap<String, BTreeSet<&String>> = BTreeMap::new();
    for run in runs {
        let (Some(changed), [first, rest @ ..]) = (&run.changed, &run.changes[..]) else { continue };
        let what = match rest {
            [] => changes::shortly(first),
            _ => format!("{} changes", rest.len() + 1),
        };
        alike.entry(format!("by hand: {what} from epoch {}", first.epoch)).or_default().insert(changed);
    }
    let numbered = |(name, all): (String, BTreeSet<&String>)| {
        let number = |(place, changed): (usize, &String)| {
            let name = if place == 0 { name.clone() } else { format!("{name} ({})", place + 1) };
            (changed.clone(), name)
        };
        all.into_iter().enumerate().map(number).collect::<Vec<_>>()
    };
    alike.into_iter().flat_map(numbered).collect()
}
