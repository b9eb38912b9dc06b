//! In-process tests of checkpoints, resuming, control, faults and retention, on a network of 300 parameters that trains
//! in milliseconds.

use anyhow::{Result, bail};
use lrsched::config::{Every, Keep, RunConfig};
use lrsched::data::{Dataset, IMAGE_BYTES, Images};
use lrsched::experiment::{Left, Maker};
use lrsched::model::{Architecture, Array, Init, Layer, Parameters, Role, Shape};
use lrsched::optim::StepRates;
use lrsched::record::{EpochRow, RunInfo, Status, StepRow, read_rows};
use lrsched::run_folder::checkpoint::{self, SavedCheckpoint, Wanted};
use lrsched::run_folder::{Existing, RunDirectory, Setup};
use lrsched::schedule::Rates;
use lrsched::train::{
    Adjustment, Checkpoint, Control, ControlRequest, EngineOptions, Event, Observer, Outcome, Prepared, PreparedImages,
    Reason, Run, Stop, Supervision, ThreadShare, Trainer, Verdict, loader_options,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const EPOCHS: u64 = 3;
pub(crate) const STEPS_PER_EPOCH: u64 = 4;
pub(crate) const STEPS: u64 = EPOCHS * STEPS_PER_EPOCH;

/// A convolution with batch norm, dropout and a linear layer: every kind of state that a checkpoint has to carry.
fn architecture() -> Architecture {
    let conv = Layer::Conv {
        name: "conv".into(),
        inputs: 3,
        outputs: 4,
        kernel: 3,
        padding: 1,
        bias: false,
        frozen: false,
        init: Init::He,
    };
    let norm = Layer::BatchNorm { name: "norm".into(), channels: 4, scale: true, momentum: 0.1, eps: 1e-5 };
    let linear = Layer::Linear { name: "linear".into(), inputs: 16, outputs: 10, bias: true, init: Init::SmallHe };
    Architecture {
        name: "tiny".into(),
        input: Shape::map(3, 32, 32),
        classes: 10,
        layers: vec![
            Layer::MaxPool { size: 4 },
            conv,
            norm,
            Layer::Relu,
            Layer::MaxPool { size: 4 },
            Layer::Flatten,
            Layer::Dropout { probability: 0.1 },
            linear,
        ],
    }
}

/// `count` images, each a grey level specific to its class plus noise.
fn images(count: usize, seed: u64) -> Images {
    let mut state = seed;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 58) as u8
    };
    let labels: Vec<u8> = (0..count).map(|index| (index % 10) as u8).collect();
    let pixels = labels.iter().flat_map(|label| [18 * label; IMAGE_BYTES]).map(|grey| grey + noise()).collect();
    Images { pixels, labels }
}

pub(crate) fn dataset() -> Dataset {
    let classes = (0..10).map(|class| format!("class {class}")).collect();
    Dataset::new("greys", images(90, 1), images(30, 2), classes)
}

/// 64 training images: 4 full batches per epoch.
pub(crate) fn config(more: Value) -> RunConfig {
    let mut config = json!({
        "dataset": "synthetic", "validation": 26, "augment": "flip-crop", "model": "cnn", "dropout": 0.0, "label-smoothing": 0.1,
        "optimizer": "sgd:momentum=0.9", "lr": 0.05, "schedule": "cosine", "semantics": "native", "epochs": EPOCHS,
        "batch-size": 16, "seed": 3, "engine": "cpu", "device": "cpu", "log-steps": true,
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

pub(crate) fn new_run<'a>(config: &'a RunConfig, dataset: &Dataset) -> Run<'a> {
    Run::with_architecture(config, &architecture(), dataset, 1).unwrap()
}

pub(crate) const SETUP: Setup<'static> = Setup {
    threads: 1,
    kernels: "",
    every: None,
    keep: None,
    tensorboard: false,
    words: Verdict::to_string,
    groups: &[],
    role: None,
};

/// Trains in memory; without a `control`, undisturbed.
pub(crate) fn train(
    run: Run<'_>,
    control: &Control,
    every: Option<Every>,
    mut observer: impl Observer,
) -> Result<Outcome> {
    run.train(&mut Supervision { control, every, observer: &mut observer })
}

/// Trains into a folder.
pub(crate) fn record(
    path: &Path,
    config: &RunConfig,
    setup: &Setup<'_>,
    control: &Control,
    observer: impl Observer,
) -> Result<Outcome> {
    let (dataset, mut observer) = (dataset(), observer);
    let directory = RunDirectory::create(path, Existing::Refuse, config, &dataset, setup)?;
    directory.record(new_run(config, &dataset), control, &mut observer)
}

