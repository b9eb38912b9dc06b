//! Warnings about a schedule in a run, before it is trained.

use super::sequence::{Schedule, Stage};
use super::{Rates, RunShape, Sequence};
use crate::error::UsageError;
use crate::number::{nominal, rate};
use crate::spec::{ParameterValue, shortest};
use std::collections::HashSet;

/// A target counts as reached within this fraction of the distance to it: with whole steps, the rate rarely hits a peak
/// exactly.
const NEARLY: f64 = 0.05;

/// The minimum distance to a peak, as a fraction of it.
const LEAST_WAY: f64 = 1e-3;

/// Below this fraction of the run's highest rate, training has almost no effect.
const GONE: f64 = 1e-6;

/// A rate held after the end of its schedule has almost no effect below this fraction of the highest rate.
const HELD: f64 = 1e-3;

/// A decay that ends above this fraction of the highest rate is hardly one.
const HARDLY: f64 = 0.6;

/// Runs up to this length are inspected step by step, longer ones at this many evenly spaced steps.
const MOST_INSPECTED: u64 = 1_000_000;

/// The rest of a run, whose schedule may have been changed by hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rest {
    /// The step of the run at which the schedule's clock starts.
    pub since: u64,
    /// The step about to be applied.
    pub next: u64,
    /// The length of the run in steps. It may be shorter than the schedule, or longer, in which case the last rate is
    /// held.
    pub end: u64,
    /// The factor that each rate is multiplied by.
    pub scale: f64,
}

/// Warnings, one line each: a rate that never changes, never falls, is 0 at step 0, never reaches its peak, its floor or
/// its base rate, jumps after a warm-up, rises where it should decay, is gone long before the end of the run, or a parameter
/// without effect.
///
/// For a schedule that listens to metrics only the warm-up is checked, because its later rates are not known in
/// advance.
///
/// # Errors
/// Those of [`Schedule::build`].
pub fn warnings(schedule: impl Into<Sequence>, run: &RunShape) -> Result<Vec<String>, UsageError> {
    warnings_of_rest(schedule, run, &Rest { since: 0, next: 0, end: run.total_steps(), scale: 1.0 })
}

/// Warnings about the rest of a run; `run` is what the schedule is built with.
///
/// # Errors
/// Those of [`Schedule::build_from`].
pub fn warnings_of_rest(schedule: impl Into<Sequence>, run: &RunShape, rest: &Rest) -> Result<Vec<String>, UsageError> {
    let sequence: Sequence = schedule.into();
    let schedule = sequence.fitted(run, rest.since)?;
    let trace = Trace::of(&schedule, rest);
    if trace.steps.is_empty() {
        return Ok(Vec::new());
    }
    let known = schedule.listens_to().is_empty();
    let gone = if known { gone(&trace, run, rest, schedule.total_steps) } else { None };
    let mut warnings = Vec::new();
    // A built-in warm-up is as published; only one that the user asked for can be a mistake.
    let usual = sequence.part(0).warms_up_as_published();
    let starts_at_0 = trace.between(rest.next, rest.end).first().is_some_and(|rates| rates.learning_rate == 0.0);
    if starts_at_0 && !(usual && rest.next == rest.since) && gone.as_ref().is_none_or(|(from, _)| *from > rest.next) {
        let (step, first) = if rest.next == 0 { (0, "first") } else { (rest.next, "next") };
        let warms_up = schedule.stages.first().is_some_and(|stage| stage.begin <= step && step < stage.start);
        let remedy = if warms_up { " (a warm-up may begin higher: warmup-from)" } else { "" };
        warnings.push(format!("the rate is 0 at step {step}: the {first} step changes nothing{remedy}"));
    }
    for (at, stage) in schedule.stages.iter().enumerate() {
        let name = sequence.part(at).name();
        let end = schedule.stages.get(at + 1).map_or(schedule.total_steps, |next| next.begin).min(rest.end);
        if stage.begin >= rest.end {
            warnings.push(format!(
                "{name} never begins: the run ends at step {}, and it would begin at step {}",
                rest.end, stage.begin
            ));
            continue;
        }
        let next = schedule.stages.get(at + 1).filter(|next| next.begin < rest.end);
        let seen = Seen { name, stage, trace: &trace, end, next, scale: rest.scale };
        warnings.extend(seen.warnings());
        if stage.start >= rest.end && seen.peak().is_none() {
            let when = if stage.start == rest.end { "with the run" } else { "after the run" };
            warnings.push(format!("{name} never begins: its warm-up ends at step {}, {when}", stage.start));
        }
    }
    // The warning about a rate that cannot drop already explains why it never changes.
    let explained = schedule.stages.iter().any(|stage| !stage.formula.cautions().is_empty());
    let constant = !sequence.is_sequence() && sequence.part(0).name() == "constant";
    let first = trace.rates[0];
    let still = trace.rates.iter().all(|rates| rates.learning_rate == first.learning_rate);
    match gone {
        _ if !known => {}
        Some((_, line)) => warnings.push(line),
        None if trace.steps.len() > 1 && !constant && still && explained => {}
        None if trace.steps.len() > 1 && !constant && still => warnings.push(format!(
            "the rate never changes over this run of {} steps: it stays {}",
            rest.end - rest.since,
            rate(first.learning_rate)
        )),
        None => {
            warnings.extend(parameters_without_effect(&sequence, run, rest, &trace));
            if warnings.is_empty() && !sequence.is_sequence() && rest.next == rest.since {
                warnings.extend(hardly_falls(sequence.part(0).name(), &trace));
            }
        }
    }
    // A sequence may contain the same part several times.
    let mut said = HashSet::new();
    warnings.retain(|line| said.insert(line.clone()));
    Ok(warnings)
}

