//! The symbols, on macOS: std draws its keys from `CCRandomGenerateBytes`, `rand` from `getentropy`; the time comes
//! from `clock_gettime` and, for `Instant`, from `clock_gettime_nsec_np` or `mach_absolute_time`, the latter of which
//! cannot be replaced for a process whose libraries are bound to it already. Written to the manual pages; it has
//! not been run.

use std::ffi::{c_int, c_void};

use super::{Clock, fill, now};

/// Bytes from the seed on a run's thread, from the system elsewhere.
///
/// # Safety
/// As the system's: `buffer` must be valid for writes of `length` bytes, at most 256.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, length: usize) -> c_int {
    // SAFETY: the caller's contract.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    if !fill(bytes) {
        // SAFETY: the caller's contract; `arc4random_buf` has no other.
        unsafe { libc::arc4random_buf(buffer, length) };
    }
    0
}

/// As [`getentropy`], by the name that std asks for.
///
/// # Safety
/// As the system's: `buffer` must be valid for writes of `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn CCRandomGenerateBytes(buffer: *mut c_void, length: usize) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { getentropy(buffer, length) }
}

/// Virtual time on a run's thread, the system's elsewhere.
///
/// # Safety
/// As the system's: `time` must be valid for a write.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let known = match clock {
        libc::CLOCK_REALTIME => Some(Clock::Wall),
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_UPTIME_RAW => {
            Some(Clock::Monotonic)
        }
        _ => None,
    };
    if let Some(now) = known.and_then(now) {
        let (tv_sec, tv_nsec) = (now.as_secs() as libc::time_t, now.subsec_nanos().into());
        // SAFETY: the caller's contract.
        unsafe { time.write(libc::timespec { tv_sec, tv_nsec }) };
        return 0;
    }
    // SAFETY: the name is a string that ends with a zero; the symbol has this type.
    unsafe {
        let real = libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr());
        type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
        std::mem::transmute::<*mut c_void, ClockGettime>(real)(clock, time)
    }
}
