//! The entrants of a comparison: each an optimizer under a schedule.

use crate::config::Given;
use crate::config::settings::schedule_entries;
use crate::number::exact;
use crate::optim::{self, OptimizerSpec};
use crate::schedule::{self, Spec};
use crate::spec::{ParameterValue, Values, check_length};
use crate::usage::{Usage, did_you_mean, shortened};

/// An optimizer and the schedule that it runs under: `sgd:momentum=0.9/step:factor=0.5,drop-every=10`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    pub optimizer: OptimizerSpec,
    pub schedule: Spec,
}

impl std::fmt::Display for Entrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.optimizer, self.schedule)
    }
}

/// The flags of a comparison, which apply to its entrants.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Flags of optimizers (`momentum`, `weight-decay`, …): each goes to the entrants whose optimizer takes it.
    pub optimizer: Vec<(String, String)>,
    /// Flags of schedules: `warmup` and `warmup-from`, which any schedule takes, and those that an entrant's schedule takes.
    pub schedule: Vec<(String, String)>,
    /// `--lr`, as typed.
    pub lr: Option<String>,
    /// Where they were given, for error messages.
    given: Given,
}

impl Overrides {
    pub fn of(given: &Given) -> Self {
        Self {
            optimizer: given.family("optimizer", optim::table()),
            schedule: given.family("schedule", &schedule_entries()),
            lr: given.text("lr").map(str::to_string),
            given: given.clone(),
        }
    }

    /// Every flag, `--lr` last.
    fn all(&self) -> Vec<(&str, &str)> {
        let parameters = self.optimizer.iter().chain(&self.schedule);
        let parameters = parameters.map(|(key, value)| (key.as_str(), value.as_str()));
        parameters.chain(self.lr.iter().map(|lr| ("lr", lr.as_str()))).collect()
    }
}

/// Invalid entrants, or a flag that applies to none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntrantError {
    /// An entrant that cannot be parsed, or a flag whose value is wrong.
    #[error(transparent)]
    Invalid(#[from] Usage),
    /// No entrant's optimizer or schedule has this parameter.
    #[error("no entrant takes `{key}`")]
    Untaken { key: String },
    /// Every entrant that has this parameter sets it itself.
    #[error("no entrant takes {key}={value}: each that could sets its own {key}")]
    AllSetTheirOwn { key: String, value: String },
}

/// A value without effect on some entrants, which are listed as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrantNote {
    /// The common rate, for entrants whose schedules set their own rates.
    OwnRates { rate: String, entrants: Vec<String> },
    /// The value of a flag, for entrants that set their own.
    OwnValue { key: String, value: String, entrants: Vec<String> },
    /// An entrant's own rate, where its schedule sets the rates.
    UnusedRate { entrant: String, rate: String },
}

/// The origin of an entrant: decides whether its own values or the flags win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    /// The values in the spec win.
    User,
    /// The specs of [`default_entrants`] are a starting point: the flags win.
    Program,
}

/// An entrant as written, before the flags apply.
struct Written<'a> {
    text: &'a str,
    author: Author,
    optimizer: Values,
    /// One for each schedule of a sequence.
    schedules: Vec<Values>,
}

impl<'a> Written<'a> {
    fn parse(text: &'a str, author: Author) -> Result<Self, Usage> {
        let (optimizer, schedule) = split(text)?;
        let about = |error: Usage| about(text, &error);
        let optimizer = OptimizerSpec::values(optimizer).map_err(about)?;
        let schedules = schedule.parse::<Spec>().map_err(about)?.schedules().cloned().collect();
        Ok(Self { text, author, optimizer, schedules })
    }

    /// The schedule that receives the flags.
    fn schedule(&self) -> &Values {
        &self.schedules[0]
    }

    /// Whether its optimizer or its schedule has this parameter.
    fn takes(&self, key: &str) -> bool {
        [&self.optimizer, self.schedule()].into_iter().any(|values| takes(values, key))
    }

    /// Whether it sets `key` itself, which overrides the flag. In a sequence, a rate in every schedule stands in for
    /// `--lr`.
    fn keeps(&self, key: &str) -> bool {
        let gives = |values: &Values| values.get(key).is_some();
        let in_schedule = if key == "lr" { self.schedules.iter().all(gives) } else { gives(self.schedule()) };
        self.author == Author::User && (gives(&self.optimizer) || in_schedule)
    }

    /// Those of `flags` that `values` accept.
    fn applicable(&self, values: &Values, flags: &[(String, String)]) -> Vec<(String, String)> {
        let kept = |key: &str| self.author == Author::User && values.get(key).is_some();
        flags.iter().filter(|(key, _)| takes(values, key) && !kept(key)).cloned().collect()
    }

