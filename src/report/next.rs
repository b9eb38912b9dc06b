//! What to do next with a comparison: commands to paste, what each is for and what it costs.

use super::analysis::Unit;
use super::escape::{escape, markdown as markdown_text};
use super::html::command;
use super::table::duration;
use crate::export::Framework;
use crate::number::{counted, grouped};
use crate::usage::capitalised;

/// A command, and what it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct NextStep {
    pub purpose: Purpose,
    /// Unknown where it is that of a run.
    pub cost: Option<Cost>,
    pub line: String,
}

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What is still to be trained of a comparison.
    GoOn,
    /// What is still to be trained of a run.
    Resume,
    /// The leader by itself; if several studies tuned it, as the one with the median rate has it.
    Train { of: Leader, of_studies: bool },
    /// The leader as code of another framework.
    Export { of: Leader, to: Framework },
    /// So many results of each entrant, which support a claim.
    Claim { unit: Unit, count: usize },
    /// A claim about schedules instead of settings: by tuning them, or by so many studies of what was tuned once.
    Schedules { studies: Option<usize> },
    /// Who is the best of those that may be: by so many fresh studies.
    Settle { studies: usize },
}

/// The run that leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leader {
    pub is_winner: bool,
    /// It was changed by hand, which no command repeats.
    pub is_changed: bool,
}

impl Leader {
    pub const fn name(self) -> &'static str {
        if self.is_winner { "the winner" } else { "the best so far" }
    }

    const fn but(self) -> &'static str {
        if self.is_changed { ", without the changes by hand" } else { "" }
    }
}

/// What a command trains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    pub runs: usize,
    /// About how long they take, judged by the runs that exist.
    pub seconds: Option<f64>,
}

impl Purpose {
    /// `the least for a claim, 3 seeds`
    pub fn words(self) -> String {
        match self {
            Self::GoOn => "go on".into(),
            Self::Resume => "go on with the interrupted run".into(),
            Self::Train { of, of_studies } => {
                let median = if of_studies { " at the median of its rates" } else { "" };
                format!("train {}{median}{}", of.name(), of.but())
            }
            Self::Export { of, to } => format!("take {} to {}{}", of.name(), to.title(), of.but()),
            Self::Claim { unit, count } => format!("the least for a claim, {}", unit.counted(count)),
            Self::Schedules { studies: None } => "for a claim about schedules, tuned".into(),
            Self::Schedules { studies: Some(count) } => {
                format!("for a claim about schedules, {}", Unit::Study.counted(count))
            }
            Self::Settle { studies } => {
                format!("to tell the leader of these from the next, {} fresh studies", grouped(studies as u64))
            }
        }
    }
}

impl Cost {
    /// `90 runs, about 12m`
    fn words(self) -> String {
        let runs = counted(self.runs as u64, "run");
        self.seconds.map_or_else(|| runs.clone(), |seconds| format!("{runs}, about {}", duration(seconds)))
    }
}

impl NextStep {
    /// `the least for a claim, 3 seeds (4 runs, about 2m)`
    pub fn words(&self) -> String {
        let cost = self.cost.map_or(String::new(), |cost| format!(" ({})", cost.words()));
        format!("{}{cost}", self.purpose.words())
    }
}

/// All of them for the page.
pub fn html(next: &[NextStep]) -> String {
    let one = |next: &NextStep| format!("<p>{}:</p>{}\n", escape(&capitalised(&next.words())), command(&next.line));
    if next.is_empty() {
        return String::new();
    }
    format!("<div class=next>{}</div>\n", next.iter().map(one).collect::<String>())
}

/// The same as Markdown.
pub fn markdown(next: &[NextStep]) -> String {
    let one =
        |next: &NextStep| format!("\n{}:\n\n```\n{}\n```\n", markdown_text(&capitalised(&next.words())), next.line);
    next.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_run_that_was_changed_by_hand_it_is_said_that_the_command_leaves_that_out() {
        let words = |is_changed| {
            let of = Leader { is_winner: false, is_changed };
            let to = Framework::Torch;
            [Purpose::Train { of, of_studies: false }, Purpose::Export { of, to }].map(Purpose::words)
        };
        assert_eq!(words(false), ["train the best so far", "take the best so far to PyTorch"]);
        assert_eq!(
            words(true),
            [
                "train the best so far, without the changes by hand",
                "take the best so far to PyTorch, without the changes by hand"
            ]
        );
    }
}
