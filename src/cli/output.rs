//! The output of commands that draw or print: its file, its format, and its width on a terminal.

use super::settings;
use crate::config::Given;
use crate::record::{check_outputs, ending, replace_file};
use crate::report::chart::Figure;
use crate::report::table::UNLIMITED;
use crate::report::wrap;
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use anyhow::Result;
use clap::Command;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// `-o FILE`.
pub fn with_flag(command: Command) -> Command {
    command.arg(
        clap::Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FILE")
            .value_parser(clap::value_parser!(std::ffi::OsString))
            .help("Write to this file (atomically); `-` is stdout, as without it"),
    )
}

/// The file of `-o`; `None` is stdout.
///
/// # Errors
/// Writing it would overwrite a file of a run, or one that the command has `read`; no file can be written there.
pub fn file(given: &Given, read: &[PathBuf]) -> Result<Option<PathBuf>, Usage> {
    // Opened anew, a file that stdout was sent to would be written from its beginning.
    let is_stdout = |file: &PathBuf| ["-", "/dev/stdout", "/dev/fd/1"].iter().any(|name| file.as_os_str() == *name);
    let file = given.path("output").filter(|file| !is_stdout(file));
    check_outputs(file.as_slice(), read)?;
    Ok(file)
}

/// `--format`, else the extension of the output, else `chart`; `.txt` or no extension is a text chart.
pub fn format<'a>(given: &Given, known: &[&'a str]) -> Result<&'a str, Usage> {
    format_of(given, given.text("format"), known)
}

/// The same with what was asked for, by `--format` or `--json`.
pub fn format_of<'a>(given: &Given, asked: Option<&str>, known: &[&'a str]) -> Result<&'a str, Usage> {
    let ending = given.path("output").and_then(|file| ending(&file, known)).filter(|ending| ending != "txt");
    if let (Some(format), Some(ending)) = (asked, &ending)
        && known.contains(&ending.as_str())
        && known.contains(&format)
        && ending != format
    {
        return usage!(
            "--{} contradicts the name of the output, which ends in .{ending}; drop it, or rename the output",
            if given.text("format").is_some() { format!("format {format}") } else { format.to_string() }
        );
    }
    let wanted = asked.map(str::to_string).or(ending);
    if wanted.as_deref() == Some("png") && given.path("output").is_none() && std::io::stdout().is_terminal() {
        return usage!("format png is no text for a terminal; give it a file: -o NAME.png");
    }
    match wanted {
        None => Ok("chart"),
        Some(wanted) => match known.iter().find(|name| **name == wanted) {
            Some(name) => Ok(name),
            None => {
                let (hint, wanted) = (did_you_mean(&wanted, known.iter().copied()), shortened(&wanted));
                usage!("format must be one of {}, got `{wanted}`{hint}", known.join(", "))
            }
        },
    }
}

/// Writes to the file, or to stdout; a closed pipe (`| head`) is not an error.
pub fn emit(output: Option<&Path>, bytes: &[u8]) -> Result<u8> {
    match output {
        Some(path) => replace_file(path, bytes)?,
        None => match std::io::stdout().lock().write_all(bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(anyhow::Error::new(error).context("cannot write to stdout"));
            }
            _ => {}
        },
    }
    Ok(0)
}

/// Sentences, as wide as the terminal if they go to one.
pub fn sentences(text: &str, output: Option<&Path>) -> String {
    if output.is_none() { settings::sentences(text) } else { wrap::lines(text, UNLIMITED) }
}

/// A chart as text, as wide as the terminal if it goes to one.
pub fn terminal(figure: &Figure, output: Option<&Path>) -> String {
    let colour = output.is_none() && console::colors_enabled();
    let mut text = figure.terminal(settings::chart_width(), 16, colour);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
