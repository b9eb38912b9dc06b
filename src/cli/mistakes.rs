//! Mistakes on the command line, which clap finds, in one line of our own.

use super::command;
use crate::config::PREFIX;
use crate::usage::{Usage, did_you_mean, note, suggestion};
use anyhow::{Context as _, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use std::ffi::OsString;

/// Help and version go to stdout; anything else is one line on stderr.
pub(super) fn explain(error: &clap::Error) -> Result<u8> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        error.print().context("cannot write to stdout")?;
        return Ok(0);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.print()?;
        return Ok(2);
    }
    if error.kind() == ErrorKind::InvalidUtf8 {
        return crate::usage!(
            "{} is not UTF-8 text; only the names of files and folders may be other bytes",
            not_text()
        );
    }
    let text = error.to_string();
    // clap suggests the nearest name however far off it is; ours does not.
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("tip:"));
    let told: Vec<&str> =
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information")).collect();
    let told = told.join(" ");
    crate::usage!("{}{}", told.trim_start_matches("error: "), remedy(error))
}

/// An error if a flag has another flag in the place of its value, which clap takes for the value where that may begin with a
/// dash: `--out --force`.
///
/// # Errors
/// As said.
pub(super) fn check_values() -> Result<(), Usage> {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (command, _) = typed_command();
    let flag = |word: &str| {
        let mut known = command.get_arguments();
        known.find(|arg| match word.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => arg.get_short().is_some_and(|short| word == format!("-{short}")),
        })
    };
    for pair in words.split(|word| word == "--").next().unwrap_or_default().windows(2) {
        let [name, next] = pair else { continue };
        // A switch takes a value only if that is joined.
        let takes = flag(name).is_some_and(|arg| arg.is_allow_hyphen_values_set() && !arg.is_require_equals_set());
        let is_flag = next.starts_with('-') && flag(next.split('=').next().unwrap_or_default()).is_some();
        if takes && is_flag {
            return crate::usage!(
                "{name} has no value: {next} is a flag; write {name} VALUE, or {name}={next} if that is meant"
            );
        }
    }
    Ok(())
}

/// The suggestion that ends a clap error: the intended name, if one is close.
fn remedy(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::UnknownArgument => meant_flag(context(ContextKind::InvalidArg)),
        ErrorKind::InvalidSubcommand => {
            let typed = context(ContextKind::InvalidSubcommand);
            let (command, _) = typed_command();
            let hint = did_you_mean(typed, command.get_subcommands().map(Command::get_name));
            if hint.is_empty() { "; --help lists the commands".to_string() } else { hint }
        }
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) => {
                did_you_mean(context(ContextKind::InvalidValue), values.iter().map(String::as_str))
            }
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// `typed` is an unknown argument: `--learning-rate`, or the `-l` of `-lr`.
fn meant_flag(typed: &str) -> String {
    let (command, path) = typed_command();
    let names: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    let word = typed.trim_start_matches('-').split('=').next().unwrap_or_default();
    // clap parses `-lr` as `-l r`; `-j4` is `-j 4`.
    let mut typed_words = std::env::args_os().filter_map(|argument| argument.into_string().ok());
    let one_dash = typed_words.find_map(|argument| {
        let whole = argument.strip_prefix('-')?;
        let rest = whole.strip_prefix(word).filter(|_| word.len() == 1)?;
        rest.starts_with(char::is_alphabetic).then(|| whole.to_string())
    });
    let word = one_dash.as_deref().unwrap_or(word);
    if typed.starts_with("--") && names.contains(&word) {
        return format!("; put it after the command: `{path} --{word}`");
    }
    let is_test = path.split(' ').next_back() == Some("find");
    match word {
        "lr" | "learning-rate" if is_test => {
            return "; `find` searches for the rate, between --min-lr and --max-lr".to_string();
        }
        "schedule" if is_test => return "; the rate of `find` rises from --min-lr to --max-lr by --mode".to_string(),
        _ => {}
    }
    // Anything beyond a plain name (`sgd:momentum=0.9`) is not a flag.
    match suggestion(word, names).filter(|name| typed.starts_with('-') && !name.contains([':', ' '])) {
        Some(name) => format!("; did you mean `--{name}`?"),
        None => match note(word) {
            Some(note) => format!("; {note}"),
            None => format!("; {}", others_with(typed).unwrap_or_else(|| "see --help".to_string())),
        },
    }
}

/// The one or two commands that have this flag: `lrsched compare has it`.
fn others_with(typed: &str) -> Option<String> {
    let word = typed.strip_prefix("--")?.split('=').next()?;
    let has = |command: &&Command| command.get_arguments().any(|arg| arg.get_long() == Some(word));
    let root = command();
    let names: Vec<String> =
        root.get_subcommands().filter(has).map(|command| format!("`lrsched {}`", command.get_name())).collect();
    match names.as_slice() {
        [one] => Some(format!("{one} has it")),
        [one, other] => Some(format!("{one} and {other} have it")),
        _ => None,
    }
}

/// The deepest subcommand that was recognised, and the words typed to get there.
fn typed_command() -> (Command, String) {
    let (mut at, mut path) = (command(), "lrsched".to_string());
    at.build();
    for word in std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()) {
        if let Some(inner) = at.find_subcommand(&word) {
            at = inner.clone();
            path = format!("{path} {word}");
        }
    }
    (at, path)
}

/// The first argument, else variable, that is not valid UTF-8: clap does not say which one it was.
fn not_text() -> String {
    let argument = std::env::args_os().skip(1).find(|argument| argument.to_str().is_none());
    let ours = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    match (argument, std::env::vars_os().find(|(name, value)| ours(name) && value.to_str().is_none())) {
        (Some(argument), _) => format!("the argument `{}`", argument.display()),
        (None, Some((name, _))) => format!("the variable {}", name.display()),
        (None, None) => "an argument".to_string(),
    }
}
