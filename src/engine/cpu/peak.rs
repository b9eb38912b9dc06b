//! Measures the processor's peak multiply-add throughput, which the kernels are compared with.

use super::simd::{Isa, LINE, kernel};
use super::threads::Threads;
use rayon::prelude::*;
use std::time::Instant;

/// Independent accumulators: enough to hide the latency of a fused multiply-add.
const SUMS: usize = 12;
/// Per measurement: takes some milliseconds.
const ROUNDS: usize = 1 << 19;
const MEASUREMENTS: usize = 10;

kernel! {
    /// `rounds` times [`SUMS`] fused multiply-adds on registers only.
    fn spin(rounds: usize, out: &mut [f32; LINE]) {
        let (factor, term) = (S::splat(0.5), S::splat(1.0));
        let mut sums = [S::zero(); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = S::fma(*sum, factor, term);
            }
        }
        let total = sums.into_iter().fold(S::zero(), |total, sum| S::add(total, sum));
        // SAFETY: `out` holds a whole line, and a vector is at most a line.
        unsafe { S::store(out.as_mut_ptr(), total) };
    }
}

/// 10⁹ operations per second of all threads together, counting a fused multiply-add as two: the best of several
/// measurements.
pub fn giga_operations_per_second(isa: Isa, threads: &Threads) -> f64 {
    let mut outputs = vec![[0.0; LINE]; threads.count()];
    let operations = (2 * SUMS * isa.lanes() * ROUNDS * threads.count()) as f64;
    let once = |_| {
        let started = Instant::now();
        threads.each(outputs.par_iter_mut(), |out, _| spin(isa, ROUNDS, out));
        1e-9 * operations / started.elapsed().as_secs_f64()
    };
    (0..MEASUREMENTS).map(once).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_really_computed() {
        for isa in Isa::available() {
            let mut out = [0.0; LINE];
            spin(isa, 2, &mut out);
            // Each accumulator is 1, then 1.5.
            assert!(out[..isa.lanes()].iter().all(|&value| value == 1.5 * SUMS as f32), "{isa:?}: {out:?}");
            assert!(giga_operations_per_second(isa, &Threads::new(1).unwrap()) > 0.0);
        }
    }
}
