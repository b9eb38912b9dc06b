//! Changing a running training run: its rate, schedule and length.

use super::Run;
use crate::config::{Course, Reach};
use crate::record::{self, Applied, Change, Changed, Fit, Origin};
use crate::schedule::{Schedule, Spec, total_steps};
use crate::train::state::TrainState;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;

/// A change to a running training run, effective from its next step.
#[derive(Debug, Clone, PartialEq)]
pub enum Adjustment {
    /// A constant rate.
    Rate(f64),
    /// Multiplies every rate by this.
    Scale(f64),
    /// Another schedule, on its own clock, with its base rate. Without one it takes the current base rate: lr times the
    /// scale.
    Schedule(Spec, Option<f64>),
    /// The length of the run, and how the schedule adapts.
    Epochs(u64, Reach),
}

impl Run<'_> {
    /// Changes the run from its next step on.
    ///
    /// # Errors
    /// An invalid rate or schedule, or fewer epochs than the run has already seen; the run is then unchanged.
    pub fn adjust(&mut self, adjustment: &Adjustment) -> Result<()> {
        let TrainState { step, epoch, course: now, .. } = &self.state;
        let course = match adjustment {
            Adjustment::Rate(rate) => now.with_rate(*rate, *step)?,
            Adjustment::Scale(factor) => now.with_scale(*factor)?,
            Adjustment::Schedule(spec, lr) => now.with_schedule(spec.clone(), lr.unwrap_or(now.lr * now.scale), *step),
            Adjustment::Epochs(epochs, _) if epochs <= epoch => {
                return usage!("epochs must be more than the {epoch} that are done, got {epochs}");
            }
            Adjustment::Epochs(epochs, reach) => now.with_epochs(*epochs, *reach),
        };
        total_steps(course.epochs, self.loader.steps_per_epoch())?;
        let mut schedule = course.build(self.config.semantics, self.loader.steps_per_epoch())?;
        let optimizers = self.trainer.optimizer.grouping().followers(&self.config.optimizer);
        match adjustment {
            Adjustment::Rate(_) | Adjustment::Schedule(..) => course.check_rates(&schedule, *step, optimizers)?,
            // Rates that have decayed to almost nothing may be scaled down further.
            Adjustment::Scale(_) => course.check_rates(&schedule, 0, optimizers)?,
            Adjustment::Epochs(..) => {}
        }
        if matches!(adjustment, Adjustment::Scale(_) | Adjustment::Epochs(..)) {
            schedule.restore(&self.schedule.state())?;
        }
        let what = match adjustment {
            Adjustment::Epochs(epochs, reach) => {
                // What depends on the length is asked of the groups as they are before the change.
                let fit = self.fit(*epochs, *reach)?;
                self.groups.set_epochs(*epochs, *reach, self.config, self.loader.steps_per_epoch())?;
                Changed::Epochs { from: Some(now.epochs), to: Some(*epochs), fit }
            }
            _ => {
                let applied = |course: &Course, schedule: &Schedule| Applied {
                    rate: Some(course.rates(schedule, self.clock()).learning_rate),
                    origin: Origin::Course(course.clone()),
                };
                let (from, to) = (applied(now, &self.schedule), applied(&course, &schedule));
                match adjustment {
                    Adjustment::Rate(_) => Changed::Rate { from, to },
                    Adjustment::Scale(_) => Changed::Scale { from, to },
                    _ => Changed::Schedule { from, to },
                }
            }
        };
        let change = Change { time: record::now(), step: *step, epoch: step / self.loader.steps_per_epoch(), what };
        self.schedule = schedule;
        self.state.course = course;
        self.state.changes.push(change);
        Ok(())
    }

    /// The first schedule, of the base group or another, whose rates up to the earlier end depend on which of the two lengths
    /// it is built for; `None` if none does.
    ///
    /// # Errors
    /// A schedule that is invalid for either length.
    pub fn depends_on_length(&self, epochs: u64) -> Result<Option<Spec>, Usage> {
        let (semantics, steps_per_epoch) = (self.config.semantics, self.loader.steps_per_epoch());
        for course in std::iter::once(&self.state.course).chain(self.groups.courses()) {
            if course.depends_on_length(epochs, semantics, steps_per_epoch)? {
                return Ok(Some(course.schedule.clone()));
            }
        }
        Ok(None)
    }

    /// How the schedule adapts if the run is `epochs` epochs long.
    fn fit(&self, epochs: u64, reach: Reach) -> Result<Fit> {
        let now = &self.state.course;
        Ok(match (reach, epochs > now.until) {
            (Reach::Hold, true) => Fit::Held,
            (Reach::Hold, false) => Fit::Kept,
            (Reach::Stretch, longer) => match self.depends_on_length(epochs)?.is_some() {
                false => Fit::Independent,
                true if longer => Fit::Stretched,
                true => Fit::Shortened,
            },
        })
    }
}
