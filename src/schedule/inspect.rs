//! What looks wrong about a schedule in a run, before it is trained.

use super::duration::{Duration, Unit};
use super::sequence::{Schedule, Stage};
use super::{Rates, Setting, Spec};
use crate::usage::Usage;
use std::collections::HashSet;

/// A target counts as reached within this part of the way to it: a horizon of whole steps seldom meets a peak exactly.
const NEARLY: f64 = 0.05;

/// A rate below this part of the highest rate of the run trains next to nothing.
const GONE: f64 = 1e-6;

/// A run of up to so many steps is inspected step by step, a longer one at as many that are evenly spread.
const MOST_INSPECTED: u64 = 1_000_000;

/// What is left of a run, whose schedule may have been changed on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rest {
    /// The step of the run at which the schedule's clock starts.
    pub since: u64,
    /// The step about to be applied.
    pub next: u64,
    /// How many steps the run has: fewer than its schedule is made for, or more, in which it holds its last rate.
    pub end: u64,
    /// What each rate is multiplied by.
    pub scale: f64,
}

/// One line each: a rate that never changes, is 0 at step 0, never reaches its peak, its floor or its base rate, jumps after a
/// warm-up, rises after its end, is gone long before the end of the run, or a parameter without effect.
///
/// A schedule that listens to metrics is judged by its warm-up only: what it will do is not known.
///
/// # Errors
/// Those of [`Schedule::build`].
pub fn warnings(spec: &Spec, setting: &Setting) -> Result<Vec<String>, Usage> {
    warnings_of_rest(spec, setting, &Rest { since: 0, next: 0, end: setting.total_steps(), scale: 1.0 })
}

/// The same of what is left of a run; `setting` is what the schedule is built with.
///
/// # Errors
/// Those of [`Schedule::build_from`].
pub fn warnings_of_rest(spec: &Spec, setting: &Setting, rest: &Rest) -> Result<Vec<String>, Usage> {
    let schedule = Schedule::build_from(spec, setting, rest.since)?;
    let trace = Trace::of(&schedule, rest);
    if trace.steps.is_empty() {
        return Ok(Vec::new());
    }
    let known = schedule.listens_to().is_empty();
    let gone = if known { gone(&trace, setting, rest) } else { None };
    let mut warnings = Vec::new();
    let starts_at_0 = trace.between(rest.next, rest.end).first().is_some_and(|rates| rates.learning_rate == 0.0);
    if starts_at_0 && gone.as_ref().is_none_or(|(from, _)| *from > rest.next) {
        let (step, first) = if rest.next == 0 { (0, "first") } else { (rest.next, "next") };
        warnings.push(format!(
            "the rate is 0 at step {step}: the {first} step changes nothing (a warm-up may begin higher: warmup-from)"
        ));
    }
    for (at, stage) in schedule.stages.iter().enumerate() {
        let name = spec.parts()[at].name();
        let end = schedule.stages.get(at + 1).map_or(schedule.total_steps, |next| next.begin).min(rest.end);
        if stage.begin >= rest.end {
            warnings
                .push(format!("{name} never begins: the run ends at step {}, before step {}", rest.end, stage.begin));
            continue;
        }
        let seen = Seen { name, stage, trace: &trace, end, scale: rest.scale };
        warnings.extend(seen.warnings());
    }
    let constant = !spec.is_sequence() && spec.name() == "constant";
    let first = trace.rates[0];
    let still = trace.rates.iter().all(|rates| rates.learning_rate == first.learning_rate);
    match gone {
        _ if !known => {}
        Some((_, line)) => warnings.push(line),
        None if trace.steps.len() > 1 && !constant && still => warnings.push(format!(
            "the rate never changes over this run of {} steps: it stays {}",
            rest.end - rest.since,
            first.learning_rate
        )),
        None => warnings.extend(parameters_without_effect(spec, setting, rest, &schedule, &trace)),
    }
    // The same part may come several times in a sequence.
    let mut said = HashSet::new();
    warnings.retain(|line| said.insert(line.clone()));
    Ok(warnings)
}

/// The rates of a run from where the schedule's clock starts, as they are applied.
struct Trace {
    /// Ascending; every one, or as many as are inspected.
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

