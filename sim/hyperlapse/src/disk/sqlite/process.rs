//! What SQLite shares between all connections of a process, and with that between runs: its random numbers.
//!
//! `sqlite3_randomness` (the salts of write-ahead logs, the nonce of journals, `random()`) draws from one generator
//! for the whole process, seeded once from the default file system. Two runs on two threads would take numbers from
//! each other, and the second run of a seed would go on where the first has ended. SQLite lets its mutexes be
//! replaced: whoever enters the one around the generator on a thread with simulated disks throws the generator's
//! state away, so that it is seeded again, and the default file system answers that from the thread's own stream. On
//! leaving it is thrown away once more: nobody else continues a simulation's numbers. On every other thread all is as
//! before.
//!
//! Mutexes can be replaced only before SQLite is first used. On Linux and macOS that is done before `main`.
//!
//! The rest of what connections share decides nothing: the page cache is each connection's own unless SQLite was
//! compiled with `SQLITE_ENABLE_MEMORY_MANAGEMENT` (refused here), and memory limits are off: SQLite is told not to count
//! what it allocates, so `sqlite3_memory_used` and `PRAGMA hard_heap_limit` say and do nothing in such a process.

use std::cell::Cell;
use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use libsqlite3_sys as ffi;

use super::super::mount;

type Randomness = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, c_int, *mut c_char) -> c_int;

/// SQLite's own mutexes; an error where they could not be replaced.
static MUTEXES: OnceLock<Result<ffi::sqlite3_mutex_methods, &'static str>> = OnceLock::new();
/// The mutex around the generator.
static AROUND_GENERATOR: AtomicPtr<ffi::sqlite3_mutex> = AtomicPtr::new(ptr::null_mut());
/// Where the default file system takes randomness from.
static HOSTS: OnceLock<Randomness> = OnceLock::new();

thread_local! {
    /// How often this thread is inside the mutex around the generator.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Before `main`: nobody has used SQLite by then, and there is one thread.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn before_main() {
        let _ = replace_mutexes();
    }
    before_main
};

/// Makes this process's random numbers those of runs, on their threads.
pub(super) fn take_over() -> Result<(), &'static str> {
    replace_mutexes()?;
    // SAFETY: a constant name; SQLite may be called from any thread.
    unsafe {
        if ffi::sqlite3_compileoption_used(c"ENABLE_MEMORY_MANAGEMENT".as_ptr()) != 0 {
            return Err(
                "it was compiled with SQLITE_ENABLE_MEMORY_MANAGEMENT, with which connections of \
                        different runs take pages from each other",
            );
        }
        if ffi::sqlite3_initialize() != ffi::SQLITE_OK {
            return Err("it cannot be initialised");
        }
    }
    seed_from_runs()
}

fn replace_mutexes() -> Result<&'static ffi::sqlite3_mutex_methods, &'static str> {
    let replaced = MUTEXES.get_or_init(|| {
        // SAFETY: `sqlite3_config` takes a pointer to a table of mutex methods for both options and copies from or to
        // it. It and `sqlite3_shutdown` ask that nobody else uses SQLite meanwhile: true before `main`, and elsewhere
        // the caller's concern, as `Disk::mount` says; SQLite refuses when it is in use already.
        unsafe {
            let mut methods: ffi::sqlite3_mutex_methods = std::mem::zeroed();
            let get = |methods: *mut ffi::sqlite3_mutex_methods| {
                ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMUTEX, methods)
            };
            if get(&mut methods) != ffi::SQLITE_OK {
                return Err("it was in use in this process before a simulated disk was mounted");
            }
            // Its own mutexes are in their table once it has been initialised.
            if ffi::sqlite3_initialize() != ffi::SQLITE_OK
                || ffi::sqlite3_shutdown() != ffi::SQLITE_OK
                || get(&mut methods) != ffi::SQLITE_OK
                || methods.xMutexAlloc.is_none()
                || methods.xMutexEnter.is_none()
                || methods.xMutexLeave.is_none()
            {
                return Err("it does not say what its mutexes are");
            }
            let mut ours = ffi::sqlite3_mutex_methods {
                xMutexAlloc: Some(alloc),
                xMutexEnter: Some(enter),
                xMutexLeave: Some(leave),
                ..methods
            };
            // Without it every allocation of every run enters one mutex, to count what nobody asks for: a fifteenth of a
            // simulation with a database, more with several at once. Refused, it costs that time and nothing else.
            ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
            let set: *mut ffi::sqlite3_mutex_methods = &mut ours;
            match ffi::sqlite3_config(ffi::SQLITE_CONFIG_MUTEX, set) {
                ffi::SQLITE_OK => Ok(methods),
                _ => Err("it does not let its mutexes be replaced"),
            }
        }
    });
    replaced.as_ref().map_err(|why| *why)
}

