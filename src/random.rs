//! Keyed random numbers: a draw depends only on its key, never on earlier draws.

#![forbid(unsafe_code)]

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What a draw is used for. The discriminants are part of a seed's meaning: never change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    InitialWeights = 1,
    Shuffle = 2,
    Augmentation = 3,
    Dropout = 4,
    Synthetic = 5,
    Validation = 6,
    TrainLimit = 7,
    /// Where in its range the trials of a study begin.
    Tuning = 8,
    /// The test images that a range test looks at.
    Slice = 9,
}

/// The generator for one draw: the ChaCha key is (seed, purpose, epoch, index).
pub fn keyed(seed: u64, purpose: Purpose, epoch: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    for (place, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, epoch, index]) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Uniform in [0, 1), with 24 random bits.
pub fn uniform(rng: &mut impl Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// Uniform in 0..bound, by Lemire's multiply-shift. Its bias, at most bound / 2³², is negligible for training.
pub fn below(rng: &mut impl Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// Standard normal, by the Box–Muller transform in f64.
pub fn normal(rng: &mut impl Rng) -> f32 {
    let u = 1.0 - f64::from(uniform(rng));
    let v = f64::from(uniform(rng));
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

/// Fisher–Yates shuffle.
pub fn shuffle<T>(values: &mut [T], rng: &mut impl Rng) {
    for last in (1..values.len()).rev() {
        values.swap(last, below(rng, last as u32 + 1) as usize);
    }
}

/// Inverted dropout mask for one sample: each element is 0 with `probability`, else 1 / (1 − probability).
///
/// `layer` is the 0-based index among the network's dropout layers, `position` the sample's index in the epoch.
/// Elements are in (H, W, C) order for maps, and in the order of the vector after `flatten` (PyTorch's C, H, W).
pub fn dropout_mask(seed: u64, epoch: u64, position: u64, layer: u64, probability: f32, mask: &mut [f32]) {
    let mut rng = keyed(seed, Purpose::Dropout, epoch, (layer << 40) | position);
    let keep = 1.0 / (1.0 - probability);
    for place in mask {
        *place = if uniform(&mut rng) < probability { 0.0 } else { keep };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_draws_the_same_and_each_part_of_the_key_matters() {
        let draw = |seed, purpose, epoch, index| keyed(seed, purpose, epoch, index).next_u64();
        let first = draw(1, Purpose::Shuffle, 2, 3);
        assert_eq!(first, draw(1, Purpose::Shuffle, 2, 3));
        for other in [
            draw(2, Purpose::Shuffle, 2, 3),
            draw(1, Purpose::Dropout, 2, 3),
            draw(1, Purpose::Shuffle, 3, 3),
            draw(1, Purpose::Shuffle, 2, 4),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_shuffle_permutes_and_moves_most_values() {
        let mut values: Vec<u32> = (0..1000).collect();
        shuffle(&mut values, &mut keyed(0, Purpose::Shuffle, 0, 0));
        assert!(values.iter().enumerate().filter(|&(place, &value)| place as u32 == value).count() < 10);
        values.sort_unstable();
        assert!(values.into_iter().eq(0..1000));
    }

    #[test]
    fn normal_draws_have_mean_0_and_variance_1() {
        let mut rng = keyed(7, Purpose::InitialWeights, 0, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| f64::from(normal(&mut rng))).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
    }

    #[test]
    fn dropout_keeps_the_expected_value() {
        let mut mask = vec![0.0; 40_000];
        dropout_mask(3, 0, 5, 0, 0.25, &mut mask);
        let mean = mask.iter().sum::<f32>() / 40_000.0;
        assert!((mean - 1.0).abs() < 0.02, "mean {mean}");
        assert!(mask.iter().all(|&m| m == 0.0 || m == 1.0 / 0.75));
    }
}
