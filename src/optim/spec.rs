//! An optimizer as typed: parsing, checking, and the defaults that depend on the framework.

use super::rule::Float;
use super::{find, table};
use crate::number::{exact, rounded};
use crate::schedule::{Schedule, Semantics};
use crate::spec::{Bounds, Family, Parameter, ParameterKind, ParameterValue, Values, check_length};
use crate::usage;
use crate::usage::{GLOSSARY, Usage};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Bound;

/// The parameters that every optimizer takes, before those of its table.
const LR: Parameter = Parameter::number("lr", Bounds::above(0.0), "", "base learning rate");

/// The parameters that every optimizer takes, for lists of them.
pub const fn universal() -> &'static [Parameter] {
    &[LR]
}

/// The family of the optimizers.
static FAMILY: Family = Family {
    what: "optimizer",
    example: "sgd:momentum=0.9",
    entries: table,
    before: &[LR],
    after: &[],
    glossary: &GLOSSARY,
    number: shortest,
};

/// An optimizer and the options that were given: `sgd:momentum=0.9,nesterov`. `parse(display(s)) == s`.
///
/// Options that were not given stay unset, because their defaults depend on the semantics. Every optimizer takes `lr`,
/// the base learning rate, which comes first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OptimizerSpec {
    /// Switches that are off are removed, unless they are on by default.
    values: Values,
}

impl PartialEq for OptimizerSpec {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.values.given().eq(other.values.given())
    }
}

impl Default for OptimizerSpec {
    /// `sgd`.
    fn default() -> Self {
        "sgd".parse().expect("the table has sgd")
    }
}

impl std::str::FromStr for OptimizerSpec {
    type Err = Usage;

    /// # Errors
    /// An unknown optimizer or option, a value that is not a number or out of range, mutually exclusive options.
    fn from_str(text: &str) -> Result<Self, Usage> {
        Self::from_flags(text, &[])
    }
}

impl TryFrom<String> for OptimizerSpec {
    type Error = Usage;
    fn try_from(text: String) -> Result<Self, Usage> {
        text.parse()
    }
}

impl From<OptimizerSpec> for String {
    fn from(spec: OptimizerSpec) -> Self {
        spec.to_string()
    }
}

impl fmt::Display for OptimizerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(f)
    }
}

/// The shortest text that round-trips to the same f64: `0.001`, `1e-8`.
fn shortest(value: f64) -> String {
    let (plain, exponent) = (value.to_string(), format!("{value:e}"));
    if plain.len() <= exponent.len() + 1 { plain } else { exponent }
}

impl OptimizerSpec {
    /// A name or a spec, overridden by options from command-line flags.
    ///
    /// # Errors
    /// As [`OptimizerSpec::from_str`](std::str::FromStr::from_str).
    pub fn from_flags(name_or_spec: &str, flags: &[(String, String)]) -> Result<Self, Usage> {
        let mut values = Self::values(name_or_spec)?;
        values.replace(flags)?;
        // Where a framework has a switch on, off says something.
        let on_somewhere = |key: &str| find(values.name()).defaults.iter().any(|&(_, of, on)| of == key && on != 0.0);
        let off = values.given().filter(|(parameter, value)| {
            **value == ParameterValue::Switch(false) && !parameter.may_be_on() && !on_somewhere(parameter.name)
        });
        for key in off.map(|(parameter, _)| parameter.name).collect::<Vec<_>>() {
            values.remove(key);
        }
        let spec = Self { values };
        spec.check_nesterov()?;
        Ok(spec)
    }

    /// The values in the spec, each checked on its own; flags may still resolve a conflict between options.
    ///
    /// # Errors
    /// An unknown optimizer or option, a value that is not a number or out of range.
    pub fn values(name_or_spec: &str) -> Result<Values, Usage> {
        check_length("an optimizer", name_or_spec)?;
        Values::parse(&FAMILY, name_or_spec)
    }

