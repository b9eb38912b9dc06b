//! Figures that the frameworks' own test suites expect: PyTorch's test_lrscheduler.py, Keras's learning_rate_schedule_test.py
//! and reduce_lr_on_plateau_test.py, optax's _schedule_test.py.

use lrsched::schedule::{EpochMetrics, Schedule, Semantics, Setting};

/// The rates of the first steps of a run of `total` steps, one step an epoch.
fn check(spec: &str, semantics: Semantics, lr: f64, total: u64, expected: &[f64]) {
    let setting = Setting::new(lr, total, 1).with(semantics);
    let schedule = Schedule::build(&spec.parse().unwrap(), &setting).unwrap_or_else(|error| panic!("{spec}: {error}"));
    for (t, &theirs) in expected.iter().enumerate() {
        let ours = schedule.at(t as u64).learning_rate;
        assert!((ours - theirs).abs() <= 1e-6 * theirs.abs() + 1e-12, "{spec} at {t}: {ours}, expected {theirs}");
    }
}

fn repeat(runs: &[(f64, usize)]) -> Vec<f64> {
    runs.iter().flat_map(|&(rate, times)| vec![rate; times]).collect()
}

#[test]
fn pytorch_step_and_multi_step() {
    let expected = repeat(&[(0.05, 3), (0.005, 3), (0.0005, 3), (0.00005, 1)]);
    check("step:drop-every=3,factor=0.1", Semantics::Torch, 0.05, 10, &expected);
    let expected = repeat(&[(0.05, 2), (0.005, 3), (0.0005, 4), (0.00005, 1)]);
    check("piecewise:milestones=2,5,9,factor=0.1", Semantics::Torch, 0.05, 10, &expected);
}

#[test]
fn pytorch_exponential_linear_polynomial_and_cosine() {
    let ten = |rate: &dyn Fn(f64) -> f64| (0..10).map(|x| rate(f64::from(x))).collect::<Vec<_>>();
    check("exponential:decay-rate=0.9,decay-steps=1", Semantics::Torch, 0.05, 10, &ten(&|x| 0.05 * 0.9_f64.powf(x)));
    let polynomial = ten(&|x| if x < 5.0 { 0.05 * (1.0 - x / 5.0).powf(0.9) } else { 0.0 });
    check("polynomial:power=0.9,over=5", Semantics::Torch, 0.05, 10, &polynomial);
    let linear = ten(&|x| if x < 4.0 { 0.05 * (1.0 / 3.0 + x / 6.0) } else { 0.05 });
    check("linear:lr=0.016666666666666666,end-lr=0.05,over=4,for=4;constant", Semantics::Torch, 0.05, 10, &linear[..4]);
    let cosine = ten(&|x| 1e-10 + (0.05 - 1e-10) * (1.0 + (std::f64::consts::PI * x / 10.0).cos()) / 2.0);
    check("cosine:end-lr=1e-10", Semantics::Torch, 0.05, 10, &cosine);
}

#[test]
fn pytorch_cyclic_rates_for_each_policy() {
    let triangle = [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0];
    check("triangular:max-lr=5,step-size=4", Semantics::Torch, 1.0, 16, &triangle);
    let halved = [
        1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.5, 2.0, 2.5, 3.0, 2.5, 2.0, 1.5, 1.0, 1.25, 1.5, 1.75, 2.0, 1.75,
    ];
    check("triangular2:max-lr=5,step-size=4", Semantics::Torch, 1.0, 22, &halved);
    let steps = [0.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0];
    let shrunk: Vec<f64> = steps.iter().enumerate().map(|(t, x)| 1.0 + x * 0.9_f64.powi(t as i32)).collect();
    check("exp-range:max-lr=5,step-size=4,gamma=0.9", Semantics::Torch, 1.0, 16, &shrunk);
    let uneven = [1.0, 2.0, 3.0, 4.0, 5.0, 13.0 / 3.0, 11.0 / 3.0, 9.0 / 3.0, 7.0 / 3.0, 5.0 / 3.0, 1.0];
    check("triangular:max-lr=5,step-size=4,step-size-down=6", Semantics::Torch, 1.0, 12, &uneven);
}

#[test]
fn pytorch_one_cycle_in_two_and_three_phases() {
    let spec = "one-cycle:max-lr=25,final-div-factor=2,anneal=linear";
    check(spec, Semantics::Torch, 1.0, 10, &[1.0, 13.0, 25.0, 21.5, 18.0, 14.5, 11.0, 7.5, 4.0, 0.5]);
    let spec = "one-cycle:max-lr=25,div-factor=25,final-div-factor=4,pct-start=0.4,three-phase,anneal=linear";
    check(spec, Semantics::Torch, 1.0, 10, &[1.0, 9.0, 17.0, 25.0, 17.0, 9.0, 1.0, 0.75, 0.5, 0.25]);
    let cosine = |from: f64, to: f64, x: f64| to + (from - to) / 2.0 * ((std::f64::consts::PI * x).cos() + 1.0);
    let mut expected: Vec<f64> = (0..3).map(|t| cosine(1.0, 25.0, f64::from(t) / 2.0)).collect();
    expected.extend((1..8).map(|t| cosine(25.0, 0.5, f64::from(t) / 7.0)));
    check("one-cycle:max-lr=25,final-div-factor=2", Semantics::Torch, 1.0, 10, &expected);
}

