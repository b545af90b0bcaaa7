//! The tables, as an ordered list of steps: step `n` makes a file of version `n` one of version `n + 1`.
//!
//! The version lies in SQLite's `user_version`, and each step commits together with it: a crash in between leaves a
//! file of the one version or of the other. A step is never edited once it is released; what changes is a new one. That a
//! file is ours at all is told by its `application_id`.

use rusqlite::Connection;

use super::error::{StoreError, typed};

/// "CvmS", as `v1.sql` has it.
const APPLICATION_ID: i32 = 0x4376_6d53;

const STEPS: [&str; 2] = [include_str!("schema/v1.sql"), include_str!("schema/v2.sql")];

/// The version that this release writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// What lies in a file, before anything is written to it.
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// A store of this version or an earlier one.
    Ours,
    /// A store of a later version.
    Newer(i64),
    /// Something else, with this application id.
    Foreign(i32),
}

/// Looks without touching.
pub(super) fn look(connection: &Connection) -> Result<Found, StoreError> {
    let (application_id, version, objects): (i32, i64, i64) = connection
        .query_row(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_application_id, pragma_user_version",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(typed)?;
    Ok(match (application_id, version, objects) {
        (0, 0, 0) => Found::Nothing,
        (APPLICATION_ID, 1..=VERSION, _) => Found::Ours,
        (APPLICATION_ID, _, _) if version > VERSION => Found::Newer(version),
        _ => Found::Foreign(application_id),
    })
}

/// Takes the steps that are missing, each in a transaction of its own.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    for (step, sql) in (0..).zip(STEPS) {
        if version(connection)? > step {
            continue;
        }
        connection.execute_batch("BEGIN IMMEDIATE").map_err(typed)?;
        let taken = take(connection, step, sql);
        if taken.is_err() && !connection.is_autocommit() {
            // The first error is the one to tell; a transaction that cannot be rolled back ends with the connection.
            let _ = connection.execute_batch("ROLLBACK");
        }
        taken?;
    }
    Ok(())
}

fn take(connection: &Connection, step: i64, sql: &str) -> Result<(), StoreError> {
    // Now that nobody else can write: another process may have been here first.
    if version(connection)? == step {
        connection.execute_batch(sql).map_err(typed)?;
        connection.pragma_update(None, "user_version", step + 1).map_err(typed)?;
    }
    connection.execute_batch("COMMIT").map_err(typed)
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    connection
        .query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get(0))
        .map_err(typed)
}
