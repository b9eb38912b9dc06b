//! How long runs would take here, from a few measured steps.

use super::bench::{RATE, WARM_UP};
use super::scheduler::Scheduler;
use crate::config::RunConfig;
use crate::data::{BatchSize, Dataset, Epoch, Loader, Tta};
use crate::optim::{Grouped, OptimizerSpec};
use crate::schedule::Rates;
use crate::train::{Control, EVALUATION_BATCH, PreparedImages, ThreadShare, Trainer, loader_options};
use anyhow::Result;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Slow steps need fewer: no step follows after this.
const WARMING: Duration = Duration::from_secs(1);
/// How long to train for a measurement, shared by the optimizers, and the least for one of them.
const TRAINING: Duration = Duration::from_secs(2);
const LEAST: Duration = Duration::from_millis(300);
/// How long to evaluate.
const EVALUATING: Duration = Duration::from_millis(400);
/// The longest that one run waits for another to be measured: they are about as fast.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a run has left to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    pub optimizer: OptimizerSpec,
    /// Images to train on, each as often as it is seen.
    pub trained: u64,
    /// Images to evaluate, likewise.
    pub evaluated: u64,
}

/// What this machine does in a second, with as many runs at once as were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// Images trained on by all runs together, under each optimizer by name.
    pub training: Vec<(&'static str, f64)>,
    /// Images evaluated by all runs together.
    pub evaluation: f64,
    /// Runs prepared.
    pub preparation: f64,
}

impl Speed {
    /// Trains a few steps of `config` under each of the optimizers of `work`, in as many runs at once as `scheduler`
    /// says, on the images and in the batches that they would have. Everything happens in memory. `None` if a stop is
    /// requested meanwhile.
    ///
    /// # Errors
    /// As [`Run::new`](crate::train::Run::new); those of the engine.
    pub fn measure(
        config: &RunConfig,
        work: &[Work],
        dataset: &Dataset,
        scheduler: Scheduler,
        control: &Control,
    ) -> Result<Option<Self>> {
        // A plan that is over sooner than its measurement is measured no longer than it takes.
        let share = |images: u64| images / scheduler.at_once.max(1) as u64;
        let mut optimizers: Vec<(&OptimizerSpec, u64)> = Vec::new();
        for Work { optimizer, trained, .. } in work {
            match optimizers.iter_mut().find(|(known, _)| known.name() == optimizer.name()) {
                Some((_, images)) => *images = images.saturating_add(share(*trained)),
                None => optimizers.push((optimizer, share(*trained))),
            }
        }
        let evaluated = work.iter().fold(0, |sum: u64, work| sum.saturating_add(share(work.evaluated)));
        let gate = Gate { runs: scheduler.at_once, passed: AtomicUsize::new(0), broken: AtomicBool::new(false) };
        let mut sum = Self {
            training: optimizers.iter().map(|(optimizer, _)| (optimizer.name(), 0.0)).collect(),
            evaluation: 0.0,
            preparation: 0.0,
        };
        let mut failed = None;
        let measure = |_: &usize, threads: &ThreadShare| {
            let measured = Trial::new(dataset, config, threads.get(), &gate, control)
                .and_then(|mut trial| trial.measure(&optimizers, evaluated));
            if measured.is_err() {
                gate.broken.store(true, Ordering::Relaxed);
            }
            measured
        };
        let mut add = |_, measured: Result<Measured>| {
            match measured {
                Ok(measured) => sum.add(&measured),
                Err(error) => failed = failed.take().or(Some(error)),
            }
            ControlFlow::Continue(())
        };
        let trials: Vec<usize> = (0..scheduler.at_once).collect();
        scheduler.run(&trials, &|| false, &measure, &|_, _| false, &mut add)?;
        match failed {
            Some(error) => Err(error),
            None if control.stopping().is_some() => Ok(None),
            None => Ok(Some(sum)),
        }
    }

