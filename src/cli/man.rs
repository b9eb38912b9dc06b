//! `lrsched man`: manual pages, from the same descriptions as `--help`.

use crate::disk::make_folders;
use crate::usage;
use crate::usage::shortened;
use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_mangen::Man;
use std::ffi::OsString;
use std::path::Path;

pub fn command() -> Command {
    Command::new("man")
        .about("Print a manual page, or write all of them into a folder")
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .num_args(0..)
                .help("The command whose page to print, such as train or data fetch [default: lrsched itself]"),
        )
        .arg(
            Arg::new("dir")
                .long("dir")
                .value_name("DIR")
                .value_parser(value_parser!(OsString))
                .conflicts_with("command")
                .help("Write the pages of all commands into this folder, as lrsched.1, lrsched-train.1, …"),
        )
        .after_help("Example: lrsched man train | man -l -")
}

/// # Errors
/// A command that there is not; a page cannot be written.
pub fn run(matches: &ArgMatches, whole: Command) -> Result<u8> {
    let pages = pages(whole)?;
    if let Some(folder) = matches.get_one::<OsString>("dir") {
        let folder = Path::new(folder);
        if folder.as_os_str().is_empty() {
            return usage!("--dir must name a folder, got nothing");
        }
        if folder.exists() && !folder.is_dir() {
            return usage!("--dir {} is not a folder; name another, or one that does not exist yet", folder.display());
        }
        make_folders(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        for (name, page) in pages {
            let path = folder.join(format!("{name}.1"));
            crate::record::replace_file(&path, page.as_bytes())?;
        }
        return Ok(0);
    }
    let wanted: Vec<&str> = matches.get_many::<String>("command").into_iter().flatten().map(String::as_str).collect();
    let name = std::iter::once("lrsched").chain(wanted.iter().copied()).collect::<Vec<_>>().join("-");
    let Some((_, page)) = pages.into_iter().find(|(page, _)| *page == name) else {
        return usage!("no manual page for `{}`; --help lists the commands", shortened(&wanted.join(" ")));
    };
    super::say(&page)?;
    Ok(0)
}

/// The name and text of each page.
fn pages(whole: Command) -> Result<Vec<(String, String)>> {
    let mut whole = whole.disable_help_flag(false);
    whole.build();
    let mut pages = Vec::new();
    add_pages(whole, "lrsched", &mut pages)?;
    Ok(pages)
}

/// The page of a command and those of its own commands: `lrsched-data`, `lrsched-data-fetch`.
fn add_pages(command: Command, name: &str, pages: &mut Vec<(String, String)>) -> Result<()> {
    let own: Vec<Command> = command.get_subcommands().cloned().collect();
    pages.push((name.to_string(), page(command, name)?));
    for command in own.into_iter().filter(|command| name == "lrsched" || command.get_name() != "help") {
        let name = format!("{name}-{}", command.get_name());
        add_pages(command, &name, pages)?;
    }
    Ok(())
}

/// What the last section of every page says: README's table of exit codes in short.
const EXIT_STATUS: &str = "\
.SH \"EXIT STATUS\"
.TP
0
done
.TP
1
something failed: a file, the disk, the network
.TP
2
a usage error; nothing was trained
.TP
3
a comparison finished, but some runs diverged, failed, are missing, or are being trained by another process
.TP
4
the run diverged, or the range test has no rate to suggest; the rows are kept
.TP
128 + N
stopped by signal N: 130 by Ctrl+C, 143 by SIGTERM
.TP
75
stopped by SIGUSR1 or SIGUSR2
";

fn page(mut command: Command, name: &str) -> Result<String> {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    let mut text = Vec::new();
    // clap wants a name for life; there are a dozen of them.
    let name: &'static str = name.to_string().leak();
    // Another page for each of them: `help` has none.
    let command = command.disable_help_subcommand(true).name(name);
    Man::new(command).manual("lrsched manual").render(&mut text)?;
    // What stands behind the options in --help: examples and remarks.
    let text = String::from_utf8(text)?.replace("\n.SH EXTRA\n", "\n.SH NOTES\n");
    Ok(with_usage(&text, &usage) + EXIT_STATUS)
}

/// One line in place of a synopsis that lists every flag, some ninety of `train`.
fn with_usage(page: &str, usage: &str) -> String {
    const SYNOPSIS: &str = "\n.SH SYNOPSIS\n";
    let Some((before, after)) = page.split_once(SYNOPSIS) else { return page.to_string() };
    let after = after.find("\n.SH ").map_or("", |end| &after[end..]);
    format!("{before}{SYNOPSIS}{usage}{after}")
}
