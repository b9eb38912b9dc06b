//! Spec strings of schedules: `step:factor=0.5,drop-every=10`, `constant:for=5ep;cosine`.

use super::grammar::check_length;
use super::value::{rate_of, shortest};
use super::{Bounds, Entry, Family, Parameter, ParameterValue, Values};
use crate::error::UsageError;
use crate::schedules::{ROWS, table};
use crate::usage;
use crate::{ScheduleRow, Semantics, Unit, hint};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The parameters that every schedule takes besides its own.
const UNIVERSAL: &[Parameter] = &[
    Parameter::rate("lr", "", "base learning rate of this schedule, overriding --lr").only_in_spec(),
    Parameter::duration_or_zero(
        "warmup",
        Unit::Epochs,
        "",
        "duration of a linear warm-up before the schedule: lr·(f + (1−f)·t/W) for t < W",
    ),
    Parameter::number("warmup-from", Bounds::UNIT, "0", "f: the fraction of lr at which the warm-up begins"),
    Parameter::duration(
        "for",
        Unit::Epochs,
        "",
        "in a sequence: how long this schedule runs (without its warm-up) before the next one",
    )
    .only_in_spec(),
];

/// `lr`, `warmup`, `warmup-from` and `for`: what every schedule takes besides its own parameters.
pub fn universal() -> &'static [Parameter] {
    UNIVERSAL
}

/// The family of the schedules.
pub(crate) static FAMILY: Family = Family {
    what: "schedule",
    example: "step:factor=0.5",
    entries: table,
    before: &[],
    after: UNIVERSAL,
    glossary: &hint::SCHEDULES,
    number: shortest,
};

/// A placeholder row for custom formulas, which are not in the table.
static FORMULA: ScheduleRow = ScheduleRow {
    entry: Entry::heading("a formula", &[]),
    frameworks: &[],
    build: |_| usage!("a formula of your own is built by its own function"),
};

/// A schedule as typed: `step:factor=0.5,drop-every=10`, or several joined by `;`.
///
/// Displaying it shows only what was given, so `parse(display(s)) == s`; two specs are equal when they mean the same,
/// so `step` equals `step:factor=0.5,drop-every=10ep`.
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

/// One schedule of a spec.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) row: &'static ScheduleRow,
    pub(crate) values: Values,
}

/// The resolved values of the universal parameters.
pub(crate) struct Universal {
    pub(crate) lr: f64,
    pub(crate) warmup: Option<crate::Duration>,
    pub(crate) warmup_from: f64,
    pub(crate) length: Option<crate::Duration>,
}

impl Spec {
    pub(crate) fn of(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The name of the schedule; of the first one in a sequence.
    pub fn name(&self) -> &'static str {
        self.parts[0].name()
    }

    /// Whether it is a sequence of several schedules.
    pub fn is_sequence(&self) -> bool {
        self.parts.len() > 1
    }

    /// What a framework lacks of this schedule: the schedule, an option of it that is known to be missing there
    /// (`polynomial:cycle`), or, for a sequence, a way to join its parts, which Keras lacks (`sequence`). For that,
    /// its semantics are the native ones. `None` if it has all.
    ///
    /// ```
    /// use lrsched_schedule::{Semantics, Spec};
    /// let spec: Spec = "polynomial:power=2,cycle".parse()?;
    /// assert_eq!(spec.lacking(Semantics::Torch).as_deref(), Some("polynomial:cycle"));
    /// assert_eq!(spec.lacking(Semantics::Keras), None);
    /// # Ok::<(), lrsched_schedule::UsageError>(())
    /// ```
    pub fn lacking(&self, semantics: Semantics) -> Option<String> {
        if semantics == Semantics::Native {
            return None;
        }
        if self.is_sequence() && semantics == Semantics::Keras {
            return Some("sequence".into());
        }
        self.parts.iter().find_map(|part| part.lacking(semantics))
    }

    /// Whether a framework has this schedule and its options.
    pub fn exists_in(&self, semantics: Semantics) -> bool {
        self.lacking(semantics).is_none()
    }

    /// The values given for each of its schedules.
    pub fn schedules(&self) -> impl Iterator<Item = &Values> {
        self.parts.iter().map(|part| &part.values)
    }

    /// The spec without the value of this parameter in its first schedule, which flags apply to.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let mut spec = self.clone();
        spec.parts[0].values.remove(key);
        spec
    }

    /// The canonical form in a run with the base rate `lr`, the same for every equivalent spelling: each parameter with
    /// its value, given or by default, and each rate as a number.
    pub fn canonical(&self, lr: f64) -> String {
        self.parts.iter().map(|part| part.canonical(lr)).collect::<Vec<_>>().join(";")
    }

    /// A spec from command-line flags: `--schedule step --factor 0.5` is `("step", [("factor", "0.5")])`.
    ///
    /// Flags override values in the spec. For a sequence, flags can only set a warm-up, which precedes the whole
    /// sequence.
    ///
    /// # Errors
    /// An unknown schedule or parameter (the message lists the known ones), or a value out of range.
    pub fn from_flags(name_or_spec: &str, flags: &[(String, String)]) -> Result<Self, UsageError> {
        let mut spec: Self = name_or_spec.parse()?;
        if let Some((key, _)) = flags.iter().find(|(key, _)| spec.is_sequence() && !key.starts_with("warmup")) {
            let takes = |part: &&Part| part.values.entry().parameters.iter().any(|parameter| parameter.name == key);
            return match spec.parts.iter().find(takes) {
                Some(part) => {
                    let name = part.name();
                    usage!("--{key}: which schedule of the sequence? Put it in the spec: `{name}:{key}=...`")
                }
                None => {
                    let takes = |part: &Part| {
                        let names: Vec<&str> = part.values.entry().parameters.iter().map(|one| one.name).collect();
                        let names = if names.is_empty() { "none".to_string() } else { names.join(", ") };
                        format!("{}: {names}", part.name())
                    };
                    let takes: Vec<String> = spec.parts.iter().map(takes).collect();
                    usage!("--{key}: no schedule of the sequence takes it ({}); leave it out", takes.join("; "))
                }
            };
        }
        spec.parts[0].values.replace(flags)?;
        Ok(spec)
    }
}

