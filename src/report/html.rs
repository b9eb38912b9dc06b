//! The report as one self-contained HTML file.

mod ranking;
mod runs;
mod trials;

use super::analysis::{Analysis, Group, Target};
use super::chart::{Figure, MOST_LINES, Mark, Panel, Ranking, Series};
use super::entrants::{EntrantRuns, Summary};
use super::escape::escape;
use super::load::{Loaded, LoadedRun};
use super::range;
use super::table::{duration, percent};
use super::trials::Trials;
use crate::number::{rate, rounded, significant};
use crate::record::Status;
use crate::stats::suggest::Combined;
use crate::stats::verdict::{CHANCE, Difference};
use serde_json::{Value, json};
use std::fmt::Write as _;

const UNKNOWN: &str = "–";

/// Below the tables of entrants.
fn entrants_notes() -> String {
    format!(
        "<p class=soft>Means ± standard deviations over the seeds, in percent. Validation and test accuracy are of the weights after the last \
         epoch; a run that diverged counts as chance, {chance:.0} %. The highest validation accuracy of any epoch is of other weights, which were \
         not tested. Lr: the highest rate that was applied. Choices use validation images; test images are evaluated once, at the end. Gap: \
         training − validation accuracy. Area: the mean validation accuracy over the epochs.</p>\
         <p class=soft>Verdicts, each at 95 % for any number of entrants: the <b>winner</b> beats every other by the paired t-test. One entrant \
         <b>beats</b> another if their difference stands out among those of all pairs (Holm). <b>Ruled out</b>: the best is one of the others \
         (t-test, Bonferroni). That is said of all that remain together: of many equals, some are ruled out. No claim is made from fewer than \
         three seeds.</p><p class=soft>Leader ahead on: the seeds on which the leader is ahead, and the 95 % limits of the probability that it is \
         on a new one (Clopper and Pearson; five of five leave room for 48 %). These are of one pair by itself, and too favourable to a leader, \
         which was chosen because it is ahead. All of this is about other seeds, not about other images: another validation set may move \
         accuracies by some tenths of a point.</p>",
        chance = CHANCE * 100.0
    )
}

/// The contents of the page.
pub struct Page<'a> {
    pub title: &'a str,
    /// See [`super::export::Report::summary`].
    pub summary: &'a [String],
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
    pub target: Option<f64>,
}

