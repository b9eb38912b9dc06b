//! A batch that is gathered from micro-batches trains as the same batch in one piece does.

use crate::common::lrsched;
use std::fs;

/// The loss of each step of two epochs of 1,200 images.
fn losses(batch_size: &str) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let flags = "train --model tiny --dataset synthetic --train-limit 1200 --validation 100 --epochs 2 --lr 0.1 --log-steps --out run -q";
    lrsched(&folder).args(flags.split(' ')).args(["--batch-size", batch_size]).assert().success();
    let steps = fs::read_to_string(folder.path().join("run/steps.csv")).unwrap();
    assert_eq!(steps.lines().next().unwrap().split(',').nth(4), Some("loss"));
    steps.lines().skip(1).map(|line| line.split(',').nth(4).unwrap().parse().unwrap()).collect()
}

/// `full` comes in micro-batches of 500, 500 and 200 images; 1,200 images fit into one. The first loss is that of the initial
/// weights, the second that of an update with the gathered gradient.
#[test]
fn the_full_batch_in_pieces_takes_the_steps_of_the_same_batch_in_one_piece() {
    let (gathered, whole) = (losses("full"), losses("1200"));
    assert_eq!((gathered.len(), whole.len()), (2, 2), "one step an epoch");
    assert!((whole[1] - whole[0]).abs() > 1e-3 * whole[0], "an update shows in the loss: {whole:?}");
    for (gathered, whole) in gathered.iter().zip(&whole) {
        assert!((gathered - whole).abs() <= 1e-6 * whole, "gathered {gathered}, in one piece {whole}");
    }
}
