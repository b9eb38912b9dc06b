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
