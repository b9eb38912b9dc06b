//! Memory that is asked for before it is wanted.
//!
//! Maps and weights are larger than the near caches. The processor foresees little of how they are gone through, and waits when more than some
//! twenty lines are on their way: so what the next pass will touch is asked for a few lines at a time, between the products, which leave memory
//! alone.

use super::product::PANEL;
use super::simd::kernel;
use std::ops::Range;

kernel! {
    /// Asks for part `part` of `parts` of the lines of `floats`, into the first-level cache: for little, and soon.
    pub fn bring_near(floats: &[f32], part: usize, parts: usize) {
        for at in lines(floats.len(), part, parts) {
            S::prefetch(floats.as_ptr().wrapping_add(at));
        }
    }
}

kernel! {
    /// The same, into the second-level cache: for much, or for later.
    pub fn bring_nearer(floats: &[f32], part: usize, parts: usize) {
        for at in lines(floats.len(), part, parts) {
            S::prefetch_far(floats.as_ptr().wrapping_add(at));
        }
    }
}

kernel! {
    /// Asks for some columns of some rows of a matrix, whose rows lie `stride` apart, into the second-level cache. Any that it does not have
    /// are harmless.
    pub fn bring_columns_nearer(matrix: &[f32], stride: usize, rows: Range<usize>, columns: Range<usize>) {
        for row in rows {
            for column in columns.clone().step_by(PANEL) {
                S::prefetch_far(matrix.as_ptr().wrapping_add(row * stride + column));
            }
        }
    }
}

/// Where the lines of part `part` of `parts` of `length` floats start.
#[inline(always)]
fn lines(length: usize, part: usize, parts: usize) -> impl Iterator<Item = usize> {
    let share = length.div_ceil(parts).next_multiple_of(PANEL);
    (part * share..length.min((part + 1) * share)).step_by(PANEL)
}
