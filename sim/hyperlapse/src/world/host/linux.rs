//! The symbols, on Linux.

use std::ffi::{c_int, c_long, c_uint, c_void};

use super::{Clock, fill, now};

/// Bytes from the seed on a run's thread, from the system elsewhere.
///
/// # Safety
/// As libc's: `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    if length > 0 {
        // SAFETY: the caller's contract.
        let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
        if fill(bytes) {
            return length as isize;
        }
    }
    // SAFETY: the caller's contract is that of the system call.
    unsafe { libc::syscall(libc::SYS_getrandom as c_long, buffer, length, flags) as isize }
}

/// Virtual time on a run's thread, the system's elsewhere; clocks of processor time are always the system's.
///
/// # Safety
/// As libc's: `time` must be valid for a write.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let known = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => Some(Clock::Wall),
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME => Some(Clock::Monotonic),
        _ => None,
    };
    if let Some(now) = known.and_then(now) {
        let (seconds, nanos) = (now.as_secs() as libc::time_t, now.subsec_nanos() as c_long);
        // SAFETY: the caller's contract.
        unsafe { time.write(libc::timespec { tv_sec: seconds, tv_nsec: nanos }) };
        return 0;
    }
    real_clock_gettime(clock, time)
}

type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;

/// libc's own: it reads the clock without a system call, which real timing on other threads relies on.
fn real_clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    use std::sync::atomic::{AtomicPtr, Ordering};

    static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let mut real = REAL.load(Ordering::Relaxed);
    if real.is_null() {
        // SAFETY: the name is a string that ends with a zero.
        real = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
        REAL.store(real, Ordering::Relaxed);
    }
    if real.is_null() {
        // A static binary: there is no other symbol, but the system call.
        // SAFETY: the caller's contract is that of the system call.
        return unsafe { libc::syscall(libc::SYS_clock_gettime as c_long, clock, time) as c_int };
    }
    // SAFETY: it is libc's function of this name, which has this type; the caller's contract is its own.
    unsafe { std::mem::transmute::<*mut c_void, ClockGettime>(real)(clock, time) }
}
