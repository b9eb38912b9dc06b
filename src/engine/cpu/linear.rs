//! Linear layers fused with bias and ReLU, on the same panels as the convolutions.
//!
//! W is never transposed. In the forward pass it is the left factor and the transposed batch the right one. For large
//! batches, and for the input gradient, W is copied to panels a few columns at a time.

use super::buffer::Buffer;
use super::operation::{BackwardBatch, BatchOperation, Cost, OperationKind, StepContext};
use super::prefetch::prefetch_columns;
use super::product::{LeftOperand, Order, PANEL, Product, by_columns, by_rows};
use super::simd::{Isa, kernel, padded};
use crate::model::{Gradients, Parameters};
use rayon::prelude::*;

/// Depth per product, so that a panel of the batch stays in the L1 cache.
const DEPTH: usize = 256;
/// Up to this many panels of images, W is multiplied in place: so few products do not amortise a copy.
const WITHOUT_COPY: usize = 2;
/// Outputs, or panels of inputs, per task.
const TASK_OUTPUTS: usize = 64;
const TASK_PANELS: usize = 8;

/// Indices of the parameters, and the layer's sizes.
#[derive(Debug, Clone)]
pub struct LinearSpec {
    pub weight: usize,
    pub bias: Option<usize>,
    pub inputs: usize,
    pub outputs: usize,
    pub relu: bool,
}

pub struct FullyConnected {
    name: String,
    spec: LinearSpec,
    /// In turn: the transposed batch, `[images / 16][input][16]`; the batch as panels, `[inputs / 16][image][16]`; and the
    /// input gradient as panels.
    inputs: Buffer,
    /// Outputs, `[task][images / 16][output][16]`.
    products: Buffer,
    /// Output gradient as panels, `[outputs / 16][image][16]`.
    d_panels: Buffer,
}

impl FullyConnected {
    pub fn new(name: String, spec: LinearSpec) -> Self {
        let (inputs, products, d_panels) = Default::default();
        Self { name, spec, inputs, products, d_panels }
    }
}

kernel! {
    /// Copies columns `first..first + width` of rows with stride `stride` to panels, `[width / 16][row][16]`.
    fn to_panels(from: &[f32], stride: usize, first: usize, width: usize, to: &mut [f32]) {
        let rows = from.len() / stride;
        assert!(first + width <= stride && to.len() >= width.div_ceil(PANEL) * rows * PANEL);
        for (row, from) in from.chunks_exact(stride).enumerate() {
            let from = &from[first..first + width];
            for panel in 0..width / PANEL {
                for at in (0..PANEL).step_by(S::LANES) {
                    // SAFETY: the row is `width` long, and `to` has a row of each panel for it, asserted above.
                    unsafe {
                        let value = S::load(from.as_ptr().add(panel * PANEL + at));
                        // The next call reads on in this row; rows are too far apart for the hardware prefetcher.
                        S::prefetch(from.as_ptr().wrapping_add(width + panel * PANEL));
                        S::store(to.as_mut_ptr().add((panel * rows + row) * PANEL + at), value);
                    }
                }
            }
            let rest = &from[width / PANEL * PANEL..];
            if !rest.is_empty() {
                to[(width / PANEL * rows + row) * PANEL..][..rest.len()].copy_from_slice(rest);
            }
        }
    }
}

/// y[outputs, images] = W·xᵀ for the rows of `weight`: `x` is `[images / 16][input][16]`, `y` is `[images /
/// 16][output][16]`. `packed` has room for [`DEPTH`] columns of `weight`, whose rows may be a power of two apart and
/// would then map to the same cache sets.
fn multiply_outputs(isa: Isa, weight: &[f32], inputs: usize, x: &[f32], packed: &mut [f32], y: &mut [f32]) {
    let outputs = weight.len() / inputs;
    let panels = x.len() / (inputs * PANEL);
    assert!(y.len() >= panels * outputs * PANEL && packed.len() >= outputs * DEPTH);
    for start in (0..inputs).step_by(DEPTH) {
        let depth = DEPTH.min(inputs - start);
        let left = if panels <= WITHOUT_COPY {
            LeftOperand { at: weight[start..].as_ptr(), order: Order::Rows(inputs), run: PANEL, next_run: PANEL }
        } else {
            to_panels(isa, weight, inputs, start, depth, packed);
            by_rows(packed.as_ptr(), outputs)
        };
        for panel in 0..panels {
            // SAFETY: `left` reads `depth` columns of the `outputs` rows of `weight`, or of `packed`; `x` and `y` have
            // `panels` panels of `inputs` and `outputs` rows.
            unsafe {
                let right = x.as_ptr().add((panel * inputs + start) * PANEL);
                let to = y.as_mut_ptr().add(panel * outputs * PANEL);
                Product {
                    rows: outputs,
                    left,
                    right,
                    depth,
                    to,
                    to_row: PANEL,
                    accumulate: start > 0,
                    next: right.wrapping_add(inputs * PANEL),
                }
                .run(isa);
            }
        }
    }
}

