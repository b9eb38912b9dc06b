//! Software prefetching.
//!
//! Maps and weights exceed the L1 and L2 caches. The hardware prefetcher predicts little of their access pattern, and
//! the processor stalls once about twenty cache lines are in flight. So the lines that the next pass will touch are
//! prefetched a few at a time between the products, which leave memory bandwidth idle.

use super::product::PANEL;
use super::simd::kernel;
use std::ops::Range;

kernel! {
    /// Prefetches part `part` of `parts` of `floats`: into the L1 cache (`LEVEL` 1, for little data needed soon) or the
    /// L2 cache (2, for more data or later use).
    pub fn prefetch<const LEVEL: usize>(floats: &[f32], part: usize, parts: usize) {
        let share = floats.len().div_ceil(parts).next_multiple_of(PANEL);
        for at in (part * share..floats.len().min((part + 1) * share)).step_by(PANEL) {
            let at = floats.as_ptr().wrapping_add(at);
            if LEVEL == 1 { S::prefetch(at) } else { S::prefetch_l2(at) }
        }
    }
}

kernel! {
    /// Prefetches columns of some rows of a matrix with row stride `stride` into the L2 cache. Out-of-range positions
    /// are harmless.
    pub fn prefetch_columns(matrix: &[f32], stride: usize, rows: Range<usize>, columns: Range<usize>) {
        for row in rows {
            for column in columns.clone().step_by(PANEL) {
                S::prefetch_l2(matrix.as_ptr().wrapping_add(row * stride + column));
            }
        }
    }
}
