//! 100 steps of PyTorch's, Keras's and optax's own optimizers, in tests/golden/optimizers: every rule and option, under a changing
//! rate, some under a changing momentum. Made by scripts/golden_optimizers_{torch,keras,optax,schedulefree,prodigy}.py.

use lrsched::optim::{Float, Optimizer, Slice};
use lrsched::schedule::{Rates, Semantics};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Row {
    spec: String,
    step: usize,
    learning_rate: f64,
    momentum: Option<f64>,
    theta0: f64,
    theta1: f64,
    theta2: f64,
}

/// As in scripts/golden_optimizers_problem.py.
fn gradient<T: Float>(theta: &[T; 3], step: usize) -> [T; 3] {
    let place = [0, 1, 2];
    let (curvature, centre) = ([0.1, 1.0, 10.0], [1.0, -1.0, 0.5]);
    place.map(|i| {
        let noise = 0.3 * (1.7 * step as f64 + i as f64).sin();
        T::of(curvature[i]) * (theta[i] - T::of(centre[i])) + T::of(noise)
    })
}

/// Follows every trace of the file, at the point that is evaluated; gives the optimizers met and the number of traces.
fn follow<T: Float + Into<f64>>(file: &str, semantics: Semantics, tolerance: f64) -> (BTreeSet<String>, usize) {
    let path = format!("{}/tests/golden/optimizers/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut theta = [T::of(0.0); 3];
    let mut optimizer = None;
    let (mut names, mut traces, mut last) = (BTreeSet::new(), 0, 99);
    for row in csv::Reader::from_path(&path).unwrap().deserialize() {
        let row: Row = row.unwrap();
        if row.step == 0 {
            assert_eq!(last, 99, "{file}: a trace before {} is cut short", row.spec);
            theta = [2.0, 1.0, -1.0].map(T::of);
            optimizer = Some(Optimizer::<T>::new(&row.spec.parse().unwrap(), semantics).unwrap());
            names.insert(row.spec.split(':').next().unwrap().to_string());
            traces += 1;
        } else {
            assert_eq!(row.step, last + 1);
        }
        last = row.step;
        let gradient = gradient(&theta, row.step);
        let rates = Rates { learning_rate: row.learning_rate, momentum: row.momentum };
        let slice = Slice { name: "theta", shape: &[3], values: &mut theta, gradient: &gradient };
        optimizer.as_mut().unwrap().step(&mut [slice], rates);
        let mut evaluated = theta;
        optimizer.as_ref().unwrap().move_to_evaluation_point("theta", &mut evaluated);
        for (got, expected) in evaluated.into_iter().zip([row.theta0, row.theta1, row.theta2]) {
            let got: f64 = got.into();
            assert!(
                (got - expected).abs() <= tolerance * (1.0 + expected.abs()),
                "{file}: {} at step {}: {got}, expected {expected}, off by {:e}",
                row.spec,
                row.step,
                got - expected
            );
        }
    }
    (names, traces)
}

const TORCH: &[&str] = &["adadelta", "adagrad", "adam", "adamax", "adamw", "nadam", "radam", "rmsprop", "sgd"];
const KERAS: &[&str] =
    &["adadelta", "adagrad", "adam", "adamax", "adamw", "lion", "nadam", "rmsprop", "schedule-free-adamw", "sgd"];

#[track_caller]
fn check((names, traces): (BTreeSet<String>, usize), optimizers: &[&str], expected: usize) {
    assert_eq!(traces, expected);
    assert_eq!(names.into_iter().collect::<Vec<_>>(), optimizers);
}

#[test]
fn every_rule_follows_pytorch_in_f64() {
    check(follow::<f64>("torch_f64.csv", Semantics::Torch, 1e-12), TORCH, 32);
}

#[test]
fn every_rule_follows_pytorch_in_f32() {
    check(follow::<f32>("torch_f32.csv", Semantics::Torch, 1e-5), TORCH, 32);
}

#[test]
fn every_rule_follows_keras_in_f64() {
    check(follow::<f64>("keras_f64.csv", Semantics::Keras, 1e-12), KERAS, 27);
}

#[test]
fn every_rule_follows_keras_in_f32() {
    check(follow::<f32>("keras_f32.csv", Semantics::Keras, 1e-5), KERAS, 27);
}

#[test]
fn every_rule_follows_optax_in_f64() {
    let averaging = ["schedule-free-adamw", "schedule-free-sgd"];
    let names: BTreeSet<&str> = TORCH.iter().chain(&["lion", "prodigy"]).chain(&averaging).copied().collect();
    check(follow::<f64>("optax_f64.csv", Semantics::Optax, 1e-12), &names.into_iter().collect::<Vec<_>>(), 35);
}

#[test]
fn the_schedule_free_optimizers_follow_their_authors_in_f64() {
    let optimizers = ["schedule-free-adamw", "schedule-free-sgd"];
    check(follow::<f64>("schedulefree_f64.csv", Semantics::Native, 1e-12), &optimizers, 8);
}

#[test]
fn prodigy_follows_its_authors_in_f64() {
    check(follow::<f64>("prodigy_f64.csv", Semantics::Native, 1e-11), &["prodigy"], 7);
}
