//! The source of a run's rates: the initial schedule, or the one that replaced it.

use super::{MOST_STEPS, RunConfig};
use crate::number::{exact, rate};
use crate::optim::{Float as _, OptimizerSpec, check_rate};
use crate::schedule::{self, Clock, Rates, Rest, RunShape, Schedule, Semantics, Spec};
use crate::usage;
use crate::usage::Usage;
use serde::{Deserialize, Serialize};

/// A schedule, where its clock starts, where it ends, and the factor that its rates were scaled by.
///
/// Every manual change during a run ends up here, and this is part of every checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    pub schedule: Spec,
    /// The base rate: the schedule's `lr`.
    pub lr: f64,
    /// The step of the run at which the schedule's clock starts.
    pub since: u64,
    /// The run's length in epochs.
    pub epochs: u64,
    /// The epoch of the run at which the schedule ends; from then on its last rate is held.
    pub until: u64,
    /// The factor that every rate of the schedule is multiplied by.
    pub scale: f64,
}

/// Whether the rate ends below its highest; `last` is the last step of the run.
pub fn decays(schedule: &Schedule, last: Clock) -> bool {
    schedule.rates(last).learning_rate < schedule.highest(0).learning_rate
}

impl Course {
    /// The course of a run at its start.
    pub fn of(config: &RunConfig) -> Self {
        let (schedule, lr, epochs) = (config.schedule.clone(), config.lr, config.epochs);
        Self { schedule, lr, since: 0, epochs, until: epochs, scale: 1.0 }
    }

    /// The schedule, on the run's clock.
    ///
    /// # Errors
    /// A schedule that is invalid for epochs of `steps_per_epoch` steps.
    pub fn build(&self, semantics: Semantics, steps_per_epoch: u64) -> Result<Schedule, Usage> {
        Schedule::build_from(&self.schedule, &self.setting(semantics, steps_per_epoch), self.since)
    }

    /// The highest rate, if the schedule sets its own rates and the base rate is never applied, as in a one-cycle with a
    /// `max-lr`.
    pub fn own_peak(&self, semantics: Semantics, steps_per_epoch: u64) -> Option<f64> {
        if schedule::uses_base_rate(&self.schedule) {
            return None;
        }
        Some(self.build(semantics, steps_per_epoch).ok()?.highest(self.since).learning_rate * self.scale)
    }

    /// What the rate of a parameter group that follows this schedule is measured by: the base rate, or the peak of a schedule
    /// that never applies that.
    pub fn measure(&self, semantics: Semantics, steps_per_epoch: u64) -> f64 {
        self.own_peak(semantics, steps_per_epoch).filter(|peak| *peak > 0.0).unwrap_or(self.lr)
    }

    /// Warnings about the schedule in the rest of the run, one line each; `next` is the next step.
    ///
    /// # Errors
    /// Those of [`Course::build`].
    pub fn warnings(&self, semantics: Semantics, steps_per_epoch: u64, next: u64) -> Result<Vec<String>, Usage> {
        let rest = Rest { since: self.since, next, end: self.epochs * steps_per_epoch, scale: self.scale };
        self.warnings_of(semantics, steps_per_epoch, &rest)
    }

    /// The same, of any part of the run.
    ///
    /// # Errors
    /// Those of [`Course::build`].
    pub fn warnings_of(&self, semantics: Semantics, steps_per_epoch: u64, rest: &Rest) -> Result<Vec<String>, Usage> {
        schedule::warnings_of_rest(&self.schedule, &self.setting(semantics, steps_per_epoch), rest)
    }

    fn setting(&self, semantics: Semantics, steps_per_epoch: u64) -> RunShape {
        RunShape { learning_rate: self.lr, semantics, steps_per_epoch, epochs: self.until }
    }

    /// The rates to apply at a step. `schedule` is the result of [`Course::build`], with all that it has observed.
    pub fn rates(&self, schedule: &Schedule, clock: Clock) -> Rates {
        let rates = schedule.rates(clock);
        Rates { learning_rate: rates.learning_rate * self.scale, ..rates }
    }

    /// Switches to another schedule at step `since`, on its own clock, with the rest of the run as its length.
    #[must_use]
    pub fn with_schedule(&self, schedule: Spec, lr: f64, since: u64) -> Self {
        Self { schedule, lr, since, epochs: self.epochs, until: self.epochs, scale: 1.0 }
    }

    /// A constant `rate` from step `since` on.
    ///
    /// # Errors
    /// A rate that is not positive.
    pub fn with_rate(&self, rate: f64, since: u64) -> Result<Self, Usage> {
        check_rate::<f32>("lr", rate)?;
        Ok(self.with_schedule("constant".parse()?, rate, since))
    }

