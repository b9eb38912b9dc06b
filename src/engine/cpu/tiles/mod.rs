//! The passes between maps and transformed tiles.
//!
//! Most tiles lie inside the map; for those all loops have constant bounds, so a tile stays in registers. Maps and
//! transformed tiles exceed the L1 and L2 caches, and a tile touches scattered lines that the hardware prefetcher does
//! not predict, so every pass prefetches its lines. Without that it would spend half its time waiting for memory.

mod input;
mod output;

pub use input::{transform_input, transform_input_gradient};
pub use output::{OutputGradient, transform_output, transform_output_gradient};

use super::product::PANEL;
use super::simd::Simd;
use super::tiling::{Block, Tiling};
use super::winograd::{SIDE, side};
use std::mem::MaybeUninit;
use std::ops::Range;

/// A tile, or the first tile of a patch.
struct Place {
    /// Index in the block.
    tile: usize,
    image: usize,
    /// Its top-left output.
    y: usize,
    x: usize,
}

/// Every `step`-th tile of the block.
#[inline(always)]
fn places(tiling: &Tiling, block: Block, step: usize) -> impl Iterator<Item = Place> {
    // Each patch loads and stores all its tiles: the SAFETY comments of the passes rely on this.
    assert!(
        block.first.is_multiple_of(step) && block.count.is_multiple_of(step) && tiling.tiles().is_multiple_of(step)
    );
    (0..block.count).step_by(step).map(move |tile| {
        let (image, place) = ((block.first + tile) / tiling.tiles(), (block.first + tile) % tiling.tiles());
        let (y, x) = tiling.origins[place];
        Place { tile, image, y, x }
    })
}

/// Offset of channel `c` of a tile within each position of a block of `tiles` transformed tiles.
#[inline(always)]
fn in_position(tiles: usize, tile: usize, c: usize) -> usize {
    (c / PANEL * tiles + tile) * PANEL + c % PANEL
}

/// Prefetches the lines that a tile will be written to: too many scattered streams for the hardware prefetcher.
#[inline(always)]
fn prefetch_positions<S: Simd, const M: usize>(to: *const f32, stride: usize) {
    for position in 0..side(M) * side(M) {
        S::prefetch(to.wrapping_add(position * stride));
    }
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
