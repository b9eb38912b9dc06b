//! The passes between maps and transformed tiles.
//!
//! Most tiles lie inside the map: for those all loops have constant bounds (`WHOLE`), so that a tile stays in registers. Where the map ends,
//! the others read zeros and add to a sink.

use super::product::PANEL;
use super::simd::{Simd, kernel};
use super::tiling::{Block, DEAD, Epilogue, Tiling, position_stride};
use super::winograd::{self, SIDE, side};
use std::mem::MaybeUninit;
use std::ops::Range;

/// A tile, or the first of a patch.
struct Place {
    /// Its place in the block.
    tile: usize,
    image: usize,
    /// Its upper left output.
    y: usize,
    x: usize,
}

/// Every `step`-th tile of the block.
#[inline(always)]
fn places(tiling: &Tiling, block: Block, step: usize) -> impl Iterator<Item = Place> {
    (0..block.count).step_by(step).map(move |tile| {
        let (image, place) = ((block.first + tile) / tiling.tiles(), (block.first + tile) % tiling.tiles());
        let (y, x) = tiling.origins[place];
        Place { tile, image, y, x }
    })
}

/// Where channel `c` of a tile lies in each position of a block of `tiles` transformed tiles.
#[inline(always)]
fn in_position(tiles: usize, tile: usize, c: usize) -> usize {
    (c / PANEL * tiles + tile) * PANEL + c % PANEL
}

/// Brings the lines near that a tile will be written to: too many streams, too far apart, for the processor to foresee.
#[inline(always)]
fn prefetch_positions<S: Simd, const M: usize>(to: *const f32, stride: usize) {
    for position in 0..side(M) * side(M) {
        S::prefetch(to.wrapping_add(position * stride));
    }
}

/// The part of far away maps that the tile a row of tiles on will read or write. Tiles are too ragged for the processor to foresee, so it is
/// asked for, vector of channels by vector of channels: all at once would make the loads wait.
struct Ahead {
    first: usize,
    /// Floats for each vector of channels.
    share: usize,
}

impl Ahead {
    /// Maps of `length` floats and `channels` channels, of which `step` tiles are taken at a time.
    #[inline(always)]
    fn new<S: Simd>(tiling: &Tiling, tile: usize, step: usize, length: usize, channels: usize) -> Self {
        let of_tile = length / tiling.tiles();
        Self { first: (tile + tiling.across) * of_tile, share: of_tile * step / (channels / S::LANES) }
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, maps: *const f32, c: usize) {
        let first = self.first + c / S::LANES * self.share;
        for line in (first..first + self.share).step_by(PANEL) {
            S::prefetch(maps.wrapping_add(line));
        }
    }
}

/// The inputs of a tile.
struct Pixels {
    /// The upper left one: perhaps outside the map, so not to be read unasked.
    corner: *mut f32,
    /// From one row to the next, and from one pixel to the next.
    row: usize,
    pixel: usize,
    /// Rows and columns of the tile that are inside the map.
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

