//! Three updates of every rule, worked out by hand, from θ = 1 at rate 0.1 unless a test says otherwise.

use Semantics::{Keras, Native, Optax, Torch};
use lrsched::optim::{Optimizer, Slice};
use lrsched::schedule::{Rates, Semantics};

pub const ONES: [f64; 3] = [1.0, 1.0, 1.0];
const TWOS: [f64; 3] = [2.0, 2.0, 2.0];

pub const fn at(learning_rate: f64) -> Rates {
    Rates { learning_rate, momentum: None }
}

/// θ after each update, where it is evaluated.
pub fn walk(spec: &str, semantics: Semantics, start: f64, steps: &[(f64, Rates)]) -> Vec<f64> {
    let mut optimizer = Optimizer::<f64>::new(&spec.parse().unwrap(), semantics).unwrap();
    let mut values = [start];
    steps
        .iter()
        .map(|&(gradient, rates)| {
            let slice = Slice { name: "theta", shape: &[1], values: &mut values, gradient: &[gradient] };
            optimizer.step(&mut [slice], rates);
            let mut evaluated = values;
            optimizer.move_to_evaluation_point("theta", &mut evaluated);
            evaluated[0]
        })
        .collect()
}

#[track_caller]
pub fn check(spec: &str, semantics: Semantics, gradients: [f64; 3], expected: [f64; 3]) {
    let got = walk(spec, semantics, 1.0, &gradients.map(|gradient| (gradient, at(0.1))));
    for (step, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() < 1e-12, "{spec} {semantics:?}: step {step} is {got}, expected {expected}");
    }
}

/// θ where the steps are `differences`.
pub fn after(differences: [f64; 3]) -> [f64; 3] {
    let [a, b, c] = differences;
    [1.0 - a, 1.0 - a - b, 1.0 - a - b - c]
}

#[test]
fn plain_sgd_goes_down_the_gradient_and_weight_decay_adds_to_it() {
    check("sgd", Native, [1.0, 2.0, -1.0], [0.9, 0.7, 0.8]);
    check("sgd:weight-decay=1", Torch, ONES, [0.8, 0.62, 0.458]);
}

#[test]
fn sgd_momentum_gathers_speed_and_nesterov_looks_one_step_ahead() {
    for semantics in [Native, Torch, Keras, Optax] {
        // b = 1, 1.5, 1.75
        check("sgd:momentum=0.5", semantics, ONES, [0.9, 0.75, 0.575]);
        // g + b/2 = 1.5, 1.75, 1.875
        check("sgd:momentum=0.5,nesterov", semantics, ONES, [0.85, 0.675, 0.4875]);
    }
}

#[test]
fn dampening_spares_the_first_gradient() {
    // b = 2, then (2 + 2)/2 = 2 and again
    check("sgd:momentum=0.5,dampening=0.5", Torch, TWOS, [0.8, 0.6, 0.4]);
}

#[test]
fn keras_decouples_the_weight_decay_of_sgd_with_momentum() {
    // 0.9·θ − v with v = 0.1, 0.15, 0.175
    check("sgd:momentum=0.5,weight-decay=1", Keras, ONES, [0.8, 0.57, 0.338]);
}

#[test]
fn a_falling_rate_reaches_the_momentum_of_pytorch_at_once_and_that_of_keras_later() {
    let second = |semantics| walk("sgd:momentum=0.9", semantics, 0.0, &[(1.0, at(0.1)), (1.0, at(0.01))])[1];
    for (semantics, expected) in [(Torch, -0.119), (Native, -0.119), (Optax, -0.119), (Keras, -0.200)] {
        assert!((second(semantics) - expected).abs() < 1e-15, "{semantics:?}: {}", second(semantics));
    }
}

#[test]
fn rmsprop_divides_by_the_running_root_mean_square() {
    // v = 2, 3, 3.5
    let outside = [2.0_f64, 3.0, 3.5].map(|v| 0.2 / (v.sqrt() + 0.5));
    let inside = [2.0_f64, 3.0, 3.5].map(|v| 0.2 / (v + 0.5).sqrt());
    for (semantics, differences) in [(Native, outside), (Torch, outside), (Keras, inside), (Optax, inside)] {
        check("rmsprop:rho=0.5,eps=0.5", semantics, TWOS, after(differences));
    }
}

#[test]
fn centered_rmsprop_divides_by_the_deviation() {
    // v − m² = 2 − 1, 3 − 1.5², 3.5 − 1.75²
    let outside = [1.0_f64, 0.75, 0.4375].map(|variance| 0.2 / (variance.sqrt() + 0.5));
    check("rmsprop:rho=0.5,eps=0.5,centered", Torch, TWOS, after(outside));
}

#[test]
fn rmsprop_momentum_adds_up_normalised_gradients() {
    let [a, b, c] = [2.0_f64, 3.0, 3.5].map(|v| 0.2 / (v.sqrt() + 0.5));
    let second = a / 2.0 + b;
    check("rmsprop:rho=0.5,eps=0.5,momentum=0.5", Torch, TWOS, after([a, second, second / 2.0 + c]));
}

#[test]
fn the_centered_variance_of_a_constant_gradient_never_gives_nan() {
    let path = walk("rmsprop:rho=0.5,centered", Native, 1.0, &[(0.1, at(0.1)); 300]);
    assert!(path.iter().all(|theta| theta.is_finite()), "{path:?}");
}

