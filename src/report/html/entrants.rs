//! The tables of entrants: what is claimed of each, and further figures.

use super::{UNKNOWN, status_cell, table};
use crate::number::{rate, significant};
use crate::report::analysis::{Analysis, Group, Target};
use crate::report::entrants::Summary;
use crate::report::escape::escape;
use crate::report::table::{augmented, chances, duration, percent, status};

/// Cells, one per entrant, below a head.
struct Column {
    head: String,
    cells: Vec<String>,
    /// Some cell has a value.
    is_known: bool,
}

/// A column of numbers: cells sort by the first of what `show` returns.
fn numbers<T>(
    group: &Group<'_>,
    head: &str,
    value: impl Fn(&Analysis<'_>) -> Option<T>,
    show: impl Fn(T) -> (f64, String),
) -> Column {
    let shown: Vec<Option<(f64, String)>> = group.analyses.iter().map(|one| value(one).map(&show)).collect();
    let cell = |shown: &Option<(f64, String)>| {
        let (sorts, text) = shown.as_ref().map_or((String::new(), UNKNOWN), |(value, text)| (value.to_string(), text));
        format!("<td data-h=\"{}\" data-v=\"{sorts}\">{}</td>", escape(head), escape(text))
    };
    Column {
        head: head.to_string(),
        cells: shown.iter().map(cell).collect(),
        is_known: shown.iter().any(Option::is_some),
    }
}

fn words(group: &Group<'_>, head: &str, is_known: bool, cell: impl Fn(&Analysis<'_>) -> String) -> Column {
    Column { head: head.to_string(), cells: group.analyses.iter().map(cell).collect(), is_known }
}

/// Both tables of a group; columns without a value are left out.
pub fn html(group: &Group<'_>, target: Option<f64>) -> String {
    let first = match group.same_seeds {
        _ if group.analyses.iter().all(|one| one.val_accuracy.is_none()) => "",
        true => ", highest validation accuracy first",
        false => ", ahead on common seeds first",
    };
    let of = match group.label {
        "" => String::new(),
        label => format!(" with {}", escape(label)),
    };
    let further = further(group);
    let is_known = further.iter().any(|column| column.head != "entrant" && column.is_known);
    let claims = one(&format!("Entrants{of}{first}"), group, claims(group, target));
    let more = if is_known {
        let table = one(&format!("Further figures of entrants{of}"), group, further);
        format!("<details><summary>Further figures</summary>{table}</details>")
    } else {
        String::new()
    };
    format!("<div class=cards>{claims}</div>{more}")
}

fn one(caption: &str, group: &Group<'_>, mut columns: Vec<Column>) -> String {
    columns.retain(|column| column.is_known);
    let heads: Vec<&str> = columns.iter().map(|column| column.head.as_str()).collect();
    let cells = |i: usize| columns.iter().map(|column| column.cells[i].as_str()).collect::<String>();
    let rows: String = (0..group.analyses.len()).map(|i| format!("<tr>{}</tr>\n", cells(i))).collect();
    table(caption, &heads, &rows)
}

fn share(summary: Summary) -> (f64, String) {
    (summary.mean, percent(Some(summary)))
}

fn claims(group: &Group<'_>, target: Option<f64>) -> Vec<Column> {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let mut columns = vec![
        words(group, "entrant", true, name),
        numbers(group, "validation %", |a| a.val_accuracy, share),
        numbers(group, "test %", |a| a.test_accuracy, share),
        numbers(group, "lr", |a| Some((finite(a.entrant.rate)?, a.entrant.rate_text())), |cell| cell),
        numbers(group, "n", |a| Some(a.entrant.results().len()).filter(|n| *n > 0), |n| (n as f64, n.to_string())),
    ];
    if let Some(target) = target {
        columns.push(to_target(group, &format!("steps to {target}"), |t| Some((t.steps?, format!("{:.0}", t.steps?)))));
        columns.push(to_target(group, &format!("time to {target}"), |t| Some((t.seconds?, duration(t.seconds?)))));
    }
    columns.push(words(group, "verdict", true, |a| format!("<td class=\"w verdict\">{}</td>", escape(&a.verdict))));
    // Of one without a run that counts, the verdict says how far it is.
    let tells = |a: &Analysis<'_>| a.entrant.finished().count() < a.entrant.runs.len();
    let is_telling = group.analyses.iter().any(tells);
    columns.push(words(group, "status", is_telling, |a| status_cell(&status(&a.entrant), a.entrant.is_finished())));
    columns
}