/// Resumes the run in a folder, as `lrsched resume` does.
pub(crate) fn resume(path: &Path, adjustments: &[Adjustment], observer: impl Observer) -> Result<Outcome> {
    let (dataset, mut observer) = (dataset(), observer);
    let left = Left::open(path, !adjustments.is_empty(), Maker::Train)?;
    left.check(&dataset)?;
    let config = left.config.clone();
    let mut run = new_run(&config, &dataset);
    left.restore(&mut run)?;
    adjustments.iter().try_for_each(|adjustment| run.adjust(adjustment))?;
    left.reopen(&SETUP)?.record(run, &Control::default(), &mut observer)
}

pub(crate) fn nobody(_event: &Event<'_>) -> Result<()> {
    Ok(())
}

/// Asks `control` to stop after this many steps.
pub(crate) fn stop_after(steps: u64, control: &Control) -> impl Observer {
    move |event: &Event<'_>| {
        if matches!(event, Event::Step { row, .. } if row.step + 1 == steps) {
            control.stop(Stop::Interrupt);
        }
        Ok(())
    }
}

/// Fails after this many steps, like a process that is killed there.
pub(crate) fn die_after(steps: u64) -> impl Observer {
    move |event: &Event<'_>| match event {
        Event::Step { row, .. } if row.step + 1 == steps => bail!("killed"),
        _ => Ok(()),
    }
}

/// All bits of all arrays, by name.
pub(crate) fn bits(parameters: &Parameters) -> Vec<(String, Vec<u32>)> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    parameters.arrays().iter().map(|array| (array.name.clone(), bits(&array.values))).collect()
}

/// Everything a run has recorded, except times.
pub(crate) fn rows(path: &Path) -> (Vec<EpochRow>, Vec<StepRow>) {
    let epochs: Vec<EpochRow> = read_rows(&path.join("metrics.csv")).unwrap();
    let timeless = epochs.into_iter().map(|row| EpochRow { images_per_second: 0.0, seconds: 0.0, ..row });
    (timeless.collect(), read_rows(&path.join("steps.csv")).unwrap())
}

pub(crate) fn info(path: &Path) -> RunInfo {
    RunInfo::read(&path.join("run.json")).unwrap()
}

/// The names of the events in events.jsonl.
fn events(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path.join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    (folder, path)
}

/// The checkpoints that a run hands out, with the reason for each.
fn checkpoints(config: &RunConfig, every: Option<Every>, control: &Control) -> Vec<(Reason, Arc<Checkpoint>)> {
    let mut seen = Vec::new();
    train(new_run(config, &dataset()), control, every, |event: &Event<'_>| {
        if let Event::Checkpoint { checkpoint, reason } = event {
            seen.push((*reason, Arc::clone(checkpoint)));
        }
        Ok(())
    })
    .unwrap();
    seen
}

const OPTIMIZERS: [(&str, f64); 7] = [
    ("sgd:momentum=0.9", 0.05),
    ("adam", 1e-3),
    ("rmsprop", 1e-3),
    ("schedule-free-adamw", 2e-3),
    ("prodigy:d0=1e-4", 1.0),
    ("muon", 0.02),
    ("nadam", 2e-3),
];

#[test]
fn a_run_that_is_stopped_after_any_step_and_restored_ends_with_the_same_bits() {
    for ((optimizer, lr), schedule) in OPTIMIZERS.into_iter().zip([
        "cosine:warmup=2st",
        "plateau:patience=0",
        "halve",
        "constant:warmup=2st",
        "linear",
        "one-cycle:max-lr=0.04",
        "one-cycle:max-lr=0.004",
    ]) {
        let config = config(json!({ "optimizer": optimizer, "lr": lr, "schedule": schedule }));
        let dataset = dataset();
        let whole = train(new_run(&config, &dataset), &Control::default(), None, nobody).unwrap();
        for steps in 1..=STEPS {
            let (control, mut last) = (Control::default(), None);
            let mut stop = stop_after(steps, &control);
            let stopped = train(new_run(&config, &dataset), &control, None, |event: &Event<'_>| {
                if let Event::Checkpoint { checkpoint, .. } = event {
                    last = Some(Arc::clone(checkpoint));
                }
                stop.observe(event)
            })
            .unwrap();
            assert_eq!((stopped.status, stopped.step), (Status::Interrupted, steps));
            let mut run = new_run(&config, &dataset);
            run.restore(&last.unwrap()).unwrap();
            let resumed = train(run, &Control::default(), None, nobody).unwrap();
            assert_eq!(bits(&resumed.parameters), bits(&whole.parameters), "{optimizer} {schedule} after step {steps}");
            assert_eq!(resumed.results.test_loss, whole.results.test_loss);
            assert_eq!(resumed.results.best_epoch, whole.results.best_epoch);
        }
    }
}

