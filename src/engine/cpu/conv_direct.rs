//! Convolutions of any kernel size, fused with bias and activation, as an implicit matrix product (im2col without the
//! copy).
//!
//! One kernel row covers kernel·channels contiguous floats of the zero-padded image, so the product reads patches in
//! place. Meant for first layers, which have too few channels for Winograd tiles to pay off.

use super::activation::{Activation, activate, activation_gradient};
use super::buffer::Buffer;
use super::conv_winograd::ConvSpec;
use super::operation::{
    BackwardImages, Cost, ForwardImages, ImageContext, ImageOperation, OperationKind, Slots, StepContext,
};
use super::prefetch::prefetch;
use super::product::{LeftOperand, Order, PANEL, Product, by_rows};
use super::simd::{Isa, kernel, padded};
use super::threads::Scratch;
use crate::model::{Gradients, Parameters, Shape};

/// Sizes of a convolution.
#[derive(Debug, Clone)]
pub struct DirectShape {
    pub height: usize,
    pub width: usize,
    /// Floats from one input pixel to the next: its channels, padded unless the input is raw images.
    pub pixel: usize,
    pub kernel: usize,
    pub padding: usize,
    pub outputs: usize,
    pub activation: Activation,
}

impl DirectShape {
    fn out_height(&self) -> usize {
        self.height + 2 * self.padding + 1 - self.kernel
    }
    fn out_width(&self) -> usize {
        self.width + 2 * self.padding + 1 - self.kernel
    }
    /// Floats per row of the padded image.
    fn line(&self) -> usize {
        (self.width + 2 * self.padding) * self.pixel
    }
    /// Floats per padded image.
    fn padded_len(&self) -> usize {
        (self.height + 2 * self.padding) * self.line()
    }
    /// Depth of the product contributed by one kernel row.
    fn segment(&self) -> usize {
        self.kernel * self.pixel
    }
    fn input_len(&self) -> usize {
        self.height * self.width * self.pixel
    }
    fn out_pixel(&self) -> usize {
        padded(self.outputs)
    }
    fn output_len(&self) -> usize {
        self.out_height() * self.out_width() * self.out_pixel()
    }
    fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }
    /// Panels of the input channels, for the input gradient.
    fn input_panels(&self) -> usize {
        self.pixel.div_ceil(PANEL)
    }
    /// Floats of the packed kernels.
    fn weights_len(&self) -> usize {
        self.panels() * self.kernel * self.segment() * PANEL
    }
}

pub struct DirectConv {
    name: String,
    spec: ConvSpec,
    shape: DirectShape,
    /// `[outputs / 16][kernel row][kernel column · channels][16]`.
    weights: Buffer,
    /// `[kernel row][kernel column][inputs / 16][outputs][16]`, for the input gradient.
    exchanged: Buffer,
    /// (outputs), padded to whole panels.
    bias: Buffer,
}

impl DirectConv {
    /// `shape.pixel` tells whether the input channels are padded.
    pub fn new(name: String, spec: ConvSpec, shape: DirectShape) -> Self {
        let (weights, exchanged, bias) = Default::default();
        Self { name, spec, shape, weights, exchanged, bias }
    }

    /// Calls `with(output, input, kernel row, kernel column, value)` for every weight.
    fn each_weight(&self, weight: &[f32], mut with: impl FnMut(usize, usize, usize, usize, f32)) {
        let (side, inputs) = (self.shape.kernel, self.spec.inputs);
        for (place, &value) in weight.iter().enumerate() {
            let (row, column) = (place / side % side, place % side);
            with(place / (side * side * inputs), place / (side * side) % inputs, row, column, value);
        }
    }

    fn pack(&mut self, parameters: &Parameters, exchanged: bool) {
        let weight = &parameters.arrays()[self.spec.weight].values;
        let (side, pixel, segment) = (self.shape.kernel, self.shape.pixel, self.shape.segment());
        if exchanged {
            let (panels, depth) = (self.shape.input_panels(), self.shape.out_pixel());
            let mut packed = std::mem::take(&mut self.exchanged);
            let to = packed.first(side * side * panels * depth * PANEL);
            self.each_weight(weight, |o, i, row, column, value| {
                to[(((row * side + column) * panels + i / PANEL) * depth + o) * PANEL + i % PANEL] = value;
            });
            self.exchanged = packed;
        } else {
            let mut packed = std::mem::take(&mut self.weights);
            let to = packed.first(self.shape.weights_len());
            self.each_weight(weight, |o, i, row, column, value| {
                to[((o / PANEL * side + row) * segment + column * pixel + i) * PANEL + o % PANEL] = value;
            });
            self.weights = packed;
        }
    }
}

