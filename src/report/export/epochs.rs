//! All epochs of all runs in one table, a row for each: the form that pandas, R and spreadsheets group by themselves.

use crate::record::EpochRow;
use crate::report::entrants::names;
use crate::report::escape::csv_text;
use crate::report::load::{Loaded, LoadedRun};
use std::collections::HashMap;

const COLUMNS: [&str; 20] = [
    "run",
    "entrant",
    "optimizer",
    "schedule",
    "semantics",
    "lr",
    "seed",
    "stage",
    "study",
    "settings",
    "status",
    "epoch",
    "step",
    "learning_rate",
    "momentum",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "seconds",
];

/// One row per epoch of each run; unknown values are empty cells, and what is not finite is `NaN` or `inf`.
pub fn csv(loaded: &Loaded) -> anyhow::Result<Vec<u8>> {
    let entrants = loaded.entrants();
    let mut of_run: HashMap<&str, String> = HashMap::new();
    for (entrant, name) in entrants.iter().zip(names(&entrants)) {
        let runs = entrant.runs.iter().chain(&entrant.aside);
        of_run.extend(runs.map(|run| (run.run.as_str(), name.clone())));
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for run in &loaded.runs {
        let entrant = of_run.get(run.row.run.as_str()).map_or("", String::as_str);
        for row in &run.metrics {
            writer.write_record(cells(run, entrant, row))?;
        }
    }
    Ok(writer.into_inner()?)
}

fn cells(run: &LoadedRun, entrant: &str, epoch: &EpochRow) -> [String; 20] {
    let cell = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let row = &run.row;
    [
        csv_text(&row.run),
        csv_text(entrant),
        csv_text(&row.optimizer),
        csv_text(&row.schedule),
        row.semantics.name().to_string(),
        row.lr.to_string(),
        row.seed.to_string(),
        row.role.as_ref().map_or(String::new(), |role| role.stage.key().to_string()),
        row.role.as_ref().and_then(|role| role.study).map_or(String::new(), |study| study.to_string()),
        csv_text(&run.setting),
        row.status.to_string(),
        epoch.epoch.to_string(),
        epoch.step.to_string(),
        epoch.learning_rate.to_string(),
        cell(epoch.momentum),
        epoch.loss.to_string(),
        epoch.accuracy.to_string(),
        cell(epoch.val_loss),
        cell(epoch.val_accuracy),
        epoch.seconds.to_string(),
    ]
}
