//! Conversion between PyTorch's 3x3 kernels and transformed kernels in panels.
//!
//! Transformed kernels are `[columns / 16][position][rows + 1][16]`: one right factor per position, and a line so that
//! positions do not map to the same cache sets. In the forward pass and
//! the kernel gradient, columns are outputs and rows are inputs; for the input gradient it is the other way round.

use super::product::PANEL;
use super::simd::kernel;
use super::tiling::position_stride;
use super::winograd::{self, SIDE, side};

/// What the columns of the panels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterColumns {
    Outputs,
    Inputs,
}

/// PyTorch's kernel array, (outputs, inputs, 3, 3).
#[derive(Clone, Copy)]
pub struct Kernels<'a> {
    pub weight: &'a [f32],
    pub outputs: usize,
    pub inputs: usize,
}

const AREA: usize = 9;

kernel! {
    /// u = G·g·Gᵀ for one panel: 16 columns, all rows, all positions, `[position][rows + 1][16]`. Rows and columns of
    /// padding become 0.
    pub fn transform_filters<const M: usize>(kernels: Kernels<'_>, columns: FilterColumns, panel: usize, rows: usize, u: &mut [f32]) {
        let Kernels { weight, outputs, inputs } = kernels;
        let stride = position_stride(PANEL, rows);
        assert!(u.len() >= side(M) * side(M) * stride);
        let (across, down) = match columns {
            FilterColumns::Outputs => (outputs, inputs),
            FilterColumns::Inputs => (inputs, outputs),
        };
        for row in 0..rows {
            let mut taps = [[0.0_f32; PANEL]; AREA];
            if row < down {
                for column in panel * PANEL..across.min((panel + 1) * PANEL) {
                    let (o, i) = match columns {
                        FilterColumns::Outputs => (column, row),
                        FilterColumns::Inputs => (row, column),
                    };
                    let taps_of = &weight[(o * inputs + i) * AREA..][..AREA];
                    for (tap, value) in taps.iter_mut().zip(taps_of) {
                        tap[column % PANEL] = *value;
                    }
                }
            }
            for part in (0..PANEL).step_by(S::LANES) {
                let mut lines = [[S::zero(); SIDE]; 3];
                for (j, line) in lines.iter_mut().enumerate() {
                    // SAFETY: each row of taps holds sixteen floats, and `part` starts a whole vector inside it.
                    let row = std::array::from_fn(|i| unsafe { S::load(taps[j * 3 + i].as_ptr().add(part)) });
                    *line = winograd::filter::<S, M>(row);
                }
                for j in 0..side(M) {
                    let column = winograd::filter::<S, M>([lines[0][j], lines[1][j], lines[2][j]]);
                    for i in 0..side(M) {
                        let at = (i * side(M) + j) * stride + row * PANEL + part;
                        // SAFETY: `u` holds all positions and rows, asserted above.
                        unsafe { S::store(u.as_mut_ptr().add(at), column[i]) };
                    }
                }
            }
        }
    }
}

kernel! {
    /// dg = Gᵀ·du·G for one panel of outputs: `du` is `[position][rows + 1][16]`, `taps` is `[rows][9][16]`.
    pub fn transform_filter_gradients<const M: usize>(du: &[f32], rows: usize, taps: &mut [f32]) {
        let stride = position_stride(PANEL, rows);
        assert!(du.len() >= side(M) * side(M) * stride && taps.len() >= rows * AREA * PANEL);
        for row in 0..rows {
            for part in (0..PANEL).step_by(S::LANES) {
                let mut lines = [[S::zero(); SIDE]; 3];
                for j in 0..side(M) {
                    let mut column = [S::zero(); SIDE];
                    for i in 0..side(M) {
                        let at = (i * side(M) + j) * stride + row * PANEL + part;
                        // SAFETY: `du` holds all positions and rows, asserted above.
                        column[i] = unsafe { S::load(du.as_ptr().add(at)) };
                    }
                    let column = winograd::filter_backward::<S, M>(column);
                    for i in 0..3 {
                        lines[i][j] = column[i];
                    }
                }
                for i in 0..3 {
                    let line = winograd::filter_backward::<S, M>(lines[i]);
                    for j in 0..3 {
                        // SAFETY: `taps` holds nine rows of sixteen for every row, asserted above.
                        unsafe { S::store(taps.as_mut_ptr().add((row * AREA + i * 3 + j) * PANEL + part), line[j]) };
                    }
                }
            }
        }
    }
}

/// Copies `taps`, `[rows][area][16]` for one panel of outputs, to PyTorch's order: `weight` is (up to 16 outputs,
/// inputs, area).
pub fn scatter_taps(taps: &[f32], inputs: usize, area: usize, weight: &mut [f32]) {
    for (o, kernels) in weight.chunks_exact_mut(inputs * area).enumerate() {
        for (place, value) in kernels.iter_mut().enumerate() {
            *value = taps[place * PANEL + o];
        }
    }
}
