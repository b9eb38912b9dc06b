//! The rates of the parameter groups besides the base group.

use super::{Course, Reach, RunConfig, decays, unused_rate};
use crate::optim::{Group, Grouping, State, StepRates};
use crate::schedule::{Clock, EpochMetrics, Rates, Rest, Schedule};
use crate::usage::Usage;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a checkpoint holds of a group, apart from its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupState {
    pub name: String,
    /// Updates made by its optimizer.
    pub optimizer_steps: u64,
    /// Its numbers that are no arrays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub optimizer_scalars: BTreeMap<String, f64>,
    /// `None`: it follows the run's.
    pub course: Option<Course>,
    /// State of its schedule, if that listens to metrics.
    pub observed: Value,
}

/// The groups of a run, each with where its rates come from.
pub struct GroupCourses(Vec<GroupCourse>);

struct GroupCourse {
    name: String,
    /// `None`: it follows the run's schedule.
    own: Option<(Course, Schedule)>,
    /// What its own rate is measured by: the base rate of the run, or the peak of a schedule that never applies that.
    base_lr: f64,
    /// `None`: the run's.
    lr: Option<f64>,
    /// The step from which on it is frozen.
    frozen_from: Option<u64>,
}

impl GroupCourses {
    /// # Errors
    /// A schedule that cannot be built, or whose rates cannot update weights; the error names the group.
    pub fn new(grouping: &Grouping, config: &RunConfig, steps_per_epoch: u64) -> Result<Self, Usage> {
        let of = |group: &Group| {
            let course = GroupCourse::of(group, config, steps_per_epoch);
            course.map_err(|error| Usage(format!("group {}: {error}", group.name)))
        };
        grouping.groups.iter().map(of).collect::<Result<_, _>>().map(Self)
    }

    /// The rates of a step at which the base group has `base`.
    pub fn rates(&self, base: Rates, clock: Clock) -> StepRates {
        let groups = self.0.iter().map(|group| group.rates(base, clock)).collect();
        StepRates { base, groups }
    }

    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|group| group.name.clone()).collect()
    }

    /// Tells the schedules that listen what an epoch came to.
    pub fn observe(&mut self, metrics: &EpochMetrics) {
        self.owned().for_each(|(_, schedule)| schedule.observe(metrics));
    }

    /// Whether the rate of each group ends below its highest; `base` is the answer for those that follow the run's.
    pub fn decay(&self, base: bool, last: Clock) -> impl Iterator<Item = bool> {
        self.0.iter().map(move |group| group.own.as_ref().map_or(base, |(_, schedule)| decays(schedule, last)))
    }

    /// The courses of the groups with a schedule of their own.
    pub fn courses(&self) -> impl Iterator<Item = &Course> {
        self.0.iter().filter_map(|group| group.own.as_ref()).map(|(course, _)| course)
    }

    fn owned(&mut self) -> impl Iterator<Item = &mut (Course, Schedule)> {
        self.0.iter_mut().filter_map(|group| group.own.as_mut())
    }

    /// Changes the length of the run. What the schedules have observed stays.
    ///
    /// # Errors
    /// A schedule that is invalid for this length; no group is then changed.
    pub fn set_epochs(&mut self, epochs: u64, reach: Reach, config: &RunConfig, steps_per_epoch: u64) -> Result<()> {
        let longer = |(course, schedule): &(Course, Schedule)| {
            let course = course.with_epochs(epochs, reach);
            let mut built = course.build(config.semantics, steps_per_epoch)?;
            built.restore(&schedule.state())?;
            Ok::<_, anyhow::Error>((course, built))
        };
        let built = self.0.iter().map(|group| group.own.as_ref().map(longer).transpose());
        let built = built.collect::<Result<Vec<_>>>()?;
        self.0.iter_mut().zip(built).for_each(|(group, own)| group.own = own);
        Ok(())
    }

    /// Warnings about the schedules of a run whose base group has the course `base`, for the rest of it, one line each; `next`
    /// is the next step.
    ///
    /// # Errors
    /// Never for groups and courses that have been built.
    pub fn warnings(
        &self,
        base: &Course,
        config: &RunConfig,
        steps_per_epoch: u64,
        next: u64,
    ) -> Result<Vec<String>, Usage> {
        let mut lines = base.warnings(config.semantics, steps_per_epoch, next)?;
        if !config.group.is_empty() {
            lines.iter_mut().for_each(|line| *line = format!("base group: {line}"));
        }
        for (group, given) in self.0.iter().zip(&config.group) {
            if next == 0
                && let (Some(lr), Some(schedule)) = (given.lr, &given.schedule)
            {
                lines.extend(unused_rate(lr, schedule).map(|line| format!("group {}: {line}", group.name)));
            }
            if next == 0 && group.frozen_from.is_some_and(|step| step >= config.epochs * steps_per_epoch) {
                lines.push(format!("group {}: freeze-after has no effect: the run ends before", group.name));
            }
            let Some((course, _)) = &group.own else { continue };
            let end = group.frozen_from.unwrap_or(u64::MAX).min(course.epochs * steps_per_epoch);
            if next < end {
                let rest = Rest { since: course.since, next, end, scale: course.scale };
                let warnings = course.warnings_of(config.semantics, steps_per_epoch, &rest)?;
                lines.extend(warnings.into_iter().map(|line| format!("group {}: {line}", group.name)));
            }
        }
        Ok(lines)
    }

    /// For a checkpoint, with the state of the optimizer of each group.
    pub fn states(&self, optimizers: Vec<State<f32>>) -> Vec<GroupState> {
        let state = |(group, optimizer): (&GroupCourse, State<f32>)| GroupState {
            name: group.name.clone(),
            optimizer_steps: optimizer.steps,
            optimizer_scalars: optimizer.scalars,
            course: group.own.as_ref().map(|(course, _)| course.clone()),
            observed: group.own.as_ref().map_or(Value::Null, |(_, schedule)| schedule.state()),
        };
        self.0.iter().zip(optimizers).map(state).collect()
    }

    /// # Errors
    /// The states are of other groups.
    pub fn restore(&mut self, states: &[GroupState], config: &RunConfig, steps_per_epoch: u64) -> Result<()> {
        let names = || states.iter().map(|state| state.name.as_str());
        let same = names().eq(self.0.iter().map(|group| group.name.as_str()));
        ensure!(same, "the checkpoint is of a run with other parameter groups");
        for (group, state) in self.0.iter_mut().zip(states) {
            ensure!(group.own.is_some() == state.course.is_some(), "group {}: another kind of schedule", group.name);
            if let Some(course) = &state.course {
                let mut schedule = course.build(config.semantics, steps_per_epoch)?;
                schedule.restore(&state.observed)?;
                group.own = Some((course.clone(), schedule));
            }
        }
        Ok(())
    }
}

