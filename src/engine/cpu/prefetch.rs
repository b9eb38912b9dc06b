//! Memory that is asked for before it is wanted.
//!
//! Maps and weights are larger than the near caches. The processor foresees little of how they are gone through, and waits when more than some
//! twenty lines are on their way: so what the next pass will touch is asked for a few lines at a time, between the products, which leave memory
//! alone.

use super::product::PANEL;
use super::simd::kernel;
use std::ops::Range;

kernel! {
    /// Asks for part `part` of `parts` of the lines of `floats`, into the first-level cache (LEVEL 1: for little, and soon) or the second (2: for
    /// much, or for later).
    pub fn prefetch<const LEVEL: usize>(floats: &[f32], part: usize, parts: usize) {
        let share = floats.len().div_ceil(parts).next_multiple_of(PANEL);
        for at in (part * share..floats.len().min((part + 1) * share)).step_by(PANEL) {
            let at = floats.as_ptr().wrapping_add(at);
            if LEVEL == 1 { S::prefetch(at) } else { S::prefetch_l2(at) }
        }
    }
}

kernel! {
    /// Asks for some columns of some rows of a matrix, whose rows lie `stride` apart, into the second-level cache. Any that it does not have
    /// are harmless.
    pub fn prefetch_columns(matrix: &[f32], stride: usize, rows: Range<usize>, columns: Range<usize>) {
        for row in rows {
            for column in columns.clone().step_by(PANEL) {
                S::prefetch_l2(matrix.as_ptr().wrapping_add(row * stride + column));
            }
        }
    }
}
