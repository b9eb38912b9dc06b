//! The frozen first layer of airbench94, whose kernels decorrelate the patches of the training images.

use super::parameters::Parameters;
use crate::stats::eigen::symmetric_eigen;
use rayon::prelude::*;

/// ε, added to each eigenvalue.
const EPS: f64 = 5e-4;
/// Images per partial sum. Fixed, so that results do not depend on the number of threads.
const GROUP: usize = 64;

/// Sets `<name>.weight` to the whitening kernels of the given images (Jordan 2024, arXiv:2404.00498).
///
/// ```text
/// Σ = mean of p·pᵀ over all patches p        p: (inputs, kernel, kernel), flattened; not centred
/// Σ = V·Λ·Vᵀ,  kernel i = vᵢ / √(λᵢ + 5e-4)  λ ascending
/// weight = (kernels; −kernels)               (2·inputs·kernel², inputs, kernel, kernel)
/// ```
///
/// `images` is (images, height, width, inputs), normalised as for training; airbench94 uses the first 5,000 training
/// images. The sign of an eigenvector is arbitrary; here its largest component (by magnitude) is positive.
///
/// # Panics
/// There is no such weight, or its shape or that of the images does not match: a bug in an architecture, never in user
/// input.
pub fn whiten(images: &[f32], height: usize, width: usize, parameters: &mut Parameters, name: &str) {
    let index = parameters.index(&format!("{name}.weight")).expect("the architecture has the layer to whiten");
    let weight = &mut parameters.arrays_mut()[index];
    let [outputs, inputs, kernel, kernel_width] = weight.shape[..] else { panic!("{name} is not a convolution") };
    let size = inputs * kernel * kernel;
    assert!(kernel == kernel_width && outputs == 2 * size, "{name}: {outputs} outputs, expected {}", 2 * size);
    assert!(
        !images.is_empty() && images.len().is_multiple_of(height * width * inputs),
        "{name}: the images have another shape"
    );
    assert!((1..=height.min(width)).contains(&kernel), "{name}: images smaller than its kernels");

    let covariance = patch_covariance(images, height, width, inputs, kernel);
    let (kernels, mirrored) = weight.values.split_at_mut(size * size);
    let vectors = symmetric_eigen(covariance, size);
    for ((value, vector), (kernel, mirror)) in
        vectors.into_iter().zip(kernels.chunks_exact_mut(size).zip(mirrored.chunks_exact_mut(size)))
    {
        let largest = vector.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        let scale = largest.signum() / (value.max(0.0) + EPS).sqrt();
        for ((weight, mirrored), component) in kernel.iter_mut().zip(mirror).zip(vector) {
            *weight = (component * scale) as f32;
            *mirrored = -*weight;
        }
    }
}

/// The mean of p·pᵀ, row-major: (inputs·kernel², inputs·kernel²).
fn patch_covariance(images: &[f32], height: usize, width: usize, channels: usize, kernel: usize) -> Vec<f64> {
    let size = channels * kernel * kernel;
    let image = height * width * channels;
    let sums = |group: &[f32]| {
        let mut sums = vec![0.0; size * size];
        let mut patch = vec![0.0; size];
        for image in group.chunks_exact(image) {
            for (y, x) in (0..=height - kernel).flat_map(|y| (0..=width - kernel).map(move |x| (y, x))) {
                for (at, value) in patch.iter_mut().enumerate() {
                    let (channel, row, column) = (at / (kernel * kernel), at / kernel % kernel, at % kernel);
                    *value = f64::from(image[((y + row) * width + x + column) * channels + channel]);
                }
                for (sums, &a) in sums.chunks_exact_mut(size).zip(&patch) {
                    sums.iter_mut().zip(&patch).for_each(|(sum, b)| *sum += a * b);
                }
            }
        }
        sums
    };
    let groups: Vec<Vec<f64>> = images.par_chunks(GROUP * image).map(sums).collect();
    let patches = images.len() / image * (height - kernel + 1) * (width - kernel + 1);
    (0..size * size).map(|at| groups.iter().map(|sums| sums[at]).sum::<f64>() / patches as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::super::zoo::{Model, ModelOptions};
    use super::super::{initialise, parameters::Parameters};
    use super::*;

    /// Images by the same formula as in scripts/golden_whitening.py: (3, 8, 8, 3).
    fn images() -> Vec<f32> {
        (0..3 * 8 * 8 * 3).map(|i: u32| ((i * i * 7 + i * 13) % 101) as f32 / 50.0 - 1.0).collect()
    }

    fn whitened(images: &[f32], side: usize) -> Parameters {
        let mut parameters =
            initialise(&"airbench94".parse::<Model>().unwrap().architecture(&ModelOptions::default()), 0);
        whiten(images, side, side, &mut parameters, "whiten");
        parameters
    }

    /// Golden values: scripts/golden_whitening.py, computed by PyTorch in float64.
    #[test]
    fn kernels_are_those_of_pytorch_but_for_their_signs() {
        let parameters = whitened(&images(), 8);
        let weight = &parameters.get("whiten.weight").unwrap().values;
        let golden = include_str!("../../tests/golden/whitening.csv");
        let mut kernels = 0;
        for (line, kernel) in golden.lines().skip(1).zip(weight.chunks_exact(12)) {
            let golden: Vec<f32> = line.split(',').map(|value| value.parse().unwrap()).collect();
            let product: f32 = golden.iter().zip(kernel).map(|(a, b)| a * b).sum();
            for (got, want) in kernel.iter().zip(golden) {
                let want = want * product.signum();
                assert!((got - want).abs() < 1e-5, "kernel {kernels}: {got} instead of {want}");
            }
            kernels += 1;
        }
        assert_eq!(kernels, 12);
    }

    #[test]
    fn whitened_patches_are_uncorrelated_with_variance_1_and_the_second_half_mirrors_the_first() {
        let images = images();
        let parameters = whitened(&images, 8);
        let weight = &parameters.get("whiten.weight").unwrap().values;
        let covariance = patch_covariance(&images, 8, 8, 3, 2);
        let product = |a: usize, b: usize| -> f64 {
            let kernel = |at: usize| weight[at * 12..][..12].iter().map(|&w| f64::from(w));
            kernel(a)
                .enumerate()
                .map(|(i, w)| w * kernel(b).enumerate().map(|(j, v)| v * covariance[i * 12 + j]).sum::<f64>())
                .sum()
        };
        for a in 0..12 {
            for b in 0..12 {
                let want = if a == b { 1.0 } else { 0.0 };
                // ε keeps the variance a little below 1.
                assert!((product(a, b) - want).abs() < 5e-3, "{a} {b}: {}", product(a, b));
            }
            assert!(weight[a * 12..][..12].iter().zip(&weight[(a + 12) * 12..][..12]).all(|(w, m)| *w == -m));
        }
    }

    #[test]
    fn a_constant_image_gives_finite_kernels() {
        let parameters = whitened(&[0.5; 4 * 4 * 3], 4);
        assert!(parameters.get("whiten.weight").unwrap().values.iter().all(|weight| weight.is_finite()));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let images: Vec<f32> = images().into_iter().cycle().take(200 * 8 * 8 * 3).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| whitened(&images, 8))
        };
        assert_eq!(with(1), with(3));
    }
}
