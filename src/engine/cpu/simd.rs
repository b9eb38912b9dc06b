//! Eight floats at a time: one source for every kernel, compiled for each instruction set and chosen when the program runs.

use crate::usage;
use crate::usage::Usage;

/// The instruction set that the kernels run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Plain loops that the compiler vectorises for the processor it was asked to build for.
    Portable,
    /// 256-bit vectors with fused multiply-add. Made by [`Isa::detect`] only, where the processor has both.
    #[cfg(target_arch = "x86_64")]
    Avx2(HasAvx2),
}

/// Proof that this processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HasAvx2(());

impl Isa {
    /// The best that this processor has, or the portable path where the environment says `LRSCHED_CPU=portable`.
    ///
    /// # Errors
    /// Any other value of `LRSCHED_CPU`.
    pub fn chosen() -> Result<Self, Usage> {
        match std::env::var_os("LRSCHED_CPU") {
            None => Ok(Self::detect()),
            Some(value) if value == "portable" => Ok(Isa::Portable),
            Some(value) => usage!(
                "LRSCHED_CPU must be `portable`, or not set for the fastest that this processor has, got `{}`",
                value.display()
            ),
        }
    }

    /// The best that this processor has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Isa::Avx2(HasAvx2(()));
        }
        Isa::Portable
    }

    pub const fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => "avx2+fma",
        }
    }
}

/// A vector of [`LANES`] floats and what the kernels do with it.
///
/// Every function is a few instructions and must be inlined into a function that [`kernel!`] made, so that the right instructions come out.
pub trait Simd: Copy {
    type V: Copy;

