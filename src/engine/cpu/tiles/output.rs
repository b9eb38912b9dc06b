//! The output transform, from transformed tiles to maps through bias, ReLU and pool, and its backward pass.

use super::{Ahead, Between, Place, along, in_position, places, with_sides};
use crate::engine::cpu::simd::{Simd, kernel};
use crate::engine::cpu::tiling::{Block, DEAD, Epilogue, Tiling, patch, position_stride};
use crate::engine::cpu::winograd::{self, SIDE, side};

/// The stored outputs of a patch: after the pool, if any.
struct Stored {
    /// Offset of the top-left output in the image.
    first: usize,
    /// From one row to the next, and from one pixel to the next.
    row: usize,
    pixel: usize,
    rows: usize,
    columns: usize,
}

impl Stored {
    #[inline(always)]
    fn new(tiling: &Tiling, place: &Place, most: (usize, usize)) -> Self {
        let divisor = if tiling.epilogue.pool { 2 } else { 1 };
        let (row, pixel) = (tiling.out_width * tiling.outputs, tiling.outputs);
        let (y, x) = (place.tile.y / divisor, place.tile.x / divisor);
        assert!(y < tiling.out_height && x < tiling.out_width, "a patch outside of its map");
        let (rows, columns) = (most.0.min(tiling.out_height - y), most.1.min(tiling.out_width - x));
        Self { first: y * row + x * pixel, row, pixel, rows, columns }
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize, c: usize) -> usize {
        self.first + i * self.row + j * self.pixel + c
    }
}

/// Outputs along a side of the largest patch: three tiles of 5.
const PATCH: usize = 15;

/// Outputs of a patch down and across, and those of them that are stored.
#[inline(always)]
const fn outputs_of_patch<const M: usize, const Y: usize, const X: usize>(pool: bool) -> [(usize, usize); 2] {
    let (down, across) = (Y * patch(M, pool), X * patch(M, pool));
    [(down, across), if pool { (down / 2, across / 2) } else { (down, across) }]
}

/// The tiles of a patch: (tile, row, column of its first output).
#[inline(always)]
fn tiles_of_patch<const M: usize>(patch: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..patch * patch).map(move |tile| (tile, tile / patch * M, tile % patch * M))
}

kernel! {
    /// y = epilogue(Aᵀ·m·A + bias) for every tile of the block. Writes whole maps, `images`, and the codes of pooled
    /// ones.
    pub fn transform_output<const M: usize>(
        tiling: &Tiling,
        m: &[f32],
        bias: &[f32],
        block: Block,
        images: &mut [f32],
        codes: &mut [u8],
    ) {
        let (length, pool) = (tiling.output_len(), tiling.epilogue.pool);
        let patch = patch(M, pool);
        let stride = position_stride(tiling.outputs, block.count);
        assert!(m.len() >= side(M) * side(M) * stride && bias.len() >= tiling.outputs && patch * M <= PATCH);
        assert!(tiling.outputs.is_multiple_of(S::LANES));
        for place in places(tiling, block, patch * patch) {
            let maps = images.as_ptr();
            let range = place.image * length..(place.image + 1) * length;
            let codes = if pool { &mut codes[range.clone()] } else { &mut [] };
            let map = Map { maps, image: &mut images[range], codes };
            // SAFETY: `bias` holds all channels and `m` all positions, asserted above; the patch is inside the stride and
            // no larger than PATCH. `codes` is as long as the image where it is written.
            unsafe { with_sides!(M, place, output_of_patch(tiling, &place, m, block.count, bias, map)) }
        }
    }
}

/// Where a patch's outputs go.
struct Map<'a> {
    /// The first of all images.
    maps: *const f32,
    image: &'a mut [f32],
    /// Of a pooled map.
    codes: &'a mut [u8],
}

