//! The passes between maps and transformed tiles.

use super::product::PANEL;
use super::simd::{LANES, Simd, kernel};
use super::tiling::{Block, DEAD, Epilogue, Tiling, position_stride};
use super::winograd::{self, SIDE, side};
use std::mem::MaybeUninit;

kernel! {
    /// v = Bᵀ·x·B of every tile of the block. `images` are whole maps, `v` is `[position][inputs / 16][tile][16]`.
    pub fn transform_input<const M: usize>(tiling: &Tiling, images: &[f32], block: Block, v: &mut [f32]) {
        let (width, channels) = (tiling.width, tiling.inputs);
        let stride = position_stride(channels, block.count);
        assert!(v.len() >= side(M) * side(M) * stride);
        for tile in 0..block.count {
            let (image, place) = ((block.first + tile) / tiling.tiles(), (block.first + tile) % tiling.tiles());
            let image = &images[image * tiling.input_len()..(image + 1) * tiling.input_len()];
            let (y, x) = tiling.origins[place];
            let inside = Inside::of(tiling, y, x, side(M));
            for c in (0..channels).step_by(LANES) {
                let at = (c / PANEL * block.count + tile) * PANEL + c % PANEL;
                // SAFETY: only pixels inside the map are read, c is inside their channels; `v` holds all positions, asserted above, and the
                // tile and its panel are inside the stride.
                unsafe {
                    let corner = corner(image.as_ptr(), tiling, y, x).wrapping_add(c);
                    let to = v.as_mut_ptr().add(at);
                    if inside.whole {
                        input_tile::<S, M, true>(corner, inside, (width * channels, channels), to, stride);
                    } else {
                        input_tile::<S, M, false>(corner, inside, (width * channels, channels), to, stride);
                    }
                }
            }
        }
    }
}

/// Rows and columns of a tile of inputs that lie inside the map.
#[derive(Clone, Copy)]
struct Inside {
    above: usize,
    below: usize,
    left: usize,
    right: usize,
    /// All of them.
    whole: bool,
}

impl Inside {
    fn of(tiling: &Tiling, y: usize, x: usize, side: usize) -> Self {
        let along = |at: usize, length: usize| {
            (tiling.padding.saturating_sub(at), (length + tiling.padding).saturating_sub(at).min(side))
        };
        let ((above, below), (left, right)) = (along(y, tiling.height), along(x, tiling.width));
        Self { above, below, left, right, whole: above == 0 && left == 0 && below == side && right == side }
    }

    #[inline(always)]
    fn has(self, i: usize, j: usize) -> bool {
        self.above <= i && i < self.below && self.left <= j && j < self.right
    }
}

/// The upper left input of the tile whose upper left output is (y, x): perhaps outside the map, so not to be read unasked.
#[inline(always)]
fn corner(image: *const f32, tiling: &Tiling, y: usize, x: usize) -> *const f32 {
    let pixel = (y * tiling.width + x) * tiling.inputs;
    image.wrapping_add(pixel).wrapping_sub((tiling.padding * tiling.width + tiling.padding) * tiling.inputs)
}

/// A tile between the two directions of a transform. Not initialised: every place is written before it is read.
struct Between<V>(MaybeUninit<[[V; SIDE]; SIDE]>);

impl<V: Copy> Between<V> {
    #[inline(always)]
    fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
    /// # Safety
    /// i, j < [`SIDE`].
    #[inline(always)]
    unsafe fn set(&mut self, i: usize, j: usize, value: V) {
        // SAFETY: inside the array; writing a `Copy` value drops nothing.
        unsafe { self.0.as_mut_ptr().cast::<V>().add(i * SIDE + j).write(value) }
    }
    /// # Safety
    /// i, j < [`SIDE`], and the place was set.
    #[inline(always)]
    unsafe fn get(&self, i: usize, j: usize) -> V {
        // SAFETY: inside the array, and initialised.
        unsafe { self.0.as_ptr().cast::<V>().add(i * SIDE + j).read() }
    }
}

