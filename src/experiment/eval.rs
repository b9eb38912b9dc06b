//! Evaluates the weights of a run on images: loss, accuracy, and the confusion matrix.

mod choice;
mod subject;

pub use choice::{Moment, SplitName};
pub use subject::{Subject, SubjectError};

use crate::data::{Dataset, DatasetKind, DatasetOptions, Tta, Validation};
use crate::engine::{self, BatchStats, DeviceChoice, EngineKind, Objective};
use crate::model::{Model, ModelOptions, Weights};
use crate::report::confusion::Confusion;
use crate::run_folder::checkpoint::Wanted;
use crate::train::{EngineOptions, Prepared, PreparedImages, evaluate_batch};
use anyhow::{Result, bail};
use std::path::PathBuf;
use subject::other;

/// Batch size of an evaluation: that of the evaluations during a run.
pub use crate::train::EVALUATION_BATCH as BATCH;

/// Evaluation settings. `None` takes the run's setting, or the default without a run.json.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub part: SplitName,
    pub data_dir: Option<PathBuf>,
    pub dataset: Option<DatasetKind>,
    pub model: Option<Model>,
    pub engine: Option<EngineKind>,
    /// `None`: that of the run on the test images, else none, so that the figures of the run are repeated.
    pub tta: Option<Tta>,
    pub device: DeviceChoice,
    /// At least 1.
    pub batch_size: usize,
    pub threads: usize,
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub weights: PathBuf,
    pub model: Model,
    pub dataset: String,
    pub part: SplitName,
    pub images: usize,
    pub tta: Tta,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    pub confusion: Confusion,
    /// Notes on anything the user may not expect.
    pub notes: Vec<String>,
}

impl Evaluation {
    /// The share of images classified correctly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.correct() as f64 / self.images as f64
    }
}

/// Runs the network over the images of one split, as [`crate::train::Run`] does at its end, and counts the confusion
/// matrix.
///
/// The images are normalised with the statistics of the run's training images.
///
/// # Errors
/// Weights that cannot be read or do not fit, missing images, an unavailable engine.
pub fn evaluate(subject: &Subject, options: &Options) -> Result<Evaluation> {
    let trained = subject.trained()?;
    let kind = options.dataset.or(trained.dataset).unwrap_or_default();
    let tta = options.tta.or(trained.tta.filter(|_| options.part == SplitName::Test)).unwrap_or_default();
    let engine = options.engine.or(trained.engine).unwrap_or(EngineKind::for_device(options.device));
    engine::check(engine, options.device)?;
    let Weights { model, parameters } =
        Weights::read(&subject.weights, options.model.or(trained.model), kind.classes())?;

    let is_assumed = options.dataset.or(trained.dataset).is_none();
    let dataset = Dataset::open(&DatasetOptions { kind, data_dir: options.data_dir.clone() }).map_err(|error| {
        let weights = subject.weights.display();
        let assumed = || format!("no run.json beside {weights} names its dataset, so {kind} is taken");
        if is_assumed { error.context(assumed()) } else { error }
    })?;
    let validation = trained.validation.unwrap_or(kind.default_validation());
    let images = PreparedImages::new(&dataset, validation, trained.train_limit)?;
    let loader = images.in_order(
        match options.part {
            SplitName::Train => &images.split.train,
            SplitName::Validation => &images.split.validation,
            SplitName::Test => &images.split.test,
        },
        options.batch_size,
    );
    let architecture = model.architecture(&ModelOptions { classes: kind.classes(), ..ModelOptions::default() });
    let (device, objective, threads) = (options.device, Objective::default(), options.threads);
    let engine = EngineOptions { kind: engine, device, objective, threads };
    let Prepared { mut engine, parameters, .. } = Prepared::with_weights(images, &architecture, parameters, &engine)?;
    let (mut totals, mut logits, mut guesses) = (BatchStats::default(), Vec::new(), Vec::new());
    for batch in loader.epoch(0, 0)? {
        totals += evaluate_batch(engine.as_mut(), &parameters, &batch, tta, Some(&mut logits))?;
        let rows = logits.chunks_exact(dataset.classes.len()).map(largest);
        guesses.extend(batch.labels.iter().map(|&label| usize::from(label)).zip(rows));
    }
    if guesses.is_empty() {
        bail!("there is no image in the {} split", options.part);
    }
    let mut notes = notes(subject, &dataset, validation, options.part);
    if !totals.loss().is_finite() {
        let other = other(&subject.weights, Wanted::Sound);
        notes.push(format!("the loss is not finite, as after divergence, so the accuracy is meaningless; {other}"));
    }
    Ok(Evaluation {
        weights: subject.weights.clone(),
        model,
        notes,
        dataset: dataset.name.clone(),
        part: options.part,
        images: totals.images,
        tta,
        loss: totals.loss(),
        confusion: Confusion::of(&dataset.classes, guesses),
    })
}

/// The class with the largest logit, the first on ties: as the engines count.
fn largest(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}

fn notes(subject: &Subject, dataset: &Dataset, validation: Validation, part: SplitName) -> Vec<String> {
    let mut notes: Vec<String> = subject.instead.iter().cloned().collect();
    match &subject.run {
        None => notes.push(format!(
            "no run.json next to {}: using the default normalisation and split, with {validation} validation images of {}",
            subject.weights.display(),
            dataset.name
        )),
        Some(run) if run.provenance.dataset.digest != dataset.digest() => notes.push(format!(
            "these are not the images the run was trained on: {} with digest {}, not {} with {}",
            run.provenance.dataset.name,
            run.provenance.dataset.digest,
            dataset.name,
            dataset.digest()
        )),
        Some(_) => {}
    }
    if validation == Validation::Test && part == SplitName::Validation {
        notes.push("the run chose by the test images: its validation split is the test split".to_string());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_logits_counts_and_nan_never_wins() {
        assert_eq!(largest(&[0.5, 2.0, 2.0, -1.0]), 1);
        assert_eq!(largest(&[0.5, f32::NAN, 0.7]), 2);
    }
}