    /// The entrant with the flags applied.
    fn enter(&self, overrides: &Overrides) -> Result<Entrant, Usage> {
        let (optimizer, schedule) = split(self.text)?;
        let optimizer_flags = self.applicable(&self.optimizer, &overrides.optimizer);
        let schedule_flags = self.applicable(self.schedule(), &overrides.schedule);
        // A flag with an invalid value is an error with every entrant that takes it.
        for (values, flags) in [(&self.optimizer, &optimizer_flags), (self.schedule(), &schedule_flags)] {
            let mut alone = values.clone();
            values.given().for_each(|(parameter, _)| alone.remove(parameter.name));
            for (key, value) in flags {
                alone.set(key, value).map_err(|error| overrides.given.with_source_of_flag(key, error))?;
            }
        }
        let about = |error: Usage| about(self.text, &error);
        let mut optimizer = OptimizerSpec::from_flags(optimizer, &optimizer_flags).map_err(about)?;
        if self.author == Author::Program && overrides.lr.is_some() {
            optimizer = optimizer.without_learning_rate();
        }
        Ok(Entrant { optimizer, schedule: Spec::from_flags(schedule, &schedule_flags).map_err(about)? })
    }
}

fn takes(values: &Values, key: &str) -> bool {
    values.parameters().any(|parameter| parameter.name == key)
}

/// Names the invalid entrant.
fn about(text: &str, error: &Usage) -> Usage {
    Usage(format!("entrant {}: {error}", shortened(text)))
}

/// The entrants listed in `named`, or else the default ones, with the flags applied. Also returns a note for each flag
/// that some entrants override with their own value, and for each rate that no schedule uses.
///
/// A flag applies to every entrant that takes it, except named entrants that set it themselves.
///
/// # Errors
/// An entrant that cannot be parsed, an invalid flag value, or a flag that applies to no entrant.
pub fn enter(
    named: Option<&[String]>,
    overrides: &Overrides,
) -> Result<(Vec<Entrant>, Vec<EntrantNote>), EntrantError> {
    let texts: Vec<&str> = match named {
        Some(named) => named.iter().map(String::as_str).collect(),
        None => default_entrants(),
    };
    let author = if named.is_some() { Author::User } else { Author::Program };
    let mut entered = Vec::new();
    for text in texts {
        let written = Written::parse(text, author)?;
        let entrant = written.enter(overrides)?;
        entered.push((written, entrant));
    }
    let mut notes = Vec::new();
    let flags = overrides.all();
    for (place, (key, value)) in flags.iter().enumerate() {
        // List values are passed one at a time.
        if !flags[..place].iter().any(|(before, _)| before == key) {
            notes.extend(not_applied(&entered, key, value)?);
        }
    }
    for (written, entrant) in entered.iter().filter(|_| author == Author::User) {
        let own = written.optimizer.get("lr").filter(|_| !schedule::uses_base_rate(&entrant.schedule));
        if let Some(ParameterValue::Number(lr)) = own {
            notes.push(EntrantNote::UnusedRate { entrant: entrant.to_string(), rate: exact(*lr) });
        }
    }
    Ok((entered.into_iter().map(|(_, entrant)| entrant).collect(), notes))
}

/// Notes the entrants on which a flag has no effect, and those that keep their own value.
///
/// # Errors
/// The flag applies to none.
fn not_applied(entered: &[(Written<'_>, Entrant)], key: &str, value: &str) -> Result<Vec<EntrantNote>, EntrantError> {
    let takers: Vec<_> = entered.iter().filter(|(written, _)| written.takes(key)).collect();
    if takers.is_empty() {
        return Err(EntrantError::Untaken { key: key.to_string() });
    }
    let (keepers, others): (Vec<_>, Vec<_>) = takers.into_iter().partition(|(written, _)| written.keeps(key));
    if others.is_empty() {
        return Err(EntrantError::AllSetTheirOwn { key: key.to_string(), value: value.to_string() });
    }
    let names = |of: &mut dyn Iterator<Item = &Entrant>| of.map(ToString::to_string).collect::<Vec<_>>();
    let idle = |entrant: &&Entrant| key == "lr" && !schedule::uses_base_rate(&entrant.schedule);
    let idle = names(&mut others.iter().map(|(_, entrant)| entrant).filter(idle));
    let keepers = names(&mut keepers.iter().map(|(_, entrant)| entrant));
    let (key, value) = (key.to_string(), value.to_string());
    let mut notes = Vec::new();
    if !idle.is_empty() {
        notes.push(EntrantNote::OwnRates { rate: value.clone(), entrants: idle });
    }
    if !keepers.is_empty() {
        notes.push(EntrantNote::OwnValue { key, value, entrants: keepers });
    }
    Ok(notes)
}

/// Splits `optimizer/schedule`; if one part is missing, its default takes its place.
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
    /// Parses `optimizer/schedule`; a schedule alone runs under sgd, an optimizer alone at a constant rate. Flags fill
    /// in values that the text does not set.
    ///
    /// # Errors
    /// An unknown optimizer or schedule, or a parameter that is unknown or out of its range.
    pub fn parse(text: &str, overrides: &Overrides) -> Result<Self, Usage> {
        check_length("an entrant", text)?;
        Written::parse(text, Author::User)?.enter(overrides)
    }
}

/// The default entrants: every schedule with sgd, and the adaptive optimizers at their usual rates. Durations are
/// fractions of the run, so that each schedule shows its shape at any length.
pub fn default_entrants() -> Vec<&'static str> {
    schedule::table().iter().chain(optim::table()).filter_map(|entry| entry.entrant).collect()
}
