//! One run: spec → schedule, dataset → loader → model → loss → gradients → optimizer.step(rates) → record.

mod adjust;
mod between;

pub use adjust::Adjustment;

use super::checkpoint::Checkpoint;
use super::control::{Stop, Supervision, ThreadShare};
use super::event::{Event, Reason, Started};
use super::outcome::{Ending, Outcome, Verdict};
use super::prepared::{EVALUATION_BATCH, PreparedImages, loader_options};
use super::state::TrainState;
use super::step::{Trainer, two_averages};
use crate::config::{Course, GroupCourses, RunConfig, decays};
use crate::data::{Dataset, Loader, Normalisation, Tta, Validation};
use crate::engine::{self, BatchStats};
use crate::model::Architecture;
use crate::optim::{Grouped, Grouping};
use crate::record::{EpochRow, StepRow};
use crate::schedule::{Clock, EpochMetrics, Rates, Schedule};
use crate::usage::Usage;
use anyhow::{Result, ensure};
use std::time::Instant;

/// A run ready to start; its config has been checked in full.
pub struct Run<'a> {
    config: &'a RunConfig,
    /// Digest of the images.
    dataset: String,
    trainer: Trainer,
    loader: Loader,
    validation: Loader,
    /// `None`: the run is not tested.
    test: Option<Loader>,
    schedule: Schedule,
    groups: GroupCourses,
    state: TrainState,
    /// How many of the changes the observer has been notified of.
    told: usize,
    /// How many of the control's requests this run has carried out, or that were made before it started.
    requests_seen: usize,
    /// When the run's timers were last advanced.
    mark: Instant,
    /// When the last checkpoint was made.
    saved: Instant,
    /// Whether that checkpoint was finite, and therefore handed out.
    handed_out: bool,
}

impl<'a> Run<'a> {
    /// # Errors
    /// [`crate::usage::Usage`] for anything in `config` that conflicts with the dataset or with the rest of the config.
    pub fn new(config: &'a RunConfig, dataset: &Dataset, threads: impl Into<ThreadShare>) -> Result<Self> {
        Self::with_architecture(config, &config.architecture(), dataset, threads)
    }

    /// A run of any network; the model in `config` only serves as a name.
    ///
    /// # Errors
    /// As [`Run::new`]; an architecture whose layers do not fit together or that does not take the images.
    pub fn with_architecture(
        config: &'a RunConfig,
        architecture: &Architecture,
        dataset: &Dataset,
        threads: impl Into<ThreadShare>,
    ) -> Result<Self> {
        let images = PreparedImages::new(dataset, config.validation, config.train_limit)?;
        let loader = images.training(loader_options(config))?;
        let validation = images.in_order(&images.split.validation, EVALUATION_BATCH);
        let test = Some(images.in_order(&images.split.test, EVALUATION_BATCH));
        let schedule = config.schedule(loader.steps_per_epoch())?;
        let trainer = Trainer::of(images, architecture, config, threads)?;
        let trainer = trainer.averaged(config.average(loader.steps_per_epoch())?)?;
        Ok(Self {
            groups: GroupCourses::new(trainer.optimizer.grouping(), config, loader.steps_per_epoch())?,
            trainer,
            config,
            dataset: dataset.digest().to_string(),
            loader,
            validation,
            test,
            schedule,
            state: TrainState::start(Course::of(config)),
            told: 0,
            requests_seen: 0,
            mark: Instant::now(),
            saved: Instant::now(),
            handed_out: true,
        })
    }

    /// Whether it looks at the test images at its end; a new run does. One that is there to choose something must not.
    #[must_use]
    pub fn tested(self, is_tested: bool) -> Self {
        Self { test: self.test.filter(|_| is_tested), ..self }
    }

