//! Every schedule against traces of the real frameworks; scripts/golden_schedules_{torch,keras,optax}.py made them.

use lrsched::schedule::{EpochMetrics, RunShape, Schedule, Semantics, Spec};
use std::path::Path;

/// PyTorch and optax (with x64) compute in f64, Keras in f32.
const F64: f64 = 1e-6;
const F32: f64 = 1e-5;

fn rows(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schedules").join(name);
    let rows = csv::Reader::from_path(path).unwrap().into_records();
    rows.map(|row| row.unwrap().iter().map(String::from).collect()).collect()
}

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// Relative to the value; where a recursion or f32 leaves dust instead of 0, to the highest rate.
fn close(ours: f64, theirs: f64, highest: f64, tolerance: f64) -> bool {
    let dust = if tolerance == F64 { 1e-14 } else { 2e-7 };
    (ours - theirs).abs() <= tolerance * theirs.abs() + dust * highest
}

fn compare(name: &str, semantics: Semantics, tolerance: f64) {
    let (mut cases, mut wrong) = (0, Vec::new());
    for row in rows(name) {
        let [spec, lr, epochs, steps_per_epoch, rates, momenta] = row.try_into().unwrap();
        let setting = RunShape {
            learning_rate: lr.parse().unwrap(),
            semantics,
            epochs: epochs.parse().unwrap(),
            steps_per_epoch: steps_per_epoch.parse().unwrap(),
        };
        let schedule =
            Schedule::build(&spec.parse::<Spec>().unwrap(), &setting).unwrap_or_else(|e| panic!("{spec}: {e}"));
        let (rates, momenta) = (numbers(&rates), numbers(&momenta));
        assert_eq!(rates.len() as u64, setting.total_steps(), "{spec}");
        let highest = rates.iter().copied().fold(0.0, f64::max);
        let first_difference = rates.iter().enumerate().find_map(|(t, &theirs)| {
            let ours = schedule.at(t as u64);
            let same_momentum = match (ours.momentum, momenta.get(t)) {
                (Some(ours), Some(&theirs)) => close(ours, theirs, 1.0, tolerance),
                (None, None) => true,
                _ => false,
            };
            let same = close(ours.learning_rate, theirs, highest, tolerance) && same_momentum;
            (!same).then(|| {
                format!("{spec} of {epochs}x{steps_per_epoch} at step {t}: {ours:?}, {theirs} {:?}", momenta.get(t))
            })
        });
        wrong.extend(first_difference);
        cases += 1;
    }
    assert!(wrong.is_empty(), "{} of {cases} cases of {name} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 20, "only {cases} cases in {name}");
}

fn compare_plateau(name: &str, semantics: Semantics, tolerance: f64) {
    let (mut cases, mut wrong) = (0, Vec::new());
    for row in rows(name) {
        let [spec, lr, metrics, rates] = row.try_into().unwrap();
        let (lr, metrics, rates) = (lr.parse().unwrap(), numbers(&metrics), numbers(&rates));
        let setting = RunShape { learning_rate: lr, semantics, epochs: metrics.len() as u64, steps_per_epoch: 3 };
        let mut schedule = Schedule::build(&spec.parse::<Spec>().unwrap(), &setting).unwrap();
        for (epoch, (&value, &theirs)) in metrics.iter().zip(&rates).enumerate() {
            let ours = schedule.at(3 * epoch as u64 + 1).learning_rate;
            if !close(ours, theirs, lr, tolerance) {
                wrong.push(format!("{spec} at epoch {epoch}: {ours}, {theirs} after {:?}", &metrics[..epoch]));
                break;
            }
            let value = Some(value);
            schedule.observe(&EpochMetrics {
                epoch: epoch as u64,
                loss: 9.0,
                accuracy: 0.0,
                val_loss: value,
                val_accuracy: value,
            });
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{} of {cases} cases of {name} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 20, "only {cases} cases in {name}");
}

#[test]
fn torch_semantics_is_what_pytorch_computes() {
    compare("torch.csv", Semantics::Torch, F64);
}

#[test]
fn plateau_with_torch_semantics_counts_as_pytorch() {
    compare_plateau("torch_plateau.csv", Semantics::Torch, F64);
    compare_plateau("torch_plateau.csv", Semantics::Native, F64);
}

#[test]
fn keras_semantics_is_what_keras_computes() {
    compare("keras.csv", Semantics::Keras, F32);
}

#[test]
fn plateau_with_keras_semantics_counts_as_keras() {
    compare_plateau("keras_plateau.csv", Semantics::Keras, F32);
}

#[test]
fn optax_semantics_is_what_optax_computes() {
    compare("optax.csv", Semantics::Optax, F64);
}

#[test]
fn plateau_with_optax_semantics_counts_as_optax() {
    compare_plateau("optax_plateau.csv", Semantics::Optax, F64);
}
