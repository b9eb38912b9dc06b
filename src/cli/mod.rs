//! The command line: the only user of clap. One file per command; flags and TOML become plain config structs here.

#![forbid(unsafe_code)]

/// `println!` for commands: a closed stdout is an ordinary error instead of a panic.
macro_rules! out {
    ($($argument:tt)*) => { $crate::cli::say(&format!("{}\n", format_args!($($argument)*)))? };
}

mod advice;
mod bench;
mod compare;
mod completions;
mod data;
mod descend;
mod diff;
mod diff_optimizer;
mod drawn_run;
mod dry_run;
mod eval;
mod export;
mod find;
mod flags;
mod help_tables;
mod live;
mod man;
mod merge;
mod next;
mod output;
mod ranking;
mod report;
mod resume;
mod session;
mod settings;
mod show;
mod train;

use crate::config::settings::{COLOURS, GLOBAL};
use crate::record::GitState;
use crate::report::wrap;
use crate::usage::{Usage, did_you_mean, note, one_line, shortened, suggestion};
use anyhow::{Context, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ColorChoice, Command};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::io::Write;

/// Runs the command line and returns the process's exit code.
///
/// # Errors
/// [`crate::usage::Usage`] for mistakes that the user can fix on the command line; anything else is a failure of the
/// run.
pub fn run() -> Result<u8> {
    #[cfg(unix)]
    live::report_full_files()?;
    if completions::answer(command)? {
        return Ok(0);
    }
    let matches = match without_empty_variables(command()).color(colour_wanted()).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    let given = flags::gather(&command(), &matches);
    let quiet = given.switch("quiet")?;
    apply_colour(given.text("color"))?;
    warn(&unknown_variables());
    let done = match matches.subcommand() {
        Some(("train", matches)) => train::run(matches),
        Some(("compare", matches)) => compare::run(matches),
        Some(("find", matches)) => find::run(matches),
        Some(("resume", matches)) => resume::run(matches, quiet),
        Some(("bench", matches)) => bench::run(matches),
        Some(("data", matches)) => data::run(matches, quiet),
        Some(("descend", matches)) => descend::run(matches, quiet),
        Some(("eval", matches)) => eval::run(matches, quiet),
        Some(("merge", matches)) => merge::run(matches, quiet),
        Some(("report", matches)) => report::run(matches, quiet),
        Some(("show", matches)) => show::run(matches),
        Some(("diff", matches)) => diff::run(matches),
        Some(("completions", matches)) => completions::run(matches),
        Some(("man", matches)) => man::run(matches, command()),
        Some(("export", matches)) => export::run(matches, quiet),
        Some(("help", matches)) => {
            help(&matches.get_many::<String>("topic").into_iter().flatten().map(String::as_str).collect::<Vec<_>>())
        }
        _ => unreachable!("clap lets no other command through"),
    };
    done.map_err(advice::worded)
}

/// `0.1.0 (commit f05293d)`: of a build in a clone, which commit it was.
fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match GitState::of_program() {
        Some(GitState { commit, dirty }) => {
            let changed = if dirty { ", changed" } else { "" };
            format!("{version} (commit {}{changed})", commit.get(..7).unwrap_or(&commit))
        }
        None => version.to_string(),
    }
}

fn command() -> Command {
    Command::new("lrsched")
        .version(version())
        .about("Train small CNNs on CIFAR-10 under every learning-rate schedule and optimizer, and rank the results")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(GLOBAL.iter().map(|setting| flags::of(setting).global(true)))
        .mut_arg("quiet", |arg| arg.short('q'))
        .mut_arg("color", |arg| arg.value_parser(COLOURS))
        .subcommand(train::command())
        .subcommand(compare::command())
        .subcommand(find::command())
        .subcommand(resume::command())
        .subcommand(bench::command())
        .subcommand(data::command())
        .subcommand(descend::command())
        .subcommand(eval::command())
        .subcommand(merge::command())
        .subcommand(report::command())
        .subcommand(show::command())
        .subcommand(diff::command())
        .subcommand(completions::command())
        .subcommand(man::command())
        .subcommand(export::command())
        // Replaces clap's own `help`, which does not know the lists.
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("help")
                .about("Show help for a command, a flag, a schedule or an optimizer, or list all (`lrsched help schedules`)")
                .arg(
                    Arg::new("topic")
                        .value_name("COMMAND|schedules|optimizers|NAME")
                        .help("A command, a flag without its dashes (`group`), a schedule, an optimizer, or a list")
                        .num_args(0..),
                ),
        )
}