/// SQLite's own, which are there whenever SQLite calls what replaces them.
fn own() -> Option<&'static ffi::sqlite3_mutex_methods> {
    MUTEXES.get()?.as_ref().ok()
}

unsafe extern "C" fn alloc(kind: c_int) -> *mut ffi::sqlite3_mutex {
    let Some(alloc) = own().and_then(|own| own.xMutexAlloc) else { return ptr::null_mut() };
    // SAFETY: SQLite's own function with SQLite's own argument.
    let mutex = unsafe { alloc(kind) };
    if kind == ffi::SQLITE_MUTEX_STATIC_PRNG {
        AROUND_GENERATOR.store(mutex, Ordering::Relaxed);
    }
    mutex
}

unsafe extern "C" fn enter(mutex: *mut ffi::sqlite3_mutex) {
    let Some(enter) = own().and_then(|own| own.xMutexEnter) else { return };
    let around = mutex == AROUND_GENERATOR.load(Ordering::Relaxed);
    if !around || !(DEPTH.get() > 0 || mount::here()) {
        // SAFETY: SQLite's own function with SQLite's own argument.
        return unsafe { enter(mutex) };
    }
    DEPTH.set(DEPTH.get() + 1);
    if DEPTH.get() == 1 {
        // SAFETY: as above.
        unsafe { enter(mutex) };
        forget_generator();
    }
}

unsafe extern "C" fn leave(mutex: *mut ffi::sqlite3_mutex) {
    let Some(leave) = own().and_then(|own| own.xMutexLeave) else { return };
    let around = mutex == AROUND_GENERATOR.load(Ordering::Relaxed);
    match DEPTH.get() {
        2.. if around => DEPTH.set(DEPTH.get() - 1),
        1 if around => {
            forget_generator();
            DEPTH.set(0);
            // SAFETY: SQLite's own function with SQLite's own argument.
            unsafe { leave(mutex) }
        }
        // SAFETY: as above.
        _ => unsafe { leave(mutex) },
    }
}

/// Throws the state of SQLite's generator away. Called inside its mutex, which this thread may enter again.
fn forget_generator() {
    // SAFETY: with a length of nothing it writes nowhere: it resets.
    unsafe { ffi::sqlite3_randomness(0, ptr::null_mut()) };
}

/// The default file system, under another name, with randomness from runs on their threads.
fn seed_from_runs() -> Result<(), &'static str> {
    // SAFETY: SQLite is initialised, so there is a default file system, and it stays for as long as the process. A
    // copy of its table works as it does: its functions look at their own data in it, which is copied with the rest.
    unsafe {
        let default = ffi::sqlite3_vfs_find(ptr::null());
        let Some(host) = default.as_ref() else { return Err("it has no file system by default") };
        let Some(randomness) = host.xRandomness else { return Err("its host has no randomness") };
        HOSTS.get_or_init(|| randomness);
        let ours = Box::leak(Box::new(ffi::sqlite3_vfs {
            pNext: ptr::null_mut(),
            zName: c"hyperlapse-host".as_ptr(),
            xRandomness: Some(seed),
            ..*host
        }));
        match ffi::sqlite3_vfs_register(ours, 1) {
            ffi::SQLITE_OK => Ok(()),
            _ => Err("it does not take a file system"),
        }
    }
}

/// Bytes from the run on its thread, from the host elsewhere: how many.
pub(super) unsafe extern "C" fn seed(
    vfs: *mut ffi::sqlite3_vfs,
    length: c_int,
    into: *mut c_char,
) -> c_int {
    let bytes = usize::try_from(length).unwrap_or(0);
    if bytes > 0 && mount::here() {
        // SAFETY: SQLite gives so many bytes to write to.
        let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), bytes) };
        if mount::fill(into) {
            return length;
        }
    }
    match HOSTS.get() {
        // SAFETY: the host's own function, with SQLite's arguments.
        Some(randomness) => unsafe { randomness(vfs, length, into) },
        None => 0,
    }
}
