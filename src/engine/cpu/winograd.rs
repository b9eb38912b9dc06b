//! Winograd's minimal filtering for 3x3 kernels (Lavin and Gray 2015, arXiv:1509.09308): F(3x3, 3x3) to F(6x6, 3x3).
//!
//! ```text
//! Y = Aᵀ·[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]·A          g: 3x3 kernel, d: (M+2)x(M+2) inputs, Y: MxM outputs
//! ```
//!
//! | M | points                | multiplications per output |
//! |---|-----------------------|----------------------------|
//! | 3 | 0, ±1, 2, ∞           | 2.78 |
//! | 4 | 0, ±1, ±2, ∞          | 2.25 |
//! | 5 | 0, ±1, ±2, ½, ∞       | 1.96 |
//! | 6 | 0, ±1, ±2, ½, −½, ∞   | 1.78 |
//!
//! A row of Bᵀ holds the coefficients of Π (x − p) over the other points p. So the rows of the points that M = 5 and 6
//! share with M = 4 are those of M = 4 applied to d·(x − ½) and d·(x² − ¼), and each new point takes the row of ∞ of M
//! = 4. There is one function per matrix, for every M; the backward pass uses the transposed matrices. Each function
//! works on a vector of channels. Arrays are sized for M = 6; smaller M use a prefix.

use super::simd::Simd;

/// The largest number of inputs along a side of a tile.
pub const SIDE: usize = 8;

/// One row or column of a tile.
pub type Line<S> = [<S as Simd>::V; SIDE];

/// Inputs along a side of a tile of `M` x `M` outputs.
pub const fn side(m: usize) -> usize {
    m + 2
}

/// Pads `values` with zeros to a line.
#[inline(always)]
fn line<S: Simd, const N: usize>(values: [S::V; N]) -> Line<S> {
    let mut line = [S::zero(); SIDE];
    line[..N].copy_from_slice(&values);
    line
}

/// d·x·(x² − 1)·(x² − 4), whose coefficients start at `d[first]`.
#[inline(always)]
fn beyond_four<S: Simd>(d: &Line<S>, first: usize) -> S::V {
    S::axpy(4.0, d[first + 1], S::axpy(-5.0, d[first + 3], d[first + 5]))
}

/// Bᵀ·d: side → side.
#[inline(always)]
pub fn input<S: Simd, const M: usize>(d: Line<S>) -> Line<S> {
    match M {
        3 => {
            let (a, b) = (S::sub(d[3], d[1]), S::sub(d[3], d[2]));
            line::<S, 5>([
                S::axpy(2.0, S::sub(d[0], d[2]), a),
                S::axpy(-2.0, d[1], b),
                S::axpy(2.0, S::sub(d[1], d[2]), b),
                a,
                S::axpy(-2.0, a, S::sub(d[4], d[2])),
            ])
        }
        4 => {
            let (even, odd) = (S::axpy(-4.0, d[2], d[4]), S::axpy(-4.0, d[1], d[3]));
            let (half, double) = (S::sub(d[4], d[2]), S::scale(2.0, S::sub(d[3], d[1])));
            line::<S, 6>([
                S::axpy(4.0, d[0], S::axpy(-5.0, d[2], d[4])),
                S::add(even, odd),
                S::sub(even, odd),
                S::add(half, double),
                S::sub(half, double),
                beyond_four::<S>(&d, 0),
            ])
        }
        5 => {
            let shifted = std::array::from_fn::<_, 6, _>(|k| S::axpy(-0.5, d[k], d[k + 1]));
            let t = input::<S, 4>(line::<S, 6>(shifted));
            line::<S, 7>([t[0], t[1], t[2], t[3], t[4], beyond_four::<S>(&d, 0), t[5]])
        }
        _ => {
            let shifted = std::array::from_fn::<_, 6, _>(|k| S::axpy(-0.25, d[k], d[k + 2]));
            let t = input::<S, 4>(line::<S, 6>(shifted));
            let (low, high) = (beyond_four::<S>(&d, 0), beyond_four::<S>(&d, 1));
            [t[0], t[1], t[2], t[3], t[4], S::axpy(0.5, low, high), S::axpy(-0.5, low, high), t[5]]
        }
    }
}

