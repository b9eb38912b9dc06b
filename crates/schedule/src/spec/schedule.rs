//! Spec strings: `step:factor=0.5,drop-every=10`, `constant:for=5ep;cosine`.

use super::{Parameter, check_length, fields, is_key, unknown_key};
use crate::arguments::{LISTS, universal};
use crate::duration::Unit;
use crate::error::{UsageError, shortened};
use crate::hint::{self, did_you_mean};
use crate::schedules::{KINDS, expr};
use crate::usage;
use crate::{Kind, Semantics};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A schedule as typed: `step:factor=0.5,drop-every=10`, or several of them joined by `;`.
///
/// It displays what was given and leaves out what was not, so `parse(display(s)) == s`; two specs are equal when they mean
/// the same, so `step` equals `step:factor=0.5,drop-every=10ep`.
///
/// ```
/// use lrsched_schedule::Spec;
/// let spec: Spec = "step: drop-every=10ep, factor=.5".parse()?;
/// assert_eq!(spec.to_string(), "step:factor=0.5,drop-every=10");
/// assert_eq!(spec, "step".parse()?);
/// # Ok::<(), lrsched_schedule::UsageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spec {
    /// At least one.
    parts: Vec<Part>,
}

/// One schedule of a spec, its values in canonical form.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    kind: &'static Kind,
    /// As given, in the order of the table.
    values: Vec<(&'static str, String)>,
}

impl Default for Spec {
    /// `constant`.
    fn default() -> Self {
        "constant".parse().expect("the table has it")
    }
}

