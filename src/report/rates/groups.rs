//! The rates of the parameter groups of a run, for plotting.

use super::{MOST_STEPS, Stretches, steps_per_epoch};
use crate::config::{GroupCourses, RunConfig};
use crate::record::{EpochRow, StepRow};
use crate::schedule::{Clock, EpochMetrics, Rates};

/// The rates of one group, besides the base group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRates {
    pub name: String,
    pub rates: Stretches,
}

/// The rates of each group over the epochs covered by `rows`, of a run whose base group has the rates `base`: those of
/// `steps`, if there are any, else recomputed. A frozen group has 0.
pub fn of_groups(config: &RunConfig, base: &Stretches, rows: &[EpochRow], steps: &[StepRow]) -> Vec<GroupRates> {
    let courses = || {
        let grouping = config.grouping(&config.architecture()).ok()?;
        let steps_per_epoch = steps_per_epoch(rows)?;
        Some((GroupCourses::new(&grouping, config, steps_per_epoch).ok()?, steps_per_epoch))
    };
    let Some((mut courses, steps_per_epoch)) = courses() else { return Vec::new() };
    let empty = |name| GroupRates { name, rates: Stretches::default() };
    let mut groups: Vec<GroupRates> = courses.names().into_iter().map(empty).collect();
    if groups.is_empty() {
        return groups;
    }
    let place = |t: u64| t as f64 / steps_per_epoch as f64;
    let mut push = |(begin, end): (u64, u64), rates: &[f64]| {
        let pieces = groups.iter_mut().zip(rates);
        pieces.for_each(|(group, rate)| group.rates.push(place(begin), place(end), *rate));
    };
    for step in steps {
        push((step.step, step.step + 1), &step.groups);
    }
    let stride = (rows.last().map_or(0, |row| row.step) / MOST_STEPS).max(1);
    for row in rows.iter().filter(|_| steps.is_empty()) {
        let (mut t, end) = (row.epoch.saturating_mul(steps_per_epoch), row.step);
        while t < end {
            let until = (t + stride).min(end);
            let clock = Clock { step: t, steps_per_epoch, epochs: config.epochs };
            let rates = courses.rates(Rates::of(base.at(place(t)).unwrap_or(row.learning_rate)), clock);
            push(
                (t, until),
                &rates.groups.iter().map(|rates| rates.map_or(0.0, |rates| rates.learning_rate)).collect::<Vec<_>>(),
            );
            t = until;
        }
        courses.observe(&EpochMetrics::from(row));
    }
    groups
}