impl Default for Spec {
    /// `constant`.
    fn default() -> Self {
        "constant".parse().expect("the table has it")
    }
}

impl Part {
    /// As [`Spec::lacking`].
    fn lacking(&self, semantics: Semantics) -> Option<String> {
        if !self.row.frameworks.contains(&semantics) {
            return Some(self.name().into());
        }
        let plain = Values::of(&FAMILY, self.values.entry());
        let changed = |parameter: &Parameter| self.values.value(parameter.name) != plain.value(parameter.name);
        let mut given = self.values.given().map(|(parameter, _)| parameter);
        let missing = given.find(|parameter| !parameter.frameworks.contains(&semantics) && changed(parameter))?;
        Some(format!("{}:{}", self.name(), missing.name))
    }

    fn parse(text: &str) -> Result<Self, UsageError> {
        Values::parse(&FAMILY, text).map(Self::of)
    }

    /// The universal parameters of a custom formula.
    pub(crate) fn of_formula() -> Self {
        Self { row: &FORMULA, values: Values::of(&FAMILY, &FORMULA.entry) }
    }

    pub(crate) fn of(values: Values) -> Self {
        let row = ROWS.iter().find(|row| row.entry.name == values.name()).expect("an entry of the table of schedules");
        Self { row, values }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.values.name()
    }

    /// Whether its own built-in warm-up replaces the universal one, and none was asked for.
    pub(crate) fn warms_up_as_published(&self) -> bool {
        let given = self.values.given().any(|(parameter, _)| parameter.name.starts_with("warmup"));
        self.row.entry.parameter("warmup").is_some() && !given
    }

    /// The values of the universal parameters, except those that the schedule redefines as its own.
    ///
    /// # Errors
    /// lr is negative or not finite.
    pub(crate) fn universal(&self, base: f64) -> Result<Universal, UsageError> {
        let own = |key: &str| self.row.entry.parameter(key).is_some();
        let lr = match self.values.get("lr") {
            Some(ParameterValue::Rate(rate)) => rate_of(*rate, base, &format!("{}: lr", self.name()))?,
            _ => base,
        };
        if !(lr.is_finite() && lr >= 0.0) {
            return usage!("lr must be a finite rate of at least 0, got {}", shortest(lr));
        }
        let duration = |key: &str| match self.values.get(key) {
            Some(ParameterValue::Duration(duration)) if !own(key) => Some(*duration),
            _ => None,
        };
        let warmup_from = match self.values.value("warmup-from") {
            Some(ParameterValue::Number(fraction)) if !own("warmup-from") => fraction,
            _ => 0.0,
        };
        Ok(Universal { lr, warmup: duration("warmup"), warmup_from, length: duration("for") })
    }

    /// See [`Spec::canonical`].
    fn canonical(&self, base: f64) -> String {
        let lr = match self.values.get("lr") {
            Some(ParameterValue::Rate(rate)) => rate.given(base),
            _ => base,
        };
        let mut text = self.name().to_string();
        for (parameter, value) in self.values.all() {
            let value = match (&value, parameter.name) {
                (_, "lr") => shortest(lr),
                // A warm-up of 0, whatever its unit, means none.
                (Some(ParameterValue::Duration(duration)), "warmup") if duration.is_zero() => String::new(),
                (Some(ParameterValue::Rate(rate)), _) => shortest(rate.given(lr)),
                (Some(ParameterValue::Rates(rates)), _) => {
                    rates.iter().map(|rate| shortest(rate.given(lr))).collect::<Vec<_>>().join(",")
                }
                (Some(value), _) => value.show(parameter.kind, shortest),
                (None, _) => String::new(),
            };
            text.push_str(&format!(" {}={value}", parameter.name));
        }
        text
    }
}

/// Equal if they mean the same: every parameter, given or by default.
impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.values.all().eq(other.values.all())
    }
}

impl std::str::FromStr for Spec {
    type Err = UsageError;
    fn from_str(text: &str) -> Result<Self, UsageError> {
        check_length("a schedule", text)?;
        let parts = text.split(';').map(Part::parse).collect::<Result<_, _>>();
        Ok(Self { parts: parts.map_err(|error| joined_otherwise(text, error))? })
    }
}

/// The error of a spec that looks like a sequence joined by another character says how to write one.
fn joined_otherwise(text: &str, error: UsageError) -> UsageError {
    let is_known = |piece: &str| {
        let name = piece.split(':').next().unwrap_or_default().trim();
        // A formula may have any of these characters.
        ROWS.iter().any(|row| row.entry.name == name && name != "expr")
    };
    let pieces = |by: &str| text.split(by).filter(|piece| !piece.trim().is_empty()).collect::<Vec<_>>();
    let is_one = |by: &&str| pieces(by).len() > 1 && pieces(by).into_iter().all(is_known);
    if [",", "+", " ", "->", "|"].iter().any(is_one) {
        return UsageError(format!("{error}; a sequence joins schedules by `;`, such as `constant:for=5ep;cosine`"));
    }
    error
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
        self.values.fmt(f)
    }
}
