//! What a report can be written as: the format of each file, and the one thing that a picture may show.

use super::super::chart::Quantity;
use crate::record::ending;
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The format of a report file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The page.
    Html,
    /// The ranking and the curves.
    Png,
    /// The ranking and the curves.
    Svg,
    /// The table and the verdicts.
    Md,
    /// The ranking and the curves.
    Pdf,
    /// One row per entrant, or per epoch of each run.
    Csv,
    /// The ranking and what it says, for programs.
    Json,
}

impl Form {
    /// The format given by the extension of the output; HTML without one.
    ///
    /// # Errors
    /// Any other extension.
    pub fn of(output: &Path) -> Result<Self, Usage> {
        const ENDINGS: [&str; 7] = ["html", "png", "svg", "pdf", "md", "csv", "json"];
        match ending(output, &ENDINGS).as_deref() {
            None | Some("html" | "htm") => Ok(Form::Html),
            Some("png") => Ok(Form::Png),
            Some("svg") => Ok(Form::Svg),
            Some("md") => Ok(Form::Md),
            Some("pdf") => Ok(Form::Pdf),
            Some("csv") => Ok(Form::Csv),
            Some("json") => Ok(Form::Json),
            Some(ending) => {
                let hint = did_you_mean(ending, ENDINGS);
                let name = output.display().to_string();
                usage!(
                    "--output must end in .html, .png, .svg, .pdf, .md, .csv or .json, got `{}`{hint}",
                    shortened(&name)
                )
            }
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Form::Html => "html",
            Form::Png => "png",
            Form::Svg => "svg",
            Form::Md => "md",
            Form::Pdf => "pdf",
            Form::Csv => "csv",
            Form::Json => "json",
        }
    }
}

/// Further formats, written next to the output under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtraFormats {
    /// The ranking and the curves.
    pub png: bool,
    /// The ranking and the curves.
    pub svg: bool,
    /// The ranking and the curves.
    pub pdf: bool,
    /// The table and the verdicts.
    pub md: bool,
    /// One row per entrant, or per epoch of each run.
    pub csv: bool,
}

/// The files to write, the output first, without duplicates.
pub(super) fn files(output: &Path, extra: ExtraFormats) -> Result<Vec<(PathBuf, Form)>, Usage> {
    let form = Form::of(output)?;
    let wanted = [
        (extra.png, Form::Png),
        (extra.svg, Form::Svg),
        (extra.pdf, Form::Pdf),
        (extra.md, Form::Md),
        (extra.csv, Form::Csv),
    ];
    let more = wanted.into_iter().filter(|(wanted, other)| *wanted && *other != form);
    let more = more.map(|(_, form)| (output.with_extension(form.ending()), form));
    Ok(std::iter::once((output.to_path_buf(), form)).chain(more).collect())
}

/// The one thing that a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Ranking,
    Panel(Quantity),
}

impl Shown {
    fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Ranking).chain(Quantity::OF_COMPARISON.map(Self::Panel))
    }

    /// The names there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::all().map(Self::name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ranking => "ranking",
            Self::Panel(quantity) => quantity.column(),
        }
    }
}

impl FromStr for Shown {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match Self::all().find(|shown| shown.name() == text) {
            Some(shown) => Ok(shown),
            None => {
                let names: Vec<&str> = Self::names().collect();
                let hint = did_you_mean(text, Self::names());
                usage!("no panel `{}`{hint} (panels: {})", shortened(text), names.join(", "))
            }
        }
    }
}
