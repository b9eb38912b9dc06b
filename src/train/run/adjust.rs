//! Changing a run while it is under way: its rate, its schedule, its length.

use super::Run;
use crate::config::{Course, Reach};
use crate::number::rate;
use crate::record::{self, Change};
use crate::schedule::{Schedule, Spec, total_steps};
use crate::train::state::TrainState;
use crate::usage;
use anyhow::Result;
use serde_json::Number;

/// What a run can be changed to while it is under way: from its next step on.
#[derive(Debug, Clone, PartialEq)]
pub enum Adjustment {
    /// A constant rate.
    Rate(f64),
    /// Every rate times this.
    Scale(f64),
    /// Another schedule, on its own clock, with its base rate. Without one it takes the base rate that counts now: lr times what it was
    /// scaled by.
    Schedule(Spec, Option<f64>),
    /// The length of the run, and what becomes of the schedule.
    Epochs(u64, Reach),
}

impl Run<'_> {
    /// Changes the run from its next step on.
    ///
    /// # Errors
    /// A rate or a schedule that cannot be, or fewer epochs than the run has seen; nothing is changed then.
    pub fn adjust(&mut self, adjustment: &Adjustment) -> Result<()> {
        let TrainState { step, epoch, course: now, .. } = &self.state;
        let (setting, course) = match adjustment {
            Adjustment::Rate(rate) => ("lr", now.with_rate(*rate, *step)?),
            Adjustment::Scale(factor) => ("scale-lr", now.with_scale(*factor)?),
            Adjustment::Schedule(spec, lr) => {
                ("schedule", now.with_schedule(spec.clone(), lr.unwrap_or(now.lr * now.scale), *step))
            }
            Adjustment::Epochs(epochs, _) if epochs <= epoch => {
                return usage!("epochs must be more than the {epoch} that are done, got {epochs}");
            }
            Adjustment::Epochs(epochs, reach) => ("epochs", now.with_epochs(*epochs, *reach)),
        };
        total_steps(course.epochs, self.loader.steps_per_epoch())?;
        let mut schedule = course.build(self.config.semantics, self.loader.steps_per_epoch())?;
        match adjustment {
            Adjustment::Rate(_) | Adjustment::Schedule(..) => course.check_rates(&schedule, *step)?,
            // Rates that have decayed to next to nothing may be scaled further.
            Adjustment::Scale(_) => course.check_rates(&schedule, 0)?,
            Adjustment::Epochs(..) => {}
        }
        if matches!(adjustment, Adjustment::Scale(_) | Adjustment::Epochs(..)) {
            schedule.restore(&self.schedule.state())?;
        }
        let step_rate = |course: &Course, schedule: &Schedule| course.rates(schedule, self.clock()).learning_rate;
        let (from, to, from_text, to_text, told_course) = match adjustment {
            Adjustment::Epochs(epochs, reach) => {
                let steps = self.loader.steps_per_epoch();
                let what = match (reach, *epochs > now.until) {
                    (Reach::Hold, true) => ", schedule held",
                    (Reach::Hold, false) => ", schedule as it was",
                    // It does not know how long the run is.
                    (Reach::Stretch, _) if !now.depends_on_length(*epochs, self.config.semantics, steps)? => "",
                    (Reach::Stretch, true) => ", schedule stretched",
                    (Reach::Stretch, false) => ", schedule shortened",
                };
                let number = |epochs: u64| Some(Number::from(epochs));
                (number(now.epochs), number(*epochs), now.epochs.to_string(), format!("{epochs}{what}"), None)
            }
            _ => {
                let (old, new) = (step_rate(now, &self.schedule), step_rate(&course, &schedule));
                let words = |is: f64, course: &Course| format!("{} ({course})", rate(is));
                let number = |rate: f64| Number::from_f64(rate);
                (number(old), number(new), words(old, now), words(new, &course), Some(course.to_string()))
            }
        };
        let change = Change {
            time: record::now(),
            step: *step,
            epoch: step / self.loader.steps_per_epoch(),
            setting: setting.to_string(),
            from,
            to,
            from_text,
            to_text,
            course: told_course,
        };
        self.schedule = schedule;
        self.state.course = course;
        self.state.changes.push(change);
        Ok(())
    }
}
