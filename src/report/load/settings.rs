//! Distinguishes runs of one entrant: by the settings in which they differ, and by manual changes.

use super::super::changes;
use super::LoadedRun;
use crate::config::SettingValues;
use crate::config::settings::tells_apart;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The settings key for manual changes.
const CHANGED: &str = "changed";

/// The settings that may distinguish a run from others of its entrant.
pub(super) fn telling(settings: SettingValues) -> SettingValues {
    settings.only(tells_apart)
}

/// Runs that differ in one of these solve another problem, or with another budget: their accuracies cannot be compared.
const OF_GROUP: [&str; 5] = ["dataset", "train-limit", "model", "batch-size", "validation"];

/// Gives each run its group: what it was trained on and for how long, as far as the runs differ in it.
pub(super) fn group(runs: &mut [LoadedRun]) {
    // The number of different images under each name of a dataset.
    let mut images: BTreeMap<Option<&str>, BTreeSet<&str>> = BTreeMap::new();
    for run in runs.iter() {
        images.entry(run.settings.get("dataset")).or_default().extend(run.images.as_deref());
    }
    let known = |run: &LoadedRun| -> BTreeMap<&'static str, String> {
        let mut known = BTreeMap::from([("epochs", run.row.epochs.to_string())]);
        if !run.settings.is_empty() {
            let value = |name| run.settings.get(name).unwrap_or("all").to_string();
            known.extend(OF_GROUP.map(|name| (name, value(name))));
        }
        if let Some(digest) = run.images.as_ref().filter(|_| images[&run.settings.get("dataset")].len() > 1) {
            known.insert("images", digest.chars().take(8).collect());
        }
        known
    };
    let all: Vec<BTreeMap<&str, String>> = runs.iter().map(known).collect();
    let names: BTreeSet<&str> = all.iter().flat_map(BTreeMap::keys).copied().collect();
    let differs = |name: &&str| all.iter().map(|known| known.get(name)).collect::<BTreeSet<_>>().len() > 1;
    let differing: Vec<&str> = names.into_iter().filter(differs).collect();
    for (run, known) in runs.iter_mut().zip(&all) {
        let told = |name: &&str| Some(format!("{name}={}", known.get(name)?));
        let unknown = (run.settings.is_empty() && differing.iter().any(|name| *name != "epochs"))
            .then(|| "unknown settings".to_string());
        run.group = differing.iter().filter_map(told).chain(unknown).collect::<Vec<_>>().join(" ");
    }
}

/// Gives each run the settings in which the runs differ. Runs with unknown settings are left out.
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
    let differing: Vec<&String> = names.into_iter().filter(differs).collect();
    for (run, settings) in runs.iter_mut().zip(&all) {
        let texts: Vec<&str> = differing.iter().filter_map(|name| settings.get(*name)).map(String::as_str).collect();
        run.setting = texts.join(" ");
    }
}

/// A short label for each set of manual changes, for use in entrant names; the full text is shown beside it.
fn names_of_changes(runs: &[LoadedRun]) -> HashMap<String, String> {
    let mut names: HashMap<String, String> = HashMap::new();
    for run in runs {
        let (Some(changed), [first, rest @ ..]) = (&run.changed, &run.changes[..]) else { continue };
        let what = match rest {
            [] => changes::shortly(first),
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
