//! 3x3 convolutions by Winograd tiles, fused with bias, ReLU and 2x2 max-pool.

use super::buffer::Buffer;
use super::filters::{FilterColumns, Kernels, scatter_taps, transform_filter_gradients, transform_filters};
use super::operation::{BackwardPass, Cost, Operation, OperationKind, StepContext};
use super::prefetch::prefetch;
use super::product::{PANEL, Product, by_columns, by_rows};
use super::reduce::sum_slots;
use super::simd::Isa;
use super::threads::{Scratch, images_per_group};
use super::tiles::{
    OutputGradient, transform_input, transform_input_gradient, transform_output, transform_output_gradient,
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
    /// Transformed kernels, `[outputs / 16][position][inputs][16]`.
    u: Buffer,
    /// The same with inputs and outputs exchanged, for the input gradient.
    u_exchanged: Buffer,
    /// (outputs), padded; zeros if there is no bias.
    bias: Buffer,
    /// Position of each pooled output's maximum in its window; empty without a pool.
    codes: Vec<u8>,
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
    pub fn new(name: String, spec: ConvSpec, tiling: Tiling) -> Self {
        let (u, u_exchanged, bias) = Default::default();
        Self { name, spec, tiling, u, u_exchanged, bias, codes: Vec::new() }
    }

    fn transform_weights(&mut self, step: &StepContext, parameters: &Parameters, columns: FilterColumns) {
        let (isa, tiling) = (step.isa, &self.tiling);
        let (u, across, rows) = match columns {
            FilterColumns::Outputs => (&mut self.u, tiling.outputs, tiling.inputs),
            FilterColumns::Inputs => (&mut self.u_exchanged, tiling.inputs, tiling.outputs),
        };
        let kernels = Kernels {
            weight: &parameters.arrays()[self.spec.weight].values,
            outputs: self.spec.outputs,
            inputs: self.spec.inputs,
        };
        let panel_len = tiling.positions() * rows * PANEL;
        let panels = u.first(across.div_ceil(PANEL) * panel_len).par_chunks_mut(panel_len).enumerate();
        step.threads.each(panels, |(panel, u), _| {
            with_tile!(tiling.m, transform_filters(isa, kernels, columns, panel, rows, u));
        });
    }
}

