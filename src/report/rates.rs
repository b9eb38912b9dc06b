//! The rate of a run step by step: what a picture of rates draws.
//!
//! A schedule is a pure function of the clock, so its rates need not have been logged. One that listens to metrics is told those of metrics.csv
//! again. What a run of those files shows to be otherwise, because it was changed by hand, is drawn as its rows have it.

use super::chart::{AxisScale, Panel};
use super::entrants::Entrant;
use crate::record::{Change, ComparisonRow, EpochRow, StepRow};
use crate::schedule::{EpochMetrics, Schedule, Setting};

/// More stretches of one rate are drawn as a line through their beginnings: by then a step is no wider than the line.
const MOST_STAIRS: usize = 400;
/// Of a longer run, steps that are evenly spread are drawn.
const MOST_STEPS: u64 = 1_000_000;
/// The rate of a row and the one that is computed again may differ by rounding.
const SAME: f64 = 1e-9;
/// A point is left out where the line without it is off by less than this share of the rate, and of the height that the line covers: an axis
/// that starts far above 0 magnifies what is small beside the rate.
const VISIBLE: f64 = 2e-3;
const VISIBLE_ON_AXIS: f64 = 1e-3;
/// A log axis shows this share of the highest rate, and less only where more than a moment of a run is spent there.
const LOWEST: f64 = 1e-5;

/// What is known of a run beside its rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Known {
    /// The epochs that the run began with; `None`: those of its row.
    pub epochs: Option<u64>,
    /// What was changed by hand.
    pub changes: Vec<Change>,
    /// Of steps.csv, where there is one.
    pub steps: Vec<StepRow>,
}

/// Rates as stretches: the step (or what else counts) at which each begins, and its rate, in order; and where the last one ends.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stretches {
    begins: Vec<(f64, f64)>,
    end: f64,
}

impl Stretches {
    /// `rate` holds from `begin` to `end`, which is where the next one begins.
    pub fn push(&mut self, begin: f64, end: f64, rate: f64) {
        if self.begins.last().is_none_or(|&(_, last)| last.to_bits() != rate.to_bits()) {
            self.begins.push((begin, rate));
        }
        self.end = end;
    }

    /// Of rates that hold for one step each.
    pub fn of(rates: impl Iterator<Item = f64>, steps_per_epoch: u64) -> Self {
        let mut stretches = Self::default();
        let place = |t: u64| t as f64 / steps_per_epoch as f64;
        (0_u64..).zip(rates).for_each(|(t, rate)| stretches.push(place(t), place(t + 1), rate));
        stretches
    }

    /// The points of a line: a staircase, so that a drop stands where it is made; of very many stretches a line through their beginnings.
    pub fn points(&self) -> Vec<(f64, f64)> {
        if self.begins.len() > MOST_STAIRS {
            let last = self.begins.last().map(|&(_, rate)| (self.end, rate));
            let line: Vec<_> = self.begins.iter().copied().chain(last).collect();
            return simplified(&thinned(&line));
        }
        let ends = self.begins.iter().skip(1).map(|next| next.0).chain([self.end]);
        self.begins.iter().zip(ends).flat_map(|(&(begin, rate), end)| [(begin, rate), (end, rate)]).collect()
    }

    /// The highest of the rates that are finite.
    pub fn highest(&self) -> Option<f64> {
        self.begins.iter().map(|&(_, rate)| rate).filter(|rate| rate.is_finite()).reduce(f64::max)
    }

    fn at(&self, place: f64) -> Option<f64> {
        let after = self.begins.partition_point(|&(begin, _)| begin <= place);
        (place < self.end && after > 0).then(|| self.begins[after - 1].1)
    }

    /// The mean over several runs; where some have ended, over those that have not.
    pub fn mean(all: &[Self]) -> Self {
        if let [first, rest @ ..] = all
            && rest.iter().all(|other| other == first)
        {
            return first.clone();
        }
        let places = all.iter().flat_map(|one| one.begins.iter().map(|&(begin, _)| begin).chain([one.end]));
        let mut places: Vec<f64> = places.collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mut mean = Self::default();
        for pair in places.windows(2) {
            let rates: Vec<f64> = all.iter().filter_map(|one| one.at(pair[0])).collect();
            // Of equal rates the mean is that rate, to the bit.
            let same = rates.first().copied().filter(|first| rates.iter().all(|rate| rate == first));
            let rate = same.or_else(|| crate::stats::mean(&rates)).unwrap_or(f64::NAN);
            mean.push(pair[0], pair[1], rate);
        }
        mean
    }
}