    fn check_nesterov(&self) -> Result<(), Usage> {
        // One that is on by default does nothing without momentum.
        if self.given("nesterov").is_none() {
            return Ok(());
        }
        let takes = |key| self.values.entry().parameter(key).is_some();
        let value = |key| if takes(key) { self.options(Semantics::Native).get(key) } else { 0.0 };
        if value("nesterov") == 0.0 {
            Ok(())
        } else if value("momentum") == 0.0 {
            usage!("{}: nesterov needs momentum above 0; add `momentum=0.9`", self.name())
        } else if value("dampening") != 0.0 {
            usage!("{}: nesterov does not go with dampening {}; leave one out", self.name(), value("dampening"))
        } else {
            Ok(())
        }
    }

    /// Checks that every option given is representable in `T`, up to rounding.
    ///
    /// # Errors
    /// A value that becomes 0, infinite, subnormal or (a beta) 1 in `T`.
    pub(super) fn check_fits<T: Float>(&self) -> Result<(), Usage> {
        for (parameter, value) in self.values.given() {
            let key = parameter.name;
            if let ParameterValue::Numbers(numbers) = value
                && let Some(&number) = numbers.iter().find(|number| !T::holds(**number))
            {
                return usage!("{}: {key} must be 0, or {}, got {}", self.name(), T::rule(), exact(number));
            }
            let &ParameterValue::Number(value) = value else { continue };
            if value.is_infinite() {
                continue;
            }
            if !T::holds(value) {
                return usage!("{}: {key} must be {}, got {}", self.name(), T::rule(), exact(value));
            }
            let below_one = matches!(parameter.kind, ParameterKind::Number(Bounds { high: Bound::Excluded(1.0), .. }));
            if below_one && T::of(value) >= T::of(1.0) {
                return usage!("{}: {key} must be below 1 as {}, got {}", self.name(), T::NAME, exact(value));
            }
        }
        Ok(())
    }

