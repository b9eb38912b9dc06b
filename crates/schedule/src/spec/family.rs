//! The shared spec parser of schedules and optimizers.

use super::grammar::{check_length, fields, unknown_key};
use super::{Entry, Parameter, ParameterKind, ParameterValue};
use crate::error::{UsageError, shortened};
use crate::hint::Glossary;
use crate::usage;
use std::fmt;

/// A family of spec entries, schedules or optimizers, and how its errors and numbers are formatted.
#[derive(Debug)]
pub struct Family {
    /// `schedule`.
    pub what: &'static str,
    /// An example of a spec.
    pub example: &'static str,
    pub entries: fn() -> &'static [Entry],
    /// Parameters shared by all entries, shown before and after an entry's own. If an entry has a parameter of the same
    /// name, its own takes precedence.
    pub before: &'static [Parameter],
    pub after: &'static [Parameter],
    pub glossary: &'static Glossary,
    pub number: fn(f64) -> String,
}

/// Reads a switch: `true` or `false`. The bare name of a switch is `true`.
pub fn read_switch(text: &str) -> Option<bool> {
    match text.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

impl Family {
    /// # Errors
    /// The message suggests the nearest name and lists all.
    pub fn find(&self, name: &str) -> Result<&'static Entry, UsageError> {
        let entries = (self.entries)();
        entries.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let names = || entries.iter().map(|entry| entry.name);
            let (before, rest) = name.split_once(',').map_or((name, ""), |(before, rest)| (before.trim(), rest.trim()));
            let takes = |entry: &'static Entry| {
                let key = rest.split(['=', ',']).next().unwrap_or_default().trim();
                self.parameters(entry).any(|parameter| parameter.name == key)
            };
            let hint = match entries.iter().find(|entry| entry.name == before) {
                Some(entry) if takes(entry) => format!("; did you mean `{before}:{}`?", shortened(rest)),
                Some(_) => String::new(),
                None => self.glossary.did_you_mean(before, names()),
            };
            let all = names().collect::<Vec<_>>().join(", ");
            UsageError(format!("unknown {what} `{}`{hint} ({what}s: {all})", shortened(name), what = self.what))
        })
    }

    /// Every parameter that `entry` takes, in the order in which specs show them.
    pub fn parameters(&self, entry: &'static Entry) -> impl Iterator<Item = &'static Parameter> + use<> {
        let shared =
            |shared: &'static [Parameter]| shared.iter().filter(|parameter| entry.parameter(parameter.name).is_none());
        shared(self.before).chain(entry.parameters).chain(shared(self.after))
    }
}

/// An entry of a family with the parameter values that were given.
#[derive(Clone)]
pub struct Values {
    family: &'static Family,
    entry: &'static Entry,
    /// In the order of [`Family::parameters`].
    given: Vec<(&'static Parameter, ParameterValue)>,
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl Values {
    /// The entry without any values.
    pub fn of(family: &'static Family, entry: &'static Entry) -> Self {
        Self { family, entry, given: Vec::new() }
    }

    /// Parses `name:key=value,key=value`.
    ///
    /// # Errors
    /// An unknown name or key, a value of the wrong type or out of range, a duplicate key.
    pub fn parse(family: &'static Family, text: &str) -> Result<Self, UsageError> {
        let name = text.split(':').next().unwrap_or_default().trim();
        if name.is_empty() {
            let (what, text, example) = (family.what, shortened(text), family.example);
            return usage!("{what}: `{text}` has no name; write `name:key=value,key=value`, for example `{example}`");
        }
        let entry = family.find(name)?;
        // Those of other entries, too: `adamax:amsgrad` is a key that it does not take, and no value without a key.
        let all = (family.entries)().iter().flat_map(|entry| family.parameters(entry));
        let switches: Vec<_> = all.filter(|p| p.is_switch()).map(|p| p.name).collect();
        let expression = entry.parameters.iter().find(|p| p.kind == ParameterKind::Expression).map(|p| p.name);
        let own = || family.parameters(entry).filter(|p| p.is_switch()).map(|p| p.name);
        let mistyped = |word: &str| family.glossary.suggestion(word, own());
        let fields = fields(text, &switches, expression, mistyped).map_err(|error| match expression {
            // Left to the expression parser, whose error points at the missing bracket.
            Some(key) => {
                let typed = text.split_once(':').map_or("", |(_, rest)| rest.trim());
                let typed = typed.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')).unwrap_or(typed);
                ParameterValue::read(ParameterKind::Expression, name, typed).err().unwrap_or(error)
            }
            None => error,
        })?;
        let mut values = Self::of(family, entry);
        for (key, value) in fields.values {
            let parameter = values.parameter(&key)?;
            if values.get(parameter.name).is_some() && !parameter.kind.is_list() {
                return usage!("{name}: `{key}` is given twice in `{}`", shortened(text.trim()));
            }
            values.set(&key, &value)?;
        }
        Ok(values)
    }

    pub fn entry(&self) -> &'static Entry {
        self.entry
    }

    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    /// The parameter of this name.
    ///
    /// # Errors
    /// There is no parameter of this name; the message lists the known ones.
    pub fn parameter(&self, key: &str) -> Result<&'static Parameter, UsageError> {
        self.parameters().find(|parameter| parameter.name == key).ok_or_else(|| {
            let known: Vec<_> = self.parameters().map(|parameter| parameter.name).collect();
            unknown_key(self.family.glossary, self.name(), key, &known)
        })
    }

