//! An optimizer as typed: parsing, checking, and the defaults that depend on the framework.

use super::rule::Float;
use super::{find, table};
use crate::number::exact;
use crate::schedule::Semantics;
use crate::spec::{Entry, Parameter, check_length, fields, unknown_key};
use crate::usage;
use crate::usage::{GLOSSARY, Usage, did_you_mean, shortened};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What every optimizer takes beside the parameters of its table.
const LR: Parameter = Parameter { name: "lr", default: "", help: "base learning rate, > 0", switch: false };

/// An optimizer and the options that were given: `sgd:momentum=0.9,nesterov`. `parse(display(s)) == s`.
///
/// What was not given stays open, because the defaults depend on the semantics. `lr`, the base learning rate, goes with every
/// optimizer, and comes first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OptimizerSpec {
    entry: &'static Entry,
    /// `lr`, then in the order of the table; a switch that is on is 1, one that is off is left out.
    given: Vec<(&'static str, f64)>,
}

impl Default for OptimizerSpec {
    /// `sgd`.
    fn default() -> Self {
        let entry = table().iter().find(|entry| entry.name == "sgd").expect("the table has sgd");
        Self { entry, given: Vec::new() }
    }
}

impl std::str::FromStr for OptimizerSpec {
    type Err = Usage;

    /// # Errors
    /// An unknown optimizer or option, a value that is no number or out of range, options that exclude each other.
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
        f.write_str(self.entry.name)?;
        for (place, &(key, value)) in self.given.iter().enumerate() {
            f.write_str(if place == 0 { ":" } else { "," })?;
            if parameter(self.entry, key).is_some_and(|parameter| parameter.switch) {
                f.write_str(key)?;
            } else {
                write!(f, "{key}={}", Number(value))?;
            }
        }
        Ok(())
    }
}

/// The shortest text that reads back to the same f64: `0.001`, `1e-8`.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plain, exponent) = (self.0.to_string(), format!("{:e}", self.0));
        f.write_str(if plain.len() <= exponent.len() + 1 { &plain } else { &exponent })
    }
}

impl OptimizerSpec {
    /// A name or a spec, and options from elsewhere (flags of the command line), which win over those of the spec.
    ///
    /// # Errors
    /// As [`OptimizerSpec::from_str`](std::str::FromStr::from_str).
    pub fn from_flags(name_or_spec: &str, flags: &[(String, String)]) -> Result<Self, Usage> {
        check_length("an optimizer", name_or_spec)?;
        let name = name_or_spec.split(':').next().unwrap_or_default().trim();
        let Some(entry) = table().iter().find(|entry| entry.name == name) else {
            let names = || table().iter().map(|entry| entry.name);
            let all = names().collect::<Vec<_>>().join(", ");
            return usage!(
                "unknown optimizer `{name}`{} (optimizers: {all})",
                did_you_mean(name, names()),
                name = shortened(name)
            );
        };
        let switches: Vec<&str> = entry.parameters.iter().filter(|p| p.switch).map(|p| p.name).collect();
        let typed = fields(name_or_spec, &switches, None)?.values;
        for (place, (key, _)) in typed.iter().enumerate() {
            if typed[..place].iter().any(|(before, _)| before == key) {
                return usage!(
                    "{name}: `{key}` is given twice in `{name_or_spec}`",
                    name_or_spec = shortened(name_or_spec)
                );
            }
        }
        let parameters: Vec<&'static Parameter> = std::iter::once(&LR).chain(entry.parameters).collect();
        let mut values = vec![None; parameters.len()];
        for (key, text) in typed.iter().chain(flags) {
            let Some(place) = parameters.iter().position(|parameter| parameter.name == key) else {
                let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
                return Err(unknown_key(&GLOSSARY, name, key, &known));
            };
            values[place] = Some(read(entry.name, parameters[place], text)?);
        }
        let given = parameters
            .into_iter()
            .zip(values)
            .filter_map(|(parameter, value)| value.map(|value| (parameter, value)))
            .filter(|&(parameter, value)| !(parameter.switch && value == 0.0))
            .map(|(parameter, value)| (parameter.name, value))
            .collect();
        let spec = Self { entry, given };
        spec.check_nesterov()?;
        Ok(spec)
    }

    fn check_nesterov(&self) -> Result<(), Usage> {
        let given = |key| self.given(key).unwrap_or(0.0);
        if given("nesterov") == 0.0 {
            Ok(())
        } else if given("momentum") == 0.0 {
            usage!("{}: nesterov needs momentum above 0; add `momentum=0.9`", self.name())
        } else if given("dampening") != 0.0 {
            usage!("{}: nesterov does not go with dampening {}; leave one out", self.name(), given("dampening"))
        } else {
            Ok(())
        }
    }

