//! `lrsched report`: an offline page from the files of runs.

use crate::report::export::{self, ExtraFormats, Form};
use crate::report::load::load;
use crate::usage;
use anyhow::{Result, bail};
use clap::{Args as _, FromArgMatches as _};
use std::path::PathBuf;

/// The command line of `lrsched report`.
pub fn command() -> clap::Command {
    let command =
        clap::Command::new("report").about("Write an offline HTML report of runs, comparisons and range tests");
    Args::augment_args(command)
        .after_help("Example: lrsched report results/compare-cifar10 -o report.html --target 0.8 --md")
}

#[derive(Debug, clap::Args)]
struct Args {
    /// Folders of runs, comparisons or range tests, or parents of such folders
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The file to write: the page (.html), the curves (.png, .svg), or the table (.md, .csv)
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Also write the curves as PNG next to the output
    #[arg(long)]
    png: bool,
    /// Also write the curves as SVG next to the output
    #[arg(long)]
    svg: bool,
    /// Also write the table and the verdicts as Markdown next to the output
    #[arg(long)]
    md: bool,
    /// Also write a CSV with a row per entrant next to the output
    #[arg(long)]
    csv: bool,
    /// Target validation accuracy, such as 0.8: report the steps and time each entrant took to reach it
    #[arg(long, value_name = "ACCURACY")]
    target: Option<f64>,
}

/// Runs `lrsched report …` and returns the exit code.
///
/// # Errors
/// Nothing to report on, or a file that cannot be written.
pub fn run(matches: &clap::ArgMatches, quiet: bool) -> Result<u8> {
    let args = Args::from_arg_matches(matches)?;
    if let Some(target) = args.target.filter(|target| !(*target > 0.0 && *target <= 1.0)) {
        return usage!("--target must be an accuracy above 0 and at most 1, such as 0.8, got {target}");
    }
    if let [first, ..] = &args.folders[..]
        && !args.folders.iter().any(|folder| folder.is_dir())
    {
        let what = if first.exists() { "not a folder; give the folder of the run" } else { "no such file or folder" };
        return usage!("{}: {what}", first.display());
    }
    // Reject an invalid extension before reading anything.
    Form::of(&args.output)?;
    let loaded = load(&args.folders);
    super::warn(&loaded.complaints);
    if loaded.runs.is_empty() && loaded.ranges.is_empty() {
        bail!("nothing to report on: no run, comparison or range test could be read");
    }
    let extra = ExtraFormats { png: args.png, svg: args.svg, md: args.md, csv: args.csv };
    let written = export::write(&loaded, &args.folders, &args.output, extra, args.target)?;
    if !quiet {
        for file in written {
            out!("{}", file.display());
        }
    }
    Ok(0)
}
