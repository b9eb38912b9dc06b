//! One run: spec → schedule, dataset → loader → model → loss → gradients → optimizer.step(rates) → record.

mod adjust;
mod probe;
mod verdict;

pub use adjust::Adjustment;
pub use probe::Probe;

use super::checkpoint::Checkpoint;
use super::control::{Control, Stop, Wish};
use super::observer::{Observer, Reason, Start};
use super::state::TrainState;
use super::update::update;
use crate::config::{Course, Every, RunConfig};
use crate::data::{BatchSize, Dataset, Epoch, Loader, LoaderOptions, Normalisation, Subset, Validation};
use crate::engine::{self, BatchStats, Engine, Objective};
use crate::model::{Gradients, Parameters, Role, initialise, whiten};
use crate::number::counted;
use crate::optim::Optimizer;
use crate::record::{EpochRow, Status, StepRow};
use crate::schedule::{Clock, EpochMetrics, Rates, Schedule};
use crate::usage::Usage;
use anyhow::{Result, ensure};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Images that a step takes at once; a larger batch is gathered from micro-batches of this size, in bounded memory.
const MICRO_BATCH: usize = 2048;
/// The same for `--batch-size full`, which nobody asked to be taken at once.
const MICRO_BATCH_OF_FULL: usize = 500;
/// Images that whitening kernels are made from, as airbench94 does.
const WHITENING_IMAGES: usize = 5000;
/// Images that an evaluation takes at once.
const EVALUATION_BATCH: usize = 500;

/// How often a paused run looks whether it is to go on.
const PAUSE: Duration = Duration::from_millis(30);

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub status: Status,
    /// What went wrong, or who stopped it, where that is so; a finished run may have lost what it had learnt.
    pub message: Option<String>,
    /// Why an interrupted run was stopped.
    pub stop: Option<Stop>,
    /// Whether the last checkpoint that was due could be made: of numbers.
    pub saved: bool,
    /// Updates made, by all the processes that worked on it.
    pub step: u64,
    /// The learning rate of the last of them; `None` where no step is left that could have another.
    pub rate: Option<f64>,
    pub last: Option<EpochRow>,
    pub best_epoch: Option<u64>,
    pub best_val_accuracy: Option<f64>,
    /// Of the weights after the last epoch; `None` where the run did not get there.
    pub test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    /// Time spent on the whole run, evaluation included, pauses not.
    pub seconds: f64,
    pub parameters: Parameters,
}

/// How the last epoch that was trained on ended.
enum Ending {
    Complete,
    Diverged(String),
    Stopped(Stop),
}