/// Of a rate that only falls, once it has been at its highest: that most of it is left at the end.
fn hardly_falls(name: &str, trace: &Trace) -> Option<String> {
    let (first, last) = (trace.rates.first()?.learning_rate, trace.rates.last()?.learning_rate);
    let highest = highest(&trace.rates);
    let top = trace.rates.iter().position(|rates| rates.learning_rate == highest)?;
    let falls = trace.rates[top..].windows(2).all(|pair| pair[1].learning_rate <= pair[0].learning_rate);
    (falls && last < highest && last > HARDLY * highest && first >= last).then(|| {
        let share = 100.0 * (last / highest);
        format!("{name}: the rate hardly falls in this run: {} at its end, {share:.0} % of its highest", rate(last))
    })
}

/// The applied rates of a run, from where the schedule's clock starts.
struct Trace {
    /// Ascending: every step, or an evenly spaced selection.
    steps: Vec<u64>,
    rates: Vec<Rates>,
}

impl Trace {
    fn of(schedule: &Schedule, rest: &Rest) -> Self {
        let length = rest.end.saturating_sub(rest.since);
        let stride = length.div_ceil(MOST_INSPECTED).max(1);
        let last = (length > 0).then(|| rest.end - 1);
        let mut steps: Vec<u64> = (rest.since..rest.end).step_by(stride as usize).collect();
        steps.extend(last.filter(|last| steps.last() != Some(last)));
        Self { rates: steps.iter().map(|&t| scaled(schedule.at(t), rest.scale)).collect(), steps }
    }

    /// The index of the first step at or after `t`.
    fn index(&self, t: u64) -> usize {
        self.steps.partition_point(|&step| step < t)
    }

    fn between(&self, from: u64, to: u64) -> &[Rates] {
        &self.rates[self.index(from)..self.index(to).max(self.index(from))]
    }
}

fn scaled(rates: Rates, scale: f64) -> Rates {
    Rates { learning_rate: rates.learning_rate * scale, ..rates }
}

fn highest(rates: &[Rates]) -> f64 {
    rates.iter().map(|rates| rates.learning_rate).fold(0.0, f64::max)
}

