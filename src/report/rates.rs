//! The per-step rates of a run, for plotting.
//!
//! A schedule is a pure function of the clock, so its rates need not be logged: they are recomputed. A metric-driven
//! schedule is fed the metrics.csv values again, and manual changes are reapplied at their steps. Where the rows
//! disagree with the recomputed rates, the rows win.

mod axis;
mod groups;
mod simplify;
mod stretches;

pub use axis::{spread_out, to_log};
pub use groups::{GroupRates, of_groups};
pub use stretches::Stretches;

use super::entrants::EntrantRuns;
use crate::config::{Course, RunConfig};
use crate::record::{Change, Changed, ComparisonRow, EpochRow, Status, StepRow};
use crate::schedule::{Clock, EpochMetrics, Schedule, Semantics};

/// Longer runs are drawn at this many evenly spaced steps.
const MOST_STEPS: u64 = 1_000_000;
/// A recorded rate and the recomputed one may differ by rounding.
const SAME: f64 = 1e-9;
/// A log axis reaches down to this share of the highest rate, and lower only if a run spends more than a moment there.
const LOWEST: f64 = 1e-5;

/// What is known of a run besides its rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// The epochs that the run started with; `None`: those of its row.
    pub epochs: Option<u64>,
    /// Manual changes.
    pub changes: Vec<Change>,
    /// From steps.csv, if it exists.
    pub steps: Vec<StepRow>,
    /// The steps of an epoch by its settings, if these are known.
    pub steps_per_epoch: Option<u64>,
}

/// The rates of `run` over the epochs covered by its rows.
pub fn of_run(run: &ComparisonRow, rows: &[EpochRow], known: &Known) -> Stretches {
    let Some(steps_per_epoch) = steps_per_epoch(rows, known.steps_per_epoch) else { return Stretches::default() };
    let place = |t: u64| t as f64 / steps_per_epoch as f64;
    let mut stretches = Stretches::default();
    if !known.steps.is_empty() {
        for step in &known.steps {
            stretches.push(place(step.step), place(step.step + 1), step.learning_rate);
        }
        return stretches;
    }
    let mut replay = Replay::start(run, known, steps_per_epoch);
    let stride = (rows.last().map_or(0, |row| row.step) / MOST_STEPS).max(1);
    for row in rows {
        let (begin, end) = (row.epoch.saturating_mul(steps_per_epoch), row.step);
        if end <= begin {
            continue;
        }
        let mut pieces = Vec::new();
        let mut t = begin;
        while t < end {
            replay.change(t);
            let until = replay.next_change().map_or(end, |step| step.min(end));
            let stride = if replay.now.is_some() { stride } else { until - t };
            let piece = |t: u64| (t, (t + stride).min(until), replay.rate(t).unwrap_or(row.learning_rate));
            pieces.extend((t..until).step_by(stride as usize).map(piece));
            t = until;
        }
        if replay.rate(end - 1).is_some_and(|rate| (rate - row.learning_rate).abs() > SAME * row.learning_rate.abs()) {
            pieces = vec![(begin, end, row.learning_rate)];
        }
        pieces.into_iter().for_each(|(begin, end, rate)| stretches.push(place(begin), place(end), rate));
        replay.observe(row);
    }
    stretches
}

/// A run whose rates are recomputed.
struct Replay<'a> {
    semantics: Semantics,
    steps_per_epoch: u64,
    /// What determines the rates; `None` if unknown, or no longer known.
    now: Option<(Course, Schedule)>,
    /// Changes still to be applied.
    changes: &'a [Change],
}

impl<'a> Replay<'a> {
    fn start(run: &ComparisonRow, known: &'a Known, steps_per_epoch: u64) -> Self {
        let epochs = known.epochs.unwrap_or(run.epochs);
        let course = run.schedule.parse().ok().map(|schedule| Course {
            schedule,
            lr: run.lr,
            since: 0,
            epochs,
            until: epochs,
            scale: 1.0,
        });
        let mut replay = Self { semantics: run.semantics, steps_per_epoch, now: None, changes: &known.changes };
        replay.now = course.and_then(|course| replay.built(course));
        replay
    }

    fn built(&self, course: Course) -> Option<(Course, Schedule)> {
        let schedule = course.build(self.semantics, self.steps_per_epoch).ok()?;
        Some((course, schedule))
    }

    /// The step of the next change.
    fn next_change(&self) -> Option<u64> {
        self.changes.first().map(|change| change.step)
    }

