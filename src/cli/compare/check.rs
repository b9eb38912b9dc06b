//! What is wrong with the entrants of a comparison, and whom it concerns.

use crate::config::{Course, RunConfig, base_warnings};
use crate::data::Dataset;
use crate::experiment::{Entrant, PlannedRun};
use crate::train::Run;
use crate::usage::{Usage, listed};
use anyhow::Result;
use std::collections::HashMap;

/// Checks the first run of each of `all` entrants with its images. Returns what looks wrong with their schedules, each
/// line once for the entrants that share it. Of our own choice (`is_default`) nobody is warned: the help tells it. But where
/// fewer images make a run so short that one of these schedules does nothing, that is told.
pub(super) fn with_images<'a>(
    firsts: impl Iterator<Item = (&'a Entrant, &'a PlannedRun)>,
    all: usize,
    is_default: bool,
    dataset: &Dataset,
) -> Result<Vec<String>> {
    let mut warned: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut steps_per_epoch = None;
    for (entrant, planned) in firsts {
        // The runs of a comparison share their images and batches.
        let steps = match steps_per_epoch {
            Some(steps) => steps,
            None => *steps_per_epoch.insert(Run::steps_of(&planned.config, dataset)?),
        };
        Run::check_without_images(&planned.config, steps).map_err(|error| about(entrant, error))?;
        let mut lines = Run::warnings_without_images(&planned.config, steps)?;
        if is_default && !lines.is_empty() {
            let whole = RunConfig { train_limit: None, ..planned.config.clone() };
            let course = Course::of(&planned.config);
            let usual = base_warnings(&course, &planned.config, Run::steps_of(&whole, dataset)?, 0)?;
            lines.retain(|line| !usual.contains(line));
        }
        for line in lines {
            let place = *places.entry(line.clone()).or_insert(warned.len());
            match warned.get_mut(place) {
                Some((_, of)) => of.push(entrant.to_string()),
                None => warned.push((line, vec![entrant.to_string()])),
            }
        }
    }
    Ok(warned.iter().map(|(line, of)| format!("{}: {line}", those(of, all))).collect())
}

/// Names the entrants that share a warning, out of `all` entrants.
fn those(entrants: &[String], all: usize) -> String {
    match entrants {
        several if several.len() == all && all > 1 => format!("all {all} entrants"),
        some => listed(some),
    }
}

/// Names the invalid entrant.
pub(super) fn about(entrant: &Entrant, error: anyhow::Error) -> anyhow::Error {
    let named = format!("entrant {entrant}");
    match error.downcast::<Usage>() {
        Ok(usage) => Usage(format!("{named}: {usage}")).into(),
        Err(error) => error.context(named),
    }
}