/// The step from which the rate is 0 for at least a whole epoch, or almost 0 for much of the run, with a warning.
/// `over` is the step at which the schedule ends, from which its last rate is held.
fn gone(trace: &Trace, run: &RunShape, rest: &Rest, over: u64) -> Option<(u64, String)> {
    let steps_per_epoch = run.steps_per_epoch;
    let highest = highest(&trace.rates);
    // The first remaining step from which no rate is above `least`.
    let from = |least: f64| {
        let after = trace.rates.iter().rposition(|rates| rates.learning_rate > least).map_or(0, |last| last + 1);
        trace.steps.get(after).map(|&step| step.max(rest.next))
    };
    let left = |step: u64| rest.end.saturating_sub(step);
    let length = rest.end - rest.since;
    let half = length.div_ceil(2);
    let zero = from(0.0).filter(|step| left(*step) >= steps_per_epoch.min(half));
    let much = |left: u64| left >= half || left > steps_per_epoch.max(length / 4);
    let tiny = from(GONE * highest).filter(|step| much(left(*step)));
    // A curve that ends at 0 is tiny just before.
    let soon = |zero: u64| tiny.is_none_or(|tiny| tiny + steps_per_epoch > zero);
    if let Some(step) = zero.filter(|step| soon(*step)) {
        let (epoch, last) = (step / steps_per_epoch, last_steps(left(step)));
        let line = format!("the rate is 0 from step {step} (epoch {epoch}) on: {last} nothing");
        return Some((step, line));
    }
    let of_highest = rate(highest);
    if let Some(step) = tiny {
        let (epoch, last) = (step / steps_per_epoch, last_steps(left(step)));
        let line = format!(
            "the rate falls below a millionth of its highest, {of_highest}, at step {step} (epoch {epoch}): {last} next to nothing"
        );
        return Some((step, line));
    }
    // The run was made longer than its schedule and holds the schedule's last rate.
    let step = over.max(rest.next);
    let held = trace.between(step, rest.end).last().map(|rates| rates.learning_rate);
    let held = held.filter(|held| *held < HELD * highest)?;
    let (epoch, last, held) = (step / steps_per_epoch, last_steps(left(step)), rate(held));
    let line = format!(
        "the rate is held at {held} from step {step} (epoch {epoch}) on, less than a thousandth of its highest, {of_highest}: {last} next to nothing"
    );
    Some((step, line))
}

fn last_steps(count: u64) -> String {
    if count == 1 { "the last step changes".to_string() } else { format!("the last {count} steps change") }
}

/// One schedule of a sequence, within the run.
struct Seen<'a> {
    name: &'a str,
    stage: &'a Stage,
    trace: &'a Trace,
    /// The first step of the run after this schedule.
    end: u64,
    /// The schedule that takes over within the run.
    next: Option<&'a Stage>,
    scale: f64,
}