/// Bᵀ·x·B of one tile and one vector of channels. `WHOLE` tiles lie inside the map and are not asked pixel by pixel.
///
/// # Safety
/// The pixels of the tile that are `inside` must be readable from `corner` in steps of `row` and `pixel`; `to` writable at every position.
#[inline(always)]
unsafe fn input_tile<S: Simd, const M: usize, const WHOLE: bool>(
    corner: *const f32,
    inside: Inside,
    (row, pixel): (usize, usize),
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's promise; all of `between` is set by the first loop.
    unsafe {
        let mut between = Between::<S::V>::new();
        for j in 0..side(M) {
            let mut column = [S::zero(); SIDE];
            for i in 0..side(M) {
                if WHOLE || inside.has(i, j) {
                    column[i] = S::load(corner.wrapping_add(i * row + j * pixel));
                }
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
                S::store(to.add((i * side(M) + j) * stride), line[j]);
            }
        }
    }
}

/// Adds B·dv·Bᵀ of one tile and one vector of channels to the gradient of the input.
///
/// # Safety
/// As [`input_tile`], with reading and writing exchanged.
#[inline(always)]
unsafe fn input_gradient_tile<S: Simd, const M: usize, const WHOLE: bool>(
    from: *const f32,
    stride: usize,
    corner: *mut f32,
    inside: Inside,
    (row, pixel): (usize, usize),
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
                if WHOLE || inside.has(i, j) {
                    let to = corner.wrapping_add(i * row + j * pixel);
                    S::store(to, S::add(S::load(to), line[j]));
                }
            }
        }
    }
}

kernel! {
    /// y = epilogue(Aᵀ·m·A + bias) of every tile of the block, into whole maps `images` and, where they are pooled, `codes`.
    pub fn transform_output<const M: usize>(
        tiling: &Tiling,
        m: &[f32],
        bias: &[f32],
        block: Block,
        images: &mut [f32],
        codes: &mut [u8],
    ) {
        let (channels, patch, Epilogue { relu, pool }) = (tiling.outputs, tiling.patch, tiling.epilogue);
        let (out_height, out_width) = (tiling.out_height, tiling.out_width);
        let stride = position_stride(channels, block.count);
        assert!(m.len() >= side(M) * side(M) * stride && bias.len() >= channels && patch * M <= SIDE);
        for first in (0..block.count).step_by(patch * patch) {
            let (image, place) = ((block.first + first) / tiling.tiles(), (block.first + first) % tiling.tiles());
            let start = image * tiling.output_len();
            let image = &mut images[start..start + tiling.output_len()];
            let codes = if pool { &mut codes[start..start + tiling.output_len()] } else { &mut [] };
            let (y, x) = tiling.origins[place];
            for c in (0..channels).step_by(LANES) {
                // SAFETY: `bias` holds all channels, asserted above.
                let bias = unsafe { S::load(bias.as_ptr().add(c)) };
                let mut map = Between::<S::V>::new();
                for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().take(patch * patch) {
                    let at = (c / PANEL * block.count + first + dy * patch + dx) * PANEL + c % PANEL;
                    // SAFETY: `m` holds all positions, asserted above; the tile and its panel are inside the stride. The tile is a part of the patch,
                    // which is no larger than `map`, asserted above; what is read from `between` was set.
                    unsafe {
                        let mut between = Between::<S::V>::new();
                        for j in 0..side(M) {
                            let mut column = [S::zero(); SIDE];
                            for i in 0..side(M) {
                                column[i] = S::load(m.as_ptr().add((i * side(M) + j) * stride + at));
                            }
                            let column = winograd::output::<S, M>(column);
                            for i in 0..M {
                                between.set(i, j, column[i]);
                            }
                        }
                        for i in 0..M {
                            let mut line = [S::zero(); SIDE];
                            for j in 0..side(M) {
                                line[j] = between.get(i, j);
                            }
                            let line = winograd::output::<S, M>(line);
                            for j in 0..M {
                                map.set(dy * M + i, dx * M + j, S::add(line[j], bias));
                            }
                        }
                    }
                }
                if pool {
                    for i in 0..(patch * M / 2).min(out_height - y / 2) {
                        for j in 0..(patch * M / 2).min(out_width - x / 2) {
                            // SAFETY: all M·patch rows and columns of the map were set.
                            let (mut best, mut code) = (unsafe { map.get(2 * i, 2 * j) }, S::zero());
                            for k in 1..4 {
                                // SAFETY: as above.
                                let value = unsafe { map.get(2 * i + k / 2, 2 * j + k % 2) };
                                code = S::greater(value, best, S::splat(k as f32), code);
                                best = S::max_or_nan(best, value);
                            }
                            if relu {
                                code = S::greater(best, S::zero(), code, S::splat(DEAD));
                                best = S::relu(best);
                            }
                            let at = ((y / 2 + i) * out_width + x / 2 + j) * channels + c;
                            // SAFETY: the loops stay inside the map, c inside its channels; `codes` has the map's length.
                            unsafe {
                                S::store(image.as_mut_ptr().add(at), best);
                                S::store_bytes(codes.as_mut_ptr().add(at), code);
                            }
                        }
                    }
                } else {
                    for i in 0..M.min(out_height - y) {
                        for j in 0..M.min(out_width - x) {
                            // SAFETY: all M·patch rows and columns of the map were set.
                            let value = unsafe { map.get(i, j) };
                            let value = if relu { S::relu(value) } else { value };
                            let at = ((y + i) * out_width + x + j) * channels + c;
                            // SAFETY: the loops stay inside the map, c inside its channels.
                            unsafe { S::store(image.as_mut_ptr().add(at), value) };
                        }
                    }
                }
            }
        }
    }
}

