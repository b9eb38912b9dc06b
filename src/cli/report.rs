//! `lrsched report`: an offline page from the files of runs.

use super::next::{self, GoingOn};
use super::{flags, ranking, settings};
use crate::config::settings::BASELINE;
use crate::config::{CommandName, SettingDef};
use crate::number::exact;
use crate::record::files::REPORT_HTML;
use crate::report::export::{ExtraFormats, Form, Report, Shown};
use crate::report::wrap;
use crate::run_folder::{held_shards, is_in_use};
use crate::usage;
use anyhow::{Result, bail};
use clap::{ArgMatches, Command};
use std::path::{Path, absolute};

const OWN: &[SettingDef] = &[
    SettingDef::path(
        "output",
        "FILE",
        "The file to write: the page (.html), the ranking and the curves (.png, .svg, .pdf), or the table (.md, .csv, .json) [default: report.html]",
    ),
    SettingDef::switch("png", "Also write the ranking and the curves as PNG next to the output"),
    SettingDef::switch("svg", "Also write the ranking and the curves as SVG next to the output"),
    SettingDef::switch("pdf", "Also write the ranking and the curves as PDF next to the output"),
    SettingDef::switch("md", "Also write the table and the verdicts as Markdown next to the output"),
    SettingDef::switch("csv", "Also write a CSV with a row per entrant next to the output"),
    SettingDef::switch("long", "Write the CSV in long form: a row per epoch of each run"),
    SettingDef::value(
        "panel",
        "NAME",
        "Draw only this in pictures: ranking, learning_rate, loss, val_loss, accuracy or val_accuracy",
    ),
    SettingDef::value("title", "TEXT", "The title of the report and of its pictures [default: what was compared]"),
    SettingDef::value(
        "target",
        "ACCURACY",
        "Target validation accuracy, such as 0.8: report the steps and time each entrant took to reach it",
    ),
    BASELINE,
];

/// The command line of `lrsched report`.
pub fn command() -> Command {
    let command = Command::new(CommandName::Report.name())
        .about("Write an offline HTML report of runs, comparisons and range tests")
        .after_help("The names of the files go to stdout, the answers of the report to stderr.\n\nExample: lrsched report results/compare-cifar10 -o report.html --target 0.8 --md")
        .arg(flags::folders("Folders of runs, comparisons or range tests, or parents of such folders"));
    settings::with_flags(command, CommandName::Report, OWN).mut_arg("output", |arg| arg.short('o'))
}

/// What the report says first: of groups of runs that can be compared, and of range tests, a line each.
fn answers(report: &Report<'_>, form: Form, output: &Path) -> Vec<String> {
    /// Lines before the rest is left to the report.
    const MOST: usize = 8;
    let mut lines: Vec<String> =
        report.paragraphs().iter().filter_map(|paragraph| paragraph.parts().into_iter().next()).collect();
    if lines.len() > MOST {
        let all = match form {
            Form::Html | Form::Md | Form::Json => format!("all are in {}", output.display()),
            Form::Csv | Form::Png | Form::Svg | Form::Pdf => "-o report.html has all".to_string(),
        };
        let more = format!("and {} more: {all}", lines.len() - MOST);
        lines.truncate(MOST);
        lines.push(more);
    }
    lines
}

/// Runs `lrsched report …` and returns the exit code.
///
/// # Errors
/// Nothing to report on, or a file that cannot be written.
pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let given = flags::gather(&command(), matches);
    let mut seen = Vec::new();
    let mut folders = given.paths("folders").to_vec();
    // The same folder twice is no second one.
    folders.retain(|folder| {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let is_new = !seen.contains(&real);
        seen.push(real);
        is_new
    });
    let folders = folders.as_slice();
    let output = given.path("output").unwrap_or_else(|| REPORT_HTML.into());
    if output.as_os_str() == "-" {
        return usage!("--output must name a file, whose extension is the format, such as ranking.json; got `-`");
    }
    let target = given.parse("target", "an accuracy above 0 and at most 1, such as 0.8")?;
    if let Some(target) = target.filter(|target: &f64| !(*target > 0.0 && *target <= 1.0)) {
        return usage!("--target must be an accuracy above 0 and at most 1, such as 0.8, got {}", exact(target));
    }
    if let [first, ..] = folders
        && !folders.iter().any(|folder| folder.is_dir())
    {
        let what = if first.exists() { "not a folder; give the folder of the run" } else { "no such file or folder" };
        return usage!("{}: {what}", first.display());
    }
    // Reject an invalid extension before reading anything.
    let form = Form::of(&output)?;
    let only: Option<Shown> = given.text("panel").map(str::parse).transpose()?;
    let has = |forms: &[Form], flags: &[&str]| -> Result<bool> {
        let flags = flags.iter().map(|flag| Ok(given.switch(flag)?)).collect::<Result<Vec<bool>>>()?;
        Ok(forms.contains(&form) || flags.contains(&true))
    };
    let by_epoch = given.switch("long")?;
    if by_epoch && !has(&[Form::Csv], &["csv"])? {
        return usage!("--long applies to a CSV; add --csv, or -o FILE.csv");
    }
    if only.is_some() && !has(&[Form::Png, Form::Svg, Form::Pdf], &["png", "svg", "pdf"])? {
        return usage!("--panel is for pictures; add -o FILE.png, FILE.svg or FILE.pdf");
    }
    let loaded = ranking::load(folders);
    super::warn(&loaded.complaints);
    if loaded.runs.is_empty() && loaded.ranges.is_empty() {
        bail!("nothing to report on: no run, comparison or range test could be read");
    }
    let extra = ExtraFormats {
        png: given.switch("png")?,
        svg: given.switch("svg")?,
        pdf: given.switch("pdf")?,
        md: given.switch("md")?,
        csv: given.switch("csv")?,
    };
    let mut report = match (given.text("baseline"), loaded.baseline()) {
        (None, Some(baseline)) => ranking::report(&loaded, folders, target, Some(baseline))?,
        (baseline, _) => Report::of(&loaded, folders, target, baseline)?,
    };
    report.next = next::interrupted(&loaded);
    if report.groups.len() == 1 {
        report.next.extend(match folders {
            // Nobody goes on with what is under way.
            [folder] if !is_in_use(folder) && held_shards(folder).is_empty() => {
                let left = next::unfinished(folder, &loaded).into_iter();
                left.chain(next::after_all(&report.groups, folder, &loaded)).collect()
            }
            _ => next::after(&report.groups, &GoingOn::default()),
        });
    }
    (report.only, report.by_epoch) = (only, by_epoch);
    if let Some(title) = given.text("title") {
        report = report.called(title);
    }
    let written = report.write(&output, extra)?;
    if !quiet {
        // To stderr, for stdout is the list of files.
        let width = settings::message_width();
        answers(&report, form, &output)
            .iter()
            .flat_map(|line| wrap::words(line, width))
            .for_each(|line| super::tell(&line));
        for step in report.next.iter().filter(|step| step.purpose.is_rest()) {
            super::tell(&format!("{}:  {}", step.words(), step.line));
        }
        for file in written {
            // Where that is, if nobody has said it.
            let whole = Some(&file).filter(|_| given.path("output").is_none()).and_then(|file| absolute(file).ok());
            out!("{}", whole.unwrap_or(file).display());
        }
    }
    Ok(0)
}
