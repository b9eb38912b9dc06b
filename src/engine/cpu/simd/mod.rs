//! SIMD vectors of floats: one source per kernel, compiled for each instruction set and dispatched at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub use avx2::{Avx2, HasAvx2};
#[cfg(target_arch = "x86_64")]
pub use avx512::{Avx512, HasAvx512};
pub use portable::Portable;

use crate::usage;
use crate::usage::Usage;

/// The instruction set that the kernels use.
///
/// Every set except [`Isa::Portable`] carries proof that this processor has it. Only detection creates a proof, and the
/// proof of one set does not serve for another:
///
///
/// ```compile_fail
/// use lrsched::engine::cpu::Isa;
/// if let Isa::Avx2(proof) = Isa::detect() {
///     let _ = Isa::Avx512(proof);
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Plain loops, vectorised by the compiler for its target processor.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(HasAvx2),
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512(HasAvx512),
}

impl Isa {
    /// All instruction sets of this processor, the fastest last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "only x86-64 adds to it")]
        let mut available = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            available.extend(HasAvx2::detect().map(Isa::Avx2));
            available.extend(HasAvx512::detect().map(Isa::Avx512));
        }
        available
    }

    /// The fastest set of this processor, or the one that the environment names: `LRSCHED_CPU=portable` or `avx2`.
    ///
    /// # Errors
    /// `LRSCHED_CPU` has another value, or names a set that this processor lacks.
    pub fn chosen() -> Result<Self, Usage> {
        let Some(value) = std::env::var_os("LRSCHED_CPU").filter(|value| !value.is_empty()) else {
            return Ok(Self::detect());
        };
        if value != "portable" && value != "avx2" {
            return usage!(
                "LRSCHED_CPU must be `portable` or `avx2`, got `{}`; leave it unset for the fastest set of this processor",
                value.display()
            );
        }
        match Self::available().into_iter().find(|isa| value == isa.short_name()) {
            Some(isa) => Ok(isa),
            None => usage!("LRSCHED_CPU is `avx2`, but this processor lacks AVX2 or FMA; leave it unset"),
        }
    }

    /// The fastest set of this processor.
    pub fn detect() -> Self {
        Self::available().pop().unwrap_or(Isa::Portable)
    }

    /// Name in run records.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => "avx2+fma",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(_) => "avx512",
        }
    }

    /// Floats per vector.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(_) => Avx512::LANES,
        }
    }

    /// Name in `LRSCHED_CPU`.
    fn short_name(self) -> &'static str {
        self.name().split('+').next().unwrap_or_default()
    }
}

/// Floats per cache line and per widest vector. Channels are padded to it so that no vector crosses a line or a pixel.
pub const LINE: usize = 16;

/// `count` rounded up to whole lines: the stride between pixels of a map with `count` channels.
pub const fn padded(count: usize) -> usize {
    count.next_multiple_of(LINE)
}

/// A vector of floats, and its operations.
///
/// Every function is a few instructions and must be inlined into a function defined by [`kernel!`] to compile to the
/// right ones.
pub trait Simd: Copy {
    type V: Copy;
    /// Floats per vector: [`LINE`] or a whole fraction of it.
    const LANES: usize;
    /// Rows per tile of the matrix product: as many as the registers hold sums for.
    const ROWS: usize;

