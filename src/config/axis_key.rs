//! The keys of `--grid` and `--tune-range`: parameters of optimizers and schedules.

use super::SettingDef;
use super::given::{negated, parameters};
use super::settings::{CommandName, Scope, named};
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};

/// The key of the base rate, which is no parameter.
pub const RATE: &str = "lr";

/// A parameter that a comparison can vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AxisKey {
    Value,
    Switch,
    /// The flag that turns this switch off.
    Off(&'static str),
}

impl AxisKey {
    /// What `key` is. `setting` has the keys, in the form `form`, such as `example`.
    ///
    /// # Errors
    /// A comparison cannot vary it.
    pub fn of(setting: &str, key: &str, [form, example]: [&str; 2]) -> Result<Self, Usage> {
        if key.is_empty() {
            return usage!("{setting}: a key is missing; write {form}, for example {example}");
        }
        let families = CommandName::Compare.families();
        let known: Vec<(&str, bool)> = families.iter().flat_map(|(_, entries)| parameters(entries)).collect();
        if let Some((_, is_switch)) = known.iter().find(|(name, _)| *name == key) {
            return Ok(if *is_switch { Self::Switch } else { Self::Value });
        }
        if key == RATE {
            return Ok(Self::Value);
        }
        if let Some((name, _)) = known.iter().find(|(name, is_switch)| *is_switch && negated(name) == key) {
            return Ok(Self::Off(name));
        }
        if let Some(other) = named(key) {
            return Err(no_parameter(setting, other));
        }
        if key.split(':').all(|value| value.trim().parse::<f64>().is_ok()) {
            return usage!("{setting}: `{}` is a value without its key; write {form}, without spaces", shortened(key));
        }
        let hint = did_you_mean(key, known.iter().map(|(name, _)| *name).chain([RATE]));
        usage!("{setting}: no parameter is called `{}`{hint}", shortened(key))
    }
}

fn no_parameter(setting: &str, other: &SettingDef) -> Usage {
    let name = other.name;
    Usage(match (name, other.scope) {
        ("seed" | "seeds", _) => {
            format!("{setting}: {name} is no parameter; give the number of seeds as --seeds N")
        }
        ("entrants" | "optimizer" | "schedule", _) => {
            format!("{setting}: {name} is no parameter; name the pairs with --entrants")
        }
        (_, Scope::Result | Scope::Entrant) => format!(
            "{setting}: {name} is the same for all runs of a comparison; make one for each value, and report them together: lrsched report A B"
        ),
        (_, Scope::Machine | Scope::RangeTest) => {
            format!("{setting}: {name} is not a parameter of an optimizer or a schedule; give it as --{name}")
        }
    })
}
