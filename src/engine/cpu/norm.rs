//! Batch normalisation fused with the following activation, in two passes each way.

use super::activation::{Activation, activate, activation_gradient};
use super::buffer::Buffer;
use super::operation::{BackwardBatch, BatchOperation, StepContext};
use super::simd::{kernel, padded};
use crate::model::{Gradients, Parameters, Role, Shape};
use rayon::prelude::*;

/// Indices of the parameters, and the layer's settings.
#[derive(Debug, Clone)]
pub struct NormSpec {
    pub weight: usize,
    pub bias: usize,
    pub running_mean: usize,
    pub running_var: usize,
    pub momentum: f32,
    pub eps: f32,
    pub shape: Shape,
    pub activation: Activation,
}

pub struct BatchNorm {
    name: String,
    spec: NormSpec,
    /// Sums per image, (images, 2, channels padded), added in image order regardless of the thread that computed them.
    sums: Buffer,
    /// Subtracted from values before squaring, so that a large mean does not cancel digits: the first pixel of the
    /// batch. (channels)
    shift: Buffer,
    /// The batch's mean in training, the running mean in evaluation; padded with 0. (channels)
    mean: Buffer,
    /// 1 / √(variance + eps), padded with 0. (channels)
    inverse_std: Buffer,
    /// z = factor·x + offset. (channels)
    factor: Buffer,
    offset: Buffer,
    /// Biased variance of the last training batch, (channels), and the number of values per channel.
    variance: Vec<f64>,
    count: usize,
}

impl BatchNorm {
    pub fn new(name: String, spec: NormSpec) -> Self {
        let (sums, shift, mean, inverse_std, factor, offset) = Default::default();
        Self { name, spec, sums, shift, mean, inverse_std, factor, offset, variance: Vec::new(), count: 0 }
    }

    fn channels(&self) -> usize {
        padded(self.spec.shape.channels)
    }

    /// Floats per image.
    fn image_len(&self) -> usize {
        self.channels() * self.spec.shape.height * self.spec.shape.width
    }

    /// Σ over the images of sum `part` (0 or 1) of a channel.
    fn total(&self, images: usize, part: usize, channel: usize) -> f64 {
        let stride = 2 * self.channels();
        (0..images).map(|image| f64::from(self.sums[image * stride + part * self.channels() + channel])).sum()
    }

    fn measure(&mut self, step: &StepContext, input: &[f32]) {
        let (channels, image_len) = (self.channels(), self.image_len());
        self.shift.first(channels).copy_from_slice(&input[..channels]);
        let sums = self.sums.first(step.images * 2 * channels);
        let shift = &*self.shift;
        let tasks = sums.par_chunks_mut(2 * channels).zip(input.par_chunks(image_len));
        step.threads.each(tasks, |(sums, image), _| shifted_sums(step.isa(), image, shift, sums));
        self.count = step.images * image_len / channels;
        self.variance.resize(channels, 0.0);
        self.mean.ensure(channels);
        for channel in 0..self.spec.shape.channels {
            let count = self.count as f64;
            let shifted_mean = self.total(step.images, 0, channel) / count;
            self.variance[channel] =
                (self.total(step.images, 1, channel) / count - shifted_mean * shifted_mean).max(0.0);
            self.mean[channel] = (f64::from(self.shift[channel]) + shifted_mean) as f32;
        }
    }

    /// Derives the per-channel factors and offsets from mean and variance.
    fn derive(&mut self, parameters: &Parameters, training: bool) {
        let channels = self.channels();
        for buffer in [&mut self.mean, &mut self.inverse_std, &mut self.factor, &mut self.offset] {
            buffer.ensure(channels);
        }
        let arrays = parameters.arrays();
        for channel in 0..self.spec.shape.channels {
            let variance = if training {
                self.variance[channel]
            } else {
                self.mean[channel] = arrays[self.spec.running_mean].values[channel];
                f64::from(arrays[self.spec.running_var].values[channel])
            };
            let inverse = (1.0 / (variance + f64::from(self.spec.eps)).sqrt()) as f32;
            self.inverse_std[channel] = inverse;
            self.factor[channel] = inverse * arrays[self.spec.weight].values[channel];
            self.offset[channel] = arrays[self.spec.bias].values[channel] - self.mean[channel] * self.factor[channel];
        }
    }
}