/// Copies an image into the middle of a zeroed buffer.
fn pad(shape: &DirectShape, image: &[f32], to: &mut [f32]) {
    let margin = shape.padding * shape.pixel;
    to.fill(0.0);
    for (y, row) in image.chunks_exact(shape.width * shape.pixel).enumerate() {
        to[(y + shape.padding) * shape.line() + margin..][..row.len()].copy_from_slice(row);
    }
}

/// Computes one output row before the bias, prefetching `wanted` meanwhile. `to` is `[outputs / 16][column][16]`;
/// `image` is padded.
fn forward_row(
    isa: Isa,
    shape: &DirectShape,
    image: &[f32],
    y: usize,
    weights: &[f32],
    wanted: &[f32],
    to: &mut [f32],
) {
    let (columns, segment) = (shape.out_width(), shape.segment());
    let depth = shape.kernel * segment;
    assert!(y < shape.out_height() && image.len() >= shape.padded_len());
    assert!(weights.len() >= shape.weights_len() && to.len() >= shape.panels() * columns * PANEL);
    for panel in 0..shape.panels() {
        prefetch::<2>(isa, wanted, panel, shape.panels());
        // SAFETY: y + kernel − 1 is a row of the padded image, which is columns + kernel − 1 pixels wide; the other
        // lengths are asserted above.
        unsafe {
            let at = image.as_ptr().add(y * shape.line());
            let left = LeftOperand { at, order: Order::Rows(shape.pixel), run: segment, next_run: shape.line() };
            let right = weights.as_ptr().add(panel * depth * PANEL);
            let to = to.as_mut_ptr().add(panel * columns * PANEL);
            Product { rows: columns, left, right, depth, to, to_row: PANEL, accumulate: false, next: right }.run(isa);
        }
    }
}

/// Adds the contribution of one gradient row, `[outputs / 16][column][16]`, to the kernel gradient, prefetching
/// `wanted` meanwhile.
fn weight_gradient_row(
    isa: Isa,
    shape: &DirectShape,
    image: &[f32],
    y: usize,
    gradient: &[f32],
    wanted: [&[f32]; 2],
    d_weights: &mut [f32],
) {
    let (columns, segment) = (shape.out_width(), shape.segment());
    assert!(y < shape.out_height() && image.len() >= shape.padded_len());
    assert!(d_weights.len() >= shape.weights_len() && gradient.len() >= shape.panels() * columns * PANEL);
    for panel in 0..shape.panels() {
        for row in 0..shape.kernel {
            for wanted in wanted {
                prefetch::<1>(isa, wanted, panel * shape.kernel + row, shape.panels() * shape.kernel);
            }
            // SAFETY: as in `forward_row`, with the product's rows and depth exchanged.
            unsafe {
                let at = image.as_ptr().add((y + row) * shape.line());
                let left = LeftOperand { at, order: Order::Columns(shape.pixel), run: columns, next_run: 0 };
                let right = gradient.as_ptr().add(panel * columns * PANEL);
                let to = d_weights.as_mut_ptr().add((panel * shape.kernel + row) * segment * PANEL);
                Product {
                    rows: segment,
                    left,
                    right,
                    depth: columns,
                    to,
                    to_row: PANEL,
                    accumulate: true,
                    next: right,
                }
                .run(isa);
            }
        }
    }
}

/// Adds the contribution of one gradient row to the gradient of the padded image, whose pixels are padded to whole
/// panels here.
fn input_gradient_row(
    isa: Isa,
    shape: &DirectShape,
    gradient: &[f32],
    y: usize,
    exchanged: &[f32],
    d_image: &mut [f32],
) {
    let (columns, depth, panels) = (shape.out_width(), shape.out_pixel(), shape.input_panels());
    let width = shape.width + 2 * shape.padding;
    assert!(y < shape.out_height() && gradient.len() >= shape.panels() * columns * PANEL);
    assert!(d_image.len() >= (shape.height + 2 * shape.padding) * width * panels * PANEL);
    assert!(exchanged.len() >= shape.kernel * shape.kernel * panels * depth * PANEL);
    for (row, column) in (0..shape.kernel).flat_map(|row| (0..shape.kernel).map(move |column| (row, column))) {
        for panel in 0..panels {
            // SAFETY: the last pixel written is (y + row, column + columns − 1), which is inside the padded image.
            unsafe {
                let left = by_rows(gradient.as_ptr(), columns);
                let place = (row * shape.kernel + column) * panels + panel;
                let right = exchanged.as_ptr().add(place * depth * PANEL);
                let to = d_image.as_mut_ptr().add((((y + row) * width + column) * panels + panel) * PANEL);
                let to_row = panels * PANEL;
                Product { rows: columns, left, right, depth, to, to_row, accumulate: true, next: right }.run(isa);
            }
        }
    }
}