/// B·t: side → side.
#[inline(always)]
pub fn input_backward<S: Simd, const M: usize>(t: Line<S>) -> Line<S> {
    match M {
        3 => {
            let a = S::add(t[0], t[3]);
            line::<S, 5>([
                S::scale(2.0, t[0]),
                S::axpy(2.0, S::add(S::sub(t[2], t[1]), t[4]), S::scale(-1.0, a)),
                S::axpy(-2.0, t[0], S::axpy(-3.0, t[2], S::scale(-1.0, S::add(t[1], t[4])))),
                S::axpy(-2.0, t[4], S::add(a, S::add(t[1], t[2]))),
                t[4],
            ])
        }
        4 => {
            let (sum, difference) = (S::add(t[1], t[2]), S::sub(t[2], t[1]));
            let (sum2, difference2) = (S::add(t[3], t[4]), S::scale(2.0, S::sub(t[4], t[3])));
            line::<S, 6>([
                S::scale(4.0, t[0]),
                S::axpy(4.0, S::add(difference, t[5]), difference2),
                S::sub(S::axpy(-5.0, t[0], S::scale(-4.0, sum)), sum2),
                S::sub(S::axpy(-5.0, t[5], S::scale(-1.0, difference)), difference2),
                S::add(t[0], S::add(sum, sum2)),
                t[5],
            ])
        }
        5 => {
            let u = input_backward::<S, 4>(line::<S, 6>([t[0], t[1], t[2], t[3], t[4], t[6]]));
            line::<S, 7>([
                S::scale(-0.5, u[0]),
                S::axpy(4.0, t[5], S::axpy(-0.5, u[1], u[0])),
                S::axpy(-0.5, u[2], u[1]),
                S::axpy(-5.0, t[5], S::axpy(-0.5, u[3], u[2])),
                S::axpy(-0.5, u[4], u[3]),
                S::add(t[5], S::axpy(-0.5, u[5], u[4])),
                u[5],
            ])
        }
        _ => {
            let u = input_backward::<S, 4>(line::<S, 6>([t[0], t[1], t[2], t[3], t[4], t[7]]));
            let (low, high) = (S::scale(0.5, S::sub(t[5], t[6])), S::add(t[5], t[6]));
            [
                S::scale(-0.25, u[0]),
                S::axpy(4.0, low, S::scale(-0.25, u[1])),
                S::axpy(4.0, high, S::axpy(-0.25, u[2], u[0])),
                S::axpy(-5.0, low, S::axpy(-0.25, u[3], u[1])),
                S::axpy(-5.0, high, S::axpy(-0.25, u[4], u[2])),
                S::add(low, S::axpy(-0.25, u[5], u[3])),
                S::add(high, u[4]),
                u[5],
            ]
        }
    }
}

/// What the rows of G of tiles of `M` are of those of tiles of `K`, at 0, at ±1, and at ±2 and what follows. At ∞ they
/// are the same.
const fn ratios(m: usize, k: usize) -> [f32; 3] {
    match (m, k) {
        (4, 6) => [-0.25, 0.75, 3.75],
        _ => [1.0; 3],
    }
}

/// Aᵀ·m: side → M, for products with the kernels of tiles of `K`.
#[inline(always)]
pub fn output<S: Simd, const M: usize, const K: usize>(m: Line<S>) -> Line<S> {
    let [at_zero, at_one, at_two] = ratios(M, K);
    let (zero, scaled) = (S::scale(at_zero, m[0]), |value| S::scale(at_one, value));
    let (sum, difference) = (scaled(S::add(m[1], m[2])), scaled(S::sub(m[1], m[2])));
    if M == 3 {
        return line::<S, 3>([
            S::add(S::add(zero, sum), m[3]),
            S::axpy(2.0, m[3], difference),
            S::add(S::axpy(4.0, m[3], sum), m[4]),
        ]);
    }
    let (sum2, difference2) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
    let first = S::axpy(at_two, sum2, S::add(zero, sum));
    let second = S::axpy(2.0 * at_two, difference2, difference);
    let third = S::axpy(4.0 * at_two, sum2, sum);
    let fourth = S::axpy(8.0 * at_two, difference2, difference);
    match M {
        4 => line::<S, 4>([first, second, third, S::add(fourth, m[5])]),
        5 => line::<S, 5>([
            S::add(first, m[5]),
            S::axpy(0.5, m[5], second),
            S::axpy(0.25, m[5], third),
            S::axpy(0.125, m[5], fourth),
            S::axpy(0.0625, m[5], S::add(S::axpy(16.0, sum2, sum), m[6])),
        ]),
        _ => {
            let (sum_half, difference_half) = (S::add(m[5], m[6]), S::sub(m[5], m[6]));
            line::<S, 6>([
                S::add(first, sum_half),
                S::axpy(0.5, difference_half, second),
                S::axpy(0.25, sum_half, third),
                S::axpy(0.125, difference_half, fourth),
                S::axpy(0.0625, sum_half, S::axpy(16.0, sum2, sum)),
                S::axpy(0.03125, difference_half, S::add(S::axpy(32.0, difference2, difference), m[7])),
            ])
        }
    }
}