    pub fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        self.family.parameters(self.entry)
    }

    /// Parses a value; repeated lists accumulate.
    ///
    /// # Errors
    /// As [`Values::parse`].
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), UsageError> {
        let parameter = self.parameter(key)?;
        let subject = format!("{}: {}", self.name(), parameter.name);
        check_length(&subject, text)?;
        if text.trim().is_empty() {
            return usage!("{subject} has no value");
        }
        let value = ParameterValue::read(parameter.kind, &subject, text)?;
        match self.given.iter_mut().find(|(given, _)| given.name == parameter.name) {
            Some((_, list)) => {
                if !list.extend(value) {
                    return usage!("{}: `{}` is given twice", self.name(), parameter.name);
                }
                check_length(&subject, &list.show(parameter.kind, self.family.number))
            }
            None => {
                self.put(parameter, value);
                Ok(())
            }
        }
    }

    /// Sets a value, replacing any given before.
    ///
    /// # Errors
    /// An unknown key, or a value out of its range.
    pub fn give(&mut self, key: &str, value: ParameterValue) -> Result<(), UsageError> {
        let parameter = self.parameter(key)?;
        let value = value.checked(parameter.kind, &format!("{}: {}", self.name(), parameter.name))?;
        self.remove(key);
        self.put(parameter, value);
        Ok(())
    }

    fn put(&mut self, parameter: &'static Parameter, value: ParameterValue) {
        self.given.push((parameter, value));
        let order: Vec<_> = self.parameters().map(|parameter| parameter.name).collect();
        self.given.sort_by_key(|(parameter, _)| order.iter().position(|name| *name == parameter.name));
    }

    pub fn remove(&mut self, key: &str) {
        self.given.retain(|(parameter, _)| parameter.name != key);
    }

    /// Applies values from elsewhere (command-line flags), which override those of the spec.
    ///
    /// # Errors
    /// As [`Values::parse`].
    pub fn replace(&mut self, flags: &[(String, String)]) -> Result<(), UsageError> {
        flags.iter().for_each(|(key, _)| self.remove(key));
        flags.iter().try_for_each(|(key, value)| self.set(key, value))
    }

    /// The values that were given.
    pub fn given(&self) -> impl Iterator<Item = (&'static Parameter, &ParameterValue)> {
        self.given.iter().map(|(parameter, value)| (*parameter, value))
    }

    /// The same as a spec writes them: `momentum=0.9`, `nesterov`.
    pub fn written(&self) -> impl Iterator<Item = String> {
        self.given.iter().map(|(parameter, value)| match value {
            ParameterValue::Switch(true) => parameter.name.to_string(),
            value => format!("{}={}", parameter.name, value.show(parameter.kind, self.family.number)),
        })
    }

    /// The value, if it was given.
    pub fn get(&self, key: &str) -> Option<&ParameterValue> {
        self.given.iter().find(|(parameter, _)| parameter.name == key).map(|(_, value)| value)
    }

    /// The value, given or by default; `None` if there is neither, or no parameter of this name.
    pub fn value(&self, key: &str) -> Option<ParameterValue> {
        self.get(key).cloned().or_else(|| {
            let parameter = self.parameters().find(|parameter| parameter.name == key)?;
            default(parameter)
        })
    }

    /// The value as messages quote it; empty if there is none.
    pub(crate) fn shown(&self, key: &str) -> String {
        let parameter = self.parameters().find(|parameter| parameter.name == key);
        let value = parameter.zip(self.value(key));
        value.map_or(String::new(), |(parameter, value)| shortened(&value.show(parameter.kind, self.family.number)))
    }

    /// Every parameter with its value, given or by default.
    pub fn all(&self) -> impl Iterator<Item = (&'static Parameter, Option<ParameterValue>)> {
        self.parameters().map(|parameter| (parameter, self.get(parameter.name).cloned().or_else(|| default(parameter))))
    }
}

fn default(parameter: &Parameter) -> Option<ParameterValue> {
    if parameter.default.is_empty() {
        return None;
    }
    // A test parses the defaults of every table.
    ParameterValue::read(parameter.kind, parameter.name, parameter.default).ok()
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (place, written) in self.written().enumerate() {
            f.write_str(if place == 0 { ":" } else { "," })?;
            f.write_str(&written)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::FAMILY;

    #[test]
    fn a_value_built_in_code_is_the_one_that_its_text_reads_as() {
        let give = |name: &str, key: &str, value| {
            let mut values = Values::of(&FAMILY, FAMILY.find(name).unwrap());
            values.give(key, value).map(|()| values.get(key).cloned().unwrap())
        };
        assert_eq!(give("wsd", "shape", ParameterValue::Choice(" cosine")), Ok(ParameterValue::Choice("cosine")));
        assert_eq!(give("step", "factor", ParameterValue::Count(1)), Ok(ParameterValue::Number(1.0)));
        assert!(give("wsd", "shape", ParameterValue::Choice("sine")).is_err());
    }
}