/// A run that is ready to start: everything that could be wrong with its config has been found by now.
pub struct Run<'a> {
    config: &'a RunConfig,
    /// Digest of the images.
    dataset: String,
    loader: Loader,
    validation: Loader,
    test: Loader,
    engine: Box<dyn Engine>,
    parameters: Parameters,
    gradients: Gradients,
    optimizer: Optimizer<f32>,
    schedule: Schedule,
    state: TrainState,
    /// How many of the changes the observers know of.
    told: usize,
    /// When the clocks of the position were last advanced, and when the last checkpoint was made.
    mark: Instant,
    saved: Instant,
    /// Whether that one was of numbers, and so handed out.
    handed_out: bool,
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
        let schedule = config.schedule(loader.steps_per_epoch())?;
        let architecture = config.architecture();
        let mut parameters = initialise(&architecture, config.seed);
        if let Some(name) = architecture.whitened() {
            let sample = Loader::in_order(split.train.first(WHITENING_IMAGES), normalisation.clone(), WHITENING_IMAGES);
            let input = architecture.input;
            for batch in sample.epoch(0, 0)? {
                whiten(&batch.images, input.height, input.width, &mut parameters, name);
            }
        }
        let objective = Objective { label_smoothing: config.label_smoothing as f32 };
        Ok(Self {
            engine: engine::build(config.engine, config.device, &architecture, objective, threads)?,
            gradients: Gradients::zeros(&parameters),
            optimizer: Optimizer::new(&config.optimizer, config.semantics)?,
            config,
            dataset: dataset.digest().to_string(),
            validation: in_order(&split.validation),
            test: in_order(&split.test),
            loader,
            parameters,
            schedule,
            state: TrainState::start(Course::of(config)),
            told: 0,
            mark: Instant::now(),
            saved: Instant::now(),
            handed_out: true,
        })
    }

    /// Goes back, or forward, to where `checkpoint` was made.
    ///
    /// # Errors
    /// It is of a run with another config.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        ensure!(checkpoint.config == *self.config, "the checkpoint is of a run with another config than run.json");
        ensure!(
            checkpoint.dataset.as_ref().is_none_or(|dataset| *dataset == self.dataset),
            "the checkpoint is of a run on other images"
        );
        let state = &checkpoint.state;
        let first = state.step.checked_sub(state.epoch.saturating_mul(self.loader.steps_per_epoch()));
        ensure!(
            first.is_some_and(|first| first <= self.loader.steps_per_epoch()),
            "the checkpoint contradicts itself: step {} is not in epoch {}, which has {} steps",
            state.step,
            state.epoch,
            self.loader.steps_per_epoch()
        );
        self.schedule = state.course.build(self.config.semantics, self.loader.steps_per_epoch())?;
        self.schedule.restore(&state.observed)?;
        checkpoint.fill(&mut self.parameters)?;
        let trainable = self.parameters.arrays().iter().filter(|array| array.role == Role::Trainable);
        let lengths = trainable.map(|array| (array.name.as_str(), array.values.len()));
        self.optimizer.restore(checkpoint.optimizer_state(), lengths)?;
        self.told = state.changes.len();
        self.state = state.clone();
        Ok(())
    }

    pub fn config(&self) -> &'a RunConfig {
        self.config
    }

    /// Where the run stands.
    pub fn state(&self) -> &TrainState {
        &self.state
    }

    /// S.
    pub fn steps_per_epoch(&self) -> u64 {
        self.loader.steps_per_epoch()
    }

    /// What looks wrong with the schedule in what is left of the run, a line each.
    ///
    /// # Errors
    /// None in a run that has been built.
    pub fn schedule_warnings(&self) -> Result<Vec<String>, Usage> {
        let TrainState { course, step, .. } = &self.state;
        course.warnings(self.config.semantics, self.loader.steps_per_epoch(), *step)
    }

    /// What the engine computes with.
    pub fn kernels(&self) -> &'static str {
        self.engine.kernels()
    }

    /// Finds what [`Run::new`] would find wrong with `config`, without building the network.
    pub fn check(config: &RunConfig, dataset: &Dataset) -> Result<()> {
        Self::check_without_images(config, Self::steps_of(config, dataset)?)
    }

    /// Finds what is wrong with `config` whatever the images are, in epochs of `steps_per_epoch` steps.
    ///
    /// # Errors
    /// A schedule or an optimizer that cannot be built; a device that this build lacks or that does not answer.
    pub fn check_without_images(config: &RunConfig, steps_per_epoch: u64) -> Result<()> {
        Course::of(config).check_rates(&config.schedule(steps_per_epoch)?, 0)?;
        Optimizer::<f32>::new(&config.optimizer, config.semantics)?;
        engine::check(config.engine, config.device)
    }

    /// The steps per epoch that a run of `config` would have.
    pub fn steps_of(config: &RunConfig, dataset: &Dataset) -> Result<u64> {
        let train = dataset.split(config.validation, config.train_limit)?.train;
        let batch = config.batch_size.images(train.len())?;
        Ok(train.len().div_ceil(batch) as u64)
    }

    /// Trains to the end, until the loss is no longer a number, or until `control` asks it to stop; a run that is asked to stop has
    /// handed out a checkpoint of where it stopped.
    pub fn train(mut self, control: &Control, every: Option<Every>, observer: &mut dyn Observer) -> Result<Outcome> {
        (self.mark, self.saved) = (Instant::now(), Instant::now());
        observer.start(&Start {
            config: self.config,
            state: &self.state,
            steps_per_epoch: self.loader.steps_per_epoch(),
            train_images: self.loader.images(),
            trainable_parameters: self.parameters.trainable(),
            notes: self.notes(),
        })?;
        self.tell(observer)?;
        let mut ending = self.epochs(control, every, observer)?;
        let mut test = None;
        if let Ending::Complete = ending {
            test = evaluate_unless(&mut *self.engine, &self.parameters, &self.test, || control.stopping().is_some())?;
            if let (None, Some(stop)) = (test, control.stopping()) {
                self.save(Reason::Stop, observer)?;
                ending = Ending::Stopped(stop);
            }
        }
        self.pass_time();
        let steps = self.state.course.epochs * self.loader.steps_per_epoch();
        let state = self.state;
        let (status, stop, message) = match ending {
            Ending::Complete => (Status::Finished, None, state.lost().map(verdict::lost)),
            Ending::Diverged(message) => (Status::Diverged, None, Some(message)),
            Ending::Stopped(stop) => {
                let at = format!("stopped in epoch {} after {}", state.epoch, counted(state.step, "step"));
                (Status::Interrupted, Some(stop), Some(at))
            }
        };
        Ok(Outcome {
            status,
            message,
            stop,
            saved: self.handed_out,
            step: state.step,
            rate: state.applied.map(|rates| rates.learning_rate).filter(|_| state.step < steps),
            last: state.row,
            best_epoch: state.best_epoch,
            best_val_accuracy: state.best_val_accuracy,
            test_loss: test.as_ref().map(BatchStats::loss),
            test_accuracy: test.as_ref().map(BatchStats::accuracy),
            seconds: state.seconds,
            parameters: self.parameters,
        })
    }

    /// The epochs that are left.
    fn epochs(&mut self, control: &Control, every: Option<Every>, observer: &mut dyn Observer) -> Result<Ending> {
        while self.state.epoch < self.state.course.epochs {
            if let Some(stop) = self.steps(control, every, observer)? {
                return Ok(Ending::Stopped(stop));
            }
            let Some(row) = self.row(control)? else {
                self.save(Reason::Stop, observer)?;
                return Ok(Ending::Stopped(control.stopping().unwrap_or(Stop::Interrupt)));
            };
            observer.epoch(&row)?;
            self.state.see(&row);
            if let Some(message) = self.diverged(&row) {
                return Ok(Ending::Diverged(message));
            }
            self.schedule.observe(&EpochMetrics {
                epoch: row.epoch,
                loss: row.loss,
                accuracy: row.accuracy,
                val_loss: row.val_loss,
                val_accuracy: row.val_accuracy,
            });
            self.state.epoch += 1;
            (self.state.sums, self.state.epoch_seconds) = (BatchStats::default(), 0.0);
            self.save(Reason::Epoch, observer)?;
        }
        Ok(Ending::Complete)
    }

    /// What the user may not expect of this config.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let cycles = self.schedule.rates(self.clock()).momentum.is_some();
        if cycles && self.config.optimizer.momentum(self.config.semantics).is_none() {
            let optimizer = &self.config.optimizer;
            notes.push(format!("the schedule cycles momentum, but {optimizer} has none: only the rate is scheduled"));
        }
        if self.config.validation == Validation::Test {
            notes.push(
                "validating on the test images: whatever is chosen by them (best epoch, plateau) has seen them"
                    .to_string(),
            );
        }
        notes
    }

    /// The steps of the epoch under way that are left, until somebody asks to stop or the loss is no longer a number.
    fn steps(&mut self, control: &Control, every: Option<Every>, observer: &mut dyn Observer) -> Result<Option<Stop>> {
        let epoch = self.state.epoch;
        let first = self.state.step - epoch * self.loader.steps_per_epoch();
        if let Some(stop) = self.attend(control, None, observer)? {
            return Ok(Some(stop));
        }
        let mut batches = self.loader.epoch(epoch, first)?;
        while let Some(stats) = self.gather(&mut batches)? {
            let rates = self.state.course.rates(&self.schedule, self.clock());
            self.update(rates);
            let row = StepRow {
                step: self.state.step,
                epoch,
                learning_rate: rates.learning_rate,
                momentum: self.momentum(rates),
                loss: stats.loss(),
            };
            self.state.step += 1;
            self.state.sums += stats;
            (self.state.applied, self.state.last_loss) = (Some(rates), Some(row.loss));
            observer.step(&row, &self.state.sums)?;
            if !row.loss.is_finite() {
                break;
            }
            if let Some(stop) = self.attend(control, every, observer)? {
                return Ok(Some(stop));
            }
        }
        Ok(None)
    }

    /// The row of the epoch whose steps are made, with its validation; `None` where somebody asked to stop meanwhile.
    fn row(&mut self, control: &Control) -> Result<Option<EpochRow>> {
        self.pass_time();
        let training_seconds = self.state.epoch_seconds;
        let (mut val_loss, mut val_accuracy) = (f64::NAN, f64::NAN);
        if self.state.sums.loss_sum.is_finite() {
            let stopping = || control.stopping().is_some();
            match evaluate_unless(&mut *self.engine, &self.parameters, &self.validation, stopping)? {
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

    /// Between two steps: does what was asked from outside, makes the checkpoint that is due, and waits out a pause.
    fn attend(&mut self, control: &Control, every: Option<Every>, observer: &mut dyn Observer) -> Result<Option<Stop>> {
        self.pass_time();
        let mut save = self.is_due(every).then_some(Reason::Due);
        loop {
            for wish in control.wishes() {
                let adjustment = match wish {
                    Wish::Save => {
                        save = Some(Reason::Asked);
                        continue;
                    }
                    Wish::Scale(factor) => Adjustment::Scale(factor),
                    Wish::Rate(rate) => Adjustment::Rate(rate),
                };
                // Invalid key requests are ignored.
                let _ = self.adjust(&adjustment);
            }
            self.tell(observer)?;
            if let Some(stop) = control.stopping() {
                self.save(Reason::Stop, observer)?;
                return Ok(Some(stop));
            }
            if let Some(reason) = save.take() {
                self.save(reason, observer)?;
            }
            if !control.paused() {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
            self.mark = Instant::now();
        }
    }

    fn is_due(&self, every: Option<Every>) -> bool {
        // One is made at the end of the epoch anyway.
        let ends_epoch = self.state.step.is_multiple_of(self.loader.steps_per_epoch());
        match every {
            Some(Every::Steps(steps)) => self.state.step.is_multiple_of(steps) && !ends_epoch,
            Some(Every::Time(time)) => self.saved.elapsed() >= time && !ends_epoch,
            None => false,
        }
    }

    /// Checkpoints pending changes, then notifies observers: a change that was announced is never lost.
    fn tell(&mut self, observer: &mut dyn Observer) -> Result<()> {
        if self.told == self.state.changes.len() {
            return Ok(());
        }
        self.save(Reason::Change, observer)?;
        self.state.changes[self.told..].iter().try_for_each(|change| observer.changed(change))?;
        self.told = self.state.changes.len();
        Ok(())
    }

    /// Hands out a checkpoint.
    fn save(&mut self, reason: Reason, observer: &mut dyn Observer) -> Result<()> {
        self.pass_time();
        self.saved = Instant::now();
        self.state.observed = self.schedule.state();
        let (state, optimizer) = (self.state.clone(), self.optimizer.state());
        let checkpoint = Checkpoint::new(self.config, &self.dataset, state, &self.parameters, optimizer);
        // With weights that are no numbers the next step ends the run as diverged; the checkpoint before is the one to go on from.
        self.handed_out = checkpoint.is_finite();
        if self.handed_out { observer.checkpoint(&Arc::new(checkpoint), reason) } else { Ok(()) }
    }

    /// Advances the clocks to now.
    fn pass_time(&mut self) {
        let seconds = self.mark.elapsed().as_secs_f64();
        self.mark = Instant::now();
        self.state.seconds += seconds;
        self.state.epoch_seconds += seconds;
    }

    fn clock(&self) -> Clock {
        let (step, steps_per_epoch) = (self.state.step, self.loader.steps_per_epoch());
        Clock { step, steps_per_epoch, epochs: self.state.course.epochs }
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
        update(self.engine.as_ref(), &mut self.optimizer, &mut self.parameters, &self.gradients, rates);
    }
}

/// `None` where `stopping` says so before it is done.
fn evaluate_unless(
    engine: &mut dyn Engine,
    parameters: &Parameters,
    images: &Loader,
    stopping: impl Fn() -> bool,
) -> Result<Option<BatchStats>> {
    let mut totals = BatchStats::default();
    for batch in images.epoch(0, 0)? {
        totals += engine.eval_batch(parameters, &batch, None)?;
        if stopping() {
            return Ok(None);
        }
    }
    Ok(Some(totals))
}