impl Spec {
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The name of the schedule; of the first one in a sequence.
    pub fn name(&self) -> &'static str {
        self.parts[0].name()
    }

    /// Whether it is several schedules one after the other.
    pub fn is_sequence(&self) -> bool {
        self.parts.len() > 1
    }

    /// Whether these semantics are a framework's that has such a schedule: each part of it and, for a sequence, a way to join them, which
    /// Keras lacks. Where it has not, its semantics are the native ones.
    pub fn exists_in(&self, semantics: Semantics) -> bool {
        let joined = !(self.is_sequence() && semantics == Semantics::Keras);
        semantics == Semantics::Native
            || joined && self.parts.iter().all(|part| part.kind.frameworks.contains(&semantics))
    }

    /// The parameters given in it: part, name, value.
    pub fn given(&self) -> impl Iterator<Item = (usize, &'static str, &str)> {
        self.parts
            .iter()
            .enumerate()
            .flat_map(|(at, part)| part.values.iter().map(move |(key, value)| (at, *key, &**value)))
    }

    /// The spec with one parameter of one part at its default.
    pub fn without(&self, part: usize, key: &str) -> Self {
        let mut spec = self.clone();
        spec.parts[part].values.retain(|(name, _)| *name != key);
        spec
    }

    /// The spec with another value of one parameter of one part; `None` where it cannot have it.
    pub(crate) fn with(&self, part: usize, key: &str, value: &str) -> Option<Self> {
        let mut spec = self.without(part, key);
        spec.parts[part].set(key, value).ok()?;
        Some(spec)
    }

    /// What it means in a run with the base rate `lr`, the same for every way to write it: each parameter with its value, given or by default,
    /// and each rate as a number.
    pub fn canonical(&self, lr: f64) -> String {
        self.parts.iter().map(|part| part.canonical(lr)).collect::<Vec<_>>().join(";")
    }

    /// A spec from what stands on a command line: `--schedule step --factor 0.5` is `("step", [("factor", "0.5")])`.
    ///
    /// A flag replaces the value in the spec. In a sequence only a warm-up can be given by flags, and goes in front of the whole.
    ///
    /// # Errors
    /// A schedule or a parameter that does not exist; the message names those that do.
    pub fn from_flags(name_or_spec: &str, flags: &[(String, String)]) -> Result<Self, UsageError> {
        let mut spec: Self = name_or_spec.parse()?;
        if let Some((key, _)) = flags.iter().find(|(key, _)| spec.is_sequence() && !key.starts_with("warmup")) {
            return usage!("--{key}: which schedule of the sequence? Put it in the spec: `{}:{key}=...`", spec.name());
        }
        let first = &mut spec.parts[0];
        first.values.retain(|(key, _)| !flags.iter().any(|(flag, _)| flag == key));
        for (key, value) in flags {
            first.set(key, value)?;
        }
        Ok(spec)
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, UsageError> {
        let name = text.split(':').next().unwrap_or_default().trim();
        if name.is_empty() {
            return usage!(
                "schedule: `{text}` has no name; write `name:key=value,key=value`, for example `step:factor=0.5`",
                text = shortened(text)
            );
        }
        let Some(kind) = KINDS.iter().find(|kind| kind.entry.name == name) else {
            let names = || KINDS.iter().map(|kind| kind.entry.name);
            let hint = did_you_mean(name, names());
            let all: Vec<_> = names().collect();
            return usage!("unknown schedule `{name}`{hint} (schedules: {})", all.join(", "), name = shortened(name));
        };
        let mut part = Self { kind, values: Vec::new() };
        let switches: Vec<_> = part.parameters().filter(|p| p.switch).map(|p| p.name).collect();
        let bare = (kind.entry.parameters.len() == 1).then(|| kind.entry.parameters[0].name);
        let fields = fields(text, &switches, bare).map_err(|error| match bare {
            // It says where a bracket is missing.
            Some("expr") => {
                let typed = text.split_once(':').map_or("", |(_, rest)| rest.trim());
                expr::problem(typed.strip_prefix("expr=").unwrap_or(typed)).unwrap_or(error)
            }
            _ => error,
        })?;
        for (key, value) in fields.values {
            part.set(&key, &value)?;
        }
        Ok(part)
    }

    /// Adds a value; a list takes several.
    fn set(&mut self, key: &str, value: &str) -> Result<(), UsageError> {
        let name = self.name();
        let Some(parameter) = self.parameters().find(|p| p.name == key) else {
            let known: Vec<_> = self.parameters().map(|p| p.name).collect();
            return Err(unknown_key(&hint::SCHEDULES, name, key, &known));
        };
        let key = parameter.name;
        check_length(&format!("{name}: {key}"), value)?;
        let value = if parameter.switch { canonical_switch(value) } else { canonical(key, value) };
        if value.is_empty() {
            return usage!("{name}: {key} has no value");
        }
        if LISTS.contains(&key) && !value.split(',').all(is_item) {
            return usage!(
                "{name}: {key} must be values divided by commas, without brackets or names, got `{value}`",
                value = shortened(&value)
            );
        }
        match self.values.iter_mut().find(|(given, _)| *given == key) {
            Some((_, list)) if LISTS.contains(&key) => {
                list.push(',');
                list.push_str(&value);
                check_length(&format!("{name}: {key}"), list)?;
            }
            Some(_) => return usage!("{name}: {key} is given twice"),
            None => self.values.push((key, value)),
        }
        let order: Vec<_> = self.parameters().map(|p| p.name).collect();
        self.values.sort_by_key(|(key, _)| order.iter().position(|name| name == key));
        Ok(())
    }

    pub(crate) fn name(&self) -> &'static str {
        self.kind.entry.name
    }

    pub(crate) fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// Its own parameters, then the universal ones that it does not define itself.
    fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        let own = self.kind.entry.parameters;
        own.iter().chain(universal().iter().filter(|p| own.iter().all(|o| o.name != p.name)))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| *name == key).map(|(_, value)| &**value)
    }

    pub(crate) fn default(&self, key: &str) -> &'static str {
        self.parameters().find(|p| p.name == key).map_or("", |p| p.default)
    }

    /// Whether the schedule has this parameter itself.
    pub(crate) fn owns(&self, key: &str) -> bool {
        self.kind.entry.parameters.iter().any(|p| p.name == key)
    }

    /// See [`Spec::canonical`].
    fn canonical(&self, base: f64) -> String {
        let multiple = |text: &str, lr: f64| {
            text.strip_suffix('x').and_then(|times| times.parse::<f64>().ok()).map(|times| times * lr)
        };
        let lr =
            self.get("lr").map_or(Some(base), |text| multiple(text, base).or(text.parse().ok())).unwrap_or(f64::NAN);
        let mut text = self.name().to_string();
        for (parameter, value) in self.parameters().zip(self.meaning()) {
            let value = match parameter.name {
                "lr" => shortest(lr),
                "expr" => value,
                // No warm-up, whatever its unit.
                "warmup" if value.trim_end_matches(['%', 'e', 'p', 's', 't']) == "0" => String::new(),
                _ => {
                    let item = |item: &str| multiple(item, lr).map_or(item.to_string(), shortest);
                    value.split(',').map(item).collect::<Vec<_>>().join(",")
                }
            };
            text.push_str(&format!(" {}={value}", parameter.name));
        }
        text
    }

    /// What it means: every parameter, given or not.
    fn meaning(&self) -> Vec<String> {
        let value = |p: &Parameter| match self.get(p.name) {
            Some(value) => value.to_string(),
            None => canonical(p.name, p.default),
        };
        self.parameters().map(value).collect()
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.meaning() == other.meaning()
    }
}

