//! The texts of progress: lines and bars that fit the terminal.

use crate::config::{RunConfig, unused_rate};
use crate::data::Tta;
use crate::number::{exact, rate};
use crate::optim::{Group, Grouping};
use crate::record::{EpochRow, Role};
use crate::schedule::Spec;
use std::cell::Cell;

/// A name behind its number is never shortened below this, even if the line then wraps.
const LEAST_NAME: usize = 12;
/// The same for the bar of a run among several.
const LEAST_BAR: usize = 4;

/// One of several runs, as its lines and its bar name it.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub name: String,
    /// Its place in the plan, from 1.
    pub number: usize,
    /// The number of runs in the plan.
    pub of: usize,
    /// What it is for, if runs differ in that.
    pub role: Option<Role>,
}

impl Label {
    /// The line that introduces the run: the name in full, whatever its length, since others may refer to its number.
    pub fn introduction(&self) -> String {
        let role = self.role.as_ref().map_or(String::new(), |role| format!(", {role}"));
        format!("run {}/{}{role}: {}", self.number, self.of, self.name)
    }

    /// The number and the shortened name. Names that differ in the middle only may be shortened to the same text, so
    /// the number tells runs apart.
    fn short(&self, longest: usize, columns: usize) -> String {
        let digits = self.of.to_string().len();
        let room = self.width(longest, columns) - digits - 1;
        format!("{:>digits$} {}", self.number, shortened(&self.name, room))
    }

    /// The columns of [`Label::short`], the same for all runs of a plan whose longest name has `longest` characters. The
    /// other columns are for the numbers of a line.
    fn width(&self, longest: usize, columns: usize) -> usize {
        let number = self.of.to_string().len() + 1;
        number + longest.min((columns / 3).saturating_sub(number).max(LEAST_NAME))
    }
}

/// Shortens `name` to at most `room` characters: without the parameters of optimizer and schedule, then without its middle.
/// `sgd_momentum=0.9,nesterov_step_factor=0.5_lr=0.1_seed=0` becomes `sgd…_step…_lr=0.1_seed=0`.
pub(super) fn shortened(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_string();
    }
    let is_named = |part: &str| ["lr=", "seed="].iter().any(|own| part.starts_with(own)) && !part.contains(',');
    let mut parts: Vec<String> = Vec::new();
    for part in name.split('_') {
        match parts.last_mut() {
            Some(last) if !is_named(part) && part.contains('=') => last.push('…'),
            _ => parts.push(part.to_string()),
        }
    }
    let name = &parts.join("_");
    let length = name.chars().count();
    if length <= room {
        return name.to_string();
    }
    let kept = room.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    name.chars().take(head).chain(['…']).chain(name.chars().skip(length - tail)).collect()
}

/// A line of one of several runs at once: its name first, in full unless on a terminal, where all labels take equally
/// many columns. `text` gets the columns that are left.
pub(super) fn named(label: &Label, longest: usize, columns: usize, text: impl Fn(usize) -> String) -> String {
    if columns == usize::MAX {
        return format!("{}: {}", label.name, text(columns));
    }
    let width = label.width(longest, columns) + 1;
    let name = format!("{}:", label.short(longest, columns));
    format!("{name:<width$} {}", text(columns.saturating_sub(width + 1)))
}