/// epilogue(Aᵀ·m·A + bias) for all channels of a patch.
///
/// # Safety
/// `m` must hold all positions of `tiles` tiles, among them the patch, and `bias` all channels; the outputs of a patch must
/// fit PATCH, and the codes of a pooled map be as many as its outputs.
#[inline(always)]
unsafe fn output_of_patch<S: Simd, const M: usize, const Y: usize, const X: usize>(
    tiling: &Tiling,
    place: &Place,
    m: &[f32],
    tiles: usize,
    bias: &[f32],
    to: Map<'_>,
) {
    let (length, Epilogue { relu, pool }) = (tiling.output_len(), tiling.epilogue);
    let (patch, stride) = (patch(M, pool), position_stride(tiling.outputs, tiles));
    let ahead = Ahead::new::<S>(tiling, place.index, patch * patch, length, tiling.outputs);
    let [_, most] = outputs_of_patch::<M, Y, X>(pool);
    let stored = Stored::new(tiling, place, most);
    for c in (0..tiling.outputs).step_by(S::LANES) {
        // SAFETY: the caller's promise. All rows and columns of the patch are set, and what is stored of them lies inside
        // the image.
        unsafe {
            ahead.prefetch::<S>(to.maps, c);
            let bias = S::load(bias.as_ptr().add(c));
            let mut map = Between::<S::V, PATCH>::new();
            for (tile, dy, dx) in tiles_of_patch::<M>(patch) {
                let from = m.as_ptr().add(in_position(tiles, place.slot + tile, c));
                output_tile::<S, M, Y, X>(from, stride, bias, |i, j, value| map.set(dy + i, dx + j, value));
            }
            let at = |i, j| stored.at(i, j, c);
            let (to, codes) = (to.image.as_mut_ptr(), to.codes.as_mut_ptr());
            match (pool, (stored.rows, stored.columns) == most) {
                (true, true) => store_pooled::<S>(relu, &map, most, at, to, codes),
                (true, false) => store_pooled::<S>(relu, &map, (stored.rows, stored.columns), at, to, codes),
                (false, true) => store_map::<S>(relu, &map, most, at, to),
                (false, false) => store_map::<S>(relu, &map, (stored.rows, stored.columns), at, to),
            }
        }
    }
}

/// Computes Aᵀ·m·A + bias for one tile and one vector of channels, and passes the outputs to `set`.
///
/// # Safety
/// `from` must be readable at every position.
#[inline(always)]
unsafe fn output_tile<S: Simd, const M: usize, const Y: usize, const X: usize>(
    from: *const f32,
    stride: usize,
    bias: S::V,
    mut set: impl FnMut(usize, usize, S::V),
) {
    // SAFETY: the caller's promise; the first loop sets every element of `between` that is read.
    unsafe {
        let mut between = Between::<S::V>::new();
        let columns = along::<M, X>(from.cast_mut(), stride);
        for j in 0..side(X) {
            let mut column = [S::zero(); SIDE];
            let from = along::<M, Y>(columns[j], side(M) * stride);
            for i in 0..side(Y) {
                column[i] = S::load(from[i]);
            }
            let column = winograd::output::<S, Y, M>(column);
            for i in 0..Y {
                between.set(i, j, column[i]);
            }
        }
        for i in 0..Y {
            let mut line = [S::zero(); SIDE];
            for j in 0..side(X) {
                line[j] = between.get(i, j);
            }
            let line = winograd::output::<S, X, M>(line);
            for j in 0..X {
                set(i, j, S::add(line[j], bias));
            }
        }
    }
}

/// Stores the maxima of 2x2 windows of `map`, and their codes.
///
/// # Safety
/// All outputs of `rows` x `columns` windows must be set, and `at` must give indices inside `to` and `codes`.
#[inline(always)]
unsafe fn store_pooled<S: Simd>(
    relu: bool,
    map: &Between<S::V, PATCH>,
    (rows, columns): (usize, usize),
    at: impl Fn(usize, usize) -> usize,
    to: *mut f32,
    codes: *mut u8,
) {
    for i in 0..rows {
        for j in 0..columns {
            // SAFETY: the caller's promise.
            unsafe {
                let (mut best, mut code) = (map.get(2 * i, 2 * j), S::zero());
                for k in 1..4 {
                    let value = map.get(2 * i + k / 2, 2 * j + k % 2);
                    code = S::greater(value, best, S::splat(k as f32), code);
                    best = S::max_or_nan(best, value);
                }
                if relu {
                    code = S::greater(best, S::zero(), code, S::splat(DEAD));
                    best = S::relu(best);
                }
                S::store(to.add(at(i, j)), best);
                S::store_bytes(codes.add(at(i, j)), code);
            }
        }
    }
}

