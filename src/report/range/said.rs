//! Range tests in words: the rate to train with, the run that it is for, and how reliable it is; for each kind of output.

use super::super::escape::{escape, markdown as markdown_text};
use super::super::html::command;
use super::super::summary::{Paragraph, Subject};
use super::super::table::UNKNOWN;
use super::super::wrap;
use super::{RangeTests, reason, reasons, spread};
use crate::number::{counted, grouped};
use crate::record::files::FIND_JSON;
use crate::record::{NextCommand, Status};
use crate::stats::suggest::{Combined, Method, as_printed, headline, is_for_just, range, run_length, short_run, show};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// The methods agree if their rates are within this factor.
const AGREE: f64 = 3.0;

impl RangeTests {
    /// How many seeds led to the recorded commands, if these are not all of them.
    fn of_more(&self) -> Option<u64> {
        let seeds = self.recorded.config.get("seeds").and_then(Value::as_u64)?;
        Some(seeds).filter(|seeds| *seeds > self.tests.len() as u64 && !self.recorded.commands.is_empty())
    }

    /// The rate that find.json has, if these rows suggest another: some are missing, or another version suggested it.
    fn of_other_rows(&self, suggestions: &[Combined]) -> Option<f64> {
        let recorded = self.recorded.suggested_lr.filter(|_| self.of_more().is_none())?;
        Some(recorded).filter(|_| printed(suggestions) != Some(recorded))
    }

    /// Commands that train at what was found, unless that is not what these rows suggest.
    fn commands(&self, suggestions: &[Combined]) -> &[NextCommand] {
        let is_another = self.of_more().is_some() || self.of_other_rows(suggestions).is_some();
        if is_another { &[] } else { &self.recorded.commands }
    }

    /// Why a test that has not come to its end suggests nothing.
    fn unfinished(&self) -> Option<String> {
        let why = match self.recorded.status? {
            Status::Finished => return None,
            Status::Running => "it runs, or was killed".to_string(),
            Status::Interrupted | Status::Diverged => "it was stopped before its end".to_string(),
            Status::Failed => {
                let why = self.recorded.message.as_deref().map(|message| format!(": {message}"));
                format!("it failed{}", why.unwrap_or_default())
            }
        };
        Some(format!("No rate is suggested: the range test is not finished ({why})."))
    }

    fn for_epochs(&self) -> Option<u64> {
        self.recorded.config.get("for-epochs").and_then(Value::as_u64)
    }

    /// The run that the suggested rate is for: `a run of 189 updates (3 epochs)`, `a run of at least 350 updates (30
    /// epochs are 10,560)`.
    fn length(&self) -> String {
        let run = run_length(self.run_updates);
        let Some(epochs) = self.for_epochs() else { return run };
        let take = if epochs == 1 { "takes" } else { "take" };
        let epochs = counted(epochs, "epoch");
        match self.run_updates {
            updates if is_for_just(updates) => format!("{run} ({epochs})"),
            updates => format!("{run} ({epochs} {take} {})", grouped(updates)),
        }
    }

    /// The run that the rate of `method` is for; of short runs that had no time to be like it, their own length.
    fn length_for(&self, method: Method) -> String {
        let made = self.short_runs().iter().map(|run| run.updates).max();
        let wanted = short_run(self.run_updates, u64::MAX);
        match made.filter(|made| method == Method::Refined && *made < wanted) {
            Some(made) => {
                format!(", from runs of {}; {} may need another rate", counted(made, "update"), self.length())
            }
            // They were as long as the run, however short.
            None if method == Method::Refined && wanted == self.run_updates && !is_for_just(wanted) => {
                let epochs =
                    self.for_epochs().map_or(String::new(), |epochs| format!(" ({})", counted(epochs, "epoch")));
                format!(", for a run of {}{epochs}", counted(wanted, "update"))
            }
            None => format!(", for {}", self.length()),
        }
    }