kernel! {
    /// Adds the bias, applies the activation, and converts panels to a map row: `out` is (column, outputs padded).
    fn finish_row(shape: &DirectShape, panels: &[f32], bias: &[f32], out: &mut [f32]) {
        let (columns, pixel) = (shape.out_width(), shape.out_pixel());
        assert!(panels.len() >= shape.panels() * columns * PANEL && out.len() >= columns * pixel && bias.len() >= pixel);
        for c in (0..pixel).step_by(S::LANES) {
            // SAFETY: the lengths asserted above cover every column and channel.
            unsafe {
                let bias = S::load(bias.as_ptr().add(c));
                for column in 0..columns {
                    let z = S::load(panels.as_ptr().add((c / PANEL * columns + column) * PANEL + c % PANEL));
                    S::store(out.as_mut_ptr().add(column * pixel + c), activate::<S>(shape.activation, S::add(z, bias)));
                }
            }
        }
    }
}

kernel! {
    /// Replaces `panels`, the row's outputs before the bias, by the gradients before the activation, and adds these to
    /// `d_bias`.
    fn gradient_row(
        shape: &DirectShape,
        gradient: &[f32],
        output: &[f32],
        bias: &[f32],
        panels: &mut [f32],
        d_bias: &mut [f32],
    ) {
        let (columns, pixel) = (shape.out_width(), shape.out_pixel());
        assert!(panels.len() >= shape.panels() * columns * PANEL && gradient.len() >= columns * pixel);
        assert!(output.len() >= columns * pixel && bias.len() >= pixel && d_bias.len() >= pixel);
        for c in (0..pixel).step_by(S::LANES) {
            // SAFETY: the lengths asserted above cover every column and channel.
            unsafe {
                let bias = S::load(bias.as_ptr().add(c));
                let sum_at = d_bias.as_mut_ptr().add(c);
                let mut sum = S::load(sum_at);
                for column in 0..columns {
                    let place = panels.as_mut_ptr().add((c / PANEL * columns + column) * PANEL + c % PANEL);
                    let z = match shape.activation {
                        // The derivatives of ReLU and the identity follow from the output; GELU's needs the input.
                        Activation::Gelu => S::add(S::load(place), bias),
                        Activation::Identity | Activation::Relu => S::load(output.as_ptr().add(column * pixel + c)),
                    };
                    let gradient = S::load(gradient.as_ptr().add(column * pixel + c));
                    let value = activation_gradient::<S>(shape.activation, z, gradient);
                    S::store(place, value);
                    sum = S::add(sum, value);
                }
                S::store(sum_at, sum);
            }
        }
    }
}

fn forward_images(isa: Isa, conv: &DirectConv, x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    let shape = &conv.shape;
    let row_len = shape.out_width() * shape.out_pixel();
    let panels = scratch.b.first(shape.panels() * shape.out_width() * PANEL);
    let image = scratch.a.first(shape.padded_len());
    for (x, out) in x.chunks_exact(shape.input_len()).zip(out.chunks_exact_mut(shape.output_len())) {
        pad(shape, x, image);
        for (y, out) in out.chunks_exact_mut(row_len).enumerate() {
            forward_row(isa, shape, image, y, &conv.weights, out, panels);
            finish_row(isa, shape, panels, &conv.bias, out);
        }
    }
}

