//! The environment variables of settings.

use std::collections::BTreeMap;

/// The prefix of our environment variables.
pub const PREFIX: &str = "LRSCHED_";

/// Variables that stand for no setting.
pub const OTHER_VARIABLES: [&str; 4] = ["LRSCHED_DATA", "LRSCHED_CPU", "LRSCHED_STOP_AT", "LRSCHED_WRITE_DOCS"];

/// The environment variable of a setting.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('-', "_").to_uppercase())
}

/// The variables that are set and may stand for settings, with their values; an empty one counts as unset. What is no Unicode
/// has � in its place.
pub fn given_variables() -> BTreeMap<String, String> {
    let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    named
        .filter(|(name, value)| name.starts_with(PREFIX) && !OTHER_VARIABLES.contains(&&**name) && !value.is_empty())
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}