    /// Multiplies every rate from here on by `factor`.
    ///
    /// # Errors
    /// A factor that is not positive, or that takes the scale, or the scaled base rate, out of the range of f32.
    pub fn with_scale(&self, factor: f64) -> Result<Self, Usage> {
        let scale = self.scale * factor;
        if !(factor > 0.0 && scale > 0.0 && scale.is_finite()) {
            let on = if self.scale == 1.0 {
                String::new()
            } else {
                format!(", on the present scale of {}", rate(self.scale))
            };
            return usage!("scale-lr must be a number above 0, got {}{on}", exact(factor));
        }
        if !f32::holds(scale * self.lr) {
            let (factor, base) = (exact(factor), rate(self.scale * self.lr));
            return usage!("scale-lr {factor} x lr {base} must be {}", f32::rule());
        }
        Ok(Self { scale, ..self.clone() })
    }

    /// Checks that the rates of `schedule`, built from this course, can update f32 weights from step `from` on, by each of the `optimizers`
    /// that follow it. They may decay to any value, but the highest must be a normal number in f32.
    ///
    /// # Errors
    /// The highest rate is too small to move any weight or too large; a momentum that rounds to 1, or that an optimizer does not take.
    pub fn check_rates<'a>(
        &self,
        schedule: &Schedule,
        from: u64,
        optimizers: impl IntoIterator<Item = &'a OptimizerSpec>,
    ) -> Result<(), Usage> {
        let Rates { learning_rate, momentum } = schedule.highest(from);
        let rate = learning_rate * self.scale;
        if !f32::holds(rate) {
            return usage!("{self}: the highest rate of the run must be {}, got {}", f32::rule(), exact(rate));
        }
        match momentum {
            Some(momentum) if !f32::holds(momentum) || momentum as f32 >= 1.0 => {
                usage!("{self}: momentum must be 0, or {} and below 1, got {momentum:?}", f32::rule())
            }
            _ => optimizers.into_iter().try_for_each(|optimizer| optimizer.check_momentum(schedule, from)),
        }
    }

    /// Changes the length to `epochs`. The schedule keeps its end (`Reach::Hold`), or is stretched to the new length
    /// (`Reach::Stretch`).
    #[must_use]
    pub fn with_epochs(&self, epochs: u64, reach: Reach) -> Self {
        let until = match reach {
            Reach::Hold => self.until,
            Reach::Stretch => epochs,
        };
        Self { epochs, until, ..self.clone() }
    }

    /// Whether the rates up to the earlier of the two ends depend on which of the two lengths the schedule is built
    /// for.
    ///
    /// # Errors
    /// A schedule that is invalid for either length.
    pub fn depends_on_length(&self, epochs: u64, semantics: Semantics, steps_per_epoch: u64) -> Result<bool, Usage> {
        let held = self.build(semantics, steps_per_epoch)?;
        let stretched = self.with_epochs(epochs, Reach::Stretch).build(semantics, steps_per_epoch)?;
        let steps = self.until.min(epochs) * steps_per_epoch;
        // In a very long run, only evenly spaced steps are compared.
        let stride = (steps / MOST_STEPS).max(1) as usize;
        Ok((self.since..steps).step_by(stride).any(|t| held.at(t) != stretched.at(t)))
    }
}

/// What happens to a schedule when the length of the run changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The schedule keeps the length it was built for and holds its last rate after that.
    Hold,
    /// The schedule takes the new length, as if the run had been started with it.
    Stretch,
}

impl std::fmt::Display for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.schedule)?;
        // A base rate that is never applied would mislead.
        if schedule::uses_base_rate(&self.schedule) {
            write!(f, " at {}", exact(self.lr))?;
        }
        if self.scale != 1.0 { write!(f, " × {}", rate(self.scale)) } else { Ok(()) }
    }
}

