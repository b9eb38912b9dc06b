//! Any bytes as the three files of a checkpoint, whose digests are right: it is read and goes back to what it was, or refused in one line.
//! What a run does with it before its first step ends, too. Never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrsched::config::Reach;
use lrsched::model::{Array, Parameters, Role};
use lrsched::optim::{Grouped, Grouping};
use lrsched::record::files::CHECKPOINTS;
use lrsched::run_folder::checkpoint::{SavedCheckpoint, Wanted, latest, save};
use lrsched::run_folder::sha256;
use lrsched::schedule::Clock;
use lrsched::train::Checkpoint;
use std::fs;

/// A line of these between two parts of the input begins the next file: state, weights, optimizer.
const SEPARATOR: &[u8] = b"\n====\n";

/// What the state calls the digests, which no fuzzer guesses.
const DIGESTS: [&str; 2] = ["WEIGHTS", "OPTIMIZER"];

const STEPS_PER_EPOCH: u64 = 4;

/// A network small enough for the fuzzer to find its file.
fn small() -> Parameters {
    let mut parameters = Parameters::default();
    for (name, shape) in [("a.weight", vec![2, 1]), ("a.bias", vec![1])] {
        let values = vec![0.5; shape.iter().product()];
        parameters.push(Array { name: name.to_string(), shape, role: Role::Trainable, values });
    }
    parameters
}

fn one_line(error: &anyhow::Error) {
    let text = format!("{error:#}");
    assert!(!text.chars().any(char::is_control) && text.chars().count() < 3000, "{text:?}");
}

fuzz_target!(|bytes: &[u8]| {
    let run = tempfile::tempdir().unwrap();
    let last = run.path().join(CHECKPOINTS).join("last");
    fs::create_dir_all(&last).unwrap();
    // As they are: a digest that is not there, or not the right one.
    fs::write(last.join("state.json"), bytes).unwrap();
    one_line(&SavedCheckpoint::read(&last).unwrap_err());

    let mut parts = split(bytes).into_iter();
    let mut state = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    for (name, digest) in ["weights", "optimizer"].iter().zip(DIGESTS) {
        let part = parts.next().unwrap_or_default();
        fs::write(last.join(format!("{name}.safetensors")), part).unwrap();
        state = state.replace(digest, &sha256(part));
    }
    let file = format!("{{\"sha256\": \"{}\",\n\"state\": {state}}}\n", sha256(state.as_bytes()));
    fs::write(last.join("state.json"), file).unwrap();
    let saved = match SavedCheckpoint::read(&last) {
        Ok(saved) => saved,
        Err(error) => return one_line(&error),
    };
    if let Err(error) = latest(run.path(), Wanted::Sound) {
        one_line(&error);
    }
    if saved.checkpoint.is_finite() {
        save(&saved.checkpoint, run.path(), saved.rows.as_ref(), &mut || Ok(())).unwrap();
        assert_eq!(SavedCheckpoint::read(&last).unwrap(), saved);
    }
    if let Err(error) = take_up(&saved.checkpoint) {
        one_line(&error);
    }
});

/// What `Run::restore` does, and the first rates; what `resume --epochs` asks of the schedule.
fn take_up(checkpoint: &Checkpoint) -> anyhow::Result<()> {
    let (config, state) = (&checkpoint.config, &checkpoint.state);
    let mut schedule = state.course.build(config.semantics, STEPS_PER_EPOCH)?;
    schedule.restore(&state.observed)?;
    let mut parameters = small();
    checkpoint.fill(&mut parameters)?;
    let mut optimizer = Grouped::<f32>::new(&config.optimizer, Grouping::default(), config.semantics)?;
    let lengths: Vec<_> = parameters.arrays().iter().map(|array| (array.name.as_str(), array.values.len())).collect();
    let (states, arrays) = checkpoint.optimizer_states();
    optimizer.restore(states, arrays, &lengths)?;
    for step in [state.step, state.step.saturating_add(1)] {
        let clock = Clock { step, steps_per_epoch: STEPS_PER_EPOCH, epochs: state.course.epochs };
        state.course.rates(&schedule, clock);
    }
    if state.course.until < 100 {
        state.course.depends_on_length(100, config.semantics, STEPS_PER_EPOCH)?;
    }
    state.course.with_epochs(100, Reach::Hold).build(config.semantics, STEPS_PER_EPOCH)?;
    Ok(())
}

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        parts.push(&bytes[..at]);
        bytes = &bytes[at + SEPARATOR.len()..];
    }
    parts.push(bytes);
    parts
}
