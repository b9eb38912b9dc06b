//! The global allocator. If the system refuses memory (`ulimit -v`, a container's limit), on any thread, the program
//! exits with a one-line error. Freed memory is returned to the system, and large allocations use huge pages.
//!
//! Besides the kernels, this is the only module with `unsafe`: it calls functions of the C library that the standard
//! library does not wrap.

#![allow(unsafe_code, reason = "implementing a global allocator and calling the C library are unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, with a different failure mode. Rust by default prints several lines and aborts; this one
/// says what to do and exits with 1.
pub struct Allocator;

/// No machine has this much memory, so a caller that requests it is prepared for failure.
const BEYOND: usize = 1 << 40;

/// The huge page size of x86-64, and of 64-bit ARM with 4 KiB base pages.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// Registers a function to call before the program exits because it is out of memory. `last` must neither allocate nor
/// wait for a lock: the failing thread may hold any lock.
pub fn before_refusal(last: fn()) {
    #[cfg(unix)]
    refusal::LAST.get_or_init(|| last);
    #[cfg(not(unix))]
    let _ = last;
}

/// Registers contents to write to `path` if the process runs out of memory, so that a run's record does not claim for
/// ever that the run is in progress. A later call for the same path replaces the contents; `None` unregisters them.
pub fn in_case_of_refusal(path: &std::path::Path, bytes: Option<Vec<u8>>) {
    #[cfg(unix)]
    refusal::prepare(path, bytes);
    #[cfg(not(unix))]
    let _ = (path, bytes);
}

/// Returns freed memory to the system. glibc retains it, scattered over one arena per thread that ever existed; after
/// training many networks that is most of the process's memory.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: may be called from any thread at any time; memory in use does not move.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The memory that this process can still get, in bytes: what the system has available, within the limits of a
/// container and of `ulimit -v`. `None` if the system does not say.
pub fn available() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let system_wide = Some(system.available_memory()).filter(|bytes| *bytes > 0);
    // Its free memory would leave out what the page cache holds, which the system gives up on demand.
    let container = system.cgroup_limits().map(|limits| limits.total_memory.saturating_sub(limits.rss));
    system_wide.into_iter().chain(container).chain(below_address_limit()).min()
}

/// Call this before any thread is started. glibc reserves 64 MiB of addresses for each thread; where `ulimit -v` counts
/// these, the threads share what two would have.
pub fn spare_addresses() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if rustix::process::getrlimit(rustix::process::Resource::As).current.is_some() {
        // SAFETY: sets a parameter of the allocator.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 2);
        }
    }
}

/// What `ulimit -v` leaves. It counts reserved addresses as well, of which each thread takes some.
#[cfg(unix)]
fn below_address_limit() -> Option<u64> {
    use rustix::process::{Resource, getpid, getrlimit};
    let limit = getrlimit(Resource::As).current?;
    let pid = sysinfo::Pid::from_u32(getpid().as_raw_nonzero().get().unsigned_abs());
    let mut system = sysinfo::System::new();
    let itself = sysinfo::ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::Some(&[pid]), false, itself);
    Some(limit.saturating_sub(system.process(pid)?.virtual_memory()) / 2)
}

#[cfg(not(unix))]
fn below_address_limit() -> Option<u64> {
    None
}

/// Whether this process ignores `signal`, e.g. SIGHUP under `nohup`.
#[cfg(unix)]
pub fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action this only writes the current one to `action`, a plain struct for which all zeros is
    // a valid value.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

// SAFETY: every request is passed unchanged to the system's allocator, and its result is returned unchanged, or the
// process ends.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `GlobalAlloc`.
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

/// Exits if the system refused the memory. Platforms without `_exit` leave that to Rust.
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

