//! What it wins that the short runs of `find` climb on while the best is at an end: simulations on the published sweeps of constant rates.
//!
//! `cargo test --release --test formulas find_climb -- --nocapture` prints the table of docs/FIND.md.

use lrsched::random::{Purpose, keyed, normal};
use lrsched::stats::mean;
use lrsched::stats::suggest::{AROUND, ShortResult, beyond, refine};
use rand_core::Rng;
use std::collections::BTreeMap;
use std::path::Path;

const CHANCE: f64 = 0.1;

/// The standard deviations of what a seed adds to all of its runs, and to each.
const OF_SEED: f64 = 0.015;
const OF_RUN: f64 = 0.012;

/// The mean accuracy at each rate of a sweep, over ln(rate).
struct Curve(Vec<(f64, f64)>);

impl Curve {
    /// Linear between the rates of the grid, and smoothed over half a decade.
    fn at(&self, ln_rate: f64) -> f64 {
        let linear = |x: f64| {
            let place = self.0.partition_point(|(rate, _)| *rate < x).clamp(1, self.0.len() - 1);
            let [(a, y), (b, z)] = [self.0[place - 1], self.0[place]];
            y + (z - y) * ((x - a) / (b - a)).clamp(0.0, 1.0)
        };
        mean(&[-0.6, -0.3, 0.0, 0.3, 0.6].map(|shift| linear(ln_rate + shift))).unwrap()
    }

    fn top(&self) -> f64 {
        let (first, last) = (self.0[0].0, self.0[self.0.len() - 1].0);
        let places = (0..=1000).map(|place| first + (last - first) * f64::from(place) / 1000.0);
        places.max_by(|a, b| self.at(*a).total_cmp(&self.at(*b))).unwrap()
    }
}

/// The sweeps of all optimizers but `prodigy`, which is best at the end of its grid.
fn curves() -> Vec<Curve> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/published/optimizers/comparison.csv");
    let mut accuracies: BTreeMap<String, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for row in csv::Reader::from_path(file).unwrap().deserialize() {
        let row: BTreeMap<String, String> = row.unwrap();
        let accuracy = if row["status"] == "finished" { row["val_accuracy"].parse().unwrap() } else { CHANCE };
        let rate: f64 = row["lr"].parse().unwrap();
        accuracies.entry(row["optimizer"].clone()).or_default().entry(rate.to_bits()).or_default().push(accuracy);
    }
    accuracies.remove("prodigy").unwrap();
    let point = |(rate, accuracies): (u64, Vec<f64>)| (f64::from_bits(rate).ln(), mean(&accuracies).unwrap());
    accuracies.into_values().map(|rates| Curve(rates.into_iter().map(point).collect())).collect()
}

/// How a range test is off, over ln(rate): by `bias` always, and by `deviation` around that.
#[derive(Debug, Clone, Copy)]
struct Error {
    bias: f64,
    deviation: f64,
}

/// Shares of suggestions within a factor of 2 of the top, the mean of the points below it, and the mean number of rates.
#[derive(Debug, Default)]
struct Found {
    within: f64,
    points: f64,
    rates: f64,
}

fn simulate(error: Error, seeds: u64, climbs: bool) -> Found {
    const TESTS: u64 = 100;
    let (curves, mut found) = (curves(), Found::default());
    let total = curves.len() as f64 * TESTS as f64;
    for (number, curve) in (0..).zip(&curves) {
        let top = curve.top();
        for test in 0..TESTS {
            let mut rng = keyed(test, Purpose::Tuning, number, seeds);
            let turn = (top + error.bias + error.deviation * f64::from(normal(&mut rng))).exp();
            let of_seed: Vec<f64> = (0..seeds).map(|_| OF_SEED * f64::from(normal(&mut rng))).collect();
            let mut runs: Vec<ShortResult> = Vec::new();
            let mut next: Vec<f64> = AROUND.map(|times| turn * times).to_vec();
            while !next.is_empty() {
                for rate in std::mem::take(&mut next) {
                    found.rates += 1.0 / total;
                    runs.extend(
                        of_seed.iter().zip(0..).map(|(shift, seed)| short_run(curve, rate, seed, *shift, &mut rng)),
                    );
                }
                next.extend(beyond(&runs, CHANCE, f64::INFINITY).filter(|_| climbs));
            }
            // Nothing was learned: the rate of the test stands.
            let rate = refine(&runs, CHANCE, f64::INFINITY).unwrap().answer.map_or(turn, |answer| answer.rate).ln();
            found.within += f64::from((rate - top).abs() <= 2.0_f64.ln()) / total;
            found.points += 100.0 * (curve.at(top) - curve.at(rate)) / total;
        }
    }
    found
}

fn short_run(curve: &Curve, rate: f64, seed: u64, shift: f64, rng: &mut impl Rng) -> ShortResult {
    let accuracy = curve.at(rate.ln()) + shift + OF_RUN * f64::from(normal(rng));
    ShortResult { rate, seed, accuracy: Some(accuracy.clamp(0.0, 1.0)), images: 5000, updates: 120 }
}

#[test]
fn climbing_on_brings_the_suggestion_nearer_to_the_best_rate() {
    println!("| the test is off by a factor of | seeds | three rates | points | climbing on | points | rates |");
    for (name, error) in [
        ("1.6 (1 s.d.)", Error { bias: 0.0, deviation: 0.5 }),
        ("2.5", Error { bias: 0.0, deviation: 0.9 }),
        ("1.5, too low, and 1.8", Error { bias: -0.4, deviation: 0.6 }),
        ("2, too low, and 2.5", Error { bias: -0.7, deviation: 0.9 }),
    ] {
        for seeds in [1, 3] {
            let [three, climbing] = [false, true].map(|climbs| simulate(error, seeds, climbs));
            println!(
                "| {name} | {seeds} | {:.0} % | {:.1} | {:.0} % | {:.1} | {:.1} |",
                100.0 * three.within,
                three.points,
                100.0 * climbing.within,
                climbing.points,
                climbing.rates
            );
            assert!(climbing.within > three.within + 0.02 && climbing.points < three.points, "{three:?} {climbing:?}");
            assert!(three.rates < 3.0 + 1e-9 && climbing.rates < 4.5, "{climbing:?}");
        }
    }
}
