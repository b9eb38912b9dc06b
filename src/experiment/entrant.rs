//! Who competes: an optimizer under a schedule.

use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, Spec};
use crate::spec;
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};

/// An optimizer and the schedule that it runs under: `sgd:momentum=0.9/step:factor=0.5,drop-every=10`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    pub optimizer: OptimizerSpec,
    pub schedule: Spec,
}

impl Entrant {
    /// Whether its optimizer, its schedule or any schedule has this parameter.
    fn takes(&self, key: &str) -> bool {
        takes(optim::table(), self.optimizer.name(), key)
            || takes(schedule::table(), self.schedule.name(), key)
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

/// What the flags of a comparison say for its entrants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Flags of optimizers (`momentum`, `weight-decay`, …): each goes to the entrants whose optimizer takes it.
    pub optimizer: Vec<(String, String)>,
    /// Flags of schedules that go in front of any (`warmup`, `warmup-from`) or that an entrant's schedule takes.
    pub schedule: Vec<(String, String)>,
    /// `--lr`, as typed.
    pub lr: Option<String>,
}

/// Who wrote an entrant, and so whether its own values or the flags count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    /// What stands in the spec was meant.
    User,
    /// The specs of [`default_entrants`] are a start: a flag says what is meant.
    Program,
}

/// The entrants that `named` lists, or else the default ones, under the flags; and a line for each flag that some of them keep their own
/// value of, and for each rate that no schedule uses.
///
/// A flag goes to every entrant that takes it, except to those that were named with a value of their own for it.
///
/// # Errors
/// An entrant that cannot be, and a flag that goes to none.
pub fn enter(named: Option<&[String]>, overrides: &Overrides) -> Result<(Vec<Entrant>, Vec<String>), Usage> {
    let texts: Vec<&str> = match named {
        Some(named) => named.iter().map(String::as_str).collect(),
        None => default_entrants(),
    };
    let author = if named.is_some() { Author::User } else { Author::Program };
    let entrants =
        texts.iter().map(|text| Entrant::read(text, overrides, author)).collect::<Result<Vec<_>, Usage>>()?;
    let mut kept = Vec::new();
    let lr = overrides.lr.iter().map(|lr| ("lr".to_string(), lr.clone()));
    let flags = overrides.optimizer.iter().chain(&overrides.schedule).cloned().chain(lr).collect::<Vec<_>>();
    for (place, (key, value)) in flags.iter().enumerate() {
        // Those of a list come one by one.
        if flags[..place].iter().any(|(before, _)| before == key) {
            continue;
        }
        let flag = match value.as_str() {
            "true" => format!("--{key}"),
            "false" => format!("--no-{key}"),
            value => format!("--{key} {}", shortened(value)),
        };
        let takers = || entrants.iter().zip(&texts).filter(|(entrant, _)| entrant.takes(key));
        if takers().next().is_none() {
            return usage!("no entrant takes `{key}`; leave --{key} out, or name an entrant that takes it");
        }
        let keeps = |text: &str| author == Author::User && sets(text, key);
        let keepers: Vec<String> =
            takers().filter(|(_, text)| keeps(text)).map(|(entrant, _)| shortened(&entrant.to_string())).collect();
        if keepers.len() == takers().count() {
            return usage!(
                "no entrant takes {flag}: each that could sets its own {key}; leave the flag out, or the `{key}=` of an entrant"
            );
        }
        if key == "lr" {
            let idle = takers().filter(|(entrant, text)| !keeps(text) && !schedule::uses_base_rate(&entrant.schedule));
            let idle: Vec<String> = idle.map(|(entrant, _)| shortened(&entrant.to_string())).collect();
            if !idle.is_empty() {
                let own = if idle.len() == 1 { "whose schedule sets its" } else { "whose schedules set their" };
                kept.push(format!("{flag} does not apply to {}, {own} own rates", idle.join(", ")));
            }
        }
        if !keepers.is_empty() {
            let own = if keepers.len() == 1 { "which sets its own" } else { "which set their own" };
            kept.push(format!("{flag} does not apply to {}, {own} {key}", keepers.join(", ")));
        }
    }
    for (entrant, text) in entrants.iter().zip(&texts).filter(|_| author == Author::User) {
        let optimizer = split(text)?.0;
        let own = own_values(optimizer, optim::table(), &[]).into_iter().find(|(key, _)| key == "lr");
        if let Some((_, lr)) = own.filter(|_| !schedule::uses_base_rate(&entrant.schedule)) {
            let (entrant, lr) = (shortened(&entrant.to_string()), shortened(&lr));
            kept.push(format!("{entrant}: lr={lr} has no effect: its schedule sets its own rates"));
        }
    }
    Ok((entrants, kept))
}