/// What else a run does with its gradients, weights and test images: `clip-norm 1, average ema:decay=0.99`.
pub(super) fn beside(config: &RunConfig) -> Option<String> {
    let parts = [
        config.clip_value.map(|limit| format!("clip-value {}", exact(limit))),
        config.clip_norm.map(|limit| format!("clip-norm {}", exact(limit))),
        config.average.as_ref().map(|average| format!("average {average}")),
        (config.tta != Tta::None).then(|| format!("tta {}", config.tta.name())),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The parameter groups of a run, one line each, and what the user may not expect of them.
pub fn group_lines(grouping: &Grouping) -> Vec<String> {
    let group = |group: &Group| {
        // One whose schedule has rates of its own never has this one.
        let lr = group.lr.filter(|lr| group.schedule.as_ref().is_none_or(|own| unused_rate(*lr, own).is_none()));
        let lr = match (lr, group.lr) {
            (Some(lr), _) => format!(" at {}", exact(lr)),
            (None, Some(_)) => String::new(),
            (None, None) => " at the same rate".to_string(),
        };
        let schedule = group.schedule.as_ref().map_or("the same schedule".to_string(), Spec::to_string);
        let frozen = group.freeze_after.map_or(String::new(), |time| format!(", frozen after {time}"));
        format!("group {}: {}{lr}, {schedule}{frozen}", group.name, group.optimizer)
    };
    let notes = grouping.notes.iter().map(|note| format!("note: {note}"));
    grouping.groups.iter().map(group).chain(notes).collect()
}

/// `what; length`, or a line for each if they do not fit `columns` together.
pub(super) fn one_or_two(what: &str, length: &str, columns: usize) -> Vec<String> {
    let one = format!("{what}; {length}");
    if one.chars().count() <= columns { vec![one] } else { vec![what.to_string(), length.to_string()] }
}

/// The layout of the lines of epochs: what was dropped of one stays dropped, as long as there is as much room.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EpochLayout {
    room: usize,
    dropped: usize,
}

/// The line of an epoch in at most `room` columns: the least important fields are dropped first.
pub(super) fn epoch_line(row: &EpochRow, room: usize, layout: &Cell<EpochLayout>) -> String {
    let accuracies = |accuracy: &str| {
        let (training, validation) = (format!("{accuracy} {:.4}", row.accuracy), optional(row.val_accuracy));
        (training, format!("val_{accuracy} {validation}"))
    };
    let cells = |accuracy: &str, speed: &str| {
        let (training, validation) = accuracies(accuracy);
        // Drop priority of each field; 0 is never dropped.
        vec![
            (0, format!("epoch {:>3}", row.epoch)),
            (0, format!("loss {}", decimals(row.loss))),
            (3, training),
            (4, format!("val_loss {}", optional(row.val_loss))),
            (0, validation),
            (5, format!("lr {}", rate(row.learning_rate))),
            (1, format!("{:.0} {speed}", row.images_per_second)),
            (2, format!("{:.1} s", row.seconds)),
        ]
    };
    let join = |cells: &[(usize, String)]| cells.iter().map(|(_, cell)| cell.as_str()).collect::<Vec<_>>().join("  ");
    let long = join(&cells("accuracy", "images/s"));
    let short = cells("acc", "img/s");
    let line = |dropped: usize| match dropped {
        0 => long.clone(),
        // The first step shortens words.
        dropped => join(&short.iter().filter(|(soon, _)| *soon == 0 || *soon >= dropped).cloned().collect::<Vec<_>>()),
    };
    const MOST: usize = 6;
    let fits = |dropped: &usize| line(*dropped).chars().count() <= room;
    let before = layout.get();
    let already = if before.room == room { before.dropped } else { 0 };
    let dropped = (already..MOST).find(fits).unwrap_or(MOST);
    layout.set(EpochLayout { room, dropped });
    line(dropped)
}

/// Where a run is, for its bar among several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub label: &'a Label,
    /// The length of the longest name of all runs: the bars are aligned.
    pub longest: usize,
    /// From 1.
    pub epoch: u64,
    pub epochs: u64,
}

impl Place<'_> {
    /// What stands before the bar.
    pub fn before_bar(&self, columns: usize) -> String {
        let Place { label, longest, epoch, epochs } = *self;
        let width = label.width(longest, columns);
        let digits = epochs.to_string().len();
        format!("{:<width$}  epoch {epoch:>digits$}/{epochs}", label.short(longest, columns))
    }

    /// What stands after the bar: the least important numbers are dropped until it fits `columns`.
    pub fn after_bar(&self, step: &Numbers, columns: usize) -> String {
        let room = columns.saturating_sub(self.before_bar(columns).chars().count() + LEAST_BAR + 2);
        step.text(room)
    }
}

/// The numbers of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub loss: f64,
    pub accuracy: f64,
    pub learning_rate: f64,
    pub images_per_second: f64,
}

impl Numbers {
    /// In at most `room` columns if possible; the loss always stays.
    pub fn text(&self, room: usize) -> String {
        // Wide enough for most values, so that bars stay aligned.
        let mut cells = vec![
            format!("loss {}", decimals(self.loss)),
            format!("acc {:.3}", self.accuracy),
            format!("lr {:<8}", rate(self.learning_rate)),
            format!("{:>5.0} img/s", self.images_per_second),
        ];
        while cells.len() > 1 && cells.iter().map(|cell| cell.chars().count() + 1).sum::<usize>() > room + 1 {
            cells.pop();
        }
        cells.join(" ")
    }
}

