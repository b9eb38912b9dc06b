//! One optimisation step: from the next batch to the updated weights.

use super::average::Averager;
use super::checkpoint::{Checkpoint, Points};
use super::control::ThreadShare;
use super::prepared::{EngineOptions, Prepared, PreparedImages};
use crate::config::RunConfig;
use crate::data::{Epoch, Loader, Tta};
use crate::engine::BatchStats;
use crate::model::{Architecture, Array, Gradients, Parameters, Role};
use crate::optim::{Average, Clipping, Grouped, Grouping, OptimizerSpec, Slice, StepRates};
use crate::schedule::Semantics;
use crate::usage::Usage;
use anyhow::Result;
use std::time::{Duration, Instant};

/// A network and the optimizers that train it.
pub struct Trainer {
    pub prepared: Prepared,
    pub optimizer: Grouped<f32>,
    clipping: Clipping,
    gradients: Gradients,
    /// The groups that the engine knows to be frozen.
    frozen: Vec<bool>,
    average: Option<Averager>,
    /// The parameters to evaluate and to save, once they have been asked for since the last update.
    evaluated: Option<Parameters>,
    share: ThreadShare,
    /// The number that the share had when the engine last followed it, or was refused.
    followed: usize,
}

/// The result of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepDone {
    /// Loss and accuracy of the batch, before the update.
    pub stats: BatchStats,
    pub times: StepTimes,
}

/// How long each part of a step took.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepTimes {
    /// Waiting for images.
    pub loading: Duration,
    /// Forward and backward.
    pub gradients: Duration,
    pub update: Duration,
}

impl StepTimes {
    pub fn total(&self) -> Duration {
        self.loading + self.gradients + self.update
    }
}

impl std::ops::AddAssign for StepTimes {
    fn add_assign(&mut self, other: Self) {
        self.loading += other.loading;
        self.gradients += other.gradients;
        self.update += other.update;
    }
}

impl Trainer {
    /// The network and the optimizers of `config`, for a run or a range test.
    ///
    /// # Errors
    /// As [`Prepared::new`]; an invalid optimizer spec, a parameter group that matches nothing.
    pub fn of(
        images: PreparedImages,
        architecture: &Architecture,
        config: &RunConfig,
        threads: impl Into<ThreadShare>,
    ) -> Result<Self> {
        let share = threads.into();
        let optimizer = Grouped::new(&config.optimizer, config.grouping(architecture)?, config.semantics)?;
        let prepared = Prepared::new(images, architecture, config.seed, &EngineOptions::of(config, share.get()))?;
        Ok(Self { clipping: config.clipping(), ..Self::with(prepared, optimizer, share) })
    }

    /// Without written groups and clipping; what `optimizer` cannot take falls to another, as in a run. The engine in `prepared` computes with as many threads as the share has at each step.
    ///
    /// # Errors
    /// An invalid optimizer spec.
    pub fn new(
        prepared: Prepared,
        optimizer: &OptimizerSpec,
        semantics: Semantics,
        share: impl Into<ThreadShare>,
    ) -> Result<Self> {
        let trainable = prepared.parameters.arrays().iter().filter(|array| array.role == Role::Trainable);
        let named = trainable.map(|array| (array.name.as_str(), array.shape.as_slice()));
        let grouping = Grouping::new(&[], optimizer, semantics, named)?;
        let optimizer = Grouped::new(optimizer, grouping, semantics)?;
        Ok(Self::with(prepared, optimizer, share.into()))
    }

    fn with(prepared: Prepared, optimizer: Grouped<f32>, share: ThreadShare) -> Self {
        let gradients = Gradients::zeros(&prepared.parameters);
        // The share may have grown since the engine was built.
        let (followed, clipping) = (prepared.engine.threads(), Clipping::default());
        Self {
            prepared,
            optimizer,
            clipping,
            gradients,
            frozen: Vec::new(),
            average: None,
            evaluated: None,
            share,
            followed,
        }
    }

    /// Evaluates and saves this average instead of the weights that are trained.
    ///
    /// # Errors
    /// An optimizer averages by itself.
    pub fn averaged(self, average: Option<Average>) -> Result<Self, Usage> {
        match average {
            Some(_) if self.optimizer.has_evaluation_point() => Err(two_averages()),
            average => {
                let start = |average| Averager::start(average, &self.prepared.parameters);
                Ok(Self { average: average.map(start), ..self })
            }
        }
    }

    /// Weights taken into the average so far.
    pub fn averages_taken(&self) -> u64 {
        self.average.as_ref().map_or(0, Averager::taken)
    }

