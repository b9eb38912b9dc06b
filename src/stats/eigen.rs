//! Eigenvalues and eigenvectors of small symmetric matrices.

/// Eigenvalues in ascending order, each with its unit eigenvector, of a symmetric matrix (size, size).
///
/// Cyclic Jacobi rotations (Golub and Van Loan, "Matrix computations", 8.5). The sign of an eigenvector is arbitrary.
///
/// # Panics
/// `matrix` has fewer than size² values.
pub fn symmetric_eigen(mut matrix: Vec<f64>, size: usize) -> Vec<(f64, Vec<f64>)> {
    const SWEEPS: usize = 50; // converges quadratically: about 8 are needed
    let mut vectors = vec![0.0; size * size]; // rows are eigenvectors
    (0..size).for_each(|at| vectors[at * size + at] = 1.0);
    let diagonal: f64 = (0..size).map(|at| matrix[at * size + at].powi(2)).sum();
    for _ in 0..SWEEPS {
        let pairs = (0..size).flat_map(|p| (p + 1..size).map(move |q| (p, q)));
        if pairs.clone().map(|(p, q)| matrix[p * size + q].powi(2)).sum::<f64>() <= 1e-30 * diagonal {
            break;
        }
        for (p, q) in pairs {
            let off = matrix[p * size + q];
            if off == 0.0 {
                continue;
            }
            // The rotation that zeroes this element.
            let tau = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * off);
            let tan = tau.signum() / (tau.abs() + tau.hypot(1.0));
            let cos = 1.0 / tan.hypot(1.0);
            let sin = tan * cos;
            for at in 0..size {
                rotate(&mut matrix, at * size + p, at * size + q, cos, sin);
            }
            for at in 0..size {
                rotate(&mut matrix, p * size + at, q * size + at, cos, sin);
                rotate(&mut vectors, p * size + at, q * size + at, cos, sin);
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> =
        (0..size).map(|at| (matrix[at * size + at], vectors[at * size..(at + 1) * size].to_vec())).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}

fn rotate(values: &mut [f64], p: usize, q: usize, cos: f64, sin: f64) {
    (values[p], values[q]) = (cos * values[p] - sin * values[q], sin * values[p] + cos * values[q]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_are_orthonormal_ascending_and_reproduce_the_matrix() {
        let size = 5;
        let entry = |i: usize, j: usize| ((i * j + i + j) % 7) as f64 - 2.0 + if i == j { i as f64 } else { 0.0 };
        let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
        let pairs = symmetric_eigen(matrix.clone(), size);
        assert!(pairs.is_sorted_by(|a, b| a.0 <= b.0));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for (i, (value, vector)) in pairs.iter().enumerate() {
            for (row, component) in matrix.chunks_exact(size).zip(vector) {
                assert!((dot(row, vector) - value * component).abs() < 1e-12, "{value}: {vector:?}");
            }
            for (j, (_, other)) in pairs.iter().enumerate() {
                assert!((dot(vector, other) - if i == j { 1.0 } else { 0.0 }).abs() < 1e-12, "{i} {j}");
            }
        }
    }

    #[test]
    fn a_diagonal_or_zero_matrix_needs_no_rotation() {
        assert_eq!(symmetric_eigen(vec![3.0, 0.0, 0.0, -1.0], 2), [(-1.0, vec![0.0, 1.0]), (3.0, vec![1.0, 0.0])]);
        assert_eq!(symmetric_eigen(vec![0.0; 4], 2), [(0.0, vec![1.0, 0.0]), (0.0, vec![0.0, 1.0])]);
    }
}
