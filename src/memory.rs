//! The allocator: memory that the system refuses (`ulimit -v`, a container's limit) ends the program with one line, on whichever thread, and
//! freed memory goes back to the system. Large allocations ask for large pages.
//!
//! This is the second and last room with `unsafe`, beside the kernels: calls into the C library that the standard library has no safe name for.

#![allow(unsafe_code, reason = "a global allocator is unsafe to implement, and the C library to call")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator. Rust's own answer to a refusal is several lines and an abort; this one says what to do, and exits with 1.
pub struct Allocator;

/// No machine has as much: whoever asks for it has a plan for a refusal.
const BEYOND: usize = 1 << 40;

/// A large page of x86-64, and of 64-bit ARM with small ones of 4 KiB.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// Sets what is done before the program ends for want of memory. `last` must neither allocate nor wait for a lock: the thread that is
/// refused may hold any.
pub fn before_refusal(last: fn()) {
    #[cfg(unix)]
    refusal::LAST.get_or_init(|| last);
    #[cfg(not(unix))]
    let _ = last;
}

/// Sets what is put in place of `path` should the process end for want of memory, so that a record does not say for ever that its run is
/// going on. A later call for the same path replaces it; `None` takes it back.
pub fn in_case_of_refusal(path: &std::path::Path, bytes: Option<Vec<u8>>) {
    #[cfg(unix)]
    refusal::prepare(path, bytes);
    #[cfg(not(unix))]
    let _ = (path, bytes);
}

/// Hands back to the system what has been freed. glibc keeps it, scattered over an arena for each thread there has been, and after many
/// networks one after the other that is most of the memory of the process.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: any thread may call it at any time; memory in use stays where it is.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Whether this process ignores `signal`, as a process started by `nohup` ignores SIGHUP.
#[cfg(unix)]
pub fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action this only writes the present one to `action`, a plain struct for which all zeros are a value.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

// SAFETY: each request goes to the system's allocator as it is, and its answer comes back as it is, or the process ends.
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

/// Where there is no `_exit`, a refusal is left to Rust.
#[inline]
fn granted(memory: *mut u8, size: usize) -> *mut u8 {
    #[cfg(unix)]
    if memory.is_null() && size < BEYOND {
        refusal::end(size);
    }
    #[cfg(not(unix))]
    let _ = (size, BEYOND);
    memory
}

/// Asks for large pages for fresh memory: weights and maps are gone through in long strides, often a small page each, and of those the processor
/// remembers too few. What grows (`realloc`) is left alone: the system moves a piece whose pages are of two kinds only by copying it.
#[inline]
fn on_large_pages(memory: *mut u8, size: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if size >= 2 * LARGE_PAGE && !memory.is_null() {
        let before = memory.align_offset(LARGE_PAGE);
        let length = (size - before) / LARGE_PAGE * LARGE_PAGE;
        // SAFETY: the pages lie inside of memory that was just granted, as `before` is less than one of two. This only advises: a system
        // without large pages says no, and nothing is lost.
        unsafe { libc::madvise(memory.wrapping_add(before).cast(), length, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = size;
    memory
}

/// The end of the process inside an allocation. The thread may hold any lock, that of stderr or of the C library's exit handlers too, so
/// nothing here waits for one, allocates, or unwinds: `write(2)` and `_exit(2)`, as in a signal handler.
#[cfg(unix)]
mod refusal {
    use std::ffi::CString;
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
    use std::time::Duration;

    /// A file to put in place of another: everything is made before it is needed.
    struct Prepared {
        path: PathBuf,
        target: CString,
        temporary: CString,
        bytes: Vec<u8>,
    }

    static PREPARED: Mutex<Vec<Prepared>> = Mutex::new(Vec::new());

    pub static LAST: OnceLock<fn()> = OnceLock::new();
    static REFUSED: AtomicBool = AtomicBool::new(false);

    /// Long enough for the thread that was refused first to say so.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub fn prepare(path: &Path, bytes: Option<Vec<u8>>) {
        let c = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
        let target = path.to_path_buf();
        let new = bytes.and_then(|bytes| {
            let temporary = c(&path.with_file_name(".lrsched-tmp-out-of-memory"))?;
            Some(Prepared { target: c(path)?, temporary, path: target.clone(), bytes })
        });
        // Whatever needs memory is done before the lock, which a refusal only tries, is taken, and what is replaced is freed after it.
        let mut files = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|file| file.path != target);
        files.extend(new);
    }

    /// By system calls alone. What cannot be written stays as it was.
    fn put_in_place(file: &Prepared) {
        // SAFETY: both paths end in a zero byte and `bytes` is readable as far as its length; the descriptor is this function's own.
        unsafe {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC | libc::O_NOFOLLOW;
            let descriptor = libc::open(file.temporary.as_ptr(), flags, 0o666 as libc::c_uint);
            if descriptor < 0 {
                return;
            }
            let mut rest = &file.bytes[..];
            while !rest.is_empty() {
                match usize::try_from(libc::write(descriptor, rest.as_ptr().cast(), rest.len())) {
                    Ok(written) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
                    _ => break,
                }
            }
            libc::close(descriptor);
            if rest.is_empty() {
                libc::rename(file.temporary.as_ptr(), file.target.as_ptr());
            } else {
                libc::unlink(file.temporary.as_ptr());
            }
        }
    }

    #[cold]
    pub fn end(size: usize) -> ! {
        // Several threads may be refused at once, and one line is enough.
        if REFUSED.swap(true, Ordering::Relaxed) {
            std::thread::sleep(PATIENCE);
        } else {
            if let Some(last) = LAST.get() {
                last();
            }
            match PREPARED.try_lock() {
                Ok(files) => files.iter().for_each(put_in_place),
                Err(TryLockError::Poisoned(files)) => files.into_inner().iter().for_each(put_in_place),
                // This thread may be the one that holds it.
                Err(TryLockError::WouldBlock) => {}
            }
            say(size);
        }
        // SAFETY: it ends the process without running anything else of it.
        unsafe { libc::_exit(1) }
    }

    fn say(size: usize) {
        let mut line = [0; 200];
        let mut rest = &mut line[..];
        // Formats into `line`, without memory of its own.
        let _ = writeln!(
            rest,
            "error: out of memory: the system refused {size} more bytes (a limit such as `ulimit -v`?); try a smaller --batch-size, or fewer --threads"
        );
        let left = rest.len();
        let said = &line[..line.len() - left];
        // SAFETY: `said` is readable, and a stderr that is closed only makes the call fail.
        unsafe { libc::write(libc::STDERR_FILENO, said.as_ptr().cast(), said.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_signal_with_its_default_action_is_not_ignored() {
        // Rust's runtime ignores SIGPIPE in every program; nobody ignores SIGTERM in a test.
        assert!(is_ignored(libc::SIGPIPE));
        assert!(!is_ignored(libc::SIGTERM));
        assert!(!is_ignored(-1));
    }

    #[test]
    fn memory_that_grows_and_is_zeroed_is_what_was_asked_for() {
        for size in [1, 4096, 3 * (2 << 20) + 5] {
            let layout = Layout::from_size_align(size, 64).unwrap();
            // SAFETY: the layouts are those of the allocation, and it is freed once.
            unsafe {
                let memory = Allocator.alloc_zeroed(layout);
                assert!(std::slice::from_raw_parts(memory, size).iter().all(|byte| *byte == 0));
                memory.write(7);
                let memory = Allocator.realloc(memory, layout, 2 * size);
                assert_eq!(memory.read(), 7);
                Allocator.dealloc(memory, Layout::from_size_align(2 * size, 64).unwrap());
            }
        }
    }
}
