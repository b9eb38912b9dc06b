//! The report as one self-contained HTML file.

mod curves;
mod entrants;
mod multiples;
mod ranking;
mod runs;
mod trials;

use super::analysis::{Analysis, Group};
use super::chart::{Figure, MOST_LINES, Ranking};
use super::escape::escape;
use super::load::{Loaded, LoadedRun};
use super::next::{self, NextStep};
use super::summary::{Paragraph, Subject};
use super::table::UNKNOWN;
use super::trials::Trials;
use super::tuning::{Tuning, peak};
use crate::record::Status;
use crate::stats::suggest::Combined;
use crate::stats::verdict::Standing;
use crate::usage::capitalised;
use serde_json::json;
use std::fmt::Write as _;

pub use curves::numbers;

/// The contents of the page.
pub struct Page<'a> {
    pub title: &'a str,
    /// See [`super::export::Report::summary`].
    pub summary: &'a [Paragraph],
    /// The source folders, the date and the version.
    pub origin: &'a str,
    pub loaded: &'a Loaded,
    pub groups: &'a [Group<'a>],
    /// The suggestions of each range test.
    pub suggestions: &'a [Vec<Combined>],
    pub ranking: &'a Ranking,
    pub trials: &'a Trials,
    /// The mean curves of all entrants, in the order of the groups.
    pub figure: &'a Figure,
    /// The rates of the parameter groups.
    pub group_rates: Option<&'a Figure>,
    pub next: &'a [NextStep],
    pub target: Option<f64>,
}

impl Page<'_> {
    /// The whole file.
    pub fn html(&self) -> String {
        let charts = curves::charts(self);
        let figures = |section: curves::Section| -> String {
            charts.iter().filter(|chart| section.has(chart)).map(curves::figure_html).collect()
        };
        let names: Vec<&str> = self.analyses().map(|analysis| analysis.unique.as_str()).collect();
        // A `</script>` in a name must not end the element.
        let data =
            json!({ "entrants": names, "shown": MOST_LINES, "charts": charts }).to_string().replace('<', "\\u003c");
        let mut body = String::new();
        if !self.groups.is_empty() {
            let tables: String = self.groups.iter().map(|group| entrants::html(group, self.target)).collect();
            let _ = write!(
                body,
                "<section><h2>Curves</h2><p class=soft>{means}Hover over a line \
                 for its values; click a line or its name to hide it.{}</p><div id=legend role=group aria-label=Entrants></div>\
                 <div class=charts>{}</div></section>\n{each}<section><h2>Entrants</h2>{tables}{notes}</section>\n",
                self.left_out(),
                figures(curves::Section::Curves),
                means = match self.figure.has_bands() {
                    true => "Means over seeds or studies, with bands of ± one standard deviation. ",
                    false => "",
                },
                each = multiples::html(self.figure),
                notes = entrants::notes(self.groups),
            );
        }
        if !self.loaded.ranges.is_empty() {
            let tests = || self.loaded.ranges.iter().zip(self.suggestions);
            // The page begins with it.
            let is_said = self.loaded.runs.is_empty() && self.loaded.ranges.len() == 1;
            let answers: String = tests().map(|(tests, said)| tests.answer_html(said, is_said)).collect();
            let tables: String = tests().map(|(tests, said)| tests.html(said)).collect();
            let _ = writeln!(
                body,
                "<section><h2>Range tests</h2>{answers}<div class=charts>{}</div>{tables}</section>",
                figures(curves::Section::RangeTests)
            );
        }
        if !self.loaded.runs.is_empty() {
            let _ = writeln!(body, "<section><h2>Runs</h2>{}</section>", runs::html(self));
        }
        format!(
            "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
             <meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
             img-src data:\">\n<link rel=icon href=\"data:,\">\n<title>{title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n\
             <header><div><h1>{title}</h1><p class=soft>{origin}</p></div><button id=theme type=button>Light / dark</button></header>\n\
             <main>\n{summary}{next}{ranking}{trials}{notes}{body}</main>\n\
             <script type=\"application/json\" id=data>{data}</script>\n<script>\n{js}</script>\n</body>\n</html>\n",
            title = escape(self.title),
            origin = escape(self.origin),
            summary = self.said(),
            next = next::html(self.next),
            ranking = if self.ranking.is_empty() { String::new() } else { ranking::html(self.ranking) },
            trials = trials::html(self.trials),
            notes = self.notes(),
            css = include_str!("assets/report.css"),
            js = include_str!("assets/report.js"),
        )
    }

    /// The summary: which is best, and what else there is to say of it.
    fn said(&self) -> String {
        let said = |paragraph: &Paragraph| match paragraph.of {
            Subject::Group(place) => of_group(&self.groups[place], paragraph),
            Subject::RangeTest => {
                let rest = escape(&paragraph.rest.join(" "));
                format!("<p class=best>{}<b>{}</b></p>\n<p>{rest}</p>\n", about(paragraph), escape(&paragraph.answer))
            }
            Subject::Note => format!("<p class=best>{}</p>\n", escape(&paragraph.answer)),
        };
        self.summary.iter().map(said).collect()
    }

    fn analyses(&self) -> impl Iterator<Item = &Analysis<'_>> {
        self.groups.iter().flat_map(|group| &group.analyses)
    }

    /// Which entrants the page begins with, if it does not show all.
    fn left_out(&self) -> String {
        let count = self.analyses().count();
        if count <= MOST_LINES {
            return String::new();
        }
        format!(
            " The best {MOST_LINES} of {count} entrants are shown at first; click a name to show another, and scroll the names for the rest."
        )
    }

    /// Files that could not be read, and caveats.
    fn notes(&self) -> String {
        let mut notes: Vec<String> = Vec::new();
        let unfinished = |run: &&LoadedRun| !matches!(run.row.status, Status::Finished | Status::Diverged);
        let unfinished = self.loaded.runs.iter().filter(unfinished).count();
        if unfinished > 0 {
            let count = self.loaded.runs.len();
            notes.push(match (unfinished, count) {
                (1, 1) => "The run has not finished (see its status).".into(),
                (1, _) => {
                    format!("1 of {count} runs has not finished (see its status) and is excluded from the means.")
                }
                _ => format!(
                    "{unfinished} of {count} runs have not finished (see their status) and are excluded from the means."
                ),
            });
        }
        notes.extend(self.loaded.complaints.iter().cloned());
        if notes.is_empty() {
            return String::new();
        }
        let items: String = notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
        format!("<div class=notes role=note><ul>{items}</ul></div>\n")
    }
}

