//! `lrsched help schedules` and `help optimizers`: formulas and parameters, from the same tables as the parsers.

use super::{output, settings};
use crate::number::exact;
use crate::optim::{self, OptimizerSpec};
use crate::report::wrap;
use crate::schedule::{Semantics, table, universal};
use crate::spec::{Entry, Parameter};
use anyhow::Result;
use clap::{Arg, Command};
use std::collections::BTreeMap;

/// Prints the list of schedules.
///
/// # Errors
/// stdout cannot be written.
pub fn schedules() -> Result<u8> {
    output::emit(None, text_of_schedules(settings::text_width()).as_bytes())
}

/// Prints the list of optimizers.
///
/// # Errors
/// stdout cannot be written.
pub fn optimizers() -> Result<u8> {
    output::emit(None, text_of_optimizers(settings::text_width()).as_bytes())
}

/// Prints the schedule or the optimizer of this name; `None` if there is neither.
pub fn one(name: &str) -> Option<Result<u8>> {
    let of = |entries: &'static [Entry]| entries.iter().find(|entry| entry.name == name);
    let mut text = Text::new(settings::text_width());
    if let Some(schedule) = of(table()) {
        text.describe(schedule);
        text.heading("as for any schedule");
        text.parameters(universal());
    } else if name == SEQUENCE {
        text.sequence();
    } else {
        text.describe_optimizer(of(optim::table())?);
    }
    Some(output::emit(None, text.lines.trim_start().as_bytes()))
}

/// Prints the flag of this name, and which of the commands of `program` take it; `None` if none does.
pub fn flag(program: &Command, name: &str) -> Option<Result<u8>> {
    // Commands that say the same of it are told together.
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for (command, flag) in all_flags(program).filter(|(_, flag)| flag.get_long() == Some(name)) {
        let text = text_of_flag(flag);
        match told.iter_mut().find(|(other, _)| *other == text) {
            Some((_, commands)) => commands.push(command),
            None => told.push((text, vec![command])),
        }
    }
    let text: Vec<String> = told.iter().map(|(text, commands)| format!("{}:\n{text}\n", commands.join(", "))).collect();
    (!text.is_empty()).then(|| output::emit(None, text.join("\n").as_bytes()))
}

/// The flag as `--help` has it.
fn text_of_flag(flag: &Arg) -> String {
    let mut alone = Command::new("flag").disable_help_flag(true).help_template("{options}").arg(flag.clone());
    alone.render_long_help().to_string().trim_end().to_string()
}

/// The names of all flags, each with what the first command that has it says of it.
pub fn flags(program: &Command) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    for (_, flag) in all_flags(program) {
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        flag.get_long().map(|name| flags.entry(name.to_string()).or_insert(help));
    }
    flags
}

/// Every flag with its command: `train`, `data fetch`, or every one.
fn all_flags(program: &Command) -> impl Iterator<Item = (String, &Arg)> {
    let commands = program.get_subcommands().flat_map(|command| {
        let name = command.get_name();
        let inner = command.get_subcommands().map(move |inner| (format!("{name} {}", inner.get_name()), inner));
        std::iter::once((name.to_string(), command)).chain(inner)
    });
    std::iter::once(("every command".to_string(), program))
        .chain(commands)
        .flat_map(|(name, command)| command.get_arguments().map(move |flag| (name.clone(), flag)))
        // `resume` knows what it refuses, to say why.
        .filter(|(_, flag)| !flag.is_hide_set())
}

/// What schedules joined by `;` are explained as.
const SEQUENCE: &str = "sequence";

/// The names that [`one`] takes.
pub fn names() -> Vec<&'static str> {
    table().iter().chain(optim::table()).map(|entry| entry.name).chain([SEQUENCE]).collect()
}

fn text_of_optimizers(width: usize) -> String {
    let mut text = Text::new(width);
    text.paragraph("An optimizer is given by flags (--optimizer sgd --momentum 0.9) or as one spec (--optimizer sgd:momentum=0.9,lr=0.05).");
    text.paragraph(
        "g: gradient; θ: weights; lr: the rate set by the schedule. Every optimizer works with every schedule.",
    );
    optim::table().iter().for_each(|entry| text.describe_optimizer(entry));
    text.lines
}

