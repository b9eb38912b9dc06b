//! 3x3 convolutions by Winograd tiles, fused with bias, ReLU and 2x2 max-pool.

use super::buffer::Buffer;
use super::filters::{FilterColumns, Kernels, scatter_taps, transform_filter_gradients, transform_filters};
use super::operation::{
    BackwardImages, Cost, ForwardImages, ImageContext, ImageOperation, OperationKind, Slots, StepContext,
};
use super::prefetch::prefetch;
use super::product::{PANEL, Product, by_columns, by_rows};
use super::simd::Isa;
use super::threads::Scratch;
use super::tiles::{
    OutputGradient, transform_input, transform_input_gradient, transform_output, transform_output_gradient, zeros_len,
};
use super::tiling::{Block, Tiling, position_stride};
use crate::model::{Gradients, Parameters};
use rayon::prelude::*;

/// Indices of a convolution's parameters, and its real (unpadded) channels.
#[derive(Debug, Clone)]
pub struct ConvSpec {
    pub weight: usize,
    pub bias: Option<usize>,
    pub inputs: usize,
    pub outputs: usize,
    pub frozen: bool,
}

pub struct WinogradConv {
    name: String,
    spec: ConvSpec,
    tiling: Tiling,
    /// Of the backward pass, which may mix sizes. The forward pass does not: large tiles round more, and its rounding
    /// decides on which side of zero an output lies, and which of a window is the largest.
    backward: Tiling,
    /// Transformed kernels for the forward pass, `[outputs / 16][position][inputs + 1][16]`.
    u: Buffer,
    /// The same with inputs and outputs exchanged, for the input gradient.
    u_exchanged: Buffer,
    /// (outputs), padded; zeros if there is no bias.
    bias: Buffer,
}

/// Calls `$function` with the tile size as a constant.
macro_rules! with_tile {
    ($size:expr, $function:ident ( $($argument:expr),* $(,)? )) => {
        match $size {
            3 => $function::<3>($($argument),*),
            4 => $function::<4>($($argument),*),
            5 => $function::<5>($($argument),*),
            _ => $function::<6>($($argument),*),
        }
    };
}

impl WinogradConv {
    /// `tiling` and `backward` divide the same map.
    pub fn new(name: String, spec: ConvSpec, tiling: Tiling, backward: Tiling) -> Self {
        let (u, u_exchanged, bias) = Default::default();
        Self { name, spec, tiling, backward, u, u_exchanged, bias }
    }

    fn panels(&self) -> usize {
        self.tiling.outputs.div_ceil(PANEL)
    }

    /// Floats of the gradient of the transformed kernels, and of the kernels' taps, `[outputs / 16][inputs][9][16]`.
    fn transformed_len(&self) -> usize {
        self.panels() * self.backward.positions() * position_stride(PANEL, self.tiling.inputs)
    }
    fn taps_len(&self) -> usize {
        self.panels() * self.tiling.inputs * 9 * PANEL
    }

    fn transform_weights(&mut self, step: &StepContext, parameters: &Parameters, columns: FilterColumns) {
        let isa = step.isa();
        let (tiling, u) = match columns {
            FilterColumns::Outputs => (&self.tiling, &mut self.u),
            FilterColumns::Inputs => (&self.backward, &mut self.u_exchanged),
        };
        let (across, rows) = match columns {
            FilterColumns::Outputs => (tiling.outputs, tiling.inputs),
            FilterColumns::Inputs => (tiling.inputs, tiling.outputs),
        };
        let kernels = Kernels {
            weight: &parameters.arrays()[self.spec.weight].values,
            outputs: self.spec.outputs,
            inputs: self.spec.inputs,
        };
        let panel_len = tiling.positions() * position_stride(PANEL, rows);
        let panels = u.first(across.div_ceil(PANEL) * panel_len).par_chunks_mut(panel_len).enumerate();
        step.threads.each(panels, |(panel, u), _| {
            with_tile!(tiling.m, transform_filters(isa, kernels, columns, panel, rows, u));
        });
    }
}

