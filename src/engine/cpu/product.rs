//! Matrix products over panels: the single inner loop of convolutions and linear layers.
//!
//! A panel matrix of `rows` x `columns` is stored as `[columns / 16][rows][16]`. The same panels serve as the left
//! factor, as the transposed left factor, and as the right factor, without repacking.

#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Isa, LINE, Portable, Simd};

/// Columns of a panel.
pub const PANEL: usize = LINE;

/// The left factor: left(r, k) for row r and depth k.
#[derive(Clone, Copy)]
pub struct LeftOperand {
    pub at: *const f32,
    pub order: Order,
    /// Depths per run.
    pub run: usize,
    /// From one run to the next.
    pub next_run: usize,
}

/// Where the values of a run of the left factor are.
#[derive(Clone, Copy)]
pub enum Order {
    /// The depths of a row are neighbours, and rows this far apart.
    Rows(usize),
    /// The rows of a depth are neighbours, and depths this far apart.
    Columns(usize),
}

/// Reads a panel matrix of `rows` rows as the left factor: r is its row, k its column.
pub fn by_rows(panels: *const f32, rows: usize) -> LeftOperand {
    LeftOperand { at: panels, order: Order::Rows(PANEL), run: PANEL, next_run: rows * PANEL }
}

/// Reads one panel as the left factor transposed: r is its column, k its row.
pub fn by_columns(panel: *const f32) -> LeftOperand {
    LeftOperand { at: panel, order: Order::Columns(PANEL), run: PANEL, next_run: PANEL * PANEL }
}

/// The strides of an [`Order`], constant where they can be: then the values of a step are at constant distances from the
/// first ([`in_register`]), and no address is computed.
trait Strides: Copy {
    /// From one row to the next.
    fn row(self) -> usize;
    /// From one depth to the next.
    fn depth(self) -> usize;
}

/// Of [`by_rows`].
#[derive(Clone, Copy)]
struct PanelRows;

impl Strides for PanelRows {
    #[inline(always)]
    fn row(self) -> usize {
        PANEL
    }
    #[inline(always)]
    fn depth(self) -> usize {
        1
    }
}

/// Of [`by_columns`].
#[derive(Clone, Copy)]
struct PanelColumns;

impl Strides for PanelColumns {
    #[inline(always)]
    fn row(self) -> usize {
        1
    }
    #[inline(always)]
    fn depth(self) -> usize {
        PANEL
    }
}

/// Of any other [`Order::Rows`].
#[derive(Clone, Copy)]
struct Rows(usize);

impl Strides for Rows {
    #[inline(always)]
    fn row(self) -> usize {
        self.0
    }
    #[inline(always)]
    fn depth(self) -> usize {
        1
    }
}

/// Of any other [`Order::Columns`].
#[derive(Clone, Copy)]
struct Columns(usize);

impl Strides for Columns {
    #[inline(always)]
    fn row(self) -> usize {
        1
    }
    #[inline(always)]
    fn depth(self) -> usize {
        self.0
    }
}

/// to[r][0..16] (+)= Σ_k left(r, k) · right[k][0..16] for `rows` rows.
#[derive(Clone, Copy)]
pub struct Product {
    pub rows: usize,
    pub left: LeftOperand,
    /// `depth` rows of 16 floats.
    pub right: *const f32,
    pub depth: usize,
    pub to: *mut f32,
    /// From one row of `to` to the next.
    pub to_row: usize,
    /// Add to `to` instead of overwriting it.
    pub accumulate: bool,
    /// The right factor of the next product, with the same depth, to prefetch; `right` itself for none.
    pub next: *const f32,
}

/// Depth per part of [`Product::run_in_parts`]. With 256 per sum, rounding of the sums is the largest error of a
/// convolution.
const PART: usize = 128;

