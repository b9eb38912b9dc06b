//! 512-bit vectors (AVX-512F).

use super::{HasAvx2, Simd};
use std::arch::x86_64::*;

/// Proof that this processor has AVX-512F, AVX2 and FMA. The field is private to this file, so only
/// [`HasAvx512::detect`] can create one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HasAvx512(());

impl HasAvx512 {
    /// `None` if the processor lacks any of them.
    pub fn detect() -> Option<Self> {
        (HasAvx2::detect().is_some() && is_x86_feature_detected!("avx512f")).then_some(Self(()))
    }
}

/// 512-bit vectors. Used only inside the functions that [`kernel!`] compiles for AVX-512.
#[derive(Clone, Copy)]
pub struct Avx512;

// SAFETY of every block below: the instructions exist, because this type is used only in functions that are entered
// with a `HasAvx512`, which exists only if the processor has them. Pointers are the caller's promise.
#[allow(clippy::undocumented_unsafe_blocks, reason = "one comment above covers all of them")]
impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    // 12 sums and a vector of the right factor. More rows would fit the 32 registers but gain nothing; 12 divides most
    // blocks.
    const ROWS: usize = 12;

    #[inline(always)]
    fn splat(value: f32) -> Self::V {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self::V {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: Self::V) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value))) }
    }
    #[inline(always)]
    fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn max_or_nan(a: Self::V, b: Self::V) -> Self::V {
        unsafe {
            _mm512_mask_blend_ps(
                _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, b),
                _mm512_max_ps(a, b),
                _mm512_set1_ps(f32::NAN),
            )
        }
    }
    #[inline(always)]
    fn greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    fn equal(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    fn exp2_whole(n: Self::V) -> Self::V {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }
    #[inline(always)]
    fn round(a: Self::V) -> Self::V {
        // The low bits select the rounding mode (to nearest), the high ones the fraction bits to keep: none.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn prefetch(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[inline(always)]
    fn prefetch_l2(at: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
    }
}
