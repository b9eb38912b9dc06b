//! Winograd's minimal filtering for 3x3 kernels (Lavin and Gray 2015, arXiv:1509.09308): F(4x4, 3x3) and F(3x3, 3x3).
//!
//! ```text
//! Y = Aᵀ·[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]·A          g: 3x3 kernel, d: (M+2)x(M+2) inputs, Y: MxM outputs
//! ```
//!
//! The points are 0, ±1, ±2, ∞ for M = 4 and 0, ±1, 2, ∞ for M = 3. One function a matrix, for each M; the backward pass uses the
//! transposed matrices. Everything works on a vector of channels at once. Arrays have room for M = 4; M = 3 uses their start.

use super::simd::Simd;

/// The most inputs along a side of a tile.
pub const SIDE: usize = 6;

/// A line of a tile.
pub type Line<S> = [<S as Simd>::V; SIDE];

/// Inputs along a side of a tile of `M` x `M` outputs.
pub const fn side(m: usize) -> usize {
    m + 2
}

/// Bᵀ·d: side → side.
#[inline(always)]
pub fn input<S: Simd, const M: usize>(d: Line<S>) -> Line<S> {
    let z = S::zero();
    if M == 4 {
        let (even, odd) = (S::axpy(-4.0, d[2], d[4]), S::axpy(-4.0, d[1], d[3]));
        let (half, double) = (S::sub(d[4], d[2]), S::scale(2.0, S::sub(d[3], d[1])));
        [
            S::axpy(4.0, d[0], S::axpy(-5.0, d[2], d[4])),
            S::add(even, odd),
            S::sub(even, odd),
            S::add(half, double),
            S::sub(half, double),
            S::axpy(4.0, d[1], S::axpy(-5.0, d[3], d[5])),
        ]
    } else {
        let (a, b) = (S::sub(d[3], d[1]), S::sub(d[3], d[2]));
        [
            S::axpy(2.0, S::sub(d[0], d[2]), a),
            S::axpy(-2.0, d[1], b),
            S::axpy(2.0, S::sub(d[1], d[2]), b),
            a,
            S::axpy(-2.0, a, S::sub(d[4], d[2])),
            z,
        ]
    }
}

/// B·t: side → side.
#[inline(always)]
pub fn input_backward<S: Simd, const M: usize>(t: Line<S>) -> Line<S> {
    let z = S::zero();
    if M == 4 {
        let (sum, difference) = (S::add(t[1], t[2]), S::sub(t[2], t[1]));
        let (sum2, difference2) = (S::add(t[3], t[4]), S::scale(2.0, S::sub(t[4], t[3])));
        [
            S::scale(4.0, t[0]),
            S::axpy(4.0, S::add(difference, t[5]), difference2),
            S::sub(S::axpy(-5.0, t[0], S::scale(-4.0, sum)), sum2),
            S::sub(S::axpy(-5.0, t[5], S::scale(-1.0, difference)), difference2),
            S::add(t[0], S::add(sum, sum2)),
            t[5],
        ]
    } else {
        let a = S::add(t[0], t[3]);
        [
            S::scale(2.0, t[0]),
            S::axpy(2.0, S::add(S::sub(t[2], t[1]), t[4]), S::scale(-1.0, a)),
            S::axpy(-2.0, t[0], S::axpy(-3.0, t[2], S::scale(-1.0, S::add(t[1], t[4])))),
            S::axpy(-2.0, t[4], S::add(a, S::add(t[1], t[2]))),
            t[4],
            z,
        ]
    }
}

/// Aᵀ·m: side → M.
#[inline(always)]
pub fn output<S: Simd, const M: usize>(m: Line<S>) -> Line<S> {
    let z = S::zero();
    let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
    if M == 4 {
        let (sum2, difference2) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(S::add(m[0], sum), sum2),
            S::axpy(2.0, difference2, difference),
            S::axpy(4.0, sum2, sum),
            S::add(S::axpy(8.0, difference2, difference), m[5]),
            z,
            z,
        ]
    } else {
        [
            S::add(S::add(m[0], sum), m[3]),
            S::axpy(2.0, m[3], difference),
            S::add(S::axpy(4.0, m[3], sum), m[4]),
            z,
            z,
            z,
        ]
    }
}

/// A·y: M → side.
#[inline(always)]
pub fn output_backward<S: Simd, const M: usize>(y: Line<S>) -> Line<S> {
    let even = S::add(y[0], y[2]);
    if M == 4 {
        let odd = S::add(y[1], y[3]);
        let (even4, odd8) = (S::axpy(4.0, y[2], y[0]), S::scale(2.0, S::axpy(4.0, y[3], y[1])));
        [y[0], S::add(even, odd), S::sub(even, odd), S::add(even4, odd8), S::sub(even4, odd8), y[3]]
    } else {
        let doubled = S::axpy(2.0, y[1], S::axpy(4.0, y[2], y[0]));
        [y[0], S::add(even, y[1]), S::sub(even, y[1]), doubled, y[2], S::zero()]
    }
}

