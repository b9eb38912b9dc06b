//! Products of matrices by rows, on the inner loop of the convolutions: what an optimizer for matrices asks for.

use super::product::{LeftOperand, Order, PANEL, Product};
use super::simd::Isa;
use crate::optim::{Products, Right, Sides};
use rayon::prelude::*;

/// Products on one instruction set, on the threads of the pool that calls them.
pub struct IsaProducts(pub Isa);

impl Products<f32> for IsaProducts {
    fn multiply(&self, sides: Sides, left: &[f32], (right, how): (&[f32], Right), to: &mut [f32]) {
        sides.check(left.len(), right.len(), to.len());
        let Sides { rows, depth, columns } = sides;
        if rows == 0 || depth == 0 || columns == 0 {
            return to.fill(0.0);
        }
        // (panels of columns, rows, 16), so that each thread writes to one place.
        let mut panels = vec![0.0; columns.div_ceil(PANEL) * rows * PANEL];
        panels.par_chunks_mut(rows * PANEL).enumerate().for_each_init(
            || vec![0.0; depth * PANEL],
            |packed, (panel, to)| {
                pack(sides, right, how, panel * PANEL, packed);
                let from = LeftOperand { at: left.as_ptr(), order: Order::Rows(depth), run: PANEL, next_run: PANEL };
                let (right, to) = (packed.as_ptr(), to.as_mut_ptr());
                let product =
                    Product { rows, left: from, right, depth, to, to_row: PANEL, accumulate: false, next: right };
                // SAFETY: `left` has `rows` rows of `depth` floats, `packed` `depth` rows of 16 floats, and `to` `rows` rows
                // of 16 floats: `check` has asserted the first, the chunk and the allocation above give the others. A run is
                // one panel long.
                unsafe { product.run_in_parts(self.0) };
            },
        );
        to.par_chunks_mut(columns).enumerate().for_each(|(row, to)| {
            for (panel, to) in to.chunks_mut(PANEL).enumerate() {
                to.copy_from_slice(&panels[(panel * rows + row) * PANEL..][..to.len()]);
            }
        });
    }
}

/// The 16 columns of `right` from `first` on as (depth, 16), with zeros for those past the last.
fn pack(Sides { depth, columns, .. }: Sides, right: &[f32], how: Right, first: usize, packed: &mut [f32]) {
    let count = PANEL.min(columns - first);
    packed.fill(0.0);
    match how {
        Right::Plain => {
            for (row, packed) in right.chunks_exact(columns).zip(packed.chunks_exact_mut(PANEL)) {
                packed[..count].copy_from_slice(&row[first..first + count]);
            }
        }
        Right::Transposed => {
            for (column, row) in right.chunks_exact(depth).skip(first).take(count).enumerate() {
                for (value, packed) in row.iter().zip(packed.chunks_exact_mut(PANEL)) {
                    packed[column] = *value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::PlainProducts;

    #[test]
    fn products_of_any_sides_are_those_of_plain_loops_on_every_instruction_set() {
        for (rows, depth, columns) in [(1, 1, 1), (5, 3, 17), (16, 16, 16), (64, 216, 64), (33, 300, 40), (7, 129, 1)] {
            let sides = Sides { rows, depth, columns };
            let values = |length: usize, k: f32| (0..length).map(|i| (i as f32 * k).sin()).collect::<Vec<f32>>();
            let (left, right) = (values(rows * depth, 0.7), values(depth * columns, 1.3));
            for how in [Right::Plain, Right::Transposed] {
                let mut expected = vec![f32::NAN; rows * columns];
                PlainProducts.multiply(sides, &left, (&right, how), &mut expected);
                for isa in Isa::available() {
                    let mut got = vec![f32::NAN; rows * columns];
                    IsaProducts(isa).multiply(sides, &left, (&right, how), &mut got);
                    for (got, expected) in got.iter().zip(&expected) {
                        assert!((got - expected).abs() < 1e-4, "{isa:?} {sides:?} {how:?}: {got}, not {expected}");
                    }
                }
            }
        }
    }
}
