//! SQLite on simulated disks.
//!
//! SQLite reaches its host through a virtual file system, a table of functions; [`vfs`] and [`file`] are one over
//! [`Disk`]. Time, sleep and randomness are in that table too and are answered from the run. What SQLite shares
//! between all connections of a process is the business of [`process`].
//!
//! This is written against SQLite's own interface and not with the crate `sqlite-plugin`: that passes randomness,
//! time and sleep on to the host's file system, keeps from its user whether a deletion is to be synced, and needs
//! libclang to be built.
//!
//! Write-ahead logs need `PRAGMA locking_mode = EXCLUSIVE` before `PRAGMA journal_mode = WAL`: there is no memory
//! shared between processes here, and SQLite then keeps its index of the log on its heap.
//!
//! [`Disk`]: super::Disk

mod file;
mod process;
mod vfs;

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use super::DiskError;

/// The name of the virtual file system under which SQLite finds simulated disks.
pub const VFS: &str = "hyperlapse";

/// Makes the virtual file system known to SQLite, once in a process.
pub(super) fn register() -> Result<(), DiskError> {
    static REGISTERED: OnceLock<Result<(), &'static str>> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        process::take_over()?;
        vfs::register()
    });
    registered.map_err(DiskError::Sqlite)
}

/// What a function that SQLite calls answers; `failed` when a hook for faults panics in it: nothing unwinds into C.
fn answer(failed: c_int, body: impl FnOnce() -> Result<(), c_int>) -> c_int {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => libsqlite3_sys::SQLITE_OK,
        Ok(Err(code)) => code,
        Err(_panic) => failed,
    }
}

/// SQLite's number for what went wrong; `otherwise` is that of the operation.
fn code(error: &DiskError, otherwise: c_int) -> c_int {
    match error {
        DiskError::Full { .. } => libsqlite3_sys::SQLITE_FULL,
        DiskError::Locked(_) => libsqlite3_sys::SQLITE_BUSY,
        _ => otherwise,
    }
}