    /// Which rate, and how to train at it: for the page, which may begin with the former.
    pub fn answer_html(&self, suggestions: &[Combined], is_said: bool) -> String {
        let summary = escape(&verdict(self, suggestions).join(" "));
        let summary = if is_said { String::new() } else { format!("<p>{}: {summary}</p>", escape(&self.name)) };
        let said = |NextCommand { purpose, line }: &NextCommand| {
            let purpose = if purpose.is_empty() { String::new() } else { format!("<p>{}:</p>", escape(purpose)) };
            format!("{purpose}{}", command(line))
        };
        let commands: String = self.commands(suggestions).iter().map(said).collect();
        format!("{summary}{commands}")
    }
}

/// The suggestions as Markdown, which may begin with the answer.
pub fn markdown(tests: &RangeTests, suggestions: &[Combined], is_said: bool) -> String {
    let mut out = format!("## Range test {}\n", markdown_text(&tests.name));
    if !suggestions.is_empty() {
        out.push_str("\n| method | rate | spread | why |\n| --- | ---: | ---: | --- |\n");
    }
    for (one, why) in suggestions.iter().zip(reasons(suggestions)) {
        let rate = one.answer.as_ref().map_or(UNKNOWN.to_string(), |answer| show(answer.rate));
        let _ = writeln!(out, "| {} | {rate} | {} | {} |", one.method.name(), spread(one), markdown_text(&why));
    }
    if !is_said {
        let _ = writeln!(out, "\n{}", markdown_text(&verdict(tests, suggestions).join(" ")));
    }
    for NextCommand { purpose, line } in tests.commands(suggestions) {
        let purpose = if purpose.is_empty() { String::new() } else { format!("\n{}:\n", markdown_text(purpose)) };
        let _ = writeln!(out, "{purpose}\n```\n{line}\n```");
    }
    out
}

/// For programs: the suggested rate, and that of each method; what has no answer is null.
pub fn json(tests: &RangeTests, suggestions: &[Combined]) -> Value {
    let rate = |one: &Combined| one.answer.as_ref().ok().map(|answer| answer.rate);
    let each =
        suggestions.iter().map(|one| json!({ "method": one.method.name(), "rate": rate(one), "reason": reason(one) }));
    let best = headline(suggestions);
    json!({
        "name": tests.name,
        "title": tests.title(),
        "suggested_lr": printed(suggestions),
        "method": best.map(|(method, _)| method.name()),
        "run_updates": tests.run_updates,
        "suggestions": each.collect::<Vec<_>>(),
    })
}

/// The suggested rate, as find.json has it.
fn printed(suggestions: &[Combined]) -> Option<f64> {
    headline(suggestions).map(|(_, rate)| as_printed(rate))
}