    /// Restores the state of `checkpoint`, earlier or later.
    ///
    /// # Errors
    /// It belongs to a run with another config, or is inconsistent.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        ensure!(checkpoint.config == *self.config, "the checkpoint is of a run with another config than run.json");
        ensure!(
            checkpoint.dataset.as_ref().is_none_or(|dataset| *dataset == self.dataset),
            "the checkpoint is of a run on other images"
        );
        let (state, steps_per_epoch) = (&checkpoint.state, self.steps_per_epoch());
        let first = state.step.checked_sub(state.epoch.saturating_mul(steps_per_epoch));
        ensure!(
            first.is_some_and(|first| first <= steps_per_epoch),
            "the checkpoint contradicts itself: step {} is not in epoch {}, which has {steps_per_epoch} steps",
            state.step,
            state.epoch
        );
        self.schedule = state.course.build(self.config.semantics, steps_per_epoch)?;
        self.schedule.restore(&state.observed)?;
        self.groups.restore(&state.groups, self.config, steps_per_epoch)?;
        self.trainer.restore(checkpoint)?;
        self.told = state.changes.len();
        self.state = state.clone();
        Ok(())
    }

    pub fn config(&self) -> &'a RunConfig {
        self.config
    }

    /// The train state.
    pub fn state(&self) -> &TrainState {
        &self.state
    }

    pub fn steps_per_epoch(&self) -> u64 {
        self.loader.steps_per_epoch()
    }

    /// Warnings about the schedules for the rest of the run, one line each.
    ///
    /// # Errors
    /// Never for a run that has been built.
    pub fn schedule_warnings(&self) -> Result<Vec<String>, Usage> {
        let TrainState { course, step, .. } = &self.state;
        let mut warnings = self.groups.warnings(course, self.config, self.steps_per_epoch(), *step)?;
        warnings.extend(nothing_trained(self.trainer.optimizer.grouping()));
        Ok(warnings)
    }

    /// Those of a run of `config` that has not begun, without building its network.
    ///
    /// # Errors
    /// As [`Run::check_without_images`].
    pub fn warnings_without_images(config: &RunConfig, steps_per_epoch: u64) -> Result<Vec<String>, Usage> {
        let grouping = config.grouping(&config.architecture())?;
        let groups = GroupCourses::new(&grouping, config, steps_per_epoch)?;
        let mut warnings = groups.warnings(&Course::of(config), config, steps_per_epoch, 0)?;
        warnings.extend(nothing_trained(&grouping));
        Ok(warnings)
    }

    /// The names of the parameter groups besides the base group.
    pub fn group_names(&self) -> Vec<String> {
        self.groups.names()
    }

    /// That of its images.
    pub fn normalisation(&self) -> &Normalisation {
        &self.trainer.prepared.images.normalisation
    }

    /// The instruction set or backend that the engine uses.
    pub fn kernels(&self) -> &'static str {
        self.trainer.prepared.engine.kernels()
    }

    /// Reports the errors that [`Run::new`] would, without building the network.
    pub fn check(config: &RunConfig, dataset: &Dataset) -> Result<()> {
        Self::check_without_images(config, Self::steps_of(config, dataset)?)
    }

    /// Checks everything in `config` that does not depend on the images, for epochs of `steps_per_epoch` steps.
    ///
    /// # Errors
    /// A schedule or an optimizer that cannot be built; a device that this build does not support or that does not
    /// respond.
    pub fn check_without_images(config: &RunConfig, steps_per_epoch: u64) -> Result<()> {
        let grouping = config.grouping(&config.architecture())?;
        let optimizers = grouping.followers(&config.optimizer);
        Course::of(config).check_rates(&config.schedule(steps_per_epoch)?, 0, optimizers)?;
        GroupCourses::new(&grouping, config, steps_per_epoch)?;
        let optimizer = Grouped::<f32>::new(&config.optimizer, grouping, config.semantics)?;
        if config.average(steps_per_epoch)?.is_some() && optimizer.has_evaluation_point() {
            return Err(two_averages().into());
        }
        engine::check(config.engine, config.device)
    }

    /// The steps per epoch of a run of `config`.
    pub fn steps_of(config: &RunConfig, dataset: &Dataset) -> Result<u64> {
        let train = dataset.split(config.validation, config.train_limit)?.train;
        Ok(config.steps_per_epoch(train.len())?)
    }

    /// Trains to the end, until a loss is no longer finite, or until a stop is requested. A stopped run hands out a
    /// checkpoint of its last state first.
    ///
    /// # Errors
    /// Those of the engine and of the observer.
    pub fn train(mut self, supervision: &mut Supervision<'_>) -> Result<Outcome> {
        (self.mark, self.saved) = (Instant::now(), Instant::now());
        self.requests_seen = supervision.control.requests_made();
        let started = Started {
            config: self.config,
            state: &self.state,
            steps_per_epoch: self.steps_per_epoch(),
            train_images: self.loader.images(),
            trainable_parameters: self.trainer.prepared.parameters.trainable(),
            grouping: self.trainer.optimizer.grouping(),
            notes: self.notes(),
        };
        supervision.observer.observe(&Event::Started(&started))?;
        self.announce_changes(supervision)?;
        let ending = self.epochs(supervision)?;
        self.pass_time();
        let steps = self.state.course.epochs * self.steps_per_epoch();
        let chance = self.config.dataset.chance();
        let images = self.validation.images();
        Ok(Outcome::new(self.state, chance, images, steps, ending, self.handed_out, self.trainer.into_parameters()?))
    }

    /// Trains the remaining epochs and evaluates on the test images, if the run is tested.
    fn epochs(&mut self, supervision: &mut Supervision<'_>) -> Result<Ending> {
        while self.state.epoch < self.state.course.epochs {
            if let Some(stop) = self.steps(supervision)? {
                return Ok(Ending::Stopped(stop));
            }
            let Some(row) = self.epoch_row(supervision)? else { return self.stop(supervision) };
            supervision.observer.observe(&Event::Epoch(&row))?;
            self.state.see(&row);
            if let Some(verdict) = self.diverged(&row) {
                return Ok(Ending::Diverged(verdict));
            }
            self.schedule.observe(&EpochMetrics::from(&row));
            self.groups.observe(&EpochMetrics::from(&row));
            self.state.epoch += 1;
            (self.state.sums, self.state.epoch_seconds) = (BatchStats::default(), 0.0);
            self.save(Reason::Epoch, supervision)?;
        }
        let Some(test) = &self.test else { return Ok(Ending::Complete(None)) };
        match self.trainer.evaluate(test, self.config.tta, || supervision.control.stopping().is_some())? {
            Some(test) => Ok(Ending::Complete(Some(test))),
            None => self.stop(supervision),
        }
    }

    /// Makes the remaining steps of the epoch, until a stop is requested or the loss is no longer finite.
    fn steps(&mut self, supervision: &mut Supervision<'_>) -> Result<Option<Stop>> {
        let epoch = self.state.epoch;
        let first = self.state.step - epoch * self.steps_per_epoch();
        if let Some(stop) = self.between_steps(supervision, None)? {
            return Ok(Some(stop));
        }
        let mut batches = self.loader.epoch(epoch, first)?;
        loop {
            let rates = self.state.course.rates(&self.schedule, self.clock());
            let all = self.groups.rates(rates, self.clock());
            let Some(done) = self.trainer.step(&mut batches, &all)? else { return Ok(None) };
            let row = StepRow {
                step: self.state.step,
                epoch,
                learning_rate: rates.learning_rate,
                momentum: self.momentum(rates),
                loss: done.stats.loss(),
                groups: all.groups.iter().map(|rates| rates.map_or(0.0, |rates| rates.learning_rate)).collect(),
            };
            self.state.step += 1;
            self.state.sums += done.stats;
            (self.state.applied, self.state.last_loss) = (Some(rates), Some(row.loss));
            supervision.observer.observe(&Event::Step { row: &row, so_far: &self.state.sums })?;
            if !row.loss.is_finite() {
                return Ok(None);
            }
            let save = self.due(supervision.every);
            if let Some(stop) = self.between_steps(supervision, save)? {
                return Ok(Some(stop));
            }
        }
    }

    /// Validates after the last step of an epoch and returns its row; `None` if a stop is requested meanwhile.
    fn epoch_row(&mut self, supervision: &Supervision<'_>) -> Result<Option<EpochRow>> {
        self.pass_time();
        let training_seconds = self.state.epoch_seconds;
        let (mut val_loss, mut val_accuracy) = (f64::NAN, f64::NAN);
        if self.state.sums.loss_sum.is_finite() {
            let stopping = || supervision.control.stopping().is_some();
            match self.trainer.evaluate(&self.validation, Tta::None, stopping)? {
                Some(stats) => (val_loss, val_accuracy) = (stats.loss(), stats.accuracy()),
                None => return Ok(None),
            }
        }
        self.pass_time();
        let TrainState { epoch, step, sums, applied, epoch_seconds, .. } = &self.state;
        let rates = applied.unwrap_or(Rates::of(f64::NAN));
        Ok(Some(EpochRow {
            epoch: *epoch,
            learning_rate: rates.learning_rate,
            loss: sums.loss(),
            accuracy: sums.accuracy(),
            val_loss: Some(val_loss),
            val_accuracy: Some(val_accuracy),
            momentum: self.momentum(rates),
            step: *step,
            images_per_second: sums.images as f64 / training_seconds.max(1e-9),
            seconds: *epoch_seconds,
        }))
    }

    /// Reports the loss of `row` that is no longer finite, if any.
    fn diverged(&self, row: &EpochRow) -> Option<Verdict> {
        let losses = [("loss", Some(row.loss)), ("val_loss", row.val_loss)];
        let (column, loss) =
            losses.into_iter().find_map(|(column, loss)| Some((column, loss.filter(|loss| !loss.is_finite())?)))?;
        // A rate that was lower before the run diverged had been warmed up to, or was set by hand.
        let first = Clock { step: 0, ..self.clock() };
        let constant = self.state.course.rates(&self.schedule, first).learning_rate >= row.learning_rate;
        Some(Verdict::Diverged {
            column,
            loss,
            epoch: row.epoch,
            step: row.step,
            learning_rate: row.learning_rate,
            unwarmed: constant && self.state.changes.is_empty(),
        })
    }

    /// What the user may not expect of this config, one line each.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let cycles = self.schedule.rates(self.clock()).momentum.is_some();
        let grouping = self.trainer.optimizer.grouping();
        let mut optimizers = grouping.groups.iter().map(|group| &group.optimizer).chain([&self.config.optimizer]);
        if cycles && optimizers.all(|optimizer| optimizer.momentum(self.config.semantics).is_none()) {
            let optimizer = &self.config.optimizer;
            notes.push(format!("the schedule cycles momentum, but {optimizer} has none: only the rate is scheduled"));
        }
        let semantics = self.config.semantics;
        let optimizers = grouping.groups.iter().map(|group| &group.optimizer).chain([&self.config.optimizer]);
        let mut foreign: Vec<&str> = optimizers.filter(|one| !one.exists_in(semantics)).map(|one| one.name()).collect();
        foreign.sort_unstable();
        foreign.dedup();
        notes.extend(
            foreign.into_iter().map(|name| format!("{semantics} has no {name}: its updates are the native ones")),
        );
        let total = self.state.course.epochs * self.steps_per_epoch();
        let last = Clock { step: total.saturating_sub(1), ..self.clock() };
        let decays = decays(&self.schedule, last);
        notes.extend(self.config.optimizer.advice(self.config.lr, decays));
        let groups = grouping.groups.iter().zip(self.groups.decay(decays, last));
        notes.extend(groups.filter_map(|(group, decays)| {
            let advice = group.optimizer.advice(group.lr.unwrap_or(self.config.lr), decays)?;
            Some(format!("group {}: {advice}", group.name))
        }));
        // As the trainer has it: a later change of the length does not move its times.
        let average = self.config.average(self.steps_per_epoch()).ok().flatten();
        let advice = average
            .zip(self.config.average.as_ref())
            .and_then(|(average, spec)| Some(format!("average {spec}: {}", average.advice(total)?)));
        notes.extend(advice);
        if self.config.validation == Validation::Test {
            notes.push(
                "validating on the test images: whatever is chosen by them (best epoch, plateau) has seen them"
                    .to_string(),
            );
        }
        notes
    }

    fn clock(&self) -> Clock {
        let (step, steps_per_epoch) = (self.state.step, self.steps_per_epoch());
        Clock { step, steps_per_epoch, epochs: self.state.course.epochs }
    }

    /// The momentum of a step with `rates`; `None` for an optimizer without one.
    fn momentum(&self, rates: Rates) -> Option<f64> {
        self.config.optimizer.momentum(self.config.semantics).map(|own| rates.momentum.unwrap_or(own))
    }
}

/// Says so if every parameter is frozen from the start.
fn nothing_trained(grouping: &Grouping) -> Option<String> {
    let says = || "nothing is trained: all parameters are frozen from the start".to_string();
    grouping.is_frozen_throughout().then(says)
}
