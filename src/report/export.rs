//! Writes the files of a report: the output in the format of its extension, and further formats next to it.

mod epochs;
mod form;
mod markdown;
mod rows;

pub use form::{ExtraFormats, Form, Shown};
pub use rows::ranking;

use super::analysis::{Asked, Group, analyse};
use super::chart::{Figure, Ranking, Stack};
use super::comparison;
use super::html::Page;
use super::load::Loaded;
use super::next::{self, NextStep};
use super::range::{self, RangeTests};
use super::summary::{self, Paragraph};
use super::trials::Trials;
use crate::record::{check_outputs, now, replace_file};
use crate::stats::suggest::Combined;
use crate::usage;
use crate::usage::Usage;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What to know of the verdicts on a comparison under way.
const AS_PLANNED: &str = "No claim is made before all are: verdicts hold for the comparison as planned, and whoever looks again and again finds more false winners.";

/// The size of a picture of one panel, in CSS pixels.
const PANEL: (u32, u32) = (900, 560);

/// A report on what was found, worked out once for all its formats.
pub struct Report<'a> {
    loaded: &'a Loaded,
    title: String,
    /// The source folders, the date and the version.
    origin: String,
    /// The entrants that can be compared with each other, the largest group first.
    pub groups: Vec<Group<'a>>,
    /// How far it is, and a paragraph for each group, with a line before the first if there are several.
    pub summary: Vec<Paragraph>,
    /// The ranking, as pictures show it.
    pub ranking: Ranking,
    /// What was tried, if several rates were.
    pub trials: Trials,
    /// The curves of all entrants, the best first.
    pub figure: Figure,
    /// The rates of the parameter groups, if any run has some.
    pub group_rates: Option<Figure>,
    /// What to do next.
    pub next: Vec<NextStep>,
    /// The suggestions of each range test.
    suggestions: Vec<Vec<Combined>>,
    target: Option<f64>,
    /// Pictures show only this.
    pub only: Option<Shown>,
    /// The CSV has a row per epoch of each run instead of one per entrant.
    pub by_epoch: bool,
}

impl<'a> Report<'a> {
    /// `folders` are the sources of `loaded`, named at the top of the page; `target` is the validation accuracy to which
    /// steps and time are measured, `baseline` the name of the entrant that others are compared with.
    ///
    /// # Errors
    /// No entrant has the name of the baseline, or several have.
    pub fn of(
        loaded: &'a Loaded,
        folders: &[PathBuf],
        target: Option<f64>,
        baseline: Option<&str>,
    ) -> Result<Self, Usage> {
        let metrics = loaded.metrics();
        let entrants = loaded.entrants();
        let groups = analyse(&entrants, &metrics, &Asked { target, baseline })?;
        let folders = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        let title = loaded.title().unwrap_or_else(|| folders.clone());
        let suggestions: Vec<Vec<Combined>> = loaded.ranges.iter().map(RangeTests::suggestions).collect();
        let mut figure = comparison::figure(&entrants, &metrics, &loaded.known(), &title);
        comparison::mark_changes(&mut figure, &entrants, &loaded.changes(), &metrics);
        let origin = format!("{folders}; made {} by lrsched {}", now(), env!("CARGO_PKG_VERSION"));
        let summary: Vec<Paragraph> = loaded
            .progress()
            .map(|so_far| Paragraph::note(format!("{so_far} {AS_PLANNED}")))
            .into_iter()
            .chain(summary::of(&groups))
            .collect();
        let ranking = super::ranking::of(&groups, &title);
        let trials = super::trials::of(&groups);
        let group_rates = super::group_rates::figure(&entrants, &loaded.group_rates());
        let next = Vec::new();
        let mut report = Self {
            loaded,
            title,
            origin,
            groups,
            summary,
            ranking,
            trials,
            figure,
            group_rates,
            next,
            suggestions,
            target,
            only: None,
            by_epoch: false,
        };
        if report.is_of_range_tests() {
            report.summary = range::summary(&loaded.ranges, &report.suggestions);
        }
        Ok(report)
    }

    /// What there is to say of the runs, and of the range tests beside them.
    pub fn paragraphs(&self) -> Vec<Paragraph> {
        let tests = match self.is_of_range_tests() {
            true => Vec::new(),
            false => range::summary(&self.loaded.ranges, &self.suggestions),
        };
        self.summary.iter().cloned().chain(tests).collect()
    }

    /// Calls it, and its pictures, by another title.
    #[must_use]
    pub fn called(self, title: &str) -> Self {
        let figure = Figure { title: title.to_string(), ..self.figure };
        Self { title: title.to_string(), figure, ..self }
    }

    /// `title`, how far the comparison is, and whether the accuracies below it are of images that test too.
    pub fn titled(&self, title: &str) -> String {
        let on_test = self.loaded.runs.iter().any(|run| run.validated_on_test());
        let so_far = self.loaded.unfinished().map(|plan| format!(", {} so far", plan.progress())).unwrap_or_default();
        format!("{title}{so_far}{}", if on_test { ", validated on the test images" } else { "" })
    }