/// G·g: 3 → side.
#[inline(always)]
pub fn filter<S: Simd, const M: usize>(g: [S::V; 3]) -> Line<S> {
    let outer = S::add(g[0], g[2]);
    let far = S::axpy(4.0, g[2], g[0]);
    if M == 4 {
        [
            S::scale(0.25, g[0]),
            S::scale(-1.0 / 6.0, S::add(outer, g[1])),
            S::scale(-1.0 / 6.0, S::sub(outer, g[1])),
            S::scale(1.0 / 24.0, S::axpy(2.0, g[1], far)),
            S::scale(1.0 / 24.0, S::axpy(-2.0, g[1], far)),
            g[2],
        ]
    } else {
        [
            S::scale(0.5, g[0]),
            S::scale(-0.5, S::add(outer, g[1])),
            S::scale(-1.0 / 6.0, S::sub(outer, g[1])),
            S::scale(1.0 / 6.0, S::axpy(2.0, g[1], far)),
            g[2],
            S::zero(),
        ]
    }
}

/// Gᵀ·u: side → 3.
#[inline(always)]
pub fn filter_backward<S: Simd, const M: usize>(u: Line<S>) -> [S::V; 3] {
    if M == 4 {
        let (sum, difference) = (S::add(u[1], u[2]), S::sub(u[2], u[1]));
        let (sum2, difference2) = (S::add(u[3], u[4]), S::sub(u[3], u[4]));
        [
            S::axpy(0.25, u[0], S::axpy(1.0 / 24.0, sum2, S::scale(-1.0 / 6.0, sum))),
            S::axpy(1.0 / 12.0, difference2, S::scale(1.0 / 6.0, difference)),
            S::axpy(1.0 / 6.0, S::sub(sum2, sum), u[5]),
        ]
    } else {
        let half = S::scale(-0.5, u[1]);
        let sixth = S::scale(1.0 / 6.0, u[2]);
        [
            S::axpy(0.5, u[0], S::axpy(1.0 / 6.0, u[3], S::sub(half, sixth))),
            S::axpy(1.0 / 3.0, u[3], S::add(half, sixth)),
            S::add(S::axpy(2.0 / 3.0, u[3], S::sub(half, sixth)), u[4]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Portable;
    use super::*;

    fn line(values: &[f32]) -> Line<Portable> {
        std::array::from_fn(|i| [values.get(i).copied().unwrap_or(0.0); 8])
    }

    fn pseudo_random(seed: u32, count: usize) -> Vec<f32> {
        (0..count as u32).map(|i| ((i + 1) * (seed * 2 + 7) * 7919 % 23) as f32 / 11.0 - 1.0).collect()
    }

    fn check<const M: usize>() {
        let (d, g) = (pseudo_random(1, side(M)), pseudo_random(2, 3));
        let transformed_input = input::<Portable, M>(line(&d));
        let transformed_filter = filter::<Portable, M>(std::array::from_fn(|i| [g[i]; 8]));
        let products = std::array::from_fn(|i| Portable::mul(transformed_input[i], transformed_filter[i]));
        let y = output::<Portable, M>(products);
        for i in 0..M {
            let direct: f32 = (0..3).map(|k| d[i + k] * g[k]).sum();
            assert!((y[i][0] - direct).abs() < 1e-5, "F({M}): output {i} is {}, direct {direct}", y[i][0]);
        }
    }

    #[test]
    fn one_line_of_each_size_equals_the_direct_correlation() {
        check::<3>();
        check::<4>();
    }

    /// ⟨T·x, y⟩ = ⟨x, Tᵀ·y⟩.
    fn check_transposed<const M: usize>() {
        let dot = |a: &[[f32; 8]], b: &[[f32; 8]], n: usize| (0..n).map(|i| a[i][0] * b[i][0]).sum::<f32>();
        let (n, x, y) = (side(M), line(&pseudo_random(3, side(M))), line(&pseudo_random(4, side(M))));
        let short = line(&pseudo_random(5, M));
        let three: [[f32; 8]; 3] = std::array::from_fn(|i| short[i]);
        let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-4, "F({M}): {a} and {b}");
        close(dot(&input::<Portable, M>(x), &y, n), dot(&x, &input_backward::<Portable, M>(y), n));
        close(dot(&output::<Portable, M>(x), &short, M), dot(&x, &output_backward::<Portable, M>(short), n));
        close(dot(&filter::<Portable, M>(three), &y, n), dot(&three, &filter_backward::<Portable, M>(y), 3));
    }

    #[test]
    fn each_backward_transform_is_the_transpose_of_its_forward_one() {
        check_transposed::<3>();
        check_transposed::<4>();
    }
}
