//! The functions of an open file.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::{ptr, slice};

use libsqlite3_sys as ffi;

use super::super::lock::Level;
use super::super::{DiskFile, mount};
use super::{answer, code};

/// What SQLite holds of an open file: its own part first, as it asks for.
#[repr(C)]
pub(super) struct SqliteFile {
    base: ffi::sqlite3_file,
    /// There for as long as `base` has methods.
    open: MaybeUninit<Box<Open>>,
}

struct Open {
    file: DiskFile,
    /// Whether the next sync is followed by one of the directory: a new journal or log, which SQLite's files for
    /// Unix make durable with its name.
    directory_too: bool,
    delete_on_close: bool,
}

/// The first version: no shared memory, no memory maps.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

impl SqliteFile {
    /// Puts an open file where SQLite wants it.
    ///
    /// # Safety
    /// `into` has room for a `SqliteFile`, in which none is open.
    pub(super) unsafe fn place(
        into: *mut ffi::sqlite3_file,
        file: DiskFile,
        new: bool,
        flags: c_int,
    ) {
        const LOGS: c_int =
            ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        let open = Open {
            file,
            directory_too: new && flags & LOGS != 0,
            delete_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
        };
        // SAFETY: the caller's contract.
        unsafe {
            into.cast::<SqliteFile>().write(SqliteFile {
                base: ffi::sqlite3_file { pMethods: &METHODS },
                open: MaybeUninit::new(Box::new(open)),
            });
        }
    }
}

/// An open file of ours.
///
/// # Safety
/// `file` was placed by [`SqliteFile::place`] and is not closed; nobody else uses it meanwhile, which SQLite's
/// mutex on a connection sees to.
unsafe fn open<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Open {
    // SAFETY: the caller's contract.
    let open = unsafe { (*file.cast::<SqliteFile>()).open.assume_init_mut() };
    mount::used(open.file.disk());
    open
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    answer(ffi::SQLITE_IOERR_CLOSE, || {
        // SAFETY: SQLite closes what it has opened, once: without methods it is not closed again.
        let open = unsafe {
            (*file).pMethods = ptr::null();
            (*file.cast::<SqliteFile>()).open.assume_init_read()
        };
        let (disk, name) = (open.file.disk().clone(), open.file.name().to_owned());
        let alive = open.file.length().is_ok();
        let delete = open.delete_on_close && !name.is_empty() && alive;
        drop(open);
        if delete {
            disk.delete(&name).map_err(|error| code(&error, ffi::SQLITE_IOERR_DELETE))?;
        }
        Ok(())
    })
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    answer(ffi::SQLITE_IOERR_READ, || {
        let length = usize::try_from(length).map_err(|_| ffi::SQLITE_IOERR_READ)?;
        let offset = u64::try_from(offset).map_err(|_| ffi::SQLITE_IOERR_READ)?;
        // SAFETY: an open file, and so many bytes to read into.
        let (open, into) =
            unsafe { (open(file), slice::from_raw_parts_mut(into.cast::<u8>(), length)) };
        // Whatever becomes of it, nobody sees what was in the buffer.
        into.fill(0);
        let there = open.file.read_at(offset, into);
        match there.map_err(|error| code(&error, ffi::SQLITE_IOERR_READ))? {
            there if there < length => Err(ffi::SQLITE_IOERR_SHORT_READ),
            _ => Ok(()),
        }
    })
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    answer(ffi::SQLITE_IOERR_WRITE, || {
        let length = usize::try_from(length).map_err(|_| ffi::SQLITE_IOERR_WRITE)?;
        let offset = u64::try_from(offset).map_err(|_| ffi::SQLITE_IOERR_WRITE)?;
        // SAFETY: an open file, and so many bytes to write.
        let (open, from) = unsafe { (open(file), slice::from_raw_parts(from.cast(), length)) };
        let written = open.file.write_at(offset, from);
        written.map_err(|error| code(&error, ffi::SQLITE_IOERR_WRITE))
    })
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    answer(ffi::SQLITE_IOERR_TRUNCATE, || {
        let length = u64::try_from(length).map_err(|_| ffi::SQLITE_IOERR_TRUNCATE)?;
        // SAFETY: an open file.
        let truncated = unsafe { open(file) }.file.truncate(length);
        truncated.map_err(|error| code(&error, ffi::SQLITE_IOERR_TRUNCATE))
    })
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    answer(ffi::SQLITE_IOERR_FSYNC, || {
        // SAFETY: an open file.
        let open = unsafe { open(file) };
        open.file.sync().map_err(|error| code(&error, ffi::SQLITE_IOERR_FSYNC))?;
        if open.directory_too {
            open.directory_too = false;
            // As on Unix, where not every system can do that: whether it worked is not asked.
            let _ = open.file.sync_directory();
        }
        Ok(())
    })
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    into: *mut ffi::sqlite3_int64,
) -> c_int {
    answer(ffi::SQLITE_IOERR_FSTAT, || {
        // SAFETY: an open file, and where its length goes.
        unsafe {
            let length = open(file).file.length().map_err(|_| ffi::SQLITE_IOERR_FSTAT)?;
            *into = ffi::sqlite3_int64::try_from(length).map_err(|_| ffi::SQLITE_IOERR_FSTAT)?;
        }
        Ok(())
    })
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    answer(ffi::SQLITE_IOERR_LOCK, || {
        // SAFETY: an open file.
        let locked = unsafe { open(file) }.file.lock(Level::from_sqlite(level));
        locked.map_err(|error| code(&error, ffi::SQLITE_IOERR_LOCK))
    })
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    answer(ffi::SQLITE_IOERR_UNLOCK, || {
        // SAFETY: an open file.
        unsafe { open(file) }.file.unlock(Level::from_sqlite(level));
        Ok(())
    })
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, into: *mut c_int) -> c_int {
    answer(ffi::SQLITE_IOERR_CHECKRESERVEDLOCK, || {
        // SAFETY: an open file, and where the answer goes.
        unsafe {
            let reserved = open(file).file.is_reserved();
            *into = c_int::from(reserved.map_err(|_| ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)?);
        }
        Ok(())
    })
}

/// Nothing of what SQLite may ask beyond its files is known here.
unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: an open file.
    let sector = unsafe { open(file) }.file.disk().options().sector;
    // It is 65,536 at most.
    sector as c_int
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: an open file.
    match unsafe { open(file) }.file.disk().options().powersafe_overwrite {
        true => ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE,
        false => 0,
    }
}