    fn add(&mut self, one: &Measured) {
        self.training.iter_mut().zip(&one.training).for_each(|((_, sum), speed)| *sum += speed);
        self.evaluation += one.evaluation;
        self.preparation += one.preparation;
    }

    /// The time that `work` takes with all runs kept busy.
    pub fn seconds(&self, work: &[Work]) -> f64 {
        let training =
            |name: &str| self.training.iter().find(|(known, _)| *known == name).map_or(f64::NAN, |(_, speed)| *speed);
        let seconds = |work: &Work| {
            work.trained as f64 / training(work.optimizer.name())
                + work.evaluated as f64 / self.evaluation
                + 1.0 / self.preparation
        };
        work.iter().map(seconds).sum()
    }
}

/// What one of the runs at once did in a second.
struct Measured {
    /// In the order of the optimizers.
    training: Vec<f64>,
    evaluation: f64,
    preparation: f64,
}

/// Keeps the measurements of the runs at once in step: none is timed while another is idle.
struct Gate {
    runs: usize,
    passed: AtomicUsize,
    /// A run failed and will not come.
    broken: AtomicBool,
}

impl Gate {
    /// Does `work` until every run has come as far as its `stage`, from 1.
    fn wait(&self, stage: usize, mut work: impl FnMut() -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        self.passed.fetch_add(1, Ordering::Relaxed);
        let waiting =
            || self.passed.load(Ordering::Relaxed) < stage * self.runs && !self.broken.load(Ordering::Relaxed);
        while waiting() && begun.elapsed() < PATIENCE {
            work()?;
        }
        Ok(())
    }
}

/// A network that is trained to measure it.
struct Trial<'a> {
    config: &'a RunConfig,
    trainer: Trainer,
    loader: Loader,
    batches: Epoch,
    epoch: u64,
    /// A batch of the images that it would be validated on, or tested.
    evaluated: Loader,
    gate: &'a Gate,
    control: &'a Control,
    preparation: f64,
}

impl<'a> Trial<'a> {
    fn new(
        dataset: &Dataset,
        config: &'a RunConfig,
        threads: usize,
        gate: &'a Gate,
        control: &'a Control,
    ) -> Result<Self> {
        let begun = Instant::now();
        let images = PreparedImages::new(dataset, config.validation, config.train_limit)?;
        let mut options = loader_options(config);
        // A larger batch comes in pieces of this size, each of which takes its share of the time.
        if options.batch_size.images(images.split.train.len())? > options.micro_batch {
            options.batch_size = BatchSize::Images(options.micro_batch);
        }
        let loader = images.training(options)?;
        let split = &images.split;
        let held_out = if split.validation.is_empty() { &split.test } else { &split.validation };
        let evaluated = images.in_order(&held_out.first(EVALUATION_BATCH), EVALUATION_BATCH);
        let trainer = Trainer::of(images, &config.architecture(), config, threads)?;
        let preparation = begun.elapsed().as_secs_f64();
        Ok(Self {
            config,
            trainer,
            batches: loader.epoch(0, 0)?,
            loader,
            epoch: 0,
            evaluated,
            gate,
            control,
            preparation,
        })
    }

    /// `optimizers`: each with the most images to train on, and `evaluated` to evaluate.
    fn measure(&mut self, optimizers: &[(&OptimizerSpec, u64)], evaluated: u64) -> Result<Measured> {
        let gate = self.gate;
        let mut training = Vec::new();
        let time = (TRAINING / optimizers.len() as u32).max(LEAST);
        for (stage, (optimizer, most)) in optimizers.iter().enumerate() {
            let config = RunConfig { optimizer: (*optimizer).clone(), ..self.config.clone() };
            let grouping = config.grouping(&config.architecture())?;
            self.trainer.optimizer = Grouped::new(optimizer, grouping, config.semantics)?;
            self.warm_up()?;
            gate.wait(2 * stage + 1, || self.step().map(drop))?;
            training.push(self.speed(time, *most, Self::step)?);
            gate.wait(2 * stage + 2, || self.step().map(drop))?;
        }
        let evaluation = self.speed(EVALUATING, evaluated, Self::evaluate)?;
        gate.wait(2 * optimizers.len() + 1, || self.evaluate().map(drop))?;
        Ok(Measured { training, evaluation, preparation: 1.0 / self.preparation.max(1e-9) })
    }

