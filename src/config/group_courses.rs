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
pub struct GroupCourses {
    groups: Vec<GroupCourse>,
    /// Parameters follow the run's schedule: those of the base group, or of one without a schedule of its own.
    is_base_used: bool,
}

struct GroupCourse {
    name: String,
    /// `None`: it follows the run's schedule.
    own: Option<(Course, Schedule)>,
    /// [`Course::measure`] of the run.
    base_lr: f64,
    /// `None`: the run's.
    lr: Option<f64>,
    /// That its schedule sets its own rates, if it was given another.
    unused_rate: Option<String>,
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
        let groups = grouping.groups.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let is_base_used = !grouping.is_base_empty() || groups.iter().any(|group| group.own.is_none());
        Ok(Self { groups, is_base_used })
    }

    /// The rates of a step at which the base group has `base`.
    pub fn rates(&self, base: Rates, clock: Clock) -> StepRates {
        let groups = self.groups.iter().map(|group| group.rates(base, clock)).collect();
        StepRates { base, groups }
    }

    pub fn names(&self) -> Vec<String> {
        self.groups.iter().map(|group| group.name.clone()).collect()
    }

    /// Tells the schedules that listen what an epoch came to.
    pub fn observe(&mut self, metrics: &EpochMetrics) {
        self.owned().for_each(|(_, schedule)| schedule.observe(metrics));
    }

    /// Whether the rate of each group ends below its highest; `base` is the answer for those that follow the run's.
    pub fn decay(&self, base: bool, last: Clock) -> impl Iterator<Item = bool> {
        self.groups.iter().map(move |group| group.own.as_ref().map_or(base, |(_, schedule)| decays(schedule, last)))
    }

    /// The courses of the groups with a schedule of their own.
    pub fn courses(&self) -> impl Iterator<Item = &Course> {
        self.groups.iter().filter_map(|group| group.own.as_ref()).map(|(course, _)| course)
    }

    fn owned(&mut self) -> impl Iterator<Item = &mut (Course, Schedule)> {
        self.groups.iter_mut().filter_map(|group| group.own.as_mut())
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
        let built = self.groups.iter().map(|group| group.own.as_ref().map(longer).transpose());
        let built = built.collect::<Result<Vec<_>>>()?;
        self.groups.iter_mut().zip(built).for_each(|(group, own)| group.own = own);
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
        let mut lines = match self.is_base_used {
            true => base_warnings(base, config, steps_per_epoch, next)?,
            false => Vec::new(),
        };
        for group in &self.groups {
            let mut add = |line: String| lines.push(format!("group {}: {line}", group.name));
            group.unused_rate.iter().filter(|_| next == 0).for_each(|line| add(line.clone()));
            if next == 0 && group.frozen_from.is_some_and(|step| step >= config.epochs * steps_per_epoch) {
                add("freeze-after has no effect: the run ends before".to_string());
            }
            let Some((course, _)) = &group.own else { continue };
            let end = group.frozen_from.unwrap_or(u64::MAX).min(course.epochs * steps_per_epoch);
            if next < end {
                let rest = Rest { since: course.since, next, end, scale: course.scale };
                course.warnings_of(config.semantics, steps_per_epoch, &rest)?.into_iter().for_each(add);
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
        self.groups.iter().zip(optimizers).map(state).collect()
    }

    /// # Errors
    /// The states are of other groups.
    pub fn restore(&mut self, states: &[GroupState], config: &RunConfig, steps_per_epoch: u64) -> Result<()> {
        let names = || states.iter().map(|state| state.name.as_str());
        let same = names().eq(self.groups.iter().map(|group| group.name.as_str()));
        ensure!(same, "the checkpoint is of a run with other parameter groups");
        for (group, state) in self.groups.iter_mut().zip(states) {
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
            course.check_rates(&built, 0, [&group.optimizer])?;
            Ok((course, built))
        });
        let base_lr = Course::of(config).measure(config.semantics, steps_per_epoch);
        let horizon = config.epochs.saturating_mul(steps_per_epoch);
        let frozen_from = group.freeze_after.map(|time| time.steps(steps_per_epoch, horizon));
        // The usual rate of its optimizer is none that it was given.
        let given = config.group.iter().find(|given| given.name() == group.name);
        let unused_rate = given.and_then(|given| unused_rate(given.lr?, given.schedule.as_ref()?));
        Ok(Self { name: group.name.clone(), own: own.transpose()?, base_lr, lr: group.lr, unused_rate, frozen_from })
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

/// Warnings about the schedule `base` of the run, for the rest of it, one line each; where there are groups they say whose it
/// is.
///
/// # Errors
/// Those of [`Course::build`].
pub fn base_warnings(base: &Course, config: &RunConfig, steps_per_epoch: u64, next: u64) -> Result<Vec<String>, Usage> {
    let mut lines = base.warnings(config.semantics, steps_per_epoch, next)?;
    if !config.group.is_empty() {
        lines.iter_mut().for_each(|line| *line = format!("base group: {line}"));
    }
    Ok(lines)
}

/// The rates of the groups in a range test, in which the base group has `base`: a group without a rate of its own rises
/// with it, and any other stays at its own.
pub fn rates_in_range_test(grouping: &Grouping, base: f64) -> StepRates {
    let of = |group: &Group| Some(Rates::of(group.lr.unwrap_or(base)));
    StepRates { base: Rates::of(base), groups: grouping.groups.iter().map(of).collect() }
}
