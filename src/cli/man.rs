//! `lrsched man`: manual pages, from the same descriptions as `--help`.

use crate::usage;
use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_mangen::Man;
use std::ffi::OsString;
use std::path::Path;

pub fn command() -> Command {
    Command::new("man")
        .about("Print a manual page, or write all of them into a folder")
        .arg(
            Arg::new("command").value_name("COMMAND").help("The command whose page to print [default: lrsched itself]"),
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
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for (name, page) in pages {
            let path = folder.join(format!("{name}.1"));
            crate::record::replace_file(&path, page.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        return Ok(0);
    }
    let wanted = matches.get_one::<String>("command");
    let name = wanted.map_or("lrsched".to_string(), |command| format!("lrsched-{command}"));
    let Some((_, page)) = pages.into_iter().find(|(page, _)| *page == name) else {
        return usage!("no manual page for `{}`; --help lists the commands", wanted.map_or("", String::as_str));
    };
    super::say(&page)?;
    Ok(0)
}

/// The name and text of each page.
fn pages(whole: Command) -> Result<Vec<(String, String)>> {
    let mut whole = whole.disable_help_flag(false);
    whole.build();
    let commands: Vec<Command> = whole.get_subcommands().cloned().collect();
    let mut pages = vec![("lrsched".to_string(), page(whole, "lrsched")?)];
    for command in commands {
        let name = format!("lrsched-{}", command.get_name());
        pages.push((name.clone(), page(command, &name)?));
    }
    Ok(pages)
}

fn page(command: Command, name: &str) -> Result<String> {
    let mut text = Vec::new();
    // clap wants a name for life; there are a dozen of them.
    let name: &'static str = name.to_string().leak();
    Man::new(command.name(name)).manual("lrsched manual").render(&mut text)?;
    Ok(String::from_utf8(text)?)
}