/// The rates of `run` over the epochs, as far as its rows go.
pub fn of_run(run: &ComparisonRow, rows: &[EpochRow], known: &Known) -> Stretches {
    let Some(steps_per_epoch) = steps_per_epoch(rows) else { return Stretches::default() };
    let place = |t: u64| t as f64 / steps_per_epoch as f64;
    let mut stretches = Stretches::default();
    if !known.steps.is_empty() {
        for step in &known.steps {
            stretches.push(place(step.step), place(step.step + 1), step.learning_rate);
        }
        return stretches;
    }
    let build = |epochs: u64| {
        let setting = Setting { learning_rate: run.lr, semantics: run.semantics, steps_per_epoch, epochs };
        Schedule::build(&run.schedule.parse().ok()?, &setting).ok()
    };
    // As it began, and as it is by now: made longer or shorter, with the schedule stretched to the new length.
    let mut lengths = vec![known.epochs.unwrap_or(run.epochs), run.epochs];
    lengths.dedup();
    let mut schedules: Vec<Schedule> = lengths.into_iter().filter_map(build).collect();
    let last = rows.last().map_or(0, |row| row.step);
    let stride = (last / MOST_STEPS).max(1);
    for row in rows {
        let (begin, end) = (row.epoch.saturating_mul(steps_per_epoch), row.step);
        if end <= begin {
            continue;
        }
        let rate_of = |schedule: &Schedule, t: u64| schedule.at(t).learning_rate;
        let agrees = |schedule: &&Schedule| {
            (rate_of(schedule, end - 1) - row.learning_rate).abs() <= SAME * row.learning_rate.abs()
        };
        let changed = known.changes.iter().find(|change| (begin..end).contains(&change.step)).map(|change| change.step);
        // In the epoch of a change, what was before holds up to it.
        let (own, until) = match (schedules.iter().find(agrees), changed) {
            (Some(schedule), _) => (Some(schedule), end),
            (None, Some(change)) if known.changes.first().is_some_and(|first| first.step == change) => {
                (schedules.first(), change)
            }
            (None, _) => (None, begin),
        };
        if let Some(schedule) = own {
            for t in (begin..until).step_by(stride as usize) {
                stretches.push(place(t), place((t + stride).min(until)), rate_of(schedule, t));
            }
        }
        if own.is_none() || until < end {
            let from = if own.is_some() { until } else { begin };
            stretches.push(place(from), place(end), row.learning_rate);
        }
        for schedule in &mut schedules {
            schedule.observe(&EpochMetrics {
                epoch: row.epoch,
                loss: row.loss,
                accuracy: row.accuracy,
                val_loss: row.val_loss,
                val_accuracy: row.val_accuracy,
            });
        }
    }
    stretches
}

/// S; `None` where no row tells it.
fn steps_per_epoch(rows: &[EpochRow]) -> Option<u64> {
    // The last epoch may have ended in its middle.
    let whole = |row: &EpochRow| row.step.checked_div(row.epoch.checked_add(1)?).filter(|steps| *steps > 0);
    rows.first().and_then(whole)
}

/// The mean rates of the runs of an entrant: of its finished ones, or of all while none is.
pub fn of_entrant<'a>(
    entrant: &Entrant<'_>,
    rows: impl Fn(&ComparisonRow) -> &'a [EpochRow],
    known: impl Fn(&ComparisonRow) -> Known,
) -> Stretches {
    let of = |run: &ComparisonRow| of_run(run, rows(run), &known(run));
    let mut runs: Vec<Stretches> = entrant.finished().map(of).collect();
    if runs.is_empty() {
        runs = entrant.runs.iter().map(|run| of(run)).collect();
    }
    runs.retain(|run| !run.begins.is_empty());
    Stretches::mean(&runs)
}

/// Puts rates onto a log axis where they are far apart.
pub fn spread_out(panel: &mut Panel) {
    let (low, high) = extremes(panel);
    if low < high / 20.0 {
        log_axis(panel, high * LOWEST);
    }
}

fn positive(panel: &Panel) -> impl Iterator<Item = f64> {
    panel.series.iter().flat_map(|series| &series.points).map(|point| point.1).filter(|rate| *rate > 0.0)
}

fn extremes(panel: &Panel) -> (f64, f64) {
    positive(panel).fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)))
}