impl Seen<'_> {
    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.stage.formula.cautions();
        warnings.iter_mut().for_each(|line| *line = format!("{}: {line}", self.name));
        // The warnings about the rise are related, as are those about the decay.
        let up = [self.peak(), self.above_peak(), self.jump(), self.base_rate()];
        // It is nearer to the cause than the floor, which a warm-up from 0 has seen.
        let never = self.never_falls();
        let floor = if never.is_some() { never } else { self.floor() };
        let down = [floor, self.below_floor(), self.rise(), self.ascent()];
        let all = [up, down].concat();
        warnings.extend(all.into_iter().flatten().map(|line| format!("{}: {line}", self.name)));
        warnings
    }

    /// The rates, including the warm-up.
    fn rates(&self) -> &[Rates] {
        self.trace.between(self.stage.begin, self.end)
    }

    /// The rates on the schedule's own clock.
    fn own_rates(&self) -> &[Rates] {
        self.trace.between(self.stage.start, self.end)
    }

    fn lr(&self) -> f64 {
        self.stage.lr * self.scale
    }

    /// The rate at the first step of its own clock.
    fn first(&self) -> f64 {
        self.stage.formula.rates(0).learning_rate * self.scale
    }

    fn peak(&self) -> Option<String> {
        let peak = self.stage.outline.peak? * self.scale;
        let start = self.rates().first()?.learning_rate;
        let highest = highest(self.rates());
        let way = (peak - start).abs().max(LEAST_WAY * peak);
        (highest < peak - NEARLY * way && !self.passes_top(start, peak, highest))
            .then(|| format!("the peak of {} is never reached; the highest rate is {}", nominal(peak), rate(highest)))
    }

    /// Whether the run reaches the schedule's top and the rate has risen noticeably by then. The peak itself may be
    /// missed: the amplitude of `exp-range` decays on the way up, and one-cycle may begin at its top or pass it between
    /// two steps.
    fn passes_top(&self, start: f64, peak: f64, highest: f64) -> bool {
        let Some(top) = self.stage.outline.top else { return false };
        let reached = self.end > self.stage.start && (self.end - self.stage.start) as f64 >= top * (1.0 - NEARLY);
        let risen = if top < 1.0 { highest > peak / 2.0 } else { highest - start > NEARLY * (peak - start) };
        reached && risen
    }

    /// A rate that begins above the peak falls instead of rising.
    fn above_peak(&self) -> Option<String> {
        let peak = self.stage.outline.peak.filter(|_| self.stage.outline.rises)? * self.scale;
        let first = self.first();
        (first > peak * (1.0 + NEARLY) && self.end > self.stage.start).then(|| {
            format!(
                "the rate begins at {}, above max-lr, {}: it falls where it should rise",
                rate(first),
                nominal(peak)
            )
        })
    }

    /// A warm-up ends at lr, whatever the schedule's first rate is.
    fn jump(&self) -> Option<String> {
        let (lr, first) = (self.lr(), self.first());
        let seen = self.stage.begin < self.stage.start && self.stage.start < self.end;
        (seen && (first - lr).abs() > NEARLY * lr.max(first)).then(|| {
            let (lr, first) = (nominal(lr), rate(first));
            format!("the warm-up leads to {lr}, and the rate jumps to {first} at step {}, after it", self.stage.start)
        })
    }

    fn base_rate(&self) -> Option<String> {
        let (lr, first, stage) = (self.lr(), self.first(), self.stage);
        // Covered by the warning about the peak, or about the jump to the first rate.
        let begins = stage.begin == stage.start && stage.outline.peak.is_none() && stage.formula.applies_lr();
        let own = self.own_rates();
        let never = !own.is_empty() && own.iter().all(|rates| rates.learning_rate < lr * (1.0 - NEARLY));
        (begins && never)
            .then(|| format!("the base rate of {} is never applied: the rate begins at {}", nominal(lr), rate(first)))
    }

    /// A rate that rises and never falls over a whole run, of a schedule that should: its decay has no steps, or begins after
    /// the run. In a sequence, and in the rest of a run, other schedules may do the falling.
    fn never_falls(&self) -> Option<String> {
        let (first, last) = (self.rates().first()?.learning_rate, self.rates().last()?.learning_rate);
        let rises = self.rates().windows(2).all(|pair| pair[1].learning_rate >= pair[0].learning_rate) && last > first;
        let is_whole = self.next.is_none() && self.stage.begin == 0 && self.trace.steps.first() == Some(&0);
        let is_meant = self.stage.outline.free || !is_whole;
        let listens = !self.stage.formula.listens_to().is_empty();
        let said = self.end <= self.stage.start || self.peak().is_some() || self.ascent().is_some();
        (rises && !is_meant && !listens && !said)
            .then(|| format!("the rate never falls in this run: it is highest, {}, at the end", rate(last)))
    }

    fn floor(&self) -> Option<String> {
        let stage = self.stage;
        // After a whole cycle, the rate has come as close to the floor as its steps allow.
        let cycles = stage.outline.cycle.is_some_and(|length| self.end.saturating_sub(stage.start) >= length);
        let floor = stage.outline.floor.filter(|_| self.end > stage.start && !cycles)? * self.scale;
        let last = stage.formula.rates(self.end - stage.start).learning_rate * self.scale;
        let lowest = self.own_rates().iter().map(|rates| rates.learning_rate).fold(last, f64::min);
        (lowest > floor + NEARLY * (self.lr() - floor).abs())
            .then(|| format!("the floor of {} is never reached; the lowest rate is {}", nominal(floor), rate(lowest)))
    }

    /// A rate that begins above its floor should not fall below it.
    fn below_floor(&self) -> Option<String> {
        let floor = self.stage.outline.floor? * self.scale;
        let rates = self.own_rates().iter().map(|rates| rates.learning_rate);
        let lowest = rates.fold(f64::INFINITY, f64::min);
        (self.first() >= floor && lowest < floor * (1.0 - NEARLY))
            .then(|| format!("the rate sinks below end-lr, {}, to {}", nominal(floor), rate(lowest)))
    }

    fn rise(&self) -> Option<String> {
        let over = self.stage.start + self.stage.outline.end?;
        let after = self.trace.between(over, self.end);
        let rise = after.windows(2).position(|pair| pair[1].learning_rate > pair[0].learning_rate)?;
        let step = self.trace.steps[self.trace.index(over) + rise + 1];
        Some(format!("the rate rises again from step {step} on, after its end at step {over}"))
    }

    /// A decay that ends above its start: `end-lr` above lr, a factor above 1. If another schedule follows, it may be
    /// meant as a warm-up.
    fn ascent(&self) -> Option<String> {
        let stage = self.stage;
        if stage.outline.rises || !stage.formula.applies_lr() || self.end <= stage.start {
            return None;
        }
        let highest_start = self.first().max(self.lr());
        let last = stage.formula.rates(self.end - stage.start).learning_rate * self.scale;
        let follows = self.next.map(|next| scaled(next.formula.rates(0), self.scale).learning_rate);
        let led_to = follows.is_some_and(|next| next >= last * (1.0 - NEARLY));
        let rises = |to: f64| to > highest_start * (1.0 + NEARLY);
        if led_to || !stage.formula.listens_to().is_empty() {
            return None;
        }
        if let Some(floor) = stage.outline.floor.map(|floor| floor * self.scale).filter(|floor| rises(*floor)) {
            return Some(format!(
                "end-lr, {}, is above lr, {}: the rate rises where it should decay",
                nominal(floor),
                nominal(self.lr())
            ));
        }
        // Restarts may begin at ever higher rates.
        (stage.outline.cycle.is_none() && rises(last))
            .then(|| format!("the rate rises from {} to {} where it should decay", rate(highest_start), rate(last)))
    }
}