    /// Applies the changes that take effect at step `t`.
    fn change(&mut self, t: u64) {
        while let Some((change, rest)) = self.changes.split_first().filter(|(change, _)| change.step <= t) {
            self.changes = rest;
            self.now = self.now.take().and_then(|(course, before)| {
                // A clock cannot start after its own change, whatever the file says.
                let after = change.course_after(&course).filter(|after| after.since <= change.step)?;
                let (course, mut schedule) = self.built(after)?;
                // A schedule that stays the same keeps the metrics it has observed.
                if matches!(change.what, Changed::Scale { .. } | Changed::Epochs { .. }) {
                    schedule.restore(&before.state()).ok()?;
                }
                Some((course, schedule))
            });
        }
    }

    fn rate(&self, t: u64) -> Option<f64> {
        let (course, schedule) = self.now.as_ref()?;
        let clock = Clock { step: t, steps_per_epoch: self.steps_per_epoch, epochs: course.epochs };
        Some(course.rates(schedule, clock).learning_rate)
    }

    fn observe(&mut self, row: &EpochRow) {
        if let Some((_, schedule)) = &mut self.now {
            schedule.observe(&EpochMetrics::from(row));
        }
    }
}

/// The steps of an epoch by the settings of a run.
pub fn planned_steps(config: &RunConfig) -> Option<u64> {
    config.steps_per_epoch(config.train_images()).ok()
}

/// S, the steps per epoch: by the first row, unless its epoch was cut short, else as `planned`; `None` if nothing says it.
pub fn steps_per_epoch(rows: &[EpochRow], planned: Option<u64>) -> Option<u64> {
    let each = |row: &EpochRow| row.step.checked_div(row.epoch.checked_add(1)?).filter(|steps| *steps > 0);
    let first = rows.first();
    first.filter(|row| row.is_whole()).and_then(each).or(planned).or_else(|| first.and_then(each))
}

