//! Normalises bytes to f32 values with mean 0 and standard deviation 1.

use super::images::{CHANNELS, IMAGE_BYTES, SIDE, Subset};
use rayon::prelude::*;

/// x = (byte / 255 − mean) / standard_deviation, per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// Of byte / 255, in 0..=1.
    pub mean: [f64; CHANNELS],
    /// Of byte / 255, over all pixels (divided by n, not n − 1).
    pub standard_deviation: [f64; CHANNELS],
    /// The normalised value of each byte.
    pub(super) tables: [[f32; 256]; CHANNELS],
}

impl Normalisation {
    pub fn new(mean: [f64; CHANNELS], standard_deviation: [f64; CHANNELS]) -> Self {
        let table = |channel: usize| {
            std::array::from_fn(|byte| ((byte as f64 / 255.0 - mean[channel]) / standard_deviation[channel]) as f32)
        };
        Self { mean, standard_deviation, tables: std::array::from_fn(table) }
    }

    /// Computes mean and standard deviation of the given images from exact integer sums, so the bits do not depend on
    /// the number of threads.
    ///
    /// A constant channel has standard deviation 0; 1 is used instead, so that its values become 0.
    pub fn of(subset: &Subset) -> Self {
        type Sums = [(u64, u64); CHANNELS]; // Σ byte, Σ byte²
        let add = |a: Sums, b: Sums| std::array::from_fn(|c| (a[c].0 + b[c].0, a[c].1 + b[c].1));
        let sums: Sums = subset
            .indices
            .par_iter()
            .map(|&index| {
                let mut planes = subset.images.image(index as usize).chunks_exact(SIDE * SIDE);
                std::array::from_fn(|_| plane_sums(planes.next().expect("one plane a channel")))
            })
            .reduce(|| [(0, 0); CHANNELS], add);
        let count = (subset.len() * SIDE * SIDE) as u64;
        let mean = sums.map(|(sum, _)| sum as f64 / count as f64 / 255.0);
        let standard_deviation = sums.map(|(sum, squares)| {
            let variance = u128::from(count) * u128::from(squares) - u128::from(sum) * u128::from(sum);
            if variance == 0 { 1.0 } else { (variance as f64).sqrt() / count as f64 / 255.0 }
        });
        Self::new(mean, standard_deviation)
    }

    /// Normalises one image: (3, 32, 32) bytes to (32, 32, 3) values.
    pub fn image(&self, pixels: &[u8; IMAGE_BYTES], out: &mut [f32]) {
        let (red, rest) = pixels.split_at(SIDE * SIDE);
        let (green, blue) = rest.split_at(SIDE * SIDE);
        let rows = red.chunks_exact(SIDE).zip(green.chunks_exact(SIDE)).zip(blue.chunks_exact(SIDE));
        for (((red, green), blue), out) in rows.zip(out.chunks_exact_mut(SIDE * CHANNELS)) {
            self.row([red, green, blue], out);
        }
    }

    /// Normalises one row: (3, width) bytes to (width, 3) values.
    pub(super) fn row(&self, planes: [&[u8]; CHANNELS], out: &mut [f32]) {
        let pixels = planes[0].iter().zip(planes[1]).zip(planes[2]);
        for (((&red, &green), &blue), out) in pixels.zip(out.chunks_exact_mut(CHANNELS)) {
            out[0] = self.tables[0][usize::from(red)];
            out[1] = self.tables[1][usize::from(green)];
            out[2] = self.tables[2][usize::from(blue)];
        }
    }
}

/// Σ byte and Σ byte² of one plane. The sum of 1,024 squared bytes fits in 32 bits.
fn plane_sums(plane: &[u8]) -> (u64, u64) {
    let (sum, squares) = plane.iter().fold((0_u32, 0_u32), |(sum, squares), &byte| {
        let byte = u32::from(byte);
        (sum + byte, squares + byte * byte)
    });
    (u64::from(sum), u64::from(squares))
}

#[cfg(test)]
mod tests {
    use super::super::images::Images;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn normalised_images_have_mean_0_and_variance_1_in_each_channel() {
        let pixels = (0..5 * IMAGE_BYTES).map(|place| (place * place % 251) as u8).collect();
        let subset = Subset::all(Arc::new(Images { pixels, labels: vec![0; 5] }));
        let normalisation = Normalisation::of(&subset);
        let mut values = vec![0.0; IMAGE_BYTES];
        let mut sums = [(0.0, 0.0); CHANNELS];
        for index in 0..5 {
            normalisation.image(subset.images.image(index), &mut values);
            for pixel in values.chunks_exact(CHANNELS) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum = (sum.0 + f64::from(value), sum.1 + f64::from(value).powi(2));
                }
            }
        }
        let count = (5 * SIDE * SIDE) as f64;
        for (sum, squares) in sums {
            assert!((sum / count).abs() < 1e-6 && (squares / count - 1.0).abs() < 1e-5, "{sum} {squares}");
        }
    }

    #[test]
    fn channels_become_the_innermost_dimension() {
        let mut pixels = [0_u8; IMAGE_BYTES];
        pixels[2 * 1024 + 5 * 32 + 7] = 255; // blue, row 5, column 7
        let mut values = vec![9.0; IMAGE_BYTES];
        Normalisation::new([0.0; 3], [1.0; 3]).image(&pixels, &mut values);
        assert_eq!(values.iter().position(|&value| value == 1.0), Some((5 * 32 + 7) * 3 + 2));
        assert_eq!(values.iter().filter(|&&value| value != 0.0).count(), 1);
    }

    #[test]
    fn a_channel_of_a_single_value_becomes_0_instead_of_nan() {
        let subset = Subset::all(Arc::new(Images { pixels: vec![51; IMAGE_BYTES], labels: vec![0] }));
        let normalisation = Normalisation::of(&subset);
        assert_eq!((normalisation.mean, normalisation.standard_deviation), ([0.2; 3], [1.0; 3]));
    }
}
