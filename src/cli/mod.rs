//! The command line: the only user of clap. One file a command; flags and TOML become plain config structs here.

/// `println!` for commands: a reader of stdout that has gone is an error like any other, not a panic.
macro_rules! out {
    ($($argument:tt)*) => { $crate::cli::say(&format!("{}\n", format_args!($($argument)*)))? };
}

mod bench;
mod compare;
mod data;
mod descend;
mod diff;
mod given;
mod help_schedules;
mod report;
mod resume;
mod session;
mod settings;
mod show;
mod train;

use anyhow::{Context, Result};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ColorChoice, Command};
use std::io::Write;

/// Runs the command line and gives the process's exit code.
///
/// # Errors
/// [`crate::usage::Usage`] for what the user can mend on the command line; anything else is a failure of the run.
pub fn run() -> Result<u8> {
    let matches = match command().color(colour_wanted()).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    let quiet = matches.get_flag("quiet");
    match matches.get_one::<String>("color").map(String::as_str) {
        Some("always") => set_colour(true),
        Some("never") => set_colour(false),
        // https://no-color.org
        _ if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) => set_colour(false),
        _ => {}
    }
    match matches.subcommand() {
        Some(("train", matches)) => train::run(matches, quiet),
        Some(("compare", matches)) => compare::run(matches, quiet),
        Some(("resume", matches)) => resume::run(matches, quiet),
        Some(("bench", matches)) => bench::run(matches),
        Some(("data", matches)) => data::run(matches, quiet),
        Some(("descend", matches)) => descend::run(matches, quiet),
        Some(("report", matches)) => report::run(matches, quiet),
        Some(("show", matches)) => show::run(matches),
        Some(("diff", matches)) => diff::run(matches),
        Some(("help", matches)) => help(matches.get_one::<String>("topic").map(String::as_str)),
        _ => unreachable!("clap lets no other command through"),
    }
}

fn command() -> Command {
    Command::new("lrsched")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Train small CNNs on CIFAR-10 under every learning-rate schedule and optimizer, and see which one wins and why")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(Arg::new("quiet").short('q').long("quiet").global(true).action(ArgAction::SetTrue).help("No progress"))
        .arg(
            Arg::new("color")
                .long("color")
                .global(true)
                .value_name("WHEN")
                .value_parser(["auto", "always", "never"])
                .help("Colour: auto (on a terminal), always or never; NO_COLOR is respected"),
        )
        .subcommand(train::command())
        .subcommand(compare::command())
        .subcommand(resume::command())
        .subcommand(bench::command())
        .subcommand(data::command())
        .subcommand(descend::command())
        .subcommand(report::command())
        .subcommand(show::command())
        .subcommand(diff::command())
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("help")
                .about("Explain a command, or list every schedule (`lrsched help schedules`)")
                .arg(Arg::new("topic").value_name("COMMAND|schedules")),
        )
}

/// `lrsched help`, `lrsched help show`, `lrsched help schedules`.
fn help(topic: Option<&str>) -> Result<u8> {
    let mut command = command();
    match topic {
        Some("schedules") => return help_schedules::run(),
        Some(name) => match command.find_subcommand_mut(name) {
            Some(subcommand) => subcommand.clone().bin_name(format!("lrsched {name}")).print_long_help()?,
            None => {
                let names: Vec<_> = command.get_subcommands().map(|c| c.get_name().to_string()).collect();
                let hint = crate::usage::did_you_mean(name, names.iter().map(String::as_str).chain(["schedules"]));
                return crate::usage!("there is no help on `{name}`{hint}");
            }
        },
        None => command.print_long_help()?,
    }
    Ok(0)
}

fn set_colour(on: bool) {
    console::set_colors_enabled(on);
    console::set_colors_enabled_stderr(on);
}

/// What `--color` says, before clap, which needs it for its own help, has read it.
fn colour_wanted() -> ColorChoice {
    let arguments: Vec<String> = std::env::args().collect();
    let told = |value: &str| {
        arguments.iter().any(|argument| *argument == format!("--color={value}"))
            || arguments.windows(2).any(|pair| pair[0] == "--color" && pair[1] == value)
    };
    match (told("always"), told("never")) {
        (true, _) => ColorChoice::Always,
        (_, true) => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// A line on stderr for each warning.
fn warn(warnings: &[impl std::fmt::Display]) {
    for warning in warnings {
        let _ = writeln!(std::io::stderr(), "warning: {warning:#}");
    }
}

/// Writes to stdout, at once.
fn say(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to stdout")
}

/// Help and version go to stdout; anything else is one line on stderr.
fn explain(error: &clap::Error) -> Result<u8> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        error.print()?;
        return Ok(0);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.print()?;
        return Ok(2);
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told: Vec<&str> =
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information")).collect();
    crate::usage!("{}", told.join(" ").trim_start_matches("error: "))
}