/// m = v·u at every position, prefetching `wanted` meanwhile.
fn multiply_forward(isa: Isa, conv: &WinogradConv, v: &[f32], tiles: usize, wanted: [&[f32]; 2], m: &mut [f32]) {
    let (tiling, u) = (&conv.tiling, &conv.u);
    let (inputs, outputs, positions) = (tiling.inputs, tiling.outputs, tiling.positions());
    let (v_stride, m_stride) = (position_stride(inputs, tiles), position_stride(outputs, tiles));
    let panels = outputs.div_ceil(PANEL);
    assert!(v.len() >= positions * v_stride && m.len() >= positions * m_stride);
    assert!(u.len() >= panels * positions * inputs * PANEL);
    for position in 0..positions {
        for wanted in wanted {
            prefetch::<2>(isa, wanted, position, positions);
        }
        for panel in 0..panels {
            // SAFETY: the lengths asserted above cover every position and panel; a panel has `tiles` rows of 16.
            unsafe {
                let left = by_rows(v.as_ptr().add(position * v_stride), tiles);
                let right = u.as_ptr().add((panel * positions + position) * inputs * PANEL);
                let to = m.as_mut_ptr().add(position * m_stride + panel * tiles * PANEL);
                let next = if panel + 1 < panels {
                    right.wrapping_add(positions * inputs * PANEL)
                } else {
                    u.as_ptr().wrapping_add((position + 1) * inputs * PANEL)
                };
                // Skip the channels that are only padding.
                let depth = conv.spec.inputs;
                Product { rows: tiles, left, right, depth, to, to_row: PANEL, accumulate: false, next }
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
    tiles: usize,
    du: &'a mut [f32],
    /// Add to `du` instead of overwriting it.
    accumulate: bool,
    /// What the passes after the products will touch: prefetched meanwhile.
    wanted: [&'a [f32]; 4],
}

/// du (+)= vᵀ·dm at every position; then, if `u` is given, v = dm·u.
fn multiply_backward(isa: Isa, conv: &WinogradConv, backward: Backward<'_>) {
    let (tiling, spec) = (&conv.tiling, &conv.spec);
    let Backward { v, dm, u, tiles, du, accumulate, wanted } = backward;
    let (inputs, outputs, positions) = (tiling.inputs, tiling.outputs, tiling.positions());
    let (v_stride, m_stride) = (position_stride(inputs, tiles), position_stride(outputs, tiles));
    let (in_panels, out_panels) = (inputs.div_ceil(PANEL), outputs.div_ceil(PANEL));
    assert!(v.len() >= positions * v_stride && dm.len() >= positions * m_stride);
    assert!(du.len() >= out_panels * positions * inputs * PANEL);
    assert!(u.is_none_or(|u| u.len() >= in_panels * positions * outputs * PANEL));
    for position in 0..positions {
        for wanted in wanted {
            prefetch::<2>(isa, wanted, position, positions);
        }
        // SAFETY: the lengths asserted above cover every position and panel; a panel has `tiles` rows of 16, and the
        // rows of `du` of one panel of inputs end at `inputs`.
        unsafe {
            let v = v.as_mut_ptr().add(position * v_stride);
            let dm = dm.as_ptr().add(position * m_stride);
            for out_panel in 0..out_panels {
                let right = dm.add(out_panel * tiles * PANEL);
                let to = du.as_mut_ptr().add((out_panel * positions + position) * inputs * PANEL);
                for in_panel in 0..in_panels {
                    let rows = PANEL.min(spec.inputs - in_panel * PANEL);
                    let left = by_columns(v.add(in_panel * tiles * PANEL));
                    let to = to.add(in_panel * PANEL * PANEL);
                    let product =
                        Product { rows, left, right, depth: tiles, to, to_row: PANEL, accumulate, next: right };
                    product.run(isa);
                }
            }
            if let Some(u) = u {
                for in_panel in 0..in_panels {
                    let left = by_rows(dm, tiles);
                    let right = u.as_ptr().add((in_panel * positions + position) * outputs * PANEL);
                    let to = v.add(in_panel * tiles * PANEL);
                    let next = if in_panel + 1 < in_panels {
                        right.wrapping_add(positions * outputs * PANEL)
                    } else {
                        u.as_ptr().wrapping_add((position + 1) * outputs * PANEL)
                    };
                    let depth = spec.outputs;
                    Product { rows: tiles, left, right, depth, to, to_row: PANEL, accumulate: false, next }
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
        let zeros = scratch.zeros.first(tiling.inputs);
        with_tile!(tiling.m, transform_input(isa, tiling, x, block, zeros, v));
        let wanted = [share(x, block.next(), tiles), share(out, block, tiles)];
        multiply_forward(isa, conv, v, block.count, wanted, m);
        with_tile!(tiling.m, transform_output(isa, tiling, m, &conv.bias, block, out, codes));
    }
}

/// The backward pass's inputs and outputs for one group of images.
struct Group<'a> {
    x: &'a [f32],
    from: OutputGradient<'a>,
    d_input: Option<&'a mut [f32]>,
    /// `[outputs / 16][inputs][9][16]`, followed by the bias gradient.
    slot: &'a mut [f32],
}

fn backward_images(isa: Isa, conv: &WinogradConv, group: Group<'_>, scratch: &mut Scratch) {
    let tiling = &conv.tiling;
    let Group { x, from, mut d_input, slot } = group;
    let panel_len = tiling.positions() * tiling.inputs * PANEL;
    let panels = tiling.outputs.div_ceil(PANEL);
    let (taps, d_bias) = slot.split_at_mut(panels * tiling.inputs * 9 * PANEL);
    d_bias.fill(0.0);
    let u = d_input.is_some().then_some(&conv.u_exchanged[..]);
    let du = scratch.c.first(panels * panel_len);
    let images = x.len() / tiling.input_len();
    let tiles = images * tiling.tiles();
    if let Some(d_input) = d_input.as_deref_mut().filter(|_| !tiling.covers_in_order()) {
        d_input.fill(0.0);
    }
    for block in tiling.blocks(images) {
        let v = scratch.a.first(tiling.positions() * position_stride(tiling.inputs, block.count));
        let dm = scratch.b.first(tiling.positions() * position_stride(tiling.outputs, block.count));
        let zeros = scratch.zeros.first(tiling.inputs);
        with_tile!(tiling.m, transform_input(isa, tiling, x, block, zeros, v));
        with_tile!(tiling.m, transform_output_gradient(isa, tiling, from, block, dm, d_bias));
        let accumulate = block.first > 0;
        let wanted = [
            share(x, block.next(), tiles),
            share(from.gradient, block.next(), tiles),
            if tiling.epilogue.relu && !tiling.epilogue.pool { share(from.output, block.next(), tiles) } else { &[] },
            share(d_input.as_deref().unwrap_or(&[]), block, tiles),
        ];
        multiply_backward(isa, conv, Backward { v, dm, u, tiles: block.count, du, accumulate, wanted });
        if let Some(d_input) = &mut d_input {
            let sink = scratch.sink.first(tiling.inputs);
            with_tile!(tiling.m, transform_input_gradient(isa, tiling, v, block, sink, d_input));
        }
    }
    for (du, taps) in du.chunks_exact(panel_len).zip(taps.chunks_exact_mut(tiling.inputs * 9 * PANEL)) {
        with_tile!(tiling.m, transform_filter_gradients(isa, du, tiling.inputs, taps));
    }
}

impl Operation for WinogradConv {
    fn name(&self) -> &str {
        &self.name
    }

    fn cost(&self) -> Cost {
        let pixels =
            (self.tiling.height + 2 * self.tiling.padding - 2) * (self.tiling.width + 2 * self.tiling.padding - 2);
        Cost::of(OperationKind::Convolution, 9 * self.spec.inputs * self.spec.outputs * pixels, self.spec.frozen)
    }

    fn forward(&mut self, step: &StepContext, parameters: &Parameters, input: &[f32], output: &mut [f32]) {
        self.transform_weights(step, parameters, FilterColumns::Outputs);
        let bias = self.bias.first(self.tiling.outputs.next_multiple_of(PANEL));
        if let Some(place) = self.spec.bias {
            bias[..self.spec.outputs].copy_from_slice(&parameters.arrays()[place].values);
        }
        // Without a pool there are no codes, but each task still takes a slice.
        let code_len = if self.tiling.epilogue.pool { self.tiling.output_len() } else { 1 };
        let mut codes = std::mem::take(&mut self.codes);
        codes.resize(codes.len().max(step.images * code_len), 0);
        let images = images_per_task(&self.tiling, step);
        let tasks = output
            .par_chunks_mut(images * self.tiling.output_len())
            .zip(input.par_chunks(images * self.tiling.input_len()))
            .zip(codes.par_chunks_mut(images * code_len));
        step.threads.each(tasks, |((out, x), codes), scratch| forward_images(step.isa, self, x, out, codes, scratch));
        self.codes = codes;
    }

    fn backward(
        &mut self,
        step: &StepContext,
        parameters: &Parameters,
        pass: BackwardPass<'_>,
        gradients: &mut Gradients,
    ) {
        let BackwardPass { input, output, d_output, d_input, slots } = pass;
        if d_input.is_some() {
            self.transform_weights(step, parameters, FilterColumns::Inputs);
        }
        let tiling = &self.tiling;
        let images = images_per_group(step.images, most_groups(tiling, step.images));
        let panel_len = tiling.inputs * 9 * PANEL;
        let panels = tiling.outputs.div_ceil(PANEL);
        let slot_len = panels * panel_len + tiling.outputs.next_multiple_of(PANEL);
        let groups = step.images.div_ceil(images);
        let slots = slots.first(groups * slot_len);
        {
            let (in_len, out_len) = (images * tiling.input_len(), images * tiling.output_len());
            let mut d_inputs: Vec<Option<&mut [f32]>> = match d_input {
                Some(d_input) => d_input.chunks_mut(in_len).map(Some).collect(),
                None => (0..groups).map(|_| None).collect(),
            };
            let code_len = if tiling.epilogue.pool { out_len } else { images };
            let tasks = (input.par_chunks(in_len))
                .zip(output.par_chunks(out_len).zip(d_output.par_chunks(out_len)))
                .zip(self.codes[..step.images * (code_len / images)].par_chunks(code_len))
                .zip(d_inputs.par_iter_mut().zip(slots.par_chunks_mut(slot_len)));
            step.threads.each(tasks, |(((x, (output, gradient)), codes), (d_input, slot)), scratch| {
                let from = OutputGradient { gradient, output, codes };
                backward_images(step.isa, self, Group { x, from, d_input: d_input.take(), slot }, scratch);
            });
        }
        let (inputs, outputs) = (self.spec.inputs, self.spec.outputs);
        if !self.spec.frozen {
            let weight = gradients.arrays[self.spec.weight].par_chunks_mut(PANEL * inputs * 9).enumerate();
            step.threads.each(weight, |(panel, weight), scratch| {
                let taps = scratch.a.first(panel_len);
                sum_slots(slots, slot_len, panel * panel_len, taps);
                scatter_taps(taps, inputs, 9, weight);
            });
        }
        if let Some(place) = self.spec.bias {
            sum_slots(slots, slot_len, panels * panel_len, &mut gradients.arrays[place][..outputs]);
        }
    }
}

/// Images per task of the forward pass: at least one block of tiles, provided each thread's share is that large.
fn images_per_task(tiling: &Tiling, step: &StepContext) -> usize {
    let share = step.images.div_ceil(step.threads.count());
    let tasks = (share * tiling.tiles() / tiling.block()).clamp(1, 8);
    share.div_ceil(tasks)
}

/// The number of groups a batch is divided into: enough to feed many threads, yet with enough tiles each to amortise
/// the pass over the transformed gradient of all kernels that every group makes.
fn most_groups(tiling: &Tiling, images: usize) -> usize {
    let tiles = images * tiling.tiles();
    (tiles / 96).next_power_of_two().clamp(1, 16)
}