/// dW = dyᵀ·x for the outputs of some panels: `d_weight` is (outputs, inputs); `dy` and `x` are panels with `images`
/// rows.
fn multiply_weight_gradients(isa: Isa, dy: &[f32], x: &[f32], images: usize, inputs: usize, d_weight: &mut [f32]) {
    let outputs = d_weight.len() / inputs;
    let panel_len = images * PANEL;
    assert!(dy.len() >= outputs.div_ceil(PANEL) * panel_len && x.len() >= inputs.div_ceil(PANEL) * panel_len);
    for in_panel in 0..inputs.div_ceil(PANEL) {
        for out_panel in 0..outputs.div_ceil(PANEL) {
            let (first, column) = (out_panel * PANEL, in_panel * PANEL);
            let rows = PANEL.min(outputs - first);
            // The next product writes here; rows are too far apart for the hardware prefetcher.
            prefetch_columns(isa, d_weight, inputs, first..first + rows, column + PANEL..column + 2 * PANEL);
            // SAFETY: the panels are within the lengths asserted above; a product that would cross the end of a row of
            // `d_weight` is written to a separate square first.
            unsafe {
                let left = by_columns(dy.as_ptr().add(out_panel * panel_len));
                let right = x.as_ptr().add(in_panel * panel_len);
                let to = d_weight.as_mut_ptr().wrapping_add(first * inputs + column);
                let product =
                    Product { rows, left, right, depth: images, to, to_row: inputs, accumulate: false, next: right };
                if column + PANEL <= inputs {
                    product.run(isa);
                } else {
                    let mut square = [0.0_f32; PANEL * PANEL];
                    Product { to: square.as_mut_ptr(), to_row: PANEL, ..product }.run(isa);
                    for row in 0..rows {
                        let to = &mut d_weight[(first + row) * inputs + column..(first + row + 1) * inputs];
                        to.copy_from_slice(&square[row * PANEL..][..to.len()]);
                    }
                }
            }
        }
    }
}

/// dx = dy·W for one panel of inputs: `weight` is that panel, `[output][16]`; `dy` is panels with `images` rows.
fn multiply_input_gradients(isa: Isa, dy: &[f32], images: usize, weight: &[f32], dx: &mut [f32]) {
    let outputs = weight.len() / PANEL;
    assert!(dy.len() >= outputs.div_ceil(PANEL) * images * PANEL && dx.len() >= images * PANEL);
    // SAFETY: the lengths are asserted above.
    unsafe {
        let (left, right, to) = (by_rows(dy.as_ptr(), images), weight.as_ptr(), dx.as_mut_ptr());
        Product { rows: images, left, right, depth: outputs, to, to_row: PANEL, accumulate: false, next: right }
            .run(isa);
    }
}

impl BatchOperation for FullyConnected {
    fn name(&self) -> &str {
        &self.name
    }

    fn cost(&self) -> Cost {
        Cost::of(OperationKind::Linear, self.spec.inputs * self.spec.outputs, false)
    }

    fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32], output: &mut [f32]) {
        let LinearSpec { inputs, outputs, relu, .. } = self.spec;
        let in_stride = padded(inputs);
        let image_panels = step.images.div_ceil(PANEL);
        let columns = self.inputs.first(image_panels * inputs * PANEL);
        let tasks = columns.par_chunks_mut(inputs * PANEL).zip(input.par_chunks(in_stride * PANEL));
        step.threads.each(tasks, |(columns, rows), _| {
            if rows.len() < in_stride * PANEL {
                columns.fill(0.0);
            }
            // A few columns at a time, so that the destination stays in the L1 cache.
            for (columns, first) in columns.chunks_mut(DEPTH * PANEL).zip((0..inputs).step_by(DEPTH)) {
                for (image, row) in rows.chunks_exact(in_stride).enumerate() {
                    for (to, value) in columns.chunks_exact_mut(PANEL).zip(&row[first..]) {
                        to[image] = *value;
                    }
                }
            }
        });
        let task_len = image_panels * TASK_OUTPUTS * PANEL;
        let products = self.products.first(outputs.div_ceil(TASK_OUTPUTS) * task_len);
        let weight = &parameters.arrays()[self.spec.weight].values;
        let tasks = products.par_chunks_mut(task_len).zip(weight.par_chunks(TASK_OUTPUTS * inputs));
        step.threads.each(tasks, |(y, weight), scratch| {
            let packed = scratch.a.first(TASK_OUTPUTS * DEPTH);
            multiply_outputs(step.isa(), weight, inputs, columns, packed, y);
        });
        let bias = self.spec.bias.map(|place| &parameters.arrays()[place].values);
        let (products, rows) = (&*products, output.par_chunks_mut(padded(outputs)).enumerate());
        step.threads.each(rows, |(image, row), _| {
            row[outputs..].fill(0.0);
            for (output, value) in row[..outputs].iter_mut().enumerate() {
                let (task, place) = (output / TASK_OUTPUTS, output % TASK_OUTPUTS);
                let task_outputs = TASK_OUTPUTS.min(outputs - task * TASK_OUTPUTS);
                let at = task * task_len + ((image / PANEL) * task_outputs + place) * PANEL + image % PANEL;
                let z = products[at] + bias.map_or(0.0, |bias| bias[output]);
                // `max` would hide a NaN.
                *value = if relu && z <= 0.0 { 0.0 } else { z };
            }
        });
    }

    fn backward(
        &mut self,
        step: &StepContext,
        parameters: &Parameters,
        batch: BackwardBatch<'_>,
        gradients: &mut Gradients,
    ) {
        let BackwardBatch { input, output, d_output, d_input } = batch;
        let LinearSpec { inputs, outputs, relu, .. } = self.spec;
        let (in_stride, out_stride, images) = (padded(inputs), padded(outputs), step.images);
        let panel_len = images * PANEL;
        if relu {
            for (gradient, output) in d_output.iter_mut().zip(output) {
                *gradient = if *output > 0.0 { *gradient } else { 0.0 };
            }
        }
        if let Some(place) = self.spec.bias {
            let d_bias = &mut gradients.arrays[place];
            d_bias.fill(0.0);
            for row in d_output.chunks_exact(out_stride) {
                d_bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
        let d_panels = self.d_panels.first(outputs.div_ceil(PANEL) * panel_len);
        let d_output = &*d_output;
        let tasks = d_panels.par_chunks_mut(TASK_PANELS * panel_len).enumerate();
        step.threads.each(tasks, |(task, to), _| {
            to_panels(step.isa(), d_output, out_stride, task * TASK_PANELS * PANEL, to.len() / images, to);
        });
        let d_panels = &*d_panels;

        let panels = self.inputs.first(inputs.div_ceil(PANEL) * panel_len);
        let tasks = panels.par_chunks_mut(TASK_PANELS * panel_len).enumerate();
        step.threads.each(tasks, |(task, to), _| {
            to_panels(step.isa(), input, in_stride, task * TASK_PANELS * PANEL, to.len() / images, to);
        });
        let panels = &*panels;
        let tasks = gradients.arrays[self.spec.weight].par_chunks_mut(TASK_OUTPUTS * inputs);
        step.threads.each(tasks.zip(d_panels.par_chunks(TASK_OUTPUTS / PANEL * panel_len)), |(d_weight, dy), _| {
            multiply_weight_gradients(step.isa(), dy, panels, images, inputs, d_weight);
        });

        let Some(d_input) = d_input else { return };
        let weight = &parameters.arrays()[self.spec.weight].values;
        let d_inputs = self.inputs.first(inputs.div_ceil(PANEL) * panel_len);
        let tasks = d_inputs.par_chunks_mut(TASK_PANELS * panel_len).enumerate();
        step.threads.each(tasks, |(task, dx), scratch| {
            let first = task * TASK_PANELS * PANEL;
            let width = (dx.len() / images).min(inputs - first);
            let packed = scratch.a.first(dx.len() / panel_len * outputs * PANEL);
            to_panels(step.isa(), weight, inputs, first, width, packed);
            for (dx, packed) in dx.chunks_exact_mut(panel_len).zip(packed.chunks_exact(outputs * PANEL)) {
                multiply_input_gradients(step.isa(), d_panels, images, packed, dx);
            }
        });
        let d_inputs = &*d_inputs;
        step.threads.each(d_input.par_chunks_mut(in_stride).enumerate(), |(image, row), _| {
            for (panel, part) in row.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
                part.copy_from_slice(&d_inputs[panel * panel_len + image * PANEL..][..PANEL]);
            }
            row[inputs..].fill(0.0);
        });
    }
}
