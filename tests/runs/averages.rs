//! Averages of the weights: what is evaluated and saved, and resuming, on a network of 300 parameters with batch norm.

use crate::tiny_runs::{
    SETUP, STEPS, STEPS_PER_EPOCH, bits, config, dataset, die_after, folder, info, new_run, nobody, record, resume,
    rows, train,
};
use lrsched::config::Every;
use lrsched::model::Parameters;
use lrsched::run_folder::Setup;
use lrsched::train::{Control, Event, Outcome};
use serde_json::json;
use std::collections::BTreeMap;

/// Trains undisturbed, with this average or none.
fn with(average: Option<&str>) -> Outcome {
    let config = config(average.map_or(json!({}), |average| json!({ "average": average })));
    train(new_run(&config, &dataset()), &Control::default(), None, nobody).unwrap()
}

/// The arrays whose bits differ.
fn differing(one: &Parameters, other: &Parameters) -> Vec<String> {
    let pairs = bits(one).into_iter().zip(bits(other));
    pairs.filter(|(one, other)| one != other).map(|((name, _), _)| name).collect()
}

#[test]
fn an_average_that_is_all_of_the_last_weights_is_the_run_without_one() {
    let plain = with(None);
    for same in ["ema:decay=0", "lookahead:every=2st,alpha=1"] {
        let averaged = with(Some(same));
        assert_eq!(differing(&averaged.parameters, &plain.parameters), [""; 0], "{same}");
        assert_eq!(averaged.results.test_loss, plain.results.test_loss, "{same}");
    }
    // swa computes the running statistics again, and nothing else.
    let last = with(Some("swa:from=100%"));
    assert_eq!(differing(&last.parameters, &plain.parameters), ["norm.running_mean", "norm.running_var"]);
}

#[test]
fn swa_is_the_mean_of_the_weights_and_ema_copies_the_running_statistics() {
    // Every checkpoint has the weights after a step.
    let mut weights: Vec<BTreeMap<String, Vec<f32>>> = Vec::new();
    let plain = config(json!({}));
    train(new_run(&plain, &dataset()), &Control::default(), Some(Every::Steps(1)), |event: &Event<'_>| {
        if let Event::Checkpoint { checkpoint, .. } = event {
            let values = checkpoint.weights.iter().map(|(name, (_, values))| (name.clone(), values.clone()));
            weights.push(values.collect());
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(weights.len() as u64, STEPS);
    let near = |averaged: &Parameters, name: &str, expected: &dyn Fn(usize) -> f64| {
        for (at, value) in averaged.get(name).unwrap().values.iter().enumerate() {
            let expected = expected(at);
            assert!((f64::from(*value) - expected).abs() < 1e-5, "{name} {at}: {value}, expected {expected}");
        }
    };
    let from = (STEPS_PER_EPOCH + 1) as usize;
    let swa = with(Some("swa:from=5st,every=1st")).parameters;
    for name in ["conv.weight", "norm.weight", "linear.bias"] {
        let mean = |at: usize| {
            let taken = &weights[from - 1..];
            taken.iter().map(|weights| f64::from(weights[name][at])).sum::<f64>() / taken.len() as f64
        };
        near(&swa, name, &mean);
    }
    let ema = with(Some("ema:decay=0.75")).parameters;
    let mean = |at: usize| {
        let value = |weights: &BTreeMap<String, Vec<f32>>| f64::from(weights["linear.weight"][at]);
        weights[1..].iter().fold(value(&weights[0]), |mean, weights| 0.75 * mean + 0.25 * value(weights))
    };
    near(&ema, "linear.weight", &mean);
    near(&ema, "norm.running_var", &|at| f64::from(weights[weights.len() - 1]["norm.running_var"][at]));
}

#[test]
fn what_is_frozen_keeps_its_values_under_lookahead_too() {
    let group = json!([{ "parameters": ["linear.bias"], "freeze-after": "3st" }]);
    let config = config(json!({ "average": "lookahead:every=2st,alpha=0.5", "group": group }));
    let (mut trained, mut weights) = (Vec::new(), Vec::new());
    train(new_run(&config, &dataset()), &Control::default(), Some(Every::Steps(1)), |event: &Event<'_>| {
        if let Event::Checkpoint { checkpoint, .. } = event {
            let optimizer = &checkpoint.optimizer;
            trained.push(optimizer.get("linear.bias.trained").map(|(_, values)| values.clone()));
            weights.push(checkpoint.weights["linear.weight"].1.clone());
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(trained.len() as u64, STEPS);
    assert!(trained[3].is_some(), "a checkpoint carries what is trained");
    assert!(trained[3..].iter().all(|values| *values == trained[2]), "{trained:?}");
    assert_ne!(trained[1], trained[2]);
    assert_ne!(weights[5], weights[7], "the others go on");
}

#[test]
fn a_run_with_an_average_that_dies_after_any_step_is_resumed_bit_for_bit() {
    for average in ["ema:decay=0.9,every=2st", "swa:from=50%,every=1st", "lookahead:every=3st,alpha=0.5"] {
        let config = config(json!({ "average": average }));
        let (_kept, whole) = folder();
        record(&whole, &config, &SETUP, &Control::default(), nobody).unwrap();
        for steps in 1..=STEPS {
            let (_kept, path) = folder();
            let setup = Setup { every: Some(Every::Steps(2)), ..SETUP };
            record(&path, &config, &setup, &Control::default(), die_after(steps)).unwrap_err();
            resume(&path, &[], nobody).unwrap();
            assert_eq!(rows(&path), rows(&whole), "{average} after step {steps}");
            assert_eq!(info(&path).weights, info(&whole).weights, "{average} after step {steps}");
        }
    }
}
