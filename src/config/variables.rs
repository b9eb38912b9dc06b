//! The environment variables of settings.

use super::CommandName;
use super::settings::keys;
use std::collections::BTreeMap;

/// The prefix of our environment variables.
pub const PREFIX: &str = "LRSCHED_";

/// Variables that stand for no setting.
pub const OTHER_VARIABLES: [&str; 4] = ["LRSCHED_DATA", "LRSCHED_CPU", "LRSCHED_STOP_AT", "LRSCHED_WRITE_DOCS"];

/// The environment variable of a setting.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('-', "_").to_uppercase())
}

/// The variables of the settings of `compare` that are set, with their values; an empty one counts as unset. What is no
/// Unicode has � in its place.
pub fn given_variables() -> BTreeMap<String, String> {
    let names = keys(CommandName::Compare).into_iter().chain(["config".to_string()]).map(|name| variable(&name));
    let set = names.filter_map(|name| std::env::var_os(&name).map(|value| (name, value)));
    set.filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// Whether any variable of ours is set that may give an optimizer, a schedule or a parameter of one.
pub fn is_any_set() -> bool {
    let is_one = |name: &str| name.starts_with(PREFIX) && !OTHER_VARIABLES.contains(&name);
    std::env::vars_os().any(|(name, value)| name.to_str().is_some_and(is_one) && !value.is_empty())
}
