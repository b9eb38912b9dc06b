//! The averages of tests/golden/averages/torch.csv: torch.optim.swa_utils and Lookahead in float64, made by
//! scripts/golden_averages_torch.py.

use lrsched::optim::{Average, AverageSpec, Optimizer, Slice};
use lrsched::schedule::{Rates, Semantics};
use serde::Deserialize;

const STEPS: u64 = 40;

#[derive(Deserialize)]
struct Row {
    average: String,
    step: u64,
    theta0: f64,
    theta1: f64,
    theta2: f64,
    average0: Option<f64>,
    average1: Option<f64>,
    average2: Option<f64>,
}

/// As in scripts/golden_optimizers_problem.py.
fn gradient(theta: [f64; 3], step: u64) -> [f64; 3] {
    let (curvature, centre) = ([0.1, 1.0, 10.0], [1.0, -1.0, 0.5]);
    [0, 1, 2].map(|i| curvature[i] * (theta[i] - centre[i]) + 0.3 * (1.7 * step as f64 + i as f64).sin())
}

struct Follower {
    optimizer: Optimizer<f64>,
    average: Average,
    theta: [f64; 3],
    averaged: [f64; 3],
    taken: u64,
}

impl Follower {
    fn start(spec: &str) -> Self {
        let average = spec.parse::<AverageSpec>().unwrap().in_run(4, STEPS).unwrap();
        let theta = [2.0, 1.0, -1.0];
        Self {
            optimizer: Optimizer::new(&"sgd:momentum=0.9".parse().unwrap(), Semantics::Torch).unwrap(),
            average,
            theta,
            averaged: theta,
            taken: u64::from(average.starts_with_the_run()),
        }
    }

    fn step(&mut self, step: u64) {
        let gradient = gradient(self.theta, step - 1);
        let slice = Slice { name: "theta", shape: &[3], values: &mut self.theta, gradient: &gradient };
        self.optimizer.step(&mut [slice], Rates::of(0.05));
        if self.average.is_due(step) {
            self.average.take(&mut self.averaged, &mut self.theta, self.taken);
            self.taken += 1;
        }
    }
}

#[test]
fn every_average_follows_pytorch_in_f64() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/averages/torch.csv");
    let (mut follower, mut averages) = (Follower::start("ema"), 0);
    for row in csv::Reader::from_path(path).unwrap().deserialize() {
        let row: Row = row.unwrap();
        if row.step == 1 {
            follower = Follower::start(&row.average);
            averages += 1;
        }
        follower.step(row.step);
        let near = |got: f64, expected: f64| {
            let Row { average, step, .. } = &row;
            assert!((got - expected).abs() <= 1e-14 * (1.0 + expected.abs()), "{average} {step}: {got}, {expected}");
        };
        let theta = [row.theta0, row.theta1, row.theta2];
        follower.theta.into_iter().zip(theta).for_each(|(got, expected)| near(got, expected));
        let expected = [row.average0, row.average1, row.average2];
        assert_eq!(expected[0].is_some(), follower.taken > 0, "{} {}", row.average, row.step);
        for (got, expected) in follower.averaged.into_iter().zip(expected) {
            expected.into_iter().for_each(|expected| near(got, expected));
        }
    }
    assert_eq!(averages, 6);
}
