//! Memory that the system refuses (`ulimit -v`, a container's limit) ends the program in one line, on whatever thread it is; and what is free
//! goes back to the system. What is large is meant to lie on large pages.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The system's allocator. Rust's own way with a refusal is several lines and an abort; this one says what to do, and exits with 1.
pub struct Allocator;

/// No machine has as much: who asks for it has a plan for a refusal.
const BEYOND: usize = 1 << 40;

/// A large page of x86-64, and of 64-bit ARM with small ones of 4 KiB.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

static REFUSED: AtomicBool = AtomicBool::new(false);
static LAST: OnceLock<fn()> = OnceLock::new();

/// What is to be done, without new memory, before the program ends.
pub fn before_refusal(last: fn()) {
    LAST.get_or_init(|| last);
}

/// Hands back to the system what has been freed. glibc keeps it, scattered over an arena for each thread there has been, and after many
/// networks one after the other that is most of the memory of the process.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(keep: usize) -> std::ffi::c_int;
        }
        // SAFETY: glibc's own function, which any thread may call at any time; memory in use stays where it is.
        unsafe { malloc_trim(0) };
    }
}

// SAFETY: each request goes to the system's allocator as it is, and its answer comes back as it is, or not at all.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        on_large_pages(granted(unsafe { System.alloc(layout) }, layout.size()), layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        on_large_pages(granted(unsafe { System.alloc_zeroed(layout) }, layout.size()), layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `alloc`.
        granted(unsafe { System.realloc(memory, layout, size) }, size)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[inline]
fn granted(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() && size < BEYOND {
        refuse(size);
    }
    memory
}

/// Asks for large pages for fresh memory: weights and maps are gone through in long strides, often a small page each, and of those the processor
/// remembers too few. What grows (`realloc`) is left alone: the system moves a piece whose pages are of two kinds only by copying it.
#[inline]
fn on_large_pages(memory: *mut u8, size: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if size >= 2 * LARGE_PAGE && !memory.is_null() {
        use std::ffi::{c_int, c_void};
        unsafe extern "C" {
            fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
        }
        const MADV_HUGEPAGE: c_int = 14;
        let before = memory.align_offset(LARGE_PAGE);
        let length = (size - before) / LARGE_PAGE * LARGE_PAGE;
        // SAFETY: the pages lie inside of memory that was just granted, as `before` is less than one of two. This only advises: a system
        // without large pages says no, and nothing is lost.
        unsafe { madvise(memory.wrapping_add(before).cast(), length, MADV_HUGEPAGE) };
    }
    memory
}

#[cold]
fn refuse(size: usize) -> ! {
    // Several threads may be refused at once: the first says so.
    while REFUSED.swap(true, Ordering::Relaxed) {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    if let Some(last) = LAST.get() {
        last();
    }
    let mut line = [b' '; 200];
    let mut rest = &mut line[..];
    let _ = writeln!(
        rest,
        "error: out of memory: the system refused {size} more bytes (a limit such as `ulimit -v`?); try a smaller --batch-size, or fewer --threads"
    );
    let left = rest.len();
    let _ = std::io::stderr().write_all(&line[..line.len() - left]);
    std::process::exit(1)
}
