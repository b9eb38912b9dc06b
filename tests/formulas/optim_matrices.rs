//! Optimizers that are not elementwise: Muon on matrices, and Prodigy's sums over all parameters.

use crate::optim_by_hand::{after, at, walk};
use lrsched::optim::{Float, Optimizer, Slice, State};
use lrsched::schedule::{Rates, Semantics};
use serde::Deserialize;

/// A row of tests/golden/optimizers/muon_f64.csv, made by scripts/golden_optimizers_muon.py.
#[derive(Deserialize)]
struct Row {
    semantics: String,
    spec: String,
    rows: usize,
    columns: usize,
    step: u64,
    learning_rate: f64,
    momentum: Option<f64>,
    theta: String,
}

fn start(length: usize) -> Vec<f64> {
    (0..length).map(|k| (k as f64).cos()).collect()
}

fn gradient(theta: &[f64], step: u64) -> Vec<f64> {
    let one = |(k, theta): (usize, &f64)| {
        let noise = 0.3 * (1.7 * step as f64 + k as f64).sin();
        0.5 * (1 + k % 4) as f64 * (theta - (k as f64).sin()) + noise
    };
    theta.iter().enumerate().map(one).collect()
}

#[test]
fn muon_follows_every_framework_in_f64() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/optimizers/muon_f64.csv");
    let (mut optimizer, mut theta, mut traces) = (None, Vec::new(), 0);
    for row in csv::Reader::from_path(path).unwrap().deserialize() {
        let row: Row = row.unwrap();
        let semantics: Semantics = row.semantics.parse().unwrap();
        if row.step == 0 {
            theta = start(row.rows * row.columns);
            optimizer = Some(Optimizer::<f64>::new(&row.spec.parse().unwrap(), semantics).unwrap());
            traces += 1;
        }
        let gradient = gradient(&theta, row.step);
        let shape = [row.rows, row.columns];
        let slice = Slice { name: "theta", shape: &shape, values: &mut theta, gradient: &gradient };
        let rates = Rates { learning_rate: row.learning_rate, momentum: row.momentum };
        optimizer.as_mut().unwrap().step(&mut [slice], rates);
        for (got, expected) in theta.iter().zip(row.theta.split(' ').map(|text| text.parse::<f64>().unwrap())) {
            let off = (got - expected).abs();
            let (spec, step) = (&row.spec, row.step);
            assert!(
                off <= 1e-11 * (1.0 + expected.abs()),
                "{spec} {shape:?} {semantics:?} at step {step}: off by {off:e}"
            );
        }
    }
    assert_eq!(traces, 20);
}

/// One step on a matrix of zeros, or of `values`, at rate 0.1.
fn step(spec: &str, shape: &[usize], values: &[f64], gradient: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    let mut optimizer = Optimizer::<f64>::new(&spec.parse().unwrap(), Semantics::Native).unwrap();
    optimizer.step(&mut [Slice { name: "matrix", shape, values: &mut values, gradient }], at(0.1));
    values
}

#[track_caller]
fn close(got: &[f64], expected: &[f64]) {
    assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?}, not {expected:?}");
}

const PLAIN: &str = "muon:momentum=0,nesterov=false,eps=1e-300";

#[test]
fn muon_maps_each_singular_value_by_its_polynomial() {
    // Singular values 3 and 4 over the norm 5, through 3x − 3.2x³ + 1.2x⁵.
    let polynomial = |x: f64| 3.0 * x - 3.2 * x.powi(3) + 1.2 * x.powi(5);
    let once = format!("{PLAIN},ns-steps=1,coefficients=3,-3.2,1.2");
    let expected = [-0.1 * polynomial(0.6), 0.0, 0.0, -0.1 * polynomial(0.8)];
    close(&step(&once, &[2, 2], &[0.0; 4], &[3.0, 0.0, 0.0, 4.0]), &expected);
    let twice = format!("{PLAIN},ns-steps=2,coefficients=3,-3.2,1.2");
    let expected = [-0.1 * polynomial(polynomial(0.6)), 0.0, 0.0, -0.1 * polynomial(polynomial(0.8))];
    close(&step(&twice, &[2, 2], &[0.0; 4], &[3.0, 0.0, 0.0, 4.0]), &expected);
}

