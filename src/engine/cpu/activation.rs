//! Elementwise operations: ReLU, GELU, dropout and scaling.

use super::operation::{BackwardImages, ForwardImages, ImageContext, ImageOperation, map_len};
use super::simd::{Simd, kernel};
use super::threads::Scratch;
use crate::model::Shape;
use crate::random::dropout_mask;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Identity,
    Relu,
    /// x·Φ(x), with Φ the standard normal CDF.
    Gelu,
}

/// The activation of z.
#[inline(always)]
pub fn activate<S: Simd>(activation: Activation, z: S::V) -> S::V {
    match activation {
        Activation::Identity => z,
        Activation::Relu => S::relu(z),
        Activation::Gelu => S::mul(z, normal_cdf_pdf::<S>(z).0),
    }
}

/// `gradient` times the derivative at z. For ReLU, the output may be passed as z.
#[inline(always)]
pub fn activation_gradient<S: Simd>(activation: Activation, z: S::V, gradient: S::V) -> S::V {
    match activation {
        Activation::Identity => gradient,
        Activation::Relu => S::greater(z, S::zero(), gradient, S::zero()),
        Activation::Gelu => {
            let (cdf, pdf) = normal_cdf_pdf::<S>(z);
            S::mul(gradient, S::fma(z, pdf, cdf))
        }
    }
}

/// Φ(x) and φ(x) of the standard normal, to 2e-7: erf by Abramowitz and Stegun 7.1.26, which shares its exponential
/// with φ.
#[inline(always)]
fn normal_cdf_pdf<S: Simd>(x: S::V) -> (S::V, S::V) {
    let exponential = exp::<S>(S::mul(S::scale(-0.5, x), x));
    let magnitude = S::max(x, S::scale(-1.0, x));
    // t = 1 / (1 + p·|x| / √2)
    let t = S::div(S::splat(1.0), S::axpy(0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2, magnitude, S::splat(1.0)));
    let mut series = S::splat(1.061_405_4);
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        series = S::fma(series, t, S::splat(coefficient));
    }
    // The upper tail 1 − Φ(|x|).
    let tail = S::scale(0.5, S::mul(S::mul(series, t), exponential));
    let cdf = S::greater(x, S::zero(), S::sub(S::splat(1.0), tail), tail);
    // 1 / √(2π)
    (cdf, S::scale(0.398_942_3, exponential))
}

/// eˣ for x ≤ 0, to a few ulps; clamped to e⁻⁸⁷ below −87. NaN stays NaN.
#[inline(always)]
fn exp<S: Simd>(x: S::V) -> S::V {
    let x = S::max(S::splat(-87.0), x);
    let n = S::round(S::scale(std::f32::consts::LOG2_E, x));
    // ln 2 in two parts (Cody and Waite), so that the reduced argument is exact.
    let r = S::axpy(-0.693_359_4, n, x);
    let r = S::axpy(2.121_944_4e-4, n, r);
    let mut series = S::splat(1.0 / 720.0);
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = S::fma(series, r, S::splat(coefficient));
    }
    S::mul(series, S::exp2_whole(n))
}

kernel! {
    fn activate_all(activation: Activation, input: &[f32], output: &mut [f32]) {
        assert!(input.len() == output.len() && input.len().is_multiple_of(S::LANES));
        for at in (0..input.len()).step_by(S::LANES) {
            // SAFETY: both slices are equally long, a whole number of vectors.
            unsafe { S::store(output.as_mut_ptr().add(at), activate::<S>(activation, S::load(input.as_ptr().add(at)))) };
        }
    }
}

kernel! {
    fn activation_gradients(activation: Activation, input: &[f32], d_output: &[f32], d_input: &mut [f32]) {
        assert!(input.len() == d_output.len() && input.len() == d_input.len() && input.len().is_multiple_of(S::LANES));
        for at in (0..input.len()).step_by(S::LANES) {
            // SAFETY: all three slices are equally long, a whole number of vectors.
            unsafe {
                let (z, gradient) = (S::load(input.as_ptr().add(at)), S::load(d_output.as_ptr().add(at)));
                S::store(d_input.as_mut_ptr().add(at), activation_gradient::<S>(activation, z, gradient));
            }
        }
    }
}

/// An activation that could not be fused with another operation.
pub struct Activate {
    pub activation: Activation,
}

impl ImageOperation for Activate {
    fn name(&self) -> &str {
        match self.activation {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::Gelu => "gelu",
        }
    }