#[test]
fn a_run_that_dies_after_any_step_and_is_resumed_leaves_the_rows_and_weights_of_one_that_did_not() {
    let config = config(json!({}));
    let (_kept, whole) = folder();
    record(&whole, &config, &SETUP, &Control::default(), nobody).unwrap();
    for every in [None, Some(Every::Steps(3))] {
        for steps in 1..=STEPS {
            let (_kept, path) = folder();
            let setup = Setup { every, ..SETUP };
            record(&path, &config, &setup, &Control::default(), die_after(steps)).unwrap_err();
            let outcome = resume(&path, &[], nobody).unwrap();
            assert_eq!((outcome.status, outcome.step), (Status::Finished, STEPS));
            assert_eq!(rows(&path), rows(&whole), "after step {steps}, {every:?}");
            assert_eq!(info(&path).weights, info(&whole).weights, "after step {steps}, {every:?}");
        }
    }
}

#[test]
fn a_run_may_die_again_and_again() {
    let config = config(json!({ "optimizer": "adam", "lr": 1e-3 }));
    let (_kept, whole) = folder();
    record(&whole, &config, &SETUP, &Control::default(), nobody).unwrap();
    let (_kept, path) = folder();
    let setup = Setup { every: Some(Every::Steps(1)), ..SETUP };
    record(&path, &config, &setup, &Control::default(), die_after(2)).unwrap_err();
    for steps in [3, 4, 7, 8, 11] {
        resume(&path, &[], die_after(steps)).unwrap_err();
    }
    resume(&path, &[], nobody).unwrap();
    assert_eq!((rows(&path), info(&path).weights), (rows(&whole), info(&whole).weights));
    let told = events(&path);
    assert_eq!(names(&told).iter().filter(|name| **name == "resume").count(), 6);
}

#[test]
fn run_json_has_the_normalisation_of_the_training_images_from_the_first_step_on() {
    let config = config(json!({}));
    let (_kept, path) = folder();
    let images = PreparedImages::new(&dataset(), config.validation, config.train_limit).unwrap();
    let check = |event: &Event<'_>| {
        if matches!(event, Event::Step { .. }) {
            let found = info(&path).normalisation.expect("it is known");
            let pairs = [
                (found.mean, images.normalisation.mean),
                (found.standard_deviation, images.normalisation.standard_deviation),
            ];
            for (found, expected) in pairs {
                assert_eq!(found.len(), expected.len());
                assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}, {expected:?}");
            }
        }
        Ok(())
    };
    record(&path, &config, &SETUP, &Control::default(), check).unwrap();
}

#[test]
fn weights_do_not_depend_on_the_number_of_threads() {
    let (config, dataset) = (config(json!({})), dataset());
    let with = |threads| {
        let run = Run::with_architecture(&config, &architecture(), &dataset, threads).unwrap();
        bits(&train(run, &Control::default(), None, nobody).unwrap().parameters)
    };
    assert_eq!(with(1), with(3));
    // Nor on when it changes.
    let share = ThreadShare::from(2);
    let run = Run::with_architecture(&config, &architecture(), &dataset, &share).unwrap();
    let change = |event: &Event<'_>| {
        if let Event::Step { row, .. } = event {
            share.set(1 + row.step as usize % 3);
        }
        Ok(())
    };
    assert_eq!(bits(&train(run, &Control::default(), None, change).unwrap().parameters), with(1));
}

#[test]
fn a_trainer_computes_with_the_threads_of_its_share_from_the_next_step_on() {
    let (config, dataset, share) = (config(json!({})), dataset(), ThreadShare::from(1));
    let images = PreparedImages::new(&dataset, config.validation, config.train_limit).unwrap();
    let loader = images.training(loader_options(&config)).unwrap();
    let options = EngineOptions::of(&config, share.get());
    let prepared = Prepared::new(images, &architecture(), config.seed, &options).unwrap();
    // Another run ends while this one is being built.
    share.set(2);
    let mut trainer = Trainer::new(prepared, &config.optimizer, config.semantics, &share).unwrap();
    let mut batches = loader.epoch(0, 0).unwrap();
    for threads in [2, 2, 3, 1] {
        share.set(threads);
        trainer.step(&mut batches, &Rates::of(0.01).into()).unwrap().unwrap();
        assert_eq!(trainer.prepared.engine.threads(), threads);
    }
}