impl Page<'_> {
    /// The whole file.
    pub fn html(&self) -> String {
        let charts = self.charts();
        let figures = |shared: bool| -> String {
            charts.iter().filter(|chart| chart["shared"] == json!(shared)).map(figure_html).collect()
        };
        let names: Vec<&str> = self.analyses().map(|analysis| analysis.unique.as_str()).collect();
        // A `</script>` in a name must not end the element.
        let data =
            json!({ "entrants": names, "shown": MOST_LINES, "charts": charts }).to_string().replace('<', "\\u003c");
        let mut body = String::new();
        if !self.groups.is_empty() {
            let tables: String = self.groups.iter().map(|group| self.entrants_table(group)).collect();
            let _ = write!(
                body,
                "<section><h2>Curves</h2><p class=soft>Means over the seeds, with bands of ± one standard deviation. Hover over a line \
                 for its values; click a line or its name to hide it.{}</p><div id=legend role=group aria-label=Entrants></div>\
                 <div class=charts>{}</div></section>\n<section><h2>Entrants</h2>{tables}{notes}</section>\n",
                self.left_out(),
                figures(true),
                notes = entrants_notes(),
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
                figures(false)
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
             <main>\n{summary}{ranking}{trials}{notes}{body}</main>\n\
             <script type=\"application/json\" id=data>{data}</script>\n<script>\n{js}</script>\n</body>\n</html>\n",
            title = escape(self.title),
            origin = escape(self.origin),
            summary = self.said(),
            ranking = if self.ranking.is_empty() { String::new() } else { ranking::html(self.ranking) },
            trials = trials::html(self.trials),
            notes = self.notes(),
            css = include_str!("assets/report.css"),
            js = include_str!("assets/report.js"),
        )
    }

    /// The summary, with what is best in bold and the rest below it.
    fn said(&self) -> String {
        let said = |text: &String| {
            let tests = self.loaded.ranges.iter().zip(self.suggestions);
            let suggested: Vec<String> =
                tests.filter_map(|(tests, said)| range::verdict(tests, said).into_iter().next()).collect();
            let answers = self.groups.iter().map(|group| &group.answer).chain(&suggested);
            let answers = answers.map(String::as_str).filter(|answer| !answer.is_empty());
            let found = answers.filter_map(|answer| Some((answer, text.split_once(answer)?))).next();
            match found {
                Some((answer, (before, rest))) => format!(
                    "<p class=best>{}<b>{}</b></p>\n<p>{}</p>\n",
                    escape(before),
                    escape(answer),
                    escape(rest.trim())
                ),
                None => format!("<p class=best>{}</p>\n", escape(text)),
            }
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
            notes.push(format!(
                "{unfinished} of {count} runs have not finished (see their status) and are excluded from the means."
            ));
        }
        notes.extend(self.loaded.complaints.iter().cloned());
        if notes.is_empty() {
            return String::new();
        }
        let items: String = notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
        format!("<div class=notes role=note><ul>{items}</ul></div>\n")
    }

    fn charts(&self) -> Vec<Value> {
        let entrants: Vec<&EntrantRuns<'_>> = self.analyses().map(|analysis| &analysis.entrant).collect();
        let curves = self.figure.panels.iter().enumerate().map(|(i, panel)| curve_chart(i, panel, &entrants));
        let best = self.trials.best.as_ref().map(trials::best_chart);
        let ranges = self.loaded.ranges.iter().zip(self.suggestions).enumerate();
        curves.chain(best).chain(ranges.flat_map(|(i, (tests, said))| tests.charts(i, said))).collect()
    }

    fn entrants_table(&self, group: &Group<'_>) -> String {
        let number = |value: Option<f64>| number_cell(value, value.map_or(UNKNOWN.into(), plain));
        let applied = |value: Option<f64>| {
            let known = value.filter(|value| value.is_finite());
            number_cell(known, known.map_or(UNKNOWN.into(), rate))
        };
        let share = |summary: Option<Summary>| number_cell(summary.map(|s| s.mean), percent(summary));
        let to_target = |a: &Analysis<'_>, value: &dyn Fn(Target) -> Option<(f64, String)>| {
            let found = a.target.and_then(value);
            let of = format!("{} of {}", a.target.map_or(0, |target| target.reached), a.entrant.finished().count());
            number_cell(
                found.as_ref().map(|f| f.0),
                found.map_or("not reached".into(), |(_, text)| format!("{text} ({of})")),
            )
        };
        // A header and its cells, one per entrant.
        let column = |head: &str, cell: &dyn Fn(&Analysis<'_>) -> String| -> (String, Vec<String>) {
            (head.to_string(), group.analyses.iter().map(cell).collect())
        };
        let mut columns = vec![
            column("entrant", &|a| name_cell(a)),
            column("validation %", &|a| share(a.val_accuracy)),
            column("n", &|a| number(Some(a.entrant.results().len() as f64))),
            column("verdict", &|a| format!("<td class=w>{}</td>", escape(&a.verdict))),
            column("test %", &|a| share(a.test_accuracy)),
            column("lr", &|a| number_cell(Some(a.entrant.rate).filter(|rate| rate.is_finite()), a.entrant.rate_text())),
            column("leader ahead on", &|a| ahead(a.behind_best)),
            column("highest validation % of any epoch", &|a| share(a.best_val_accuracy)),
            column("best epoch", &|a| number(a.best_epoch)),
            column("rate at best", &|a| applied(a.rate_at_best)),
            column("gap, points", &|a| share(a.gap)),
            column("area %", &|a| share(a.area)),
        ];
        if let Some(target) = self.target {
            let steps = |t: Target| t.steps.map(|steps| (steps, format!("{steps:.0}")));
            let seconds = |t: Target| t.seconds.map(|seconds| (seconds, duration(seconds)));
            columns.push(column(&format!("steps to {target}"), &|a| to_target(a, &steps)));
            columns.push(column(&format!("time to {target}"), &|a| to_target(a, &seconds)));
        }
        let time = |s: Summary| duration(s.mean);
        columns
            .push(column("time", &|a| number_cell(a.seconds.map(|s| s.mean), a.seconds.map_or(UNKNOWN.into(), time))));
        columns.push(column("status", &|a| status_cell(&a.entrant.status())));
        let heads: Vec<&str> = columns.iter().map(|column| column.0.as_str()).collect();
        let row =
            |i: usize| format!("<tr>{}</tr>\n", columns.iter().map(|column| column.1[i].as_str()).collect::<String>());
        let rows: String = (0..group.analyses.len()).map(row).collect();
        let first = if group.same_seeds { "highest validation accuracy first" } else { "ahead on common seeds first" };
        let caption = match group.label {
            "" => format!("Entrants, {first}"),
            label => format!("Entrants with {}, {first}", escape(label)),
        };
        table(&caption, &heads, &rows)
    }
}

/// The name of an entrant: short, and in full below if that is more.
fn name_cell(analysis: &Analysis<'_>) -> String {
    let full = Some(escape(&analysis.name)).filter(|_| analysis.name != analysis.short);
    let full = full.map_or(String::new(), |full| format!("<small>{full}</small>"));
    format!("<th scope=row class=w>{}{full}</th>", escape(&analysis.short))
}

