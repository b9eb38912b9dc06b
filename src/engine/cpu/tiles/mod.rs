//! The passes between maps and transformed tiles.
//!
//! Most tiles lie inside the map; for those all loops have constant bounds, so a tile stays in registers. Maps and
//! transformed tiles exceed the L1 and L2 caches, and a tile touches scattered lines that the hardware prefetcher does
//! not predict, so every pass prefetches its lines. Without that it would spend half its time waiting for memory.

mod input;
mod output;

pub use input::{transform_input, transform_input_gradient, zeros_len};
pub use output::{OutputGradient, transform_output, transform_output_gradient};

use super::product::PANEL;
use super::simd::Simd;
use super::tiling::{Block, Tile, Tiling};
use super::winograd::{SIDE, side};
use std::mem::MaybeUninit;
use std::ops::Range;

/// A tile, or the first tile of a patch.
struct Place {
    /// Among the tiles of all images.
    index: usize,
    /// Where the block stores it.
    slot: usize,
    image: usize,
    tile: Tile,
}

/// Every `step`-th tile of the block.
#[inline(always)]
fn places(tiling: &Tiling, block: Block, step: usize) -> impl Iterator<Item = Place> {
    // Each patch loads and stores all its tiles: the SAFETY comments of the passes rely on this.
    assert!(
        block.first.is_multiple_of(step) && block.count.is_multiple_of(step) && tiling.tiles().is_multiple_of(step)
    );
    (block.first..block.first + block.count).step_by(step).map(move |index| {
        let (tile, image, slot) = tiling.tile(block, index);
        assert!(slot + step <= block.count, "a tile outside of its block");
        Place { index, slot, image, tile }
    })
}

/// Calls `$function` with the tile size whose kernels are used, and the rows and columns of the tile itself, as constants.
macro_rules! with_sides {
    ($m:ident, $place:expr, $function:ident ( $($argument:expr),* $(,)? )) => {
        match ($m, $place.tile.rows, $place.tile.columns) {
            (6, 6, 4) => $function::<S, $m, 6, 4>($($argument),*),
            (6, 4, 6) => $function::<S, $m, 4, 6>($($argument),*),
            (6, 4, 4) => $function::<S, $m, 4, 4>($($argument),*),
            _ => $function::<S, $m, $m, $m>($($argument),*),
        }
    };
}
use with_sides;

/// Addresses of the elements along a row or column of a transformed tile of `OF` outputs, `distance` apart, among the
/// positions of tiles of `M`. Each is the last one plus a distance, for which an addition is enough.
#[inline(always)]
fn along<const M: usize, const OF: usize>(first: *mut f32, distance: usize) -> [*mut f32; SIDE] {
    let mut addresses = [first; SIDE];
    for k in 1..side(OF) {
        // The last one belongs to the point at infinity.
        let step = if k == side(OF) - 1 { side(M) + 1 - side(OF) } else { 1 };
        addresses[k] = addresses[k - 1].wrapping_add(step * distance);
    }
    addresses
}

/// Offset of channel `c` of a tile within each position of a block of `tiles` transformed tiles.
#[inline(always)]
fn in_position(tiles: usize, tile: usize, c: usize) -> usize {
    (c / PANEL * tiles + tile) * PANEL + c % PANEL
}

/// The part of a map that the tile one row of tiles further on will read or write. The hardware prefetcher does not
/// predict these scattered accesses. Prefetches are spread over the vectors of channels because issuing them all at
/// once would delay the loads.
struct Ahead {
    first: usize,
    /// Floats per vector of channels.
    share: usize,
}

impl Ahead {
    /// For maps of `length` floats and `channels` channels, processed `step` tiles at a time.
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

/// A tile between the column and row passes of a transform. Uninitialised: every element is written before it is read.
struct Between<V, const N: usize = SIDE>(MaybeUninit<[[V; N]; N]>);

impl<V: Copy, const N: usize> Between<V, N> {
    #[inline(always)]
    fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
    /// # Safety
    /// `rows` and `columns` must end at or below N.
    #[inline(always)]
    unsafe fn fill(&mut self, rows: Range<usize>, columns: Range<usize>, value: V) {
        for i in rows {
            for j in columns.clone() {
                // SAFETY: the caller's promise.
                unsafe { self.set(i, j, value) };
            }
        }
    }
    /// # Safety
    /// i, j < N.
    #[inline(always)]
    unsafe fn set(&mut self, i: usize, j: usize, value: V) {
        // SAFETY: inside the array; writing a `Copy` value drops nothing.
        unsafe { self.0.as_mut_ptr().cast::<V>().add(i * N + j).write(value) }
    }
    /// # Safety
    /// i, j < N, and the element was set.
    #[inline(always)]
    unsafe fn get(&self, i: usize, j: usize) -> V {
        // SAFETY: inside the array, and initialised.
        unsafe { self.0.as_ptr().cast::<V>().add(i * N + j).read() }
    }
}