/// The rate after each of the metrics.
fn plateau(spec: &str, semantics: Semantics, lr: f64, metrics: &[f64], expected: &[f64]) {
    let setting = Setting::new(lr, metrics.len() as u64 + 1, 1).with(semantics);
    let mut schedule = Schedule::build(&spec.parse().unwrap(), &setting).unwrap();
    for (epoch, (&value, &theirs)) in (0_u64..).zip(metrics.iter().zip(expected)) {
        schedule.observe(&EpochMetrics {
            epoch,
            loss: 0.0,
            accuracy: 0.0,
            val_loss: Some(value),
            val_accuracy: Some(value),
        });
        let ours = schedule.at(epoch + 1).learning_rate;
        assert!((ours - theirs).abs() <= 1e-9 * theirs, "{spec} after epoch {epoch}: {ours}, expected {theirs}");
    }
}

#[test]
fn pytorch_plateau_in_every_mode() {
    let falling = |slope: f64| (0..22).map(|i| 10.0 - f64::from(i) * slope).collect::<Vec<_>>();
    plateau(
        "plateau:threshold-mode=abs,threshold=0.01,patience=5,cooldown=5",
        Semantics::Torch,
        0.5,
        &falling(0.0167)[..20],
        &[0.5; 20],
    );
    let expected = repeat(&[(0.5, 6), (0.05, 7), (0.005, 7), (0.0005, 2)]);
    plateau("plateau:threshold-mode=abs,threshold=0.1,patience=5", Semantics::Torch, 0.5, &falling(0.0165), &expected);
    let expected = repeat(&[(0.5, 8), (0.05, 11), (0.005, 3)]);
    let metrics = repeat(&[(-0.8, 2), (-0.234, 20)]);
    plateau(
        "plateau:monitor=val_accuracy,patience=5,cooldown=5,threshold-mode=abs",
        Semantics::Torch,
        0.5,
        &metrics,
        &expected,
    );
    let rising: Vec<f64> = (0..20).map(|i| 1.5 - 0.025 * f64::from(i)).collect();
    let spec = "plateau:monitor=val_accuracy,patience=3,threshold-mode=rel,threshold=0.1";
    let expected = repeat(&[(0.5, 4), (0.05, 4), (0.005, 4), (0.0005, 4), (0.00005, 4)]);
    plateau(spec, Semantics::Torch, 0.5, &rising, &expected);
}

#[test]
fn keras_plateau_reduces_honours_its_floor_and_cools_down() {
    let metrics = [1.0; 4];
    plateau("plateau:patience=1,threshold=100", Semantics::Keras, 0.1, &metrics[..2], &[0.1, 0.01]);
    plateau(
        "plateau:patience=1,threshold=10,min-lr=0.005",
        Semantics::Keras,
        0.1,
        &metrics,
        &[0.1, 0.01, 0.005, 0.005],
    );
    plateau("plateau:patience=1,threshold=100,cooldown=2", Semantics::Keras, 0.1, &metrics, &[0.1, 0.01, 0.01, 0.001]);
}

/// Single steps of a run that is long enough.
fn at(spec: &str, semantics: Semantics, lr: f64, steps: &[(u64, f64)]) {
    let schedule = Schedule::build(&spec.parse().unwrap(), &Setting::new(lr, 4000, 1).with(semantics)).unwrap();
    for &(t, theirs) in steps {
        let ours = schedule.at(t).learning_rate;
        assert!((ours - theirs).abs() <= 1e-6 * theirs + 1e-12, "{spec} at {t}: {ours}, expected {theirs}");
    }
}

