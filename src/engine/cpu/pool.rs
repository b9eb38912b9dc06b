//! Pooling that was not fused into a convolution, and conversion from maps to vectors.

use super::operation::{BackwardImages, ForwardImages, ImageContext, ImageOperation, map_len};
use super::simd::{kernel, padded};
use super::threads::Scratch;
use crate::model::Shape;

/// The largest window size whose positions fit in a byte.
pub const LARGEST_WINDOW: usize = 15;

/// Max-pool with a window and stride of `size`; a remainder at the right and bottom edges is ignored.
pub struct MaxPool {
    size: usize,
    input: Shape,
    output: Shape,
}

impl MaxPool {
    pub fn new(size: usize, input: Shape, output: Shape) -> Self {
        Self { size, input, output }
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

impl ImageOperation for MaxPool {
    fn name(&self) -> &str {
        "max-pool"
    }

    /// Position of each output's (first) maximum in its window: (height, width, channels padded).
    fn code_len(&self) -> usize {
        map_len(self.output)
    }

    fn forward(&self, context: ImageContext, images: ForwardImages<'_>, _: &mut Scratch) {
        let (in_len, out_len) = self.lens();
        let outputs = images.output.chunks_exact_mut(out_len).zip(images.codes.chunks_exact_mut(out_len));
        for ((out, codes), image) in outputs.zip(images.input.chunks_exact(in_len)) {
            pool_image(context.isa, self.size, self.input, self.output, image, out, codes);
        }
    }

    fn backward(&self, context: ImageContext, images: BackwardImages<'_>, _: &mut Scratch) {
        let Some(d_input) = images.d_input else { return };
        let (in_len, out_len) = self.lens();
        let gradients = images.d_output.chunks_exact(out_len).zip(images.codes.chunks_exact(out_len));
        for ((gradient, codes), d_image) in gradients.zip(d_input.chunks_exact_mut(in_len)) {
            unpool_image(context.isa, self.size, self.input, self.output, gradient, codes, d_image);
        }
    }
}

/// The mean over height and width.
pub struct GlobalAveragePool {
    pub input: Shape,
}

impl ImageOperation for GlobalAveragePool {
    fn name(&self) -> &str {
        "average-pool"
    }

    fn forward(&self, _: ImageContext, images: ForwardImages<'_>, _: &mut Scratch) {
        let (channels, share) = (padded(self.input.channels), 1.0 / (self.input.height * self.input.width) as f32);
        let maps = images.input.chunks_exact(map_len(self.input));
        for (out, image) in images.output.chunks_exact_mut(channels).zip(maps) {
            out.fill(0.0);
            for pixel in image.chunks_exact(channels) {
                out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            }
            out.iter_mut().for_each(|sum| *sum *= share);
        }
    }

    fn backward(&self, _: ImageContext, images: BackwardImages<'_>, _: &mut Scratch) {
        let Some(d_input) = images.d_input else { return };
        let (channels, share) = (padded(self.input.channels), 1.0 / (self.input.height * self.input.width) as f32);
        let gradients = images.d_output.chunks_exact(channels);
        for (d_image, gradient) in d_input.chunks_exact_mut(map_len(self.input)).zip(gradients) {
            for pixel in d_image.chunks_exact_mut(channels) {
                pixel.iter_mut().zip(gradient).for_each(|(to, value)| *to = share * value);
            }
        }
    }
}

/// A map to a vector in PyTorch's order (channels, height, width).
pub struct Flatten {
    pub input: Shape,
}

impl ImageOperation for Flatten {
    fn name(&self) -> &str {
        "flatten"
    }

    fn forward(&self, _: ImageContext, images: ForwardImages<'_>, _: &mut Scratch) {
        let (stride, pixels) = (padded(self.input.channels), self.input.height * self.input.width);
        let maps = images.input.chunks_exact(map_len(self.input));
        for (vector, image) in images.output.chunks_exact_mut(padded(self.input.len())).zip(maps) {
            vector[self.input.len()..].fill(0.0);
            for (channel, values) in vector[..self.input.len()].chunks_exact_mut(pixels).enumerate() {
                for (value, pixel) in values.iter_mut().zip(image.chunks_exact(stride)) {
                    *value = pixel[channel];
                }
            }
        }
    }

    fn backward(&self, _: ImageContext, images: BackwardImages<'_>, _: &mut Scratch) {
        let Some(d_input) = images.d_input else { return };
        let (stride, pixels) = (padded(self.input.channels), self.input.height * self.input.width);
        let vectors = images.d_output.chunks_exact(padded(self.input.len()));
        for (d_image, vector) in d_input.chunks_exact_mut(map_len(self.input)).zip(vectors) {
            for (place, pixel) in d_image.chunks_exact_mut(stride).enumerate() {
                pixel[self.input.channels..].fill(0.0);
                for (channel, value) in pixel[..self.input.channels].iter_mut().enumerate() {
                    *value = vector[channel * pixels + place];
                }
            }
        }
    }
}

/// Converts raw images to maps with channels padded to whole lines.
pub struct Import {
    pub input: Shape,
}

impl ImageOperation for Import {
    fn name(&self) -> &str {
        "import"
    }

    fn forward(&self, _: ImageContext, images: ForwardImages<'_>, _: &mut Scratch) {
        let stride = padded(self.input.channels);
        let pixels = images.input.chunks_exact(self.input.channels);
        for (to, from) in images.output.chunks_exact_mut(stride).zip(pixels) {
            to[..from.len()].copy_from_slice(from);
            to[from.len()..].fill(0.0);
        }
    }

    fn backward(&self, _: ImageContext, images: BackwardImages<'_>, _: &mut Scratch) {
        // Images have no gradient.
        assert!(images.d_input.is_none());
    }
}
