//! The functions of a file system that are about paths, and about the host.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::time::Duration;
use std::{ptr, slice};

use libsqlite3_sys as ffi;

use super::super::{DiskError, mount};
use super::file::SqliteFile;
use super::{answer, code, process};
use crate::world::wall_clock;

/// The longest path, in bytes, with the zero at its end.
const LONGEST_PATH: c_int = 1_024;
/// The beginning of 1970 as SQLite has it: milliseconds since noon of 24 November 4714 BC.
const UNIX_EPOCH_MS: i64 = 210_866_760_000_000;
const DAY_MS: f64 = 86_400_000.0;

pub(super) fn register() -> Result<(), &'static str> {
    let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
        // With the time as a whole number, without replaceable system calls.
        iVersion: 2,
        szOsFile: size_of::<SqliteFile>() as c_int,
        mxPathname: LONGEST_PATH,
        pNext: ptr::null_mut(),
        zName: c"hyperlapse".as_ptr(),
        pAppData: ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: Some(dl_open),
        xDlError: Some(dl_error),
        xDlSym: Some(dl_sym),
        xDlClose: Some(dl_close),
        xRandomness: Some(process::seed),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // SAFETY: the table and its name live as long as the process.
    match unsafe { ffi::sqlite3_vfs_register(vfs, 0) } {
        ffi::SQLITE_OK => Ok(()),
        _ => Err("it does not take a file system"),
    }
}

/// A path as SQLite gives it.
///
/// # Safety
/// `path` is a string that ends with a zero.
unsafe fn text<'a>(path: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller's contract.
    unsafe { CStr::from_ptr(path) }.to_str().ok()
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    into: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for a file of ours. Without methods there is nothing to close in it.
    unsafe { (*into).pMethods = ptr::null() };
    answer(ffi::SQLITE_CANTOPEN, || {
        let (disk, name) = if path.is_null() {
            (mount::last().ok_or(ffi::SQLITE_CANTOPEN)?, None)
        } else {
            // SAFETY: SQLite's paths are strings.
            let path = unsafe { text(path) }.ok_or(ffi::SQLITE_CANTOPEN)?;
            let (disk, name) = mount::locate(path).ok_or(ffi::SQLITE_CANTOPEN)?;
            (disk, Some(name))
        };
        mount::used(&disk);
        let new = name.is_some_and(|name| matches!(disk.length_of(name), Ok(None)));
        let create = name.is_none() || flags & ffi::SQLITE_OPEN_CREATE != 0;
        let file = disk.open_as(name, create).map_err(|_| ffi::SQLITE_CANTOPEN)?;
        let mut opened = flags;
        if disk.options().read_only && flags & ffi::SQLITE_OPEN_READWRITE != 0 {
            opened &= !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE);
            opened |= ffi::SQLITE_OPEN_READONLY;
        }
        // SAFETY: room for a file of ours; where to say how it was opened, or nowhere.
        unsafe {
            SqliteFile::place(into, file, new, flags);
            if let Some(out) = out_flags.as_mut() {
                *out = opened;
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    sync_directory: c_int,
) -> c_int {
    answer(ffi::SQLITE_IOERR_DELETE, || {
        // SAFETY: SQLite's paths are strings.
        let path = unsafe { text(path) }.ok_or(ffi::SQLITE_IOERR_DELETE)?;
        let (disk, name) = mount::locate(path).ok_or(ffi::SQLITE_IOERR_DELETE)?;
        mount::used(&disk);
        disk.delete(name).map_err(|error| match error {
            DiskError::NoSuchFile(_) => ffi::SQLITE_IOERR_DELETE_NOENT,
            other => code(&other, ffi::SQLITE_IOERR_DELETE),
        })?;
        if sync_directory & 1 != 0 {
            let synced = disk.machine().sync_directory_of(name);
            synced.map_err(|_| ffi::SQLITE_IOERR_DIR_FSYNC)?;
        }
        Ok(())
    })
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    flags: c_int,
    into: *mut c_int,
) -> c_int {
    answer(ffi::SQLITE_IOERR_ACCESS, || {
        // SAFETY: SQLite's paths are strings.
        let path = unsafe { text(path) }.ok_or(ffi::SQLITE_IOERR_ACCESS)?;
        let (disk, name) = mount::locate(path).ok_or(ffi::SQLITE_IOERR_ACCESS)?;
        mount::used(&disk);
        let length = disk.length_of(name).map_err(|_| ffi::SQLITE_IOERR_ACCESS)?;
        let yes = match flags {
            // An empty file is none, as for SQLite on Unix: an empty journal says nothing.
            ffi::SQLITE_ACCESS_EXISTS => length.is_some_and(|length| length > 0),
            ffi::SQLITE_ACCESS_READWRITE => length.is_some() && !disk.options().read_only,
            _ => length.is_some(),
        };
        // SAFETY: SQLite says where the answer goes.
        unsafe { *into = c_int::from(yes) };
        Ok(())
    })
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    room: c_int,
    into: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's paths are strings.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes_with_nul();
    let fits = usize::try_from(room).is_ok_and(|room| bytes.len() <= room);
    // There is no current directory that a relative path could begin in.
    if !bytes.starts_with(b"/") || !fits {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: there is room for so many bytes, and they are SQLite's and not part of `path`.
    unsafe { slice::from_raw_parts_mut(into.cast::<u8>(), bytes.len()) }.copy_from_slice(bytes);
    ffi::SQLITE_OK
}

unsafe extern "C" fn dl_open(_: *mut ffi::sqlite3_vfs, _: *const c_char) -> *mut c_void {
    ptr::null_mut()
}

unsafe extern "C" fn dl_error(_: *mut ffi::sqlite3_vfs, room: c_int, into: *mut c_char) {
    let text = b"a simulated disk holds no libraries\0";
    let length = text.len().min(usize::try_from(room).unwrap_or(0));
    if length > 0 {
        // SAFETY: SQLite gives so many bytes to write to.
        let into = unsafe { slice::from_raw_parts_mut(into.cast::<u8>(), length) };
        into.copy_from_slice(&text[..length]);
        into[length - 1] = 0;
    }
}

unsafe extern "C" fn dl_sym(
    _: *mut ffi::sqlite3_vfs,
    _: *mut c_void,
    _: *const c_char,
) -> Option<unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char)> {
    None
}

unsafe extern "C" fn dl_close(_: *mut ffi::sqlite3_vfs, _: *mut c_void) {}

/// Nobody sleeps: the time counts as the disk's.
unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    mount::slept(Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
    micros
}

/// Virtual time, in milliseconds, as SQLite counts it.
fn now_ms() -> i64 {
    UNIX_EPOCH_MS + i64::try_from(wall_clock().as_millis()).unwrap_or(i64::MAX / 2)
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, into: *mut f64) -> c_int {
    // SAFETY: SQLite says where the time goes.
    unsafe { *into = now_ms() as f64 / DAY_MS };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_ms(
    _: *mut ffi::sqlite3_vfs,
    into: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite says where the time goes.
    unsafe { *into = now_ms() };
    ffi::SQLITE_OK
}

/// There is no `errno` here.
unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
