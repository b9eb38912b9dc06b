//! What the environment says: variables named like settings, and whether to use colour.

use super::command;
use crate::config::settings::COLOURS;
use crate::config::{OTHER_VARIABLES, PREFIX};
use crate::usage::{Usage, did_you_mean, shortened, suggestion};
use clap::{Arg, ColorChoice, Command};
use std::ffi::OsString;
use std::io::IsTerminal as _;

/// Whether the variable is empty, which counts as unset.
fn is_empty(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}

/// The command without its empty variables.
pub(super) fn without_empty_variables(command: Command) -> Command {
    let empty = |arg: &Arg| arg.get_env().and_then(|name| name.to_str()).is_some_and(is_empty);
    let command = command.mut_args(|arg| if empty(&arg) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

/// A warning for each unknown `LRSCHED_*` variable, so that typos do not pass silently.
pub(super) fn unknown_variables() -> Vec<String> {
    fn known(command: &Command, names: &mut Vec<String>) {
        names.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_string())));
        command.get_subcommands().for_each(|inner| known(inner, names));
    }
    let mut names: Vec<String> = OTHER_VARIABLES.map(str::to_string).to_vec();
    known(&command(), &mut names);
    let given = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    given
        .filter(|name| name.starts_with(PREFIX) && !names.contains(name) && !is_empty(name))
        .map(|name| {
            // Compared without the common prefix, which would make any two names look alike.
            let setting = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).replace('_', "-").to_lowercase();
            let settings: Vec<String> = names.iter().map(|name| setting(name)).collect();
            let meant = suggestion(&setting(&name), settings.iter().map(String::as_str));
            let hint = meant.map_or(String::new(), |meant| {
                format!("; did you mean `{PREFIX}{}`?", meant.replace('-', "_").to_uppercase())
            });
            format!("unknown variable {name}{hint}")
        })
        .collect()
}

/// `always`, `never`, or as the terminal, `NO_COLOR` (<https://no-color.org>) and `CLICOLOR_FORCE`
/// (<https://bixense.com/clicolors>) say.
pub(super) fn apply_colour(when: Option<&str>) -> Result<(), Usage> {
    match when {
        Some("always") => set_colour(true),
        Some("never") => set_colour(false),
        Some(other) if !COLOURS.contains(&other) => {
            let (hint, other) = (did_you_mean(other, COLOURS), shortened(other));
            return crate::usage!("color must be one of {}, got `{other}`{hint}", COLOURS.join(", "));
        }
        _ => {
            if let Some(on) = colour_of_environment() {
                set_colour(on);
            }
        }
    }
    Ok(())
}

/// Whether the environment decides: the libraries below read `CLICOLOR_FORCE=0` differently.
fn colour_of_environment() -> Option<bool> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("NO_COLOR"), set("CLICOLOR_FORCE")) {
        (Some(_), _) => Some(false),
        (None, Some(force)) if force == "0" => Some(std::io::stdout().is_terminal()),
        (None, Some(_)) => Some(true),
        (None, None) => None,
    }
}

fn set_colour(on: bool) {
    console::set_colors_enabled(on);
    console::set_colors_enabled_stderr(on);
}

/// The value of `--color`, read before clap parses: clap needs it for its own help.
pub(super) fn colour_wanted() -> ColorChoice {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let told = |value: &str| {
        arguments.iter().any(|argument| *argument == *format!("--color={value}"))
            || arguments.windows(2).any(|pair| pair[0] == "--color" && pair[1] == value)
    };
    match (told("always"), told("never")) {
        (true, _) => ColorChoice::Always,
        (_, true) => ColorChoice::Never,
        _ => match colour_of_environment() {
            Some(true) => ColorChoice::Always,
            Some(false) => ColorChoice::Never,
            None => ColorChoice::Auto,
        },
    }
}
