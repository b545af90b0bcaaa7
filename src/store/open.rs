//! Opening the database: what is there is looked at before anything is written, and a file that is not ours, or not
//! yet ours to read, is left as it is.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{StoreError, typed};
use super::options::{StoreOptions, SyncNames, Synchronous};
use super::schema::{self, Found};

/// A write-ahead log that grew beyond this in a burst is cut back to it.
const LOG_BYTES: i64 = 16 << 20;

/// The smallest page that SQLite knows, and so the smallest database.
const SMALLEST: u64 = 512;

/// Statements that stay compiled; there are some thirty in all.
const STATEMENTS: usize = 64;

/// A connection with the tables of this release, or the reason why there is none.
pub(super) fn open(options: &StoreOptions, patience: Duration) -> Result<Connection, StoreError> {
    let path = options.path.as_path();
    refuse_special(path)?;
    if options.vfs.is_none() {
        create_private(path);
        refuse_scrap(path)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match &options.vfs {
        None => Connection::open_with_flags(path, flags),
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
    };
    let connection = connection.map_err(|error| cannot_open(path, &typed(error).to_string()))?;
    // SQLite then opens it for reading alone, which may or may not work out; a store that keeps nothing is none.
    if connection.is_readonly("main").map_err(typed)? {
        return Err(StoreError::ReadOnly);
    }
    connection.busy_timeout(patience).map_err(typed)?;
    // Until we know that the file is ours, closing it must not move what lies in its log.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(typed)?;
    if options.exclusive || options.vfs.is_some() {
        // Before the first look, so that the log's index never lies in shared memory, which a file system may not have.
        set(&connection, "locking_mode", "EXCLUSIVE")?;
    }
    match schema::look(&connection).map_err(|error| opening(path, error))? {
        // Has to come before anything is written.
        Found::Nothing => set(&connection, "auto_vacuum", "INCREMENTAL")?,
        Found::Ours => {}
        Found::Newer(found) => {
            return Err(StoreError::NewerSchema { found, known: schema::VERSION });
        }
        Found::Foreign(application_id) => {
            return Err(StoreError::Foreign { path: path.to_owned(), application_id });
        }
    }
    write_ahead(&connection, path)?;
    set(
        &connection,
        "synchronous",
        match options.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
            Synchronous::Off => "OFF",
        },
    )?;
    // Where a plain sync stops at the drive's own cache (macOS), ask for the real one. Nothing elsewhere.
    set(&connection, "fullfsync", "ON")?;
    set(&connection, "checkpoint_fullfsync", "ON")?;
    set(&connection, "foreign_keys", "ON")?;
    set(&connection, "trusted_schema", "OFF")?;
    set(&connection, "cell_size_check", "ON")?;
    set(&connection, "temp_store", "MEMORY")?;
    set(&connection, "journal_size_limit", LOG_BYTES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else a statement whose plan might depend on a value is compiled anew for each value, which took half of the time that
    // the gateway spent in SQLite. Ours have one plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(typed)?;
    schema::migrate(&connection).map_err(|error| opening(path, error))?;
    write_anew(&connection).map_err(|error| opening(path, error))?;
    sync_names(options)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(typed)?;
    Ok(connection)
}

/// Makes durable what a process before this one has left, whatever became of its syncs.
///
/// A sync that fails is told once, and what it was to keep may read on from the system's cache and never reach the disk
/// (Rebello et al., *Can Applications Recover from fsync Failures?*, USENIX ATC 2020). Whoever goes on in the same process
/// writes it again; whoever opens the database afterwards takes it for kept, writes behind it, and loses all of it at the next
/// crash, for a log is read from its beginning. So what the log holds is written into the database and synced there. A
/// database that is still empty may have been begun by an open that failed, before there was a log: it is written as a whole.
fn write_anew(connection: &Connection) -> Result<(), StoreError> {
    let any = "SELECT EXISTS (SELECT 1 FROM conversations)";
    let any: bool = connection.query_row(any, [], |row| row.get(0)).map_err(typed)?;
    if !any {
        connection.execute_batch("VACUUM").map_err(typed)?;
    }
    // Says "busy" where another process has the database open: then that one has done it.
    last_word(connection, "PRAGMA wal_checkpoint(TRUNCATE)").map(drop).map_err(typed)
}

/// From here on the database and its log are there after a crash, whatever became of the syncs of those who created them: they may
/// have failed, and only their files be left.
fn sync_names(options: &StoreOptions) -> Result<(), StoreError> {
    let sync = match (&options.vfs, options.sync_names) {
        _ if options.synchronous == Synchronous::Off => return Ok(()),
        (_, Some(sync)) => sync,
        (None, None) => SyncNames::HOST,
        (Some(_), None) => return Ok(()),
    };
    (sync.0)(&options.path).map_err(|error| StoreError::Io {
        detail: format!("the folder of {} is not synced: {error}", options.path.display()),
        code: rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC,
    })
}

/// SQLite takes some names for no file: a database in memory, a URI with options of its own.
fn refuse_special(path: &Path) -> Result<(), StoreError> {
    let name = path.as_os_str().as_encoded_bytes();
    if name == b":memory:" || name.starts_with(b"file:") {
        let detail =
            format!("SQLite does not take this for the name of a file; write ./{}", path.display());
        return Err(cannot_open(path, &detail));
    }
    Ok(())
}

/// What people say is nobody else's to read. SQLite gives its log the same permissions.
fn create_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // If it exists or cannot be created, SQLite finds out as well, and says so.
        let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// SQLite takes a file that is shorter than a page of any size for an empty database, and writes over it.
fn refuse_scrap(path: &Path) -> Result<(), StoreError> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    // With a journal beside it, it is one that was being created when the process was killed.
    if metadata.is_file()
        && (1..SMALLEST).contains(&metadata.len())
        && !Path::new(&journal).exists()
    {
        let detail = format!("{} has {} bytes, too few for one", path.display(), metadata.len());
        return Err(StoreError::Corrupt { detail });
    }
    Ok(())
}

