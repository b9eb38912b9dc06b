//! What the project says about `lrsched find` in results/published/find: the files there must bear it out.

use lrsched::record::{RangeRow, read_rows};
use lrsched::report::range::RangeTests;
use lrsched::stats::Smoothing;
use lrsched::stats::suggest::{ShortResult, headline, refine};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results/published/find")
}

/// optimizer, suggested rate, rate, validation accuracy, validation loss, exit code
type Row = (String, f64, f64, f64, f64, u8);

fn validation() -> Vec<Row> {
    let mut reader = csv::Reader::from_path(folder().join("validation.csv")).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

const OPTIMIZERS: [(&str, &str); 3] = [("sgd", "sgd"), ("sgd:momentum=0.9", "sgd-momentum-0.9"), ("adam", "adam")];

/// What our methods suggest today from tests with these names and rows, for a run of `run_updates`.
fn suggested(tests: Vec<(String, Vec<RangeRow>)>, run_updates: u64) -> Option<f64> {
    headline(&RangeTests { tests, run_updates, ..RangeTests::default() }.suggestions()).map(|(_, rate)| rate)
}

fn factor(a: f64, b: f64) -> f64 {
    (a / b).max(b / a)
}

/// The updates of the runs of the published validation: three epochs of 20,000 images in batches of 128.
const PUBLISHED: u64 = 3 * 157;

#[test]
fn from_the_published_range_tests_a_rate_within_a_factor_of_2_of_the_best_of_the_grid_is_suggested() {
    for (optimizer, name) in OPTIMIZERS {
        let rows: Vec<Row> = validation().into_iter().filter(|row| row.0 == optimizer).collect();
        assert_eq!(rows.len(), 7, "{optimizer}");
        let best = rows.iter().filter(|row| row.3.is_finite()).max_by(|a, b| a.3.total_cmp(&b.3)).unwrap().2;
        let rows: Vec<RangeRow> = read_rows(&folder().join(name).join("range.csv")).unwrap();
        let suggested = suggested(vec![(String::new(), rows)], PUBLISHED).unwrap();
        assert!(factor(suggested, best) <= 2.0, "{optimizer}: suggested {suggested}, best {best}");
    }
}

/// optimizer, best rates after 3 and after 5 epochs, momentum
type Tuned = (&'static str, [f64; 2], Option<f64>);

/// The best rates of a grid on the embedded images after 3 and after 5 epochs, and the momentum that the range test
/// records: docs/FIND.md.
const TUNED: [Tuned; 4] = [
    ("sgd", [0.02, 0.08], None),
    ("sgd-momentum-0.9", [0.005, 0.01], Some(0.9)),
    ("adam", [0.001, 0.001], Some(0.9)),
    ("rmsprop", [0.001, 0.002], None),
];

/// The same by a fit to all of these runs: `scripts/find_optimum.py`.
const FITTED: [Tuned; 4] = [
    ("sgd", [0.0258, 0.0331], None),
    ("sgd-momentum-0.9", [0.00846, 0.00865], Some(0.9)),
    ("adam", [0.000_996, 0.00117], Some(0.9)),
    ("rmsprop", [0.0012, 0.00169], None),
];

/// A range test of `tests/golden/range_tests`: the loss and the accuracy of each iteration, from 1e-5 to 10 in `steps`.
fn recorded(name: &str, steps: u64, seed: u64, momentum: Option<f64>) -> Vec<RangeRow> {
    let file = format!("tests/golden/range_tests/{name}-{steps}-{seed}.csv");
    let mut reader = csv::Reader::from_path(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let mut smoothing = Smoothing::new(0.9);
    let row = |(iteration, row): (u64, (f64, Option<f64>))| RangeRow {
        iteration,
        learning_rate: 1e-5 * 1e6_f64.powf(iteration as f64 / (steps - 1) as f64),
        momentum,
        loss: row.0,
        smoothed_loss: smoothing.push(row.0),
        val_accuracy: row.1,
    };
    (0..).zip(reader.deserialize().map(Result::unwrap)).map(row).collect()
}

/// The factor between the suggestion and the best rate for each optimizer and length of the test, from tests of three
/// seeds from `first`, after 3 (`horizon` 0) or 5 (1) epochs of 63 updates.
fn factors(first: u64, horizon: usize) -> Vec<(&'static str, u64, f64)> {
    factors_of(&TUNED, first..first + 3, horizon)
}

/// The same from tests of these seeds, against other best rates.
fn factors_of(best: &[Tuned], seeds: std::ops::Range<u64>, horizon: usize) -> Vec<(&'static str, u64, f64)> {
    let cases = best.iter().flat_map(|tuned| [100, 300, 1000].map(|steps| (tuned, steps)));
    let of = |((name, best, momentum), steps): (&Tuned, u64)| {
        let test = |seed: u64| (seed.to_string(), recorded(name, steps, seed, *momentum));
        let suggested = suggested(seeds.clone().map(test).collect(), [3, 5][horizon] * 63);
        // A test without a suggestion is a miss.
        (*name, steps, suggested.map_or(f64::INFINITY, |rate| factor(rate, best[horizon])))
    };
    cases.map(of).collect()
}

fn near(factors: &[(&str, u64, f64)]) -> usize {
    factors.iter().filter(|case| case.2 <= 2.0).count()
}

#[test]
fn on_the_embedded_images_the_suggestion_for_3_epochs_is_within_a_factor_of_2_in_all_12_cases_and_that_for_5_in_10() {
    for (horizon, count) in [(0, 12), (1, 10)] {
        let factors = factors(0, horizon);
        assert_eq!((near(&factors), factors.len()), (count, 12), "{factors:?}");
    }
}

#[test]
fn on_tests_that_the_rule_was_not_chosen_on_it_is_in_10_and_in_8_of_12_cases() {
    for (horizon, count) in [(0, 10), (1, 8)] {
        let factors = factors(10, horizon);
        assert_eq!((near(&factors), factors.len()), (count, 12), "{factors:?}");
    }
}

#[test]
fn by_a_fit_to_all_runs_it_is_in_11_of_12_cases_and_held_out_in_11_and_9() {
    for (first, horizon, count) in [(0, 0, 11), (0, 1, 11), (10, 0, 11), (10, 1, 9)] {
        let factors = factors_of(&FITTED, first..first + 3, horizon);
        assert_eq!((near(&factors), factors.len()), (count, 12), "{factors:?}");
    }
}

#[test]
fn tests_of_one_seed_hit_as_often_as_is_said() {
    // From the seeds 0 and 10, each after 3 and after 5 epochs; of 36.
    let singles = |best: &[Tuned]| {
        [(0, 0), (0, 1), (10, 0), (10, 1)].map(|(first, horizon)| {
            let seeds = first..first + 3_u64;
            seeds.map(|seed| near(&factors_of(best, seed..seed + 1, horizon))).sum::<usize>()
        })
    };
    assert_eq!((singles(&FITTED), singles(&TUNED)), ([30, 29, 29, 26], [31, 25, 28, 23]));
}

/// optimizer, rate, seed, epoch, validation accuracy
type Constant = (String, f64, u64, usize, f64);

#[test]
fn the_best_rates_are_those_with_the_highest_mean_accuracy_of_the_recorded_runs() {
    let file = "tests/golden/range_tests/constant_rates.csv";
    let mut reader = csv::Reader::from_path(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let runs: Vec<Constant> = reader.deserialize().map(Result::unwrap).collect();
    for (name, best, _) in TUNED {
        for (epoch, best) in [3, 5].into_iter().zip(best) {
            let of: Vec<&Constant> =
                runs.iter().filter(|run| run.0.replace([':', '='], "-") == name && run.3 == epoch).collect();
            let mean = |rate: f64| {
                let accuracies: Vec<f64> = of.iter().filter(|run| run.1 == rate).map(|run| run.4).collect();
                accuracies.iter().sum::<f64>() / accuracies.len() as f64
            };
            let highest = of.iter().map(|run| run.1).max_by(|a, b| mean(*a).total_cmp(&mean(*b))).unwrap();
            assert_eq!(highest, best, "{name} after {epoch} epochs");
        }
    }
}

/// optimizer, iterations of the test, epochs of the run, rate, seed, updates, validation accuracy, images
type Short = (String, u64, usize, f64, u64, u64, Option<f64>, u64);

/// The best rates of the grid with the seeds of both tables, after 3 and after 5 epochs.
const SHARPER: [(&str, [f64; 2]); 4] =
    [("sgd", [0.04, 0.08]), ("sgd:momentum=0.9", [0.01, 0.01]), ("adam", [0.002, 0.001]), ("rmsprop", [0.002, 0.002])];

/// The same by a fit to all of these runs: `scripts/find_optimum.py`.
const SHARPER_FIT: [[f64; 2]; 4] = [[0.0297, 0.0304], [0.00876, 0.00806], [0.00109, 0.00114], [0.00133, 0.00143]];

fn golden<T: serde::de::DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/range_tests").join(file);
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

#[test]
fn the_sharper_best_rates_are_those_of_all_recorded_runs_of_at_least_nine_seeds() {
    let runs: Vec<Constant> =
        ["constant_rates.csv", "constant_rates_again.csv"].into_iter().flat_map(golden::<Constant>).collect();
    for (optimizer, best) in SHARPER {
        for (epoch, best) in [3, 5].into_iter().zip(best) {
            let of = |rate: f64| -> Vec<f64> {
                let of = runs.iter().filter(|run| run.0 == optimizer && run.1 == rate && run.3 == epoch);
                of.map(|run| run.4).collect()
            };
            let mean = |rate: f64| of(rate).iter().sum::<f64>() / of(rate).len() as f64;
            let tried =
                runs.iter().filter(|run| run.0 == optimizer).map(|run| run.1).filter(|rate| of(*rate).len() >= 9);
            let highest = tried.max_by(|a, b| mean(*a).total_cmp(&mean(*b))).unwrap();
            assert_eq!(highest, best, "{optimizer} after {epoch} epochs");
        }
    }
}

#[test]
fn the_short_runs_hit_in_22_and_23_of_24_cases_that_nothing_was_chosen_on() {
    let runs: Vec<Short> = golden("short_runs.csv");
    let (mut by_grid, mut by_fit) = (Vec::new(), Vec::new());
    for ((optimizer, best), fitted) in SHARPER.into_iter().zip(SHARPER_FIT) {
        for steps in [100, 300, 1000] {
            for (horizon, epochs) in [3, 5].into_iter().enumerate() {
                let of = runs.iter().filter(|run| (run.0.as_str(), run.1, run.2) == (optimizer, steps, epochs));
                let of: Vec<ShortResult> = of
                    .map(|&(_, _, _, rate, seed, updates, accuracy, images)| ShortResult {
                        rate,
                        seed,
                        accuracy,
                        images,
                        updates,
                    })
                    .collect();
                assert_eq!(of.len(), 9, "{optimizer}: three rates, three seeds");
                let refined = refine(&of, 0.1, f64::INFINITY).unwrap().answer.unwrap().rate;
                by_grid.push((optimizer, steps, factor(refined, best[horizon])));
                by_fit.push((optimizer, steps, factor(refined, fitted[horizon])));
            }
        }
    }
    assert_eq!((near(&by_grid), near(&by_fit), by_grid.len()), (22, 23, 24), "{by_grid:?} {by_fit:?}");
}
