//! One run: spec → schedule, dataset → loader → model → loss → gradients → optimizer.step(rates) → record.

mod probe;

pub use probe::Probe;

use super::config::RunConfig;
use super::observer::{Observer, Start};
use crate::data::{BatchSize, Dataset, Epoch, Loader, LoaderOptions, Normalisation, Subset, Validation};
use crate::engine::{self, BatchStats, Engine, Objective};
use crate::model::{Gradients, Parameters, Role, initialise, whiten};
use crate::optim::{Optimizer, Slice};
use crate::record::{EpochRow, Status, StepRow};
use crate::schedule::{Clock, EpochMetrics, Rates, Schedule};
use anyhow::Result;
use std::time::Instant;

/// Images that a step takes at once; a larger batch is gathered from micro-batches of this size, in bounded memory.
const MICRO_BATCH: usize = 2048;
/// The same for `--batch-size full`, which nobody asked to be taken at once.
const MICRO_BATCH_OF_FULL: usize = 500;
/// Images that whitening kernels are made from, as airbench94 does.
const WHITENING_IMAGES: usize = 5000;
/// Images that an evaluation takes at once.
const EVALUATION_BATCH: usize = 500;

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub status: Status,
    /// What went wrong, where it did.
    pub message: Option<String>,
    pub last: Option<EpochRow>,
    pub best_epoch: Option<u64>,
    pub best_val_accuracy: Option<f64>,
    /// Of the weights after the last epoch; `None` where the run did not get there.
    pub test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    /// Wall time of the whole run, evaluation included.
    pub seconds: f64,
    pub parameters: Parameters,
}

/// A run that is ready to start: everything that could be wrong with its config has been found by now.
pub struct Run<'a> {
    config: &'a RunConfig,
    loader: Loader,
    validation: Loader,
    test: Loader,
    engine: Box<dyn Engine>,
    parameters: Parameters,
    gradients: Gradients,
    optimizer: Optimizer<f32>,
    schedule: Schedule,
    clock: Clock,
}

impl<'a> Run<'a> {
    /// # Errors
    /// [`crate::usage::Usage`] for anything in `config` that does not fit the dataset or the rest of it.
    pub fn new(config: &'a RunConfig, dataset: &Dataset, threads: usize) -> Result<Self> {
        let split = dataset.split(config.validation, config.train_limit)?;
        let normalisation = Normalisation::of(&split.train);
        let loader = Loader::new(
            split.train.clone(),
            normalisation.clone(),
            LoaderOptions {
                batch_size: config.batch_size,
                micro_batch: if config.batch_size == BatchSize::Full { MICRO_BATCH_OF_FULL } else { MICRO_BATCH },
                augment: config.augment,
                seed: config.seed,
            },
        )?;
        let in_order = |subset: &Subset| Loader::in_order(subset.clone(), normalisation.clone(), EVALUATION_BATCH);
        let clock = Clock { step: 0, steps_per_epoch: loader.steps_per_epoch(), epochs: config.epochs };
        let schedule = config.schedule(clock.steps_per_epoch)?;
        let architecture = config.architecture();
        let mut parameters = initialise(&architecture, config.seed);
        if let Some(name) = architecture.whitened() {
            let sample = Loader::in_order(split.train.first(WHITENING_IMAGES), normalisation.clone(), WHITENING_IMAGES);
            let input = architecture.input;
            for batch in sample.epoch(0, 0) {
                whiten(&batch.images, input.height, input.width, &mut parameters, name);
            }
        }
        let objective = Objective { label_smoothing: config.label_smoothing as f32 };
        Ok(Self {
            engine: engine::build(config.engine, config.device, &architecture, objective, threads)?,
            gradients: Gradients::zeros(&parameters),
            optimizer: Optimizer::new(&config.optimizer, config.semantics)?,
            config,
            validation: in_order(&split.validation),
            test: in_order(&split.test),
            loader,
            parameters,
            schedule,
            clock,
        })
    }