    fn splat(value: f32) -> Self::V;
    /// # Safety
    /// `from` must be valid for reading `LANES` floats.
    unsafe fn load(from: *const f32) -> Self::V;
    /// # Safety
    /// `to` must be valid for writing `LANES` floats.
    unsafe fn store(to: *mut f32, value: Self::V);
    /// Loads small integers stored as bytes.
    ///
    /// # Safety
    /// `from` must be valid for reading `LANES` bytes.
    unsafe fn load_bytes(from: *const u8) -> Self::V;
    /// Stores small non-negative integers as bytes.
    ///
    /// # Safety
    /// `to` must be valid for writing `LANES` bytes.
    unsafe fn store_bytes(to: *mut u8, value: Self::V);
    fn add(a: Self::V, b: Self::V) -> Self::V;
    fn sub(a: Self::V, b: Self::V) -> Self::V;
    fn mul(a: Self::V, b: Self::V) -> Self::V;
    fn div(a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c.
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; `b` if either is NaN.
    fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The larger; NaN if either is NaN.
    fn max_or_nan(a: Self::V, b: Self::V) -> Self::V;
    /// `yes` where a > b, `no` elsewhere.
    fn greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `yes` where a == b, `no` elsewhere.
    fn equal(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// 2^n for integers −126 ≤ n ≤ 127.
    fn exp2_whole(n: Self::V) -> Self::V;
    /// The nearest integer.
    fn round(a: Self::V) -> Self::V;

    /// Prefetches the cache line at `at`, which may be any address, into the L1 cache.
    fn prefetch(at: *const f32);
    /// Prefetches into the L2 cache only.
    fn prefetch_l2(at: *const f32);

    #[inline(always)]
    fn zero() -> Self::V {
        Self::splat(0.0)
    }
    /// max(x, 0); NaN stays NaN.
    #[inline(always)]
    fn relu(a: Self::V) -> Self::V {
        Self::max(Self::zero(), a)
    }
    /// a·b + c for a constant a.
    #[inline(always)]
    fn axpy(a: f32, b: Self::V, c: Self::V) -> Self::V {
        Self::fma(Self::splat(a), b, c)
    }
    #[inline(always)]
    fn scale(a: f32, b: Self::V) -> Self::V {
        Self::mul(Self::splat(a), b)
    }
}

/// Defines a function that takes the instruction set as its first argument and runs its body with `S` as that set's
/// [`Simd`].
///
/// The body and every generic function it calls are inlined into one copy per instruction set, so the copy's
/// `#[target_feature]` applies to all of it.
macro_rules! kernel {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<const $c:ident: usize>)? ($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<const $c: usize>)? (isa: $crate::engine::cpu::simd::Isa, $($arg: $type),*) {
            use $crate::engine::cpu::simd::{Isa, Portable, Simd};

            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn generic<S: Simd, $(const $c: usize)?>($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2 $(<const $c: usize>)? ($($arg: $type),*) {
                generic::<$crate::engine::cpu::simd::Avx2, $($c)?>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx512 $(<const $c: usize>)? ($($arg: $type),*) {
                generic::<$crate::engine::cpu::simd::Avx512, $($c)?>($($arg),*)
            }

            match isa {
                Isa::Portable => generic::<Portable, $($c)?>($($arg),*),
                // SAFETY: a `HasAvx2` exists only if the processor has AVX2 and FMA.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2(_) => unsafe { avx2::<$($c)?>($($arg),*) },
                // SAFETY: a `HasAvx512` exists only if the processor has AVX-512F, AVX2 and FMA.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512(_) => unsafe { avx512::<$($c)?>($($arg),*) },
            }
        }
    };
}
pub(super) use kernel;

#[cfg(test)]
mod tests {
    use super::*;

    kernel! {
        fn all_operations(a: &[f32; LINE], b: &[f32; LINE], out: &mut [[f32; LINE]; 11], bytes: &mut [u8; LINE]) {
            for at in (0..LINE).step_by(S::LANES) {
                // SAFETY: `at` starts a whole vector inside each array.
                unsafe {
                    let (a, b) = (S::load(a.as_ptr().add(at)), S::load(b.as_ptr().add(at)));
                    S::store_bytes(bytes.as_mut_ptr().add(at), S::greater(a, b, S::splat(3.0), S::splat(250.0)));
                    let results = [
                        S::add(a, b),
                        S::fma(a, b, a),
                        S::max(a, b),
                        S::greater(a, b, a, S::zero()),
                        S::equal(a, b, S::splat(1.0), S::splat(2.0)),
                        S::exp2_whole(S::round(a)),
                        S::round(b),
                        S::div(a, b),
                        S::load_bytes(bytes.as_ptr().add(at)),
                        S::mul(a, b),
                        S::sub(a, b),
                    ];
                    for (out, result) in out.iter_mut().zip(results) {
                        S::store(out.as_mut_ptr().add(at), result);
                    }
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_computes_the_same_operations() {
        // The second half is the first, in another order.
        let a = [
            1.25, -2.5, 3.75, 0.0, 5.5, -6.25, 7.0, 8.0, //
            8.0, 7.0, -6.25, 5.5, 0.0, 3.75, -2.5, 1.25,
        ];
        let b = [
            2.0, -2.5, -4.0, 1.0, 0.5, 3.0, 7.0, 16.0, //
            16.0, 7.0, 3.0, 0.5, 1.0, -4.0, -2.5, 2.0,
        ];
        let run = |isa| {
            let (mut out, mut bytes) = ([[0.0; LINE]; 11], [0; LINE]);
            all_operations(isa, &a, &b, &mut out, &mut bytes);
            (out, bytes)
        };
        let (out, bytes) = run(Isa::Portable);
        assert_eq!(out[0][..8], [3.25, -5.0, -0.25, 1.0, 6.0, -3.25, 14.0, 24.0]);
        assert_eq!(out[2][..8], [2.0, -2.5, 3.75, 1.0, 5.5, 3.0, 7.0, 16.0]);
        assert_eq!(out[5][5], 1.0 / 64.0);
        assert_eq!(out[5][10], 1.0 / 64.0);
        assert_eq!(bytes[..8], [250, 250, 3, 250, 3, 250, 250, 250]);
        for isa in Isa::available() {
            assert_eq!(run(isa), (out, bytes), "{isa:?}");
        }
    }

    kernel! {
        fn relu_and_maxima(x: &[f32; LINE], y: &[f32; LINE], out: &mut [[f32; LINE]; 2]) {
            for at in (0..LINE).step_by(S::LANES) {
                // SAFETY: `at` starts a whole vector inside each array.
                unsafe {
                    let (a, b) = (S::load(x.as_ptr().add(at)), S::load(y.as_ptr().add(at)));
                    S::store(out[0].as_mut_ptr().add(at), S::relu(a));
                    S::store(out[1].as_mut_ptr().add(at), S::max_or_nan(a, b));
                }
            }
        }
    }

    #[test]
    fn relu_and_max_or_nan_keep_a_nan_on_every_instruction_set() {
        const NAN: f32 = f32::NAN;
        let x = [NAN, 1.0, NAN, -2.0, 3.0, f32::INFINITY, NAN, -0.5];
        let y = [1.0, NAN, NAN, -1.0, 2.0, f32::NEG_INFINITY, f32::INFINITY, -0.5];
        let twice = |values: [f32; 8]| std::array::from_fn(|i| values[i % 8]);
        for isa in Isa::available() {
            let mut out = [[0.0; LINE]; 2];
            relu_and_maxima(isa, &twice(x), &twice(y), &mut out);
            for half in [0..8, 8..16] {
                let text = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
                assert_eq!(text(&out[0][half.clone()]), "NaN 1 NaN 0 3 inf NaN 0", "{isa:?}");
                assert_eq!(text(&out[1][half]), "NaN NaN NaN -1 3 inf NaN -0.5", "{isa:?}");
            }
        }
    }
}
