//! Figures that the frameworks' own test suites expect. Where one says nothing of rates (types, warnings, references, pickles,
//! serialization, resuming) it is left out. PyTorch's two parameter groups are two runs, at 0.05 and at 0.5.
//!
//! PyTorch, test/optim/test_lrscheduler.py
//!
//! | theirs | here |
//! | --- | --- |
//! | step_lr, multi_step_lr(_with_epoch), get_last_lr_{step,multi_step}_lr, closed_form_{step,multi_step}_lr | pytorch_step_and_multi_step |
//! | constantlr(_with_epoch), linearlr(_with_epoch), get_last_lr_{constantlr,linearlr}, closed_form_{linearlr,constantlr} | pytorch_constant_and_linear |
//! | exp_lr, poly_lr, multiplicative_lr, lambda_lr, closed_form_{exp,poly}_lr | pytorch_exponential_polynomial_and_lambda |
//! | cos_anneal_lr, cos_anneal_lr_continue, closed_form_cos_anneal_lr | pytorch_cosine |
//! | CosineAnnealingWarmRestarts_lr{1,2,3} | pytorch_warm_restarts |
//! | cycle_lr_{triangular,triangular2,exp_range}_mode(_one_lr, _no_momentum, _step_size_up_down), cycle_lr_with_momentumless_optimizer | pytorch_cyclic_* |
//! | onecycle_lr_*_annealing(_three_phases), onecycle_lr_legacy_state_dict, cycle_lr_with_adam | pytorch_one_cycle_* |
//! | reduce_lr_on_plateau{1..8}, add_param_group_does_not_break_*, *_get_last_lr_before_step | pytorch_plateau_in_every_mode |
//! | sequentiallr{1..5}, get_last_lr_sequentiallr, *_does_not_alias_*, cosine_then_cyclic | pytorch_sequences |
//! | swalr_{no_anneal,cosine_anneal_*,linear_anneal_*} | pytorch_weight_averaging_as_a_sequence |
//! | chained_lr{1..5}, compound_{step,exp,linearlr,cosanneal}_* | pytorch_chained_and_compound_* |
//! | *_invalid_*, linearlr_start_factor_limits2 | what_they_refuse_is_refused |
//! | *_is_constant_for_constant_epoch, *_state_dict | schedule_properties.rs: the order of asking, restored state |
//! | compound_reduce_lr_on_plateau{1..5} | none: they compare no rate, and plateau cannot be multiplied with another schedule |
//! | linearlr_start_factor_limits1 | none: a warm-up may begin at 0 here |
//! | *_T_cur_reset, constant_initial_*, cycle_lr_scale_fn_* | none: inner counters, tensors as rates, functions as height |
//!
//! PyTorch's momenta lie between 1 and 22, ours below 1: they are divided by 100, as a cycle is linear in its two ends.
//!
//! Keras, learning_rate_schedule_test.py: TestFitLRSchedulesFlow is keras_fit_*, CosineDecay* keras_cosines, the others keras_decays.
//! Keras, reduce_lr_on_plateau_test.py: keras_plateau_*; verbose_logging is its first case.
//!
//! optax, _schedule_test.py, schedules_warmup_cosine_test.py, _join_test.py, _inject_test.py, contrib/_reduce_on_plateau_test.py
//!
//! | theirs | here |
//! | --- | --- |
//! | Constant, Polynomial, PiecewiseConstant, Join, Inject.updates | optax_constant_polynomial_and_piecewise |
//! | Exponential | optax_exponential; its end_value is an expression |
//! | CosineDecay, WarmupCosineDecay, SGDR | optax_cosines; their exponent is an expression |
//! | PiecewiseInterpolate, OneCycle | optax_interpolation_and_one_cycle; pct_final of 0.7 is a sequence, `one-cycle` has 0.85 |
//! | ReduceLROnPlateau | optax_plateau; a state set by hand there is reached by metrics here |
//! | *.zero_steps_schedule, nonvalid_*, nonpositive_*, invalid_* | what_they_refuse_is_refused: a length or a decay rate of 0, which optax takes for constant, is refused |
//! | PiecewiseConstant.negative, WarmupCosineDecay.with_exponent | none: a rate is never negative |
//! | WarmupCosine.raises_when_decay_equals_warmup, Inject.hyperparams_state | none: a warm-up may be the whole run; a momentum by milestones |

use lrsched::optim::{Optimizer, Slice};
use lrsched::schedule::{EpochMetrics, RunShape, Schedule, Semantics, Spec};
use std::f64::consts::PI;

/// Of figures that are exact formulas.
const EXACT: f64 = 1e-9;

