//! Pooling that was not fused into a convolution, and conversion from maps to vectors.

use super::operation::{BackwardPass, Operation, StepContext, map_len};
use super::simd::{kernel, padded};
use crate::model::{Gradients, Parameters, Shape};
use rayon::prelude::*;

/// The largest window size whose positions fit in a byte.
pub const LARGEST_WINDOW: usize = 15;

/// Max-pool with a window and stride of `size`; a remainder at the right and bottom edges is ignored.
pub struct MaxPool {
    size: usize,
    input: Shape,
    output: Shape,
    /// Position of each output's (first) maximum in its window: (images, height, width, channels padded).
    codes: Vec<u8>,
}

impl MaxPool {
    pub fn new(size: usize, input: Shape, output: Shape) -> Self {
        Self { size, input, output, codes: Vec::new() }
    }

    fn lens(&self) -> (usize, usize) {
        (map_len(self.input), map_len(self.output))
    }
}

kernel! {
    fn pool_image(size: usize, input: Shape, output: Shape, image: &[f32], out: &mut [f32], codes: &mut [u8]) {
        let channels = padded(input.channels);
        assert!(image.len() >= map_len(input) && out.len() >= map_len(output) && codes.len() >= map_len(output));
        assert!(output.height * size <= input.height && output.width * size <= input.width && size <= LARGEST_WINDOW);
        for (y, x) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
            for c in (0..channels).step_by(S::LANES) {
                // SAFETY: the window is inside the map (asserted), c inside its channels; `out` and `codes` have an
                // element for every output.
                unsafe {
                    let at = |k: usize| {
                        let (row, column) = (y * size + k / size, x * size + k % size);
                        image.as_ptr().add((row * input.width + column) * channels + c)
                    };
                    let (mut best, mut code) = (S::load(at(0)), S::zero());
                    for k in 1..size * size {
                        let value = S::load(at(k));
                        code = S::greater(value, best, S::splat(k as f32), code);
                        best = S::max_or_nan(best, value);
                    }
                    let to = (y * output.width + x) * channels + c;
                    S::store(out.as_mut_ptr().add(to), best);
                    S::store_bytes(codes.as_mut_ptr().add(to), code);
                }
            }
        }
    }
}

kernel! {
    fn unpool_image(size: usize, input: Shape, output: Shape, gradient: &[f32], codes: &[u8], d_image: &mut [f32]) {
        let channels = padded(input.channels);
        assert!(d_image.len() >= map_len(input) && gradient.len() >= map_len(output) && codes.len() >= map_len(output));
        assert!(output.height * size <= input.height && output.width * size <= input.width && size <= LARGEST_WINDOW);
        if output.height * size < input.height || output.width * size < input.width {
            d_image.fill(0.0);
        }
        for (y, x) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
            for c in (0..channels).step_by(S::LANES) {
                let from = (y * output.width + x) * channels + c;
                // SAFETY: as in `pool_image`.
                unsafe {
                    let value = S::load(gradient.as_ptr().add(from));
                    let code = S::load_bytes(codes.as_ptr().add(from));
                    for k in 0..size * size {
                        let (row, column) = (y * size + k / size, x * size + k % size);
                        let to = d_image.as_mut_ptr().add((row * input.width + column) * channels + c);
                        S::store(to, S::equal(code, S::splat(k as f32), value, S::zero()));
                    }
                }
            }
        }
    }
}

impl Operation for MaxPool {
    fn name(&self) -> &str {
        "max-pool"
    }

    fn forward(&mut self, step: &StepContext, _parameters: &Parameters, input: &[f32], output: &mut [f32]) {
        let (in_len, out_len) = self.lens();
        self.codes.resize(self.codes.len().max(output.len()), 0);
        let tasks =
            output.par_chunks_mut(out_len).zip(input.par_chunks(in_len)).zip(self.codes.par_chunks_mut(out_len));
        let (size, from, to) = (self.size, self.input, self.output);
        step.threads.each(tasks, |((out, image), codes), _| pool_image(step.isa, size, from, to, image, out, codes));
    }

    fn backward(
        &mut self,
        step: &StepContext,
        _parameters: &Parameters,
        pass: BackwardPass<'_>,
        _gradients: &mut Gradients,
    ) {
        let Some(d_input) = pass.d_input else { return };
        let (in_len, out_len) = self.lens();
        let tasks =
            d_input.par_chunks_mut(in_len).zip(pass.d_output.par_chunks(out_len)).zip(self.codes.par_chunks(out_len));
        step.threads.each(tasks, |((d_image, gradient), codes), _| {
            unpool_image(step.isa, self.size, self.input, self.output, gradient, codes, d_image);
        });
    }
}