    /// `sgd`.
    pub fn name(&self) -> &'static str {
        self.values.name()
    }

    /// The canonical form under these semantics, the same for every equivalent spelling: each option with its value,
    /// given or by default. The rate is left out: it belongs to the run.
    pub fn canonical(&self, semantics: Semantics) -> String {
        let options = self.options(semantics);
        let options = self
            .values
            .entry()
            .parameters
            .iter()
            .map(|parameter| format!(" {}={}", parameter.name, options.text(parameter)));
        self.name().to_string() + &options.collect::<String>()
    }

    /// The spec with this rate of its own, which must be above 0.
    #[must_use]
    pub fn with_learning_rate(&self, lr: f64) -> Self {
        let mut spec = self.clone();
        spec.values.give(LR.name, ParameterValue::Number(lr)).expect("a rate above 0");
        spec
    }

    /// The spec without its own rate.
    #[must_use]
    pub fn without_learning_rate(self) -> Self {
        self.without(LR.name)
    }

    /// The spec without its own value of this option.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.values.remove(key);
        self
    }

    /// The value of an option under these semantics, given or by default: a number, a count, or 1 for a switch that is on. `None` if
    /// the optimizer does not have it.
    pub fn option(&self, key: &str, semantics: Semantics) -> Option<f64> {
        self.values.entry().parameter(key).map(|_| self.options(semantics).get(key))
    }

    /// The same optimizer with every option given, so that it means the same under any semantics that know its options.
    #[must_use]
    pub fn resolved(&self, semantics: Semantics) -> Self {
        let options = self.options(semantics);
        let mut values = self.values.clone();
        for parameter in self.values.entry().parameters {
            let value = match parameter.kind {
                ParameterKind::Switch => ParameterValue::Switch(options.is_on(parameter.name)),
                ParameterKind::Number(_) => ParameterValue::Number(options.get(parameter.name)),
                _ => options.value(parameter.name),
            };
            values.give(parameter.name, value).expect("a value of the table is in its range");
        }
        Self { values }
    }

    /// The options that were given.
    pub fn given_values(&self) -> &Values {
        &self.values
    }

    /// The rate given in the spec itself.
    pub fn learning_rate(&self) -> Option<f64> {
        self.given("lr")
    }

    /// Whether this framework has the optimizer. Where it has not, its semantics are the native ones.
    pub fn exists_in(&self, semantics: Semantics) -> bool {
        !find(self.name()).missing.contains(&semantics)
    }

    /// What has another default under these semantics than under the native ones, `lr` first: parameter and value; the
    /// parameter may be one that the framework does not have. Options that were given are the same everywhere.
    pub fn defaults_apart(&self, semantics: Semantics) -> Vec<(&'static Parameter, String)> {
        let (theirs, native) = (self.options(semantics), self.options(Semantics::Native));
        let parameters = std::iter::once(&LR).chain(self.values.entry().parameters);
        let pairs = parameters.map(|parameter| (parameter, theirs.shown(parameter), native.shown(parameter)));
        pairs.filter(|(_, theirs, native)| theirs != native).map(|(parameter, theirs, _)| (parameter, theirs)).collect()
    }

    /// The usual rate of this optimizer under these semantics.
    pub fn default_learning_rate(&self, semantics: Semantics) -> f64 {
        self.options(semantics).default("lr")
    }

    /// The range over which the highest rate of a run is tuned, lowest and highest: that of its table, for sgd and
    /// rmsprop of lr/(1 − momentum).
    pub fn tuned_range(&self, semantics: Semantics) -> (f64, f64) {
        let definition = find(self.name());
        let scale = (definition.tuned_scale)(&self.options(semantics));
        let (low, high) = definition.tuned;
        (rounded(low * scale, 3), rounded(high * scale, 3))
    }

    /// What a user of a framework should know beside its semantics, one line each.
    pub fn notes(&self) -> &'static [(Semantics, &'static str)] {
        find(self.name()).notes
    }

    /// Whether it can update an array of these sides.
    pub fn takes(&self, shape: &[usize]) -> bool {
        !find(self.name()).matrices_only || shape.len() >= 2
    }

    /// Whether it trains at one point and is evaluated at another, the average of its steps.
    pub fn averages(&self) -> bool {
        find(self.name()).averages
    }

    /// Whether the optimizer has a momentum for the schedule to replace: momentum above 0, or Adam's beta1.
    pub fn has_momentum(&self) -> bool {
        (find(self.name()).has_momentum)(&self.options(Semantics::Native))
    }

    /// The momentum (Adam's beta1) used if the schedule does not set it; `None` for an optimizer without one.
    pub fn momentum(&self, semantics: Semantics) -> Option<f64> {
        self.has_momentum().then(|| self.options(semantics).get(self.momentum_key()))
    }

    fn momentum_key(&self) -> &'static str {
        if self.values.entry().parameter("beta1").is_some() { "beta1" } else { "momentum" }
    }

    /// Checks that the optimizer works at every momentum (Adam's beta1) that `schedule` sets from step `from` on.
    ///
    /// # Errors
    /// One out of the range of its own option: 0 for a schedule-free optimizer, whose average of the steps is then lost.
    pub fn check_momentum(&self, schedule: &Schedule, from: u64) -> Result<(), Usage> {
        let kind = self.values.entry().parameter(self.momentum_key()).map(|parameter| parameter.kind);
        let Some(ParameterKind::Number(bounds)) = kind.filter(|_| self.has_momentum()) else { return Ok(()) };
        match schedule.lowest_momentum(from).filter(|momentum| !bounds.contains(*momentum)) {
            Some(momentum) => {
                usage!("{}: the momentum that the schedule sets must be {bounds}, got {}", self.name(), exact(momentum))
            }
            None => Ok(()),
        }
    }

    pub(super) fn options(&self, semantics: Semantics) -> Options<'_> {
        let semantics = if self.exists_in(semantics) { semantics } else { Semantics::Native };
        Options { spec: self, semantics }
    }

    fn given(&self, key: &str) -> Option<f64> {
        self.values.get(key).map(number)
    }

    /// What is unusual about a run at this rate, under a schedule that decays or not.
    pub fn advice(&self, lr: f64, decays: bool) -> Option<String> {
        (find(self.name()).advice)(lr, decays)
    }
}

