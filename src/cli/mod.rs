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
mod environment;
mod eval;
mod export;
mod find;
mod flags;
mod help_tables;
mod live;
mod man;
mod merge;
mod mistakes;
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
use crate::usage::{note, one_line, shortened, suggestion};
use anyhow::{Context as _, Result};
use clap::{Arg, Command};
use std::collections::BTreeMap;
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
    mistakes::check_values()?;
    let matches =
        match environment::without_empty_variables(command()).color(environment::colour_wanted()).try_get_matches() {
            Ok(matches) => matches,
            Err(error) => return mistakes::explain(&error),
        };
    let given = flags::gather(&command(), &matches);
    let quiet = given.switch("quiet")?;
    environment::apply_colour(given.text("color"))?;
    warn(&environment::unknown_variables());
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
            let meant = suggestion(name, names.chain(flags.keys().map(String::as_str)));
            let hint = match meant.as_deref() {
                // `adam:amsgrad` is explained with `adam`.
                Some(meant) => format!("did you mean `{}`?", meant.split(':').next().unwrap_or(meant)),
                None => note(name).unwrap_or("--help lists the commands").to_string(),
            };
            return crate::usage!("no help for `{}`; {hint}", shortened(&topic.join(" ")));
        };
        command = inner.clone().bin_name(format!("lrsched {}", topic[..=at].join(" ")));
    }
    command.print_long_help().context("cannot write to stdout")?;
    Ok(0)
}

/// Prints each warning as a line on stderr.
fn warn(warnings: &[impl std::fmt::Display]) {
    warnings.iter().for_each(|warning| tell(&format!("warning: {warning:#}")));
}

/// Prints a line of printable characters to stderr, as [`for_terminal`] has it. A closed stderr is ignored.
pub fn tell(line: &str) {
    let _ = write_line(std::io::stderr().lock(), &for_terminal(line));
}

/// Printable characters, wrapped between words at the width of the terminal, unless they are a command to copy.
pub fn for_terminal(line: &str) -> String {
    let line = one_line(line);
    let is_sentence = ["error: ", "warning: ", "note: "].iter().any(|kind| line.starts_with(kind));
    if !is_sentence && line.contains(&session::program()) {
        return line;
    }
    wrap::lines(&line, settings::message_width()).trim_end().to_string()
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