/// `lrsched help`, `lrsched help data fetch`, `lrsched help schedules`, `lrsched help group`.
fn help(topic: &[&str]) -> Result<u8> {
    match topic {
        ["schedules"] => return help_tables::schedules(),
        ["optimizers"] => return help_tables::optimizers(),
        [name] => {
            if let Some(shown) = help_tables::one(name) {
                return shown;
            }
        }
        _ => {}
    }
    let mut command = command();
    if let [name] = topic
        && command.find_subcommand(name).is_none()
        && let Some(shown) = help_tables::flag(&command, name)
    {
        return shown;
    }
    for (at, name) in topic.iter().enumerate() {
        let Some(inner) = command.find_subcommand(name) else {
            let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            let lists: &[&str] = if at == 0 { &["schedules", "optimizers"] } else { &[] };
            let entries = if at == 0 { help_tables::names() } else { Vec::new() };
            let flags = if at == 0 { help_tables::flags(&command) } else { BTreeMap::new() };
            let names = names.into_iter().chain(lists.iter().copied()).chain(entries);
            let hint = did_you_mean(name, names.chain(flags.keys().map(String::as_str)));
            // `adam:amsgrad` is explained with `adam`.
            let hint = hint
                .split_once(':')
                .filter(|_| hint.contains("did you mean"))
                .map_or(hint.clone(), |(before, _)| format!("{before}`?"));
            let hint = if hint.is_empty() { "; --help lists the commands".to_string() } else { hint };
            return crate::usage!("no help for `{}`{hint}", shortened(&topic.join(" ")));
        };
        command = inner.clone().bin_name(format!("lrsched {}", topic[..=at].join(" ")));
    }
    command.print_long_help().context("cannot write to stdout")?;
    Ok(0)
}

/// The prefix of our environment variables.
const PREFIX: &str = "LRSCHED_";

/// Whether the variable is empty, which counts as unset.
fn is_empty(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}

/// The command without its empty variables.
fn without_empty_variables(command: Command) -> Command {
    let empty = |arg: &Arg| arg.get_env().and_then(|name| name.to_str()).is_some_and(is_empty);
    let command = command.mut_args(|arg| if empty(&arg) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

/// Variables that are not read through a flag.
const VARIABLES: [&str; 4] = ["LRSCHED_DATA", "LRSCHED_CPU", "LRSCHED_STOP_AT", "LRSCHED_WRITE_DOCS"];

/// A warning for each unknown `LRSCHED_*` variable, so that typos do not pass silently.
fn unknown_variables() -> Vec<String> {
    fn known(command: &Command, names: &mut Vec<String>) {
        names.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_string())));
        command.get_subcommands().for_each(|inner| known(inner, names));
    }
    let mut names: Vec<String> = VARIABLES.map(str::to_string).to_vec();
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
fn apply_colour(when: Option<&str>) -> Result<(), Usage> {
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
fn colour_wanted() -> ColorChoice {
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

/// Prints each warning as a line on stderr.
fn warn(warnings: &[impl std::fmt::Display]) {
    warnings.iter().for_each(|warning| tell(&format!("warning: {warning:#}")));
}

/// Prints a line of printable characters to stderr. A closed stderr is ignored. Errors, warnings and notes wrap between
/// words on a terminal; what else is told may be a command to copy.
pub fn tell(line: &str) {
    let line = one_line(line);
    let is_sentence = ["error: ", "warning: ", "note: "].iter().any(|kind| line.starts_with(kind));
    let wrapped = if is_sentence { wrap::lines(&line, settings::message_width()) } else { line };
    let _ = write_line(std::io::stderr().lock(), wrapped.trim_end());
}

/// Writes a line in one piece, so that no other thread or process tears it.
fn write_line(mut to: impl Write, line: &str) -> std::io::Result<()> {
    to.write_all(format!("{line}\n").as_bytes())?;
    to.flush()
}

/// Writes to stdout and flushes.
fn say(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to stdout")
}

/// Help and version go to stdout; anything else is one line on stderr.
fn explain(error: &clap::Error) -> Result<u8> {
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
    let ours = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with("LRSCHED_"));
    match (argument, std::env::vars_os().find(|(name, value)| ours(name) && value.to_str().is_none())) {
        (Some(argument), _) => format!("the argument `{}`", argument.display()),
        (None, Some((name, _))) => format!("the variable {}", name.display()),
        (None, None) => "an argument".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_that_is_suggested_for_one_of_another_program_exists() {
        let tables = [crate::schedule::table(), crate::optim::table()];
        let mut names: HashSet<String> = HashSet::new();
        for entry in tables.into_iter().flatten() {
            names.insert(entry.name.to_string());
            names.extend(entry.parameters.iter().map(|parameter| parameter.name.to_string()));
        }
        let root = command();
        for command in root.get_subcommands().chain([&root]) {
            names.insert(command.get_name().to_string());
            names.extend(command.get_arguments().filter_map(Arg::get_long).map(str::to_string));
        }
        let values = "torch keras optax png svg csv table chart cnn airbench94 airbench94-muon synthetic train validation exponential none never \
                      val_accuracy val_loss cuda metal flip-crop flip alternating-flip-crop";
        names.extend(values.split_whitespace().map(str::to_string));
        let wrong: Vec<&str> =
            crate::usage::GLOSSARY.suggested_names().into_iter().filter(|name| !names.contains(*name)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