    /// What the engine computes with.
    pub fn kernels(&self) -> &'static str {
        self.engine.kernels()
    }

    /// Finds what [`Run::new`] would find wrong with `config`, without building the network.
    pub fn check(config: &RunConfig, dataset: &Dataset) -> Result<()> {
        let train = dataset.split(config.validation, config.train_limit)?.train;
        let batch = config.batch_size.images(train.len())?;
        config.check(train.len().div_ceil(batch) as u64)
    }

    /// Trains to the end, or until the loss is no longer a number.
    pub fn train(mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        let started = Instant::now();
        observer.start(&Start {
            config: self.config,
            steps_per_epoch: self.clock.steps_per_epoch,
            train_images: self.loader.images(),
            trainable_parameters: self.parameters.trainable(),
            notes: self.notes(),
        })?;
        let mut outcome = Outcome {
            status: Status::Finished,
            message: None,
            last: None,
            best_epoch: None,
            best_val_accuracy: None,
            test_loss: None,
            test_accuracy: None,
            seconds: 0.0,
            parameters: Parameters::default(),
        };
        for epoch in 0..self.config.epochs {
            let row = self.epoch(epoch, observer)?;
            observer.epoch(&row)?;
            outcome.see(&row);
            if let Some(message) = diverged(&row) {
                outcome.status = Status::Diverged;
                outcome.message = Some(message);
                break;
            }
            self.schedule.observe(&EpochMetrics {
                epoch,
                loss: row.loss,
                accuracy: row.accuracy,
                val_loss: row.val_loss,
                val_accuracy: row.val_accuracy,
            });
        }
        if outcome.status == Status::Finished {
            let test = evaluate(&mut *self.engine, &self.parameters, &self.test)?;
            outcome.test_loss = Some(test.loss());
            outcome.test_accuracy = Some(test.accuracy());
        }
        outcome.seconds = started.elapsed().as_secs_f64();
        outcome.parameters = self.parameters;
        Ok(outcome)
    }

    /// What the user may not expect of this config.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let cycles = self.schedule.rates(self.clock).momentum.is_some();
        if cycles && self.config.optimizer.momentum(self.config.semantics).is_none() {
            let optimizer = &self.config.optimizer;
            notes.push(format!("the schedule cycles momentum, and {optimizer} has none: only the rate is scheduled"));
        }
        if self.config.validation == Validation::Test {
            notes.push(
                "validating with the test images: what is chosen by them (best epoch, plateau) has seen them"
                    .to_string(),
            );
        }
        notes
    }

    /// One pass over the training images, and validation.
    fn epoch(&mut self, epoch: u64, observer: &mut dyn Observer) -> Result<EpochRow> {
        let started = Instant::now();
        let mut totals = BatchStats::default();
        let mut rates = Rates { learning_rate: f64::NAN, momentum: None };
        let mut batches = self.loader.epoch(epoch, 0);
        while let Some(stats) = self.gather(&mut batches)? {
            rates = self.schedule.rates(self.clock);
            self.update(rates);
            let row = StepRow {
                step: self.clock.step,
                epoch,
                learning_rate: rates.learning_rate,
                momentum: self.momentum(rates),
                loss: stats.loss(),
            };
            self.clock.step += 1;
            totals += stats;
            observer.step(&row, &totals)?;
            if !row.loss.is_finite() {
                break;
            }
        }
        let training_seconds = started.elapsed().as_secs_f64();
        let validation = if totals.loss_sum.is_finite() {
            let stats = evaluate(&mut *self.engine, &self.parameters, &self.validation)?;
            (stats.loss(), stats.accuracy())
        } else {
            (f64::NAN, f64::NAN)
        };
        Ok(EpochRow {
            epoch,
            learning_rate: rates.learning_rate,
            loss: totals.loss(),
            accuracy: totals.accuracy(),
            val_loss: Some(validation.0),
            val_accuracy: Some(validation.1),
            momentum: self.momentum(rates),
            step: self.clock.step,
            images_per_second: totals.images as f64 / training_seconds,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// The gradients of the next step, summed over its micro-batches, and its stats; `None` where the epoch has ended.
    fn gather(&mut self, batches: &mut Epoch) -> Result<Option<BatchStats>> {
        let mut totals = BatchStats::default();
        let mut gathered: Option<Gradients> = None;
        for micro in batches {
            totals += self.engine.train_batch(&mut self.parameters, &micro, &mut self.gradients)?;
            if let Some(sum) = &mut gathered {
                sum.add(&self.gradients);
            }
            if micro.completes_step {
                if let Some(sum) = gathered {
                    self.gradients = sum;
                }
                return Ok(Some(totals));
            }
            gathered.get_or_insert_with(|| self.gradients.clone());
        }
        Ok(None)
    }

    /// The momentum that a step with `rates` is made with; `None` for an optimizer without one.
    fn momentum(&self, rates: Rates) -> Option<f64> {
        self.config.optimizer.momentum(self.config.semantics).map(|own| rates.momentum.unwrap_or(own))
    }

    fn update(&mut self, rates: Rates) {
        let mut slices: Vec<Slice<'_, f32>> = self
            .parameters
            .arrays_mut()
            .iter_mut()
            .zip(&self.gradients.arrays)
            .filter(|(array, _)| array.role == Role::Trainable)
            .map(|(array, gradient)| Slice { name: &array.name, values: &mut array.values, gradient })
            .collect();
        self.optimizer.step(&mut slices, rates);
    }
}

fn evaluate(engine: &mut dyn Engine, parameters: &Parameters, images: &Loader) -> Result<BatchStats> {
    let mut totals = BatchStats::default();
    for batch in images.epoch(0, 0) {
        totals += engine.eval_batch(parameters, &batch, None)?;
    }
    Ok(totals)
}

impl Outcome {
    fn see(&mut self, row: &EpochRow) {
        // The first of equal epochs is the best: what came later did not improve on it.
        if row
            .val_accuracy
            .is_some_and(|accuracy| accuracy.is_finite() && self.best_val_accuracy.is_none_or(|best| accuracy > best))
        {
            self.best_val_accuracy = row.val_accuracy;
            self.best_epoch = Some(row.epoch);
        }
        self.last = Some(row.clone());
    }
}

fn diverged(row: &EpochRow) -> Option<String> {
    let name = if !row.loss.is_finite() {
        "loss"
    } else if row.val_loss.is_some_and(|loss| !loss.is_finite()) {
        "val_loss"
    } else {
        return None;
    };
    Some(format!(
        "{name} is {} at epoch {} with rate {} (step {}): the run diverged; its rows are kept. Try a smaller --lr (`lrsched find` suggests one), or --warmup",
        if name == "loss" { row.loss } else { row.val_loss.unwrap_or(f64::NAN) },
        row.epoch,
        row.learning_rate,
        row.step
    ))
}
