//! How a map is divided into Winograd tiles, and the memory layout of transformed tiles.
//!
//! A map is (height, width, channels), channels padded to whole lines. The transformed tiles of a block are
//! `[position][channels / 16][tile][16]`: one panel matrix per position, with one row per tile, which the products read
//! directly. The stride of a position is padded by one cache line so that positions do not map to the same cache sets.

use super::product::PANEL;
use super::simd::padded;
use super::winograd::side;
use std::ops::Range;

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

/// A tile of an image.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Its top-left output.
    pub y: usize,
    pub x: usize,
    /// Outputs down and across.
    pub rows: usize,
    pub columns: usize,
    /// Tiles of an image that are stored before those of this size, those of this size, and those of them before this.
    before: usize,
    alike: usize,
    nth: usize,
}

/// A map divided into tiles.
///
/// Either all tiles have M x M outputs, or tiles of 6 are mixed with tiles of 4, down and across. The points of a tile
/// of 4 are among those of a tile of 6, so all share the transformed kernels of 6, and a tile of 4 skips the positions
/// of ½ and −½. A map of 16 takes 6 + 6 + 4 outputs, (8 + 8 + 6)² multiplications; tiles of 4 alone take (4·6)².
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
    /// Outputs along a side of the largest tiles, whose kernels all share: 3 to 6.
    pub m: usize,
    /// Tiles per row of tiles.
    pub across: usize,
    /// The tiles of an image, patch by patch.
    pub tiles: Vec<Tile>,
    /// Tiles of an image by their outputs down and across: 6 x 4, 6 x 6, 4 x 6, in the order in which a block stores
    /// them. All are 6 x 6 if they are not mixed.
    kinds: [usize; 3],
}

/// Whether tiles of 6 and 4 may be mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    Never,
    /// Where that takes fewer multiplications.
    IfFewer,
}

/// The most kernels, inputs by outputs, with which tiles are mixed. Their 64 positions take 1 MB of an L2 cache.
const MOST_KERNELS: usize = 64 * 64;
/// The most tiles per image with which they are mixed: a block holds whole images.
const MOST_TILES: usize = 48;

/// First output and outputs of the tiles along a side, patch by patch.
type Along = Vec<Vec<(usize, usize)>>;

/// Tiles of 6 and 4 along a side of `length` outputs: the fewest, with as many of 4 as still cover it.
fn mixed_along(length: usize) -> Along {
    let count = length.div_ceil(6);
    let large = count.saturating_sub((6 * count - length) / 2);
    (0..count).map(|tile| vec![(6 * tile - 2 * tile.saturating_sub(large), if tile < large { 6 } else { 4 })]).collect()
}

impl Tiling {
    pub fn new(
        (height, width): (usize, usize),
        padding: usize,
        (inputs, outputs): (usize, usize),
        epilogue: Epilogue,
        mix: Mix,
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
        let [down, across] = [out_height, out_width].map(|length| mixed_along(length * divisor));
        let sides = |along: &Along| along.iter().flatten().map(|&(_, length)| side(length)).sum::<usize>();
        let mix = mix == Mix::IfFewer
            && padded(inputs) * padded(outputs) <= MOST_KERNELS
            && down.len() * across.len() <= MOST_TILES;
        let (m, down, across) = if mix && sides(&down) * sides(&across) < multiplications(m) {
            (6, down, across)
        } else {
            let (patch, (down, across, step)) = (patch(m, epilogue.pool), patches(m));
            let along = |patches: usize| -> Along {
                (0..patches).map(|at| (0..patch).map(|tile| (at * step + tile * m, m)).collect()).collect()
            };
            (m, along(down), along(across))
        };
        let tiles_across = across.iter().flatten().count();
        let mut kinds = [0; 4];
        let mut tiles = Vec::new();
        for (down, across) in down.iter().flat_map(|down| across.iter().map(move |across| (down, across))) {
            for (&(y, rows), &(x, columns)) in down.iter().flat_map(|y| across.iter().map(move |x| (y, x))) {
                let kind = Self::kind(m, rows, columns);
                tiles.push(Tile { y, x, rows, columns, before: 0, alike: 0, nth: kinds[kind] });
                kinds[kind] += 1;
            }
        }
        for tile in &mut tiles {
            let kind = Self::kind(m, tile.rows, tile.columns);
            (tile.before, tile.alike) = (kinds[..kind].iter().sum(), kinds[kind]);
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
            tiles,
            kinds: [kinds[0], kinds[1], kinds[2]],
        }
    }