    fn forward(&self, context: ImageContext, images: ForwardImages<'_>, _: &mut Scratch) {
        activate_all(context.isa, self.activation, images.input, images.output);
    }

    fn backward(&self, context: ImageContext, images: BackwardImages<'_>, _: &mut Scratch) {
        if let Some(d_input) = images.d_input {
            activation_gradients(context.isa, self.activation, images.input, images.d_output, d_input);
        }
    }
}

/// y = factor·x.
pub struct ScaleBy {
    pub factor: f32,
}

impl ScaleBy {
    fn apply(&self, from: &[f32], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = self.factor * from;
        }
    }
}

impl ImageOperation for ScaleBy {
    fn name(&self) -> &str {
        "scale"
    }

    fn forward(&self, _: ImageContext, images: ForwardImages<'_>, _: &mut Scratch) {
        self.apply(images.input, images.output);
    }

    fn backward(&self, _: ImageContext, images: BackwardImages<'_>, _: &mut Scratch) {
        if let Some(d_input) = images.d_input {
            self.apply(images.d_output, d_input);
        }
    }
}

/// Inverted dropout with masks from the keyed generator.
pub struct Dropout {
    pub probability: f32,
    /// The number of dropout layers before this one.
    pub layer: u64,
    pub shape: Shape,
}

impl Dropout {
    /// y = mask ⊙ x. Works pixel by pixel because the mask has no channel padding. The backward pass makes the masks
    /// again from their keys, which costs less than keeping them.
    fn apply(&self, context: ImageContext, first: usize, from: &[f32], to: &mut [f32], scratch: &mut Scratch) {
        let (pixel, length) = (super::simd::padded(self.shape.channels), map_len(self.shape));
        let mask = scratch.a.first(self.shape.len());
        for (image, (to, from)) in to.chunks_exact_mut(length).zip(from.chunks_exact(length)).enumerate() {
            let position = context.position + (first + image) as u64;
            dropout_mask(context.seed, context.epoch, position, self.layer, self.probability, mask);
            let pixels = to.chunks_exact_mut(pixel).zip(from.chunks_exact(pixel));
            for ((to, from), mask) in pixels.zip(mask.chunks_exact(self.shape.channels)) {
                to[self.shape.channels..].fill(0.0);
                for ((to, from), mask) in to.iter_mut().zip(from).zip(mask) {
                    *to = from * mask;
                }
            }
        }
    }
}

impl ImageOperation for Dropout {
    fn name(&self) -> &str {
        "dropout"
    }

    fn forward(&self, context: ImageContext, images: ForwardImages<'_>, scratch: &mut Scratch) {
        if context.training {
            self.apply(context, images.first, images.input, images.output, scratch);
        } else {
            images.output.copy_from_slice(images.input);
        }
    }

    fn backward(&self, context: ImageContext, images: BackwardImages<'_>, scratch: &mut Scratch) {
        if let Some(d_input) = images.d_input {
            self.apply(context, images.first, images.d_output, d_input, scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Isa;
    use super::*;

    /// Φ by integrating the density in f64 (Simpson), far more precise than f32.
    fn exact_distribution(x: f64) -> f64 {
        let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let (steps, from) = (4000, 0.0);
        let h = (x - from) / f64::from(steps);
        let inner: f64 =
            (1..steps).map(|i| density(from + h * f64::from(i)) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        0.5 + h / 3.0 * (density(from) + inner + density(x))
    }

    #[test]
    fn gelu_and_its_derivative_are_exact_to_4e_7_on_every_instruction_set() {
        let x: Vec<f32> = (-800..800).map(|i| i as f32 / 100.0).collect();
        for isa in [Isa::Portable, Isa::detect()] {
            let (mut y, mut d) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            activate_all(isa, Activation::Gelu, &x, &mut y);
            activation_gradients(isa, Activation::Gelu, &x, &vec![1.0; x.len()], &mut d);
            for ((&x, y), d) in x.iter().zip(y).zip(d) {
                let x = f64::from(x);
                let distribution = exact_distribution(x);
                let derivative = distribution + x * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
                let scale = x.abs().max(1.0);
                assert!((f64::from(y) - x * distribution).abs() < 4e-7 * scale, "gelu({x}) = {y}");
                assert!((f64::from(d) - derivative).abs() < 6e-7, "gelu'({x}) = {d}, exactly {derivative}");
            }
        }
    }
}
