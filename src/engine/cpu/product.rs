//! Matrix products over panels: the one inner loop of convolutions and linear layers.
//!
//! A panel matrix of `rows` x `columns` is stored as `[columns / 16][rows][16]`. The same panels serve as the left factor by rows, as the
//! left factor transposed, and as the right factor, without any packing between them.

use super::simd::{LANES, Simd};

/// Columns of a panel.
pub const PANEL: usize = 16;
/// Rows that the micro-kernel computes at once: 12 accumulators of the 16 registers of AVX2.
const ROWS: usize = 6;

/// How the left factor is read, for row r and depth k.
#[derive(Clone, Copy)]
pub struct Left {
    pub at: *const f32,
    /// From one row to the next.
    pub row: usize,
    /// From one depth to the next, within 16 of them.
    pub step: usize,
    /// From 16 depths to the next 16.
    pub block: usize,
}

/// c[r][0..16] (+)= Σ_k left(r, k) · b[k][0..16], for R rows.
///
/// # Safety
/// `left` must be readable for R rows and `depth` depths, `b` for `depth` rows of 16 floats, `c` writable for R rows of 16
/// floats `c_row` apart.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize>(
    left: Left,
    b: *const f32,
    depth: usize,
    c: *mut f32,
    c_row: usize,
    accumulate: bool,
) {
    // SAFETY: all offsets stay within what the caller promised.
    unsafe {
        let mut sums = [[S::zero(); 2]; R];
        if accumulate {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = [S::load(c.add(r * c_row)), S::load(c.add(r * c_row + LANES))];
            }
        }
        let (mut a, mut b) = (left.at, b);
        for _ in 0..depth / PANEL {
            for k in 0..PANEL {
                step::<S, R>(&mut sums, a.add(k * left.step), left.row, b.add(k * PANEL));
            }
            a = a.add(left.block);
            b = b.add(PANEL * PANEL);
        }
        for _ in 0..depth % PANEL {
            step::<S, R>(&mut sums, a, left.row, b);
            a = a.add(left.step);
            b = b.add(PANEL);
        }
        for (r, sum) in sums.iter().enumerate() {
            S::store(c.add(r * c_row), sum[0]);
            S::store(c.add(r * c_row + LANES), sum[1]);
        }
    }
}

/// # Safety
/// As [`tile`], for one depth.
#[inline(always)]
unsafe fn step<S: Simd, const R: usize>(sums: &mut [[S::V; 2]; R], a: *const f32, row: usize, b: *const f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let right = [S::load(b), S::load(b.add(LANES))];
        for (r, sum) in sums.iter_mut().enumerate() {
            let left = S::splat(*a.add(r * row));
            sum[0] = S::fma(left, right[0], sum[0]);
            sum[1] = S::fma(left, right[1], sum[1]);
        }
    }
}

/// c[r][0..16] (+)= Σ_k left(r, k) · b[k][0..16] for `rows` rows, split evenly (16 = 6 + 5 + 5): every sum is taken in the order of k, so a
/// row's bits do not depend on its neighbours.
///
/// # Safety
/// As [`tile`], for `rows` rows.
#[inline(always)]
pub unsafe fn multiply<S: Simd>(
    rows: usize,
    left: Left,
    b: *const f32,
    depth: usize,
    c: *mut f32,
    c_row: usize,
    accumulate: bool,
) {
    if rows == 0 {
        return;
    }
    let tiles = rows.div_ceil(ROWS);
    let (size, larger) = (rows / tiles, rows % tiles);
    let mut row = 0;
    for index in 0..tiles {
        let count = size + usize::from(index < larger);
        // SAFETY: rows row..row + count are within `rows`.
        unsafe {
            let (left, c) = (Left { at: left.at.add(row * left.row), ..left }, c.add(row * c_row));
            match count {
                6 => tile::<S, 6>(left, b, depth, c, c_row, accumulate),
                5 => tile::<S, 5>(left, b, depth, c, c_row, accumulate),
                4 => tile::<S, 4>(left, b, depth, c, c_row, accumulate),
                3 => tile::<S, 3>(left, b, depth, c, c_row, accumulate),
                2 => tile::<S, 2>(left, b, depth, c, c_row, accumulate),
                _ => tile::<S, 1>(left, b, depth, c, c_row, accumulate),
            }
        }
        row += count;
    }
}

/// Reads a panel matrix of `rows` rows as the left factor: r is its row, k its column.
#[inline(always)]
pub fn by_rows(panels: *const f32, rows: usize) -> Left {
    Left { at: panels, row: PANEL, step: 1, block: rows * PANEL }
}

/// Reads one panel as the left factor transposed: r is its column, k its row.
#[inline(always)]
pub fn by_columns(panel: *const f32) -> Left {
    Left { at: panel, row: 1, step: PANEL, block: PANEL * PANEL }
}