#[test]
fn muon_scales_its_step_by_the_shape_of_the_matrix() {
    // Without Newton–Schulz steps the direction is u/‖u‖ = (0.6, 0.8).
    let of = |scale: &str, shape: &[usize]| {
        step(&format!("{PLAIN},ns-steps=0,scale={scale}"), shape, &[0.0; 2], &[3.0, 4.0])
    };
    close(&of("none", &[2, 1]), &[-0.06, -0.08]);
    close(&of("shape", &[1, 2]), &[-0.06, -0.08]);
    close(&of("shape", &[2, 1]), &[-0.06 * 2_f64.sqrt(), -0.08 * 2_f64.sqrt()]);
    close(&of("rms", &[1, 2]), &[-0.06 * 0.2 * 2_f64.sqrt(), -0.08 * 0.2 * 2_f64.sqrt()]);
    // A convolution is a matrix of out channels by the rest.
    close(&of("shape", &[2, 1, 1, 1]), &of("shape", &[2, 1]));
}

#[test]
fn muon_rescales_the_weights_before_its_step_to_the_root_of_the_rows() {
    let spec = format!("{PLAIN},ns-steps=0,scale=none,rescale-weights");
    close(&step(&spec, &[1, 2], &[3.0, 4.0], &[4.0, 3.0]), &[0.6 - 0.08, 0.8 - 0.06]);
    close(&step(&spec, &[1, 2], &[0.0, 0.0], &[4.0, 3.0]), &[-0.08, -0.06]);
}

#[test]
fn prodigy_estimates_the_distance_from_how_far_the_weights_have_come() {
    // Step 1: ⟨g, θ₀ − θ⟩ = 0, so d stays 0.1. m = 0.05, v = 0.0025, s = 0.1.
    let first = 0.1 * 0.05 / (0.05 + 0.1);
    // Step 2: r = 0.1·first, s = 0.05 + 0.1 and d = 10·r/s; it only reaches eps now. m = 0.075, v = 0.004375.
    let d = 10.0 * 0.1 * first / 0.15;
    let second = 0.1 * 0.075 / (0.004375_f64.sqrt() + d);
    // Step 3 at the rate d, again with a gradient of 1.
    let numerator = 0.5 * 0.1 * first + d / 0.1 * d * (first + second);
    let sum = 0.5 * 0.15 + d / 0.1 * d;
    let next = d.max(10.0 * numerator / sum);
    let m = 0.5 * 0.075 + d * 0.5;
    let v = 0.75 * 0.004375 + d * d * 0.25;
    let third = d * m / (v.sqrt() + next);
    let spec = "prodigy:beta1=0.5,beta2=0.75,beta3=0.5,eps=1,d0=0.1,d-coef=10";
    let got = walk(spec, Semantics::Native, 1.0, &[(1.0, at(1.0)); 3]);
    close(&got, &after([first, second, third]));
}

#[test]
fn prodigy_has_one_estimate_for_all_parameters() {
    let (gradient, steps) = ([0.3, -0.5, 0.8, 0.1], 5);
    let run = |lengths: &[usize]| {
        let mut optimizer = Optimizer::<f64>::new(&"prodigy:d0=0.01".parse().unwrap(), Semantics::Native).unwrap();
        let mut values = [1.0, -1.0, 0.5, 2.0];
        for _ in 0..steps {
            let (mut rest, mut slices, mut from) = (values.as_mut_slice(), Vec::new(), 0);
            for (name, &length) in ["a", "b"].into_iter().zip(lengths) {
                let (values, after) = rest.split_at_mut(length);
                (rest, from) = (after, from + length);
                slices.push(Slice { name, shape: &[1], values, gradient: &gradient[from - length..from] });
            }
            optimizer.step(&mut slices, at(1.0));
        }
        values
    };
    close(&run(&[1, 3]), &run(&[4]));
}

