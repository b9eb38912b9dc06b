//! Who competes: an optimizer under a schedule.

use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, Spec};
use crate::spec;
use crate::usage::{Usage, did_you_mean};

/// An optimizer and the schedule that it runs under: `sgd:momentum=0.9/step:factor=0.5,drop-every=10`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    pub optimizer: OptimizerSpec,
    pub schedule: Spec,
}

impl Entrant {
    /// Whether its optimizer has this parameter.
    pub fn optimizer_takes(&self, key: &str) -> bool {
        takes(optim::table(), self.optimizer.name(), key)
    }

    /// Whether its schedule, or any schedule, has this parameter.
    pub fn schedule_takes(&self, key: &str) -> bool {
        takes(schedule::table(), self.schedule.name(), key)
            || schedule::universal().iter().any(|parameter| parameter.name == key)
    }
}

fn takes(table: &[spec::Entry], name: &str, key: &str) -> bool {
    let entry = table.iter().find(|entry| entry.name == name);
    entry.is_some_and(|entry| entry.parameters.iter().any(|parameter| parameter.name == key))
}

impl std::fmt::Display for Entrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.optimizer, self.schedule)
    }
}

/// What the flags of a comparison say for every entrant that does not say it itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Flags of optimizers (`momentum`, `weight-decay`, …): each goes to the entrants whose optimizer takes it.
    pub optimizer: Vec<(String, String)>,
    /// Flags of schedules that go in front of any (`warmup`, `warmup-from`) or that an entrant's schedule takes.
    pub schedule: Vec<(String, String)>,
}

impl Entrant {
    /// Reads `optimizer/schedule`; the schedule alone runs under sgd, the optimizer alone at a constant rate.
    ///
    /// # Errors
    /// An optimizer or schedule that there is not, or one that cannot be as its parameters say.
    pub fn parse(text: &str, overrides: &Overrides) -> Result<Self, Usage> {
        let is_optimizer = |text: &str| {
            let name = text.split(':').next().unwrap_or_default().trim();
            optim::table().iter().any(|entry| entry.name == name)
        };
        let (optimizer, schedule) = match text.split_once('/') {
            Some((optimizer, schedule)) if is_optimizer(optimizer) => (optimizer, schedule),
            _ if is_optimizer(text) => (text, "constant"),
            _ => {
                let name = text.split([':', '/']).next().unwrap_or_default();
                if !schedule::table().iter().any(|entry| entry.name == name) {
                    let optimizers = optim::table().iter().map(|entry| entry.name);
                    let known = optimizers.chain(schedule::table().iter().map(|entry| entry.name));
                    return Err(Usage(format!(
                        "entrant `{text}`: `{name}` is neither an optimizer nor a schedule{}; write optimizer/schedule: sgd/cosine",
                        did_you_mean(name, known)
                    )));
                }
                ("sgd", text)
            }
        };
        let about = |error: Usage| Usage(format!("entrant `{text}`: {error}"));
        let optimizer_flags = applicable(optimizer, &overrides.optimizer, optim::table(), &[]);
        let schedule_flags = applicable(schedule, &overrides.schedule, schedule::table(), schedule::universal());
        Ok(Self {
            optimizer: OptimizerSpec::from_flags(optimizer, &optimizer_flags).map_err(about)?,
            schedule: Spec::from_flags(schedule, &schedule_flags).map_err(about)?,
        })
    }
}

/// Those of `flags` that the named entry takes and the spec does not give itself.
fn applicable(
    text: &str,
    flags: &[(String, String)],
    table: &[spec::Entry],
    universal: &[spec::Parameter],
) -> Vec<(String, String)> {
    let name = text.split(':').next().unwrap_or_default().trim();
    let Some(entry) = table.iter().find(|entry| entry.name == name) else { return Vec::new() };
    let parameters = || entry.parameters.iter().chain(universal);
    let switches: Vec<&str> = parameters().filter(|p| p.switch).map(|p| p.name).collect();
    let own = spec::fields(text, &switches, Some("")).unwrap_or_default();
    let taken = |key: &str| parameters().any(|parameter| parameter.name == key);
    let given = |key: &str| own.values.iter().any(|(own, _)| own == key);
    flags.iter().filter(|(key, _)| taken(key) && !given(key)).cloned().collect()
}

/// One of every schedule with sgd, and the adaptive optimizers at their usual rates. Durations are shares of the run, so that each
/// schedule shows its shape in a run of any length.
pub fn default_entrants() -> Vec<&'static str> {
    vec![
        "sgd/constant",
        "sgd/step:factor=0.5,drop-every=40%",
        "sgd/time:decay=4,decay-steps=100%",
        "sgd/exponential:decay-rate=0.05,decay-steps=100%",
        "sgd/natural-exp:k=3,decay-steps=100%",
        "sgd/linear",
        "sgd/polynomial:power=2",
        "sgd/piecewise:milestones=50%,80%,factor=0.2",
        "sgd/halve:when=val_accuracy>=0.2,when=val_accuracy>=0.3,when=val_accuracy>=0.5",
        "sgd/plateau:factor=0.5,patience=0",
        "sgd/cosine",
        "sgd/cosine-restarts:period=40%,period-mult=1.5",
        "sgd:lr=0.01/triangular:max-lr=0.06,step-size=20%",
        "sgd:lr=0.01/triangular2:max-lr=0.06,step-size=20%",
        "sgd:lr=0.01/exp-range:max-lr=0.06,step-size=20%",
        "sgd:momentum=0.9/one-cycle:max-lr=0.02",
        "sgd/wsd",
        "sgd/inverse-sqrt",
        "sgd/expr:lr*sqrt(1-t/T)",
        "rmsprop/constant",
        "adam/constant",
        "adagrad/constant",
        "adadelta/constant",
    ]
}