fn build(spec: &str, setting: &RunShape) -> Schedule {
    Schedule::build(&spec.parse().unwrap(), setting).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

fn close(ours: f64, theirs: f64, tolerance: f64) -> bool {
    (ours - theirs).abs() <= tolerance * theirs.abs() + 1e-15
}

/// The rates of the first steps of a run of `total` steps, one step an epoch.
#[track_caller]
fn check(spec: &str, semantics: Semantics, lr: f64, total: u64, expected: &[f64]) {
    let steps: Vec<_> = (0..).zip(expected.iter().copied()).collect();
    at(spec, semantics, lr, total, &steps);
}

/// Single steps of such a run.
#[track_caller]
fn at(spec: &str, semantics: Semantics, lr: f64, total: u64, steps: &[(u64, f64)]) {
    within(EXACT, spec, semantics, lr, total, steps);
}

#[track_caller]
fn within(tolerance: f64, spec: &str, semantics: Semantics, lr: f64, total: u64, steps: &[(u64, f64)]) {
    let schedule = build(spec, &RunShape::new(lr, total, 1).with(semantics));
    for &(t, theirs) in steps {
        let ours = schedule.at(t).learning_rate;
        assert!(close(ours, theirs, tolerance), "{spec} at {t}: {ours}, expected {theirs}");
    }
}

/// PyTorch's two parameter groups; `rate` is the rate at epoch x as a multiple of the base rate.
#[track_caller]
fn groups(spec: &str, epochs: u64, rate: impl Fn(f64) -> f64) {
    for lr in [0.05, 0.5] {
        let expected: Vec<_> = (0..epochs).map(|x| lr * rate(x as f64)).collect();
        check(spec, Semantics::Torch, lr, epochs, &expected);
    }
}

fn repeat(runs: &[(f64, usize)]) -> Vec<f64> {
    runs.iter().flat_map(|&(rate, times)| vec![rate; times]).collect()
}

/// From 1 to 0 while x goes from 0 to 1.
fn half_cosine(x: f64) -> f64 {
    (1.0 + (PI * x).cos()) / 2.0
}

/// The power of ten that milestones at 2, 5 and 9 have brought the rate down by.
fn drops_at_2_5_9(x: f64) -> i32 {
    [2.0, 5.0, 9.0].iter().filter(|&&milestone| milestone <= x).count() as i32
}

#[test]
fn pytorch_step_and_multi_step() {
    let expected = repeat(&[(0.05, 3), (0.005, 3), (0.0005, 3), (0.00005, 1)]);
    check("step:drop-every=3,factor=0.1", Semantics::Torch, 0.05, 10, &expected);
    let expected = repeat(&[(0.1, 3), (0.01, 3), (0.001, 3), (0.0001, 1)]);
    check("step:drop-every=3,factor=0.1", Semantics::Torch, 0.1, 10, &expected);
    let expected = repeat(&[(0.05, 2), (0.005, 3), (0.0005, 4), (0.00005, 1)]);
    check("piecewise:milestones=2,5,9,factor=0.1", Semantics::Torch, 0.05, 10, &expected);
    groups("step:drop-every=3,factor=0.1", 20, |x| 0.1_f64.powi((x / 3.0) as i32));
    groups("piecewise:milestones=2,5,9,factor=0.1", 20, |x| 0.1_f64.powi(drops_at_2_5_9(x)));
}

#[test]
fn pytorch_constant_and_linear() {
    groups("constant:lr=0.5x,for=5;constant", 10, |x| if x < 5.0 { 0.5 } else { 1.0 });
    let third = 1.0 / 3.0;
    groups(&format!("constant:lr={third}x,for=4;constant"), 20, |x| if x < 4.0 { third } else { 1.0 });
    let expected = [0.025, 0.03125, 0.0375, 0.04375, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05];
    check("linear:lr=0.5x,end-lr=2x,over=4", Semantics::Torch, 0.05, 10, &expected);
    check("constant:warmup=4,warmup-from=0.5", Semantics::Torch, 0.05, 10, &expected);
    groups("constant:warmup=4,warmup-from=0.5", 10, |x| 0.5 + 0.5 * x.min(4.0) / 4.0);
    groups("linear:lr=0.25x,end-lr=2.4x,over=4", 10, |x| 0.25 + (0.6 - 0.25) * x.min(4.0) / 4.0);
    groups(&format!("linear:lr={third}x,end-lr=2.1x,over=4"), 20, |x| third + (0.7 - third) * x.min(4.0) / 4.0);
}

#[test]
fn pytorch_exponential_polynomial_and_lambda() {
    groups("exponential:decay-rate=0.9,decay-steps=1", 20, |x| 0.9_f64.powf(x));
    groups("polynomial:power=0.9,over=5", 20, |x| if x < 5.0 { (1.0 - x / 5.0).powf(0.9) } else { 0.0 });
    for (lr, rate) in [(0.05, 0.9), (0.4, 0.8_f64)] {
        let expected: Vec<_> = (0..10).map(|x| lr * rate.powi(x)).collect();
        check(&format!("expr:lr*{rate}^epoch"), Semantics::Torch, lr, 10, &expected);
        check(&format!("exponential:decay-rate={rate},decay-steps=1"), Semantics::Torch, lr, 10, &expected);
    }
}

#[test]
fn pytorch_cosine() {
    let annealed = |lr: f64, end: f64, x: f64| end + (lr - end) * half_cosine(x);
    for lr in [0.05, 0.5] {
        let ten: Vec<_> = (0..10).map(|x| annealed(lr, 1e-10, f64::from(x) / 10.0)).collect();
        check("cosine:end-lr=1e-10", Semantics::Torch, lr, 10, &ten);
        // Half a period is 5: it rises again, twice.
        let twenty: Vec<_> = (0..20).map(|x| annealed(lr, 1e-10, f64::from(x) / 5.0)).collect();
        check("cosine:end-lr=1e-10,over=5", Semantics::Torch, lr, 20, &twenty);
        check("cosine:end-lr=0.1,over=5", Semantics::Torch, lr, 20, &[lr, annealed(lr, 0.1, 0.2)]);
    }
}

/// T_0 of `period` steps: the fraction of its cycle that is over, at each step.
fn restarts(mut period: u32, mult: u32, steps: usize) -> Vec<f64> {
    let (mut now, mut all) = (0, Vec::new());
    while all.len() < steps {
        all.push(f64::from(now) / f64::from(period));
        now += 1;
        if now == period {
            (now, period) = (0, period * mult);
        }
    }
    all
}

/// An epoch, how far its cycle is by then, and how long that cycle is.
type Place = (f64, f64, f64);

#[test]
fn pytorch_warm_restarts() {
    let end = 1e-10;
    for lr in [0.05, 0.5] {
        let annealed = |x: f64| end + (lr - end) * half_cosine(x);
        for mult in [1, 2, 4] {
            let spec = format!("cosine-restarts:period=10,period-mult={mult},end-lr=1e-10");
            let hundred: Vec<_> = restarts(10, mult, 100).into_iter().map(annealed).collect();
            check(&spec, Semantics::Torch, lr, 100, &hundred);
            // Asked at every tenth of an epoch.
            let tenths = build(&spec, &RunShape::new(lr, 30, 10).with(Semantics::Torch));
            for (t, x) in (0..).zip(restarts(100, mult, 300)) {
                let (ours, theirs) = (tenths.at(t).learning_rate, annealed(x));
                assert!(close(ours, theirs, EXACT), "{spec} at tenth {t}: {ours}, expected {theirs}");
            }
        }
        // Epochs forth and back.
        let jumps: [(u32, &[Place]); 3] = [
            (1, &[(5.0, 5.0, 10.0), (12.0, 2.0, 10.0), (27.0, 7.0, 10.0), (3.0, 3.0, 10.0), (13.0, 3.0, 10.0)]),
            (
                2,
                &[
                    (5.0, 5.0, 10.0),
                    (25.0, 15.0, 20.0),
                    (32.0, 2.0, 40.0),
                    (34.0, 4.0, 40.0),
                    (80.0, 10.0, 80.0),
                    (81.0, 11.0, 80.0),
                    (3.0, 3.0, 10.0),
                ],
            ),
            (
                3,
                &[
                    (0.1, 0.1, 10.0),
                    (0.3, 0.3, 10.0),
                    (1.3, 1.3, 10.0),
                    (2.3, 2.3, 10.0),
                    (17.5, 7.5, 30.0),
                    (19.5, 9.5, 30.0),
                    (29.5, 19.5, 30.0),
                    (31.5, 21.5, 30.0),
                    (50.0, 10.0, 90.0),
                ],
            ),
        ];
        for (mult, places) in jumps {
            let spec = format!("cosine-restarts:period=10,period-mult={mult},end-lr=1e-10");
            let schedule = build(&spec, &RunShape::new(lr, 100, 10).with(Semantics::Torch));
            for &(epoch, now, length) in places {
                let (ours, theirs) = (schedule.at((epoch * 10.0).round() as u64).learning_rate, annealed(now / length));
                assert!(close(ours, theirs, EXACT), "{spec} at epoch {epoch}: {ours}, expected {theirs}");
            }
        }
    }
}

/// Rates, and momenta in hundredths; no momenta where momentum is left alone.
#[track_caller]
fn cycled(spec: &str, lr: f64, rates: &[f64], momenta: Option<&[f64]>) {
    let schedule = build(spec, &RunShape::new(lr, rates.len() as u64, 1).with(Semantics::Torch));
    for (t, &theirs) in rates.iter().enumerate() {
        let ours = schedule.at(t as u64);
        assert!(close(ours.learning_rate, theirs, EXACT), "{spec} at {t}: {ours:?}, expected {theirs}");
        match (ours.momentum, momenta) {
            (Some(ours), Some(momenta)) => {
                assert!(
                    close(ours, momenta[t] / 100.0, EXACT),
                    "{spec} at {t}: momentum {ours}, expected {}",
                    momenta[t]
                );
            }
            (ours, theirs) => assert_eq!((ours, theirs), (None, None), "{spec} at {t}"),
        }
    }
}

/// Rate and momentum both go between `low` and `high`, against each other; `heights` are between 0 and 1.
#[track_caller]
fn cycles(spec: &str, low: f64, high: f64, heights: &[f64]) {
    let rates: Vec<_> = heights.iter().map(|x| low + (high - low) * x).collect();
    let momenta: Vec<_> = heights.iter().map(|x| high - (high - low) * x).collect();
    let spec = format!("{spec},max-lr={high},base-momentum={},max-momentum={}", low / 100.0, high / 100.0);
    cycled(&spec, low, &rates, Some(&momenta));
}

/// Four steps up and four down, and two up and six down.
const EVEN: [f64; 8] = [0.0, 0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25];
const UNEVEN: [f64; 8] = [0.0, 0.5, 1.0, 5.0 / 6.0, 4.0 / 6.0, 3.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0];

#[test]
fn pytorch_cyclic_triangular() {
    let triangle = [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0];
    let momenta = [5.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0];
    cycled("triangular:max-lr=5,step-size=4,base-momentum=0.01,max-momentum=0.05", 1.0, &triangle, Some(&momenta));
    cycled("triangular:max-lr=5,step-size=4", 1.0, &triangle, None);
    cycled("triangular:max-lr=5,step-size=4,base-momentum=0.01,cycle-momentum=false", 1.0, &triangle, None);
    for (low, high) in [(1.0, 5.0), (2.0, 6.0)] {
        cycles("triangular:step-size=4", low, high, &[&EVEN[..], &EVEN[..3]].concat());
    }
    let six_down = [1.0, 2.0, 3.0, 4.0, 5.0, 13.0 / 3.0, 11.0 / 3.0, 9.0 / 3.0, 7.0 / 3.0, 5.0 / 3.0, 1.0];
    let momenta = six_down.map(|rate| 6.0 - rate);
    let spec = "triangular:max-lr=5,step-size=4,step-size-down=6,base-momentum=0.01,max-momentum=0.05";
    cycled(spec, 1.0, &six_down, Some(&momenta));
}

#[test]
fn pytorch_cyclic_triangular2() {
    let halved = [
        1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.5, 2.0, 2.5, 3.0, 2.5, 2.0, 1.5, 1.0, 1.25, 1.5, 1.75, 2.0, 1.75,
    ];
    let momenta = halved.map(|rate| 6.0 - rate);
    cycled("triangular2:max-lr=5,step-size=4,base-momentum=0.01,max-momentum=0.05", 1.0, &halved, Some(&momenta));
    let heights = |cycle: [f64; 8]| [1.0, 0.5, 0.25].map(|height| cycle.map(|x| height * x)).concat();
    for (low, high) in [(1.0, 5.0), (3.0, 7.0)] {
        cycles("triangular2:step-size=4", low, high, &heights(EVEN)[..22]);
        cycles("triangular2:step-size=2,step-size-down=6", low, high, &heights(UNEVEN));
    }
}

#[test]
fn pytorch_cyclic_exp_range() {
    let heights =
        |cycle: [f64; 8]| -> Vec<f64> { (0..13).map(|t: usize| cycle[t % 8] * 0.9_f64.powi(t as i32)).collect() };
    for (low, high) in [(1.0, 5.0), (5.0, 12.0)] {
        cycles("exp-range:step-size=4,gamma=0.9", low, high, &heights(EVEN));
        cycles("exp-range:step-size=2,step-size-down=6,gamma=0.9", low, high, &heights(UNEVEN));
    }
}

#[test]
fn pytorch_one_cycle_in_two_and_three_phases() {
    let spec = "one-cycle:max-lr=25,final-div-factor=2,base-momentum=0.01,max-momentum=0.22";
    let rates = [1.0, 13.0, 25.0, 21.5, 18.0, 14.5, 11.0, 7.5, 4.0, 0.5];
    let momenta = [22.0, 11.5, 1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0];
    cycled(&format!("{spec},anneal=linear"), 1.0, &rates, Some(&momenta));

    let three_phases =
        "pct-start=0.4,final-div-factor=4,three-phase,anneal=linear,base-momentum=0.01,max-momentum=0.22";
    let rates = [1.0, 9.0, 17.0, 25.0, 17.0, 9.0, 1.0, 0.75, 0.5, 0.25];
    let momenta = [22.0, 15.0, 8.0, 1.0, 8.0, 15.0, 22.0, 22.0, 22.0, 22.0];
    cycled(&format!("one-cycle:max-lr=25,div-factor=25,{three_phases}"), 1.0, &rates, Some(&momenta));

    let way = |from: f64, to: f64| (0..8).map(move |t| to + (from - to) * half_cosine(f64::from(t) / 7.0));
    let rates: Vec<_> = [1.0, 13.0].into_iter().chain(way(25.0, 0.5)).collect();
    let momenta: Vec<_> = [22.0, 11.5].into_iter().chain(way(1.0, 22.0)).collect();
    cycled(spec, 1.0, &rates, Some(&momenta));
}

/// The rate before the first and after each of the metrics.
#[track_caller]
fn plateau(spec: &str, semantics: Semantics, lr: f64, metrics: &[f64], expected: &[f64]) {
    assert_eq!(metrics.len(), expected.len());
    let mut schedule = build(spec, &RunShape::new(lr, metrics.len() as u64 + 1, 1).with(semantics));
    assert_eq!(schedule.at(0).learning_rate, lr);
    for (epoch, (&value, &theirs)) in (0_u64..).zip(metrics.iter().zip(expected)) {
        schedule.observe(&EpochMetrics {
            epoch,
            loss: 0.0,
            accuracy: 0.0,
            val_loss: Some(value),
            val_accuracy: Some(value),
        });
        let ours = schedule.at(epoch + 1).learning_rate;
        assert!(close(ours, theirs, EXACT), "{spec} after epoch {epoch}: {ours}, expected {theirs}");
    }
}

#[test]
fn pytorch_plateau_in_every_mode() {
    let check = |parameters: &str, metrics: &[f64], expected: &[(f64, usize)]| {
        plateau(&format!("plateau:{parameters}"), Semantics::Torch, 0.5, metrics, &repeat(expected));
    };
    let falling = |slope: f64, epochs: u32| (0..epochs).map(|i| 10.0 - f64::from(i) * slope).collect::<Vec<_>>();
    let growing = |rate: f64| (0..20).map(|i| 1.5 * rate.powi(i)).collect::<Vec<_>>();
    let relative = "threshold-mode=rel,threshold=0.1";
    // 1: every step is an improvement. 2: no step of its own is.
    check("threshold-mode=abs,threshold=0.01,patience=5,cooldown=5", &falling(0.0167, 20), &[(0.5, 20)]);
    let expected = [(0.5, 6), (0.05, 7), (0.005, 7), (0.0005, 2)];
    check("threshold-mode=abs,threshold=0.1,patience=5", &falling(0.0165, 22), &expected);
    // 3: negative values in mode max.
    let metrics = repeat(&[(-0.8, 2), (-0.234, 20)]);
    let expected = [(0.5, 2 + 6), (0.05, 5 + 6), (0.005, 3)];
    check("monitor=val_accuracy,patience=5,cooldown=5,threshold-mode=abs", &metrics, &expected);
    // 4: four epochs together are an improvement of a tenth. 5: twelve are not.
    check(&format!("monitor=val_accuracy,patience=3,{relative}"), &growing(1.025), &[(0.5, 20)]);
    let expected = [(0.5, 6), (0.05, 5 + 6), (0.005, 3)];
    check(&format!("monitor=val_accuracy,patience=5,cooldown=5,{relative}"), &growing(1.005), &expected);
    // 6: always an improvement. 7: only in the cooldown.
    check(relative, &growing(0.85), &[(0.5, 20)]);
    let metrics = repeat(&[(1.0, 7), (0.6, 1), (0.5, 12)]);
    for min_lr in ["0", "1e-5"] {
        check(&format!("patience=5,cooldown=5,min-lr={min_lr},{relative}"), &metrics, &expected);
    }
    // 8: a floor for each group.
    for floor in [0.4, 0.3] {
        let spec = format!("monitor=val_accuracy,patience=5,cooldown=5,min-lr={floor},{relative}");
        check(&spec, &growing(1.005), &[(0.5, 6), (floor, 14)]);
    }
}

#[test]
fn pytorch_sequences() {
    let torch = Semantics::Torch;
    let drops = repeat(&[(0.05, 4), (0.005, 4), (0.0005, 4), (0.00005, 4)]);
    let expected = [&[0.05, 0.04, 0.032], &drops[..]].concat();
    check("exponential:decay-rate=0.8,decay-steps=1,for=3;step:factor=0.1,drop-every=4", torch, 0.05, 19, &expected);

    let decay: Vec<_> = (0..10).map(|x| 0.05 * 0.9_f64.powi(x)).collect();
    let expected = [&[0.005; 3], &decay[..]].concat();
    check("constant:lr=0.1x,for=3;exponential:decay-rate=0.9,decay-steps=1", torch, 0.05, 13, &expected);

    let three = "constant:lr=0.1x,for=3;exponential:decay-rate=0.8,decay-steps=1,for=3;step:factor=0.1,drop-every=2";
    let expected = [0.1, 0.1, 0.1, 1.0, 0.8, 0.64, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01];
    groups(three, 12, |x| expected[x as usize]);

    at("constant:for=10;constant:lr=0.1x", torch, 0.1, 20, &[(0, 0.1)]);

    let expected = [0.0005, 0.0014, 0.0023, 0.0032, 0.0041, 0.025, 0.025, 0.025, 0.025, 0.025];
    check("linear:lr=0.01x,end-lr=0.005,for=5;constant:lr=0.5x", torch, 0.05, 10, &expected);

    let expected = [0.2, 0.55, 0.9, 1.25, 1.6, 1.25, 0.9, 0.55];
    check("linear:lr=0.1x,end-lr=1.6,for=4;linear:lr=0.8x,end-lr=0.2", torch, 2.0, 8, &expected);

    let spec = "cosine:end-lr=0.1,for=20;triangular:lr=0.1,max-lr=0.3,step-size=1,step-size-down=3";
    let schedule = build(spec, &RunShape::new(0.5, 40, 1).with(torch));
    assert!((20..=40).all(|t| schedule.at(t).learning_rate <= 0.3));
}

/// SWALR is a way from wherever the rate is to its own.
#[test]
fn pytorch_weight_averaging_as_a_sequence() {
    let (torch, swa_lr) = (Semantics::Torch, 0.01);
    for lr in [0.05, 0.5] {
        check("constant:for=6;constant:lr=0.01", torch, lr, 10, &repeat(&[(lr, 6), (swa_lr, 4)]));
        // 0.59049 is 0.9^5.
        let before: Vec<_> = (0..6).map(|x| lr * 0.9_f64.powi(x)).collect();
        let after = |to: f64, left: &dyn Fn(f64) -> f64| -> Vec<f64> {
            (1..10).map(|t| to + (before[5] - to) * left(f64::from(t))).collect()
        };
        let multiplicative = "exponential:decay-rate=0.9,decay-steps=1,for=5";
        let spec = format!("{multiplicative};cosine:lr=0.59049x,end-lr=0.01,for=5;constant:lr=0.01");
        let cosine = after(swa_lr, &|t| if t < 5.0 { half_cosine(t / 5.0) } else { 0.0 });
        check(&spec, torch, lr, 15, &[&before[..], &cosine].concat());
        let to = if lr == 0.05 { 0.01 } else { 0.02 };
        let spec = format!("{multiplicative};linear:lr=0.59049x,end-lr={to},over=4");
        let linear = after(to, &|t| (1.0 - t / 4.0).max(0.0));
        check(&spec, torch, lr, 15, &[&before[..], &linear].concat());
    }
}

#[test]
fn pytorch_chained_and_compound_schedulers_as_a_warm_up_or_an_expression() {
    let torch = Semantics::Torch;
    let expected = repeat(&[(0.05, 3), (0.005, 3), (0.0005, 3), (0.00005, 1)]);
    check("expr:lr*0.1^floor(t/3)", torch, 0.05, 10, &expected);
    let expected = [&[0.02, 0.03, 0.04], &[0.05; 7][..]].concat();
    check("constant:warmup=3,warmup-from=0.4", torch, 0.05, 10, &expected);
    let expected = [&[0.02, 0.03, 0.04, 0.05], &repeat(&[(0.005, 4), (0.0005, 2)])[..]].concat();
    check("piecewise:milestones=1,5,7,factor=0.1,warmup=3,warmup-from=0.4", torch, 0.05, 10, &expected);
    groups("expr:lr*0.9^t*0.1^floor(t/3)*(1-0.8*(t<4))", 9, |x| {
        let constant = if x < 4.0 { 0.2 } else { 1.0 };
        0.9_f64.powf(x) * constant * 0.1_f64.powi(x as i32 / 3)
    });
    groups("polynomial:lr=0.1x,power=0.9,over=5", 10, |x| 0.1 * (1.0 - x.min(5.0) / 5.0).powf(0.9));

    let expected = [0.05, 0.05, 5e-3, 5e-4, 5e-4, 5e-5, 5e-6, 5e-6, 5e-6, 5e-8];
    check("expr:lr*0.1^(floor(t/3)+(t>=2)+(t>=5)+(t>=9))", torch, 0.05, 10, &expected);
    let (steps, milestones) = (|x: f64| 0.1_f64.powi(x as i32 / 3), |x: f64| 0.1_f64.powi(drops_at_2_5_9(x)));
    let up = |from: f64, to: f64, x: f64| from + (to - from) * x.min(4.0) / 4.0;
    groups("expr:lr*0.1^floor(t/3)*0.9^t", 10, |x| steps(x) * 0.9_f64.powf(x));
    groups("expr:lr*0.1^((t>=2)+(t>=5)+(t>=9))*0.9^t", 10, |x| milestones(x) * 0.9_f64.powf(x));
    groups("expr:lr*(0.4+0.5*min(t/4,1))*0.9^t", 10, |x| up(0.4, 0.9, x) * 0.9_f64.powf(x));
    let expected = repeat(&[(0.02, 3), (0.002, 1), (0.005, 2), (0.0005, 3), (0.00005, 1)]);
    check("expr:lr*0.1^floor(t/3)*(1-0.6*(t<4))", torch, 0.05, 10, &expected);
    groups("expr:lr*0.1^((t>=2)+(t>=5)+(t>=9))*(0.4+0.6*min(t/4,1))", 10, |x| milestones(x) * up(0.4, 1.0, x));

    let factors: [(&str, &dyn Fn(f64) -> f64); 4] = [
        ("0.1^floor(t/3)", &steps),
        ("0.1^((t>=2)+(t>=5)+(t>=9))", &milestones),
        ("(0.4+0.6*min(t/4,1))", &|x| up(0.4, 1.0, x)),
        ("0.1^t", &|x| 0.1_f64.powf(x)),
    ];
    for (text, factor) in factors {
        let expected: Vec<_> =
            (0..10).map(f64::from).map(|x| (1e-10 + (0.05 - 1e-10) * half_cosine(x / 10.0)) * factor(x)).collect();
        check(&format!("expr:(1e-10+(lr-1e-10)*(1+cos(PI*t/10))/2)*{text}"), torch, 0.05, 10, &expected);
    }
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

/// Dense(2) from ones on x = y = [[0, 1], [2, 3], ...], 16 rows, 4 at a time, with Adam under ExponentialDecay: the loss of each epoch.
#[test]
fn keras_fit_under_exponential_decay_has_their_losses() {
    let schedule = build("exponential:decay-rate=0.9,decay-steps=1", &RunShape::new(0.05, 3, 4).with(Semantics::Keras));
    let mut adam = Optimizer::<f64>::new(&"adam".parse().unwrap(), Semantics::Keras).unwrap();
    // Two weights and a bias for each of the two outputs.
    let mut theta = [[1.0; 3]; 2];
    for (epoch, theirs) in [230.79457, 128.30319, 79.336487].into_iter().enumerate() {
        let mut losses = [0.0; 4];
        for (batch, loss) in losses.iter_mut().enumerate() {
            let mut gradient = [[0.0; 3]; 2];
            for row in 4 * batch..4 * batch + 4 {
                let x = [2.0 * row as f64, 2.0 * row as f64 + 1.0, 1.0];
                for ((weights, gradient), target) in theta.iter().zip(&mut gradient).zip(x) {
                    let error = weights.iter().zip(x).map(|(weight, x)| weight * x).sum::<f64>() - target;
                    *loss += error * error / 8.0;
                    gradient.iter_mut().zip(x).for_each(|(gradient, x)| *gradient += 2.0 * error * x / 8.0);
                }
            }
            let rates = schedule.at((4 * epoch + batch) as u64);
            let (values, gradient) = (theta.as_flattened_mut(), gradient.as_flattened());
            let slice = Slice { name: "dense", shape: &[2, 3], values, gradient };
            adam.step(&mut [slice], rates);
        }
        let ours = losses.iter().sum::<f64>() / 4.0;
        assert!(close(ours, theirs, 5e-5), "epoch {epoch}: {ours}, expected {theirs}");
    }
}

#[test]
fn keras_decays() {
    let check = |spec: &str, lr: f64, steps: &[(u64, f64)]| at(spec, Semantics::Keras, lr, 4000, steps);
    check("exponential:decay-steps=10", 0.05, &[(5, 0.05 * 0.96_f64.sqrt())]);
    check("exponential:decay-steps=3,staircase", 0.1, &[(1, 0.1), (2, 0.1), (100, 0.1 * 0.96_f64.powi(33))]);
    let boundaries = [(0, 1.0), (100, 1.0), (105, 0.1), (110, 0.1), (120, 0.01), (999, 0.001)];
    check("piecewise:milestones=100,110,120,values=1,0.1,0.01,0.001", 1.0, &boundaries);
    let boundaries = [(0, 0.4), (1, 0.4), (2, 0.5), (3, 0.6), (4, 0.7)];
    check("piecewise:milestones=1,2,3,values=0.4,0.5,0.6,0.7", 1.0, &boundaries);
    check("polynomial:power=1,over=10", 0.05, &[(5, 0.025)]);
    check("polynomial:power=1,over=10,end-lr=0.001", 0.05, &[(5, 0.0255), (10, 0.001), (15, 0.001)]);
    check("polynomial:power=1,over=10,end-lr=0.001,cycle", 0.05, &[(15, 0.049 * 0.25 + 0.001)]);
    check("polynomial:power=0.5,over=10", 0.05, &[(5, 0.05 * 0.5_f64.sqrt())]);
    let root = [(5, 0.049 * 0.5_f64.sqrt() + 0.001), (10, 0.001), (15, 0.001)];
    check("polynomial:power=0.5,over=10,end-lr=0.001", 0.05, &root);
    check("polynomial:power=0.5,over=10,end-lr=0.001,cycle", 0.05, &[(15, 0.049 * 0.5 + 0.001)]);
    // Their default end_learning_rate.
    check("polynomial:power=1,over=10,end-lr=0.0001,cycle", 0.001, &[(0, 0.001)]);
    let inverse: Vec<_> = (0..=10).map(|t| (t, 0.1 / (1.0 + 0.96 * t as f64 / 10.0))).collect();
    check("time:decay=0.96,decay-steps=10", 0.1, &inverse);
    let stairs: Vec<_> = (0..=10).map(|t| (t, if t < 10 { 0.1 } else { 0.1 / 1.96 })).collect();
    check("time:decay=0.96,decay-steps=10,staircase", 0.1, &stairs);
}

#[test]
fn keras_cosines() {
    // Every 250 steps up to `end`.
    let check = |spec: &str, lr: f64, end: u64, rate: &dyn Fn(f64) -> f64| {
        let steps: Vec<_> = (0..end).step_by(250).map(|t| (t, rate(t as f64))).collect();
        at(spec, Semantics::Keras, lr, 4000, &steps);
    };
    let decay = |t: f64| half_cosine(t.min(1000.0) / 1000.0);
    check("cosine:over=1000", 1.0, 1500, &decay);
    check("cosine:over=1000,end-lr=0.1x", 1.0, 1500, &|t| 0.9 * decay(t) + 0.1);
    check("cosine:warmup=1500,over=10", 10.0, 1500, &|t| 10.0 * t / 1500.0);
    let warm = |t: f64| if t <= 2000.0 { 10.0 * t / 2000.0 } else { 10.0 * decay(t - 2000.0) };
    check("cosine:warmup=2000,over=1000", 10.0, 3000, &warm);

    let first = |t: f64| t < 1000.0;
    let doubled = |t: f64| half_cosine(if first(t) { t / 1000.0 } else { (t - 1000.0) / 2000.0 });
    let spec = "cosine-restarts:period=1000,period-mult=2";
    check(spec, 1.0, 1500, &doubled);
    check(&format!("{spec},end-lr=0.1x"), 1.0, 1500, &|t| 0.9 * doubled(t) + 0.1);
    check(&format!("{spec},lr-mult=0.9"), 1.0, 1500, &|t| if first(t) { doubled(t) } else { 0.9 * doubled(t) });
    check("cosine-restarts:period=1000", 1.0, 1500, &|t| half_cosine(t % 1000.0 / 1000.0));
}

/// Keras 3.15 on TensorFlow 2.21; its f32 has 1.9999999 cycles over at step 21, where exactly 2 are.
#[test]
fn keras_restarts_where_the_rounding_of_f32_lets_it() {
    let spec = "cosine-restarts:period=10st,period-mult=1.1,lr-mult=0.9,end-lr=0.1x";
    let schedule = build(spec, &RunShape::new(0.1, 1, 100).with(Semantics::Keras));
    let theirs = [(20, 0.011640534736), (21, 0.01), (22, 0.081678323448), (34, 0.074872590601), (95, 0.053042110057)];
    for (t, theirs) in theirs {
        let ours = schedule.at(t).learning_rate;
        assert!(close(ours, theirs, 1e-5), "at {t}: {ours}, expected {theirs}");
    }
}

#[test]
fn optax_constant_polynomial_and_piecewise() {
    let check =
        |spec: &str, lr: f64, expected: &[f64]| check(spec, Semantics::Optax, lr, expected.len() as u64, expected);
    check("constant", 10.0, &[10.0; 15]);
    let line: Vec<_> = (0..15).map(|t| 10.0 + f64::from(t.min(10))).collect();
    check("linear:over=10,end-lr=20", 10.0, &line);
    check("polynomial:power=1,over=10,end-lr=20", 10.0, &line);
    let square = |height: f64, t: i32| 10.0 + height * (1.0 - f64::from(t.min(10)) / 10.0).powi(2);
    let quadratic: Vec<_> = (0..15).map(|t| square(15.0, t)).collect();
    check("polynomial:power=2,over=10,end-lr=10", 25.0, &quadratic);
    // transition_begin of 4.
    let later: Vec<_> = (0..20).map(|t| square(20.0, (t - 4).max(0))).collect();
    check("constant:for=4;polynomial:power=2,over=10,end-lr=10", 30.0, &later);
    let expected = repeat(&[(0.1, 3), (0.2, 3), (0.1, 4)]);
    check("piecewise:milestones=3,6,values=0.1,0.2,0.1", 0.1, &expected);
    check("constant:for=3;constant:lr=2x,for=3;constant", 1.0, &repeat(&[(1.0, 3), (2.0, 3), (1.0, 1)]));
    let expected = repeat(&[(3.0, 1), (15.0, 6), (30.0, 5), (45.0, 3)]);
    check("piecewise:milestones=1,7,12,values=3,15,30,45", 3.0, &expected);
}

#[test]
fn optax_exponential() {
    let check =
        |spec: &str, lr: f64, expected: &[f64]| check(spec, Semantics::Optax, lr, expected.len() as u64, expected);
    check("exponential:decay-rate=0.5,decay-steps=1", 32.0, &[32.0, 16.0, 8.0, 4.0, 2.0]);
    for (staircase, floor) in [(false, ""), (true, "floor")] {
        let power = |rate: f64, t: f64| rate.powf(if staircase { (t / 2.0).floor() } else { t / 2.0 });
        check(&format!("exponential:decay-rate=1,decay-steps=15,staircase={staircase}"), 1.0, &[1.0; 15]);
        let doubling = format!("exponential:decay-rate=2,decay-steps=2,staircase={staircase}");
        let doubled: Vec<_> = (0..15).map(|t| power(2.0, f64::from(t))).collect();
        check(&doubling, 1.0, &doubled);
        // transition_begin of 5, and of 3.
        check(&format!("constant:for=5;{doubling}"), 1.0, &[&[1.0; 5], &doubled[..]].concat());
        for (rate, end, clip) in [(0.2, 0.1, "max"), (1.0, 0.1, "min"), (2.0, 3.0, "min")] {
            let limited = |value: f64| if clip == "max" { value.max(end) } else { value.min(end) };
            let expected: Vec<_> = (0..14).map(|t| limited(power(rate, f64::from((t - 3).max(0))))).collect();
            check(&format!("expr:{clip}(lr*{rate}^{floor}(max(t-3,0)/2),{end})"), 1.0, &expected);
        }
    }
}

#[test]
fn optax_cosines() {
    let optax = Semantics::Optax;
    let fifths = |t: i32| half_cosine(f64::from(t.min(5)) / 5.0);
    let expected: Vec<_> = (0..10).map(|t| 0.1 * half_cosine(f64::from(t) / 10.0)).collect();
    check("cosine", optax, 0.1, 10, &expected);
    let expected: Vec<_> = (0..12).map(|t| 0.1 * fifths(t)).collect();
    check("cosine:over=5", optax, 0.1, 12, &expected);
    let expected: Vec<_> = (0..12).map(|t| 0.1 * (0.9 * fifths(t) + 0.1)).collect();
    check("cosine:over=5,end-lr=0.1x", optax, 0.1, 12, &expected);
    // An exponent of 2.
    let squared = [(0, 0.1), (10, 0.09516553580760956), (50, 0.025), (75, 0.0021446612663567066), (100, 0.0)];
    within(1e-6, "expr:lr*((1+cos(PI*min(t,100)/100))/2)^2", optax, 0.1, 200, &squared);
    // More steps than an i32 holds.
    within(1e-7, "cosine", optax, 1000.0, 10_000_000_000, &[(1_000_000_000, 975.52826)]);

    for (init, peak, end) in [(10.0, 0.5, 1e-4), (5.0, 3.0, 0.0)] {
        let spec = format!("linear:lr={init},end-lr={peak},for=100;cosine:lr={peak},end-lr={end}");
        at(&spec, optax, 1.0, 1000, &[(0, init), (100, peak), (1000, end)]);
    }
    let nothing = [(0, 0.2), (10, 0.16), (50, 0.0), (75, 0.0), (100, 0.0)];
    at("linear:lr=0.2,end-lr=0,for=50;cosine:lr=0", optax, 1.0, 100, &nothing);
    for (peak, end, warmup, total) in [(1.0, 0.1, 5, 25), (2.0, 0.5, 4, 20)] {
        let spec = format!("cosine:warmup={warmup},end-lr={end}");
        at(&spec, optax, peak, total, &[(0, 0.0), (warmup, peak), (total, end)]);
        let schedule = build(&spec, &RunShape::new(peak, total, 1).with(optax));
        let rate = |t: u64| schedule.at(t).learning_rate;
        assert!((0..warmup).all(|t| rate(t) < rate(t + 1)) && (warmup..total).all(|t| rate(t) >= rate(t + 1)));
    }
    // Cycles of 2000, 3000 and 5000 steps, the first 500 of each its warm-up.
    for [first, second, third] in [[1.6, 0.8, 0.4], [1.6; 3]] {
        let spec = format!(
            "cosine:lr={first},warmup=500,for=1500;cosine:lr={second},warmup=500,for=2500;cosine:lr={third},warmup=500"
        );
        at(&spec, optax, 1.0, 10_000, &[(500, first), (2500, second), (5500, third)]);
    }
}

#[test]
fn optax_interpolation_and_one_cycle() {
    let optax = Semantics::Optax;
    let expected = [200.0, 220.0, 240.0, 260.0, 280.0, 300.0, 255.0, 210.0, 165.0, 120.0, 75.0, 75.0, 75.0];
    check("linear:end-lr=300,for=5;linear:lr=300,end-lr=75,over=5", optax, 200.0, 13, &expected);
    let expected = [400.0, 360.0, 280.0, 240.0, 264.0, 288.0, 288.0, 288.0, 288.0];
    check("cosine:end-lr=240,for=3;cosine:lr=240,end-lr=288,over=2", optax, 400.0, 9, &expected);
    check("constant", optax, 13.0, 5, &[13.0; 5]);
    check("constant", optax, 17.0, 3, &[17.0; 3]);
    at("linear:end-lr=78,over=5", optax, 26.0, 6, &[(0, 26.0), (5, 78.0)]);

    let expected = [100.0, 400.0, 700.0, 1000.0, 775.0, 550.0, 325.0, 100.0, 67.0, 34.0, 1.0, 1.0];
    let spec = "linear:end-lr=1000,for=3;linear:lr=1000,end-lr=100,for=4;linear:end-lr=1,over=3";
    check(spec, optax, 100.0, 12, &expected);
    let expected = [100.0, 550.0, 1000.0, 750.25, 250.75, 1.0, 1.0];
    check("one-cycle:max-lr=1000,pct-start=0.4,div-factor=10,final-div-factor=100", optax, 1.0, 5, &expected);
}

#[test]
fn optax_plateau_counts_exactly_and_not_in_its_cooldown() {
    let spec = "plateau:patience=5,cooldown=5,threshold=1e-4";
    // The best, five that are not better, and one of the cooldown.
    plateau(spec, Semantics::Optax, 1.0, &[1.0; 7], &repeat(&[(1.0, 5), (0.1, 2)]));
    // A better one begins the count anew.
    let metrics = repeat(&[(1.0, 4), (0.1, 6)]);
    plateau(spec, Semantics::Optax, 0.1, &metrics, &repeat(&[(0.1, 9), (0.01, 1)]));
    // Five worse ones in the cooldown, then five that count.
    let metrics = repeat(&[(1.0, 6), (2.0, 10)]);
    plateau(spec, Semantics::Optax, 1.0, &metrics, &repeat(&[(1.0, 5), (0.1, 10), (0.01, 1)]));
}

#[test]
fn what_they_refuse_is_refused() {
    let refused = [
        "one-cycle:anneal=CATS",
        "one-cycle:pct-start=1.1",
        "CATS:max-lr=5",
        "constant:warmup=4,warmup-from=1.1",
        "linear:over=-1",
        "linear:over=0",
        "polynomial:over=-1",
        "polynomial:over=0",
        "exponential:decay-steps=-1",
        "exponential:decay-steps=0",
        "exponential:decay-rate=0",
        "piecewise:milestones=5,factor=-3",
    ];
    for text in refused {
        let built = text.parse::<Spec>().and_then(|spec| Schedule::build(&spec, &RunShape::new(0.1, 10, 1)));
        assert!(built.is_err(), "{text} was built");
    }
    assert!(Schedule::build(&"one-cycle".parse().unwrap(), &RunShape::new(5.0, 0, 1)).is_err());
}