fn text_of_schedules(width: usize) -> String {
    let mut text = Text::new(width);
    text.paragraph(
        "A schedule is given by flags (--schedule step --factor 0.5) or as one spec (--schedule step:factor=0.5).",
    );
    text.paragraph("t: step, 0-based; e: epoch, 0-based; T: number of steps of the run; lr: base learning rate.");
    text.paragraph("Durations: 10 (epochs, or steps if the parameter says so), 10ep, 400st, 30% of the run. Rates: 0.1, or 3x for three times lr.");
    table().iter().for_each(|entry| text.describe(entry));
    text.heading("any schedule");
    text.parameters(universal());
    text.sequence();
    text.lines
}

/// Lines of at most `width` characters.
struct Text {
    width: usize,
    lines: String,
}

impl Text {
    fn new(width: usize) -> Self {
        Self { width, lines: String::new() }
    }

    fn paragraph(&mut self, text: &str) {
        self.lines += &wrap::under("", 0, text, self.width);
    }

    fn heading(&mut self, text: &str) {
        self.lines += &wrap::under("\n", 2, text, self.width);
    }

    fn item(&mut self, text: &str) {
        self.lines += &wrap::under("  ", 4, text, self.width);
    }

    fn describe(&mut self, entry: &Entry) {
        self.heading(&format!("{}: {}", entry.name, entry.summary));
        self.item(entry.formula);
        self.parameters(entry.parameters);
        self.item(&format!("from: {}", entry.source));
    }

    fn sequence(&mut self) {
        self.heading("a sequence");
        self.item("Specs joined by `;`, each with its own clock, and all but the last with for=DURATION:");
        self.item("constant:for=5ep;cosine");
    }

    fn describe_optimizer(&mut self, entry: &Entry) {
        self.describe(entry);
        let Ok(spec) = OptimizerSpec::from_flags(entry.name, &[]) else { return };
        let (usual, (low, high)) = (spec.default_learning_rate(Semantics::Native), spec.tuned_range(Semantics::Native));
        let with_momentum = OptimizerSpec::from_flags(&format!("{}:momentum=0.5", entry.name), &[]);
        let scaled = with_momentum.is_ok_and(|with| with.tuned_range(Semantics::Native) != (low, high));
        let by_momentum = if scaled { ", times 1 − momentum" } else { "" };
        self.item(&format!("usual lr: {usual}; tuned from {} to {}{by_momentum}", exact(low), exact(high)));
    }

    fn parameters(&mut self, parameters: &[Parameter]) {
        let width = parameters.iter().map(|parameter| parameter.name.len()).max().unwrap_or(0);
        for parameter in parameters {
            let (name, help, default) = (parameter.name, parameter.help(), parameter.shown_default());
            let default = if default.is_empty() { String::new() } else { format!(" ({default})") };
            let before = format!("    {name:width$}  ");
            self.lines += &wrap::under(&before, before.len(), &format!("{help}{default}"), self.width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::UNLIMITED;

    #[test]
    fn every_schedule_and_optimizer_is_listed_with_its_formula_and_parameters() {
        for (text, table) in [(text_of_schedules(UNLIMITED), table()), (text_of_optimizers(UNLIMITED), optim::table())]
        {
            for entry in table {
                assert!(
                    text.contains(&format!("\n{}: ", entry.name)) && text.contains(entry.formula),
                    "{}",
                    entry.name
                );
                assert!(entry.parameters.iter().all(|parameter| text.contains(parameter.name)), "{}", entry.name);
            }
        }
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal_at_most_and_say_the_same() {
        let words = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        for text in [text_of_schedules, text_of_optimizers] {
            let narrow = text(60);
            assert_eq!(words(&narrow), words(&text(UNLIMITED)));
            for line in narrow.lines() {
                assert!(line.chars().count() <= 60 && line.trim_end() == line, "{line}");
            }
        }
    }
}
