//! What looks wrong about a schedule in a run, before it is trained.

use super::sequence::{Schedule, Stage};
use super::{Rates, Setting, Spec};
use crate::usage::Usage;

/// A target counts as reached within this part of the way to it: a horizon of whole steps seldom meets a peak exactly.
const NEARLY: f64 = 0.05;

/// One line each: a rate that never changes, is 0 at step 0, never reaches its peak or its floor, rises after its end, or a
/// parameter without effect.
///
/// A schedule that listens to metrics is judged by its warm-up only: what it will do is not known.
///
/// # Errors
/// Those of [`Schedule::build`].
pub fn warnings(spec: &Spec, setting: &Setting) -> Result<Vec<String>, Usage> {
    let schedule = Schedule::build(spec, setting)?;
    let trace = trace(&schedule);
    let mut warnings = Vec::new();
    if trace[0].learning_rate == 0.0 {
        warnings.push(
            "the rate is 0 at step 0: the first step changes nothing (a warm-up may begin higher: warmup-from)"
                .to_string(),
        );
    }
    for (at, stage) in schedule.stages.iter().enumerate() {
        let name = spec.parts()[at].name();
        let end = schedule.stages.get(at + 1).map_or(schedule.total_steps, |next| next.begin).min(schedule.total_steps);
        if stage.begin >= schedule.total_steps {
            warnings.push(format!(
                "{name} never begins: the run ends at step {}, before step {}",
                schedule.total_steps, stage.begin
            ));
            continue;
        }
        let rates = &trace[stage.begin as usize..end as usize];
        warnings.extend(stage_warnings(name, stage, rates, end));
    }
    if schedule.listens_to().is_empty() {
        let constant = !spec.is_sequence() && spec.name() == "constant";
        if trace.len() > 1 && !constant && trace.iter().all(|rates| rates.learning_rate == trace[0].learning_rate) {
            let steps = trace.len();
            warnings.push(format!(
                "the rate never changes over this run of {steps} steps: it stays {}",
                trace[0].learning_rate
            ));
        } else {
            warnings.extend(parameters_without_effect(spec, setting, &trace));
        }
    }
    Ok(warnings)
}

fn stage_warnings(name: &str, stage: &Stage, rates: &[Rates], end: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    let start = rates[0].learning_rate;
    if let Some(peak) = stage.peak {
        let highest = rates.iter().map(|rates| rates.learning_rate).fold(start, f64::max);
        if highest < peak - NEARLY * (peak - start).abs() {
            warnings.push(format!("{name}: the peak of {peak} is never reached; the highest rate is {highest}"));
        }
    }
    if let Some(floor) = stage.floor.filter(|_| end > stage.start) {
        let last = stage.formula.rates(end - stage.start).learning_rate;
        let lowest = rates[stage.start.saturating_sub(stage.begin) as usize..]
            .iter()
            .map(|rates| rates.learning_rate)
            .fold(last, f64::min);
        if lowest > floor + NEARLY * (stage.lr - floor).abs() {
            warnings.push(format!("{name}: the floor of {floor} is never reached; the lowest rate is {lowest}"));
        }
    }
    if let Some(over) = stage.end {
        let after = (stage.start + over - stage.begin).min(rates.len() as u64) as usize;
        if let Some(rise) = rates[after..].windows(2).position(|pair| pair[1].learning_rate > pair[0].learning_rate) {
            let step = stage.begin + (after + rise) as u64 + 1;
            warnings.push(format!(
                "{name}: the rate rises again from step {step} on, after its end at step {}",
                stage.start + over
            ));
        }
    }
    warnings
}

/// Parameters whose value, unlike their default, changes no step of the run if it is left out.
fn parameters_without_effect(spec: &Spec, setting: &Setting, trace: &[Rates]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (part, key, value) in spec.given().filter(|(_, key, _)| *key != "for") {
        let without = spec.without(part, key);
        let same = without != *spec
            && Schedule::build(&without, setting)
                .is_ok_and(|other| (0..).zip(trace).all(|(t, rates)| other.at(t) == *rates));
        if same {
            let name = spec.parts()[part].name();
            warnings.push(format!("{name}: {key}={value} has no effect in this run"));
        }
    }
    warnings
}

fn trace(schedule: &Schedule) -> Vec<Rates> {
    (0..schedule.total_steps).map(|t| schedule.at(t)).collect()
}
