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
    /// Once more the command of a complete comparison, which says what there is to train.
    Again,
    /// What is still to be trained of a run, one of so many that did not come to their end.
    Resume { of: usize },
    /// The leader by itself; if several studies tuned it, as the one with the median rate has it.
    Train { is_winner: bool, of_studies: bool },
    /// The leader as code of another framework.
    Export { is_winner: bool, to: Framework },
    /// So many results of each entrant, which support a claim.
    Claim { unit: Unit, count: usize },
    /// Rates closer to the ends of what was tried, at which some of the best lie: so many trials of each entrant.
    Trials { count: u64 },
    /// A claim about schedules instead of settings: by tuning them, or by so many studies of what was tuned once.
    Schedules { studies: Option<usize> },
    /// Who is the best of those that may be: by so many fresh studies.
    Settle { studies: usize },
}

/// What a command trains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    pub runs: usize,
    /// About how long they take, judged by the runs that exist.
    pub seconds: Option<f64>,
}

impl Purpose {
    /// Whether it goes on with what was begun.
    pub const fn is_rest(self) -> bool {
        matches!(self, Self::GoOn | Self::Resume { .. })
    }

    /// `the least for a claim, 3 seeds`
    pub fn words(self) -> String {
        match self {
            Self::GoOn => "go on".into(),
            Self::Again => "to see whether more runs would help, training none".into(),
            Self::Resume { of: 1 } => "go on with the interrupted run".into(),
            Self::Resume { of } => format!("go on with one of {} interrupted runs", grouped(of as u64)),
            Self::Trials { count } => {
                let trials = counted(count, "trial");
                format!("to reach closer to the edge of what was tried, {trials}, from which more runs may follow")
            }
            Self::Train { is_winner, of_studies } => {
                let which = if is_winner { "the winner" } else { "the best so far" };
                format!("train {which}{}", if of_studies { " at the median of its rates" } else { "" })
            }
            Self::Export { is_winner: true, to } => format!("take the winner to {}", to.title()),
            Self::Export { is_winner: false, to } => format!("take the best so far to {}", to.title()),
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