    /// Without runs, the report is about the range tests.
    fn is_of_range_tests(&self) -> bool {
        self.loaded.runs.is_empty() && !self.loaded.ranges.is_empty()
    }

    /// One picture of all, the ranking, what was tried and the curves, or of the only one that is asked for.
    ///
    /// # Errors
    /// It is asked for, and there is none.
    fn picture(&self) -> Result<Stack, Usage> {
        let mut picture = Stack::default();
        if let Some(shown) = self.only {
            return self.only_picture(shown);
        }
        if self.is_of_range_tests() {
            for (tests, said) in self.loaded.ranges.iter().zip(&self.suggestions) {
                let title = if self.loaded.ranges.len() == 1 { self.title.clone() } else { tests.title() };
                picture.figure(&tests.figure(said, &title));
            }
            return Ok(picture);
        }
        picture.ranking(&Ranking { title: self.titled(&self.title), ..self.ranking.clone() });
        self.trials.draw(&mut picture);
        picture.figure(&Figure { title: "Curves".into(), ..comparison::picture(&self.figure) });
        self.group_rates.iter().for_each(|figure| picture.figure(figure));
        Ok(picture)
    }

    fn only_picture(&self, shown: Shown) -> Result<Stack, Usage> {
        let mut picture = Stack::default();
        let panel = match shown {
            Shown::Ranking if self.loaded.runs.is_empty() => None,
            Shown::Ranking => {
                picture.ranking(&Ranking { title: self.titled(&self.title), ..self.ranking.clone() });
                return Ok(picture);
            }
            Shown::Panel(quantity) => {
                let figure = comparison::picture(&self.figure);
                figure.panels.into_iter().find(|panel| panel.quantity == Some(quantity))
            }
        };
        let Some(panel) = panel else {
            return usage!("--panel {}: no run has it; `lrsched report --help` lists the panels", shown.name());
        };
        // The panel's own title says what the title of the reader need not.
        let title = self.titled(&self.title);
        picture.figure(&Figure { title, panels: vec![panel], size: PANEL });
        Ok(picture)
    }

    /// Writes `output` in the format of its extension, and the formats in `extra` next to it, each file atomically.
    /// Returns the files written.
    ///
    /// # Errors
    /// A file cannot be written, or would overwrite one that was read; the message names it.
    pub fn write(&self, output: &Path, extra: ExtraFormats) -> anyhow::Result<Vec<PathBuf>> {
        let files = form::files(output, extra)?;
        let written: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        check_outputs(&written, &self.loaded.files)?;
        if let Some((path, _)) = files.iter().find(|(_, form)| *form == Form::Csv && self.is_of_range_tests()) {
            return usage!(
                "{}: a table has a row for each entrant, and there is no run here, only range tests; write html, md, json, png, svg or pdf",
                path.display()
            );
        }
        for (path, form) in &files {
            let bytes = match form {
                Form::Html => self.page().html().into_bytes(),
                Form::Png => self.picture()?.png()?,
                Form::Svg => self.picture()?.svg()?.into_bytes(),
                Form::Pdf => self.picture()?.pdf()?,
                Form::Md => {
                    let ranges = self.loaded.ranges.iter().zip(&self.suggestions);
                    let ranges = ranges
                        .map(|(tests, said)| format!("\n{}", range::markdown(tests, said, self.is_of_range_tests())));
                    (markdown::of(&self.title, &self.summary, &self.groups, self.target)
                        + &next::markdown(&self.next)
                        + &ranges.collect::<String>())
                        .into_bytes()
                }
                Form::Csv if self.by_epoch => epochs::csv(self.loaded)?,
                Form::Csv => rows::csv(&self.groups)?,
                Form::Json => self.json(),
            };
            replace_file(path, &bytes)?;
        }
        Ok(written)
    }

    /// What the ranking event of `compare --json` has, with what the report says of it.
    fn json(&self) -> Vec<u8> {
        let summary: Vec<String> = self.summary.iter().flat_map(Paragraph::parts).collect();
        let mut report = json!({ "title": self.title, "summary": summary, "entrants": ranking(&self.groups) });
        if !self.loaded.ranges.is_empty() {
            let tests = self.loaded.ranges.iter().zip(&self.suggestions);
            report["range_tests"] = tests.map(|(tests, said)| range::json(tests, said)).collect();
        }
        format!("{report:#}\n").into_bytes()
    }

    fn page(&self) -> Page<'_> {
        Page {
            title: &self.title,
            summary: &self.summary,
            origin: &self.origin,
            loaded: self.loaded,
            groups: &self.groups,
            suggestions: &self.suggestions,
            ranking: &self.ranking,
            trials: &self.trials,
            figure: &self.figure,
            group_rates: self.group_rates.as_ref(),
            next: &self.next,
            target: self.target,
        }
    }
}
