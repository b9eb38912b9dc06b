//! A report as Markdown: what it says first, then the table of the entrants and the verdict on each.

use super::super::analysis::{Analysis, Group, Target};
use super::super::escape::{markdown as text, markdown_name};
use super::super::summary::Paragraph;
use super::super::table;
use crate::number::{counted, nominal};
use std::fmt::Write as _;

/// The table of the entrants of each group, and the verdict on each, as Markdown.
pub fn of(title: &str, summary: &[Paragraph], groups: &[Group<'_>], target: Option<f64>) -> String {
    let paragraphs: Vec<String> = summary.iter().map(|one| text(&one.parts().join(" "))).collect();
    let mut out = format!("# {}\n\n{}\n", text(title), paragraphs.join("\n\n"));
    if groups.is_empty() {
        return out;
    }
    for group in groups {
        if groups.len() > 1 {
            let _ = writeln!(out, "\n## {}", text(group.label));
        }
        let (entrants, names) = table::of_groups(std::slice::from_ref(group), None);
        let _ = writeln!(out, "\n{}", table::markdown(&entrants, &names));
        for analysis in &group.analyses {
            let reached = target.map_or(String::new(), |target| format!("; {}", to_target(analysis, target)));
            let _ = writeln!(out, "- {}: {}{reached}", markdown_name(&analysis.name), text(&analysis.verdict));
        }
    }
    let _ = writeln!(out, "\n{}", text(&table::legend(groups, None)));
    out
}

/// `80 % after 1,234 steps, 45s (2 of 3 runs)`, or that no run reached it.
fn to_target(analysis: &Analysis<'_>, target: f64) -> String {
    let wanted = format!("{} %", nominal(100.0 * target));
    let runs = analysis.entrant.finished().count();
    match analysis.target {
        Some(Target { reached, steps: Some(steps), seconds }) => {
            let time = seconds.map_or(String::new(), |seconds| format!(", {}", table::duration(seconds)));
            let steps = counted(steps.round() as u64, "step");
            format!("{wanted} after {steps}{time} ({reached} of {})", counted(runs as u64, "run"))
        }
        _ => format!("{wanted} not reached"),
    }
}
