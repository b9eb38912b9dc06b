//! The input transform, from maps to transformed tiles, and its backward pass.

use super::{Ahead, Between, Place, along, in_position, places, with_sides};
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
    fn new(tiling: &Tiling, (down, across): (usize, usize), place: &Place, image: *mut f32) -> Self {
        let along = |at: usize, length: usize, side: usize| {
            tiling.padding.saturating_sub(at)..(length + tiling.padding).saturating_sub(at).min(side)
        };
        let (row, pixel, (y, x)) = (tiling.width * tiling.inputs, tiling.inputs, (place.tile.y, place.tile.x));
        let corner = image.wrapping_add(y * row + x * pixel).wrapping_sub(tiling.padding * (row + pixel));
        let (rows, columns) = (along(y, tiling.height, down), along(x, tiling.width, across));
        Self { corner, row, pixel, rows, columns }
    }

    #[inline(always)]
    fn all_inside(&self, (down, across): (usize, usize)) -> bool {
        self.rows == (0..down) && self.columns == (0..across)
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> *mut f32 {
        self.corner.wrapping_add(i * self.row + j * self.pixel)
    }

    /// The first pixel of each row; of those outside the map, the zeros.
    #[inline(always)]
    fn row_pointers(&self, zeros: *const f32) -> [*const f32; SIDE] {
        let mut rows = [zeros; SIDE];
        for i in self.rows.clone() {
            rows[i] = self.at(i, 0);
        }
        rows
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

/// Zeros that [`transform_input`] reads instead of a row of pixels outside the map.
pub fn zeros_len(tiling: &Tiling) -> usize {
    side(tiling.m) * tiling.inputs
}

kernel! {
    /// v = Bᵀ·x·B for every tile of the block. `images` are whole maps, `v` is `[position][inputs / 16][tile][16]`,
    /// `zeros` is ([`zeros_len`]).
    pub fn transform_input<const M: usize>(
        tiling: &Tiling,
        images: &[f32],
        block: Block,
        zeros: &[f32],
        v: &mut [f32],
    ) {
        let stride = position_stride(tiling.inputs, block.count);
        assert!(v.len() >= side(M) * side(M) * stride && zeros.len() >= zeros_len(tiling));
        assert!(tiling.inputs.is_multiple_of(S::LANES));
        for place in places(tiling, block, 1) {
            let image = &images[place.image * tiling.input_len()..(place.image + 1) * tiling.input_len()];
            // SAFETY: `v` holds all positions, asserted above, and the place is inside the stride.
            unsafe { with_sides!(M, place, input_of_tile(tiling, &place, images, image, block.count, zeros, v)) }
        }
    }
}

/// Bᵀ·x·B for all channels of one tile.
///
/// # Safety
/// `v` must hold all positions of `tiles` tiles, `place` be one of them, and `zeros` as many as [`zeros_len`].
#[inline(always)]
unsafe fn input_of_tile<S: Simd, const M: usize, const Y: usize, const X: usize>(
    tiling: &Tiling,
    place: &Place,
    images: &[f32],
    image: &[f32],
    tiles: usize,
    zeros: &[f32],
    v: &mut [f32],
) {
    let (sides, stride) = ((side(Y), side(X)), position_stride(tiling.inputs, tiles));
    let ahead = Ahead::new::<S>(tiling, place.index, 1, tiling.input_len(), tiling.inputs);
    let pixels = Pixels::new(tiling, sides, place, image.as_ptr().cast_mut());
    let channels = (0..tiling.inputs).step_by(S::LANES);
    let rows = pixels.row_pointers(zeros.as_ptr());
    // SAFETY: only rows and columns inside the map are read, or the zeros, which are as many as a row of the tile; c is
    // inside the channels. The rest is the caller's promise.
    unsafe {
        for c in channels {
            let to = v.as_mut_ptr().add(in_position(tiles, place.slot, c));
            ahead.prefetch::<S>(images.as_ptr(), c);
            input_tile::<S, M, Y, X>(&rows, pixels.columns.clone(), pixels.pixel, c, to, stride);
        }
    }
}

/// Bᵀ·x·B for one tile and the vector of channels at `c`. Pixels outside of `columns` are 0.
///
/// # Safety
/// `rows` must be readable for all of `columns`, whose pixels are `pixel` floats apart; `to` must be writable at every
/// position.
#[inline(always)]
unsafe fn input_tile<S: Simd, const M: usize, const Y: usize, const X: usize>(
    rows: &[*const f32; SIDE],
    columns: Range<usize>,
    pixel: usize,
    c: usize,
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's promise; all of `between` is set by the first loop.
    unsafe {
        let mut between = Between::<S::V>::new();
        for j in 0..side(X) {
            if !columns.contains(&j) {
                for i in 0..side(Y) {
                    between.set(i, j, S::zero());
                }
                continue;
            }
            let mut column = [S::zero(); SIDE];
            for i in 0..side(Y) {
                column[i] = S::load(rows[i].wrapping_add(j * pixel + c));
            }
            let column = winograd::input::<S, Y>(column);
            for i in 0..side(Y) {
                between.set(i, j, column[i]);
            }
        }
        let rows = along::<M, Y>(to, side(M) * stride);
        for i in 0..side(Y) {
            let mut line = [S::zero(); SIDE];
            for j in 0..side(X) {
                line[j] = between.get(i, j);
            }
            let line = winograd::input::<S, X>(line);
            let to = along::<M, X>(rows[i], stride);
            for j in 0..side(X) {
                S::store(to[j], line[j]);
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
            // SAFETY: `dv` holds all positions, asserted above, and the place is inside the stride.
            unsafe { with_sides!(M, place, input_gradient_of_tile(tiling, &place, dv, block.count, sink, image)) }
        }
    }
}

/// Adds B·dv·Bᵀ for all channels of one tile.
///
/// # Safety
/// `dv` must hold all positions of `tiles` tiles, and `place` be one of them.
#[inline(always)]
unsafe fn input_gradient_of_tile<S: Simd, const M: usize, const Y: usize, const X: usize>(
    tiling: &Tiling,
    place: &Place,
    dv: &[f32],
    tiles: usize,
    sink: &mut [f32],
    image: &mut [f32],
) {
    let (sides, stride) = ((side(Y), side(X)), position_stride(tiling.inputs, tiles));
    let pixels = Pixels::new(tiling, sides, place, image.as_mut_ptr());
    // Whether earlier tiles have written this tile's first rows and first columns.
    let (above, left) = (place.tile.y > 0, place.tile.x > 0);
    let channels = (0..tiling.inputs).step_by(S::LANES);
    // SAFETY: as in `input_of_tile`, with reads and writes exchanged; map and sink are borrowed mutably.
    unsafe {
        let from = |c| dv.as_ptr().add(in_position(tiles, place.slot, c));
        if !tiling.covers_in_order() {
            let table = pixels.table(sink.as_mut_ptr());
            for c in channels {
                input_gradient_tile::<S, M, Y, X>(from(c), stride, |i, j| (table[i][j].add(c), true));
            }
        } else if above && left && pixels.all_inside(sides) {
            let old = |i, j| i < OVERLAP || j < OVERLAP;
            for c in channels {
                input_gradient_tile::<S, M, Y, X>(from(c), stride, |i, j| (pixels.at(i, j).add(c), old(i, j)));
            }
        } else {
            let table = pixels.table(sink.as_mut_ptr());
            let old = |i, j| (above && i < OVERLAP) || (left && j < OVERLAP);
            for c in channels {
                input_gradient_tile::<S, M, Y, X>(from(c), stride, |i, j| (table[i][j].add(c), old(i, j)));
            }
        }
    }
}

/// Rows or columns of inputs that neighbouring tiles share.
const OVERLAP: usize = 2;

/// Stores B·dv·Bᵀ of one tile and one vector of channels. `to` gives each pixel, and whether to add to it or overwrite
/// it.
///
/// # Safety
/// `from` must be readable at every position, and each pixel of `to` readable and writable.
#[inline(always)]
unsafe fn input_gradient_tile<S: Simd, const M: usize, const Y: usize, const X: usize>(
    from: *const f32,
    stride: usize,
    to: impl Fn(usize, usize) -> (*mut f32, bool),
) {
    // SAFETY: the caller's promise; all of `between` is set by the first loop.
    unsafe {
        let mut between = Between::<S::V>::new();
        let columns = along::<M, X>(from.cast_mut(), stride);
        for j in 0..side(X) {
            let mut column = [S::zero(); SIDE];
            let from = along::<M, Y>(columns[j], side(M) * stride);
            for i in 0..side(Y) {
                column[i] = S::load(from[i]);
            }
            let column = winograd::input_backward::<S, Y>(column);
            for i in 0..side(Y) {
                between.set(i, j, column[i]);
            }
        }
        for i in 0..side(Y) {
            let mut line = [S::zero(); SIDE];
            for j in 0..side(X) {
                line[j] = between.get(i, j);
            }
            let line = winograd::input_backward::<S, X>(line);
            for j in 0..side(X) {
                let (to, add) = to(i, j);
                S::store(to, if add { S::add(S::load(to), line[j]) } else { line[j] });
            }
        }
    }
}
