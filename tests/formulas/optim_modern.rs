//! Three updates of the later optimizers, worked out by hand, from θ = 1 at rate 0.1.

use crate::optim_by_hand::{ONES, after, at, check, walk};
use Semantics::{Keras, Native, Optax, Torch};
use lrsched::schedule::{Rates, Semantics};

/// m̂ after a single gradient of 2 under beta1 = 0.5.
const FADING: [f64; 3] = [2.0, 2.0 / 3.0, 2.0 / 7.0];
const ONCE: [f64; 3] = [2.0, 0.0, 0.0];

#[test]
fn amsgrad_keeps_the_highest_mean_square_and_optax_the_highest_corrected_one() {
    // v = 2, 1, 1/2 and 1 − beta2ᵗ = 1/2, 3/4, 7/8
    let corrections = [0.5_f64, 0.75, 0.875];
    let steps = |root: fn(f64) -> f64| std::array::from_fn(|t| 0.1 * FADING[t] / root(corrections[t]));
    for name in ["adam", "adamw"] {
        let spec = format!("{name}:amsgrad,beta1=0.5,beta2=0.5,eps=1,weight-decay=0");
        let torch = after(steps(|correction| (2.0 / correction).sqrt() + 1.0));
        check(&spec, Torch, ONCE, torch);
        check(&spec, Native, ONCE, torch);
        check(&spec, Keras, ONCE, after(steps(|correction| (2_f64.sqrt() + 1.0) / correction.sqrt())));
        check(&spec, Optax, ONCE, after(steps(|_| 2.0 + 1.0)));
    }
}

#[test]
fn nadam_looks_ahead_with_half_the_momentum_until_it_has_risen() {
    // Without its rise μ is 1/4 and its products 1/4, 1/16, 1/64; m = 1/2, 3/4, 7/8, v̂ = 1.
    let step = |product: f64, m: f64| 0.1 * (0.75 / (1.0 - product) + 0.25 / (1.0 - product / 4.0) * m) / 2.0;
    let expected = after([step(0.25, 0.5), step(1.0 / 16.0, 0.75), step(1.0 / 64.0, 0.875)]);
    for semantics in [Native, Torch, Keras] {
        check("nadam:beta1=0.5,beta2=0.75,eps=1,momentum-decay=0", semantics, ONES, expected);
    }
    // g/2/(1 − 2⁻ᵗ) + m/2/(1 − 2⁻ᵗ⁻¹)
    let sums = [1.0 + 1.0 / 3.0, 2.0 / 3.0 + 3.0 / 7.0, 4.0 / 7.0 + 7.0 / 15.0];
    check("nadam:beta1=0.5,beta2=0.75,eps=1", Optax, ONES, after(sums.map(|sum| 0.05 * sum)));
}

#[test]
fn radam_begins_with_momentum_alone() {
    // ρ = 1, 1.9, 2.8, below 5: m̂ = 2, 2/3, 2/7 times the rate.
    for semantics in [Native, Torch, Keras, Optax] {
        check("radam:beta1=0.5,beta2=0.9", semantics, ONCE, after(FADING.map(|m| 0.1 * m)));
    }
    // The first to be rectified is step 5: ρ∞ = 19, ρ = 19 − 12·0.9⁶/(1 − 0.9⁶). Ones have m̂ = v̂ = 1.
    let path = walk("radam:beta1=0.5,beta2=0.9,eps=1e-300", Torch, 1.0, &[(1.0, at(0.1)); 6]);
    let length: f64 = 19.0 - 12.0 * 0.531441 / 0.468559;
    let rectification = ((length - 4.0) * (length - 2.0) * 19.0 / (15.0 * 17.0 * length)).sqrt();
    assert!((path[4] - 0.5).abs() < 1e-12, "{path:?}");
    assert!((path[5] - (0.5 - 0.1 * rectification)).abs() < 1e-12, "{path:?}");
}

#[test]
fn adamax_divides_by_the_largest_gradient_which_fades() {
    // u = 3, 3/2, 1: |g| + eps, then half of that, then eps itself.
    let expected = after([0.1 * FADING[0] / 3.0, 0.1 * FADING[1] / 1.5, 0.1 * FADING[2]]);
    for semantics in [Native, Torch, Optax] {
        check("adamax:beta1=0.5,beta2=0.5,eps=1", semantics, ONCE, expected);
    }
    // u + eps = 2 + 1, 1 + 1, 1/2 + 1
    let expected = after([0.1 * FADING[0] / 3.0, 0.1 * FADING[1] / 2.0, 0.1 * FADING[2] / 1.5]);
    check("adamax:beta1=0.5,beta2=0.5,eps=1", Keras, ONCE, expected);
}

#[test]
fn lion_moves_by_the_rate_whatever_the_size_of_the_gradient() {
    // m = 0, 1/2, −5/4 before the steps; their means with g are 1/2, −5/4, −5/8.
    let gradients = [1.0, -3.0, 0.0];
    for semantics in [Native, Torch, Keras] {
        check("lion:beta1=0.5,beta2=0.5", semantics, gradients, [0.9, 1.0, 1.1]);
    }
    check("lion:weight-decay=1", Optax, [0.0; 3], [0.9, 0.81, 0.729]);
}

#[test]
fn the_schedule_free_optimizers_evaluate_the_average_of_their_steps() {
    // z = 0.9, 0.8, 0.7; x is its mean: 0.9, 0.85, 0.8.
    check("schedule-free-sgd:momentum=0.5", Native, ONES, [0.9, 0.85, 0.8]);
    check("schedule-free-sgd:momentum=0.9", Torch, ONES, [0.9, 0.85, 0.8]);
    // Weights 1, 2, 3.
    check("schedule-free-sgd:r=1", Native, ONES, [0.9, 2.5 / 3.0, 4.6 / 6.0]);
    // v̂ = 1, so z = 0.95, 0.9, 0.85.
    for semantics in [Native, Keras, Optax] {
        check("schedule-free-adamw:beta2=0.75,eps=1", semantics, ONES, [0.95, 0.925, 0.9]);
    }
}

#[test]
fn a_step_at_a_lower_rate_before_the_highest_counts_less_in_the_average() {
    // z = 0.9, 0.7 with weights 0.1² and 0.2²
    let path = walk("schedule-free-sgd", Native, 1.0, &[(1.0, at(0.1)), (1.0, at(0.2))]);
    assert!((path[1] - (0.9 * 0.01 + 0.7 * 0.04) / 0.05).abs() < 1e-12, "{path:?}");
    // A rate of 0 at first has no weight at all.
    assert_eq!(walk("schedule-free-sgd", Native, 1.0, &[(1.0, at(0.0)), (1.0, at(0.1))]), [1.0, 0.9]);
}

#[test]
fn the_momentum_of_a_schedule_replaces_the_beta1_of_lion() {
    // m = 0.01; its mean with −0.05 is above 0 at 0.9, below at 0.5.
    let second = |momentum| {
        let rates = Rates { learning_rate: 0.1, momentum };
        walk("lion", Native, 1.0, &[(1.0, at(0.1)), (-0.05, rates)])[1]
    };
    assert_eq!((second(None), second(Some(0.5))), (0.8, 1.0));
}