    /// The index of the first that is not before step `t`.
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

/// The step from which on the rate is 0 for a whole epoch or more, or next to nothing for most of the run, and a line on it.
fn gone(trace: &Trace, setting: &Setting, rest: &Rest) -> Option<(u64, String)> {
    let steps_per_epoch = setting.steps_per_epoch;
    let highest = highest(&trace.rates);
    // From which of the steps to come on no rate is above `least`.
    let from = |least: f64| {
        let after = trace.rates.iter().rposition(|rates| rates.learning_rate > least).map_or(0, |last| last + 1);
        trace.steps.get(after).map(|&step| step.max(rest.next))
    };
    let left = |step: u64| rest.end.saturating_sub(step);
    let zero = from(0.0).filter(|step| left(*step) >= steps_per_epoch);
    let tiny = from(GONE * highest).filter(|step| left(*step) > (rest.end - rest.since) / 2);
    // A curve that ends at 0 is tiny a moment before.
    let soon = |zero: u64| tiny.is_none_or(|tiny| tiny + steps_per_epoch > zero);
    if let Some(step) = zero.filter(|step| soon(*step)) {
        let (epoch, last) = (step / steps_per_epoch, last_steps(left(step)));
        let line = format!("the rate is 0 from step {step} (epoch {epoch}) on: {last} nothing");
        return Some((step, line));
    }
    let step = tiny?;
    let (epoch, last) = (step / steps_per_epoch, last_steps(left(step)));
    let line = format!(
        "the rate falls below a millionth of its highest, {highest}, at step {step} (epoch {epoch}): {last} next to nothing"
    );
    Some((step, line))
}

fn last_steps(count: u64) -> String {
    if count == 1 { "the last step changes".to_string() } else { format!("the last {count} steps change") }
}

/// One schedule of a sequence, as far as the run goes.
struct Seen<'a> {
    name: &'a str,
    stage: &'a Stage,
    trace: &'a Trace,
    /// The first step of the run that is not its own.
    end: u64,
    scale: f64,
}

impl Seen<'_> {
    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.stage.formula.cautions();
        warnings.iter_mut().for_each(|line| *line = format!("{}: {line}", self.name));
        // Those on the way up belong together, as do those on the way down.
        let all = [self.peak(), self.jump(), self.base_rate(), self.floor(), self.below_floor(), self.rise()];
        warnings.extend(all.into_iter().flatten().map(|line| format!("{}: {line}", self.name)));
        warnings
    }

    /// With its warm-up.
    fn rates(&self) -> &[Rates] {
        self.trace.between(self.stage.begin, self.end)
    }

    /// On its own clock.
    fn own_rates(&self) -> &[Rates] {
        self.trace.between(self.stage.start, self.end)
    }

    fn lr(&self) -> f64 {
        self.stage.lr * self.scale
    }

    /// The rate of its own clock's first step.
    fn first(&self) -> f64 {
        self.stage.formula.rates(0).learning_rate * self.scale
    }

    fn peak(&self) -> Option<String> {
        let peak = self.stage.peak? * self.scale;
        let start = self.rates().first()?.learning_rate;
        let highest = highest(self.rates());
        (highest < peak - NEARLY * (peak - start).abs())
            .then(|| format!("the peak of {peak} is never reached; the highest rate is {highest}"))
    }

    /// A warm-up leads to lr, whatever comes after it.
    fn jump(&self) -> Option<String> {
        let (lr, first) = (self.lr(), self.first());
        let seen = self.stage.begin < self.stage.start && self.stage.start < self.end;
        (seen && (first - lr).abs() > NEARLY * lr.max(first)).then(|| {
            format!("the warm-up leads to {lr}, and the rate jumps to {first} at step {}, after it", self.stage.start)
        })
    }

    fn base_rate(&self) -> Option<String> {
        let (lr, first, stage) = (self.lr(), self.first(), self.stage);
        // What is said of a peak, or of a jump to the first rate, says it already.
        let begins = stage.begin == stage.start && stage.peak.is_none() && stage.formula.applies_lr();
        let own = self.own_rates();
        let never = !own.is_empty() && own.iter().all(|rates| rates.learning_rate < lr * (1.0 - NEARLY));
        (begins && never).then(|| format!("the base rate of {lr} is never applied: the rate begins at {first}"))
    }

    fn floor(&self) -> Option<String> {
        let stage = self.stage;
        let floor = stage.floor.filter(|_| self.end > stage.start)? * self.scale;
        let last = stage.formula.rates(self.end - stage.start).learning_rate * self.scale;
        let lowest = self.own_rates().iter().map(|rates| rates.learning_rate).fold(last, f64::min);
        (lowest > floor + NEARLY * (self.lr() - floor).abs())
            .then(|| format!("the floor of {floor} is never reached; the lowest rate is {lowest}"))
    }

    /// One that begins above its floor should not sink below it.
    fn below_floor(&self) -> Option<String> {
        let floor = self.stage.floor? * self.scale;
        let rates = self.own_rates().iter().map(|rates| rates.learning_rate);
        let lowest = rates.fold(f64::INFINITY, f64::min);
        (self.first() >= floor && lowest < floor * (1.0 - NEARLY))
            .then(|| format!("the rate sinks below end-lr, {floor}, to {lowest}"))
    }

    fn rise(&self) -> Option<String> {
        let over = self.stage.start + self.stage.end?;
        let after = self.trace.between(over, self.end);
        let rise = after.windows(2).position(|pair| pair[1].learning_rate > pair[0].learning_rate)?;
        let step = self.trace.steps[self.trace.index(over) + rise + 1];
        Some(format!("the rate rises again from step {step} on, after its end at step {over}"))
    }
}