/// The lines of a panel as arrays indexed by epoch.
fn curve_chart(place: usize, panel: &Panel, entrants: &[&EntrantRuns<'_>]) -> Value {
    if panel.y_label == "learning rate" {
        return rate_chart(place, panel);
    }
    let last =
        panel.series.iter().filter_map(|series| series.points.last()).fold(0.0_f64, |a, point| a.max(point.0)) as usize;
    let series: Vec<Value> = panel
        .series
        .iter()
        .zip(entrants)
        .enumerate()
        .filter(|(_, (series, _))| !series.points.is_empty())
        .map(|(i, (series, entrant))| {
            let (mut mean, mut spread) = (vec![f64::NAN; last + 1], vec![f64::NAN; last + 1]);
            series.points.iter().for_each(|&(epoch, value)| mean[epoch as usize] = value);
            series.band.iter().for_each(|&(epoch, lower, upper)| spread[epoch as usize] = (upper - lower) / 2.0);
            let n = entrant.finished().count().max(1);
            let mut line = json!({ "i": i, "name": series.name, "n": n, "y": numbers(&mean) });
            if !series.band.is_empty() {
                line["s"] = numbers(&spread);
            }
            line
        })
        .collect();
    let epochs: Vec<f64> = (0..=last).map(|epoch| epoch as f64).collect();
    json!({
        "id": format!("curve{place}"), "title": panel.title, "shared": true, "kind": panel.y_label, "logx": false,
        "xlabel": panel.x_label, "ylabel": panel.y_label, "x": numbers(&epochs), "series": series,
        "marks": curve_marks(panel),
    })
}

fn curve_marks(panel: &Panel) -> Vec<Value> {
    let of = |mark: &Mark| panel.series.iter().position(|series| series.name == mark.series);
    panel.marks.iter().map(|mark| json!({ "x": mark.at, "label": mark.label, "i": of(mark) })).collect()
}

/// Rates change within epochs, so each line has its own x values.
fn rate_chart(place: usize, panel: &Panel) -> Value {
    let line = |(i, series): (usize, &Series)| {
        let (x, y): (Vec<f64>, Vec<f64>) = series.points.iter().copied().unzip();
        json!({ "i": i, "name": series.name, "x": numbers(&x), "y": numbers(&y) })
    };
    let drawn = panel.series.iter().enumerate().filter(|(_, series)| !series.points.is_empty());
    json!({
        "id": format!("curve{place}"), "title": panel.title, "shared": true, "kind": "rate", "logx": false,
        "xlabel": panel.x_label, "ylabel": panel.y_label, "series": drawn.map(line).collect::<Vec<_>>(),
        "marks": curve_marks(panel),
    })
}

fn figure_html(chart: &Value) -> String {
    let text = |key: &str| escape(chart[key].as_str().unwrap_or_default());
    let (id, title) = (text("id"), text("title"));
    format!(
        "<figure id={id}><figcaption>{title}</figcaption><div class=stage><canvas tabindex=0 role=img aria-label=\"{title}, {y} against \
         {x}; arrow keys move along the lines; the numbers are in the table below\"></canvas><canvas aria-hidden=true></canvas></div>\
         <details><summary>Numbers<span class=hide> of {title}</span></summary></details></figure>",
        x = text("xlabel"),
        y = text("ylabel"),
    )
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

/// `4 of 5 (28 to 99 %)`
fn ahead(behind: Option<Difference>) -> String {
    let Some(difference) = behind else { return number_cell(None, UNKNOWN.into()) };
    let (share, low, high) = difference.share_ahead();
    let text = format!("{} of {} ({:.0} to {:.0} %)", difference.ahead, difference.n, low * 100.0, high * 100.0);
    number_cell(Some(share), text)
}

/// A command line to paste.
pub fn command(line: &str) -> String {
    format!("<div class=command><button class=copy type=button>Copy</button><code>{}</code></div>", escape(line))
}

/// A table cell that sorts by `value`.
pub fn number_cell(value: Option<f64>, text: String) -> String {
    format!("<td data-v=\"{}\">{}</td>", value.map_or(String::new(), |value| value.to_string()), escape(&text))
}

fn status_cell(status: &str) -> String {
    let class = if status == "finished" { "status" } else { "status other" };
    format!("<td class=w><span class=\"{class}\">{}</span></td>", escape(status))
}

/// A number as a cell shows it: `0.1`, `1.76e-13`.
fn plain(value: f64) -> String {
    significant(value, 5)
}

/// Values as a JSON array; NaN becomes null, a gap. Five significant digits are finer than a pixel and halve the file; values that differ little
/// relative to their size get enough further digits to distinguish them.
pub fn numbers(values: &[f64]) -> Value {
    let finite = values.iter().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let closeness = (low.abs().max(high.abs()) / (high - low)).log10();
    let more = if closeness.is_finite() { closeness.clamp(0.0, 11.0) as usize } else { 0 };
    let number = |value: &f64| {
        let value = rounded(*value, 5 + more);
        if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
    };
    Value::Array(values.iter().map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_chart_have_enough_digits_to_distinguish_them() {
        assert_eq!(numbers(&[0.123_456_789, f64::NAN, 1.0, 0.0]), json!([0.12346, null, 1, 0]));
        assert_eq!(numbers(&[0.099_991_234, 0.099_995_678, 0.1]), json!([0.099991234, 0.099995678, 0.1]));
        assert_eq!(numbers(&[0.123_456_789, 0.123_456_789]), json!([0.12346, 0.12346]));
    }
}
