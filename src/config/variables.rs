//! The environment variables of settings.

use super::CommandName;
use super::settings::{Scope, keys, named};
use std::collections::BTreeMap;

/// The prefix of our environment variables.
pub const PREFIX: &str = "LRSCHED_";

/// Variables that stand for no setting.
pub const OTHER_VARIABLES: [&str; 4] = ["LRSCHED_DATA", "LRSCHED_CPU", "LRSCHED_STOP_AT", "LRSCHED_WRITE_DOCS"];

/// The environment variable of a setting.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('-', "_").to_uppercase())
}

/// The variables of the settings of `command` that are set, with their values; an empty one counts as unset. What is no
/// Unicode has � in its place.
pub fn given_variables(command: CommandName) -> BTreeMap<String, String> {
    set_among(keys(command))
}

/// Those that are set and change what a typed `train` computes, or where its results go.
pub fn variables_of_results() -> BTreeMap<String, String> {
    let is_of_results = |name: &String| match named(name) {
        Some(setting) => setting.scope != Scope::Machine || ["out", "force"].contains(&setting.name),
        // A parameter of a schedule or an optimizer.
        None => true,
    };
    set_among(keys(CommandName::Train).into_iter().filter(is_of_results))
}

fn set_among(names: impl IntoIterator<Item = String>) -> BTreeMap<String, String> {
    let names = names.into_iter().chain(["config".to_string()]).map(|name| variable(&name));
    let set = names.filter_map(|name| std::env::var_os(&name).map(|value| (name, value)));
    set.filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}