/// The output of a convolution as its backward pass sees it.
#[derive(Clone, Copy)]
pub struct OutputGradient<'a> {
    /// ∂loss/∂(stored output).
    pub gradient: &'a [f32],
    /// The stored output: where it is not positive, ReLU let nothing through.
    pub output: &'a [f32],
    /// The codes of a pooled output.
    pub codes: &'a [u8],
}

kernel! {
    /// dm = A·dy·Aᵀ of every tile of the block, where dy is the gradient behind pool and ReLU; its sums over pixels are added to `d_bias`.
    pub fn transform_output_gradient<const M: usize>(
        tiling: &Tiling,
        from: OutputGradient<'_>,
        block: Block,
        dm: &mut [f32],
        d_bias: &mut [f32],
    ) {
        let (channels, patch, Epilogue { relu, pool }) = (tiling.outputs, tiling.patch, tiling.epilogue);
        let (out_height, out_width) = (tiling.out_height, tiling.out_width);
        let stride = position_stride(channels, block.count);
        assert!(dm.len() >= side(M) * side(M) * stride && d_bias.len() >= channels && patch * M <= SIDE);
        for first in (0..block.count).step_by(patch * patch) {
            let (image, place) = ((block.first + first) / tiling.tiles(), (block.first + first) % tiling.tiles());
            let range = image * tiling.output_len()..(image + 1) * tiling.output_len();
            let gradient = &from.gradient[range.clone()];
            let codes = if pool { &from.codes[range.clone()] } else { &[] };
            let output = if relu && !pool { &from.output[range] } else { &[] };
            let (y, x) = tiling.origins[place];
            for c in (0..channels).step_by(LANES) {
                let mut map = [[S::zero(); SIDE]; SIDE];
                // SAFETY: `d_bias` holds all channels, asserted above.
                let mut sum = unsafe { S::load(d_bias.as_ptr().add(c)) };
                if pool {
                    for i in 0..(patch * M / 2).min(out_height - y / 2) {
                        for j in 0..(patch * M / 2).min(out_width - x / 2) {
                            let at = ((y / 2 + i) * out_width + x / 2 + j) * channels + c;
                            // SAFETY: the loops stay inside the map, c inside its channels; `codes` has the map's length.
                            let (value, code) =
                                unsafe { (S::load(gradient.as_ptr().add(at)), S::load_bytes(codes.as_ptr().add(at))) };
                            sum = S::add(sum, S::equal(code, S::splat(DEAD), S::zero(), value));
                            for k in 0..4 {
                                map[2 * i + k / 2][2 * j + k % 2] = S::equal(code, S::splat(k as f32), value, S::zero());
                            }
                        }
                    }
                } else {
                    for i in 0..M.min(out_height - y) {
                        for j in 0..M.min(out_width - x) {
                            let at = ((y + i) * out_width + x + j) * channels + c;
                            // SAFETY: the loops stay inside the map, c inside its channels; so does the output where it is read.
                            let value = unsafe {
                                let value = S::load(gradient.as_ptr().add(at));
                                if relu {
                                    S::greater(S::load(output.as_ptr().add(at)), S::zero(), value, S::zero())
                                } else {
                                    value
                                }
                            };
                            sum = S::add(sum, value);
                            map[i][j] = value;
                        }
                    }
                }
                // SAFETY: as for the load.
                unsafe { S::store(d_bias.as_mut_ptr().add(c), sum) };
                for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().take(patch * patch) {
                    let at = (c / PANEL * block.count + first + dy * patch + dx) * PANEL + c % PANEL;
                    // SAFETY: `dm` holds all positions, asserted above; the tile and its panel are inside the stride. What is read from `between`
                    // was set.
                    unsafe {
                        let mut between = Between::<S::V>::new();
                        for i in 0..M {
                            let mut line = [S::zero(); SIDE];
                            for j in 0..M {
                                line[j] = map[dy * M + i][dx * M + j];
                            }
                            let line = winograd::output_backward::<S, M>(line);
                            for j in 0..side(M) {
                                between.set(i, j, line[j]);
                            }
                        }
                        for j in 0..side(M) {
                            let mut column = [S::zero(); SIDE];
                            for i in 0..M {
                                column[i] = between.get(i, j);
                            }
                            let column = winograd::output_backward::<S, M>(column);
                            for i in 0..side(M) {
                                S::store(dm.as_mut_ptr().add((i * side(M) + j) * stride + at), column[i]);
                            }
                        }
                    }
                }
            }
        }
    }
}