/// What a statement says last, once it has come to its end: SQLite says `wal` before it has committed the change, and a disk
/// that fails just then is heard of only by whoever asks on.
fn last_word(connection: &Connection, statement: &str) -> rusqlite::Result<String> {
    let mut statement = connection.prepare(statement)?;
    let mut rows = statement.query([])?;
    let mut word = String::new();
    while let Some(row) = rows.next()? {
        word = match row.get_ref(0)? {
            rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        };
    }
    Ok(word)
}

fn write_ahead(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode = last_word(connection, "PRAGMA journal_mode = WAL")
        .map_err(|error| opening(path, typed(error)))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(cannot_open(path, &format!("no write-ahead log is possible there, only `{mode}`")))
}

fn set(
    connection: &Connection,
    pragma: &str,
    value: impl rusqlite::ToSql,
) -> Result<(), StoreError> {
    connection.pragma_update(None, pragma, value).map_err(typed)
}

fn opening(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Io { detail, code } if code & 0xff == rusqlite::ffi::SQLITE_CANTOPEN => {
            cannot_open(path, &detail)
        }
        other => other,
    }
}

fn cannot_open(path: &Path, detail: &str) -> StoreError {
    StoreError::CannotOpen { path: path.to_owned(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite says that it does, for each way to open.
    #[test]
    fn sqlite_is_as_careful_as_the_options_say() {
        for (synchronous, number) in
            [(Synchronous::Full, 2), (Synchronous::Normal, 1), (Synchronous::Off, 0)]
        {
            for exclusive in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let options = StoreOptions::new(folder.path().join("db"))
                    .synchronous(synchronous)
                    .exclusive(exclusive);
                // The second time it is there already.
                for _ in 0..2 {
                    let connection = open(&options, Duration::ZERO).unwrap();
                    let number_of = |pragma: &str| -> i64 {
                        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
                    };
                    let text_of = |pragma: &str| -> String {
                        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
                    };
                    assert_eq!(number_of("synchronous"), number);
                    assert_eq!(number_of("foreign_keys"), 1);
                    assert_eq!(number_of("auto_vacuum"), 2, "incremental");
                    assert_eq!(number_of("fullfsync"), 1);
                    assert_eq!(text_of("journal_mode"), "wal");
                    let locking = if exclusive { "exclusive" } else { "normal" };
                    assert_eq!(text_of("locking_mode"), locking);
                    assert!(
                        !connection.db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).unwrap()
                    );
                }
            }
        }
    }
}