/// Parameters whose value, unlike their default, changes no step of the run if it is left out.
fn parameters_without_effect(
    spec: &Spec,
    setting: &Setting,
    rest: &Rest,
    schedule: &Schedule,
    trace: &Trace,
) -> Vec<String> {
    let mut warnings = Vec::new();
    // A warm-up of 0 says that there is to be none.
    let meant = |key: &str, value: &str| !(key == "for" || key == "warmup" && matches!(value, "0" | "0st" | "0%"));
    for (part, key, value) in spec.given().filter(|(_, key, value)| meant(key, value)) {
        let (stages, default) = (&schedule.stages, spec.parts()[part].default(key));
        let end = stages.get(part + 1).map_or(schedule.total_steps, |next| next.begin);
        let horizon = end.saturating_sub(stages[part].start);
        let relative_to = Part { lr: stages[part].lr, steps_per_epoch: setting.steps_per_epoch, horizon };
        if comes_to_the_same(key, value, default, &relative_to) {
            continue;
        }
        let without = spec.without(part, key);
        let same = without != *spec
            && Schedule::build_from(&without, setting, rest.since).is_ok_and(|other| {
                trace.steps.iter().zip(&trace.rates).all(|(&t, rates)| scaled(other.at(t), rest.scale) == *rates)
            });
        if same {
            let name = spec.parts()[part].name();
            warnings.push(format!("{name}: {key}={value} has no effect in this run"));
        }
    }
    warnings
}

/// Whether a value and its default come to the same by their units, as 20% of ten epochs and 2ep do, or a rate of 0.1 and 1x: it is not
/// without effect only because it is the default.
fn comes_to_the_same(key: &str, value: &str, default: &str, a: &Part) -> bool {
    let either = |units: &[&str]| units.iter().any(|unit| value.ends_with(unit) || default.ends_with(unit));
    let steps = |text| Some(Duration::parse(text, Unit::of(key)).ok()?.steps(a.steps_per_epoch, a.horizon));
    let rate = |text: &str| match text.strip_suffix('x') {
        Some(times) => Some(times.parse::<f64>().ok()? * a.lr),
        None => text.parse().ok(),
    };
    either(&["ep", "st", "%"]) && steps(value).is_some_and(|length| steps(default) == Some(length))
        || either(&["x"]) && rate(value).is_some_and(|value| rate(default) == Some(value))
}

/// What the values of a part of a spec are relative to.
struct Part {
    lr: f64,
    steps_per_epoch: u64,
    horizon: u64,
}