/// Parameters that differ from their default but affect no step of the run, neither when left out nor when halved or
/// doubled. A value that merely coincides with the default in this run (20% of ten epochs and 2ep) is not reported, nor an
/// expression, which is the whole schedule.
fn parameters_without_effect(sequence: &Sequence, run: &RunShape, rest: &Rest, trace: &Trace) -> Vec<String> {
    let same = |other: &Sequence| {
        other.fitted(run, rest.since).is_ok_and(|other| {
            trace.steps.iter().zip(&trace.rates).all(|(&t, rates)| scaled(other.at(t), rest.scale) == *rates)
        })
    };
    let mut warnings = Vec::new();
    // A warm-up of 0 explicitly disables it.
    let meant = |key: &str, value: &ParameterValue| match value {
        ParameterValue::Duration(duration) => key != "for" && !(key == "warmup" && duration.is_zero()),
        ParameterValue::Expression(_) => false,
        _ => true,
    };
    for (at, parameter, value) in sequence.given().filter(|(_, parameter, value)| meant(parameter.name, value)) {
        let key = parameter.name;
        let without = sequence.without(at, key);
        if without.part(at) == sequence.part(at) || !same(&without) {
            continue;
        }
        let others = || [0.5, 2.0].into_iter().filter_map(|factor| sequence.with(at, key, value.scaled(factor)?));
        let counts = |other: &Sequence| other.fitted(run, rest.since).is_ok() && !same(other);
        if !others().any(|other| counts(&other)) {
            let (name, value) = (sequence.part(at).name(), value.show(parameter.kind, shortest));
            warnings.push(format!("{name}: {key}={value} has no effect in this run"));
        }
    }
    warnings
}

/// Whether any rate of the schedule depends on the base rate: not if each part has its own rates.
pub fn uses_base_rate(schedule: impl Into<Sequence>) -> bool {
    let sequence: Sequence = schedule.into();
    // The choice of run does not matter, as long as the rates differ enough.
    const STEPS: u64 = 300;
    let of = |lr| sequence.fitted(&RunShape::new(lr, STEPS / 10, 10), 0);
    let (Ok(low), Ok(high)) = (of(0.001), of(1.0)) else { return true };
    low.stages.iter().zip(&high.stages).any(|(low, high)| {
        let at = |stage: &Stage, t| stage.formula.rates(t).learning_rate;
        // An expression may use lr only later, or only below a bound, and a list only at its end.
        let names = low.formula.names_lr();
        names || low.begin < low.start && low.lr != high.lr || (0..STEPS).any(|t| at(low, t) != at(high, t))
    })
}