/// θ₀ − θ₁ of each array after one step of SGD at rate 1: the gradients as the optimizer saw them.
fn first_gradients(more: Value, groups: Vec<Option<Rates>>) -> Vec<(String, Vec<f64>)> {
    let (config, dataset, share) = (config(more), dataset(), ThreadShare::from(1));
    let images = PreparedImages::new(&dataset, config.validation, config.train_limit).unwrap();
    let loader = images.training(loader_options(&config)).unwrap();
    let mut trainer = Trainer::of(images, &architecture(), &config, &share).unwrap();
    let before = trainer.prepared.parameters.clone();
    let rates = StepRates { base: Rates::of(1.0), groups };
    trainer.step(&mut loader.epoch(0, 0).unwrap(), &rates).unwrap().unwrap();
    let moved = |(before, after): (&Array, &Array)| {
        let pairs = before.values.iter().zip(&after.values);
        (before.name.clone(), pairs.map(|(before, after)| f64::from(*before) - f64::from(*after)).collect())
    };
    let arrays = before.arrays().iter().zip(trainer.prepared.parameters.arrays());
    arrays.filter(|(array, _)| array.role == Role::Trainable).map(moved).collect()
}

fn norm(gradients: &[(String, Vec<f64>)]) -> f64 {
    gradients.iter().flat_map(|(_, values)| values).map(|value| value * value).sum::<f64>().sqrt()
}

