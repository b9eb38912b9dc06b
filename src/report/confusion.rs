//! Confusion matrices.

use super::chart::Matrix;
use std::fmt::Write as _;

/// Counts of images by true and predicted class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    pub classes: Vec<String>,
    /// (true class, predicted class)
    pub counts: Vec<Vec<u64>>,
}

/// The most and the fewest characters of a class name above its column; with five, a table of ten classes is 79 columns wide.
const HEAD: std::ops::RangeInclusive<usize> = 3..=5;

/// The number of confused pairs that the text names.
const WORST: usize = 3;

/// The same without a table.
const WORST_OF_MANY: usize = 10;

/// The most classes that a table has a column for.
const MOST_COLUMNS: usize = 10;

/// The most classes beside each other where there is no table.
const BESIDE: usize = 3;

/// The spaces between them.
const GAP: usize = 4;

/// `  100.0 %`, behind a name or a row.
const SHARE: usize = 9;

impl Confusion {
    /// Counts (true class, predicted class) pairs.
    ///
    /// # Panics
    /// A class is out of range of `classes`: labels are checked when images are read, and the network has one output per class.
    pub fn of(classes: &[String], images: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![vec![0; classes.len()]; classes.len()];
        images.into_iter().for_each(|(truth, predicted)| counts[truth][predicted] += 1);
        Self { classes: classes.to_vec(), counts }
    }

    /// The number of images of one class.
    pub fn images(&self, class: usize) -> u64 {
        self.counts[class].iter().sum()
    }

    /// The number of correctly classified images.
    pub fn correct(&self) -> u64 {
        (0..self.classes.len()).map(|class| self.counts[class][class]).sum()
    }

    /// The share of correctly classified images of one class; `None` if it has no images.
    pub fn accuracy(&self, class: usize) -> Option<f64> {
        let images = self.images(class);
        (images > 0).then(|| self.counts[class][class] as f64 / images as f64)
    }

    /// (true class, predicted class, images) of every confused pair, the most frequent first.
    pub fn mistakes(&self) -> Vec<(usize, usize, u64)> {
        let classes = 0..self.classes.len();
        let cells = classes.clone().flat_map(|truth| classes.clone().map(move |predicted| (truth, predicted)));
        let mut mistakes: Vec<_> = cells
            .filter(|(truth, predicted)| truth != predicted)
            .map(|(truth, predicted)| (truth, predicted, self.counts[truth][predicted]))
            .filter(|mistake| mistake.2 > 0)
            .collect();
        mistakes.sort_by_key(|mistake| std::cmp::Reverse(mistake.2));
        mistakes
    }

    /// In plain text: the accuracy of each class and the most frequent mistakes; of up to ten classes with a table of all
    /// counts, if that fits into `width` columns.
    pub fn text(&self, width: usize) -> String {
        let (mut text, worst) = match self.head(width) {
            Some(head) => (self.table(head), WORST),
            None => (self.accuracies(width), WORST_OF_MANY),
        };
        for (place, (truth, predicted, count)) in self.mistakes().into_iter().take(worst).enumerate() {
            let head = if place == 0 { "\nMost often mistaken:\n" } else { "" };
            let times = if count == 1 { "once".to_string() } else { format!("{count} times") };
            let _ = writeln!(text, "{head}  {} for {}, {times}", self.classes[truth], self.classes[predicted]);
        }
        text
    }

    /// `98.0 %`, or `none` without images.
    fn share(&self, class: usize) -> String {
        self.accuracy(class).map_or("none".to_string(), |share| format!("{:.1} %", 100.0 * share))
    }

    /// The length of the longest name of a class.
    fn label(&self) -> usize {
        self.classes.iter().map(|class| class.chars().count()).max().unwrap_or(0)
    }