#[test]
fn keras_decays() {
    let keras = Semantics::Keras;
    at("exponential:decay-steps=10", keras, 0.05, &[(5, 0.05 * 0.96_f64.sqrt())]);
    at("exponential:decay-steps=3,staircase", keras, 0.1, &[(1, 0.1), (2, 0.1), (100, 0.1 * 0.96_f64.powi(33))]);
    let boundaries = [(0, 1.0), (100, 1.0), (105, 0.1), (110, 0.1), (120, 0.01), (999, 0.001)];
    at("piecewise:milestones=100,110,120,values=1,0.1,0.01,0.001", keras, 1.0, &boundaries);
    at(
        "piecewise:milestones=1,2,3,values=0.4,0.5,0.6,0.7",
        keras,
        1.0,
        &[(0, 0.4), (1, 0.4), (2, 0.5), (3, 0.6), (4, 0.7)],
    );
    at("polynomial:power=1,over=10,end-lr=0.001", keras, 0.05, &[(5, 0.0255), (10, 0.001), (15, 0.001)]);
    at("polynomial:power=1,over=10,end-lr=0.001,cycle", keras, 0.05, &[(0, 0.05), (15, 0.049 * 0.25 + 0.001)]);
    at(
        "polynomial:power=0.5,over=10,end-lr=0.001",
        keras,
        0.05,
        &[(5, 0.049 * 0.5_f64.sqrt() + 0.001), (10, 0.001), (15, 0.001)],
    );
    at("polynomial:power=0.5,over=10,end-lr=0.001,cycle", keras, 0.05, &[(15, 0.049 * 0.5 + 0.001)]);
    at("time:decay=0.96,decay-steps=10", keras, 0.1, &[(0, 0.1), (5, 0.1 / 1.48), (10, 0.1 / 1.96)]);
    at("time:decay=0.96,decay-steps=10,staircase", keras, 0.1, &[(0, 0.1), (9, 0.1), (10, 0.1 / 1.96)]);
}

#[test]
fn keras_cosines() {
    let keras = Semantics::Keras;
    let half = |x: f64| 0.5 * (1.0 + (std::f64::consts::PI * x).cos());
    at("cosine:over=1000", keras, 1.0, &[(0, 1.0), (250, half(0.25)), (500, 0.5), (1000, 0.0), (1250, 0.0)]);
    at("cosine:over=1000,end-lr=0.1x", keras, 1.0, &[(500, 0.55), (1000, 0.1), (1250, 0.1)]);
    at(
        "cosine:warmup=2000,over=1000",
        keras,
        10.0,
        &[(0, 0.0), (500, 2.5), (2000, 10.0), (2250, 10.0 * half(0.25)), (2999, 10.0 * half(0.999))],
    );
    let restarts = "cosine-restarts:period=1000,period-mult=2";
    at(restarts, keras, 1.0, &[(0, 1.0), (750, half(0.75)), (1000, 1.0), (1250, half(0.125)), (3000, 1.0)]);
    at(&format!("{restarts},lr-mult=0.9"), keras, 1.0, &[(750, half(0.75)), (1000, 0.9), (1250, 0.9 * half(0.125))]);
    at(&format!("{restarts},end-lr=0.1x"), keras, 1.0, &[(500, 0.55), (1250, 0.9 * half(0.125) + 0.1)]);
}

/// Keras 3.15 on TensorFlow 2.21; its f32 has 1.9999999 cycles over at step 21, where exactly 2 are.
#[test]
fn keras_restarts_where_the_rounding_of_f32_lets_it() {
    let spec = "cosine-restarts:period=10st,period-mult=1.1,lr-mult=0.9,end-lr=0.1x".parse().unwrap();
    let schedule = Schedule::build(&spec, &Setting::new(0.1, 1, 100).with(Semantics::Keras)).unwrap();
    let theirs = [(20, 0.011640534736), (21, 0.01), (22, 0.081678323448), (34, 0.074872590601), (95, 0.053042110057)];
    for (t, theirs) in theirs {
        let ours = schedule.at(t).learning_rate;
        assert!((ours - theirs).abs() <= 1e-5 * theirs, "at {t}: {ours}, expected {theirs}");
    }
}

#[test]
fn optax_schedules() {
    let optax = Semantics::Optax;
    check(
        "linear:over=10,end-lr=20",
        optax,
        10.0,
        15,
        &[10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0, 20.0, 20.0, 20.0, 20.0],
    );
    let cubic: Vec<f64> = (0..15).map(|t| 10.0 + 15.0 * (1.0 - f64::from(t.min(10)) / 10.0_f64).powi(3)).collect();
    check("polynomial:power=3,over=10,end-lr=10", optax, 25.0, 15, &cubic);
    check(
        "piecewise:milestones=3,6,values=0.1,0.2,0.1",
        optax,
        0.1,
        10,
        &[0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1],
    );
    check("exponential:decay-rate=0.5,decay-steps=1", optax, 32.0, 5, &[32.0, 16.0, 8.0, 4.0, 2.0]);
    let cycle = [100.0, 550.0, 1000.0, 750.25, 250.75, 1.0, 1.0];
    check("one-cycle:max-lr=1000,pct-start=0.4,div-factor=10,final-div-factor=100", optax, 1.0, 5, &cycle);
    let limits = "cosine:warmup=100,end-lr=0.0001";
    let schedule = Schedule::build(&limits.parse().unwrap(), &Setting::new(0.1, 1000, 1).with(optax)).unwrap();
    assert_eq!([0, 100, 1000].map(|t| schedule.at(t).learning_rate), [0.0, 0.1, 0.0001]);
}