impl Product {
    /// [`Product::run`] as a sum of partial sums, which reduces rounding error at large depths. A part of the right
    /// factor also leaves room in the L1 cache for the left factor. The runs of the left factor must be whole panels.
    ///
    /// # Safety
    /// As [`Product::run`].
    #[inline]
    pub unsafe fn run_in_parts(&self, isa: Isa) {
        for start in (0..self.depth).step_by(PART) {
            let depth = PART.min(self.depth - start);
            // SAFETY: the part lies within what the caller promised; `next` is only prefetched.
            unsafe {
                let right = self.right.add(start * PANEL);
                let left = LeftOperand { at: self.left.at.add(start / PANEL * self.left.next_run), ..self.left };
                let next = match start + depth {
                    end if end < self.depth => self.right.add(end * PANEL),
                    _ => self.next,
                };
                Product { left, right, depth, next, accumulate: self.accumulate || start > 0, ..*self }.run(isa);
            }
        }
    }

    /// Computes the product. Every sum is accumulated in the order of k, so the bits of a row do not depend on its
    /// neighbours.
    ///
    /// # Safety
    /// `left` must be readable for `rows` rows and `depth` depths, `right` for `depth` rows of 16 floats; `to` must be
    /// writable for `rows` rows of 16 floats, and also readable if `accumulate` is set.
    #[inline]
    pub unsafe fn run(&self, isa: Isa) {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2(product: &Product) {
            // SAFETY: the caller's promise.
            unsafe { product.in_order::<Avx2>() }
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        unsafe fn avx512(product: &Product) {
            // SAFETY: the caller's promise.
            unsafe { product.in_order::<Avx512>() }
        }

        // SAFETY: the caller's promise; an `Isa` carries proof that the processor has the instructions.
        unsafe {
            match isa {
                Isa::Portable => self.in_order::<Portable>(),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2(_) => avx2(self),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512(_) => avx512(self),
            }
        }
    }

    /// Picks the copy of the loops with the strides of the left factor.
    ///
    /// # Safety
    /// As [`Product::run`].
    #[inline(always)]
    unsafe fn in_order<S: Simd>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.left.order {
                Order::Rows(PANEL) => self.split::<S, _>(PanelRows),
                Order::Columns(PANEL) => self.split::<S, _>(PanelColumns),
                Order::Rows(stride) => self.split::<S, _>(Rows(stride)),
                Order::Columns(stride) => self.split::<S, _>(Columns(stride)),
            }
        }
    }

    /// Register blocking: splits the rows evenly into tiles of at most `S::ROWS`. With at most 6, 16 = 6 + 5 + 5.
    ///
    /// # Safety
    /// As [`Product::run`].
    #[inline(always)]
    unsafe fn split<S: Simd, L: Strides>(&self, strides: L) {
        let tiles = self.rows.div_ceil(S::ROWS).max(1);
        let (size, larger) = (self.rows / tiles, self.rows % tiles);
        // Lines of the next right factor that each tile prefetches per run.
        let ahead = if self.next == self.right { 0 } else { PANEL.div_ceil(tiles) };
        let mut row = 0;
        for index in 0..tiles {
            let count = size + usize::from(index < larger);
            // SAFETY: rows row..row + count are within `rows`.
            unsafe {
                let from = Product {
                    left: LeftOperand { at: self.left.at.add(row * strides.row()), ..self.left },
                    to: self.to.add(row * self.to_row),
                    next: self.next.wrapping_add(index * (self.depth / PANEL) * ahead * PANEL),
                    ..*self
                };
                match count {
                    0 => {}
                    1 => from.columns::<S, L, 1>(strides, ahead),
                    2 => from.columns::<S, L, 2>(strides, ahead),
                    3 => from.columns::<S, L, 3>(strides, ahead),
                    4 => from.columns::<S, L, 4>(strides, ahead),
                    5 => from.columns::<S, L, 5>(strides, ahead),
                    6 => from.columns::<S, L, 6>(strides, ahead),
                    // Compiled only for instruction sets with enough registers.
                    7 if S::ROWS > 6 => from.columns::<S, L, 7>(strides, ahead),
                    8 if S::ROWS > 6 => from.columns::<S, L, 8>(strides, ahead),
                    9 if S::ROWS > 6 => from.columns::<S, L, 9>(strides, ahead),
                    10 if S::ROWS > 6 => from.columns::<S, L, 10>(strides, ahead),
                    11 if S::ROWS > 6 => from.columns::<S, L, 11>(strides, ahead),
                    12 if S::ROWS > 6 => from.columns::<S, L, 12>(strides, ahead),
                    _ => unreachable!("a tile has at most {} rows", S::ROWS),
                }
            }
            row += count;
        }
    }

    /// # Safety
    /// As [`Product::run`], for R rows.
    #[inline(always)]
    unsafe fn columns<S: Simd, L: Strides, const R: usize>(&self, strides: L, ahead: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match PANEL / S::LANES {
                1 => self.tile::<S, L, R, 1>(strides, ahead),
                _ => self.tile::<S, L, R, 2>(strides, ahead),
            }
        }
    }

    /// The product for R rows and the C vectors of a panel, prefetching `ahead` lines of the next right factor per run.
    ///
    /// # Safety
    /// As [`Product::run`], for R rows.
    #[inline(always)]
    unsafe fn tile<S: Simd, L: Strides, const R: usize, const C: usize>(&self, strides: L, ahead: usize) {
        // SAFETY: all offsets stay within what the caller promised.
        unsafe {
            let mut sums = [[S::zero(); C]; R];
            // Needed only at the end, and likely not cached.
            for r in 0..R {
                S::prefetch(self.to.add(r * self.to_row));
            }
            let (mut left, mut right, mut next) = (self.left.at, self.right, self.next);
            let mut rest = self.depth;
            while rest > 0 {
                let run = self.left.run.min(rest);
                if run == PANEL {
                    if ahead > 0 {
                        for _ in 0..ahead {
                            S::prefetch(next);
                            next = next.wrapping_add(PANEL);
                        }
                    }
                    // The usual run: a constant length lets the compiler unroll its parts.
                    let mut left = left;
                    for part in 0..PANEL / UNROLLED {
                        let right = right.add(part * UNROLLED * PANEL);
                        for k in 0..UNROLLED {
                            let left = left.add(k * strides.depth());
                            step::<S, R, C>(&mut sums, left, strides.row(), right.add(k * PANEL));
                        }
                        left = in_register(left.wrapping_add(UNROLLED * strides.depth()));
                    }
                } else {
                    for k in 0..run {
                        step::<S, R, C>(&mut sums, left.add(k * strides.depth()), strides.row(), right.add(k * PANEL));
                    }
                }
                right = right.add(run * PANEL);
                left = left.wrapping_add(self.left.next_run);
                rest -= run;
            }
            for (r, row) in sums.iter().enumerate() {
                for (column, &sum) in row.iter().enumerate() {
                    let to = self.to.add(r * self.to_row + column * S::LANES);
                    S::store(to, if self.accumulate { S::add(S::load(to), sum) } else { sum });
                }
            }
        }
    }
}