/// `200 (1 of 1)`, or that no run reached it.
fn to_target(group: &Group<'_>, head: &str, value: impl Fn(Target) -> Option<(f64, String)>) -> Column {
    let cell = |a: &Analysis<'_>| {
        let reached = a.target.and_then(|target| Some((value(target)?, target.reached)));
        let of = a.entrant.finished().count();
        Some(reached.map_or((f64::NAN, "not reached".into()), |((value, text), reached)| {
            (value, format!("{text} ({reached} of {of})"))
        }))
    };
    numbers(group, head, cell, |cell| cell)
}

fn further(group: &Group<'_>) -> Vec<Column> {
    let applied = |a: &Analysis<'_>| a.rate_at_best.filter(|value| value.is_finite());
    vec![
        words(group, "entrant", true, name),
        numbers(
            group,
            "leader ahead on",
            |a| a.behind_best,
            |difference| {
                let (share, low, high) = difference.share_ahead();
                // `4 of 5 (28 to 99 %)`
                let (of, low, high) = (difference.n, low * 100.0, high * 100.0);
                (share, format!("{} of {of} ({low:.0} to {high:.0} %)", difference.ahead))
            },
        ),
        numbers(group, "highest validation % of any epoch", |a| a.best_val_accuracy, share),
        numbers(group, "best epoch", |a| a.best_epoch, |epoch| (epoch, significant(epoch, 5))),
        numbers(group, "rate at best", applied, |value| (value, rate(value))),
        numbers(group, "gap, points", |a| a.gap, share),
        numbers(group, "area %", |a| a.area, share),
        numbers(group, "time", |a| a.seconds, |time| (time.mean, duration(time.mean))),
    ]
}

/// The name of an entrant: short, and in full below if that is more.
fn name(analysis: &Analysis<'_>) -> String {
    let full = Some(escape(&analysis.name)).filter(|_| analysis.name != analysis.short);
    let full = full.map_or(String::new(), |full| format!("<small title=\"{full}\">{full}</small>"));
    format!("<th scope=row class=w>{}{full}</th>", escape(&analysis.short))
}

/// How to read the tables.
pub fn notes(groups: &[Group<'_>]) -> String {
    let chances = chances(groups);
    let is_tested = groups.iter().flat_map(|group| &group.analyses).any(|analysis| analysis.test_accuracy.is_some());
    let augmented = augmented(groups).filter(|_| is_tested).map_or(String::new(), |augmented| {
        format!(" Test images are evaluated with {augmented}; validation images without.")
    });
    format!(
        "<details><summary>How to read these figures</summary>\
         <p class=soft>Means ± standard deviations over seeds or studies, in percent. Validation and test accuracy are of the weights after the last \
         epoch; a run that diverged counts as chance, {chance}. The highest validation accuracy of any epoch is of other weights, which were \
         not tested. Lr: the highest rate that was applied. Choices use validation images; test images are evaluated once, at the end.{augmented} Gap: \
         training − validation accuracy. Best epoch (counted from 0) and the rate at it: the medians over the runs. Area: under the curve of the \
         validation accuracy, divided by its length (trapezoidal rule: the first and the last epoch count half).</p>\
         <p class=soft>Verdicts, each at 95 % for any number of entrants: the <b>winner</b> beats every other by the paired t-test. One entrant \
         <b>beats</b> another if their difference stands out among those of all pairs (Holm). <b>Ruled out</b>: the best is one of the others \
         (t-test, Bonferroni). That is said of all that remain together: of many equals, some are ruled out. No claim is made from fewer than \
         three seeds.</p><p class=soft>Leader ahead on: the seeds on which the leader is ahead, and the 95 % limits of the probability that it is \
         on a new one (Clopper and Pearson; five of five leave room for 48 %). These are of one pair by itself, and too favourable to a leader, \
         which was chosen because it is ahead. All of this is about other seeds, not about other images: another validation set may move \
         accuracies by some tenths of a point.</p></details>",
        chance = chances
    )
}