    fn warm_up(&mut self) -> Result<()> {
        let begun = Instant::now();
        for _ in 0..WARM_UP {
            self.step()?;
            if begun.elapsed() > WARMING || self.control.stopping().is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Images a second of `work`, which returns how many it did, over about `time` or `most` images; a stop cuts it short.
    fn speed(&mut self, time: Duration, most: u64, work: impl Fn(&mut Self) -> Result<usize>) -> Result<f64> {
        let (begun, mut images) = (Instant::now(), 0);
        while images == 0 || images < most && begun.elapsed() < time {
            if self.control.stopping().is_some() {
                break;
            }
            images += work(self)? as u64;
        }
        Ok(images as f64 / begun.elapsed().as_secs_f64())
    }

    /// A step of training.
    fn step(&mut self) -> Result<usize> {
        loop {
            if let Some(done) = self.trainer.step(&mut self.batches, &Rates::of(RATE).into())? {
                return Ok(done.stats.images);
            }
            self.epoch += 1;
            self.batches = self.loader.epoch(self.epoch, 0)?;
        }
    }

    /// An evaluation of one batch.
    fn evaluate(&mut self) -> Result<usize> {
        let stats = self.trainer.evaluate(&self.evaluated, Tta::None, || self.control.stopping().is_some())?;
        Ok(stats.map_or(0, |stats| stats.images))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DatasetKind, DatasetOptions};
    use crate::train::Stop;

    fn work(optimizer: &str, trained: u64, evaluated: u64) -> Work {
        Work { optimizer: optimizer.parse().unwrap(), trained, evaluated }
    }

    #[test]
    fn the_time_is_that_of_training_under_each_optimizer_of_evaluation_and_of_preparation() {
        let speed = Speed { training: vec![("sgd", 100.0), ("adam", 50.0)], evaluation: 500.0, preparation: 4.0 };
        let work = [work("sgd:momentum=0.9", 1000, 500), work("adam", 1000, 0)];
        assert_eq!(speed.seconds(&work), 10.0 + 1.0 + 20.0 + 0.5);
        assert_eq!(speed.seconds(&[]), 0.0);
    }

    #[test]
    fn every_optimizer_is_measured_in_any_number_of_runs_at_once_and_a_stop_ends_it() {
        let options = DatasetOptions { kind: DatasetKind::Synthetic, data_dir: None };
        let dataset = Dataset::open(&options).unwrap();
        let config = RunConfig {
            model: "tiny".parse().unwrap(),
            dataset: options.kind,
            validation: options.kind.default_validation(),
            train_limit: Some(60),
            batch_size: BatchSize::Full,
            ..RunConfig::default()
        };
        let work = [work("sgd", 1, 1), work("adam", 1, 1), work("sgd:momentum=0.9", 1, 1)];
        for at_once in [1, 3] {
            let scheduler = Scheduler { at_once, threads: 2 };
            let speed = Speed::measure(&config, &work, &dataset, scheduler, &Control::default()).unwrap().unwrap();
            let names: Vec<&str> = speed.training.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["sgd", "adam"]);
            let speeds = speed.training.iter().map(|(_, speed)| *speed).chain([speed.evaluation, speed.preparation]);
            assert!(speeds.into_iter().all(|speed| speed > 0.0 && speed.is_finite()), "{speed:?}");
        }
        let control = Control::default();
        control.stop(Stop::Interrupt);
        let scheduler = Scheduler { at_once: 2, threads: 2 };
        assert_eq!(Speed::measure(&config, &work, &dataset, scheduler, &control).unwrap(), None);
    }
}
