//! How a map is cut into Winograd tiles, and how transformed tiles lie in memory.
//!
//! A map is (height, width, channels), channels innermost and padded to whole lines. Transformed tiles of a block are
//! `[position][channels / 16][tile][16]`: for each position a panel matrix with a row a tile, which the products use as it is. The stride
//! of a position is padded by one cache line, so that the positions do not fall on the same sets of the cache.

use super::product::PANEL;
use super::simd::padded;
use super::winograd::side;

/// What a convolution does to its outputs on the way to memory, beside adding the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epilogue {
    pub relu: bool,
    /// 2x2 max-pool.
    pub pool: bool,
}

/// The code of a pooled output that ReLU cut off; 0 to 3 say which of the window's outputs was the largest.
pub const DEAD: f32 = 4.0;

/// A map cut into tiles.
#[derive(Debug, Clone)]
pub struct Tiling {
    pub height: usize,
    pub width: usize,
    pub padding: usize,
    /// Channels in, padded.
    pub inputs: usize,
    /// Channels out, padded.
    pub outputs: usize,
    /// Size of the map that is stored: after the pool, where there is one.
    pub out_height: usize,
    pub out_width: usize,
    pub epilogue: Epilogue,
    /// Outputs along a side of a tile: 3 or 4.
    pub m: usize,
    /// Tiles along a side of a patch: 2 where a tile of 3 has to share pooling windows with its neighbours.
    pub patch: usize,
    /// Tiles of a row of them.
    pub across: usize,
    /// The upper left output of each tile of an image, patch by patch.
    pub origins: Vec<(usize, usize)>,
}

impl Tiling {
    pub fn new(
        (height, width): (usize, usize),
        padding: usize,
        inputs: usize,
        outputs: usize,
        epilogue: Epilogue,
    ) -> Self {
        let (full_height, full_width) = (height + 2 * padding - 2, width + 2 * padding - 2);
        let divisor = if epilogue.pool { 2 } else { 1 };
        let (out_height, out_width) = (full_height / divisor, full_width / divisor);
        let patches = |m: usize| {
            let patch = if epilogue.pool && m == 3 { 2 } else { 1 };
            let along = |length: usize| (length * divisor).div_ceil(m * patch);
            (patch, along(out_height), along(out_width))
        };
        let multiplications = |m: usize| {
            let (patch, down, across) = patches(m);
            down * across * patch * patch * side(m) * side(m)
        };
        let m = if multiplications(3) < multiplications(4) { 3 } else { 4 };
        let (patch, down, across) = patches(m);
        let tiles_across = across * patch;
        let mut origins = Vec::new();
        for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
            for (dy, dx) in (0..patch).flat_map(|dy| (0..patch).map(move |dx| (dy, dx))) {
                origins.push(((y * patch + dy) * m, (x * patch + dx) * m));
            }
        }
        let (inputs, outputs) = (padded(inputs), padded(outputs));
        Self {
            height,
            width,
            padding,
            inputs,
            outputs,
            out_height,
            out_width,
            epilogue,
            m,
            patch,
            across: tiles_across,
            origins,
        }
    }

    /// Tiles of one image.
    pub fn tiles(&self) -> usize {
        self.origins.len()
    }

    /// Whether the tiles of an image, row by row, reach all its inputs, so that each input has a first tile that is known by the tile alone.
    pub fn covers_in_order(&self) -> bool {
        let last = self.origins.last().map_or((0, 0), |&(y, x)| (y + side(self.m), x + side(self.m)));
        self.patch == 1 && last.0 >= self.height + self.padding && last.1 >= self.width + self.padding
    }

    pub fn positions(&self) -> usize {
        side(self.m) * side(self.m)
    }

    pub fn input_len(&self) -> usize {
        self.height * self.width * self.inputs
    }

    pub fn output_len(&self) -> usize {
        self.out_height * self.out_width * self.outputs
    }

    /// Tiles that are transformed and multiplied together, so that a thread's buffers stay near its second-level cache.
    pub fn block(&self) -> usize {
        match self.inputs.max(self.outputs) {
            0..=64 => 48,
            _ => 96,
        }
    }
}

/// Floats from one position to the next in a block of `tiles` tiles of `channels` channels.
pub const fn position_stride(channels: usize, tiles: usize) -> usize {
    channels.next_multiple_of(PANEL) * tiles + PANEL
}

/// The tiles `first..first + count` of consecutive images, counted through them.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub first: usize,
    pub count: usize,
}

impl Block {
    /// Cuts `tiles` tiles into blocks of at most `size`.
    pub fn cut(tiles: usize, size: usize) -> impl Iterator<Item = Block> {
        (0..tiles).step_by(size).map(move |first| Block { first, count: size.min(tiles - first) })
    }
}
