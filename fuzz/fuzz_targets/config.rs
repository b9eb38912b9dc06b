//! Any text, read as a config file: an error of one line that names the file, or settings that are of the names the command takes, and
//! from which optimizer and schedule are built or refused. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::config::Given;
use lrsched::data::{Augment, BatchSize, DatasetKind, Validation};
use lrsched::model::Model;
use lrsched::optim::{self, Optimizer, OptimizerSpec};
use lrsched::schedule::{self, Schedule, Semantics, RunShape, Spec};
use lrsched::spec::Entry;
use std::path::Path;
use std::sync::LazyLock;

/// What `train` takes, in the main.
const NAMES: [&str; 14] = [
    "schedule",
    "optimizer",
    "entrants",
    "model",
    "dataset",
    "augment",
    "validation",
    "batch-size",
    "lr",
    "epochs",
    "seed",
    "semantics",
    "log-steps",
    "train-limit",
];

static SCHEDULES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let any = Entry::heading("any schedule", schedule::universal());
    [schedule::table(), &[any]].concat()
});

static KNOWN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let entries = SCHEDULES.iter().chain(optim::table());
    let parameters = entries.flat_map(|entry| entry.parameters.iter().map(|parameter| parameter.name));
    let names = NAMES.into_iter().chain(parameters).map(String::from);
    names.chain(["no-nesterov".to_string(), "no-cycle-momentum".to_string()]).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut given = Given::default();
    if let Err(error) = given.lay_text_below(text, Path::new("my.toml"), &KNOWN) {
        let text = format!("{error:#}");
        assert!(text.starts_with("my.toml"), "{text}");
        return;
    }
    let _ = given.switch("log-steps");
    let _ = given.parse_own::<Model>("model");
    let _ = given.parse_own::<DatasetKind>("dataset");
    let _ = given.parse_own::<Augment>("augment");
    let _ = given.parse_own::<Validation>("validation");
    let _ = given.parse_own::<BatchSize>("batch-size");
    let _ = given.parse::<u64>("epochs", "a number");
    let learning_rate = given.parse::<f64>("lr", "a number").ok().flatten().unwrap_or(0.1);
    let semantics = given.parse_own::<Semantics>("semantics").ok().flatten().unwrap_or(Semantics::Native);
    for entrant in given.list("entrants").unwrap_or_default() {
        let _ = entrant.parse::<Spec>();
    }
    let optimizer = given.text("optimizer").unwrap_or("sgd");
    if let Ok(spec) = OptimizerSpec::from_flags(optimizer, &given.family("optimizer", optim::table())) {
        // What can be run must read back from run.json; what cannot is refused later.
        if Optimizer::<f32>::new(&spec, semantics).is_ok() {
            let shown = spec.to_string();
            assert_eq!(shown.parse::<OptimizerSpec>().as_ref(), Ok(&spec), "{shown}");
        }
    }
    let schedule = given.text("schedule").unwrap_or("constant");
    if let Ok(spec) = Spec::from_flags(schedule, &given.family("schedule", &SCHEDULES)) {
        let setting = RunShape { learning_rate, semantics, steps_per_epoch: 3, epochs: 4 };
        if Schedule::build(&spec, &setting).is_ok() {
            let shown = spec.to_string();
            assert_eq!(shown.parse::<Spec>().as_ref(), Ok(&spec), "{shown}");
        }
    }
});
