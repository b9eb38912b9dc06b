//! The comparison as a table: for the terminal, and as Markdown.

use super::analysis::{Analysis, Group, Unit};
use super::entrants::{EntrantRuns, Summary};
use super::escape::markdown_name;
use super::wrap;
use crate::data::Tta;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Placeholder for an unknown value.
pub(super) const UNKNOWN: &str = "–";

/// A terminal shows this many entrants at most: those that matter are not scrolled away.
pub const MOST_ROWS: usize = 50;

/// Names have so many columns at least.
const NARROWEST: usize = 12;

/// The width of a pipe or a file, which get every entrant and every column.
pub const UNLIMITED: usize = usize::MAX;

/// What a column tells of an entrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    Rate,
    Validation,
    Test,
    Results,
    BestEpoch,
    Time,
    Status,
}

impl Tells {
    const fn header(self) -> &'static str {
        match self {
            Self::Rate => "lr",
            Self::Validation => "val %",
            Self::Test => "test %",
            Self::Results => "n",
            Self::BestEpoch => "best ep",
            Self::Time => "time",
            Self::Status => "status",
        }
    }

    /// Text is left-aligned, numbers right-aligned.
    const fn is_text(self) -> bool {
        matches!(self, Self::Status)
    }
}

/// One column, with cells in the order of the entrants.
struct Column {
    tells: Tells,
    cells: Vec<String>,
    /// The cells with less in them, before any column is dropped.
    shorter: Option<Vec<String>>,
    /// When columns do not fit, the highest is dropped first; 0 is never dropped.
    dispensable: u8,
}

impl Column {
    /// Nothing in it is known yet.
    fn is_empty(&self) -> bool {
        let nothing = if self.tells == Tells::Results { "0" } else { UNKNOWN };
        self.cells.iter().all(|cell| cell == nothing)
    }
}

