//! The values of settings by name, as reports show them and the command line takes them.

use crate::optim::ParamGroup;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Shown for a setting that is not set.
const NOT_SET: &str = "not set";

/// The value of each setting that is set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SettingValues(BTreeMap<String, String>);

/// A setting whose value differs between two configs; `not set` on the side that lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a> {
    pub name: &'a str,
    pub first: &'a str,
    pub second: &'a str,
}

/// A setting as it is typed: `--name value`; a switch that is on, `--name`; nothing of one that is off.
pub fn typed(name: &str, value: &str) -> Vec<String> {
    match value {
        "false" => Vec::new(),
        "true" => vec![format!("--{name}")],
        value => vec![format!("--{name}"), value.to_string()],
    }
}

/// Parameter groups, in the form of the command line.
fn groups(value: &Value) -> Option<String> {
    let groups: Vec<ParamGroup> = value.is_array().then(|| serde_json::from_value(value.clone()).ok())??;
    let groups: Vec<String> = groups.iter().map(ParamGroup::to_string).collect();
    (!groups.is_empty()).then(|| groups.join(" "))
}

impl SettingValues {
    /// The settings of a config as read from a file.
    pub fn of(config: &Map<String, Value>) -> Self {
        let plain = |value: &Value| {
            let text = || value.as_str().map(str::to_string);
            text().or_else(|| groups(value)).unwrap_or_else(|| value.to_string())
        };
        let set = config.iter().filter(|(_, value)| !value.is_null());
        Self(set.map(|(name, value)| (name.clone(), plain(value))).collect())
    }

    /// The settings of a config.
    pub fn of_config(config: &impl Serialize) -> Self {
        match serde_json::to_value(config) {
            Ok(Value::Object(config)) => Self::of(&config),
            _ => Self::default(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only the settings whose name satisfies `keep`.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|name, _| keep(name));
        self
    }

    /// The settings in which two configs differ, by name.
    pub fn differences<'a>(first: &'a Self, second: &'a Self) -> Vec<Difference<'a>> {
        let mut names: Vec<&str> = first.iter().chain(second.iter()).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let values = |name| (first.get(name), second.get(name));
        let differing = names.into_iter().filter(|name| first.get(name) != second.get(name));
        differing
            .map(|name| {
                let (first, second) = values(name);
                Difference { name, first: first.unwrap_or(NOT_SET), second: second.unwrap_or(NOT_SET) }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_configs_differ_where_a_value_does_or_is_set_in_one_only() {
        let of = |config: Value| SettingValues::of(config.as_object().unwrap());
        let first = of(json!({ "batch-size": 16, "epochs": 3, "schedule": "step", "train-limit": null }));
        let second = of(json!({ "batch-size": "16", "epochs": 5, "schedule": "step", "train-limit": 100 }));
        assert_eq!(
            SettingValues::differences(&first, &second),
            [
                Difference { name: "epochs", first: "3", second: "5" },
                Difference { name: "train-limit", first: "not set", second: "100" }
            ]
        );
    }
}
