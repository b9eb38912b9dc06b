//! Tuned and screened comparisons.

mod claims;
mod groups;
mod screened;
mod shown;

use super::report_page::{report, row};
use lrsched::record::{ComparisonRow, EpochRow, Results, Role, RunOrder, Stage, Status, write_rows};
use lrsched::report::analysis::{Asked, Group, analyse};
use lrsched::report::export::ranking;
use lrsched::report::load::load;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A comparison of `rows`, each trained at its own rate.
fn comparison(folder: &Path, rows: &[ComparisonRow]) {
    write_rows(&folder.join("comparison.csv"), rows).unwrap();
    for row in rows {
        let epoch = |epoch: u64| EpochRow {
            epoch,
            learning_rate: row.lr,
            loss: 1.0,
            accuracy: 0.5,
            val_loss: Some(1.0),
            val_accuracy: Some(0.5),
            step: (epoch + 1) * 100,
            ..EpochRow::default()
        };
        write_rows(&folder.join("runs").join(&row.run).join("metrics.csv"), &[epoch(0), epoch(1)]).unwrap();
    }
}

fn in_role(row: ComparisonRow, stage: Stage, study: Option<u64>, trial: Option<u64>) -> ComparisonRow {
    let entrant = format!("{}/{}", row.optimizer, row.schedule);
    ComparisonRow { role: Some(Role { entrant, stage, study, trial, finalists: None }), ..row }
}

/// The rates of the trials, whatever the study.
const RATES: [f64; 4] = [0.01, 0.1, 0.03, 0.3];

/// An entrant's study: four trials of which the second is best, second looks at three of them, and finals.
fn study(schedule: &str, number: u64, best: f64, finals: &[f64]) -> Vec<ComparisonRow> {
    let tuning_seed = 1_000_000 + 3 * number;
    let run = |stage: &str, trial: usize, seed: u64, accuracy: f64| ComparisonRow {
        lr: RATES[trial],
        ..row(&format!("{schedule}-{number}-{stage}-{trial}-{seed}"), schedule, seed, accuracy)
    };
    let accuracy = |trial: usize| best - [0.05, 0.0, 0.02, 0.3][trial];
    let mut rows = Vec::new();
    for trial in 0..4 {
        let one = run("trial", trial, tuning_seed, accuracy(trial));
        let one = in_role(one, Stage::Trial, Some(number), Some(trial as u64));
        rows.push(if trial == 3 { ended(&one, Status::Diverged) } else { one });
    }
    for trial in [1, 2, 0] {
        for seed in [tuning_seed + 1, tuning_seed + 2] {
            let again = run("again", trial, seed, accuracy(trial));
            rows.push(in_role(again, Stage::SecondLook, Some(number), Some(trial as u64)));
        }
    }
    for (place, accuracy) in finals.iter().enumerate() {
        let seed = number * finals.len() as u64 + place as u64;
        rows.push(in_role(run("final", 1, seed, *accuracy), Stage::Final, Some(number), Some(1)));
    }
    rows
}

fn ended(row: &ComparisonRow, status: Status) -> ComparisonRow {
    ComparisonRow { status, results: Results::default(), ..row.clone() }
}

/// What is said of the first group, and its ranking.
fn judged(folder: &Path) -> (String, Vec<Value>) {
    let loaded = load(&[folder.to_path_buf()]);
    let groups = analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap();
    assert_eq!(groups.len(), 1);
    (groups[0].summary.clone(), ranking(&groups))
}

fn judged_rows(rows: &[ComparisonRow]) -> (String, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    comparison(folder.path(), rows);
    judged(folder.path())
}

fn three_studies() -> Vec<ComparisonRow> {
    let cosine = [0.80, 0.812, 0.806].into_iter().enumerate();
    let step = [0.70, 0.713, 0.705].into_iter().enumerate();
    let all = cosine.map(|(number, accuracy)| study("cosine", number as u64, 0.85, &[accuracy]));
    all.chain(step.map(|(number, accuracy)| study("step", number as u64, 0.99, &[accuracy]))).flatten().collect()
}