/// m = v·u at every position, prefetching `wanted` meanwhile.
fn multiply_forward(isa: Isa, conv: &WinogradConv, v: &[f32], block: Block, wanted: [&[f32]; 2], m: &mut [f32]) {
    let (tiling, u, tiles) = (&conv.tiling, &conv.u, block.count);
    let (inputs, outputs, positions) = (tiling.inputs, tiling.outputs, tiling.positions());
    let (v_stride, m_stride) = (position_stride(inputs, tiles), position_stride(outputs, tiles));
    let panels = outputs.div_ceil(PANEL);
    assert!(v.len() >= positions * v_stride && m.len() >= positions * m_stride);
    let u_stride = position_stride(PANEL, inputs);
    assert!(u.len() >= panels * positions * u_stride);
    for position in 0..positions {
        for wanted in wanted {
            prefetch::<2>(isa, wanted, position, positions);
        }
        let present = tiling.at_position(block, position);
        assert!(present.end <= tiles);
        for panel in 0..panels {
            // SAFETY: the lengths asserted above cover every position and panel; a panel has `tiles` rows of 16.
            unsafe {
                let left = by_rows(v.as_ptr().add(position * v_stride + present.start * PANEL), tiles);
                let right = u.as_ptr().add((panel * positions + position) * u_stride);
                let to = m.as_mut_ptr().add(position * m_stride + (panel * tiles + present.start) * PANEL);
                let next = if panel + 1 < panels {
                    right.wrapping_add(positions * u_stride)
                } else {
                    u.as_ptr().wrapping_add((position + 1) * u_stride)
                };
                // Skip the channels that are only padding.
                let depth = conv.spec.inputs;
                Product { rows: present.len(), left, right, depth, to, to_row: PANEL, accumulate: false, next }
                    .run_in_parts(isa);
            }
        }
    }
}

/// Operands of a block's backward products, and where the kernel gradient goes.
struct Backward<'a> {
    /// The transformed input; overwritten by its gradient.
    v: &'a mut [f32],
    dm: &'a [f32],
    /// Transformed kernels, if the input gradient is needed.
    u: Option<&'a [f32]>,
    block: Block,
    du: &'a mut [f32],
    /// Add to `du` instead of overwriting it.
    accumulate: bool,
    /// What the passes after the products will touch: prefetched meanwhile.
    wanted: [&'a [f32]; 4],
}

/// du (+)= vᵀ·dm at every position; then, if `u` is given, v = dm·u.
fn multiply_backward(isa: Isa, conv: &WinogradConv, backward: Backward<'_>) {
    let (tiling, spec) = (&conv.backward, &conv.spec);
    let Backward { v, dm, u, block, du, accumulate, wanted } = backward;
    let tiles = block.count;
    let (inputs, outputs, positions) = (tiling.inputs, tiling.outputs, tiling.positions());
    let (v_stride, m_stride) = (position_stride(inputs, tiles), position_stride(outputs, tiles));
    let (in_panels, out_panels) = (inputs.div_ceil(PANEL), outputs.div_ceil(PANEL));
    assert!(v.len() >= positions * v_stride && dm.len() >= positions * m_stride);
    let (du_stride, u_stride) = (position_stride(PANEL, inputs), position_stride(PANEL, outputs));
    assert!(du.len() >= out_panels * positions * du_stride);
    assert!(u.is_none_or(|u| u.len() >= in_panels * positions * u_stride));
    for position in 0..positions {
        for wanted in wanted {
            prefetch::<2>(isa, wanted, position, positions);
        }
        let present = tiling.at_position(block, position);
        assert!(present.end <= tiles);
        // SAFETY: the lengths asserted above cover every position and panel; a panel has `tiles` rows of 16, and the
        // rows of `du` of one panel of inputs end at `inputs`.
        unsafe {
            let v = v.as_mut_ptr().add(position * v_stride + present.start * PANEL);
            let dm = dm.as_ptr().add(position * m_stride + present.start * PANEL);
            for out_panel in 0..out_panels {
                let right = dm.add(out_panel * tiles * PANEL);
                let to = du.as_mut_ptr().add((out_panel * positions + position) * du_stride);
                for in_panel in 0..in_panels {
                    let rows = PANEL.min(spec.inputs - in_panel * PANEL);
                    let left = by_columns(v.add(in_panel * tiles * PANEL));
                    let to = to.add(in_panel * PANEL * PANEL);
                    let product =
                        Product { rows, left, right, depth: present.len(), to, to_row: PANEL, accumulate, next: right };
                    product.run(isa);
                }
            }
            if let Some(u) = u {
                for in_panel in 0..in_panels {
                    let left = by_rows(dm, tiles);
                    let right = u.as_ptr().add((in_panel * positions + position) * u_stride);
                    let to = v.add(in_panel * tiles * PANEL);
                    let next = if in_panel + 1 < in_panels {
                        right.wrapping_add(positions * u_stride)
                    } else {
                        u.as_ptr().wrapping_add((position + 1) * u_stride)
                    };
                    let depth = spec.outputs;
                    Product { rows: present.len(), left, right, depth, to, to_row: PANEL, accumulate: false, next }
                        .run_in_parts(isa);
                }
            }
        }
    }
}

