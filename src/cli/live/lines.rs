//! The texts of progress: lines and bars that fit the terminal.

use crate::number::rate;
use crate::record::EpochRow;

/// A name is never shortened below this, even if the line then wraps.
const LEAST_NAME: usize = 20;
/// The same for the bar of a run among several.
const LEAST_BAR: usize = 4;

/// Shortens `name` to at most `room` characters, keeping both ends: these distinguish runs.
pub(super) fn shortened(name: &str, room: usize) -> String {
    let length = name.chars().count();
    if length <= room {
        return name.to_string();
    }
    let kept = room.saturating_sub(1);
    let (head, tail) = (kept - kept / 2, kept / 2);
    name.chars().take(head).chain(['…']).chain(name.chars().skip(length - tail)).collect()
}

/// `first`, then `name`, shortened so that the line fits `columns`.
pub(super) fn ending_with(first: &str, name: &str, columns: usize) -> String {
    format!("{first}{}", shortened(name, columns.saturating_sub(first.chars().count()).max(LEAST_NAME)))
}

/// `name: text`, the name shortened so that the line fits `columns`.
pub(super) fn named(name: &str, text: &str, columns: usize) -> String {
    format!("{}: {text}", shortened(name, columns.saturating_sub(text.chars().count() + 2).max(LEAST_NAME)))
}

/// Columns for the name of one of several runs; the others are for its numbers.
fn room_for_name(name: usize, columns: usize) -> usize {
    name.min((columns / 3).max(LEAST_NAME))
}

/// The line of an epoch of one of several runs at once: its name first. On a terminal, the names take equally many
/// columns.
pub(super) fn epoch_line_of(name: &str, longest: usize, row: &EpochRow, columns: usize) -> String {
    if columns == usize::MAX {
        return format!("{name}: {}", epoch_line(row, columns));
    }
    let room = room_for_name(longest, columns);
    let name = format!("{}:", shortened(name, room));
    format!("{name:<width$} {}", epoch_line(row, columns.saturating_sub(room + 2)), width = room + 1)
}

/// The line of an epoch in at most `room` columns: the least important fields are dropped first.
pub(super) fn epoch_line(row: &EpochRow, room: usize) -> String {
    let accuracies = |accuracy: &str| {
        let (training, validation) = (format!("{accuracy} {:.4}", row.accuracy), optional(row.val_accuracy));
        (training, format!("val_{accuracy} {validation}"))
    };
    let cells = |accuracy: &str, speed: &str| {
        let (training, validation) = accuracies(accuracy);
        // Drop priority of each field; 0 is never dropped.
        vec![
            (0, format!("epoch {:>3}", row.epoch)),
            (0, format!("loss {:.4}", row.loss)),
            (3, training),
            (4, format!("val_loss {}", optional(row.val_loss))),
            (0, validation),
            (5, format!("lr {}", rate(row.learning_rate))),
            (1, format!("{:.0} {speed}", row.images_per_second)),
            (2, format!("{:.1} s", row.seconds)),
        ]
    };
    let join = |cells: &[(u8, String)]| cells.iter().map(|(_, cell)| cell.as_str()).collect::<Vec<_>>().join("  ");
    let fits = |line: &str| line.chars().count() <= room;
    let mut line = join(&cells("accuracy", "images/s"));
    let mut cells = cells("acc", "img/s");
    for sooner in 0..=5 {
        if fits(&line) {
            break;
        }
        cells.retain(|(soon, _)| sooner == 0 || *soon != sooner);
        line = join(&cells);
    }
    line
}

/// Where a run is, for its bar among several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub name: &'a str,
    /// The longest name so far: the bars are aligned.
    pub longest: usize,
    /// From 1.
    pub epoch: u64,
    pub epochs: u64,
}

impl Place<'_> {
    /// What stands before the bar.
    pub fn before_bar(&self, columns: usize) -> String {
        let Place { name, longest, epoch, epochs } = *self;
        let room = room_for_name(longest, columns);
        let digits = epochs.to_string().len();
        format!("{:<room$}  epoch {epoch:>digits$}/{epochs}", shortened(name, room))
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
            format!("loss {:.4}", self.loss),
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
    value.map_or("-".to_string(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "sgd_momentum=0.9_piecewise_milestones=50%,75%,factor=0.1_lr=0.1_seed=12";

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
    fn the_line_of_an_epoch_fits_the_terminal_and_keeps_loss_and_validation_accuracy() {
        for columns in [60, 80, 100, 140] {
            for lr in [0.1, 3.14159e-5] {
                let line = epoch_line(&row(lr), columns);
                assert!(line.chars().count() <= columns, "{columns}: {line}");
                assert!(line.starts_with("epoch 123  loss 2.2500  ") && line.contains("acc"), "{line}");
            }
        }
        let whole = "epoch 123  loss 2.2500  accuracy 0.1000  val_loss 2.2500  val_accuracy 0.1000  lr 3.142e-5  12346 images/s  123.5 s";
        assert_eq!(epoch_line(&row(3.14159e-5), usize::MAX), whole, "a file has no width");
        assert_eq!(
            epoch_line(&row(0.1), 80),
            "epoch 123  loss 2.2500  acc 0.1000  val_loss 2.2500  val_acc 0.1000  lr 0.1"
        );
    }

    #[test]
    fn the_lines_of_runs_at_once_begin_with_their_names_fit_the_terminal_and_are_aligned() {
        for columns in [60, 80, 100, 140] {
            let line = epoch_line_of(LONG, LONG.len(), &row(0.1), columns);
            assert!(line.chars().count() <= columns, "{columns}: {line}");
            assert!(line.starts_with("sgd_moment") && line.contains("_seed=12: epoch 123  loss 2.2500  "), "{line}");
            assert!(line.contains("val_acc 0.1000"), "{line}");
            let short = epoch_line_of("adam_step_seed=0", LONG.len(), &row(0.1), columns);
            let before_epoch = |line: &str| line.split("epoch").next().map(|before| before.chars().count());
            assert_eq!(before_epoch(&short), before_epoch(&line), "{short}\n{line}");
        }
        let line = epoch_line_of(LONG, 200, &row(0.1), usize::MAX);
        assert!(line.starts_with(&format!("{LONG}: epoch 123  loss 2.2500  accuracy")), "{line}");
    }

    #[test]
    fn the_bar_of_one_of_several_runs_fits_the_terminal_and_the_bars_are_aligned() {
        let numbers = Numbers { loss: 2.25, accuracy: 0.1, learning_rate: 3.14159e-5, images_per_second: 12345.6 };
        for (columns, last) in [(60, "acc 0.100"), (80, "lr 3.142e-5"), (140, "12346 img/s")] {
            let lengths = [LONG, "sgd_cosine_seed=0"].map(|name| {
                let place = Place { name, longest: LONG.len(), epoch: 3, epochs: 10 };
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
    fn a_long_name_keeps_both_its_ends() {
        assert_eq!(shortened("sgd_cosine_lr=0.1_seed=0", 80), "sgd_cosine_lr=0.1_seed=0");
        let short = shortened(LONG, 30);
        assert!(
            short.chars().count() == 30 && short.starts_with("sgd_momentum") && short.ends_with("_seed=12"),
            "{short}"
        );
        assert_eq!(ending_with("run 1/2: ", LONG, 39), format!("run 1/2: {short}"));
        assert_eq!(named(LONG, "saved", 37), format!("{short}: saved"));
        assert_eq!(named("a", &"long".repeat(30), 37), format!("a: {}", "long".repeat(30)));
    }
}