/// Stores `map` without pooling.
///
/// # Safety
/// `rows` x `columns` outputs must be set, and `at` must give indices inside `to`.
#[inline(always)]
unsafe fn store_map<S: Simd>(
    relu: bool,
    map: &Between<S::V, PATCH>,
    (rows, columns): (usize, usize),
    at: impl Fn(usize, usize) -> usize,
    to: *mut f32,
) {
    for i in 0..rows {
        for j in 0..columns {
            // SAFETY: the caller's promise.
            unsafe {
                let value = map.get(i, j);
                S::store(to.add(at(i, j)), if relu { S::relu(value) } else { value });
            }
        }
    }
}

/// What the backward pass needs of a convolution's output.
#[derive(Clone, Copy)]
pub struct OutputGradient<'a> {
    /// ∂loss/∂(stored output).
    pub gradient: &'a [f32],
    /// The stored output: where it is not positive, ReLU blocks the gradient.
    pub output: &'a [f32],
    /// The codes of a pooled output.
    pub codes: &'a [u8],
}

kernel! {
    /// dm = A·dy·Aᵀ for every tile of the block, where dy is the gradient before pool and ReLU; adds its sums over
    /// pixels to `d_bias`.
    pub fn transform_output_gradient<const M: usize>(
        tiling: &Tiling,
        from: OutputGradient<'_>,
        block: Block,
        dm: &mut [f32],
        d_bias: &mut [f32],
    ) {
        let (length, Epilogue { relu, pool }) = (tiling.output_len(), tiling.epilogue);
        let patch = patch(M, pool);
        let stride = position_stride(tiling.outputs, block.count);
        assert!(dm.len() >= side(M) * side(M) * stride && d_bias.len() >= tiling.outputs && patch * M <= PATCH);
        assert!(tiling.outputs.is_multiple_of(S::LANES));
        for place in places(tiling, block, patch * patch) {
            let range = place.image * length..(place.image + 1) * length;
            let gradient = &from.gradient[range.clone()];
            let codes = if pool { &from.codes[range.clone()] } else { &[] };
            let output = if relu && !pool { &from.output[range] } else { &[] };
            let image = OutputGradient { gradient, output, codes };
            // SAFETY: `d_bias` holds all channels and `dm` all positions, asserted above; the patch is inside the stride and
            // no larger than PATCH. `codes` and `output` are as long as the image where they are read.
            unsafe {
                with_sides!(M, place, output_gradient_of_patch(tiling, &place, from, image, dm, block.count, d_bias));
            }
        }
    }
}

/// A·dy·Aᵀ for all channels of a patch, and the sums for the bias.
///
/// # Safety
/// `dm` must hold all positions of `tiles` tiles, among them the patch, and `d_bias` all channels; the outputs of a patch
/// must fit PATCH. `image` is the patch's image of `maps`: its output must be as long as its gradient if ReLU applies to a
/// map, and its codes if the map is pooled.
#[inline(always)]
unsafe fn output_gradient_of_patch<S: Simd, const M: usize, const Y: usize, const X: usize>(
    tiling: &Tiling,
    place: &Place,
    maps: OutputGradient<'_>,
    image: OutputGradient<'_>,
    dm: &mut [f32],
    tiles: usize,
    d_bias: &mut [f32],
) {
    let (length, Epilogue { relu, pool }) = (tiling.output_len(), tiling.epilogue);
    let (patch, stride) = (patch(M, pool), position_stride(tiling.outputs, tiles));
    let ahead = Ahead::new::<S>(tiling, place.index, patch * patch, length, tiling.outputs);
    let [all, most] = outputs_of_patch::<M, Y, X>(pool);
    let stored = Stored::new(tiling, place, most);
    let OutputGradient { gradient, output, codes } = image;
    for c in (0..tiling.outputs).step_by(S::LANES) {
        // SAFETY: the caller's promise. What is stored of the patch lies inside the image. All of `map` is set where its
        // tiles are read: by the loads, or by the zeros before them.
        unsafe {
            ahead.prefetch::<S>(maps.gradient.as_ptr(), c);
            if relu && !pool {
                ahead.prefetch::<S>(maps.output.as_ptr(), c);
            }
            let sum = d_bias.as_mut_ptr().add(c);
            let at = |i, j| stored.at(i, j, c);
            let load = |i, j| {
                let value = S::load(gradient.as_ptr().add(at(i, j)));
                if relu && !pool {
                    S::greater(S::load(output.as_ptr().add(at(i, j))), S::zero(), value, S::zero())
                } else {
                    value
                }
            };
            let code = |i, j| S::load_bytes(codes.as_ptr().add(at(i, j)));
            let mut map = Between::<S::V, PATCH>::new();
            let bounds = (stored.rows, stored.columns);
            if bounds != most {
                map.fill(0..all.0, 0..all.1, S::zero());
            } else if pool && all.0 % 2 == 1 {
                // No window covers the last row or column.
                map.fill(all.0 - 1..all.0, 0..all.1, S::zero());
                map.fill(0..all.0, all.1 - 1..all.1, S::zero());
            }
            let added = match (pool, bounds == most) {
                (true, true) => unpool::<S>(&mut map, most, load, code),
                (true, false) => unpool::<S>(&mut map, bounds, load, code),
                (false, true) => load_map::<S>(&mut map, most, load),
                (false, false) => load_map::<S>(&mut map, bounds, load),
            };
            S::store(sum, S::add(S::load(sum), added));
            for (tile, dy, dx) in tiles_of_patch::<M>(patch) {
                let to = dm.as_mut_ptr().add(in_position(tiles, place.slot + tile, c));
                output_gradient_tile::<S, M, Y, X>(|i, j| map.get(dy + i, dx + j), to, stride);
            }
        }
    }
}