/// A·y: M → side, for products with the kernels of tiles of `K`.
#[inline(always)]
pub fn output_backward<S: Simd, const M: usize, const K: usize>(y: Line<S>) -> Line<S> {
    let [at_zero, at_one, at_two] = ratios(M, K);
    // Even and odd powers of a point: ±p take their sum and difference. Elements beyond M are 0.
    let even = |square: f32, ratio: f32| {
        let rest = if M > 4 { S::axpy(square, y[4], y[2]) } else { y[2] };
        S::axpy(ratio * square, rest, S::scale(ratio, y[0]))
    };
    let odd = |point: f32, ratio: f32| match M {
        3 => S::scale(ratio * point, y[1]),
        4 | 5 => S::scale(ratio * point, S::axpy(point * point, y[3], y[1])),
        _ => S::scale(ratio * point, S::axpy(point * point, S::axpy(point * point, y[5], y[3]), y[1])),
    };
    let (even1, odd1) = (even(1.0, at_one), odd(1.0, at_one));
    let (even2, odd2) = (even(4.0, at_two), odd(2.0, at_two));
    let (one, minus_one) = (S::add(even1, odd1), S::sub(even1, odd1));
    let (two, minus_two) = (S::add(even2, odd2), S::sub(even2, odd2));
    let zero = S::scale(at_zero, y[0]);
    match M {
        3 => line::<S, 5>([zero, one, minus_one, two, y[2]]),
        4 => line::<S, 6>([zero, one, minus_one, two, minus_two, y[3]]),
        5 => line::<S, 7>([zero, one, minus_one, two, minus_two, S::add(even(0.25, 1.0), odd(0.5, 1.0)), y[4]]),
        _ => {
            let (even, odd) = (even(0.25, 1.0), odd(0.5, 1.0));
            [zero, one, minus_one, two, minus_two, S::add(even, odd), S::sub(even, odd), y[5]]
        }
    }
}

/// Scale factors of G's rows for the points 0, 1, −1, 2, −2, ½, −½; M = 3 and 4 use a prefix.
const fn factors(m: usize) -> [f32; 7] {
    match m {
        3 => [0.5, -0.5, -1.0 / 6.0, 1.0 / 6.0, 0.0, 0.0, 0.0],
        4 => [0.25, -1.0 / 6.0, -1.0 / 6.0, 1.0 / 24.0, 1.0 / 24.0, 0.0, 0.0],
        5 => [-0.5, -1.0 / 3.0, 1.0 / 9.0, 1.0 / 36.0, -1.0 / 60.0, 32.0 / 45.0, 0.0],
        _ => [-1.0, -2.0 / 9.0, -2.0 / 9.0, 1.0 / 90.0, 1.0 / 90.0, 32.0 / 45.0, 32.0 / 45.0],
    }
}

/// G·g: 3 → side.
#[inline(always)]
pub fn filter<S: Simd, const M: usize>(g: [S::V; 3]) -> Line<S> {
    let f = factors(M);
    let (outer, far, near) = (S::add(g[0], g[2]), S::axpy(4.0, g[2], g[0]), S::axpy(0.25, g[2], g[0]));
    let zero = S::scale(f[0], g[0]);
    let one = S::scale(f[1], S::add(outer, g[1]));
    let minus_one = S::scale(f[2], S::sub(outer, g[1]));
    let two = S::scale(f[3], S::axpy(2.0, g[1], far));
    let minus_two = S::scale(f[4], S::axpy(-2.0, g[1], far));
    let half = S::scale(f[5], S::axpy(0.5, g[1], near));
    let minus_half = S::scale(f[6], S::axpy(-0.5, g[1], near));
    match M {
        3 => line::<S, 5>([zero, one, minus_one, two, g[2]]),
        4 => line::<S, 6>([zero, one, minus_one, two, minus_two, g[2]]),
        5 => line::<S, 7>([zero, one, minus_one, two, minus_two, half, g[2]]),
        _ => [zero, one, minus_one, two, minus_two, half, minus_half, g[2]],
    }
}

