//! Products of matrices, for the rules that need them.

use super::rule::Float;
use rayon::prelude::*;

/// How the right factor of a product lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// (depth, columns), by rows.
    Plain,
    /// (columns, depth), by rows.
    Transposed,
}

/// Sides of a product: (rows, depth) · (depth, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
}

impl Sides {
    /// # Panics
    /// The lengths are not those of the factors and of the product.
    pub fn check(self, left: usize, right: usize, to: usize) {
        let Self { rows, depth, columns } = self;
        assert_eq!([left, right, to], [rows * depth, depth * columns, rows * columns], "factors of other sides");
    }
}

/// Multiplies matrices. The bits of a product do not depend on the number of threads.
pub trait Products<T>: Send + Sync {
    /// `to` = `left` · `right`, by rows.
    fn multiply(&self, sides: Sides, left: &[T], right: (&[T], Right), to: &mut [T]);
}

/// So many multiplications are some 10 µs of work, which is over before another thread has joined in.
const ON_ONE_THREAD: usize = 1 << 14;

/// Plain loops over rows, on the threads of the pool that calls them.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainProducts;

impl<T: Float> Products<T> for PlainProducts {
    fn multiply(&self, sides: Sides, left: &[T], (right, how): (&[T], Right), to: &mut [T]) {
        sides.check(left.len(), right.len(), to.len());
        let Sides { depth, columns, .. } = sides;
        if depth == 0 || columns == 0 {
            return to.fill(T::default());
        }
        let row = |(to, left): (&mut [T], &[T])| match how {
            Right::Plain => {
                to.fill(T::default());
                for (&factor, row) in left.iter().zip(right.chunks_exact(columns)) {
                    to.iter_mut().zip(row).for_each(|(sum, &value)| *sum = *sum + factor * value);
                }
            }
            Right::Transposed => {
                for (to, row) in to.iter_mut().zip(right.chunks_exact(depth)) {
                    *to = left.iter().zip(row).fold(T::default(), |sum, (&a, &b)| sum + a * b);
                }
            }
        };
        if left.len() * columns <= ON_ONE_THREAD {
            to.chunks_mut(columns).zip(left.chunks(depth)).for_each(row);
        } else {
            to.par_chunks_mut(columns).zip(left.par_chunks(depth)).for_each(row);
        }
    }
}