impl GroupCourse {
    fn of(group: &Group, config: &RunConfig, steps_per_epoch: u64) -> Result<Self, Usage> {
        let lr = group.lr.unwrap_or(config.lr);
        let own = group.schedule.clone().map(|schedule| -> Result<_, Usage> {
            let course = Course { schedule, lr, ..Course::of(config) };
            let built = course.build(config.semantics, steps_per_epoch)?;
            course.check_rates(&built, 0)?;
            Ok((course, built))
        });
        let own_peak = Course::of(config).own_peak(config.semantics, steps_per_epoch).filter(|peak| *peak > 0.0);
        let base_lr = own_peak.unwrap_or(config.lr);
        let horizon = config.epochs.saturating_mul(steps_per_epoch);
        let frozen_from = group.freeze_after.map(|time| time.steps(steps_per_epoch, horizon));
        Ok(Self { name: group.name.clone(), own: own.transpose()?, base_lr, lr: group.lr, frozen_from })
    }

    fn rates(&self, base: Rates, clock: Clock) -> Option<Rates> {
        if self.frozen_from.is_some_and(|step| clock.step >= step) {
            return None;
        }
        Some(match &self.own {
            Some((course, schedule)) => course.rates(schedule, clock),
            // A multiple of the base rate has the digits of its own.
            None => match self.lr {
                Some(lr) if lr != self.base_lr => {
                    Rates { learning_rate: base.learning_rate / self.base_lr * lr, ..base }
                }
                _ => base,
            },
        })
    }
}

/// The rates of the groups in a range test, in which the base group has `base`: a group without a rate of its own rises
/// with it, and any other stays at its own.
pub fn rates_in_range_test(grouping: &Grouping, base: f64) -> StepRates {
    let of = |group: &Group| Some(Rates::of(group.lr.unwrap_or(base)));
    StepRates { base: Rates::of(base), groups: grouping.groups.iter().map(of).collect() }
}
