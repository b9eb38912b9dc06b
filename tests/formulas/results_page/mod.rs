//! docs/RESULTS.md: its tables follow from the published comparison.csv files.
//!
//! `LRSCHED_WRITE_DOCS=1 cargo test --release --test formulas results_page` writes them anew (`scripts/publish.sh` says so).

mod claims;
mod page;
mod range_tests;
mod whole;

use lrsched::optim::OptimizerSpec;
use lrsched::schedule::{Semantics, Spec};
use lrsched::stats::tuning::{Trial, rates_within};
use lrsched::stats::{mean, standard_deviation};
use std::collections::BTreeMap;
use std::path::Path;

type Row = BTreeMap<String, String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of a published comparison; none if it has not begun.
fn comparison(name: &str) -> Vec<Row> {
    let path = root().join("results/published").join(name).join("comparison.csv");
    if !path.exists() {
        return Vec::new();
    }
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

/// `sgd/cosine`: the names of a row's optimizer and schedule, and of a warm-up, without their options.
fn short_name(row: &Row) -> String {
    let (optimizer, schedule): (OptimizerSpec, Spec) =
        (row["optimizer"].parse().unwrap(), row["schedule"].parse().unwrap());
    let warmup = if row["schedule"].contains("warmup=") { " with warm-up" } else { "" };
    format!("{}/{}{warmup}", optimizer.name(), schedule.name())
}

/// The runs that are judged, by entrant and then by seed: the finals, or all runs where nothing is tuned. A final of study k has the k-th seed
/// from that of the configuration on, or from 0.
fn judged(name: &str) -> BTreeMap<String, BTreeMap<u64, Row>> {
    let first = config(name).get("seed").map_or(0, |seed| seed.as_integer().unwrap() as u64);
    let mut entrants: BTreeMap<String, BTreeMap<u64, Row>> = BTreeMap::new();
    for row in comparison(name).into_iter().filter(|row| matches!(row["stage"].as_str(), "" | "final")) {
        let (entrant, seed) = (short_name(&row), row["seed"].parse().unwrap());
        let study = (!row["study"].is_empty()).then(|| row["study"].parse::<u64>().unwrap());
        assert!(study.is_none_or(|study| first + study == seed), "{}", row["run"]);
        let before = entrants.entry(entrant.clone()).or_default().insert(seed, row);
        assert!(before.is_none(), "two runs of {entrant} with seed {seed}");
    }
    entrants
}

/// That on the validation images, in percent; a run that diverged has the accuracy of guessing.
fn accuracy(row: &Row) -> f64 {
    percent(row, "val_accuracy")
}

fn percent(row: &Row, column: &str) -> f64 {
    match row["status"].as_str() {
        "finished" => 100.0 * row[column].parse::<f64>().unwrap(),
        "diverged" => 10.0,
        other => panic!("{}: {other}", row["run"]),
    }
}

/// The configuration of a published comparison.
fn config(name: &str) -> toml::Table {
    let path = root().join("configs/published").join(format!("{name}.toml"));
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// How many entrants a published comparison has, and how many units (studies, or seeds where nothing is tuned), by its configuration.
fn planned(name: &str) -> (usize, usize) {
    let config = config(name);
    let units = config.get("studies").or(config.get("seeds")).unwrap().as_integer().unwrap();
    // One that names no entrants has the default ones.
    let entrants =
        config.get("entrants").map_or_else(|| judged(name).len(), |entrants| entrants.as_array().unwrap().len());
    (entrants, units as usize)
}

/// The runs that are judged in the units in which every entrant has one, by entrant and then by seed.
fn complete(name: &str) -> BTreeMap<String, BTreeMap<u64, Row>> {
    let (mut judged, (entrants, _)) = (judged(name), planned(name));
    let units: Vec<u64> = judged.values().flat_map(|of| of.keys().copied()).collect();
    let is_complete = |unit: &u64| units.iter().filter(|other| *other == unit).count() == entrants;
    judged.values_mut().for_each(|of| of.retain(|unit, _| is_complete(unit)));
    judged.retain(|_, of| !of.is_empty());
    judged
}

/// Points below the best rate that still count as good, and as fair.
const MARGINS: [f64; 2] = [2.0, 5.0];

/// `mean ± standard deviation` of a rate's seeds.
fn spread(trial: &Trial) -> String {
    format!("{:.1} ± {:.1}", mean(&trial.looks).unwrap(), standard_deviation(&trial.looks).unwrap())
}

/// The rates of a sweep that has all its runs.
fn swept(name: &str) -> Option<usize> {
    let rates = config(name)["grid"]["lr"].as_array().unwrap().len();
    let (optimizers, seeds) = planned(name);
    let rows = comparison(name);
    let is_over = |row: &&Row| matches!(row["status"].as_str(), "finished" | "diverged");
    (rows.iter().filter(is_over).count() == rates * optimizers * seeds).then_some(rates)
}

/// The table of the optimizers of a sweep, the one with the highest accuracy first.
fn good_rates(name: &str) -> String {
    let Some(rates) = swept(name) else { return "Not run yet.\n".into() };
    let rows = comparison(name);
    let mut optimizers: Vec<&str> = Vec::new();
    for row in &rows {
        if !optimizers.contains(&row["optimizer"].as_str()) {
            optimizers.push(&row["optimizer"]);
        }
    }
    let mut lines = Vec::new();
    for optimizer in optimizers {
        let mut trials: Vec<Trial> = Vec::new();
        for row in rows.iter().filter(|row| row["optimizer"] == optimizer) {
            let rate: f64 = row["lr"].parse().unwrap();
            match trials.iter_mut().find(|trial| trial.rate == rate) {
                Some(trial) => trial.looks.push(accuracy(row)),
                None => trials.push(Trial { number: trials.len() as u64, rate, looks: vec![accuracy(row)] }),
            }
        }
        assert_eq!(trials.len(), rates, "{optimizer}");
        assert!(trials.iter().all(|trial| trial.looks.len() == 3), "{optimizer}");
        let level = |trial: &Trial| trial.accuracy().unwrap();
        let best = trials.iter().max_by(|a, b| level(a).total_cmp(&level(b))).unwrap();
        let [good, fair] = MARGINS.map(|margin| match rates_within(&trials, best, margin) {
            (low, high) if low == high => format!("{low} alone"),
            (low, high) => format!("{low} to {high}"),
        });
        let usual = optimizer.parse::<OptimizerSpec>().unwrap().default_learning_rate(Semantics::Native);
        let at_usual = trials.iter().find(|trial| trial.rate == usual).map_or("not in the grid".to_string(), spread);
        let (rate, accuracy) = (best.rate, spread(best));
        let line = format!("| `{optimizer}` | {rate} | {accuracy} | {good} | {fair} | {usual} | {at_usual} |\n");
        lines.push((level(best), line));
    }
    lines.sort_by(|a, b| b.0.total_cmp(&a.0));
    let head = "| optimizer | best rate | accuracy there, % | within 2 points of it | within 5 points | usual rate | accuracy there, % |\n\
                | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    head.to_string() + &lines.into_iter().map(|(_, line)| line).collect::<String>()
}

#[test]
fn the_range_of_good_rates_of_each_optimizer_follows_from_the_sweep() {
    for (part, name) in [
        ("range of good rates", "optimizers"),
        ("range of good rates, resnet9", "rates-resnet9"),
        ("range of good rates, airbench94", "rates-airbench94"),
    ] {
        page::check(part, &good_rates(name));
    }
}