/// The table for a terminal of `width` columns: one row per entrant, the leader first.
///
/// Accuracies are in percent, mean ± standard deviation over the runs of an entrant that have a result; none for n = 1. A
/// name that does not fit continues on the next line; on a narrow terminal, the range of tuned rates, the status if all are
/// finished, best epoch, time and rate are dropped, in this order. Columns without a single value are not shown. Beyond [`MOST_ROWS`] entrants, a last line says how many more there are in the report, `page`.
pub fn terminal(entrants: &[EntrantRuns<'_>], names: &[String], width: usize, page: &Path) -> String {
    let (entrants, names, left_out) = top(entrants, names, width);
    let longest = longest(names);
    let columns = fitting(entrants, longest, width);
    let room = width.saturating_sub(total(&columns)).clamp(NARROWEST, longest.max(NARROWEST));

    let mut out = String::new();
    let mut push = |name: &str, cells: Vec<&str>| {
        let mut line = format!("{name:room$}");
        for (column, cell) in columns.iter().zip(cells) {
            let width = width_of(column);
            let _ =
                if column.tells.is_text() { write!(line, "  {cell:width$}") } else { write!(line, "  {cell:>width$}") };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    push("entrant", columns.iter().map(|column| column.tells.header()).collect());
    for (i, name) in names.iter().enumerate() {
        let mut pieces = wrap::name(name, room).into_iter();
        push(&pieces.next().unwrap_or_default(), columns.iter().map(|column| column.cells[i].as_str()).collect());
        for piece in pieces {
            push(&piece, Vec::new());
        }
    }
    if !left_out.is_empty() {
        let unfinished = left_out.iter().filter(|entrant| entrant.finished().next().is_none()).count();
        let _ = write!(out, "and {} more", left_out.len());
        if unfinished > 0 {
            let _ = write!(out, ", {unfinished} of them without a finished run");
        }
        let _ = writeln!(out, ": all are in {}", page.display());
    }
    out
}

/// The entrants that a terminal of this width shows, their names, and those it leaves out.
fn top<'a, 'r>(
    entrants: &'a [EntrantRuns<'r>],
    names: &'a [String],
    width: usize,
) -> (&'a [EntrantRuns<'r>], &'a [String], &'a [EntrantRuns<'r>]) {
    let most = if width == UNLIMITED { entrants.len() } else { MOST_ROWS };
    let (shown, left_out) = entrants.split_at(entrants.len().min(most));
    (shown, &names[..shown.len()], left_out)
}

/// The columns of a table for a terminal of `width` columns, next to names of up to `longest` characters.
fn fitting(entrants: &[EntrantRuns<'_>], longest: usize, width: usize) -> Vec<Column> {
    let mut columns = columns(entrants);
    let wanted = longest.clamp(NARROWEST, 19);
    if width < total(&columns) + wanted {
        for column in &mut columns {
            column.cells = column.shorter.take().unwrap_or_else(|| std::mem::take(&mut column.cells));
        }
    }
    while width < total(&columns) + wanted {
        let Some(last) =
            (0..columns.len()).filter(|&i| columns[i].dispensable > 0).max_by_key(|&i| columns[i].dispensable)
        else {
            break;
        };
        columns.remove(last);
    }
    columns
}

fn longest(names: &[String]) -> usize {
    names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("entrant".len())
}

fn total(columns: &[Column]) -> usize {
    columns.iter().map(|column| width_of(column) + 2).sum()
}

/// The same table as Markdown, with all columns that have a value.
pub fn markdown(entrants: &[EntrantRuns<'_>], names: &[String]) -> String {
    let columns = columns(entrants);
    let mut out = String::from("| entrant |");
    for column in &columns {
        let _ = write!(out, " {} |", column.tells.header());
    }
    out.push_str("\n| --- |");
    for column in &columns {
        out.push_str(if column.tells.is_text() { " --- |" } else { " ---: |" });
    }
    for (i, name) in names.iter().enumerate() {
        let _ = write!(out, "\n| {} |", markdown_name(name));
        for column in &columns {
            let _ = write!(out, " {} |", column.cells[i]);
        }
    }
    out.push('\n');
    out
}

/// What guessing has in these groups: `10 %`, or `1 % or 10 %`.
pub fn chances(groups: &[Group<'_>]) -> String {
    let chances: BTreeSet<u64> = groups.iter().map(|group| (group.chance() * 100.0).round() as u64).collect();
    chances.iter().map(|chance| format!("{chance} %")).collect::<Vec<_>>().join(" or ")
}

/// `test-time augmentation (mirror: 2 views)`, where the test of some entrant has it.
pub fn augmented(groups: &[Group<'_>]) -> Option<String> {
    let has =
        |tta: Tta| groups.iter().flat_map(|group| &group.analyses).any(|analysis| analysis.entrant.place.tta == tta);
    let views = |tta: Tta| format!("{}: {} views", tta.name(), tta.views().len());
    let some: Vec<String> = Tta::ALL.into_iter().filter(|&tta| tta != Tta::None && has(tta)).map(views).collect();
    let among_others = if has(Tta::None) { ", where a name has it" } else { "" };
    (!some.is_empty()).then(|| format!("test-time augmentation ({}){among_others}", some.join(", ")))
}

/// Explains the columns and each ±: for a terminal table of `width` columns, or for the full one of Markdown.
pub fn legend(groups: &[Group<'_>], width: Option<usize>) -> String {
    let (entrants, names) = of_groups(groups, width);
    let shown = match width {
        Some(width) => {
            let (entrants, names, _) = top(&entrants, &names, width);
            fitting(entrants, longest(names), width)
        }
        None => columns(&entrants),
    };
    let has = |tells: Tells| shown.iter().any(|column| column.tells == tells);
    let mut text = String::new();
    if let Some(rates) = shown.iter().find(|column| column.tells == Tells::Rate) {
        let tuned = entrants.iter().any(|entrant| entrant.tuning.is_some());
        let range = if rates.cells.iter().any(|cell| cell.contains('(')) { " and their range" } else { "" };
        text.push_str("lr: the highest rate that was applied");
        text.push_str(&if tuned {
            format!(", of tuned entrants the median of the chosen ones{range}. ")
        } else {
            ". ".into()
        });
    }
    let accuracies = [Tells::Validation, Tells::Test].into_iter().filter(|&tells| has(tells)).map(Tells::header);
    let accuracies = accuracies.collect::<Vec<_>>().join(" and ");
    if accuracies.is_empty() {
        // Only trials so far.
        return text.trim_end().to_string();
    }
    let _ = write!(text, "{accuracies}: of the weights after the last epoch");
    if entrants.iter().any(|entrant| entrant.judged && entrant.at_chance() > 0) {
        let _ = write!(text, "; a run that diverged counts as chance, {}", chances(groups));
    }
    text.push('.');
    if let Some(augmented) = augmented(groups).filter(|_| has(Tells::Test)) {
        let without = if has(Tells::Validation) { "; val % without" } else { "" };
        let _ = write!(text, " test % with {augmented}{without}.");
    }
    if has(Tells::BestEpoch) {
        let several = entrants.iter().any(|entrant| entrant.finished().count() > 1);
        let median = if several { " (of several runs the median)" } else { "" };
        let _ = write!(
            text,
            " best ep: the epoch with the highest validation accuracy, counted from 0{median}; its weights were not tested."
        );
    }
    let analyses = groups.iter().flat_map(|group| &group.analyses);
    if analyses.flat_map(|a| [a.val_accuracy, a.test_accuracy]).flatten().any(|summary| summary.deviation.is_some()) {
        let units = match groups.first().map(|group| group.unit) {
            Some(Unit::Study) => "studies",
            _ => "seeds",
        };
        let _ = write!(text, " ± of an accuracy: one standard deviation over the n {units}.");
        let _ = write!(text, " Verdicts are about other {units}, not about other images.");
    }
    text
}

/// The entrants of all groups, and their names: as short as tells them apart for a `width`, else in full.
pub fn of_groups<'a>(groups: &[Group<'a>], width: Option<usize>) -> (Vec<EntrantRuns<'a>>, Vec<String>) {
    let analyses = groups.iter().flat_map(|group| &group.analyses);
    let name = |analysis: &Analysis<'_>| if width.is_none() { &analysis.name } else { &analysis.short }.clone();
    analyses.map(|analysis| (analysis.entrant.clone(), name(analysis))).unzip()
}

fn columns(entrants: &[EntrantRuns<'_>]) -> Vec<Column> {
    let column = |tells, dispensable, cell: &dyn Fn(&EntrantRuns<'_>) -> String| Column {
        tells,
        cells: entrants.iter().map(cell).collect(),
        shorter: None,
        dispensable,
    };
    // That all are finished is the least that a table tells.
    let status_is = if entrants.iter().all(EntrantRuns::is_finished) { 4 } else { 0 };
    let short_rates = entrants.iter().map(|e| e.short_rate_text()).collect();
    let mut columns = vec![
        Column { shorter: Some(short_rates), ..column(Tells::Rate, 1, &|e| e.rate_text()) },
        // These two describe the same weights. The accuracy of the best epoch, of other weights, is not beside them.
        column(Tells::Validation, 0, &|e| percent(e.val_accuracy())),
        column(Tells::Test, 0, &|e| percent(e.test_accuracy())),
        column(Tells::Results, 0, &|e| e.results().len().to_string()),
        column(Tells::BestEpoch, 3, &|e| e.best_epoch().map_or(UNKNOWN.into(), |epoch| format!("{epoch}"))),
        column(Tells::Time, 2, &|e| e.summary(|run| run.seconds).map_or(UNKNOWN.into(), |s| duration(s.mean))),
        column(Tells::Status, status_is, &status),
    ];
    columns.retain(|column| !column.is_empty());
    columns
}

/// Of one that is no finalist, what decided that: it is no result, and not among them.
pub fn status(entrant: &EntrantRuns<'_>) -> String {
    if !entrant.is_screened_out {
        return entrant.status();
    }
    entrant.screened().map_or("screened out".into(), |summary| format!("screened out at {:.2} %", summary.mean * 100.0))
}

/// `81.23 ± 0.42`, or without the deviation if there is none.
pub fn percent(summary: Option<Summary>) -> String {
    match summary {
        None => UNKNOWN.into(),
        Some(Summary { mean, deviation: None, .. }) => format!("{:.2}", mean * 100.0),
        Some(Summary { mean, deviation: Some(deviation), .. }) => {
            format!("{:.2} ± {:.2}", mean * 100.0, deviation * 100.0)
        }
    }
}

/// `1h 2m`, `3m 20s`, `12s`, `0.4s`.
pub fn duration(seconds: f64) -> String {
    if !(0.0..1e12).contains(&seconds) {
        return UNKNOWN.into();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1}s");
    }
    // Whole minutes from an hour on: seconds no longer matter.
    let rounded = if seconds < 3600.0 { seconds.round() } else { (seconds / 60.0).round() * 60.0 };
    humantime::format_duration(Duration::from_secs(rounded as u64)).to_string()
}

fn width_of(column: &Column) -> usize {
    column.cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0).max(column.tells.header().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_long_as_they_need_be() {
        let cases = [(0.42, "0.4s"), (12.4, "12s"), (200.0, "3m 20s"), (3725.0, "1h 2m"), (f64::NAN, "–"), (-1.0, "–")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
