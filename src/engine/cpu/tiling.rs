//! How a map is divided into Winograd tiles, and the memory layout of transformed tiles.
//!
//! A map is (height, width, channels), channels padded to whole lines. The transformed tiles of a block are
//! `[position][channels / 16][tile][16]`: one panel matrix per position, with one row per tile, which the products read
//! directly. The stride of a position is padded by one cache line so that positions do not map to the same cache sets.

use super::product::PANEL;
use super::simd::padded;
use super::winograd::side;

/// What a convolution applies to its outputs before storing them, besides the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epilogue {
    pub relu: bool,
    /// 2x2 max-pool.
    pub pool: bool,
}

/// The code of a pooled output that ReLU zeroed. Codes 0 to 3 identify the window's maximum.
pub const DEAD: f32 = 4.0;

/// Tiles along a side of a patch: more than one if pooling windows straddle tiles of odd length. Three tiles of 5 cover
/// the 14 outputs behind a pooled map of 7.
pub const fn patch(m: usize, pool: bool) -> usize {
    match (m, pool) {
        (3, true) => 2,
        (5, true) => 3,
        _ => 1,
    }
}

/// A map divided into tiles.
#[derive(Debug, Clone)]
pub struct Tiling {
    pub height: usize,
    pub width: usize,
    pub padding: usize,
    /// Input channels, padded.
    pub inputs: usize,
    /// Output channels, padded.
    pub outputs: usize,
    /// Size of the stored map: after the pool, if any.
    pub out_height: usize,
    pub out_width: usize,
    pub epilogue: Epilogue,
    /// Outputs along a side of a tile: 3 to 6.
    pub m: usize,
    /// Tiles per row of tiles.
    pub across: usize,
    /// The top-left output of each tile of an image, patch by patch.
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
        // Patches down and across, and the outputs from one patch to the next. A pooled patch of odd length leaves its
        // last output to the next patch, so that windows do not straddle patches.
        let patches = |m: usize| {
            let step = m * patch(m, epilogue.pool) / divisor;
            (out_height.div_ceil(step), out_width.div_ceil(step), step * divisor)
        };
        let multiplications = |m: usize| {
            let (down, across, _) = patches(m);
            down * across * patch(m, epilogue.pool).pow(2) * side(m) * side(m)
        };
        // On ties the smaller tile wins because it rounds less; but 4 precedes 3, whose transforms cost more per
        // output.
        let m = [4, 3, 5, 6].into_iter().min_by_key(|&m| multiplications(m)).unwrap_or(4);
        let (patch, (down, across, step)) = (patch(m, epilogue.pool), patches(m));
        let tiles_across = across * patch;
        let mut origins = Vec::new();
        for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
            for (dy, dx) in (0..patch).flat_map(|dy| (0..patch).map(move |dx| (dy, dx))) {
                origins.push((y * step + dy * m, x * step + dx * m));
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
            across: tiles_across,
            origins,
        }
    }

    /// Tiles per image.
    pub fn tiles(&self) -> usize {
        self.origins.len()
    }

    /// Whether the tiles of an image, in row order, cover all its inputs, so that a tile's position tells which inputs
    /// it is the first to write.
    pub fn covers_in_order(&self) -> bool {
        let last = self.origins.last().map_or((0, 0), |&(y, x)| (y + side(self.m), x + side(self.m)));
        patch(self.m, self.epilogue.pool) == 1
            && last.0 >= self.height + self.padding
            && last.1 >= self.width + self.padding
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

    /// Tiles transformed and multiplied together, in whole patches, such that a thread's buffers roughly fit its L2
    /// cache.
    pub fn block(&self) -> usize {
        let tiles = match self.inputs.max(self.outputs) {
            0..=64 => 48,
            _ => 96,
        };
        tiles / self.patch_tiles() * self.patch_tiles()
    }

    /// Tiles per patch.
    fn patch_tiles(&self) -> usize {
        patch(self.m, self.epilogue.pool).pow(2)
    }

    /// Divides whole images into blocks of at most [`Tiling::block`] tiles.
    pub fn blocks(&self, images: usize) -> impl Iterator<Item = Block> + use<> {
        Block::cut(images * self.tiles(), self.block(), self.patch_tiles())
    }
}

/// Floats from one position to the next in a block of `tiles` tiles with `channels` channels.
pub const fn position_stride(channels: usize, tiles: usize) -> usize {
    channels.next_multiple_of(PANEL) * tiles + PANEL
}

/// Tiles `first..first + count`, numbered consecutively across images.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub first: usize,
    pub count: usize,
}

impl Block {
    /// The block of the same size that follows.
    pub fn next(self) -> Self {
        Self { first: self.first + self.count, ..self }
    }

    /// Divides `tiles` into the fewest blocks of at most `size`. All but the last are equal, and as small as that
    /// allows: whole patches of `patch` tiles, and a multiple of 16, the run length of the products, if patches divide
    /// that.
    pub fn cut(tiles: usize, size: usize, patch: usize) -> impl Iterator<Item = Block> {
        let unit = if PANEL.is_multiple_of(patch) { PANEL } else { patch };
        let even = tiles.div_ceil(tiles.div_ceil(size).max(1)).max(1).next_multiple_of(unit).min(size);
        (0..tiles).step_by(even).map(move |first| Block { first, count: even.min(tiles - first) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_each_tile_once_in_whole_patches_and_no_more_than_there_is_room_for() {
        for (patch, size) in [(1, 48), (1, 96), (4, 48), (4, 96), (9, 45), (9, 90)] {
            for tiles in (0..300).step_by(patch) {
                let blocks: Vec<Block> = Block::cut(tiles, size, patch).collect();
                assert_eq!(blocks.len(), tiles.div_ceil(size), "{tiles} tiles in {patch}s, at most {size}");
                let mut next = 0;
                for Block { first, count } in blocks {
                    assert!(first == next && (1..=size).contains(&count) && count % patch == 0, "{first} {count}");
                    next = first + count;
                }
                assert_eq!(next, tiles);
            }
        }
    }
}