/// The mean over height and width.
pub struct GlobalAveragePool {
    pub input: Shape,
}

impl Operation for GlobalAveragePool {
    fn name(&self) -> &str {
        "average-pool"
    }

    fn forward(&mut self, step: &StepContext, _parameters: &Parameters, input: &[f32], output: &mut [f32]) {
        let (channels, share) = (padded(self.input.channels), 1.0 / (self.input.height * self.input.width) as f32);
        let tasks = output.par_chunks_mut(channels).zip(input.par_chunks(map_len(self.input)));
        step.threads.each(tasks, |(out, image), _| {
            out.fill(0.0);
            for pixel in image.chunks_exact(channels) {
                out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            }
            out.iter_mut().for_each(|sum| *sum *= share);
        });
    }

    fn backward(
        &mut self,
        step: &StepContext,
        _parameters: &Parameters,
        pass: BackwardPass<'_>,
        _gradients: &mut Gradients,
    ) {
        let Some(d_input) = pass.d_input else { return };
        let (channels, share) = (padded(self.input.channels), 1.0 / (self.input.height * self.input.width) as f32);
        let tasks = d_input.par_chunks_mut(map_len(self.input)).zip(pass.d_output.par_chunks(channels));
        step.threads.each(tasks, |(d_image, gradient), _| {
            for pixel in d_image.chunks_exact_mut(channels) {
                pixel.iter_mut().zip(gradient).for_each(|(to, value)| *to = share * value);
            }
        });
    }
}

/// A map to a vector in PyTorch's order (channels, height, width).
pub struct Flatten {
    pub input: Shape,
}

impl Operation for Flatten {
    fn name(&self) -> &str {
        "flatten"
    }

    fn forward(&mut self, step: &StepContext, _parameters: &Parameters, input: &[f32], output: &mut [f32]) {
        let (stride, pixels) = (padded(self.input.channels), self.input.height * self.input.width);
        let tasks = output.par_chunks_mut(padded(self.input.len())).zip(input.par_chunks(map_len(self.input)));
        step.threads.each(tasks, |(vector, image), _| {
            vector[self.input.len()..].fill(0.0);
            for (channel, values) in vector[..self.input.len()].chunks_exact_mut(pixels).enumerate() {
                for (value, pixel) in values.iter_mut().zip(image.chunks_exact(stride)) {
                    *value = pixel[channel];
                }
            }
        });
    }

    fn backward(
        &mut self,
        step: &StepContext,
        _parameters: &Parameters,
        pass: BackwardPass<'_>,
        _gradients: &mut Gradients,
    ) {
        let Some(d_input) = pass.d_input else { return };
        let (stride, pixels) = (padded(self.input.channels), self.input.height * self.input.width);
        let tasks = d_input.par_chunks_mut(map_len(self.input)).zip(pass.d_output.par_chunks(padded(self.input.len())));
        step.threads.each(tasks, |(d_image, vector), _| {
            for (place, pixel) in d_image.chunks_exact_mut(stride).enumerate() {
                pixel[self.input.channels..].fill(0.0);
                for (channel, value) in pixel[..self.input.channels].iter_mut().enumerate() {
                    *value = vector[channel * pixels + place];
                }
            }
        });
    }
}

/// Converts raw images to maps with channels padded to whole lines.
pub struct Import {
    pub input: Shape,
}

impl Operation for Import {
    fn name(&self) -> &str {
        "import"
    }

    fn forward(&mut self, step: &StepContext, _parameters: &Parameters, input: &[f32], output: &mut [f32]) {
        let stride = padded(self.input.channels);
        let tasks = output.par_chunks_mut(map_len(self.input)).zip(input.par_chunks(self.input.len()));
        step.threads.each(tasks, |(map, image), _| {
            for (to, from) in map.chunks_exact_mut(stride).zip(image.chunks_exact(self.input.channels)) {
                to[..from.len()].copy_from_slice(from);
                to[from.len()..].fill(0.0);
            }
        });
    }

    fn backward(&mut self, _: &StepContext, _: &Parameters, pass: BackwardPass<'_>, _: &mut Gradients) {
        // Images have no gradient.
        assert!(pass.d_input.is_none());
    }
}