/// One way to write each value: the shortest number, no suffix where a plain number means the same, lists with commas.
fn canonical(key: &str, text: &str) -> String {
    let text = text.trim();
    // An expression is no number: `10ep` is a mistake in it.
    if key == "expr" {
        return text.to_string();
    }
    if !LISTS.contains(&key) {
        return canonical_item(key, text);
    }
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let items = inside.split([',', '/']).map(|item| canonical_item(key, item.trim())).filter(|item| !item.is_empty());
    items.collect::<Vec<_>>().join(",")
}

/// Whether it stays part of the list when the spec is displayed: no brackets of its own, no `key=`.
fn is_item(text: &str) -> bool {
    !text.contains(['(', ')', '[', ']']) && !text.split_once('=').is_some_and(|(key, _)| is_key(key.trim()))
}

fn canonical_switch(text: &str) -> String {
    match text.trim() {
        "yes" | "on" | "1" => "true".to_string(),
        "no" | "off" | "0" => "false".to_string(),
        other => other.to_string(),
    }
}

fn canonical_item(key: &str, text: &str) -> String {
    let number_end = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%').len();
    let (number, suffix) = text.split_at(number_end);
    let number = number.trim();
    match number.parse::<f64>() {
        Ok(value) if !value.is_finite() => text.to_string(),
        Ok(value) if suffix == Unit::of(key).suffix() => shortest(value),
        Ok(value) if matches!(suffix, "" | "%" | "x" | "ep" | "st") => format!("{}{suffix}", shortest(value)),
        _ => text.to_string(),
    }
}

/// The shortest decimal that reads back to the same number.
fn shortest(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

impl std::str::FromStr for Spec {
    type Err = UsageError;
    fn from_str(text: &str) -> Result<Self, UsageError> {
        check_length("a schedule", text)?;
        Ok(Self { parts: text.split(';').map(Part::parse).collect::<Result<_, _>>()? })
    }
}

impl TryFrom<String> for Spec {
    type Error = UsageError;
    fn try_from(text: String) -> Result<Self, UsageError> {
        text.parse()
    }
}

impl From<Spec> for String {
    fn from(spec: Spec) -> Self {
        spec.to_string()
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.parts.iter().map(Part::to_string).collect();
        f.pad(&parts.join(";"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self
            .values
            .iter()
            .map(|(key, value)| {
                let switch = self.parameters().any(|p| p.switch && p.name == *key);
                if switch && value == "true" { key.to_string() } else { format!("{key}={value}") }
            })
            .collect();
        let colon = if values.is_empty() { "" } else { ":" };
        write!(f, "{}{colon}{}", self.name(), values.join(","))
    }
}