    fn splat(value: f32) -> Self::V;
    /// # Safety
    /// `from` must be valid for reading [`LANES`] floats.
    unsafe fn load(from: *const f32) -> Self::V;
    /// # Safety
    /// `to` must be valid for writing [`LANES`] floats.
    unsafe fn store(to: *mut f32, value: Self::V);
    /// Small whole numbers, kept as bytes.
    /// # Safety
    /// `from` must be valid for reading [`LANES`] bytes.
    unsafe fn load_bytes(from: *const u8) -> Self::V;
    /// # Safety
    /// `to` must be valid for writing [`LANES`] bytes.
    unsafe fn store_bytes(to: *mut u8, value: Self::V);
    fn add(a: Self::V, b: Self::V) -> Self::V;
    fn sub(a: Self::V, b: Self::V) -> Self::V;
    fn mul(a: Self::V, b: Self::V) -> Self::V;
    fn div(a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c.
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; `b` where either is NaN.
    fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The larger; NaN where either is NaN.
    fn max_or_nan(a: Self::V, b: Self::V) -> Self::V;
    /// `yes` where a > b, else `no`.
    fn greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `yes` where a == b, else `no`.
    fn equal(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// 2^n of whole numbers −126 ≤ n ≤ 127.
    fn exp2_whole(n: Self::V) -> Self::V;
    /// The nearest whole number.
    fn round(a: Self::V) -> Self::V;

    #[inline(always)]
    fn zero() -> Self::V {
        Self::splat(0.0)
    }
    /// max(x, 0), NaN kept.
    #[inline(always)]
    fn relu(a: Self::V) -> Self::V {
        Self::max(Self::zero(), a)
    }
    /// a·b + c with a constant a.
    #[inline(always)]
    fn axpy(a: f32, b: Self::V, c: Self::V) -> Self::V {
        Self::fma(Self::splat(a), b, c)
    }
    #[inline(always)]
    fn scale(a: f32, b: Self::V) -> Self::V {
        Self::mul(Self::splat(a), b)
    }
}

/// Floats in a vector.
pub const LANES: usize = 8;

/// Plain loops over arrays.
#[derive(Clone, Copy)]
pub struct Portable;

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> [f32; LANES] {
    std::array::from_fn(f)
}

impl Simd for Portable {
    type V = [f32; LANES];

    #[inline(always)]
    fn splat(value: f32) -> Self::V {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller promises eight readable floats; an unaligned read asks nothing more.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        // SAFETY: the caller promises eight writable floats.
        unsafe { to.cast::<Self::V>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self::V {
        // SAFETY: the caller promises eight readable bytes.
        let bytes = unsafe { from.cast::<[u8; LANES]>().read() };
        each(|i| f32::from(bytes[i]))
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: Self::V) {
        // SAFETY: the caller promises eight writable bytes.
        unsafe { to.cast::<[u8; LANES]>().write(value.map(|x| x as u8)) }
    }
    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(a: Self::V, b: Self::V) -> Self::V {
        each(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Not `mul_add`: without the instruction that is a slow call.
        each(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(a: Self::V, b: Self::V) -> Self::V {
        each(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn max_or_nan(a: Self::V, b: Self::V) -> Self::V {
        each(|i| if a[i] > b[i] || a[i].is_nan() { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        each(|i| if a[i] > b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn equal(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        each(|i| if a[i] == b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn exp2_whole(n: Self::V) -> Self::V {
        each(|i| f32::from_bits(((n[i] as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    fn round(a: Self::V) -> Self::V {
        // Adding and taking away 1.5·2²³ leaves the nearest whole number, without a call.
        const SHIFT: f32 = 12_582_912.0;
        each(|i| (a[i] + SHIFT) - SHIFT)
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::Avx2;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, Simd};
    use std::arch::x86_64::*;

    /// 256-bit vectors. Used only inside the functions that [`kernel!`] compiles for AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub struct Avx2;

    // SAFETY of every block below: the instructions are there, because this type is used only in functions that are entered with
    // an `Isa::Avx2`, which exists only where the processor was asked and has them. Pointers are the caller's promise.
    #[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all of them stands above")]
    impl Simd for Avx2 {
        type V = __m256;

        #[inline(always)]
        fn splat(value: f32) -> Self::V {
            unsafe { _mm256_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, value: Self::V) {
            unsafe { _mm256_storeu_ps(to, value) }
        }
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self::V {
            unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
        }
        #[inline(always)]
        unsafe fn store_bytes(to: *mut u8, value: Self::V) {
            const _: () = assert!(LANES == 8);
            unsafe {
                let whole = _mm256_cvtps_epi32(value);
                let halves = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole));
                _mm_storel_epi64(to.cast(), _mm_packus_epi16(halves, halves));
            }
        }
        #[inline(always)]
        fn add(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        fn sub(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        fn mul(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        fn div(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm256_div_ps(a, b) }
        }
        #[inline(always)]
        fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn max(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm256_max_ps(a, b) }
        }
        #[inline(always)]
        fn max_or_nan(a: Self::V, b: Self::V) -> Self::V {
            // The comparison sets all bits where either is NaN, which is itself a NaN.
            unsafe { _mm256_or_ps(_mm256_max_ps(a, b), _mm256_cmp_ps::<_CMP_UNORD_Q>(a, b)) }
        }
        #[inline(always)]
        fn greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
            unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
        }
        #[inline(always)]
        fn equal(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
            unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)) }
        }
        #[inline(always)]
        fn exp2_whole(n: Self::V) -> Self::V {
            unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            }
        }
        #[inline(always)]
        fn round(a: Self::V) -> Self::V {
            unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
        }
    }
}

/// Defines a function that takes the instruction set first and runs its body with `S` as the [`Simd`] of that set.
///
/// The body and every generic function in it are inlined into a copy compiled for the instruction set, so the `#[target_feature]` of the
/// copy holds for all of it.
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

            match isa {
                Isa::Portable => generic::<Portable, $($c)?>($($arg),*),
                // SAFETY: an `Isa::Avx2` exists only where the processor has AVX2 and FMA.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2(_) => unsafe { avx2::<$($c)?>($($arg),*) },
            }
        }
    };
}
pub(super) use kernel;

/// `count` rounded up to whole vectors: how far apart the pixels of a map of `count` channels lie.
pub const fn padded(count: usize) -> usize {
    count.next_multiple_of(LANES)
}

#[cfg(test)]
mod tests {
    use super::*;

    kernel! {
        fn all_operations(x: &[f32; 16], out: &mut [[f32; 8]; 9], bytes: &mut [u8; 8]) {
            // SAFETY: every pointer is to an array of at least eight values, the second half of sixteen included.
            unsafe {
                let (a, b) = (S::load(x.as_ptr()), S::load(x.as_ptr().add(8)));
                let results = [
                    S::add(a, b),
                    S::fma(a, b, a),
                    S::max(a, b),
                    S::greater(a, b, a, S::zero()),
                    S::equal(a, b, S::splat(1.0), S::splat(2.0)),
                    S::exp2_whole(S::round(a)),
                    S::round(b),
                    S::div(a, b),
                ];
                for (out, result) in out.iter_mut().zip(results) {
                    S::store(out.as_mut_ptr(), result);
                }
                S::store_bytes(bytes.as_mut_ptr(), S::greater(a, b, S::splat(3.0), S::splat(250.0)));
                S::store(out[8].as_mut_ptr(), S::load_bytes(bytes.as_ptr()));
            }
        }
    }

    #[test]
    fn every_instruction_set_computes_the_same_operations() {
        let x = [
            1.25, -2.5, 3.75, 0.0, 5.5, -6.25, 7.0, 8.0, //
            2.0, -2.5, -4.0, 1.0, 0.5, 3.0, 7.0, 16.0,
        ];
        let run = |isa| {
            let (mut out, mut bytes) = ([[0.0; 8]; 9], [0; 8]);
            all_operations(isa, &x, &mut out, &mut bytes);
            (out, bytes)
        };
        let (out, bytes) = run(Isa::Portable);
        assert_eq!(out[0], [3.25, -5.0, -0.25, 1.0, 6.0, -3.25, 14.0, 24.0]);
        assert_eq!(out[2], [2.0, -2.5, 3.75, 1.0, 5.5, 3.0, 7.0, 16.0]);
        assert_eq!(out[5][5], 1.0 / 64.0);
        assert_eq!(bytes, [250, 250, 3, 250, 3, 250, 250, 250]);
        assert_eq!(run(Isa::detect()), (out, bytes));
    }

    kernel! {
        fn relu_and_maxima(x: &[f32; 8], y: &[f32; 8], out: &mut [[f32; 8]; 2]) {
            // SAFETY: every pointer is to an array of eight floats.
            unsafe {
                let (a, b) = (S::load(x.as_ptr()), S::load(y.as_ptr()));
                S::store(out[0].as_mut_ptr(), S::relu(a));
                S::store(out[1].as_mut_ptr(), S::max_or_nan(a, b));
            }
        }
    }

    #[test]
    fn relu_and_max_or_nan_keep_a_nan_on_every_instruction_set() {
        const NAN: f32 = f32::NAN;
        let x = [NAN, 1.0, NAN, -2.0, 3.0, f32::INFINITY, NAN, -0.5];
        let y = [1.0, NAN, NAN, -1.0, 2.0, f32::NEG_INFINITY, f32::INFINITY, -0.5];
        for isa in [Isa::Portable, Isa::detect()] {
            let mut out = [[0.0; 8]; 2];
            relu_and_maxima(isa, &x, &y, &mut out);
            let text = |values: [f32; 8]| values.map(|value| value.to_string()).join(" ");
            assert_eq!(text(out[0]), "NaN 1 NaN 0 3 inf NaN 0", "{isa:?}");
            assert_eq!(text(out[1]), "NaN NaN NaN -1 3 inf NaN -0.5", "{isa:?}");
        }
    }
}