    /// Whether every option that was given is the same number in `T`, but for rounding.
    ///
    /// # Errors
    /// One that is 0, infinite, subnormal or (a beta) 1 there.
    pub(super) fn check_fits<T: Float>(&self) -> Result<(), Usage> {
        for &(key, value) in &self.given {
            if !T::holds(value) {
                return usage!("{}: {key} must be {}, got {}", self.name(), T::rule(), exact(value));
            }
            if key.starts_with("beta") && T::of(value) >= T::of(1.0) {
                return usage!("{}: {key} must be below 1 as {}, got {}", self.name(), T::NAME, exact(value));
            }
        }
        Ok(())
    }

    /// `sgd`.
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// What it means under these semantics, the same for every way to write it: each option with its value, given or by default. Its rate is
    /// no part of it: that is one of the run.
    pub fn canonical(&self, semantics: Semantics) -> String {
        let options = self.options(semantics);
        let options = self
            .entry
            .parameters
            .iter()
            .map(|parameter| format!(" {}={}", parameter.name, options.get(parameter.name)));
        self.name().to_string() + &options.collect::<String>()
    }

    /// The spec without a rate of its own.
    #[must_use]
    pub fn without_learning_rate(mut self) -> Self {
        self.given.retain(|(key, _)| *key != LR.name);
        self
    }

    /// The rate that stands in the spec itself.
    pub fn learning_rate(&self) -> Option<f64> {
        self.given("lr")
    }

    /// The usual rate of this optimizer under these semantics.
    pub fn default_learning_rate(&self, semantics: Semantics) -> f64 {
        self.options(semantics).default("lr")
    }

    /// Whether a schedule's momentum has something to replace: momentum above 0, or Adam's beta1.
    pub fn has_momentum(&self) -> bool {
        (find(self.name()).has_momentum)(&self.options(Semantics::Native))
    }

    /// The momentum (Adam's beta1) that an update is made with where the schedule leaves it alone; `None` for an optimizer without one.
    pub fn momentum(&self, semantics: Semantics) -> Option<f64> {
        let key = if parameter(self.entry, "beta1").is_some() { "beta1" } else { "momentum" };
        self.has_momentum().then(|| self.options(semantics).get(key))
    }

    pub(super) fn options(&self, semantics: Semantics) -> Options<'_> {
        Options { spec: self, semantics }
    }

    fn given(&self, key: &str) -> Option<f64> {
        self.given.iter().find(|(name, _)| *name == key).map(|&(_, value)| value)
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
    /// Where the table of the optimizer has no such parameter.
    pub fn get(&self, key: &str) -> f64 {
        self.spec.given(key).unwrap_or_else(|| self.default(key))
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
            None => {
                let parameter = parameter(self.spec.entry, key).expect("a rule asks for the options of its own table");
                if parameter.switch {
                    0.0
                } else {
                    parameter.default.parse().expect("a default of the table is a number")
                }
            }
        }
    }

    /// An option that only PyTorch knows stays at its default under the semantics of the others.
    ///
    /// # Errors
    /// The option is set under `keras` or `optax`; `remedy` says what to do instead.
    pub fn torch_only(&self, key: &str, remedy: &str) -> Result<f64, Usage> {
        let (name, value) = (self.spec.name(), self.get(key));
        match self.semantics {
            Semantics::Keras if value != 0.0 => usage!("{name}: Keras has no {key}, got {value}; {remedy}"),
            Semantics::Optax if value != 0.0 => usage!("{name}: optax has no {key}, got {value}; {remedy}"),
            _ => Ok(value),
        }
    }
}

fn parameter(entry: &'static Entry, key: &str) -> Option<&'static Parameter> {
    entry.parameters.iter().find(|parameter| parameter.name == key)
}

fn read(owner: &str, parameter: &Parameter, text: &str) -> Result<f64, Usage> {
    let key = parameter.name;
    if parameter.switch {
        return match text {
            "true" => Ok(1.0),
            "false" => Ok(0.0),
            _ => usage!(
                "{owner}: {key} is a switch, got `{text}`; write `{key}`, `{key}=true` or `{key}=false`",
                text = shortened(text)
            ),
        };
    }
    let Ok(value) = text.parse::<f64>() else {
        return usage!("{owner}: {key} must be a number, got `{text}`", text = shortened(text));
    };
    let (fits, rule) = match key {
        "lr" | "eps" => (value > 0.0, "above 0"),
        "momentum" | "dampening" | "rho" => ((0.0..=1.0).contains(&value), "from 0 to 1"),
        "beta1" | "beta2" => ((0.0..1.0).contains(&value), "at least 0 and below 1"),
        _ => (value >= 0.0, "at least 0"),
    };
    match (fits, value.is_finite()) {
        (true, true) => Ok(value),
        (true, false) => usage!("{owner}: {key} must be finite, got {text}", text = shortened(text)),
        (false, _) => usage!("{owner}: {key} must be {rule}, got {text}", text = shortened(text)),
    }
}
