//! Heap bytes of one run, exact and repeatable: an allocator that counts per thread.
//!
//! A run has an OS thread of its own, so what that thread allocated less what it freed is the heap of
//! the run and of nothing else. Install it once in the crate that holds the tests or the binary:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: hyperlapse::CountingAllocator = hyperlapse::CountingAllocator::new();
//! # fn main() { let kept = vec![0u8; 1024]; assert!(hyperlapse::alloc::is_counting()); drop(kept); }
//! ```
//!
//! What recording takes is not the run's: the recorder works under `uncounted`.
//!
//! Without it everything works, and the report says that memory was not measured. It costs a few
//! thread-local additions per allocation (about 2 ns). Bytes are those asked for, not what the
//! system's allocator rounds them up to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counters {
    live: Cell<i64>,
    peak: Cell<i64>,
    allocations: Cell<u64>,
}

thread_local! {
    // `const` and without a destructor: an allocator must not allocate to reach its own counters.
    static COUNTERS: Counters = const {
        Counters { live: Cell::new(0), peak: Cell::new(0), allocations: Cell::new(0) }
    };
}

/// The system's allocator, counting per thread. See the module's example.
#[derive(Debug, Default)]
pub struct CountingAllocator(());

impl CountingAllocator {
    /// For a `static` with `#[global_allocator]`.
    pub const fn new() -> Self {
        Self(())
    }
}

fn add(bytes: usize) {
    // `try_with`: a thread that is being torn down still allocates and frees.
    let _ = COUNTERS.try_with(|c| {
        let live = c.live.get() + bytes as i64;
        c.live.set(live);
        if live > c.peak.get() {
            c.peak.set(live);
        }
        c.allocations.set(c.allocations.get() + 1);
    });
}

fn subtract(bytes: usize) {
    let _ = COUNTERS.try_with(|c| c.live.set(c.live.get() - bytes as i64));
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches no memory of
// the caller's and cannot unwind.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's contract is the same as that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        subtract(layout.size());
        add(new_size);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

/// Puts this thread's counts back to what they were when it was made.
pub(crate) struct Uncounted {
    live: i64,
    peak: i64,
    allocations: u64,
}

/// What this thread allocates and frees until the guard is dropped is not counted. Whatever was allocated
/// counted must not be freed under it, nor the other way around.
pub(crate) fn uncounted() -> Uncounted {
    COUNTERS.with(|c| Uncounted {
        live: c.live.get(),
        peak: c.peak.get(),
        allocations: c.allocations.get(),
    })
}

impl Drop for Uncounted {
    fn drop(&mut self) {
        COUNTERS.with(|c| {
            c.live.set(self.live);
            c.peak.set(self.peak);
            c.allocations.set(self.allocations);
        });
    }
}

/// Whether this process runs on [`CountingAllocator`].
pub fn is_counting() -> bool {
    let before = allocations();
    drop(std::hint::black_box(Box::new(0u64)));
    allocations() != before
}

/// Bytes that this thread has allocated and not freed; negative when it freed what others allocated.
pub fn live_bytes() -> i64 {
    COUNTERS.with(|c| c.live.get())
}

/// The most that [`live_bytes`] has been since [`reset_peak`].
pub fn peak_bytes() -> i64 {
    COUNTERS.with(|c| c.peak.get())
}

/// Starts a new peak from what is live now.
pub fn reset_peak() {
    COUNTERS.with(|c| c.peak.set(c.live.get()));
}

/// Allocations that this thread has made.
pub fn allocations() -> u64 {
    COUNTERS.with(|c| c.allocations.get())
}
