//! The rates of the parameter groups of a run, for plotting.

use super::{MOST_STEPS, Stretches, planned_steps, steps_per_epoch};
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
        let steps_per_epoch = steps_per_epoch(rows, planned_steps(config))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config() -> RunConfig {
        serde_json::from_value(json!({
            "dataset": "synthetic", "validation": 30, "augment": "none", "model": "tiny", "dropout": 0.0,
            "label-smoothing": 0.0, "optimizer": "sgd", "lr": 0.1, "schedule": "step:factor=0.5,drop-every=2",
            "semantics": "native", "epochs": 3, "batch-size": 16, "seed": 0, "engine": "cpu", "device": "cpu",
            "log-steps": false, "group": [
                { "parameters": ["*.bias"], "lr": 0.4 },
                { "parameters": ["fc.weight"], "lr": 0.6, "schedule": "linear", "freeze-after": "2ep" },
            ],
        }))
        .unwrap()
    }

    /// Three epochs of 4 steps.
    fn rows() -> Vec<EpochRow> {
        let row = |epoch: u64| EpochRow { epoch, learning_rate: 0.1, step: 4 * (epoch + 1), ..EpochRow::default() };
        (0..3).map(row).collect()
    }

    #[test]
    fn a_group_follows_the_base_or_its_own_schedule_until_it_is_frozen() {
        let base = Stretches::of([0.1; 4].into_iter().chain([0.05; 8]), 4);
        let groups = of_groups(&config(), &base, &rows(), &[]);
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["*.bias", "fc.weight"]);
        assert_eq!(groups[0].rates.begins, [(0.0, 0.4), (1.0, 0.2)]);
        let own = &groups[1].rates.begins;
        assert!(own.len() == 9 && own[0] == (0.0, 0.6) && (own[4].1 - 0.4).abs() < 1e-12, "{own:?}");
        assert_eq!(own[8], (2.0, 0.0));
    }

    #[test]
    fn the_rates_in_the_steps_of_a_run_are_drawn_as_they_are() {
        let step = |step: u64| StepRow {
            step,
            epoch: 0,
            learning_rate: 0.1,
            momentum: None,
            loss: 1.0,
            groups: vec![0.3, 0.01 * step as f64],
        };
        let steps: Vec<StepRow> = (0..3).map(step).collect();
        let groups = of_groups(&config(), &Stretches::default(), &rows(), &steps);
        assert_eq!(groups[0].rates.begins, [(0.0, 0.3)]);
        assert_eq!(groups[1].rates.begins, [(0.0, 0.0), (0.25, 0.01), (0.5, 0.02)]);
    }
}
