//! The dataset that the program draws: always the same bytes, and too hard for a linear classifier.

use lrsched::data::{CHANNELS, Dataset, DatasetKind, DatasetOptions, IMAGE_BYTES, Loader, Normalisation, SIDE, Subset};
use lrsched::random::{Purpose, keyed, shuffle};

const CLASSES: usize = 10;

fn dataset() -> Dataset {
    Dataset::open(&DatasetOptions { kind: DatasetKind::Synthetic, data_dir: None }).unwrap()
}

#[test]
fn it_has_6000_training_and_2000_test_images_of_ten_balanced_classes() {
    let dataset = dataset();
    assert_eq!(dataset.train.class_counts(CLASSES), [600; CLASSES]);
    assert_eq!(dataset.test.class_counts(CLASSES), [200; CLASSES]);
    assert_eq!(dataset.classes.len(), CLASSES);
    let split = dataset.split(DatasetKind::Synthetic.default_validation(), None).unwrap();
    assert_eq!((split.train.len(), split.validation.len()), (5000, 1000));
    assert!(dataset.train.image(0) != dataset.test.image(0), "training and test images are drawn apart");
}

#[test]
fn it_is_the_same_bytes_for_any_number_of_threads_and_on_every_machine() {
    let digest = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| dataset().digest().to_string())
    };
    let first = digest(1);
    assert_eq!(first, digest(3));
    // Part of what every published figure stands on: a change of the images is a change of the dataset, and needs new figures.
    assert_eq!(first, "ad77fe4bcdff3cb42e1c7c8f0e0216c5488a585551dd3111a540b447510fa6c2");
}

#[test]
fn the_same_class_never_looks_the_same_twice() {
    let dataset = dataset();
    let distance = |a: usize, b: usize| -> u32 {
        let pairs = dataset.train.image(a).iter().zip(dataset.train.image(b));
        pairs.map(|(&a, &b)| u32::from(a.abs_diff(b))).sum::<u32>() / IMAGE_BYTES as u32
    };
    for class in 0..CLASSES {
        assert!(distance(class, class + CLASSES) > 10, "class {class}");
    }
}

/// One image after the other: softmax regression by stochastic gradient descent.
struct Linear {
    weight: Vec<f32>, // (classes, pixels)
    bias: [f32; CLASSES],
}

impl Linear {
    fn logits(&self, image: &[f32]) -> [f32; CLASSES] {
        std::array::from_fn(|class| {
            let row = &self.weight[class * IMAGE_BYTES..(class + 1) * IMAGE_BYTES];
            // Sixteen sums side by side, so that the compiler can use vectors.
            let mut sums = [0.0_f32; 16];
            for (row, image) in row.chunks_exact(16).zip(image.chunks_exact(16)) {
                sums.iter_mut().zip(row.iter().zip(image)).for_each(|(sum, (w, x))| *sum += w * x);
            }
            self.bias[class] + sums.iter().sum::<f32>()
        })
    }

    fn learn(&mut self, image: &[f32], label: usize, rate: f32) {
        let logits = self.logits(image);
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        let powers = logits.map(|logit| (logit - largest).exp());
        let sum: f32 = powers.iter().sum();
        for (class, power) in powers.into_iter().enumerate() {
            let target = if class == label { 1.0 } else { 0.0 };
            let step = rate * (power / sum - target);
            self.bias[class] -= step;
            let row = &mut self.weight[class * IMAGE_BYTES..(class + 1) * IMAGE_BYTES];
            row.iter_mut().zip(image).for_each(|(w, x)| *w -= step * x);
        }
    }

    fn accuracy(&self, (images, labels): &(Vec<f32>, Vec<u8>)) -> f64 {
        let right = images.chunks_exact(IMAGE_BYTES).zip(labels).filter(|(image, label)| {
            let logits = self.logits(image);
            (0..CLASSES).max_by(|&a, &b| logits[a].total_cmp(&logits[b])) == Some(usize::from(**label))
        });
        right.count() as f64 / labels.len() as f64
    }
}

/// All images of a subset, normalised: what a model gets to see.
fn values(subset: &Subset, normalisation: &Normalisation) -> (Vec<f32>, Vec<u8>) {
    let batch =
        Loader::in_order(subset.clone(), normalisation.clone(), subset.len()).epoch(0, 0).unwrap().next().unwrap();
    assert_eq!(batch.images.len(), subset.len() * SIDE * SIDE * CHANNELS);
    (batch.images.clone(), batch.labels.clone())
}

/// The figure in the docs of the dataset: `cargo test --release --test engine linear -- --nocapture` prints it.
#[test]
fn a_linear_classifier_learns_something_and_stays_under_60_percent() {
    let split = dataset().split(DatasetKind::Synthetic.default_validation(), None).unwrap();
    let normalisation = Normalisation::of(&split.train);
    let (train, test) = (values(&split.train, &normalisation), values(&split.test, &normalisation));
    let mut linear = Linear { weight: vec![0.0; CLASSES * IMAGE_BYTES], bias: [0.0; CLASSES] };
    let mut best: f64 = 0.0;
    for epoch in 0..12 {
        let mut order: Vec<usize> = (0..train.1.len()).collect();
        shuffle(&mut order, &mut keyed(0, Purpose::Shuffle, epoch, 0));
        for at in order {
            let image = &train.0[at * IMAGE_BYTES..(at + 1) * IMAGE_BYTES];
            linear.learn(image, usize::from(train.1[at]), 3e-5);
        }
        best = best.max(linear.accuracy(&test));
    }
    let fitted = linear.accuracy(&train);
    println!(
        "softmax regression: {:.1} % of the test images (best of 12 epochs), {:.1} % of its training images",
        100.0 * best,
        100.0 * fitted
    );
    assert!(fitted > best && best > 0.2 && best < 0.6, "test {best}, training {fitted}");
}