/// Puts the rates onto a log axis, which reaches down to a 100,000th of the highest rate, or to what some line is above for 19/20 of its way:
/// a cosine that ends next to 0 squeezes no other, and a decay that spends its life far down is seen. Gives whether a rate is below the axis.
pub fn to_log(panel: &mut Panel) -> bool {
    let (_, high) = extremes(panel);
    let usual = panel.series.iter().filter_map(|series| usually_above(&series.points));
    log_axis(panel, usual.fold(high * LOWEST, f64::min))
}

/// A log axis from the lowest rate on, but from no lower one than `lowest`. A rate of 0, which has no place there, runs along its lower edge, and so
/// does one that is below: gives whether there is such a rate.
fn log_axis(panel: &mut Panel, lowest: f64) -> bool {
    let (low, high) = extremes(panel);
    if low > high {
        return false;
    }
    let lowest = low.max(lowest);
    let (bottom, top) = if lowest < high { (lowest / 1.3, high * 1.3) } else { (high / 3.0, high * 3.0) };
    panel.y_scale = AxisScale::Log;
    panel.y_range = Some((bottom, top));
    panel.y_edge = true;
    panel.series.iter().flat_map(|series| &series.points).any(|point| point.1 < bottom)
}

/// The rate that a line is above for 19/20 of its way, of those above 0.
fn usually_above(points: &[(f64, f64)]) -> Option<f64> {
    let mut lengths: Vec<(f64, f64)> =
        points.windows(2).map(|pair| (pair[1].1, pair[1].0 - pair[0].0)).filter(|piece| piece.0 > 0.0).collect();
    lengths.sort_by(|a, b| a.0.total_cmp(&b.0));
    let whole: f64 = lengths.iter().map(|piece| piece.1).sum();
    let mut passed = 0.0;
    lengths
        .into_iter()
        .find(|piece| {
            passed += piece.1;
            passed >= 0.05 * whole
        })
        .map(|piece| piece.0)
}

/// At most about 2,000 points, with the highest and the lowest of each stretch, so that no peak and no drop is lost.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const STRETCHES: usize = 1000;
    if points.len() <= 2 * STRETCHES {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(2 * STRETCHES + 2);
    kept.push(points[0]);
    for stretch in points.chunks(points.len().div_ceil(STRETCHES)) {
        let low = stretch.iter().min_by(|a, b| a.1.total_cmp(&b.1)).copied();
        let high = stretch.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied();
        let mut ends: Vec<_> = low.into_iter().chain(high).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.extend(ends);
    }
    kept.extend(points.last());
    kept.dedup();
    kept
}