    /// All of them, those outside the map at `outside`.
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

/// A tile between the two directions of a transform. Not initialised: every place is written before it is read.
struct Between<V>(MaybeUninit<[[V; SIDE]; SIDE]>);

impl<V: Copy> Between<V> {
    #[inline(always)]
    fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
    #[inline(always)]
    fn filled(value: V) -> Self {
        Self(MaybeUninit::new([[value; SIDE]; SIDE]))
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

kernel! {
    /// v = Bᵀ·x·B of every tile of the block. `images` are whole maps, `v` is `[position][inputs / 16][tile][16]`, `zeros` as many as a
    /// pixel has channels.
    pub fn transform_input<const M: usize>(
        tiling: &Tiling,
        images: &[f32],
        block: Block,
        zeros: &[f32],
        v: &mut [f32],
    ) {
        let stride = position_stride(tiling.inputs, block.count);
        assert!(v.len() >= side(M) * side(M) * stride && zeros.len() >= tiling.inputs);
        for place in places(tiling, block, 1) {
            let ahead = Ahead::new::<S>(tiling, block.first + place.tile, 1, tiling.input_len(), tiling.inputs);
            let image = &images[place.image * tiling.input_len()..(place.image + 1) * tiling.input_len()];
            let pixels = Pixels::new(tiling, side(M), &place, image.as_ptr().cast_mut());
            let channels = (0..tiling.inputs).step_by(S::LANES);
            // SAFETY: only pixels inside the map, or the zeros, are read, c is inside their channels; `v` holds all positions, asserted
            // above, and the tile and its panel are inside the stride.
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

/// Bᵀ·x·B of one tile and one vector of channels, of which `x` loads a pixel.
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
    /// Adds B·dv·Bᵀ of every tile of the block to the gradient of the input; neighbouring tiles overlap by two pixels. `sink` takes what
    /// falls outside the map: as many floats as a pixel has channels. Where [`Tiling::covers_in_order`], what a tile is the first to
    /// write needs no clearing before.
    pub fn transform_input_gradient<const M: usize>(
        tiling: &Tiling,
        dv: &[f32],
        block: Block,
        sink: &mut [f32],
        images: &mut [f32],
    ) {
        let stride = position_stride(tiling.inputs, block.count);
        assert!(dv.len() >= side(M) * side(M) * stride && sink.len() >= tiling.inputs);
        for place in places(tiling, block, 1) {
            let image = &mut images[place.image * tiling.input_len()..(place.image + 1) * tiling.input_len()];
            let pixels = Pixels::new(tiling, side(M), &place, image.as_mut_ptr());
            // Whether tiles before this one wrote its first rows, and its first columns.
            let (above, left) = (place.y > 0, place.x > 0);
            let channels = (0..tiling.inputs).step_by(S::LANES);
            // SAFETY: as in `transform_input`, with reading and writing exchanged; map and sink are borrowed mutably.
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

/// Writes B·dv·Bᵀ of one tile and one vector of channels to the pixels `to`, or adds it where `to` says that something is there.
///
/// # Safety
/// `from` must be readable at every position, each of `to` readable and writable.
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

/// The stored outputs of a patch, after the pool where there is one.
struct Stored {
    /// Of the upper left one, from the start of the image.
    first: usize,
    /// From one row to the next, and from one pixel to the next.
    row: usize,
    pixel: usize,
    rows: usize,
    columns: usize,
}

impl Stored {
    #[inline(always)]
    fn new<const M: usize>(tiling: &Tiling, place: &Place) -> Self {
        let (divisor, most) = (if tiling.epilogue.pool { 2 } else { 1 }, most_stored::<M>(tiling.epilogue.pool));
        let (row, pixel) = (tiling.out_width * tiling.outputs, tiling.outputs);
        let (y, x) = (place.y / divisor, place.x / divisor);
        let (rows, columns) = (most.min(tiling.out_height - y), most.min(tiling.out_width - x));
        Self { first: y * row + x * pixel, row, pixel, rows, columns }
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize, c: usize) -> usize {
        self.first + i * self.row + j * self.pixel + c
    }
}

/// Stored outputs along a side of a patch: one tile, or two that share pooling windows.
#[inline(always)]
const fn most_stored<const M: usize>(pool: bool) -> usize {
    if M == 4 && pool { 2 } else { M }
}

/// Tiles of a patch, by the rows and columns of their first outputs.
#[inline(always)]
fn tiles_of_patch<const M: usize>(patch: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..patch * patch).map(move |tile| (tile, tile / patch * M, tile % patch * M))
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
        let (length, Epilogue { relu, pool }) = (tiling.output_len(), tiling.epilogue);
        let patch = if M == 4 { 1 } else { tiling.patch };
        let stride = position_stride(tiling.outputs, block.count);
        assert!(m.len() >= side(M) * side(M) * stride && bias.len() >= tiling.outputs && patch * M <= SIDE);
        for place in places(tiling, block, patch * patch) {
            let ahead = Ahead::new::<S>(tiling, block.first + place.tile, patch * patch, length, tiling.outputs);
            let maps = images.as_ptr();
            let range = place.image * length..(place.image + 1) * length;
            let codes = if pool { &mut codes[range.clone()] } else { &mut [] };
            let image = &mut images[range];
            let stored = Stored::new::<M>(tiling, &place);
            let whole = most_stored::<M>(pool);
            for c in (0..tiling.outputs).step_by(S::LANES) {
                // SAFETY: `bias` holds all channels and `m` all positions, asserted above; the tiles and their panel are inside the stride, and
                // parts of the patch, which is no larger than `map`, asserted above. All its M·patch rows and columns are set, and what
                // is stored of them lies inside the image, whose length `codes` has.
                unsafe {
                    ahead.prefetch::<S>(maps, c);
                    let bias = S::load(bias.as_ptr().add(c));
                    let mut map = Between::<S::V>::new();
                    for (tile, dy, dx) in tiles_of_patch::<M>(patch) {
                        let from = m.as_ptr().add(in_position(block.count, place.tile + tile, c));
                        output_tile::<S, M>(from, stride, bias, |i, j, value| map.set(dy + i, dx + j, value));
                    }
                    let at = |i, j| stored.at(i, j, c);
                    let (to, codes) = (image.as_mut_ptr(), codes.as_mut_ptr());
                    match (pool, (stored.rows, stored.columns) == (whole, whole)) {
                        (true, true) => store_pooled::<S>(relu, &map, (whole, whole), at, to, codes),
                        (true, false) => store_pooled::<S>(relu, &map, (stored.rows, stored.columns), at, to, codes),
                        (false, true) => store_map::<S>(relu, &map, (M, M), at, to),
                        (false, false) => store_map::<S>(relu, &map, (stored.rows, stored.columns), at, to),
                    }
                }
            }
        }
    }
}

/// Aᵀ·m·A + bias of one tile and one vector of channels, handed to `set`.
///
/// # Safety
/// `from` must be readable at every position.
#[inline(always)]
unsafe fn output_tile<S: Simd, const M: usize>(
    from: *const f32,
    stride: usize,
    bias: S::V,
    mut set: impl FnMut(usize, usize, S::V),
) {
    // SAFETY: the caller's promise; what is read of `between` is set by the first loop.
    unsafe {
        let mut between = Between::<S::V>::new();
        for j in 0..side(M) {
            let mut column = [S::zero(); SIDE];
            for i in 0..side(M) {
                column[i] = S::load(from.add((i * side(M) + j) * stride));
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
                set(i, j, S::add(line[j], bias));
            }
        }
    }
}

/// Stores the maxima of 2x2 windows of `map`, and which was the largest.
///
/// # Safety
/// All outputs of `rows` x `columns` windows must be set, and `at` give places inside of `to` and `codes`.
#[inline(always)]
unsafe fn store_pooled<S: Simd>(
    relu: bool,
    map: &Between<S::V>,
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

/// Stores `map`.
///
/// # Safety
/// `rows` x `columns` outputs must be set, and `at` give places inside of `to`.
#[inline(always)]
unsafe fn store_map<S: Simd>(
    relu: bool,
    map: &Between<S::V>,
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
        let (length, Epilogue { relu, pool }) = (tiling.output_len(), tiling.epilogue);
        let patch = if M == 4 { 1 } else { tiling.patch };
        let stride = position_stride(tiling.outputs, block.count);
        assert!(dm.len() >= side(M) * side(M) * stride && d_bias.len() >= tiling.outputs && patch * M <= SIDE);
        for place in places(tiling, block, patch * patch) {
            let ahead = Ahead::new::<S>(tiling, block.first + place.tile, patch * patch, length, tiling.outputs);
            let range = place.image * length..(place.image + 1) * length;
            let gradient = &from.gradient[range.clone()];
            let codes = if pool { &from.codes[range.clone()] } else { &[] };
            let output = if relu && !pool { &from.output[range] } else { &[] };
            let stored = Stored::new::<M>(tiling, &place);
            let whole = most_stored::<M>(pool);
            for c in (0..tiling.outputs).step_by(S::LANES) {
                // SAFETY: `d_bias` holds all channels and `dm` all positions, asserted above; the tiles and their panel are inside the stride.
                // What is stored of the patch lies inside the image, whose length `codes` and `output` have where they are read. All of
                // `map` is set where its tiles are read: by the loads, or by `zeros` before them.
                unsafe {
                    ahead.prefetch::<S>(from.gradient.as_ptr(), c);
                    if relu && !pool {
                        ahead.prefetch::<S>(from.output.as_ptr(), c);
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
                    let mut map = Between::<S::V>::new();
                    let bounds = (stored.rows, stored.columns);
                    if bounds != (whole, whole) {
                        map = Between::filled(S::zero());
                    }
                    let added = match (pool, bounds == (whole, whole)) {
                        (true, true) => unpool::<S>(&mut map, (whole, whole), load, code),
                        (true, false) => unpool::<S>(&mut map, bounds, load, code),
                        (false, true) => load_map::<S>(&mut map, (M, M), load),
                        (false, false) => load_map::<S>(&mut map, bounds, load),
                    };
                    S::store(sum, S::add(S::load(sum), added));
                    for (tile, dy, dx) in tiles_of_patch::<M>(patch) {
                        let to = dm.as_mut_ptr().add(in_position(block.count, place.tile + tile, c));
                        output_gradient_tile::<S, M>(|i, j| map.get(dy + i, dx + j), to, stride);
                    }
                }
            }
        }
    }
}

/// Sends the gradients of 2x2 windows to the outputs that they came from; returns their sum.
///
/// # Safety
/// `load` and `code` must be callable for all of `rows` x `columns` windows, twice which fit the map.
#[inline(always)]
unsafe fn unpool<S: Simd>(
    map: &mut Between<S::V>,
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

/// Takes the gradients of outputs as they are; returns their sum.
///
/// # Safety
/// `load` must be callable for all of `rows` x `columns` outputs, which fit the map.
#[inline(always)]
unsafe fn load_map<S: Simd>(
    map: &mut Between<S::V>,
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

/// A·dy·Aᵀ of one tile and one vector of channels, of which `dy` gives a pixel.
///
/// # Safety
/// `to` must be writable at every position.
#[inline(always)]
unsafe fn output_gradient_tile<S: Simd, const M: usize>(
    dy: impl Fn(usize, usize) -> S::V,
    to: *mut f32,
    stride: usize,
) {
    prefetch_positions::<S, M>(to, stride);
    // SAFETY: the caller's promise; what is read of `between` is set by the first loop.
    unsafe {
        let mut between = Between::<S::V>::new();
        for i in 0..M {
            let mut line = [S::zero(); SIDE];
            for j in 0..M {
                line[j] = dy(i, j);
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
                let to = to.add((i * side(M) + j) * stride);
                S::store(to, column[i]);
            }
        }
    }
}
