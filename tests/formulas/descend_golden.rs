//! The walks of tests/golden/descend/torch.csv: PyTorch's optimizers and schedulers in float64, made by scripts/golden_descend_torch.py.

use lrsched::experiment::descend::{Function, Iterate, Walk};
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
    };
    walk.positions().unwrap()
}

#[test]
fn every_walk_equals_pytorch_in_f64() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/descend/torch.csv");
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
    assert_eq!(walks, 10);
}
