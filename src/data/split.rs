//! Splits a dataset into training, validation and test images.

use super::dataset::Dataset;
use super::images::{Images, Subset};
use crate::random::{Purpose, keyed, shuffle};
use crate::usage;
use crate::usage::{Usage, did_you_mean, shortened};
use std::sync::Arc;

/// The images that select the best epoch and the best rate, and that drive `plateau`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// Hold out this many training images, stratified by class; the test images are used only once, at the end.
    Holdout(usize),
    /// The test images, as in the tutorials. Results are then optimistically biased, and the outputs say so.
    Test,
}

impl Default for Validation {
    /// That of CIFAR-10.
    fn default() -> Self {
        super::DatasetKind::default().default_validation()
    }
}

impl std::str::FromStr for Validation {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        match text.parse() {
            Ok(0) => usage!("validation must hold at least 1 image, got 0; `test` validates with the test images"),
            Ok(images) => Ok(Validation::Holdout(images)),
            Err(_) if text == "test" => Ok(Validation::Test),
            Err(_) => {
                let (hint, text) = (did_you_mean(text, ["test"]), shortened(text));
                usage!("validation must be a number of training images to hold out, or `test`; got `{text}`{hint}")
            }
        }
    }
}

impl std::fmt::Display for Validation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Validation::Holdout(images) => write!(f, "{images}"),
            Validation::Test => f.write_str("test"),
        }
    }
}

/// The images for each purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    pub train: Subset,
    pub validation: Subset,
    pub test: Subset,
}

impl Dataset {
    /// Holds out the validation images, then limits the training images to `train_limit`.
    ///
    /// Both selections are stratified by class (to within one image) and depend only on the dataset, not on the run:
    /// every seed of every entrant is validated on the same images, so that results are comparable. If the classes are
    /// balanced, a larger limit includes the images of a smaller one.
    ///
    /// # Errors
    /// The holdout leaves no training images, or the limit is 0 or exceeds the remaining images.
    pub fn split(&self, validation: Validation, train_limit: Option<usize>) -> Result<Split, Usage> {
        let test = Subset::all(Arc::clone(&self.test));
        let everything = Subset::all(Arc::clone(&self.train));
        let (train, validation) = match validation {
            Validation::Test => (everything, test.clone()),
            Validation::Holdout(images) => {
                if images == 0 || images >= everything.len() {
                    return usage!(
                        "validation must hold out 1 to {} of the {} training images, got {images}",
                        everything.len().saturating_sub(1),
                        everything.len()
                    );
                }
                let (held_out, rest) = stratified(&self.train, &everything.indices, images, Purpose::Validation);
                let subset = |indices| Subset { images: Arc::clone(&self.train), indices };
                (subset(rest), subset(held_out))
            }
        };
        let train = match train_limit {
            None => train,
            Some(limit) if limit == 0 || limit > train.len() => {
                return usage!("train-limit must be 1 to {} (the available training images), got {limit}", train.len());
            }
            Some(limit) => {
                let (indices, _) = stratified(&train.images, &train.indices, limit, Purpose::TrainLimit);
                Subset { images: train.images, indices }
            }
        };
        Ok(Split { train, validation, test })
    }
}