    /// The place of a tile's size in [`Tiling::kinds`].
    fn kind(m: usize, rows: usize, columns: usize) -> usize {
        match (rows == m, columns == m) {
            (true, false) => 0,
            (true, true) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    /// Whether tiles of 6 and 4 are mixed. Blocks are whole images then.
    fn is_mixed(&self) -> bool {
        self.kinds[1] < self.tiles()
    }

    /// The tile number `index` of all images, its image, and where a block stores it.
    pub fn tile(&self, block: Block, index: usize) -> (Tile, usize, usize) {
        let (image, tile) = (index / self.tiles(), self.tiles[index % self.tiles()]);
        let slot = tile.before * (block.count / self.tiles()) + image * tile.alike + tile.nth
            - block.first * tile.alike / self.tiles();
        (tile, image, slot)
    }

    /// The tiles of a block that have this position, as they are stored: tiles of 4 have none of ½ and −½.
    pub fn at_position(&self, block: Block, position: usize) -> Range<usize> {
        if !self.is_mixed() {
            return 0..block.count;
        }
        let (images, [tall, both, wide]) = (block.count / self.tiles(), self.kinds);
        let half = |at: usize| at == 5 || at == 6;
        let tiles = match (half(position / side(6)), half(position % side(6))) {
            (false, false) => 0..self.tiles(),
            (true, false) => 0..tall + both,
            (false, true) => tall..tall + both + wide,
            (true, true) => tall..tall + both,
        };
        tiles.start * images..tiles.end * images
    }

    /// Tiles per image.
    pub fn tiles(&self) -> usize {
        self.tiles.len()
    }

    /// Whether the tiles of an image, in row order, cover all its inputs, so that a tile's position tells which inputs
    /// it is the first to write.
    pub fn covers_in_order(&self) -> bool {
        let last = self.tiles.last().map_or((0, 0), |tile| (tile.y + side(tile.rows), tile.x + side(tile.columns)));
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
            _ if self.is_mixed() => 36,
            0..=64 => 48,
            _ => 96,
        };
        let whole = self.patch_tiles();
        (tiles / whole).max(1) * whole
    }

    /// Tiles per patch, which a block does not divide: all of an image if they are mixed.
    fn patch_tiles(&self) -> usize {
        if self.is_mixed() { self.tiles() } else { patch(self.m, self.epilogue.pool).pow(2) }
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

    fn tiling(side: usize, channels: usize, pool: bool) -> Tiling {
        Tiling::new((side, side), 1, (channels, channels), Epilogue { relu: true, pool }, Mix::IfFewer)
    }

    #[test]
    fn tiles_of_6_and_4_are_mixed_where_that_saves_multiplications_and_the_kernels_fit_the_cache() {
        let sides = |side, channels| {
            let tiling = tiling(side, channels, true);
            tiling.tiles[..tiling.across].iter().map(|tile| (tile.x, tile.columns)).collect::<Vec<_>>()
        };
        assert_eq!(sides(32, 32), [(0, 6), (6, 6), (12, 6), (18, 6), (24, 4), (28, 4)]);
        assert_eq!(sides(16, 64), [(0, 6), (6, 6), (12, 4)]);
        assert_eq!(sides(16, 65), [(0, 4), (4, 4), (8, 4), (12, 4)]);
        assert_eq!(sides(8, 64), [(0, 4), (4, 4)]);
        assert_eq!(sides(30, 64), [(0, 6), (6, 6), (12, 6), (18, 6), (24, 6)]);
    }

    #[test]
    fn a_block_of_mixed_tiles_stores_each_once_and_finds_at_a_position_those_that_have_it() {
        let tiling = tiling(16, 32, false);
        for block in tiling.blocks(5) {
            let stored: Vec<(usize, Tile)> = (block.first..block.first + block.count)
                .map(|index| {
                    let (tile, image, slot) = tiling.tile(block, index);
                    assert_eq!(image, index / 9);
                    (slot, tile)
                })
                .collect();
            let mut slots: Vec<usize> = stored.iter().map(|(slot, _)| *slot).collect();
            slots.sort_unstable();
            assert_eq!(slots, (0..block.count).collect::<Vec<_>>());
            for position in 0..64 {
                let present = tiling.at_position(block, position);
                let half = |at| at == 5 || at == 6;
                for (slot, tile) in &stored {
                    let has = (tile.rows == 6 || !half(position / 8)) && (tile.columns == 6 || !half(position % 8));
                    assert_eq!(present.contains(slot), has, "tile {slot} at position {position}");
                }
            }
        }
    }

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
