//! The walks of tests/golden/descend: PyTorch's optimizers, schedulers and clipping in float64, made by scripts/golden_{descend,clipping}_torch.py.

use lrsched::experiment::descend::{Function, Iterate, Walk};
use lrsched::optim::Clipping;
use lrsched::schedule::Semantics;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    function: String,
    optimizer: String,
    schedule: String,
    lr: f64,
    step: u64,
    learning_rate: Option<f64>,
    momentum: Option<f64>,
    x: f64,
    y: f64,
    value: f64,
    #[serde(default)]
    clip_norm: Option<f64>,
    #[serde(default)]
    clip_value: Option<f64>,
}

fn walk(first: &Row) -> Vec<Iterate> {
    let walk = Walk {
        function: first.function.parse::<Function>().unwrap(),
        start: [first.x, first.y],
        steps: 60,
        steps_per_epoch: 1,
        optimizer: first.optimizer.parse().unwrap(),
        schedule: first.schedule.parse().unwrap(),
        learning_rate: first.lr,
        semantics: Semantics::Torch,
        clipping: Clipping { norm: first.clip_norm, value: first.clip_value },
    };
    walk.positions().unwrap()
}

#[test]
fn every_walk_equals_pytorch_in_f64() {
    follow("torch.csv", 10);
}

#[test]
fn a_walk_with_clipped_gradients_equals_pytorch_in_f64() {
    follow("clipped.csv", 4);
}

fn follow(file: &str, expected: usize) {
    let path = format!("{}/tests/golden/descend/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut positions = Vec::new();
    let mut walks = 0;
    for row in csv::Reader::from_path(path).unwrap().deserialize() {
        let row: Row = row.unwrap();
        if row.step == 0 {
            positions = walk(&row);
            assert_eq!(positions.len(), 61);
            walks += 1;
        }
        let got: &Iterate = &positions[row.step as usize];
        assert_eq!(got.step, row.step);
        let pairs = [
            ("learning_rate", got.learning_rate, row.learning_rate),
            ("momentum", got.momentum, row.momentum),
            ("x", Some(got.at[0]), Some(row.x)),
            ("y", Some(got.at[1]), Some(row.y)),
            ("value", Some(got.value), Some(row.value)),
        ];
        for (column, got, expected) in pairs {
            let near = match (got, expected) {
                (Some(got), Some(expected)) => (got - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
                (got, expected) => got == expected,
            };
            let Row { function, optimizer, schedule, step, .. } = &row;
            assert!(near, "{function} {optimizer}/{schedule} step {step}: {column} is {got:?}, expected {expected:?}");
        }
    }
    assert_eq!(walks, expected);
}
