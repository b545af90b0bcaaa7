//! What a run would otherwise take from the host: random bytes.
//!
//! On a run's thread `getrandom` answers from the seed, so that `HashMap`'s keys (and with them its order,
//! and even when it grows) are those of the seed; on every other thread the system answers as ever. The
//! symbol is defined here and so comes before libc's: std, `rand` and `uuid` all end there. Linux only; the
//! lines for other systems are still to be written.

use std::cell::RefCell;

use crate::random::{StreamRng, Streams};

thread_local! {
    static RANDOM: RefCell<Option<StreamRng>> = const { RefCell::new(None) };
}

/// From here on this thread draws from the seed.
pub(super) fn seed_this_thread(streams: &Streams) {
    RANDOM.set(Some(streams.stream("host/getrandom")));
}

/// From here on this thread draws from the system again.
pub(super) fn release_this_thread() {
    RANDOM.set(None);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_long, c_uint, c_void};

    use rand::Rng;

    use super::RANDOM;

    /// Bytes from the seed on a run's thread, from the system elsewhere.
    ///
    /// # Safety
    /// As libc's: `buffer` must be valid for writes of `length` bytes.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
        let seeded = RANDOM.try_with(|random| {
            let mut random = random.try_borrow_mut().ok()?;
            let random = random.as_mut()?;
            // SAFETY: the caller's contract.
            let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
            random.fill_bytes(bytes);
            Some(length as isize)
        });
        if let Ok(Some(filled)) = seeded {
            return filled;
        }
        // SAFETY: the caller's contract is that of the system call.
        unsafe { libc::syscall(libc::SYS_getrandom as c_long, buffer, length, flags) as isize }
    }
}