    /// The accuracies of all classes, down the columns.
    fn accuracies(&self, width: usize) -> String {
        let label = self.label();
        let mut text = String::from("Correct, by true class:\n\n");
        let beside = (1..=BESIDE).rev().find(|beside| beside * (label + SHARE + GAP) - GAP <= width).unwrap_or(1);
        let rows = self.classes.len().div_ceil(beside);
        for row in 0..rows {
            let cell = |class: usize| format!("{:label$}{:>SHARE$}", self.classes[class], self.share(class));
            let cells = (row..self.classes.len()).step_by(rows).map(cell);
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(&" ".repeat(GAP)));
        }
        text
    }

    /// The width of the columns of a table that fits into `width`; `None` if none does.
    fn head(&self, width: usize) -> Option<usize> {
        let count = self.counts.iter().flatten().max().map_or(1, |count| count.to_string().len());
        let fits = |head: &usize| self.label() + self.classes.len() * (head + 1) + SHARE <= width && count <= *head;
        HEAD.rev().find(fits).filter(|_| self.classes.len() <= MOST_COLUMNS)
    }

    /// A table whose columns are `head` wide; 0 is a dot.
    fn table(&self, head: usize) -> String {
        let label = self.label();
        let mut text = String::from("Rows: the true class. Columns: the predicted class.\n\n");
        let heads = self.classes.iter().map(|class| class.chars().take(head).collect::<String>());
        let heads: String = heads.map(|name| format!(" {name:>head$}")).collect();
        let _ = writeln!(text, "{:label$}{heads}  correct", "");
        for (class, (name, row)) in self.classes.iter().zip(&self.counts).enumerate() {
            let cell = |&count: &u64| if count == 0 { ".".to_string() } else { count.to_string() };
            let cells: String = row.iter().map(|count| format!(" {:>head$}", cell(count))).collect();
            let _ = writeln!(text, "{name:label$}{cells}{:>SHARE$}", self.share(class));
        }
        text
    }

    /// `class,airplane,automobile,…`: a row per true class, a column per predicted class.
    pub fn csv(&self) -> String {
        let mut text = format!("class,{}\n", self.classes.join(","));
        for (class, row) in self.classes.iter().zip(&self.counts) {
            let cells: Vec<String> = row.iter().map(u64::to_string).collect();
            let _ = writeln!(text, "{class},{}", cells.join(","));
        }
        text
    }

    /// The matrix as a picture.
    pub fn matrix(&self, title: String) -> Matrix {
        Matrix {
            title,
            x_label: "predicted class".into(),
            y_label: "true class".into(),
            labels: self.classes.clone(),
            counts: self.counts.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pets() -> Confusion {
        let classes = ["cat", "dog", "automobile"].map(String::from);
        Confusion::of(&classes, [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (1, 0), (1, 1)])
    }

    #[test]
    fn counts_and_accuracies_are_of_the_true_class() {
        let pets = pets();
        assert_eq!(pets.counts, [[2, 1, 0], [2, 2, 0], [0, 0, 0]]);
        assert_eq!((pets.images(1), pets.correct()), (4, 4));
        assert_eq!([0, 1, 2].map(|class| pets.accuracy(class)), [Some(2.0 / 3.0), Some(0.5), None]);
        assert_eq!(pets.mistakes(), [(1, 0, 2), (0, 1, 1)]);
    }

    #[test]
    fn the_table_of_ten_classes_fits_80_columns_and_needs_no_colour() {
        let classes: Vec<String> = crate::data::cifar::CIFAR10.classes.iter().copied().map(String::from).collect();
        let all = (0..50_000).map(|image| (image % 10, if image < 10_000 { 9 } else { image % 10 }));
        let text = Confusion::of(&classes, all).text(80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.is_ascii(), "{text}");
        let cat = text.lines().find(|line| line.starts_with("cat ")).unwrap();
        assert_eq!(cat.split_whitespace().collect::<Vec<_>>().join(" "), "cat . . . 4000 . . . . . 1000 80.0 %");
        assert!(text.ends_with(
            "\n  airplane for truck, 1000 times\n  automobile for truck, 1000 times\n  bird for truck, 1000 times\n"
        ));
    }

    #[test]
    fn a_narrow_terminal_gets_narrower_columns_or_the_accuracies_alone() {
        let classes: Vec<String> = crate::data::cifar::CIFAR10.classes.iter().copied().map(String::from).collect();
        let text = |images: usize, width: usize| {
            let all = (0..images).map(|image| (image % 10, if image < images / 5 { 9 } else { image % 10 }));
            Confusion::of(&classes, all).text(width)
        };
        for (images, width, is_table) in
            [(5000, 79, true), (5000, 60, true), (10_000, 60, false), (10_000, 69, true), (5000, 40, false)]
        {
            let text = text(images, width);
            assert_eq!(text.starts_with("Rows: the true class."), is_table, "{width}: {text}");
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
        }
    }

    #[test]
    fn a_hundred_classes_are_listed_with_their_accuracies_instead() {
        let classes: Vec<String> = crate::data::cifar::CIFAR100.classes.iter().copied().map(String::from).collect();
        let all = (0..10_000).map(|image| (image % 100, if image < 2000 { 99 } else { image % 100 }));
        let text = Confusion::of(&classes, all).text(80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        let shown = |class: &str, share: &str| words.windows(3).any(|three| three == [class, share, "%"]);
        assert!(classes.iter().all(|class| shown(class, if class == "worm" { "100.0" } else { "80.0" })), "{text}");
        assert!(text.contains("\nMost often mistaken:\n  apple for worm, 20 times\n"), "{text}");
        assert_eq!(text.matches(" for worm, 20 times").count(), 10);
    }

    #[test]
    fn a_class_without_images_has_no_accuracy_in_the_table() {
        assert!(pets().text(80).lines().any(|line| line.starts_with("automobile") && line.ends_with("none")));
    }

    #[test]
    fn the_csv_has_a_row_per_true_class() {
        assert_eq!(pets().csv(), "class,cat,dog,automobile\ncat,2,1,0\ndog,2,2,0\nautomobile,0,0,0\n");
    }
}
