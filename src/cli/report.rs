//! `lrsched report`: one page from the files of runs.

use crate::record::{now, replace_file};
use crate::report::analysis::analyse;
use crate::report::html::{Page, summary};
use crate::report::{comparison, export, load};
use crate::usage;
use anyhow::{Result, bail};
use clap::{Args as _, FromArgMatches as _};
use std::path::{Path, PathBuf};

/// The command line of `lrsched report`.
pub fn command() -> clap::Command {
    let command =
        clap::Command::new("report").about("Make one offline page of runs, comparisons and range tests; never trains");
    Args::augment_args(command)
        .after_help("Example: lrsched report results/compare-cifar10 -o report.html --target 0.8 --md")
}

#[derive(Debug, clap::Args)]
struct Args {
    /// Folders of runs, comparisons or range tests, or folders that hold such
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The page to write
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Also write the curves as a PNG beside the page
    #[arg(long)]
    png: bool,
    /// Also write the curves as an SVG beside the page
    #[arg(long)]
    svg: bool,
    /// Also write the table and the verdicts as Markdown beside the page
    #[arg(long)]
    md: bool,
    /// Also write one CSV row an entrant beside the page
    #[arg(long)]
    csv: bool,
    /// A validation accuracy, such as 0.8: how many steps and how long each entrant took to it
    #[arg(long, value_name = "ACCURACY")]
    target: Option<f64>,
}

/// Runs `lrsched report …` and gives the exit code.
///
/// # Errors
/// Nothing to report on, or a file that cannot be written.
pub fn run(matches: &clap::ArgMatches, quiet: bool) -> Result<u8> {
    let args = Args::from_arg_matches(matches)?;
    if let Some(target) = args.target.filter(|target| !(*target > 0.0 && *target <= 1.0)) {
        return usage!("--target is an accuracy above 0 and up to 1, such as 0.8, got {target}");
    }
    let loaded = load::load(&args.folders);
    loaded.complaints.iter().for_each(|complaint| eprintln!("warning: {complaint}"));
    if loaded.runs.is_empty() && loaded.ranges.is_empty() {
        bail!("nothing to report on: no run, comparison or range test could be read");
    }
    let metrics = loaded.metrics();
    let analyses = analyse(&loaded.entrants(), &metrics, args.target);
    let folders: Vec<String> = args.folders.iter().map(|folder| folder.display().to_string()).collect();
    let title = Some(loaded.title()).filter(|title| !title.is_empty()).unwrap_or_else(|| folders.join(", "));
    let summary = summary(&analyses);
    let figure = comparison::figure(&loaded.entrants(), &metrics, &title);
    let origin = format!("{}; made {} by lrsched {}", folders.join(", "), now(), env!("CARGO_PKG_VERSION"));
    let page = Page {
        title: &title,
        summary: &summary,
        origin: &origin,
        loaded: &loaded,
        analyses: &analyses,
        figure: &figure,
        target: args.target,
    };
    let told = |path: &Path| -> Result<()> {
        if !quiet {
            out!("{}", path.display());
        }
        Ok(())
    };
    replace_file(&args.output, page.html().as_bytes())?;
    told(&args.output)?;
    let beside = |extension: &str| args.output.with_extension(extension);
    if args.png {
        figure.write_png(&beside("png"))?;
        told(&beside("png"))?;
    }
    if args.svg {
        figure.write_svg(&beside("svg"))?;
        told(&beside("svg"))?;
    }
    if args.md {
        replace_file(&beside("md"), export::markdown(&title, &summary, &analyses).as_bytes())?;
        told(&beside("md"))?;
    }
    if args.csv {
        replace_file(&beside("csv"), &export::csv(&analyses)?)?;
        told(&beside("csv"))?;
    }
    Ok(0)
}