/// The value of a number or a count; 1 for a switch that is on.
fn number(value: &ParameterValue) -> f64 {
    match value {
        ParameterValue::Number(number) => *number,
        ParameterValue::Count(count) => *count as f64,
        ParameterValue::Switch(on) => f64::from(*on),
        other => panic!("a rule asks for an option by its type, got {other:?}"),
    }
}

/// A spec under the semantics of one framework: every option has a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options<'a> {
    spec: &'a OptimizerSpec,
    pub semantics: Semantics,
}

impl Options<'_> {
    /// # Panics
    /// The optimizer's table has no such parameter.
    pub fn get(&self, key: &str) -> f64 {
        self.spec.given(key).unwrap_or_else(|| self.default(key))
    }

    /// A choice.
    ///
    /// # Panics
    /// As [`Options::get`].
    pub fn word(&self, key: &str) -> &'static str {
        match self.value(key) {
            ParameterValue::Choice(word) => word,
            other => panic!("{key} is a choice, got {other:?}"),
        }
    }

    /// The variant that a word of the table stands for: `options.choice("scale", Scale::named)`.
    ///
    /// # Panics
    /// As [`Options::word`]; none is of this name.
    pub fn choice<C>(&self, key: &str, named: fn(&str) -> Option<C>) -> C {
        named(self.word(key)).expect("the table has the words of the enum")
    }

    /// A list of numbers.
    ///
    /// # Panics
    /// As [`Options::get`]; the list has another length.
    pub fn numbers<const N: usize>(&self, key: &str) -> [f64; N] {
        match self.value(key) {
            ParameterValue::Numbers(numbers) => numbers.try_into().expect("the parser checked the length"),
            other => panic!("{key} is a list of numbers, got {other:?}"),
        }
    }

    /// The value of an option for people.
    fn shown(&self, parameter: &Parameter) -> String {
        match parameter.kind {
            ParameterKind::Switch => if self.is_on(parameter.name) { "on" } else { "off" }.to_string(),
            ParameterKind::Number(_) => shortest(self.get(parameter.name)),
            _ => self.text(parameter),
        }
    }

    /// The value of an option in canonical form.
    fn text(&self, parameter: &Parameter) -> String {
        match parameter.kind {
            ParameterKind::Choice(_) | ParameterKind::Numbers(_) => {
                self.value(parameter.name).show(parameter.kind, shortest)
            }
            _ => self.get(parameter.name).to_string(),
        }
    }

    /// The value of an option of any type, given or by default.
    fn value(&self, key: &str) -> ParameterValue {
        let derived = || (find(self.spec.name()).derived)(self, key);
        let by_table = || self.spec.values.value(key).expect("a rule asks for the options of its own table");
        self.spec.values.get(key).cloned().or_else(derived).unwrap_or_else(by_table)
    }

    /// 1 − momentum: a steady gradient moves the weights as much as a rate larger by its inverse without momentum.
    pub fn fresh_share(&self) -> f64 {
        // A momentum of 1 never forgets; a range should not vanish with it.
        (1.0 - self.get("momentum")).max(1e-3)
    }

    pub fn is_on(&self, key: &str) -> bool {
        self.get(key) != 0.0
    }

    fn default(&self, key: &str) -> f64 {
        let definition = find(self.spec.name());
        let own = definition.defaults.iter().find(|(semantics, name, _)| *semantics == self.semantics && *name == key);
        match own {
            Some(&(_, _, value)) => value,
            None if key == LR.name => definition.rate,
            None => number(&self.value(key)),
        }
    }

    /// Checks that an option that only PyTorch has is left at its default under other semantics.
    ///
    /// # Errors
    /// The option is set under `keras` or `optax`; `remedy` says what to do instead.
    pub fn torch_only(&self, key: &str, remedy: &str) -> Result<f64, Usage> {
        let (name, value) = (self.spec.name(), self.get(key));
        match self.semantics {
            Semantics::Keras if value != 0.0 => usage!("{name}: Keras has no {key}, got {}; {remedy}", exact(value)),
            Semantics::Optax if value != 0.0 => usage!("{name}: optax has no {key}, got {}; {remedy}", exact(value)),
            _ => Ok(value),
        }
    }
}