#[test]
fn adam_corrects_both_means_for_starting_at_zero() {
    // A constant gradient has m̂ = v̂ = 1 at once: 0.1·1/(1 + 1).
    check("adam:beta1=0.5,beta2=0.75,eps=1", Native, ONES, [0.95, 0.9, 0.85]);
    // m̂ = 1, 1/3, 1/7 and v̂ = 1, 3/7, 9/37 after a single gradient of 1
    let step = |m: f64, v: f64| 0.1 * m / (v.sqrt() + 1.0);
    let expected = after([step(1.0, 1.0), step(1.0 / 3.0, 3.0 / 7.0), step(1.0 / 7.0, 9.0 / 37.0)]);
    check("adam:beta1=0.5,beta2=0.75,eps=1", Torch, [1.0, 0.0, 0.0], expected);
    check("adam:beta1=0.5,beta2=0.75,eps=1", Optax, [1.0, 0.0, 0.0], expected);
}

#[test]
fn keras_adds_the_eps_of_adam_to_the_uncorrected_root() {
    let step = |share: f64| 0.1 * share.sqrt() / (share.sqrt() + 1.0);
    check("adam:beta1=0.5,beta2=0.75,eps=1", Keras, ONES, after([step(0.25), step(0.4375), step(0.578125)]));
}

#[test]
fn adam_couples_its_weight_decay_and_adamw_does_not() {
    // The first step is the rate itself, whatever the size of g + λθ, where eps is nothing.
    let first = walk("adam:eps=1e-300,weight-decay=1", Torch, 1.0, &[(1.0, at(0.1))]);
    assert!((first[0] - 0.9).abs() < 1e-12, "{first:?}");
    let expected = [0.94, 0.94 * 0.99 - 0.05, (0.94 * 0.99 - 0.05) * 0.99 - 0.05];
    for semantics in [Native, Torch, Optax] {
        check("adamw:beta1=0.5,beta2=0.75,eps=1,weight-decay=0.1", semantics, ONES, expected);
    }
}

#[test]
fn adagrad_divides_by_the_root_of_the_sum_of_squares() {
    // s = 9, 25, 25
    check("adagrad:eps=1", Native, [3.0, 4.0, 0.0], after([0.3 / 4.0, 0.4 / 6.0, 0.0]));
    let from_16 = after([0.3 / 6.0, 0.0, 0.3 / (34_f64.sqrt() + 1.0)]);
    check("adagrad:eps=1,initial-accumulator=16", Torch, [3.0, 0.0, 3.0], from_16);
    check("adagrad:eps=1,lr-decay=1", Torch, [3.0, 4.0, 12.0], after([0.3 / 4.0, 0.2 / 6.0, 0.4 / 14.0]));
    // √(9 + 7) = 4, and √(0.1 + 9 + 6.9)
    check("adagrad:eps=7,initial-accumulator=0", Keras, [3.0, 0.0, 0.0], after([0.3 / 4.0, 0.0, 0.0]));
    check("adagrad:eps=6.9", Optax, [3.0, 0.0, 0.0], after([0.3 / 4.0, 0.0, 0.0]));
}

#[test]
fn adadelta_measures_its_step_by_its_earlier_steps() {
    // v = 2, 3, 3.5; d = 0, 2/3, 7/6 before the steps
    let steps = [(2.0, 0.0), (3.0, 2.0 / 3.0), (3.5, 7.0 / 6.0)];
    let expected = after(steps.map(|(v, d): (f64, f64)| 0.2 * (d + 1.0).sqrt() / (v + 1.0).sqrt()));
    for semantics in [Native, Torch, Keras, Optax] {
        check("adadelta:rho=0.5,eps=1", semantics, TWOS, expected);
    }
}

#[test]
fn the_momentum_of_a_schedule_replaces_that_of_the_optimizer_for_the_step() {
    let cycled = Rates { learning_rate: 0.1, momentum: Some(0.5) };
    for (own, instead) in [
        ("sgd:momentum=0.9", "sgd:momentum=0.5"),
        ("rmsprop:momentum=0.9", "rmsprop:momentum=0.5"),
        ("adam", "adam:beta1=0.5"),
        ("adamw", "adamw:beta1=0.5"),
        ("nadam", "nadam:beta1=0.5"),
        ("radam", "radam:beta1=0.5"),
        ("adamax", "adamax:beta1=0.5"),
        ("schedule-free-sgd", "schedule-free-sgd:momentum=0.5"),
        ("schedule-free-adamw", "schedule-free-adamw:beta1=0.5"),
    ] {
        let path = |spec, rates| walk(spec, Native, 1.0, &[(1.0, rates), (3.0, rates), (-2.0, rates)]);
        assert_eq!(path(own, cycled), path(instead, at(0.1)), "{own}");
        assert_ne!(path(own, cycled), path(own, at(0.1)), "{own}");
    }
}

#[test]
fn an_optimizer_without_momentum_is_left_alone_by_a_schedule_that_cycles_it() {
    let cycled = Rates { learning_rate: 0.1, momentum: Some(0.5) };
    for spec in ["sgd", "rmsprop", "adagrad", "adadelta"] {
        let path = |rates| walk(spec, Native, 1.0, &[(1.0, rates), (3.0, rates), (-2.0, rates)]);
        assert_eq!(path(cycled), path(at(0.1)), "{spec}");
    }
}