/// What tells the subject of a paragraph from others.
fn about(paragraph: &Paragraph) -> String {
    match paragraph.about.as_str() {
        "" => String::new(),
        about => format!("{}: ", escape(about)),
    }
}

/// What is said of a group: a headline that names the leader, and what that leaves to say.
fn of_group(group: &Group<'_>, paragraph: &Paragraph) -> String {
    let (about, answer) = (about(paragraph), &paragraph.answer);
    let first = match pick(group) {
        Some(pick) => format!("<p class=pick>{about}{pick}</p>\n<p class=best>{}</p>\n", escape(&group.below)),
        // That nothing can be ranked is the rest.
        None if answer.is_empty() => String::new(),
        None => format!("<p class=best>{about}<b>{}</b></p>\n", escape(answer)),
    };
    let items: String = paragraph.rest.iter().map(|said| format!("<li>{}</li>", escape(said))).collect();
    let rest = match items.as_str() {
        "" => String::new(),
        _ if first.is_empty() => format!("<p class=best>{about}{}</p>\n", escape(&paragraph.rest.join(" "))),
        items => format!("<ul class=said>{items}</ul>\n"),
    };
    first + &rest
}

/// Which entrant, at which rate, and whether that is claimed; `None` if nothing is known yet.
fn pick(group: &Group<'_>) -> Option<String> {
    let leader = group.analyses.first().filter(|first| first.standing != Standing::NoResult)?;
    let claim = match leader.standing {
        _ if group.analyses.len() == 1 => capitalised(&group.only),
        Standing::Winner => "Winner".to_string(),
        _ if !group.is_judged => format!("{}, without a claim", capitalised(group.leads)),
        _ => format!("{}, but no proven winner", capitalised(group.leads)),
    };
    let rate = match leader.entrant.short_rate_text() {
        _ if !leader.entrant.rate.is_finite() => String::new(),
        rate => format!(" at peak rate <b>{}</b>", escape(&rate)),
    };
    let within = leader.entrant.tuning.as_ref().and_then(Tuning::within_a_point).filter(|(low, high)| low < high);
    let within = within.map_or(String::new(), |(low, high)| {
        format!(" <small>(within one point: {} to {})</small>", peak(low), peak(high))
    });
    Some(format!("{claim}: <b>{}</b>{rate}{within}", escape(&leader.short)))
}

pub fn table(caption: &str, heads: &[&str], rows: &str) -> String {
    let words =
        |head: &&str| ["entrant", "stage", "verdict", "status", "folder", "command", "method", "why"].contains(head);
    let heads: String = heads
        .iter()
        .map(|head| format!("<th scope=col{}>{}</th>", if words(head) { " class=w" } else { "" }, escape(head)))
        .collect();
    format!(
        "<div class=scroll><table class=sortable><caption>{caption}</caption><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
    )
}

/// A command line to paste.
pub fn command(line: &str) -> String {
    format!("<div class=command><button class=copy type=button>Copy</button><code>{}</code></div>", escape(line))
}

/// A table cell that sorts by `value`.
pub fn number_cell(value: Option<f64>, text: String) -> String {
    format!("<td data-v=\"{}\">{}</td>", value.map_or(String::new(), |value| value.to_string()), escape(&text))
}

/// A status in words; `finished`: nothing is left to tell.
fn status_cell(status: &str, finished: bool) -> String {
    let class = if finished { "status" } else { "status other" };
    format!("<td class=w><span class=\"{class}\">{}</span></td>", escape(status))
}