/// Adds to the sums of a group, `[outputs / 16][kernel row][kernel column · channels][16]` and the bias gradient.
fn backward_images(isa: Isa, conv: &DirectConv, images: BackwardImages<'_>, scratch: &mut Scratch) {
    let shape = &conv.shape;
    let BackwardImages { input: x, output, d_output: gradient, mut d_input, sums, begins, .. } = images;
    let gradient = &*gradient;
    if begins {
        sums.fill(0.0);
    }
    let (d_weights, d_bias) = sums.split_at_mut(shape.weights_len());
    let row_len = shape.out_width() * shape.out_pixel();
    let panels = scratch.b.first(shape.panels() * shape.out_width() * PANEL);
    let padded_image = scratch.a.first(shape.padded_len());
    for (place, x) in x.chunks_exact(shape.input_len()).enumerate() {
        pad(shape, x, padded_image);
        let d_padded = match d_input {
            Some(_) => {
                let pixels = (shape.height + 2 * shape.padding) * (shape.width + 2 * shape.padding);
                let d_padded = scratch.c.first(pixels * shape.input_panels() * PANEL);
                d_padded.fill(0.0);
                d_padded
            }
            None => &mut [],
        };
        for y in 0..shape.out_height() {
            let row = (place * shape.out_height() + y) * row_len;
            let rows_at = |at: usize| [output, gradient].map(|maps| maps.get(at..at + row_len).unwrap_or_default());
            let ([output, gradient], wanted) = (rows_at(row), rows_at(row + row_len));
            if shape.activation == Activation::Gelu {
                forward_row(isa, shape, padded_image, y, &conv.weights, &[], panels);
            }
            gradient_row(isa, shape, gradient, output, &conv.bias, panels, d_bias);
            if !conv.spec.frozen {
                weight_gradient_row(isa, shape, padded_image, y, panels, wanted, d_weights);
            }
            if d_input.is_some() {
                input_gradient_row(isa, shape, panels, y, &conv.exchanged, d_padded);
            }
        }
        if let Some(d_input) = &mut d_input {
            let d_input = &mut d_input[place * shape.input_len()..(place + 1) * shape.input_len()];
            crop(shape, d_padded, d_input);
        }
    }
}

/// Copies the middle of a padded gradient, whose pixels are whole panels, to the image's gradient.
fn crop(shape: &DirectShape, d_padded: &[f32], d_image: &mut [f32]) {
    let pixel = shape.input_panels() * PANEL;
    let width = shape.width + 2 * shape.padding;
    for (place, to) in d_image.chunks_exact_mut(shape.pixel).enumerate() {
        let (y, x) = (place / shape.width + shape.padding, place % shape.width + shape.padding);
        to.copy_from_slice(&d_padded[(y * width + x) * pixel..][..shape.pixel]);
    }
}

impl ImageOperation for DirectConv {
    fn name(&self) -> &str {
        &self.name
    }

    fn cost(&self) -> Cost {
        let pixels = Shape::map(1, self.shape.out_height(), self.shape.out_width()).len();
        let products = self.shape.kernel * self.shape.kernel * self.spec.inputs * self.spec.outputs;
        Cost::of(OperationKind::Convolution, products * pixels, self.spec.frozen)
    }

    fn prepare_forward(&mut self, _: &StepContext, parameters: &Parameters) {
        self.pack(parameters, false);
        let bias = self.bias.first(self.shape.panels() * PANEL);
        if let Some(place) = self.spec.bias {
            bias[..self.spec.outputs].copy_from_slice(&parameters.arrays()[place].values);
        }
    }

    fn prepare_backward(&mut self, _: &StepContext, parameters: &Parameters) {
        self.pack(parameters, true);
    }

    fn forward(&self, context: ImageContext, images: ForwardImages<'_>, scratch: &mut Scratch) {
        forward_images(context.isa, self, images.input, images.output, scratch);
    }

    fn backward(&self, context: ImageContext, images: BackwardImages<'_>, scratch: &mut Scratch) {
        backward_images(context.isa, self, images, scratch);
    }

    fn sums_len(&self) -> usize {
        self.shape.weights_len() + self.shape.panels() * PANEL
    }

    fn slot_len(&self) -> usize {
        self.sums_len()
    }

    fn finish_sums(&self, _: ImageContext, sums: &[f32], slot: &mut [f32]) {
        slot.copy_from_slice(sums);
    }

    fn collect(&self, _: &StepContext, slots: Slots<'_>, gradients: &mut Gradients) {
        let shape = &self.shape;
        if let Some(place) = self.spec.bias {
            slots.sum(shape.weights_len(), &mut gradients.arrays[place]);
        }
        if !self.spec.frozen {
            let mut sum = vec![0.0; shape.weights_len()];
            slots.sum(0, &mut sum);
            let (side, segment, inputs) = (shape.kernel, shape.segment(), self.spec.inputs);
            for (place, value) in gradients.arrays[self.spec.weight].iter_mut().enumerate() {
                let (row, column) = (place / side % side, place % side);
                let (o, i) = (place / (side * side * inputs), place / (side * side) % inputs);
                *value = sum[((o / PANEL * side + row) * segment + column * shape.pixel + i) * PANEL + o % PANEL];
            }
        }
    }
}