/// Depths per iteration of the loop over a run.
const UNROLLED: usize = 4;
const _: () = assert!(PANEL.is_multiple_of(UNROLLED));

/// `pointer`, in a register of its own, so that what follows is addressed at constant distances from it where strides are
/// constant. Left alone, the compiler adds an index to a base in every address, and Intel processors split a
/// multiplication that reads such an address in two.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block, reason = "the text is a comment: nothing is read or written")]
fn in_register(pointer: *const f32) -> *const f32 {
    #[cfg(target_arch = "x86_64")]
    let pointer = {
        let mut pointer = pointer;
        // SAFETY: the text is a comment, so the pointer comes back as it went in, provenance included.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags));
        }
        pointer
    };
    pointer
}

/// Accumulates one depth of a tile.
///
/// # Safety
/// As [`Product::run`], for R rows and one depth.
#[inline(always)]
unsafe fn step<S: Simd, const R: usize, const C: usize>(
    sums: &mut [[S::V; C]; R],
    left: *const f32,
    row: usize,
    right: *const f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let right: [S::V; C] = std::array::from_fn(|column| S::load(right.add(column * S::LANES)));
        for (r, sums) in sums.iter_mut().enumerate() {
            let left = S::splat(*left.add(r * row));
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = S::fma(left, right, *sum);
            }
        }
    }
}