kernel! {
    /// Adds B·dv·Bᵀ of every tile of the block to the gradient of the input; neighbouring tiles overlap by two pixels.
    pub fn transform_input_gradient<const M: usize>(tiling: &Tiling, dv: &[f32], block: Block, images: &mut [f32]) {
        let (width, channels) = (tiling.width, tiling.inputs);
        let stride = position_stride(channels, block.count);
        assert!(dv.len() >= side(M) * side(M) * stride);
        for tile in 0..block.count {
            let (image, place) = ((block.first + tile) / tiling.tiles(), (block.first + tile) % tiling.tiles());
            let image = &mut images[image * tiling.input_len()..(image + 1) * tiling.input_len()];
            let (y, x) = tiling.origins[place];
            let inside = Inside::of(tiling, y, x, side(M));
            for c in (0..channels).step_by(LANES) {
                let at = (c / PANEL * block.count + tile) * PANEL + c % PANEL;
                // SAFETY: as in `transform_input`, with reading and writing exchanged; the map is borrowed mutably.
                unsafe {
                    let corner = corner(image.as_mut_ptr(), tiling, y, x).wrapping_add(c).cast_mut();
                    let from = dv.as_ptr().add(at);
                    if inside.whole {
                        input_gradient_tile::<S, M, true>(from, stride, corner, inside, (width * channels, channels));
                    } else {
                        input_gradient_tile::<S, M, false>(from, stride, corner, inside, (width * channels, channels));
                    }
                }
            }
        }
    }
}