/// The mean rates over the [typical](EntrantRuns::typical) runs of an entrant: the finished ones, or all if none has. Of several
/// tunings, the mean would be a rate that no run had.
pub fn of_entrant<'a>(
    entrant: &EntrantRuns<'_>,
    rows: impl Fn(&ComparisonRow) -> &'a [EpochRow],
    known: impl Fn(&ComparisonRow) -> Known,
) -> Stretches {
    let of = |run: &ComparisonRow| of_run(run, rows(run), &known(run));
    let mut runs: Vec<Stretches> = entrant.typical().filter(|run| run.status == Status::Finished).map(of).collect();
    if runs.is_empty() {
        runs = entrant.typical().map(of).collect();
    }
    runs.retain(|run| !run.begins.is_empty());
    Stretches::mean(&runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Applied, Fit, Origin, Results, Status};
    use crate::schedule::RunShape;

    fn run(schedule: &str, epochs: u64) -> ComparisonRow {
        ComparisonRow {
            run: "r".into(),
            schedule: schedule.into(),
            optimizer: "sgd".into(),
            semantics: Semantics::Native,
            seed: 0,
            epochs,
            lr: 0.1,
            results: Results::default(),
            status: Status::Finished,
            role: None,
        }
    }

    /// One row of `rates` per epoch of 4 steps; the validation loss never improves.
    fn rows(rates: &[f64]) -> Vec<EpochRow> {
        let row = |(epoch, &learning_rate): (usize, &f64)| EpochRow {
            epoch: epoch as u64,
            learning_rate,
            loss: 1.0,
            accuracy: 0.5,
            val_loss: Some(1.0),
            val_accuracy: Some(0.5),
            step: 4 * (epoch as u64 + 1),
            ..EpochRow::default()
        };
        rates.iter().enumerate().map(row).collect()
    }

    fn points(schedule: &str, rates: &[f64], known: &Known) -> Vec<(f64, f64)> {
        of_run(&run(schedule, rates.len() as u64), &rows(rates), known).points()
    }

    #[test]
    fn step_decay_is_a_staircase_that_drops_at_its_step() {
        let drops = points("step:factor=0.5,drop-every=2", &[0.1, 0.05, 0.05], &Known::default());
        assert_eq!(drops, [(0.0, 0.1), (1.0, 0.1), (1.0, 0.05), (3.0, 0.05)]);
    }

    #[test]
    fn the_way_up_of_one_cycle_shows_in_a_run_of_one_epoch() {
        let spec = "one-cycle:max-lr=0.8";
        let last = Schedule::build(&spec.parse().unwrap(), &RunShape::new(0.1, 1, 4)).unwrap().at(3).learning_rate;
        let drawn = points(spec, &[last], &Known::default());
        let peak = drawn.iter().fold(0.0_f64, |peak, point| peak.max(point.1));
        assert!(drawn.len() == 8 && drawn[0].1 < 0.1 && peak > 0.5, "{drawn:?}");
    }

    #[test]
    fn an_epoch_that_a_diverged_run_did_not_finish_is_as_long_as_it_was_to_be() {
        let cut = |epoch, step, loss| EpochRow { epoch, step, loss, ..EpochRow::default() };
        assert_eq!(steps_per_epoch(&[cut(0, 7, f64::NAN)], Some(63)), Some(63));
        assert_eq!(steps_per_epoch(&[cut(0, 7, f64::NAN)], None), Some(7), "nothing else is known");
        assert_eq!(steps_per_epoch(&[cut(0, 60, 2.3), cut(1, 70, f64::NAN)], Some(63)), Some(60), "it was trained so");
        assert_eq!(steps_per_epoch(&[], Some(63)), Some(63));
    }

    #[test]
    fn a_schedule_that_listens_is_told_what_the_rows_say() {
        let drops = points("plateau:patience=0,factor=0.5", &[0.1, 0.1, 0.05, 0.025], &Known::default());
        assert_eq!(drops[..4], [(0.0, 0.1), (2.0, 0.1), (2.0, 0.05), (3.0, 0.05)]);
    }

    #[test]
    fn a_run_that_an_earlier_version_changed_follows_its_schedule_up_to_the_change_and_its_rows_from_there_on() {
        let words = || Applied { rate: Some(0.1), origin: Origin::Words("of an earlier version".into()) };
        let change = change(6, Changed::Rate { from: words(), to: words() });
        let known = Known { changes: vec![change], ..Known::default() };
        let drawn = points("constant", &[0.1, 0.02, 0.02], &known);
        assert_eq!(drawn, [(0.0, 0.1), (1.5, 0.1), (1.5, 0.02), (3.0, 0.02)]);
        let steps = [0.1, 0.3, 0.3].iter().enumerate().map(|(step, &learning_rate)| StepRow {
            step: step as u64,
            epoch: 0,
            learning_rate,
            momentum: None,
            loss: 1.0,
            groups: Vec::new(),
        });
        let known = Known { steps: steps.collect(), ..Known::default() };
        assert_eq!(points("constant", &[0.3], &known), [(0.0, 0.1), (0.25, 0.1), (0.25, 0.3), (0.75, 0.3)]);
    }

    fn change(step: u64, what: Changed) -> Change {
        Change { time: String::new(), step, epoch: step / 4, what }
    }

    fn course(schedule: &str, lr: f64, epochs: u64) -> Course {
        Course { schedule: schedule.parse().unwrap(), lr, since: 0, epochs, until: epochs, scale: 1.0 }
    }

    fn to(course: &Course) -> Applied {
        Applied { rate: None, origin: Origin::Course(course.clone()) }
    }

    #[test]
    fn a_run_that_was_changed_by_hand_follows_each_of_its_courses_step_by_step() {
        // Constant, halved in the middle of epoch 1, then linear from the middle of epoch 2 on.
        let first = course("constant", 0.1, 4);
        let half = first.with_scale(0.5).unwrap();
        let linear = half.with_schedule("linear".parse().unwrap(), 0.6, 10);
        let known = Known {
            changes: vec![
                change(6, Changed::Scale { from: to(&first), to: to(&half) }),
                change(10, Changed::Schedule { from: to(&half), to: to(&linear) }),
            ],
            ..Known::default()
        };
        let drawn = points("constant", &[0.1, 0.05, 0.5, 0.1], &known);
        let rate_in = |step: u64| {
            let place = (step as f64 + 0.5) / 4.0;
            let pair = drawn.windows(2).find(|pair| pair[0].0 <= place && place < pair[1].0).unwrap();
            (pair[0].1 * 1e9).round() / 1e9
        };
        let expected = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1];
        assert_eq!((0..16).map(rate_in).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_run_that_was_made_longer_follows_the_schedule_at_its_new_length_and_one_that_listens_remembers() {
        let longer = |fit| change(8, Changed::Epochs { from: Some(2), to: Some(4), fit });
        let known = |fit| Known { epochs: Some(2), changes: vec![longer(fit)], ..Known::default() };
        // lr (1 - t/T), T = 8 at first, then 16.
        let drawn = points("linear", &[0.0625, 0.0125, 0.03125, 0.00625], &known(Fit::Stretched));
        assert!(drawn.contains(&(2.0, 0.05)), "{drawn:?}");
        let held = points("linear:end-lr=0.02", &[0.05, 0.03, 0.02, 0.02], &known(Fit::Held));
        assert_eq!(held.last(), Some(&(4.0, 0.02)), "{held:?}");
        let first = course("plateau:patience=0,factor=0.5", 0.1, 4);
        let half = first.with_scale(0.5).unwrap();
        let scaled = vec![change(8, Changed::Scale { from: to(&first), to: to(&half) })];
        let known = Known { changes: scaled, ..Known::default() };
        let drops = points("plateau:patience=0,factor=0.5", &[0.1, 0.1, 0.025, 0.0125], &known);
        assert_eq!(drops, [(0.0, 0.1), (2.0, 0.1), (2.0, 0.025), (3.0, 0.025), (3.0, 0.0125), (4.0, 0.0125)]);
    }
}
