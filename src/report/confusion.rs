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

/// Characters of a class name above its column; with five, a table of ten classes is 79 columns wide.
const HEAD: usize = 5;

/// The number of confused pairs that the text names.
const WORST: usize = 3;

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

    /// A plain-text table, 79 columns wide for ten classes of up to ten characters; 0 is a dot.
    pub fn text(&self) -> String {
        let label = self.classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
        let mut text = String::from("Rows: the true class. Columns: the predicted class.\n\n");
        let heads = self.classes.iter().map(|class| class.chars().take(HEAD).collect::<String>());
        let heads: String = heads.map(|head| format!(" {head:>HEAD$}")).collect();
        let _ = writeln!(text, "{:label$}{heads}  correct", "");
        for (class, (name, row)) in self.classes.iter().zip(&self.counts).enumerate() {
            let cell = |&count: &u64| if count == 0 { ".".to_string() } else { count.to_string() };
            let cells: String = row.iter().map(|count| format!(" {:>HEAD$}", cell(count))).collect();
            let right = self.accuracy(class).map_or("none".to_string(), |share| format!("{:.1} %", 100.0 * share));
            let _ = writeln!(text, "{name:label$}{cells}  {right:>7}");
        }
        for (place, (truth, predicted, count)) in self.mistakes().into_iter().take(WORST).enumerate() {
            let head = if place == 0 { "\nMost often mistaken:\n" } else { "" };
            let _ = writeln!(text, "{head}  {} for {}, {count} times", self.classes[truth], self.classes[predicted]);
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
        let classes = crate::data::cifar10::CLASSES.map(String::from);
        let all = (0..50_000).map(|image| (image % 10, if image < 10_000 { 9 } else { image % 10 }));
        let text = Confusion::of(&classes, all).text();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.is_ascii(), "{text}");
        let cat = text.lines().find(|line| line.starts_with("cat ")).unwrap();
        assert_eq!(cat.split_whitespace().collect::<Vec<_>>().join(" "), "cat . . . 4000 . . . . . 1000 80.0 %");
        assert!(text.ends_with(
            "\n  airplane for truck, 1000 times\n  automobile for truck, 1000 times\n  bird for truck, 1000 times\n"
        ));
    }

    #[test]
    fn a_class_without_images_has_no_accuracy_in_the_table() {
        assert!(pets().text().lines().any(|line| line.starts_with("automobile") && line.ends_with("none")));
    }

    #[test]
    fn the_csv_has_a_row_per_true_class() {
        assert_eq!(pets().csv(), "class,cat,dog,automobile\ncat,2,1,0\ndog,2,2,0\nautomobile,0,0,0\n");
    }
}