/// Gᵀ·u: side → 3.
#[inline(always)]
pub fn filter_backward<S: Simd, const M: usize>(u: Line<S>) -> [S::V; 3] {
    let f = factors(M);
    let (one, minus_one, two) = (S::scale(f[1], u[1]), S::scale(f[2], u[2]), S::scale(f[3], u[3]));
    let (sum, difference) = (S::add(one, minus_one), S::sub(one, minus_one));
    // `last` belongs to the point at infinity.
    let (mut sum2, mut difference2, mut last) = (two, two, u[4]);
    if M > 3 {
        let minus_two = S::scale(f[4], u[4]);
        (sum2, difference2, last) = (S::add(two, minus_two), S::sub(two, minus_two), u[5]);
    }
    let near = S::axpy(f[0], u[0], S::add(sum, sum2));
    let middle = S::axpy(2.0, difference2, difference);
    let far = S::axpy(4.0, sum2, sum);
    let half = S::scale(f[5], u[5]);
    match M {
        3 | 4 => [near, middle, S::add(far, last)],
        5 => [S::add(near, half), S::axpy(0.5, half, middle), S::axpy(0.25, half, S::add(far, u[6]))],
        _ => {
            let minus_half = S::scale(f[6], u[6]);
            let (sum, difference) = (S::add(half, minus_half), S::sub(half, minus_half));
            [S::add(near, sum), S::axpy(0.5, difference, middle), S::axpy(0.25, sum, S::add(far, u[7]))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::Portable;
    use super::*;

    fn filled(values: &[f32]) -> Line<Portable> {
        std::array::from_fn(|i| [values.get(i).copied().unwrap_or(0.0); 8])
    }

    fn pseudo_random(seed: u32, count: usize) -> Vec<f32> {
        (0..count as u32).map(|i| ((i + 1) * (seed * 2 + 7) * 7919 % 23) as f32 / 11.0 - 1.0).collect()
    }

    /// With the kernels of tiles of `K`.
    fn check<const M: usize, const K: usize>() {
        let (d, g) = (pseudo_random(1, side(M)), pseudo_random(2, 3));
        let transformed_input = input::<Portable, M>(filled(&d));
        let mut transformed_filter = filter::<Portable, K>(std::array::from_fn(|i| [g[i]; 8]));
        transformed_filter[side(M) - 1] = transformed_filter[side(K) - 1];
        let products = std::array::from_fn(|i| Portable::mul(transformed_input[i], transformed_filter[i]));
        let y = output::<Portable, M, K>(products);
        for i in 0..M {
            let direct: f32 = (0..3).map(|k| d[i + k] * g[k]).sum();
            assert!((y[i][0] - direct).abs() < 1e-5, "F({M}): output {i} is {}, direct {direct}", y[i][0]);
        }
    }

    #[test]
    fn one_line_of_each_size_equals_the_direct_correlation() {
        check::<3, 3>();
        check::<4, 4>();
        check::<5, 5>();
        check::<6, 6>();
    }

    #[test]
    fn a_line_of_4_with_the_kernels_of_6_equals_the_direct_correlation() {
        check::<4, 6>();
    }

    /// ⟨T·x, y⟩ = ⟨x, Tᵀ·y⟩.
    fn check_transposed<const M: usize, const K: usize>() {
        let dot = |a: &[[f32; 8]], b: &[[f32; 8]], n: usize| (0..n).map(|i| a[i][0] * b[i][0]).sum::<f32>();
        let (n, x, y) = (side(M), filled(&pseudo_random(3, side(M))), filled(&pseudo_random(4, side(M))));
        let short = filled(&pseudo_random(5, M));
        let three: [[f32; 8]; 3] = std::array::from_fn(|i| short[i]);
        let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-4, "F({M}): {a} and {b}");
        close(dot(&input::<Portable, M>(x), &y, n), dot(&x, &input_backward::<Portable, M>(y), n));
        close(dot(&output::<Portable, M, K>(x), &short, M), dot(&x, &output_backward::<Portable, M, K>(short), n));
        close(dot(&filter::<Portable, M>(three), &y, n), dot(&three, &filter_backward::<Portable, M>(y), 3));
    }

    #[test]
    fn each_backward_transform_is_the_transpose_of_its_forward_one() {
        check_transposed::<3, 3>();
        check_transposed::<4, 4>();
        check_transposed::<5, 5>();
        check_transposed::<6, 6>();
        check_transposed::<4, 6>();
    }
}