/// The part of `maps`, which hold `tiles` tiles in all, that a block's tiles cover, give or take some rows at its ends.
fn share(maps: &[f32], block: Block, tiles: usize) -> &[f32] {
    let at = |tile: usize| tile.min(tiles) * (maps.len() / tiles);
    &maps[at(block.first)..at(block.first + block.count)]
}

/// The forward pass over whole images.
fn forward_images(isa: Isa, conv: &WinogradConv, x: &[f32], out: &mut [f32], codes: &mut [u8], scratch: &mut Scratch) {
    let tiling = &conv.tiling;
    let images = x.len() / tiling.input_len();
    let tiles = images * tiling.tiles();
    for block in tiling.blocks(images) {
        let v = scratch.a.first(tiling.positions() * position_stride(tiling.inputs, block.count));
        let m = scratch.b.first(tiling.positions() * position_stride(tiling.outputs, block.count));
        let zeros = scratch.zeros.first(zeros_len(tiling));
        with_tile!(tiling.m, transform_input(isa, tiling, x, block, zeros, v));
        let wanted = [share(x, block.next(), tiles), share(out, block, tiles)];
        multiply_forward(isa, conv, v, block, wanted, m);
        with_tile!(tiling.m, transform_output(isa, tiling, m, &conv.bias, block, out, codes));
    }
}

/// Adds to the sums of a group: the gradient of the transformed kernels, `[outputs / 16][position][inputs + 1][16]`, and that
/// of the bias.
fn backward_images(isa: Isa, conv: &WinogradConv, images: BackwardImages<'_>, scratch: &mut Scratch) {
    let tiling = &conv.backward;
    let BackwardImages { input: x, output, codes, d_output, mut d_input, sums, begins, next, .. } = images;
    let from = OutputGradient { gradient: d_output, output, codes };
    let (du, d_bias) = sums.split_at_mut(conv.transformed_len());
    if begins {
        d_bias.fill(0.0);
    }
    let u = d_input.is_some().then_some(&conv.u_exchanged[..]);
    let images = x.len() / tiling.input_len();
    let tiles = images * tiling.tiles();
    if let Some(d_input) = d_input.as_deref_mut().filter(|_| !tiling.covers_in_order()) {
        d_input.fill(0.0);
    }
    for block in tiling.blocks(images) {
        let v = scratch.a.first(tiling.positions() * position_stride(tiling.inputs, block.count));
        let dm = scratch.b.first(tiling.positions() * position_stride(tiling.outputs, block.count));
        let zeros = scratch.zeros.first(zeros_len(tiling));
        with_tile!(tiling.m, transform_input(isa, tiling, x, block, zeros, v));
        with_tile!(tiling.m, transform_output_gradient(isa, tiling, from, block, dm, d_bias));
        let accumulate = !begins || block.first > 0;
        let last = block.first + block.count == tiles;
        let wanted = [
            if last { next } else { share(x, block.next(), tiles) },
            share(from.gradient, block.next(), tiles),
            if tiling.epilogue.relu && !tiling.epilogue.pool { share(from.output, block.next(), tiles) } else { &[] },
            share(d_input.as_deref().unwrap_or(&[]), block, tiles),
        ];
        multiply_backward(isa, conv, Backward { v, dm, u, block, du, accumulate, wanted });
        if let Some(d_input) = &mut d_input {
            let sink = scratch.sink.first(tiling.inputs);
            with_tile!(tiling.m, transform_input_gradient(isa, tiling, v, block, sink, d_input));
        }
    }
}