/// Routes the gradients of 2x2 windows to their maxima; returns the sum of the routed gradients.
///
/// # Safety
/// `load` and `code` must be callable for all of `rows` x `columns` windows, twice which must fit the map.
#[inline(always)]
unsafe fn unpool<S: Simd>(
    map: &mut Between<S::V, PATCH>,
    (rows, columns): (usize, usize),
    load: impl Fn(usize, usize) -> S::V,
    code: impl Fn(usize, usize) -> S::V,
) -> S::V {
    let mut sum = S::zero();
    for i in 0..rows {
        for j in 0..columns {
            let (value, code) = (load(i, j), code(i, j));
            sum = S::add(sum, S::equal(code, S::splat(DEAD), S::zero(), value));
            for k in 0..4 {
                // SAFETY: the caller's promise.
                unsafe {
                    let value = S::equal(code, S::splat(k as f32), value, S::zero());
                    map.set(2 * i + k / 2, 2 * j + k % 2, value);
                }
            }
        }
    }
    sum
}

/// Loads the gradients of unpooled outputs; returns their sum.
///
/// # Safety
/// `load` must be callable for all of `rows` x `columns` outputs, which must fit the map.
#[inline(always)]
unsafe fn load_map<S: Simd>(
    map: &mut Between<S::V, PATCH>,
    (rows, columns): (usize, usize),
    load: impl Fn(usize, usize) -> S::V,
) -> S::V {
    let mut sum = S::zero();
    for i in 0..rows {
        for j in 0..columns {
            let value = load(i, j);
            sum = S::add(sum, value);
            // SAFETY: the caller's promise.
            unsafe { map.set(i, j, value) };
        }
    }
    sum
}

/// A·dy·Aᵀ for one tile and one vector of channels; `dy` gives a pixel.
///
/// # Safety
/// `to` must be writable at every position.
#[inline(always)]
unsafe fn output_gradient_tile<S: Simd, const M: usize, const Y: usize, const X: usize>(
    dy: impl Fn(usize, usize) -> S::V,
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's promise; the first loop sets every element of `between` that is read.
    unsafe {
        let mut between = Between::<S::V>::new();
        for i in 0..Y {
            let mut line = [S::zero(); SIDE];
            for j in 0..X {
                line[j] = dy(i, j);
            }
            let line = winograd::output_backward::<S, X, M>(line);
            for j in 0..side(X) {
                between.set(i, j, line[j]);
            }
        }
        let columns = along::<M, X>(to, stride);
        for j in 0..side(X) {
            let mut column = [S::zero(); SIDE];
            for i in 0..Y {
                column[i] = between.get(i, j);
            }
            let column = winograd::output_backward::<S, Y, M>(column);
            let to = along::<M, Y>(columns[j], side(M) * stride);
            for i in 0..side(Y) {
                S::store(to[i], column[i]);
            }
        }
    }
}