/// Selects `count` of `indices`, stratified by class. Returns the selected and the others, both ascending.
fn stratified(images: &Images, indices: &[u32], count: usize, purpose: Purpose) -> (Vec<u32>, Vec<u32>) {
    let mut classes: Vec<Vec<u32>> = vec![Vec::new(); 256];
    for &index in indices {
        classes[usize::from(images.labels[index as usize])].push(index);
    }
    // Largest remainder method: each class gives the integer part of its share, those with the largest remainders give
    // one more.
    let share = |class: &Vec<u32>| class.len() * count / indices.len();
    let remainder = |class: &Vec<u32>| class.len() * count % indices.len();
    let mut shares: Vec<usize> = classes.iter().map(share).collect();
    let missing = count - shares.iter().sum::<usize>();
    let mut by_remainder: Vec<usize> = (0..classes.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(remainder(&classes[class])));
    by_remainder[..missing].iter().for_each(|&class| shares[class] += 1);

    let (mut chosen, mut others) = (Vec::with_capacity(count), Vec::with_capacity(indices.len() - count));
    for (class, mut members) in classes.into_iter().enumerate() {
        shuffle(&mut members, &mut keyed(0, purpose, 0, class as u64));
        others.extend(members.split_off(shares[class]));
        chosen.extend(members);
    }
    chosen.sort_unstable();
    others.sort_unstable();
    (chosen, others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn dataset(per_class: [usize; 3]) -> Dataset {
        let labels: Vec<u8> =
            per_class.iter().enumerate().flat_map(|(class, &count)| vec![class as u8; count]).collect();
        let images = Images { pixels: Vec::new(), labels };
        Dataset::new("toy", images.clone(), images, vec!["a".into(), "b".into(), "c".into()])
    }

    fn counts(subset: &Subset) -> [usize; 3] {
        let mut counts = [0; 3];
        subset.indices.iter().for_each(|&i| counts[usize::from(subset.images.labels[i as usize])] += 1);
        counts
    }

    #[test]
    fn a_holdout_takes_the_same_share_of_each_class_and_shares_no_image_with_training() {
        let split = dataset([100, 200, 300]).split(Validation::Holdout(60), None).unwrap();
        assert_eq!(counts(&split.validation), [10, 20, 30]);
        assert_eq!(counts(&split.train), [90, 180, 270]);
        let train: HashSet<_> = split.train.indices.iter().collect();
        assert!(split.validation.indices.iter().all(|index| !train.contains(index)));
    }

    #[test]
    fn a_holdout_that_does_not_divide_evenly_still_has_exactly_the_size_asked_for() {
        for images in [1, 2, 3, 7, 59, 299] {
            let split = dataset([100, 100, 101]).split(Validation::Holdout(images), None).unwrap();
            assert_eq!((split.validation.len(), split.train.len()), (images, 301 - images));
        }
    }

    #[test]
    fn a_train_limit_is_stratified_and_a_larger_one_keeps_the_images_of_a_smaller() {
        let dataset = dataset([100, 100, 100]);
        let limited = |limit| dataset.split(Validation::Holdout(30), Some(limit)).unwrap().train;
        assert_eq!(counts(&limited(60)), [20, 20, 20]);
        let larger: HashSet<_> = limited(120).indices.into_iter().collect();
        assert!(limited(60).indices.iter().all(|index| larger.contains(index)));
    }

    #[test]
    fn validation_test_trains_on_everything_and_validates_with_the_test_images() {
        let split = dataset([10, 10, 10]).split(Validation::Test, None).unwrap();
        assert_eq!(split.train.len(), 30);
        assert_eq!(split.validation, split.test);
    }

    #[test]
    fn a_holdout_or_limit_that_cannot_be_is_an_error_that_says_the_range() {
        let dataset = dataset([10, 10, 10]);
        let error = |validation, limit| dataset.split(validation, limit).unwrap_err().to_string();
        assert!(error(Validation::Holdout(30), None).contains("1 to 29 of the 30 training images, got 30"));
        assert!(error(Validation::Holdout(10), Some(21)).contains("1 to 20"));
        assert!(error(Validation::Holdout(10), Some(0)).contains("got 0"));
    }

    #[test]
    fn validation_reads_back_and_zero_or_words_are_errors() {
        for validation in [Validation::Holdout(5000), Validation::Test] {
            assert_eq!(validation.to_string().parse(), Ok(validation));
        }
        for wrong in ["0", "-5", "all", ""] {
            assert!(wrong.parse::<Validation>().is_err(), "{wrong}");
        }
    }
}