#[test]
fn a_step_clips_the_gradient_of_all_groups_at_once_and_does_not_count_what_is_frozen() {
    let with = |more: Value, groups| {
        let mut all = json!({ "optimizer": "sgd" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        first_gradients(all, groups)
    };
    let group = json!([{ "parameters": ["linear.*"], "optimizer": "sgd", "lr": 1.0 }]);
    let full = with(json!({}), Vec::new());
    let limit = 0.5 * norm(&full);
    let clipped = with(json!({ "clip-norm": limit, "group": group }), vec![Some(Rates::of(1.0))]);
    assert!((norm(&clipped) / limit - 1.0).abs() < 1e-4, "{} of {limit}", norm(&clipped));
    for ((name, full), (_, clipped)) in full.iter().zip(&clipped) {
        for (full, clipped) in full.iter().zip(clipped) {
            assert!((0.5 * full - clipped).abs() < 1e-6, "{name}: {clipped}, half of {full}");
        }
    }
    let frozen = with(json!({ "clip-norm": limit, "group": group }), vec![None]);
    assert!(frozen.iter().all(|(name, values)| name.starts_with("conv")
        || name.starts_with("norm")
        || values.iter().all(|value| *value == 0.0)));
    let moving = norm(&full.iter().filter(|(name, _)| !name.starts_with("linear")).cloned().collect::<Vec<_>>());
    assert!((norm(&frozen) / moving.min(limit) - 1.0).abs() < 1e-4, "{} of {moving}, at most {limit}", norm(&frozen));
    assert!(moving < norm(&full));
    let value = full.iter().flat_map(|(_, values)| values).fold(0.0_f64, |most, value| most.max(value.abs())) / 2.0;
    let held = with(json!({ "clip-value": value }), Vec::new());
    let most = held.iter().flat_map(|(_, values)| values).fold(0.0_f64, |most, value| most.max(value.abs()));
    assert!((most / value - 1.0).abs() < 1e-4, "{most}, held to {value}");
}

#[test]
fn a_checkpoint_is_made_after_each_epoch_and_at_the_interval_but_never_twice_after_one_step() {
    let steps = |every| -> Vec<(Reason, u64)> {
        let seen = checkpoints(&config(json!({})), every, &Control::default());
        seen.into_iter().map(|(reason, checkpoint)| (reason, checkpoint.state.step)).collect()
    };
    let epoch = |step| (Reason::Epoch, step);
    assert_eq!(steps(None), [epoch(4), epoch(8), epoch(12)]);
    let due = |step| (Reason::Due, step);
    assert_eq!(
        steps(Some(Every::Steps(2))),
        [due(2), epoch(4), due(6), epoch(8), due(10), epoch(12)],
        "none at the end of an epoch, which has its own"
    );
    assert_eq!(steps(Some(Every::Time(Duration::ZERO))).len(), 12);
    assert_eq!(steps(Some(Every::Steps(100))).len(), 3);
}

#[test]
fn a_checkpoint_reads_back_to_its_bits() {
    for (optimizer, lr) in OPTIMIZERS {
        let config = config(json!({ "optimizer": optimizer, "lr": lr, "schedule": "plateau" }));
        let (_kept, run) = folder();
        fs::create_dir(&run).unwrap();
        for (_, checkpoint) in checkpoints(&config, Some(Every::Steps(3)), &Control::default()) {
            checkpoint::save(&checkpoint, &run, None, &mut || Ok(())).unwrap();
            let read = SavedCheckpoint::read(&run.join("checkpoints/last")).unwrap();
            assert_eq!(read.checkpoint, *checkpoint, "{optimizer}");
        }
    }
}

#[test]
fn a_damaged_last_checkpoint_makes_way_for_the_one_before_and_the_end_is_the_same() {
    let config = config(json!({}));
    let (_kept, whole) = folder();
    record(&whole, &config, &SETUP, &Control::default(), nobody).unwrap();
    for file in ["state.json", "weights.safetensors", "optimizer.safetensors"] {
        let (_kept, path) = folder();
        record(&path, &config, &SETUP, &Control::default(), die_after(10)).unwrap_err();
        let damaged = path.join("checkpoints/last").join(file);
        let mut bytes = fs::read(&damaged).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&damaged, bytes).unwrap();
        let latest = checkpoint::latest(&path, Wanted::Whole).unwrap().unwrap();
        let why = latest.instead("resuming from").unwrap();
        assert!(
            why.contains(file) && why.ends_with("resuming from checkpoints/last-before (epoch 1, step 4)"),
            "{why}"
        );
        resume(&path, &[], nobody).unwrap();
        assert_eq!((rows(&path), info(&path).weights), (rows(&whole), info(&whole).weights), "{file}");
    }
}

#[test]
fn a_checkpoint_of_another_config_other_images_or_another_network_is_refused() {
    let config_of = |seed: u64| config(json!({ "seed": seed }));
    let (one, other) = (config_of(1), config_of(2));
    let (_, checkpoint) = checkpoints(&one, None, &Control::default()).remove(0);
    let restore = |config: &RunConfig, architecture: &Architecture, dataset: &Dataset| {
        Run::with_architecture(config, architecture, dataset, 1).unwrap().restore(&checkpoint).unwrap_err().to_string()
    };
    assert!(restore(&other, &architecture(), &dataset()).contains("another config"));
    let others = Dataset::new("greys", images(90, 7), images(30, 2), dataset().classes);
    assert!(restore(&one, &architecture(), &others).contains("other images"));
    let mut wider = architecture();
    wider.layers[7] = Layer::Linear { name: "other".into(), inputs: 16, outputs: 10, bias: true, init: Init::SmallHe };
    assert!(restore(&one, &wider, &dataset()).contains("another network"));
}

#[test]
fn the_best_checkpoint_is_of_the_first_epoch_with_the_highest_validation_accuracy() {
    for seed in 0..4 {
        let (_kept, path) = folder();
        record(&path, &config(json!({ "seed": seed })), &SETUP, &Control::default(), nobody).unwrap();
        let (epochs, _) = rows(&path);
        let accuracies: Vec<f64> = epochs.iter().map(|row| row.val_accuracy.unwrap()).collect();
        let best = (0..accuracies.len()).fold(0, |best, at| if accuracies[at] > accuracies[best] { at } else { best });
        let kept = SavedCheckpoint::read(&path.join("checkpoints/best")).unwrap().checkpoint;
        assert_eq!(kept.state.epoch, best as u64 + 1, "{accuracies:?}");
        assert_eq!(info(&path).results.best_epoch, Some(best as u64));
    }
}

#[test]
fn what_is_kept_of_a_finished_run_is_what_was_asked_for() {
    let exists = |path: &Path, name: &str| path.join(name).exists();
    for keep in [None, Some(Keep::All), Some(Keep::Best), Some(Keep::None)] {
        let (_kept, path) = folder();
        let setup = Setup { keep, ..SETUP };
        record(&path, &config(json!({})), &setup, &Control::default(), nobody).unwrap();
        let has = |name| exists(&path, name);
        let all = keep.is_none_or(|keep| keep == Keep::All);
        assert_eq!(has("weights.safetensors"), keep != Some(Keep::None), "{keep:?}");
        assert_eq!(has("checkpoints/best"), keep != Some(Keep::None), "{keep:?}");
        assert_eq!(has("checkpoints/last-before"), all, "{keep:?}");
        assert!(all || !has("checkpoints/last") || info(&path).results.best_epoch == Some(EPOCHS - 1), "{keep:?}");
        assert!(has("metrics.csv") && has("steps.csv") && info(&path).standing.status == Status::Finished);
    }
}

#[test]
fn a_stop_is_saved_recorded_and_named_after_its_signal() {
    for (stop, by) in [(Stop::Interrupt, "the user"), (Stop::Terminate, "SIGTERM"), (Stop::CpuLimit, "SIGXCPU")] {
        let (_kept, path) = folder();
        let control = Control::default();
        let outcome = record(&path, &config(json!({})), &SETUP, &control, |event: &Event<'_>| {
            if matches!(event, Event::Step { row, .. } if row.step == 5) {
                control.stop(stop);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!((outcome.stop, outcome.saved, outcome.step), (Some(stop), true, 6));
        let info = info(&path);
        assert_eq!(
            (info.standing.status, info.standing.message.as_deref()),
            (Status::Interrupted, Some("stopped in epoch 1 after 6 steps"))
        );
        let last = events(&path).pop().unwrap();
        assert_eq!((&last["event"], &last["step"], &last["by"]), (&json!("stop"), &json!(6), &json!(by)));
        let latest = checkpoint::latest(&path, Wanted::Whole).unwrap().unwrap();
        assert_eq!(latest.checkpoint.state.step, 6);
    }
}

#[test]
fn one_control_stops_every_run_that_shares_it_and_each_run_has_an_observer_of_its_own() {
    let control = Control::default();
    let folders: Vec<_> = (0..3).map(|_| folder()).collect();
    std::thread::scope(|scope| {
        for (seed, (_, path)) in folders.iter().enumerate() {
            let control = &control;
            scope.spawn(move || {
                let config = config(json!({ "seed": seed, "epochs": 10_000 }));
                let mut started = None;
                let outcome = record(path, &config, &SETUP, control, |event: &Event<'_>| {
                    match event {
                        Event::Started(start) => started = Some(start.config.seed),
                        Event::Step { row, .. } if seed == 1 && row.step == 9 => control.stop(Stop::Requeue),
                        _ => {}
                    }
                    Ok(())
                });
                assert_eq!(outcome.unwrap().stop, Some(Stop::Requeue));
                assert_eq!(started, Some(seed as u64));
            });
        }
    });
    for (_, path) in &folders {
        assert_eq!(info(path).standing.status, Status::Interrupted);
    }
}

#[test]
fn a_pause_holds_the_run_and_its_clock() {
    let control = Control::default();
    control.toggle_pause();
    let wait = Duration::from_millis(150);
    let started = Instant::now();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(wait);
            control.toggle_pause();
        });
        let config = config(json!({}));
        train(new_run(&config, &dataset()), &control, None, |event: &Event<'_>| {
            assert!(!matches!(event, Event::Step { .. }) || started.elapsed() >= wait, "a step during the pause");
            Ok(())
        })
        .unwrap()
    });
    assert!(started.elapsed() >= wait && outcome.status == Status::Finished);
    let seconds = outcome.results.seconds.unwrap();
    assert!(seconds < started.elapsed().as_secs_f64() - 0.8 * wait.as_secs_f64(), "{seconds}");
}