kernel! {
    /// sums = Σ (x − shift), Σ (x − shift)² over the pixels of an image.
    fn shifted_sums(image: &[f32], shift: &[f32], sums: &mut [f32]) {
        let channels = sums.len() / 2;
        assert!(image.len().is_multiple_of(channels) && shift.len() >= channels && channels.is_multiple_of(S::LANES));
        for c in (0..channels).step_by(S::LANES) {
            let (mut sum, mut squares) = (S::zero(), S::zero());
            // SAFETY: c starts a whole vector inside every pixel, inside `shift` and inside both halves of `sums`.
            unsafe {
                let shift = S::load(shift.as_ptr().add(c));
                for at in (c..image.len()).step_by(channels) {
                    let x = S::sub(S::load(image.as_ptr().add(at)), shift);
                    sum = S::add(sum, x);
                    squares = S::fma(x, x, squares);
                }
                S::store(sums.as_mut_ptr().add(c), sum);
                S::store(sums.as_mut_ptr().add(channels + c), squares);
            }
        }
    }
}

kernel! {
    /// out = activation(factor·x + offset).
    fn normalise(activation: Activation, image: &[f32], factor: &[f32], offset: &[f32], channels: usize, out: &mut [f32]) {
        assert!(image.len() == out.len() && image.len().is_multiple_of(channels) && channels.is_multiple_of(S::LANES));
        assert!(factor.len() >= channels && offset.len() >= channels);
        for at in (0..image.len()).step_by(channels) {
            for c in (0..channels).step_by(S::LANES) {
                // SAFETY: at + c starts a whole vector inside the image, c inside the channels.
                unsafe {
                    let (factor, offset) = (S::load(factor.as_ptr().add(c)), S::load(offset.as_ptr().add(c)));
                    let z = S::fma(factor, S::load(image.as_ptr().add(at + c)), offset);
                    S::store(out.as_mut_ptr().add(at + c), activate::<S>(activation, z));
                }
            }
        }
    }
}

/// Per-channel values for the backward pass.
#[derive(Clone, Copy)]
struct Channels<'a> {
    mean: &'a [f32],
    inverse_std: &'a [f32],
    factor: &'a [f32],
    offset: &'a [f32],
}

kernel! {
    /// Replaces `gradient` by dz, the gradient before the activation; sums = Σ dz, Σ dz·x̂.
    fn gradient_sums(activation: Activation, image: &[f32], channels: Channels<'_>, gradient: &mut [f32], sums: &mut [f32]) {
        let count = sums.len() / 2;
        let Channels { mean, inverse_std, factor, offset } = channels;
        assert!(image.len() == gradient.len() && image.len().is_multiple_of(count) && count.is_multiple_of(S::LANES));
        assert!([mean, inverse_std, factor, offset].iter().all(|values| values.len() >= count));
        for c in (0..count).step_by(S::LANES) {
            // SAFETY: c starts a whole vector inside every pixel, inside the channels and inside both halves of `sums`.
            unsafe {
                let at = |values: &[f32]| values.as_ptr().add(c);
                let (factor, offset) = (S::load(at(factor)), S::load(at(offset)));
                let (mean, inverse) = (S::load(at(mean)), S::load(at(inverse_std)));
                let (mut sum, mut products) = (S::zero(), S::zero());
                for at in (c..image.len()).step_by(count) {
                    let x = S::load(image.as_ptr().add(at));
                    let place = gradient.as_mut_ptr().add(at);
                    let dz = activation_gradient::<S>(activation, S::fma(factor, x, offset), S::load(place));
                    S::store(place, dz);
                    sum = S::add(sum, dz);
                    products = S::fma(dz, S::mul(S::sub(x, mean), inverse), products);
                }
                S::store(sums.as_mut_ptr().add(c), sum);
                S::store(sums.as_mut_ptr().add(count + c), products);
            }
        }
    }
}