/// Without the points that nobody would miss, on a linear axis or on a log one (Douglas–Peucker, by the height).
fn simplified(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() < 3 || points.iter().any(|point| !point.1.is_finite()) {
        return points.to_vec();
    }
    let rates = points.iter().map(|point| point.1);
    let (low, high) = rates.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), rate| (l.min(rate), h.max(rate)));
    let least = rates.filter(|rate| *rate > 0.0).fold(high, f64::min);
    // Rates that differ by rounding alone are level; a log axis reaches down no farther than LOWEST.
    let span = (high - low).max(SAME * high.abs());
    let decades = (high / least).min(1.0 / LOWEST).ln().max(SAME);
    let mut keep = vec![false; points.len()];
    (keep[0], keep[points.len() - 1]) = (true, true);
    let mut stretches = vec![(0, points.len() - 1)];
    while let Some((first, last)) = stretches.pop() {
        let (a, b) = (points[first], points[last]);
        // In tolerances: above 1 it shows.
        let off = |p: (f64, f64)| {
            let share = if b.0 > a.0 { (p.0 - a.0) / (b.0 - a.0) } else { 0.0 };
            let linear = || (a.1 + share * (b.1 - a.1) - p.1).abs() / (VISIBLE * p.1).min(VISIBLE_ON_AXIS * span);
            // On a log axis the line between two points is another one.
            let log = || {
                let apart = (1.0 - share) * a.1.ln() + share * b.1.ln() - p.1.ln();
                apart.abs() / VISIBLE.min(VISIBLE_ON_AXIS * decades)
            };
            match (p.1 > 0.0, a.1.min(b.1) > 0.0) {
                (true, true) => linear().max(log()),
                (true, false) => linear(),
                // 0, among what is not: its ends are seen.
                _ if a.1 == 0.0 && b.1 == 0.0 => 0.0,
                _ => f64::INFINITY,
            }
        };
        let farthest = (first + 1..last).max_by(|&i, &j| off(points[i]).total_cmp(&off(points[j])));
        if let Some(middle) = farthest.filter(|&i| off(points[i]) > 1.0) {
            keep[middle] = true;
            stretches.extend([(first, middle), (middle, last)]);
        }
    }
    points.iter().zip(keep).filter_map(|(point, kept)| kept.then_some(*point)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::chart::Series;
    use super::*;
    use crate::record::Status;
    use crate::schedule::Semantics;

    #[test]
    fn thinning_keeps_the_ends_and_every_peak() {
        let points: Vec<_> = (0..100_000).map(|t| (f64::from(t), if t == 77_777 { 9.0 } else { 0.5 })).collect();
        let thin = thinned(&points);
        assert!(thin.len() < 2100);
        assert!(thin.contains(&(77_777.0, 9.0)));
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
    }

    fn run(schedule: &str, epochs: u64) -> ComparisonRow {
        ComparisonRow {
            run: "r".into(),
            schedule: schedule.into(),
            optimizer: "sgd".into(),
            semantics: Semantics::Native,
            seed: 0,
            epochs,
            lr: 0.1,
            loss: None,
            accuracy: None,
            val_loss: None,
            val_accuracy: None,
            best_val_accuracy: None,
            best_epoch: None,
            test_loss: None,
            test_accuracy: None,
            seconds: None,
            status: Status::Finished,
        }
    }

    /// Rows of `rates`, one an epoch of 4 steps; the validation loss never improves.
    fn rows(rates: &[f64]) -> Vec<EpochRow> {
        let row = |(epoch, &learning_rate): (usize, &f64)| EpochRow {
            epoch: epoch as u64,
            learning_rate,
            loss: 1.0,
            accuracy: 0.5,
            val_loss: Some(1.0),
            val_accuracy: Some(0.5),
            momentum: None,
            step: 4 * (epoch as u64 + 1),
            images_per_second: 1.0,
            seconds: 1.0,
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
        let last = Schedule::build(&spec.parse().unwrap(), &Setting::new(0.1, 1, 4)).unwrap().at(3).learning_rate;
        let drawn = points(spec, &[last], &Known::default());
        let peak = drawn.iter().fold(0.0_f64, |peak, point| peak.max(point.1));
        assert!(drawn.len() == 8 && drawn[0].1 < 0.1 && peak > 0.5, "{drawn:?}");
    }

    #[test]
    fn a_schedule_that_listens_is_told_what_the_rows_say() {
        let drops = points("plateau:patience=0,factor=0.5", &[0.1, 0.1, 0.05, 0.025], &Known::default());
        assert_eq!(drops[..4], [(0.0, 0.1), (2.0, 0.1), (2.0, 0.05), (3.0, 0.05)]);
    }

    #[test]
    fn a_run_that_was_changed_by_hand_follows_its_schedule_up_to_the_change_and_its_rows_from_there_on() {
        let change = Change {
            time: String::new(),
            step: 6,
            epoch: 1,
            setting: "lr".into(),
            from: None,
            to: None,
            from_text: String::new(),
            to_text: String::new(),
            course: None,
        };
        let known = Known { changes: vec![change], ..Known::default() };
        let drawn = points("constant", &[0.1, 0.02, 0.02], &known);
        assert_eq!(drawn, [(0.0, 0.1), (1.5, 0.1), (1.5, 0.02), (3.0, 0.02)]);
        let steps = [0.1, 0.3, 0.3].iter().enumerate().map(|(step, &learning_rate)| StepRow {
            step: step as u64,
            epoch: 0,
            learning_rate,
            momentum: None,
            loss: 1.0,
        });
        let known = Known { steps: steps.collect(), ..Known::default() };
        assert_eq!(points("constant", &[0.3], &known), [(0.0, 0.1), (0.25, 0.1), (0.25, 0.3), (0.75, 0.3)]);
    }

    #[test]
    fn few_points_are_left_of_a_smooth_line_and_it_stays_where_it_was_on_both_axes() {
        for spec in ["linear", "cosine", "exponential:decay-rate=0.1", "constant:for=1ep;linear"] {
            let schedule = Schedule::build(&spec.parse().unwrap(), &Setting::new(0.1, 4, 1000)).unwrap();
            let line = Stretches::of((0..4000).map(|t| schedule.at(t).learning_rate), 1000).points();
            assert!(line.len() < 600, "{spec}: {}", line.len());
            for t in 0..3900 {
                let (x, rate) = (t as f64 / 1000.0, schedule.at(t).learning_rate);
                let after = line.partition_point(|point| point.0 <= x);
                let (a, b) = (line[after - 1], line[after]);
                let share = (x - a.0) / (b.0 - a.0);
                let linear = a.1 + share * (b.1 - a.1);
                let log = (a.1.ln() * (1.0 - share) + b.1.ln() * share).exp();
                assert!((linear / rate - 1.0).abs() < 5e-3 && (log / rate - 1.0).abs() < 5e-3, "{spec} {t}");
            }
        }
    }

    #[test]
    fn a_curve_stays_round_on_an_axis_that_starts_far_above_0() {
        let (steps, per_epoch) = (30 * 352, 352);
        for spec in ["cosine:end-lr=0.095", "cosine:end-lr=0.09999", "one-cycle", "polynomial:power=2,end-lr=0.08"] {
            let schedule = Schedule::build(&spec.parse().unwrap(), &Setting::new(0.1, 30, per_epoch)).unwrap();
            let rates: Vec<_> = (0..steps).map(|t| schedule.at(t)).collect();
            let values: [Vec<f64>; 2] = [
                rates.iter().map(|rates| rates.learning_rate).collect(),
                rates.iter().filter_map(|rates| rates.momentum).collect(),
            ];
            assert_eq!(values[1].is_empty(), spec != "one-cycle");
            for (values, log) in values.iter().filter(|values| !values.is_empty()).flat_map(|v| [(v, false), (v, true)])
            {
                let line = Stretches::of(values.iter().copied(), per_epoch).points();
                assert!(line.len() < 600, "{spec}: {}", line.len());
                let (low, high) = values.iter().fold((f64::INFINITY, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
                let place = |value: f64| if log { value.ln() } else { value };
                let height = if log { (high / low.max(LOWEST * high)).ln() } else { high - low };
                // In its last thousandth, a pixel wide, one-cycle falls by two powers of ten.
                let whole = values.len() - if log { values.len() / 1000 + 1 } else { 0 };
                for (t, &value) in (0_u64..).zip(&values[..whole]) {
                    let x = t as f64 / per_epoch as f64;
                    let after = line.partition_point(|point| point.0 <= x);
                    let (a, b) = (line[after - 1], line[after]);
                    let drawn = place(a.1) + (x - a.0) / (b.0 - a.0) * (place(b.1) - place(a.1));
                    let off = (drawn - place(value)).abs() / height;
                    assert!(off < 3e-3, "{spec}, log {log}, step {t}: {off}");
                }
            }
        }
    }

    #[test]
    fn the_mean_of_seeds_that_drop_at_different_epochs_lies_between_them() {
        let of = |rates: &[f64]| Stretches::of(rates.iter().copied(), 1);
        let mean = Stretches::mean(&[of(&[0.1, 0.1, 0.05]), of(&[0.1, 0.05, 0.05])]);
        assert_eq!(mean.begins, [(0.0, 0.1), (1.0, (0.1 + 0.05) / 2.0), (2.0, 0.05)]);
    }

    #[test]
    fn on_a_log_axis_a_rate_of_0_runs_along_the_lower_edge_and_a_decay_to_next_to_nothing_squeezes_no_other() {
        let cosine =
            (0..1000).map(|t| (f64::from(t), (1.0 + (f64::from(t) * std::f64::consts::PI / 999.0).cos()) / 20.0));
        let mut panel = Panel { series: vec![Series::new("cosine", cosine.collect())], ..Panel::default() };
        assert!(to_log(&mut panel));
        let (bottom, top) = panel.y_range.unwrap();
        assert!((1e-8..1e-3).contains(&bottom) && top > 0.1, "{bottom} {top}");
        assert!(panel.y_edge && panel.series[0].points.last().is_some_and(|last| last.1 < bottom), "and stays 0");
        // One that spends its whole life far below is shown where it is.
        let decay = (0..100).map(|t| (f64::from(t), 0.1 * 10_f64.powf(-f64::from(t) / 10.0))).collect();
        let mut panel = Panel { series: vec![Series::new("decay", decay)], ..Panel::default() };
        to_log(&mut panel);
        assert!(panel.y_range.unwrap().0 < 1e-10, "{:?}", panel.y_range);
        let mut zero = Panel { series: vec![Series::new("zero", vec![(0.0, 0.0), (1.0, 0.0)])], ..Panel::default() };
        assert!(!to_log(&mut zero) && zero.y_scale == AxisScale::Linear);
    }
}