#[test]
fn wishes_change_the_rate_from_the_next_step_and_are_in_a_checkpoint_before_anybody_is_told() {
    let control = Control::default();
    let config = config(json!({ "schedule": "constant" }));
    let (mut rates, mut saved, mut told) = (Vec::new(), 0, 0);
    train(new_run(&config, &dataset()), &control, None, |event: &Event<'_>| {
        match event {
            Event::Step { row, .. } => {
                rates.push(row.learning_rate);
                match row.step {
                    2 => control.request(ControlRequest::Scale(0.5)),
                    // No rate: ignored.
                    4 => control.request(ControlRequest::Rate(-1.0)),
                    6 => control.request(ControlRequest::Rate(0.125)),
                    _ => {}
                }
            }
            Event::Checkpoint { checkpoint, .. } => saved = checkpoint.state.changes.len(),
            Event::Changed(change) => {
                told += 1;
                assert_eq!(saved, told, "the change of step {} is in a checkpoint", change.step);
            }
            _ => {}
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(told, 2);
    assert_eq!(rates, [[0.05; 3].as_slice(), &[0.025; 4], &[0.125; 5]].concat());
}

#[test]
fn a_save_that_was_asked_for_is_on_the_disk_when_it_is_told_and_in_the_log() {
    let (_kept, path) = folder();
    let control = Control::default();
    let mut told = false;
    record(&path, &config(json!({})), &SETUP, &control, |event: &Event<'_>| {
        match event {
            Event::Step { row, .. } if row.step == 1 => control.request(ControlRequest::Save),
            Event::Checkpoint { reason: Reason::Asked, .. } => {
                told = true;
                let saved = SavedCheckpoint::read(&path.join("checkpoints/last")).unwrap();
                assert_eq!(saved.checkpoint.state.step, 2);
            }
            _ => {}
        }
        Ok(())
    })
    .unwrap();
    let events = events(&path);
    assert!(told);
    assert_eq!(names(&events), ["start", "save", "finish"]);
    assert_eq!(events[1]["step"], json!(2));
}

#[test]
fn events_come_in_the_order_of_what_happens() {
    let mut seen = Vec::new();
    let (_kept, path) = folder();
    record(&path, &config(json!({ "epochs": 2 })), &SETUP, &Control::default(), |event: &Event<'_>| {
        seen.push(match event {
            Event::Started(_) => "started",
            Event::Step { .. } => "step",
            Event::Epoch(_) => "epoch",
            Event::Checkpoint { .. } => "checkpoint",
            Event::Finished(_) => {
                assert_eq!(info(&path).standing.status, Status::Finished, "everything is on disk");
                "finished"
            }
            _ => "other",
        });
        Ok(())
    })
    .unwrap();
    let epoch = ["step", "step", "step", "step", "epoch", "checkpoint"];
    assert_eq!(seen, [&["started"][..], &epoch, &epoch, &["finished"]].concat());
}

