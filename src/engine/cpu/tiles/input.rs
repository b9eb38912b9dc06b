//! The input transform, from maps to transformed tiles, and its backward pass.

use super::{Ahead, Between, Place, in_position, places, prefetch_positions};
use crate::engine::cpu::simd::{Simd, kernel};
use crate::engine::cpu::tiling::{Block, Tiling, position_stride};
use crate::engine::cpu::winograd::{self, SIDE, side};
use std::ops::Range;

/// The inputs of a tile.
struct Pixels {
    /// The top-left input. May be outside the map, so check before reading.
    corner: *mut f32,
    /// From one row to the next, and from one pixel to the next.
    row: usize,
    pixel: usize,
    /// Rows and columns of the tile that lie inside the map.
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Pixels {
    #[inline(always)]
    fn new(tiling: &Tiling, side: usize, place: &Place, image: *mut f32) -> Self {
        let along = |at: usize, length: usize| {
            tiling.padding.saturating_sub(at)..(length + tiling.padding).saturating_sub(at).min(side)
        };
        let (row, pixel) = (tiling.width * tiling.inputs, tiling.inputs);
        let corner = image.wrapping_add(place.y * row + place.x * pixel).wrapping_sub(tiling.padding * (row + pixel));
        let (rows, columns) = (along(place.y, tiling.height), along(place.x, tiling.width));
        Self { corner, row, pixel, rows, columns }
    }

    #[inline(always)]
    fn all_inside(&self, side: usize) -> bool {
        self.rows == (0..side) && self.columns == (0..side)
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> *mut f32 {
        self.corner.wrapping_add(i * self.row + j * self.pixel)
    }

    /// All inputs of the tile; those outside the map point to `outside`.
    #[inline(always)]
    fn table(&self, outside: *mut f32) -> [[*mut f32; SIDE]; SIDE] {
        let mut table = [[outside; SIDE]; SIDE];
        for i in self.rows.clone() {
            for j in self.columns.clone() {
                table[i][j] = self.at(i, j);
            }
        }
        table
    }
}

kernel! {
    /// v = Bᵀ·x·B for every tile of the block. `images` are whole maps, `v` is `[position][inputs / 16][tile][16]`,
    /// `zeros` is (inputs).
    pub fn transform_input<const M: usize>(
        tiling: &Tiling,
        images: &[f32],
        block: Block,
        zeros: &[f32],
        v: &mut [f32],
    ) {
        let stride = position_stride(tiling.inputs, block.count);
        assert!(v.len() >= side(M) * side(M) * stride && zeros.len() >= tiling.inputs);
        assert!(tiling.inputs.is_multiple_of(S::LANES));
        for place in places(tiling, block, 1) {
            let ahead = Ahead::new::<S>(tiling, block.first + place.tile, 1, tiling.input_len(), tiling.inputs);
            let image = &images[place.image * tiling.input_len()..(place.image + 1) * tiling.input_len()];
            let pixels = Pixels::new(tiling, side(M), &place, image.as_ptr().cast_mut());
            let channels = (0..tiling.inputs).step_by(S::LANES);
            // SAFETY: only pixels inside the map, or the zeros, are read, and c is inside their channels; `v` holds all
            // positions, asserted above, and the tile and its panel are inside the stride.
            unsafe {
                if pixels.all_inside(side(M)) {
                    for c in channels {
                        let to = v.as_mut_ptr().add(in_position(block.count, place.tile, c));
                        ahead.prefetch::<S>(images.as_ptr(), c);
                        input_tile::<S, M>(|i, j| S::load(pixels.at(i, j).add(c)), to, stride);
                    }
                } else {
                    let table = pixels.table(zeros.as_ptr().cast_mut());
                    for c in channels {
                        let to = v.as_mut_ptr().add(in_position(block.count, place.tile, c));
                        ahead.prefetch::<S>(images.as_ptr(), c);
                        input_tile::<S, M>(|i, j| S::load(table[i][j].add(c)), to, stride);
                    }
                }
            }
        }
    }
}

/// Bᵀ·x·B for one tile and one vector of channels; `x` loads a pixel.
///
/// # Safety
/// `to` must be writable at every position.
#[inline(always)]
unsafe fn input_tile<S: Simd, const M: usize>(x: impl Fn(usize, usize) -> S::V, to: *mut f32, stride: usize) {
    prefetch_positions::<S, M>(to, stride);
    // SAFETY: the caller's promise; all of `between` is set by the first loop.
    unsafe {
        let mut between = Between::<S::V>::new();
        for j in 0..side(M) {
            let mut column = [S::zero(); SIDE];
            for i in 0..side(M) {
                column[i] = x(i, j);
            }
            let column = winograd::input::<S, M>(column);
            for i in 0..side(M) {
                between.set(i, j, column[i]);
            }
        }
        for i in 0..side(M) {
            let mut line = [S::zero(); SIDE];
            for j in 0..side(M) {
                line[j] = between.get(i, j);
            }
            let line = winograd::input::<S, M>(line);
            for j in 0..side(M) {
                let to = to.add((i * side(M) + j) * stride);
                S::store(to, line[j]);
            }
        }
    }
}

kernel! {
    /// Adds B·dv·Bᵀ of every tile of the block to the input gradient; neighbouring tiles overlap by two pixels. `sink`,
    /// (inputs), receives what falls outside the map. If [`Tiling::covers_in_order`], inputs are overwritten by the
    /// first tile that reaches them, so `images` need not be cleared.
    pub fn transform_input_gradient<const M: usize>(
        tiling: &Tiling,
        dv: &[f32],
        block: Block,
        sink: &mut [f32],
        images: &mut [f32],
    ) {
        let stride = position_stride(tiling.inputs, block.count);
        assert!(dv.len() >= side(M) * side(M) * stride && sink.len() >= tiling.inputs);
        assert!(tiling.inputs.is_multiple_of(S::LANES));
        for place in places(tiling, block, 1) {
            let image = &mut images[place.image * tiling.input_len()..(place.image + 1) * tiling.input_len()];
            let pixels = Pixels::new(tiling, side(M), &place, image.as_mut_ptr());
            // Whether earlier tiles have written this tile's first rows and first columns.
            let (above, left) = (place.y > 0, place.x > 0);
            let channels = (0..tiling.inputs).step_by(S::LANES);
            // SAFETY: as in `transform_input`, with reads and writes exchanged; map and sink are borrowed mutably.
            unsafe {
                let from = |c| dv.as_ptr().add(in_position(block.count, place.tile, c));
                if !tiling.covers_in_order() {
                    let table = pixels.table(sink.as_mut_ptr());
                    for c in channels {
                        input_gradient_tile::<S, M>(from(c), stride, |i, j| (table[i][j].add(c), true));
                    }
                } else if above && left && pixels.all_inside(side(M)) {
                    let old = |i, j| i < side(M) - M || j < side(M) - M;
                    for c in channels {
                        input_gradient_tile::<S, M>(from(c), stride, |i, j| (pixels.at(i, j).add(c), old(i, j)));
                    }
                } else {
                    let table = pixels.table(sink.as_mut_ptr());
                    let old = |i, j| (above && i < side(M) - M) || (left && j < side(M) - M);
                    for c in channels {
                        input_gradient_tile::<S, M>(from(c), stride, |i, j| (table[i][j].add(c), old(i, j)));
                    }
                }
            }
        }
    }
}

/// Stores B·dv·Bᵀ of one tile and one vector of channels. `to` gives each pixel, and whether to add to it or overwrite
/// it.
///
/// # Safety
/// `from` must be readable at every position, and each pixel of `to` readable and writable.
#[inline(always)]
unsafe fn input_gradient_tile<S: Simd, const M: usize>(
    from: *const f32,
    stride: usize,
    to: impl Fn(usize, usize) -> (*mut f32, bool),
) {
    // SAFETY: the caller's promise; all of `between` is set by the first loop.
    unsafe {
        let mut between = Between::<S::V>::new();
        for j in 0..side(M) {
            let mut column = [S::zero(); SIDE];
            for i in 0..side(M) {
                column[i] = S::load(from.add((i * side(M) + j) * stride));
            }
            let column = winograd::input_backward::<S, M>(column);
            for i in 0..side(M) {
                between.set(i, j, column[i]);
            }
        }
        for i in 0..side(M) {
            let mut line = [S::zero(); SIDE];
            for j in 0..side(M) {
                line[j] = between.get(i, j);
            }
            let line = winograd::input_backward::<S, M>(line);
            for j in 0..side(M) {
                let (to, add) = to(i, j);
                S::store(to, if add { S::add(S::load(to), line[j]) } else { line[j] });
            }
        }
    }
}
