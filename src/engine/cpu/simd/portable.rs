//! Plain loops over arrays, vectorised by the compiler for its target processor.

use super::Simd;

/// Floats per vector: the vector width of most processors, or half of it.
const LANES: usize = 8;

/// Plain loops over arrays.
#[derive(Clone, Copy)]
pub struct Portable;

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> [f32; LANES] {
    std::array::from_fn(f)
}

impl Simd for Portable {
    type V = [f32; LANES];
    const LANES: usize = LANES;
    const ROWS: usize = 6;

    #[inline(always)]
    fn splat(value: f32) -> Self::V {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller promises eight readable floats; an unaligned read requires nothing more.
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
        // Not `mul_add`, which is a slow library call on targets without FMA.
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
        // Adding and subtracting 1.5·2²³ rounds to the nearest integer, without a library call.
        const SHIFT: f32 = 12_582_912.0;
        each(|i| (a[i] + SHIFT) - SHIFT)
    }
    #[inline(always)]
    fn prefetch(_at: *const f32) {}
    #[inline(always)]
    fn prefetch_l2(_at: *const f32) {}
}