#[test]
fn a_resumed_run_may_be_longer_or_get_another_rate_and_says_so_in_its_files() {
    let config = config(json!({ "schedule": "constant" }));
    let (_kept, path) = folder();
    record(&path, &config, &SETUP, &Control::default(), die_after(6)).unwrap_err();
    let adjustments = [Adjustment::Epochs(4, lrsched::config::Reach::Stretch), Adjustment::Rate(0.01)];
    let outcome = resume(&path, &adjustments, nobody).unwrap();
    assert_eq!(outcome.step, 16);
    let (epochs, steps) = rows(&path);
    assert_eq!(epochs.len(), 4);
    assert!(steps[..4].iter().all(|row| row.learning_rate == 0.05), "up to the checkpoint");
    assert!(steps[4..].iter().all(|row| row.learning_rate == 0.01), "and after it");
    assert_eq!(info(&path).changes.len(), 2);
    assert_eq!(names(&events(&path)), ["start", "finish", "resume", "change", "change", "finish"]);
}

#[test]
fn a_run_whose_loss_is_not_finite_diverges_with_what_is_known_of_it_and_keeps_its_rows() {
    let (_kept, path) = folder();
    let config = config(json!({ "schedule": "constant", "lr": 1e30 }));
    let outcome = record(&path, &config, &SETUP, &Control::default(), nobody).unwrap();
    assert_eq!(outcome.status, Status::Diverged);
    let Some(Verdict::Diverged { learning_rate, unwarmed, epoch, .. }) = outcome.verdict else {
        panic!("{:?}", outcome.verdict)
    };
    assert_eq!((learning_rate, unwarmed, epoch), (1e30, true, 0));
    let message = info(&path).standing.message.unwrap();
    assert!(
        message.contains("with rate 1e30") && message.ends_with("the run diverged; its rows are kept"),
        "{message}"
    );
    assert!(!rows(&path).1.is_empty());
}

#[test]
fn an_observer_that_fails_ends_the_run_as_failed_and_frees_the_folder() {
    let (_kept, path) = folder();
    let error = record(&path, &config(json!({})), &SETUP, &Control::default(), die_after(6)).unwrap_err();
    assert_eq!(error.to_string(), "killed");
    let info = info(&path);
    assert_eq!((info.standing.status, info.standing.message.as_deref()), (Status::Failed, Some("killed")));
    let last = events(&path).pop().unwrap();
    assert_eq!(
        (&last["event"], &last["status"], &last["message"]),
        (&json!("finish"), &json!("failed"), &json!("killed"))
    );
    assert!(!path.join(".lrsched-lock").exists());
}

/// Trains, and applies `harm` to the folder after `steps`; returns the error.
fn harmed(steps: u64, harm: impl Fn(&Path)) -> (tempfile::TempDir, String) {
    let (kept, path) = folder();
    let error = record(&path, &config(json!({})), &SETUP, &Control::default(), |event: &Event<'_>| {
        if matches!(event, Event::Step { row, .. } if row.step + 1 == steps) {
            harm(&path);
        }
        Ok(())
    });
    (kept, format!("{:#}", error.unwrap_err()))
}

#[test]
fn a_file_or_folder_that_disappears_under_a_run_ends_it_in_a_line_that_names_it_and_is_not_made_anew() {
    for name in ["metrics.csv", "steps.csv", "events.jsonl", "checkpoints"] {
        let (kept, error) = harmed(6, |path| {
            // The checkpoint of the first epoch is written in the background.
            let start = Instant::now();
            while !path.join(name).exists() && start.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(1));
            }
            fs::rename(path.join(name), path.with_file_name("elsewhere")).unwrap();
        });
        assert!(error.contains(name) && error.contains("moved"), "{name}: {error}");
        let path = kept.path().join("run");
        assert!(!path.join(name).exists(), "{name} was made anew");
        assert_eq!(info(&path).standing.status, Status::Failed, "{name}");
    }
    let (kept, error) = harmed(6, |path| fs::rename(path, path.with_file_name("elsewhere")).unwrap());
    assert!(error.contains("was moved to"), "{error}");
    assert!(!kept.path().join("run").exists());
    assert_eq!(info(&kept.path().join("elsewhere")).standing.status, Status::Failed, "where it is now");
    let (kept, error) = harmed(6, |path| fs::remove_file(path.join("run.json")).unwrap());
    assert!(error.contains("run.json was moved or deleted"), "{error}");
    assert!(!kept.path().join("run/run.json").exists());
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_the_run_and_the_one_before_it_is_still_whole() {
    // The next file cannot be written: something else occupies its path.
    let (kept, error) = harmed(6, |path| {
        // The first epoch is the best so far: once it is on disk, no write is in progress.
        while !path.join("checkpoints/best/state.json").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        fs::write(path.join("checkpoints/.new"), "mine").unwrap();
    });
    let path = kept.path().join("run");
    let expected = format!("{}: it is not a folder", path.join("checkpoints/.new").display());
    assert!(error.starts_with(&expected), "{error}");
    let latest = checkpoint::latest(&path, Wanted::Whole).unwrap().unwrap();
    assert_eq!((latest.checkpoint.state.step, latest.is_last()), (4, true));
    fs::remove_file(path.join("checkpoints/.new")).unwrap();
    assert_eq!(resume(&path, &[], nobody).unwrap().status, Status::Finished);
}