    /// Restores the weights and the state of all that a step depends on.
    ///
    /// # Errors
    /// The checkpoint is of another network or other optimizers.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let parameters = &mut self.prepared.parameters;
        checkpoint.fill(parameters)?;
        let trainable = parameters.arrays().iter().filter(|array| array.role == Role::Trainable);
        let lengths: Vec<_> = trainable.map(|array| (array.name.as_str(), array.values.len())).collect();
        let (states, arrays) = checkpoint.optimizer_states();
        self.optimizer.restore(states, arrays, &lengths)?;
        if let Some(average) = &mut self.average {
            let saved = |array: &Array| checkpoint.weights.get(&array.name).map(|(_, values)| values.as_slice());
            average.restore(checkpoint.state.step, checkpoint.state.averages_taken, parameters, saved);
        }
        self.evaluated = None;
        Ok(())
    }

    /// Accumulates the gradients of the next batch over its micro-batches and updates the weights at `rates`; `None` at the end of the epoch.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn step(&mut self, batches: &mut Epoch, rates: &StepRates) -> Result<Option<StepDone>> {
        self.adopt_threads();
        self.freeze(rates);
        let Prepared { engine, parameters, .. } = &mut self.prepared;
        let (mut stats, mut times) = (BatchStats::default(), StepTimes::default());
        // ∂(Σ loss / images of the batch)/∂θ, accumulated over the micro-batches so far.
        let mut accumulated: Option<Gradients> = None;
        loop {
            let Some(micro) = timed(&mut times.loading, || batches.next()) else { return Ok(None) };
            stats += timed(&mut times.gradients, || engine.train_batch(parameters, &micro, &mut self.gradients))?;
            if let Some(sum) = &mut accumulated {
                sum.add(&self.gradients);
            }
            if micro.completes_step {
                break;
            }
            accumulated.get_or_insert_with(|| self.gradients.clone());
        }
        if let Some(sum) = accumulated {
            self.gradients = sum;
        }
        timed(&mut times.update, || self.update(rates));
        Ok(Some(StepDone { stats, times }))
    }

    /// Tells the engine which parameters are frozen, so that their gradients cost nothing.
    fn freeze(&mut self, rates: &StepRates) {
        let frozen: Vec<bool> = rates.groups.iter().map(Option::is_none).collect();
        if frozen != self.frozen {
            let arrays = self.prepared.parameters.arrays().iter();
            let arrays: Vec<bool> = arrays.map(|array| !self.optimizer.moves(&array.name, rates)).collect();
            self.prepared.engine.freeze(&arrays);
            self.frozen = frozen;
        }
    }

    /// Computes with as many threads as the share has now. If the system refuses them, the engine keeps those it has.
    fn adopt_threads(&mut self) {
        let threads = self.share.get();
        if threads != self.followed {
            self.followed = threads;
            let _ = self.prepared.engine.set_threads(threads);
        }
    }

    /// The parameters that are trained, always `prepared.parameters`, and those to evaluate and to save. They differ if the
    /// run or an optimizer averages; batch norm's running statistics are computed again where nothing else fits the average.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn points(&mut self) -> Result<Points<'_>> {
        if self.evaluated.is_none()
            && let Some(average) = &self.average
            && let Some(mut point) = average.point(&self.prepared.parameters)
        {
            if average.has_own_statistics() {
                self.prepared.recompute_statistics(&mut point)?;
            }
            self.evaluated = Some(point);
        }
        if self.evaluated.is_none() && self.optimizer.has_evaluation_point() {
            let mut point = self.prepared.parameters.clone();
            for array in point.arrays_mut().iter_mut().filter(|array| array.role == Role::Trainable) {
                self.optimizer.move_to_evaluation_point(&array.name, &mut array.values);
            }
            self.prepared.recompute_statistics(&mut point)?;
            self.evaluated = Some(point);
        }
        Ok(Points { trained: &self.prepared.parameters, evaluated: self.evaluated.as_ref() })
    }

    /// Loss and accuracy on `images` at the point to evaluate, averaged over the views of `tta`; `None` if `stopping` returns true before the last batch.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn evaluate(&mut self, images: &Loader, tta: Tta, stopping: impl Fn() -> bool) -> Result<Option<BatchStats>> {
        self.points()?;
        let Prepared { engine, parameters, .. } = &mut self.prepared;
        Prepared::evaluate(engine.as_mut(), self.evaluated.as_ref().unwrap_or(parameters), images, tta, stopping)
    }

    /// The parameters to save of a run that is over.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn into_parameters(mut self) -> Result<Parameters> {
        self.points()?;
        Ok(self.evaluated.unwrap_or(self.prepared.parameters))
    }

    /// Clips the gradients and updates every trainable parameter that is not frozen, on the threads of the engine.
    fn update(&mut self, rates: &StepRates) {
        self.evaluated = None;
        let Prepared { engine, parameters, .. } = &mut self.prepared;
        let Gradients { arrays: gradients } = &mut self.gradients;
        let products = engine.products();
        engine.enter(&mut || {
            let moves = |optimizer: &Grouped<f32>, array: &Array| {
                array.role == Role::Trainable && optimizer.moves(&array.name, rates)
            };
            let (mut arrays, mut gradients): (Vec<_>, Vec<&mut [f32]>) = parameters
                .arrays_mut()
                .iter_mut()
                .zip(gradients.iter_mut())
                .filter(|(array, _)| moves(&self.optimizer, array))
                .map(|(array, gradient)| (array, gradient.as_mut_slice()))
                .unzip();
            self.clipping.apply(&mut gradients);
            let mut slices = Vec::with_capacity(gradients.len());
            for (array, gradient) in arrays.iter_mut().zip(&gradients) {
                let Array { name, shape, values, .. } = &mut **array;
                slices.push(Slice { name, shape, values, gradient });
            }
            self.optimizer.step(slices, rates, products.as_ref());
            if let Some(average) = &mut self.average {
                average.after_step(parameters, |array| moves(&self.optimizer, array));
            }
        });
    }
}

/// The error for an average beside that of an optimizer.
pub(super) fn two_averages() -> Usage {
    Usage("average: a schedule-free optimizer averages by itself; leave the average out".to_string())
}

/// Adds the duration of `work` to `time`.
fn timed<T>(time: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    *time += started.elapsed();
    done
}