/// Requests huge pages for new memory: weights and maps are accessed with large strides, often touching another 4 KiB
/// page each time, and the TLB covers too few of those. Reallocated memory is left alone: the system can move an area
/// with mixed page sizes only by copying it.
#[inline]
fn on_large_pages(memory: *mut u8, size: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if size >= 2 * LARGE_PAGE && !memory.is_null() {
        let before = memory.align_offset(LARGE_PAGE);
        let length = (size - before) / LARGE_PAGE * LARGE_PAGE;
        // SAFETY: the pages lie inside memory that was just granted: that is at least two huge pages long, and `before`
        // is less than one. `madvise` is only a hint: systems without huge pages return an error, which is harmless.
        unsafe { libc::madvise(memory.wrapping_add(before).cast(), length, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = size;
    memory
}

/// Ends the process from within an allocation. The thread may hold any lock, including that of stderr or of the C
/// library's exit handlers, so nothing here waits for a lock, allocates, or unwinds: only `write(2)` and `_exit(2)`, as
/// in a signal handler.
#[cfg(unix)]
mod refusal {
    use std::ffi::CString;
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
    use std::time::Duration;

    /// A file to replace another. Everything it needs is allocated in advance.
    struct Prepared {
        path: PathBuf,
        target: CString,
        temporary: CString,
        bytes: Vec<u8>,
    }

    static PREPARED: Mutex<Vec<Prepared>> = Mutex::new(Vec::new());

    pub static LAST: OnceLock<fn()> = OnceLock::new();
    static REFUSED: AtomicBool = AtomicBool::new(false);

    /// Long enough for the first failing thread to print its message.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub fn prepare(path: &Path, bytes: Option<Vec<u8>>) {
        let c = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
        let target = path.to_path_buf();
        let new = bytes.and_then(|bytes| {
            let temporary = c(&path.with_file_name(".lrsched-tmp-out-of-memory"))?;
            Some(Prepared { target: c(path)?, temporary, path: target.clone(), bytes })
        });
        // Build the entry before locking: an out-of-memory exit only tries the lock, and skips the files if it is
        // taken.
        let mut files = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|file| file.path != target);
        files.extend(new);
    }

    /// Writes and renames by system calls only. On failure the old file stays.
    fn put_in_place(file: &Prepared) {
        // SAFETY: both paths are NUL-terminated and `bytes` is readable up to its length; the descriptor belongs to
        // this function.
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
        // Several threads may fail at once; only the first prints.
        if REFUSED.swap(true, Ordering::Relaxed) {
            std::thread::sleep(PATIENCE);
        } else {
            if let Some(last) = LAST.get() {
                last();
            }
            match PREPARED.try_lock() {
                Ok(files) => files.iter().for_each(put_in_place),
                Err(TryLockError::Poisoned(files)) => files.into_inner().iter().for_each(put_in_place),
                // This thread may be the one that holds the lock.
                Err(TryLockError::WouldBlock) => {}
            }
            say(size);
        }
        // SAFETY: ends the process without running any more of its code.
        unsafe { libc::_exit(1) }
    }

    fn say(size: usize) {
        let mut line = [0; 200];
        let mut rest = &mut line[..];
        // Formats into `line` without allocating.
        let _ = writeln!(
            rest,
            "error: out of memory: the system refused {size} more bytes (a limit such as `ulimit -v`?); try a smaller --batch-size, or fewer --threads"
        );
        let left = rest.len();
        let said = &line[..line.len() - left];
        // SAFETY: `said` is readable; if stderr is closed the call merely fails.
        unsafe { libc::write(libc::STDERR_FILENO, said.as_ptr().cast(), said.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_signal_with_its_default_action_is_not_ignored() {
        // Rust's runtime ignores SIGPIPE in every program; tests do not ignore SIGTERM.
        assert!(is_ignored(libc::SIGPIPE));
        assert!(!is_ignored(libc::SIGTERM));
        assert!(!is_ignored(-1));
    }

    #[test]
    fn the_available_memory_is_at_least_some_and_no_more_than_a_machine_has() {
        let bytes = available().expect("the systems of the tests say how much they have");
        assert!(bytes > 1 << 20 && bytes < BEYOND as u64 * 16, "{bytes}");
    }

    #[test]
    fn memory_that_grows_and_is_zeroed_is_what_was_asked_for() {
        for size in [1, 4096, 3 * (2 << 20) + 5] {
            let layout = Layout::from_size_align(size, 64).unwrap();
            // SAFETY: the layouts match the allocation, which is freed once.
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
