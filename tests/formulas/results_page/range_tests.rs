//! `lrsched find` beside sweeps of constant rates: what scripts/find_sweep.sh found.

use super::{Row, accuracy, comparison, page, root};
use lrsched::stats::suggest::show;
use lrsched::stats::{mean, median, standard_deviation};
use std::collections::BTreeMap;
use std::path::Path;

/// A network, the folder of its range tests, and that of its sweep.
const NETWORKS: [(&str, &str, &str); 3] = [
    ("cnn", "find-cnn", "optimizers"),
    ("resnet9", "find-resnet9", "rates-resnet9"),
    ("airbench94", "find-airbench94", "rates-airbench94"),
];

const OPTIMIZERS: [&str; 5] = ["sgd:momentum=0.9,nesterov", "adam", "rmsprop", "adagrad", "lion"];
const LENGTHS: [u64; 3] = [100, 400, 1000];

/// The accuracies of each seed, in percent, by the bits of the rate: rates above 0 are in the order of their bits.
type Rates = BTreeMap<u64, BTreeMap<u64, f64>>;

fn rates(rows: &[Row], optimizer: &str) -> Rates {
    let mut rates = Rates::new();
    for row in rows.iter().filter(|row| row["optimizer"] == optimizer) {
        let rate: f64 = row["lr"].parse().unwrap();
        rates.entry(rate.to_bits()).or_default().insert(row["seed"].parse().unwrap(), accuracy(row));
    }
    rates
}

fn level(seeds: &BTreeMap<u64, f64>) -> f64 {
    mean(&seeds.values().copied().collect::<Vec<_>>()).unwrap()
}

fn spread(seeds: &BTreeMap<u64, f64>) -> String {
    let deviation = standard_deviation(&seeds.values().copied().collect::<Vec<_>>()).unwrap();
    format!("{:.1} ± {deviation:.1}", level(seeds))
}

/// The top of the parabola through the best rate and its neighbours, over ln(rate); at an end of the grid, the best rate.
fn summit(rates: &Rates) -> f64 {
    let points: Vec<(f64, f64)> =
        rates.iter().map(|(rate, seeds)| (f64::from_bits(*rate).ln(), level(seeds))).collect();
    let best = (0..points.len()).max_by(|&a, &b| points[a].1.total_cmp(&points[b].1)).unwrap();
    if best == 0 || best + 1 == points.len() {
        return points[best].0.exp();
    }
    let [(a, x), (b, y), (c, z)] = [points[best - 1], points[best], points[best + 1]];
    let (before, after) = ((y - x) / (b - a), (z - y) / (c - b));
    // The slope falls evenly from the middle of the first gap to that of the second.
    ((a + b) / 2.0 + before * (c - a) / 2.0 / (before - after)).exp()
}

#[test]
fn the_top_of_a_parabola_is_found() {
    // 40 − (ln rate − ln 0.004)².
    let seeds = |rate: f64| (rate.to_bits(), BTreeMap::from([(0, 40.0 - (rate / 0.004).ln().powi(2))]));
    assert!((summit(&[0.001, 0.003, 0.01, 0.1].map(seeds).into()) / 0.004 - 1.0).abs() < 1e-12);
    assert!((summit(&[0.01, 0.03].map(seeds).into()) / 0.01 - 1.0).abs() < 1e-12, "at the end of the grid");
}

fn suggested(test: &Path) -> Option<f64> {
    let record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(test.join("find.json")).unwrap()).unwrap();
    assert_eq!(record["status"], "finished", "{}", test.display());
    record["suggested_lr"].as_f64()
}

#[test]
fn how_well_the_range_test_suggests_follows_from_its_records() {
    let mut text = String::new();
    for (network, tests, sweep) in NETWORKS {
        let folder = root().join("results/published").join(tests);
        if !folder.is_dir() {
            text += &format!("`{network}`: not run yet.\n\n");
            continue;
        }
        text += &format!(
            "`{network}`:\n\n| optimizer | best rate | best mean of the sweep, % | test | suggested | factor | accuracy there, % | points below |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        );
        let (rows, mut factors, mut costs) = (comparison(sweep), Vec::new(), Vec::new());
        for optimizer in OPTIMIZERS {
            let grid = rates(&rows, optimizer);
            let best = grid.values().max_by(|a, b| level(a).total_cmp(&level(b))).unwrap();
            let top = summit(&grid);
            let name = optimizer.replace([':', '=', ','], "-");
            let followed = rates(&comparison(&format!("{tests}/{name}")), optimizer);
            for steps in LENGTHS {
                let start = format!("| `{optimizer}` | {} | {} | {steps} |", show(top), spread(best));
                let Some(rate) = suggested(&folder.join(format!("{name}-{steps}"))) else {
                    text += &format!("{start} none | | | |\n");
                    factors.push(f64::INFINITY);
                    continue;
                };
                // A rate is written with three digits in one file and read from another.
                let near = |bits: &u64| (f64::from_bits(*bits) / rate - 1.0).abs() < 1e-6;
                let (_, seeds) = followed.iter().find(|(bits, _)| near(bits)).unwrap();
                let lost: Vec<f64> = seeds.iter().map(|(seed, accuracy)| best[seed] - accuracy).collect();
                let (factor, cost) = ((rate / top).max(top / rate), mean(&lost).unwrap());
                text += &format!("{start} {} | {factor:.1} | {} | {cost:.1} |\n", show(rate), spread(seeds));
                factors.push(factor);
                costs.push(cost);
            }
        }
        let within = |most: f64| factors.iter().filter(|factor| **factor <= most).count();
        text += &format!(
            "\nWithin a factor of 2 in {} of {} tests, of 3 in {}. At the rates that {} of them suggest, the accuracy is {:.1} points below the best mean of the sweep on average, {:.1} in the median, {:.1} at most.\n\n",
            within(2.0),
            factors.len(),
            within(3.0),
            costs.len(),
            mean(&costs).unwrap(),
            median(&costs).unwrap(),
            costs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        );
    }
    page::check("range tests", &format!("{}\n", text.trim_end()));
}