kernel! {
    /// dx = factor·(dz − mean(dz) − x̂·mean(dz·x̂)), with `means` = mean(dz), mean(dz·x̂).
    fn input_gradient(image: &[f32], dz: &[f32], channels: Channels<'_>, means: &[f32], d_image: &mut [f32]) {
        let count = means.len() / 2;
        let Channels { mean, inverse_std, factor, offset: _ } = channels;
        assert!(image.len() == dz.len() && image.len() == d_image.len() && image.len().is_multiple_of(count));
        assert!(count.is_multiple_of(S::LANES) && [mean, inverse_std, factor].iter().all(|values| values.len() >= count));
        for at in (0..image.len()).step_by(count) {
            for c in (0..count).step_by(S::LANES) {
                // SAFETY: at + c starts a whole vector inside the image, c inside the channels and both halves of
                // `means`.
                unsafe {
                    let load = |values: &[f32], at: usize| S::load(values.as_ptr().add(at));
                    let normal = S::mul(S::sub(load(image, at + c), load(mean, c)), load(inverse_std, c));
                    let rest = S::sub(load(dz, at + c), load(means, c));
                    let rest = S::sub(rest, S::mul(normal, load(means, count + c)));
                    S::store(d_image.as_mut_ptr().add(at + c), S::mul(load(factor, c), rest));
                }
            }
        }
    }
}

impl BatchOperation for BatchNorm {
    fn name(&self) -> &str {
        &self.name
    }

    fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32], output: &mut [f32]) {
        if step.of_images.training {
            self.measure(step, input);
        }
        self.derive(parameters, step.of_images.training);
        let (channels, image_len) = (self.channels(), self.image_len());
        let tasks = output.par_chunks_mut(image_len).zip(input.par_chunks(image_len));
        step.threads.each(tasks, |(out, image), _| {
            normalise(step.isa(), self.spec.activation, image, &self.factor, &self.offset, channels, out);
        });
    }

    fn backward(
        &mut self,
        step: &StepContext,
        parameters: &Parameters,
        batch: BackwardBatch<'_>,
        gradients: &mut Gradients,
    ) {
        let BackwardBatch { input, d_output, d_input, .. } = batch;
        let (channels, image_len) = (self.channels(), self.image_len());
        let of_channels =
            Channels { mean: &self.mean, inverse_std: &self.inverse_std, factor: &self.factor, offset: &self.offset };
        let sums = self.sums.first(step.images * 2 * channels);
        let tasks =
            sums.par_chunks_mut(2 * channels).zip(d_output.par_chunks_mut(image_len).zip(input.par_chunks(image_len)));
        step.threads.each(tasks, |(sums, (gradient, image)), _| {
            gradient_sums(step.isa(), self.spec.activation, image, of_channels, gradient, sums);
        });
        let mut means = vec![0.0; 2 * channels];
        let scaled = parameters.arrays()[self.spec.weight].role == Role::Trainable;
        for channel in 0..self.spec.shape.channels {
            let totals = [self.total(step.images, 0, channel), self.total(step.images, 1, channel)];
            gradients.arrays[self.spec.bias][channel] = totals[0] as f32;
            if scaled {
                gradients.arrays[self.spec.weight][channel] = totals[1] as f32;
            }
            for (part, total) in totals.into_iter().enumerate() {
                means[part * channels + channel] = (total / self.count as f64) as f32;
            }
        }
        let Some(d_input) = d_input else { return };
        let of_channels =
            Channels { mean: &self.mean, inverse_std: &self.inverse_std, factor: &self.factor, offset: &self.offset };
        let tasks =
            d_input.par_chunks_mut(image_len).zip(d_output.par_chunks(image_len).zip(input.par_chunks(image_len)));
        step.threads.each(tasks, |(d_image, (dz, image)), _| {
            input_gradient(step.isa(), image, dz, of_channels, &means, d_image);
        });
    }

    fn update_statistics(&self, parameters: &mut Parameters, momentum: Option<f32>) {
        let momentum = momentum.unwrap_or(self.spec.momentum);
        // As in PyTorch, the running variance is unbiased.
        let unbiased = self.count as f64 / (self.count.max(2) - 1) as f64;
        for channel in 0..self.spec.shape.channels {
            let variance = (self.variance[channel] * unbiased) as f32;
            let of_batch = [(self.spec.running_mean, self.mean[channel]), (self.spec.running_var, variance)];
            for (place, value) in of_batch {
                let running = &mut parameters.arrays_mut()[place].values[channel];
                *running = (1.0 - momentum) * *running + momentum * value;
            }
        }
    }
}