#[test]
fn a_step_of_prodigy_without_a_rate_or_a_gradient_changes_nothing() {
    let steps = [(1.0, at(1.0)), (2.0, at(0.0)), (0.5, at(1.0))];
    let without = walk("prodigy:d0=0.1", Semantics::Native, 1.0, &[steps[0], steps[2]]);
    let with = walk("prodigy:d0=0.1", Semantics::Native, 1.0, &steps);
    assert_eq!((with[0], with[1], with[2]), (without[0], without[0], without[1]));
    assert_eq!(walk("prodigy:weight-decay=1", Semantics::Native, 1.0, &[(0.0, at(1.0)); 2]), [1.0, 1.0]);
    // optax keeps its means then, and would divide 0 by 0: the estimate stays at d0 until there is a sum.
    let optax = walk("prodigy:d0=0.1", Semantics::Optax, 1.0, &[(1.0, at(0.0)), (0.0, at(1.0)), (1.0, at(1.0))]);
    // Corrected, m/√v = (0.9·0.1/(1 − 0.9²)) / √(0.999·0.001/(1 − 0.999²)): the means of the first step, one step old.
    let (mean, square) = (0.9 * 0.1 / (1.0 - 0.81), 0.999 * 0.001 / (1.0 - 0.999 * 0.999));
    let second = 1.0 - 0.1 * 0.1 * mean / (0.1 * f64::sqrt(square) + 0.1 * 1e-8 / f64::sqrt(1.0 - 0.999 * 0.999));
    assert_eq!(optax[0], 1.0);
    assert!((optax[1] - second).abs() < 1e-9 && optax[2].is_finite(), "{optax:?}, expected {second}");
}

/// Steps `from..to` of Muon on two matrices.
fn matrices<T: Float>(
    optimizer: &mut Optimizer<T>,
    values: &mut [Vec<T>; 2],
    shapes: [[usize; 2]; 2],
    (from, to): (u64, u64),
) {
    for step in from..to {
        let gradients: Vec<Vec<T>> = values
            .iter()
            .map(|values| {
                values.iter().enumerate().map(|(i, &v)| v * T::of(((i as u64 + step) as f64).sin())).collect()
            })
            .collect();
        let slices = values.iter_mut().zip(&gradients).zip(&shapes).zip(["tall", "wide"]);
        let mut slices: Vec<Slice<'_, T>> =
            slices.map(|(((values, gradient), shape), name)| Slice { name, shape, values, gradient }).collect();
        optimizer.step(&mut slices, at(0.02));
    }
}

#[test]
fn muon_is_taken_up_again_to_the_bit_and_does_not_depend_on_the_number_of_threads() {
    let shapes = [[200, 300], [64, 27]];
    let made = || Optimizer::<f32>::new(&"muon:weight-decay=0.1".parse().unwrap(), Semantics::Native).unwrap();
    let begin =
        || shapes.map(|[rows, columns]| (0..rows * columns).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<f32>>());
    let whole = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut values = begin();
            matrices(&mut made(), &mut values, shapes, (0, 4));
            values
        })
    };
    let one = whole(1);
    assert!([2, 3].into_iter().all(|threads| whole(threads) == one));
    let (mut first, mut values) = (made(), begin());
    matrices(&mut first, &mut values, shapes, (0, 2));
    let state: State<f32> = first.state();
    assert_eq!(state.arrays.keys().collect::<Vec<_>>(), ["tall.momentum_buffer", "wide.momentum_buffer"]);
    let mut second = made();
    second.restore(state, [("tall", 60_000), ("wide", 1728)]).unwrap();
    matrices(&mut second, &mut values, shapes, (2, 4));
    assert_eq!(values, one);
}

#[test]
fn newton_schulz_in_f32_brings_all_singular_values_near_one() {
    let (rows, columns) = (64_usize, 576);
    let gradient: Vec<f32> = (0..rows * columns).map(|i| (i as f32 * i as f32 * 0.37).sin()).collect();
    let mut values = vec![0.0_f32; rows * columns];
    let spec = "muon:momentum=0,nesterov=false,scale=none";
    let mut optimizer = Optimizer::<f32>::new(&spec.parse().unwrap(), Semantics::Native).unwrap();
    let shape = [rows, columns];
    optimizer.step(&mut [Slice { name: "w", shape: &shape, values: &mut values, gradient: &gradient }], at(1.0));
    // A matrix with singular values near 1 has a norm near √rows, and rows that are nearly orthogonal.
    let dot = |a: usize, b: usize| -> f32 {
        let row = |r: usize| &values[r * columns..(r + 1) * columns];
        row(a).iter().zip(row(b)).map(|(a, b)| a * b).sum()
    };
    let norm = (0..rows).map(|r| dot(r, r)).sum::<f32>().sqrt();
    assert!((6.0..9.6).contains(&norm), "{norm}");
    assert!(dot(0, 1).abs() < 0.3 && dot(5, 40).abs() < 0.3, "{} {}", dot(0, 1), dot(5, 40));
}