#[test]
fn rows_that_were_changed_behind_the_back_of_a_run_keep_it_from_being_resumed() {
    for (name, from, to) in [("metrics.csv", "\n0,", "\n1,"), ("steps.csv", "\n1,", "\n7,"), ("events.jsonl", "{", "[")]
    {
        let (_kept, path) = folder();
        record(&path, &config(json!({})), &SETUP, &Control::default(), die_after(6)).unwrap_err();
        let file = path.join(name);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let before = fs::read(&file).unwrap();
        let error = format!("{:#}", resume(&path, &[], nobody).unwrap_err());
        assert!(error.contains(name) && error.contains("restore the file"), "{name}: {error}");
        assert_eq!(fs::read(&file).unwrap(), before, "nothing is changed");
    }
}

#[test]
fn a_folder_is_one_runs_at_a_time() {
    let (_kept, path) = folder();
    let config = config(json!({}));
    let again =
        || RunDirectory::create(&path, Existing::Replace, &config, &dataset(), &SETUP).err().unwrap().to_string();
    let mut refused = None;
    record(&path, &config, &SETUP, &Control::default(), |event: &Event<'_>| {
        if matches!(event, Event::Epoch(row) if row.epoch == 0) {
            refused = Some(again());
        }
        Ok(())
    })
    .unwrap();
    assert!(refused.unwrap().contains("is in use by another lrsched"));
    assert!(RunDirectory::create(&path, Existing::Replace, &config, &dataset(), &SETUP).is_ok());
}

#[test]
fn a_run_that_only_helps_to_choose_never_looks_at_the_test_images_and_is_otherwise_the_same() {
    let (config, dataset) = (config(json!({})), dataset());
    let of = |is_tested| {
        train(new_run(&config, &dataset).tested(is_tested), &Control::default(), None, nobody).unwrap().results
    };
    let (tested, untested) = (of(true), of(false));
    assert!(tested.test_accuracy.is_some() && untested.test_accuracy.is_none() && untested.test_loss.is_none());
    assert_eq!((tested.loss, tested.val_accuracy), (untested.loss, untested.val_accuracy));
}

#[test]
fn a_schedule_free_run_saves_its_average_with_statistics_of_its_own_and_beside_it_what_is_trained() {
    let config = config(json!({ "optimizer": "schedule-free-sgd", "schedule": "constant" }));
    let (_, last) = checkpoints(&config, None, &Control::default()).pop().unwrap();
    let optimizer = |name: &str, part: &str| &last.optimizer[&format!("{name}.{part}")].1;
    for name in ["conv.weight", "norm.bias", "linear.weight"] {
        let (evaluated, trained, z) = (&last.weights[name].1, optimizer(name, "trained"), optimizer(name, "z"));
        assert_ne!(evaluated, trained, "{name}");
        for ((x, y), z) in evaluated.iter().zip(trained).zip(z) {
            let expected = y + (1.0 - 1.0 / 0.9) * (z - y);
            assert!((x - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{name}: {x}, not {expected}");
        }
    }
    for name in ["norm.running_mean", "norm.running_var"] {
        assert_ne!(&last.weights[name].1, optimizer(name, "trained"), "{name}");
    }
    // The whole state is there: the rest of the run is the same from any checkpoint.
    let whole = bits(&train(new_run(&config, &dataset()), &Control::default(), None, nobody).unwrap().parameters);
    for (_, checkpoint) in &checkpoints(&config, Some(Every::Steps(3)), &Control::default()) {
        let mut again = new_run(&config, &dataset());
        again.restore(checkpoint).unwrap();
        assert_eq!(bits(&train(again, &Control::default(), None, nobody).unwrap().parameters), whole);
    }
}