/// That a given rate is unused because the schedule sets its own rates.
pub fn unused_rate(lr: f64, schedule: &Spec) -> Option<String> {
    let is_unused = !schedule::uses_base_rate(schedule);
    is_unused.then(|| format!("lr {} has no effect: {schedule} sets its own rates", exact(lr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_of_a_schedule_put_in_on_the_way_are_of_what_is_left_of_the_run() {
        // 5 epochs of 10 steps are left; the warm-up takes 25 of these steps.
        let linear = course("step", 10).with_schedule("linear:warmup=50%".parse().unwrap(), 0.5, 50);
        assert_eq!(rates(&linear, &[50, 55, 75, 80, 99]), [0.0, 0.1, 0.5, 0.4, 0.02]);
        // Mid-epoch: 40 steps are left.
        let sequence = "constant:for=25%;linear:over=50%".parse().unwrap();
        let sequence = course("step", 10).with_schedule(sequence, 0.6, 60);
        assert_eq!(rates(&sequence, &[60, 69, 70, 75, 85, 99]), [0.6, 0.6, 0.6, 0.4, 0.0, 0.0]);
        let odd = course("step", 10).with_schedule("cosine:warmup=20%".parse().unwrap(), 0.5, 55);
        assert_eq!(rates(&odd, &[55, 64, 82]), [0.0, 0.5, 0.25]);
    }

    #[test]
    fn the_state_that_older_checkpoints_have_of_a_schedule_put_in_on_the_way_is_read() {
        let plateau = course("step", 10).with_schedule("plateau:patience=0,factor=0.5".parse().unwrap(), 0.4, 50);
        let mut schedule = plateau.build(Semantics::Native, 10).unwrap();
        for epoch in 5..7 {
            schedule.observe(&crate::schedule::EpochMetrics {
                epoch,
                loss: 1.0,
                accuracy: 0.1,
                val_loss: Some(1.0),
                val_accuracy: None,
            });
        }
        let state = schedule.state();
        let before = serde_json::json!([null, state[0]]);
        for saved in [state, before] {
            let mut again = plateau.build(Semantics::Native, 10).unwrap();
            again.restore(&saved).unwrap();
            assert_eq!([69, 70].map(|t| again.at(t).learning_rate), [0.4, 0.2]);
        }
        let other =
            course("plateau", 10).build(Semantics::Native, 10).unwrap().restore(&serde_json::json!([null, null]));
        assert!(other.is_err(), "a schedule of the whole run never had one in front");
    }

    fn course(schedule: &str, epochs: u64) -> Course {
        Course { schedule: schedule.parse().unwrap(), lr: 0.1, since: 0, epochs, until: epochs, scale: 1.0 }
    }

    fn rates(course: &Course, steps: &[u64]) -> Vec<f64> {
        let schedule = course.build(Semantics::Native, 10).unwrap();
        let clock = |step| Clock { step, steps_per_epoch: 10, epochs: course.epochs };
        // To 12 decimals: the tests are about which rate applies, not about rounding.
        let rounded = |rate: f64| (rate * 1e12).round() / 1e12;
        steps.iter().map(|&step| rounded(course.rates(&schedule, clock(step)).learning_rate)).collect()
    }

    #[test]
    fn another_schedule_starts_its_own_clock_in_the_middle_of_an_epoch_and_ends_with_the_run() {
        let linear = course("step", 10).with_schedule("linear".parse().unwrap(), 0.5, 60);
        assert_eq!(rates(&linear, &[60, 80, 100]), [0.5, 0.25, 0.0]);
        let odd = course("step", 10).with_schedule("linear".parse().unwrap(), 0.9, 55);
        assert_eq!(rates(&odd, &[55, 60, 100]), [0.9, 0.8, 0.0]);
    }

    #[test]
    fn a_rate_by_hand_is_constant_and_a_factor_goes_onto_the_schedule_and_onto_earlier_factors() {
        assert_eq!(rates(&course("linear", 10).with_rate(0.03, 41).unwrap(), &[41, 99]), [0.03, 0.03]);
        let twice = course("linear", 10).with_scale(0.5).unwrap().with_scale(0.5).unwrap();
        assert_eq!(rates(&twice, &[0, 50]), [0.025, 0.0125]);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                course("linear", 10).with_scale(wrong).is_err() && course("linear", 10).with_rate(wrong, 0).is_err()
            );
        }
    }

    #[test]
    fn a_factor_is_shown_as_a_person_would_write_it_and_counts_in_full() {
        let twice = course("constant", 10).with_scale(0.1).unwrap().with_scale(0.1).unwrap();
        assert_eq!((twice.scale, twice.to_string().as_str()), (0.1 * 0.1, "constant at 0.1 × 0.01"));
    }

    #[test]
    fn where_the_schedule_sets_its_own_rates_no_base_rate_is_shown_but_their_peak_is_known() {
        let own = course("expr:0.4*(1-t/T)", 10).with_scale(0.5).unwrap();
        assert_eq!(own.to_string(), "expr:expr=0.4*(1-t/T) × 0.5");
        assert_eq!(own.own_peak(Semantics::Native, 10), Some(0.2));
        assert_eq!(course("cosine", 10).own_peak(Semantics::Native, 10), None);
    }

    #[test]
    fn a_longer_run_holds_the_last_rate_of_its_schedule_or_stretches_it() {
        let linear = course("linear:end-lr=0.02", 10);
        assert_eq!(rates(&linear.with_epochs(20, Reach::Hold), &[50, 100, 150]), [0.06, 0.02, 0.02]);
        assert_eq!(rates(&linear.with_epochs(20, Reach::Stretch), &[50, 100, 150]), [0.08, 0.06, 0.04]);
    }

    #[test]
    fn only_schedules_that_know_the_length_of_the_run_depend_on_it() {
        let depends = |schedule: &str| course(schedule, 10).depends_on_length(20, Semantics::Native, 10).unwrap();
        for schedule in ["cosine", "one-cycle", "linear", "wsd", "halve:when=epoch>=50%", "expr:lr*(1-t/T)"] {
            assert!(depends(schedule), "{schedule}");
        }
        for schedule in ["constant", "step", "plateau", "halve:when=epoch>=5", "linear:over=5ep", "exponential"] {
            assert!(!depends(schedule), "{schedule}");
        }
    }
}