/// Whether the entrant written so gives a value for `key` itself. A rate in each part of its schedule is one in place of `--lr`.
fn sets(text: &str, key: &str) -> bool {
    let Ok((optimizer, schedule)) = split(text) else { return false };
    let in_optimizer = own_values(optimizer, optim::table(), &[]).iter().any(|(own, _)| own == key);
    let mut parts = schedule.split(';');
    let in_part = |part: &str| {
        let own = own_values(part, schedule::table(), schedule::universal());
        own.iter().any(|(own, _)| own == key)
    };
    in_optimizer || if key == "lr" { parts.all(in_part) } else { parts.next().is_some_and(in_part) }
}

/// The optimizer and the schedule of `optimizer/schedule`; of a schedule alone, or an optimizer alone, with what goes with it.
fn split(text: &str) -> Result<(&str, &str), Usage> {
    let is_optimizer = |text: &str| {
        let name = text.split(':').next().unwrap_or_default().trim();
        optim::table().iter().any(|entry| entry.name == name)
    };
    match text.split_once('/') {
        Some((optimizer, schedule)) if is_optimizer(optimizer) => Ok((optimizer, schedule)),
        _ if is_optimizer(text) => Ok((text, "constant")),
        _ => {
            let name = text.split([':', '/']).next().unwrap_or_default();
            if !schedule::table().iter().any(|entry| entry.name == name) {
                let optimizers = optim::table().iter().map(|entry| entry.name);
                let known = optimizers.chain(schedule::table().iter().map(|entry| entry.name));
                return Err(Usage(format!(
                    "entrant {}: `{}` is neither an optimizer nor a schedule{} (an entrant is OPTIMIZER/SCHEDULE, such as sgd/cosine)",
                    shortened(text),
                    shortened(name),
                    did_you_mean(name, known)
                )));
            }
            Ok(("sgd", text))
        }
    }
}

impl Entrant {
    /// Reads `optimizer/schedule`; the schedule alone runs under sgd, the optimizer alone at a constant rate. A flag goes where the text has
    /// no value of its own.
    ///
    /// # Errors
    /// An optimizer or schedule that there is not, or one that cannot be as its parameters say.
    pub fn parse(text: &str, overrides: &Overrides) -> Result<Self, Usage> {
        spec::check_length("an entrant", text)?;
        Self::read(text, overrides, Author::User)
    }

    fn read(text: &str, overrides: &Overrides, author: Author) -> Result<Self, Usage> {
        let (optimizer, schedule) = split(text)?;
        let about = |error: Usage| Usage(format!("entrant {}: {error}", shortened(text)));
        let optimizer_flags = applicable(optimizer, &overrides.optimizer, optim::table(), &[], author);
        let schedule_flags =
            applicable(schedule, &overrides.schedule, schedule::table(), schedule::universal(), author);
        let mut optimizer = OptimizerSpec::from_flags(optimizer, &optimizer_flags).map_err(about)?;
        if author == Author::Program && overrides.lr.is_some() {
            optimizer = optimizer.without_learning_rate();
        }
        Ok(Self { optimizer, schedule: Spec::from_flags(schedule, &schedule_flags).map_err(about)? })
    }
}

/// Those of `flags` that the named entry takes, and that go before the values of the spec or find none.
fn applicable(
    text: &str,
    flags: &[(String, String)],
    table: &[spec::Entry],
    universal: &[spec::Parameter],
    author: Author,
) -> Vec<(String, String)> {
    let name = text.split(':').next().unwrap_or_default().trim();
    let Some(entry) = table.iter().find(|entry| entry.name == name) else { return Vec::new() };
    let own = own_values(text, table, universal);
    let taken = |key: &str| entry.parameters.iter().chain(universal).any(|parameter| parameter.name == key);
    let given = |key: &str| author == Author::User && own.iter().any(|(own, _)| own == key);
    flags.iter().filter(|(key, _)| taken(key) && !given(key)).cloned().collect()
}

/// The values that the spec itself gives; none where it cannot be read, which its own parser tells better.
fn own_values(text: &str, table: &[spec::Entry], universal: &[spec::Parameter]) -> Vec<(String, String)> {
    let name = text.split(':').next().unwrap_or_default().trim();
    let Some(entry) = table.iter().find(|entry| entry.name == name) else { return Vec::new() };
    let switches: Vec<&str> =
        entry.parameters.iter().chain(universal).filter(|p| p.is_switch()).map(|p| p.name).collect();
    spec::fields(text, &switches, Some("")).unwrap_or_default().values
}

/// The entrants of the tables: one of every schedule with sgd, and the adaptive optimizers at their usual rates. Durations are shares of the
/// run, so that each schedule shows its shape in a run of any length.
pub fn default_entrants() -> Vec<&'static str> {
    schedule::table().iter().chain(optim::table()).filter_map(|entry| entry.entrant).collect()
}