/// In words: the rate to train with, the run that it is for, and how reliable it is.
pub fn verdict(tests: &RangeTests, suggestions: &[Combined]) -> Vec<String> {
    if let Some(why) = tests.unfinished() {
        return vec![why];
    }
    let Some((method, rate)) = headline(suggestions) else {
        let why = suggestions.first().and_then(|one| one.answer.as_ref().err());
        return vec![
            why.map_or("No test, no rate.".to_string(), |why| format!("No method can suggest a rate: {why}.")),
        ];
    };
    let length = if method.is_for_length() { tests.length_for(method) } else { String::new() };
    let mut lines = vec![format!("Suggested rate: {} ({}){length}.", show(rate), method.name())];
    let of = suggestions.iter().find(|one| one.method == method);
    lines.extend(of.filter(|one| one.tests > 1).map(|one| match one.spread.filter(|_| one.answers > 1) {
        Some((low, high)) => format!("Over {} seeds it varies by a factor of {:.1}.", one.answers, high / low),
        None if one.answers == 0 => "No seed has an answer by itself: only the mean of all learned.".to_string(),
        None => format!("Only {} of {} seeds has an answer.", one.answers, one.tests),
    }));
    lines.push(match range(suggestions) {
        Some((low, high)) if high / low <= AGREE => format!("The methods agree within a factor of {:.1}.", high / low),
        Some((low, high)) => format!(
            "The methods differ by a factor of {:.1}, from {} to {}: check the chart before a long run.",
            high / low,
            show(low),
            show(high)
        ),
        None => "No other method suggests a rate to compare it with.".to_string(),
    });
    let refuted = suggestions.iter().filter(|one| one.method == Method::Refined && method != Method::Refined);
    lines.extend(refuted.filter_map(|one| one.answer.as_ref().err()).map(|why| {
        format!(
            "But {why}: this rate may be too high, or the runs too short; try a lower one first, or a longer --refine."
        )
    }));
    if tests.recorded.config.get("validation").and_then(Value::as_str) == Some("test") {
        lines.push("The accuracies are of the test images, which have been used to choose this rate.".to_string());
    }
    lines.extend(tests.of_other_rows(suggestions).map(|recorded| {
        format!("find.json has {}: rows are missing here, or another version suggested it.", show(recorded))
    }));
    lines.extend(tests.of_more().map(|seeds| {
        let (shown, record) = (tests.tests.len(), Path::new(&tests.name).join(FIND_JSON));
        let rate = tests.recorded.suggested_lr.map_or(String::new(), |rate| format!(", {},", show(rate)));
        format!(
            "This is from {shown} of {seeds} seeds: {} has the rate of all{rate} and the commands that train at it.",
            record.display()
        )
    }));
    lines
}

/// The summary of a page without runs: the verdict, or the rate of each of several tests.
pub fn summary(tests: &[RangeTests], said: &[Vec<Combined>]) -> Vec<Paragraph> {
    let several = tests.len() > 1;
    let of_test = |(tests, said): (&RangeTests, &Vec<Combined>)| {
        let mut verdict = verdict(tests, said);
        let rest = verdict.split_off(1);
        Paragraph {
            about: if several { tests.name.clone() } else { String::new() },
            answer: verdict.remove(0),
            rest: if several { Vec::new() } else { rest },
            of: Subject::RangeTest,
        }
    };
    tests.iter().zip(said).map(of_test).collect()
}

/// The suggestions for a terminal of `width` columns: method, rate, spread over the seeds, and why.
pub fn terminal(suggestions: &[Combined], width: usize) -> String {
    let cells: Vec<[String; 3]> = suggestions
        .iter()
        .map(|one| {
            let rate = one.answer.as_ref().map_or(UNKNOWN.to_string(), |answer| show(answer.rate));
            [one.method.name().to_string(), rate, spread(one)]
        })
        .collect();
    let heads = ["method", "rate", if suggestions.iter().any(|one| one.tests > 1) { "spread" } else { "" }];
    let widest = |i: usize| cells.iter().map(|row| row[i].chars().count()).max().unwrap_or(0).max(heads[i].len());
    let widths = [widest(0), widest(1), widest(2)];
    let indent = widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum::<usize>();
    let mut out = String::new();
    let mut push = |row: [&str; 3], why: &str| {
        let mut line = format!("{:1$}", row[0], widths[0]);
        let _ = write!(line, "  {:>1$}", row[1], widths[1]);
        if widths[2] > 0 {
            let _ = write!(line, "  {:1$}", row[2], widths[2]);
        }
        let mut pieces = wrap::words(why, width.saturating_sub(indent).max(20)).into_iter();
        let _ = writeln!(out, "{line}  {}", pieces.next().unwrap_or_default());
        for piece in pieces {
            let _ = writeln!(out, "{:indent$}{piece}", "");
        }
    };
    push(heads, "why");
    for (row, why) in cells.iter().zip(reasons(suggestions)) {
        push([&row[0], &row[1], &row[2]], &why);
    }
    out
}