impl ImageOperation for WinogradConv {
    fn name(&self) -> &str {
        &self.name
    }

    fn cost(&self) -> Cost {
        let pixels =
            (self.tiling.height + 2 * self.tiling.padding - 2) * (self.tiling.width + 2 * self.tiling.padding - 2);
        Cost::of(OperationKind::Convolution, 9 * self.spec.inputs * self.spec.outputs * pixels, self.spec.frozen)
    }

    /// Position of each pooled output's maximum in its window.
    fn code_len(&self) -> usize {
        if self.tiling.epilogue.pool { self.tiling.output_len() } else { 0 }
    }

    /// As many as fill a block of tiles: every block reads all transformed kernels.
    fn fewest_images(&self) -> usize {
        [&self.tiling, &self.backward]
            .map(|tiling| tiling.block().div_ceil(tiling.tiles()))
            .into_iter()
            .max()
            .unwrap_or(1)
    }

    fn prepare_forward(&mut self, step: &StepContext, parameters: &Parameters) {
        self.transform_weights(step, parameters, FilterColumns::Outputs);
        let bias = self.bias.first(self.tiling.outputs.next_multiple_of(PANEL));
        if let Some(place) = self.spec.bias {
            bias[..self.spec.outputs].copy_from_slice(&parameters.arrays()[place].values);
        }
    }

    fn prepare_backward(&mut self, step: &StepContext, parameters: &Parameters) {
        self.transform_weights(step, parameters, FilterColumns::Inputs);
    }

    fn forward(&self, context: ImageContext, images: ForwardImages<'_>, scratch: &mut Scratch) {
        forward_images(context.isa, self, images.input, images.output, images.codes, scratch);
    }

    fn backward(&self, context: ImageContext, images: BackwardImages<'_>, scratch: &mut Scratch) {
        backward_images(context.isa, self, images, scratch);
    }

    /// Enough groups to feed many threads, yet with enough tiles each to amortise the pass over the transformed gradient
    /// of all kernels that every group makes.
    fn most_groups(&self, images: usize) -> Option<usize> {
        Some((images * self.backward.tiles() / 96).next_power_of_two().clamp(1, 16))
    }

    fn sums_len(&self) -> usize {
        self.transformed_len() + self.tiling.outputs.next_multiple_of(PANEL)
    }

    fn slot_len(&self) -> usize {
        self.taps_len() + self.tiling.outputs.next_multiple_of(PANEL)
    }

    fn finish_sums(&self, context: ImageContext, sums: &[f32], slot: &mut [f32]) {
        let inputs = self.tiling.inputs;
        let (du, d_bias) = sums.split_at(self.transformed_len());
        let (taps, bias) = slot.split_at_mut(self.taps_len());
        bias.copy_from_slice(d_bias);
        let panels = du.chunks_exact(self.backward.positions() * position_stride(PANEL, inputs));
        for (du, taps) in panels.zip(taps.chunks_exact_mut(inputs * 9 * PANEL)) {
            with_tile!(self.backward.m, transform_filter_gradients(context.isa, du, inputs, taps));
        }
    }

    fn collect(&self, step: &StepContext, slots: Slots<'_>, gradients: &mut Gradients) {
        let (inputs, outputs) = (self.spec.inputs, self.spec.outputs);
        let panel_len = self.tiling.inputs * 9 * PANEL;
        if !self.spec.frozen {
            let weight = gradients.arrays[self.spec.weight].par_chunks_mut(PANEL * inputs * 9).enumerate();
            step.threads.each(weight, |(panel, weight), scratch| {
                let taps = scratch.a.first(panel_len);
                slots.sum(panel * panel_len, taps);
                scatter_taps(taps, inputs, 9, weight);
            });
        }
        if let Some(place) = self.spec.bias {
            slots.sum(self.taps_len(), &mut gradients.arrays[place][..outputs]);
        }
    }
}