/// A number that may be unknown.
pub(super) fn optional(value: Option<f64>) -> String {
    value.map_or("-".to_string(), decimals)
}

/// Four decimals, or a power of ten where there would be more than seven digits before them: an exploded loss.
pub(super) fn decimals(value: f64) -> String {
    if value.is_finite() && value.abs() >= 1e7 { format!("{value:.3e}") } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stage;

    const LONG: &str = "sgd_momentum=0.9_piecewise_milestones=50%,75%,factor=0.1_lr=0.1_seed=12";

    fn label(number: usize, name: &str) -> Label {
        Label { name: name.to_string(), number, of: 16, role: None }
    }

    fn row(learning_rate: f64) -> EpochRow {
        EpochRow {
            epoch: 123,
            learning_rate,
            loss: 2.25,
            accuracy: 0.1,
            val_loss: Some(2.25),
            val_accuracy: Some(0.1),
            step: 100,
            images_per_second: 12345.6,
            seconds: 123.45,
            ..EpochRow::default()
        }
    }

    #[test]
    fn an_exploded_loss_is_a_power_of_ten() {
        assert_eq!(
            [2.25, 9_999_999.0, 1.8132e34, f64::NAN].map(decimals),
            ["2.2500", "9999999.0000", "1.813e34", "NaN"]
        );
    }

    #[test]
    fn the_line_of_an_epoch_fits_the_terminal_and_keeps_loss_and_validation_accuracy() {
        for columns in [60, 80, 100, 140] {
            for lr in [0.1, 3.14159e-5] {
                let line = epoch_line(&row(lr), columns, &Cell::default());
                assert!(line.chars().count() <= columns, "{columns}: {line}");
                assert!(line.starts_with("epoch 123  loss 2.2500  ") && line.contains("acc"), "{line}");
            }
        }
        let whole = "epoch 123  loss 2.2500  accuracy 0.1000  val_loss 2.2500  val_accuracy 0.1000  lr 3.142e-5  12346 images/s  123.5 s";
        assert_eq!(epoch_line(&row(3.14159e-5), usize::MAX, &Cell::default()), whole, "a file has no width");
        assert_eq!(
            epoch_line(&row(0.1), 80, &Cell::default()),
            "epoch 123  loss 2.2500  acc 0.1000  val_loss 2.2500  val_acc 0.1000  lr 0.1"
        );
    }

    #[test]
    fn a_field_that_one_line_has_no_room_for_is_in_none_after_it_until_there_is_more_room() {
        let layout = Cell::default();
        let has_accuracy = |lr, room| epoch_line(&row(lr), room, &layout).contains("  acc 0.1000");
        let seen =
            [(0.1, 78), (3.14159e-5, 78), (0.1, 78), (0.1, 80), (0.1, 78)].map(|(lr, room)| has_accuracy(lr, room));
        assert_eq!(seen, [true, false, false, true, true]);
    }

    #[test]
    fn the_lines_of_runs_at_once_begin_with_their_names_fit_the_terminal_and_are_aligned() {
        let line = |number, name: &str, columns| {
            named(&label(number, name), LONG.len(), columns, |room| epoch_line(&row(0.1), room, &Cell::default()))
        };
        for columns in [60, 80, 100, 140] {
            let long = line(12, LONG, columns);
            assert!(long.chars().count() <= columns, "{columns}: {long}");
            assert!(long.starts_with("12 sgd…_pi") && long.contains("seed=12: "), "{long}");
            assert!(long.contains(" epoch 123  loss 2.2500  "), "{long}");
            assert!(long.contains("val_acc 0.1000"), "{long}");
            let short = line(3, "adam_step_seed=0", columns);
            assert!(short.starts_with(" 3 adam_step_seed=0:"), "{short}");
            let saved = named(&label(3, "a"), LONG.len(), columns, |_| "epoch".to_string());
            let before_epoch = |line: &str| line.split("epoch").next().map(|before| before.chars().count());
            assert_eq!(before_epoch(&short), before_epoch(&long), "{short}\n{long}");
            assert_eq!(before_epoch(&saved), before_epoch(&long), "{saved}\n{long}");
        }
        let line = line(12, LONG, usize::MAX);
        assert!(line.starts_with(&format!("{LONG}: epoch 123  loss 2.2500  accuracy")), "{line}");
    }

    #[test]
    fn runs_whose_names_differ_only_in_the_middle_are_told_apart_on_a_terminal() {
        let names = ["0.001", "0.002"]
            .map(|decay| format!("sgd_momentum=0.9,weight-decay={decay},nesterov_cosine_lr=0.1_seed=0"));
        let labels = [label(1, &names[0]), label(2, &names[1])];
        let longest = names[0].len();
        let [first, second] = [0, 1].map(|at| named(&labels[at], longest, 80, |_| "saved".to_string()));
        assert_eq!(first.replacen(" 1 ", " 2 ", 1), second, "the shortened names are the same");
        assert_ne!(first, second);
        let [first, second] =
            [0, 1].map(|at| Place { label: &labels[at], longest, epoch: 1, epochs: 2 }.before_bar(80));
        assert_ne!(first, second);
        // The number says which is which.
        assert_eq!(labels[1].introduction(), format!("run 2/16: {}", names[1]));
    }

    #[test]
    fn a_run_that_chooses_is_introduced_with_what_it_is_for() {
        let role = |stage, study, trial| Role { entrant: "sgd/cosine".into(), stage, study, trial, finalists: None };
        let introduced = |role| Label { role: Some(role), ..label(2, "a") }.introduction();
        for (role, told) in [
            (role(Stage::Trial, Some(1), Some(4)), "run 2/16, trial 4 of study 1: a"),
            (role(Stage::SecondLook, Some(0), Some(3)), "run 2/16, second look at trial 3 of study 0: a"),
            (role(Stage::Screening, None, None), "run 2/16, screening: a"),
            (role(Stage::Final, Some(2), Some(3)), "run 2/16, final of study 2: a"),
        ] {
            assert_eq!(introduced(role), told);
        }
    }

    #[test]
    fn the_bar_of_one_of_several_runs_fits_the_terminal_and_the_bars_are_aligned() {
        let numbers = Numbers { loss: 2.25, accuracy: 0.1, learning_rate: 3.14159e-5, images_per_second: 12345.6 };
        for (columns, last) in [(60, "acc 0.100"), (80, "lr 3.142e-5"), (140, "12346 img/s")] {
            let lengths = [label(9, LONG), label(10, "sgd_cosine_seed=0")].map(|label| {
                let place = Place { label: &label, longest: LONG.len(), epoch: 3, epochs: 10 };
                let (before, after) = (place.before_bar(columns), place.after_bar(&numbers, columns));
                let (before_length, after_length) = (before.chars().count(), after.chars().count());
                assert!(before_length + after_length + 2 + LEAST_BAR <= columns, "{columns}: {before}|{after}");
                assert!(before.ends_with("  epoch  3/10") && after.starts_with("loss 2.2500"), "{before}|{after}");
                assert!(after.ends_with(last), "{columns}: {after}");
                (before_length, after_length)
            });
            assert_eq!(lengths[0], lengths[1], "{columns}");
        }
    }

    #[test]
    fn what_is_trained_takes_two_lines_where_one_would_break_inside_a_word() {
        let what = "tiny on 5000 synthetic images, 2042 parameters, cpu engine";
        let length = "12 epochs of 40 steps";
        assert_eq!(one_or_two(what, length, 80), [what, length]);
        assert_eq!(one_or_two(what, length, 81), [format!("{what}; {length}")]);
        assert_eq!(one_or_two(what, length, usize::MAX).len(), 1);
    }

    #[test]
    fn a_long_name_loses_its_parameters_and_then_its_middle() {
        assert_eq!(shortened("sgd_cosine_lr=0.1_seed=0", 80), "sgd_cosine_lr=0.1_seed=0");
        assert_eq!(shortened(LONG, 30), "sgd…_piecewise…_lr=0.1_seed=12");
        let short = shortened(LONG, 20);
        assert!(
            short.chars().count() == 20 && short.starts_with("sgd…_piec") && short.ends_with("_seed=12"),
            "{short}"
        );
        let rated = "sgd_lr=0.005,momentum=0.9_wsd_lr=0.005_seed=0";
        assert_eq!(shortened(rated, 30), "sgd…_wsd_lr=0.005_seed=0");
    }
}
