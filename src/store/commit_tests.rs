//! What becomes of a group of writes when one of them, or the commit itself, goes wrong.

use std::time::Duration;

use rusqlite::params;
use tokio::sync::oneshot;

use super::database::{Database, Write, pending};
use super::error::StoreError;
use super::model::{NewConversation, Started};
use super::options::{StoreOptions, Synchronous};
use super::wall_clock::UnixMillis;

type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

fn open(folder: &tempfile::TempDir) -> Database {
    let options =
        StoreOptions::new(folder.path().join("db")).synchronous(Synchronous::Off).exclusive(true);
    Database::open(options, Duration::ZERO).unwrap()
}

fn start() -> (Box<dyn Write>, Answer<Started>) {
    let new = NewConversation { user: "ada".to_owned(), room: None, key: None, at: UnixMillis(0) };
    pending(move |database| database.start(&new))
}

/// A message of nobody, which is only noticed by the commit.
fn bad_at_commit() -> (Box<dyn Write>, Answer<()>) {
    pending(|database| {
        database.execute("PRAGMA defer_foreign_keys = ON", [])?;
        database.execute(
            "INSERT INTO messages (conversation, seq, role, at, text) VALUES (?, 1, 'bot', 0, '')",
            params![99],
        )?;
        Ok(())
    })
}

fn conversations(database: &Database) -> u64 {
    database.totals().unwrap().conversations
}

#[test]
fn when_the_commit_fails_everybody_hears_of_it_and_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(&folder);
    let (first, mut first_answer) = start();
    let (bad, mut bad_answer) = bad_at_commit();
    let (last, mut last_answer) = start();
    database.commit(vec![first, bad, last]);
    let error = first_answer.try_recv().unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert_eq!(bad_answer.try_recv().unwrap().unwrap_err(), error);
    assert_eq!(last_answer.try_recv().unwrap().unwrap_err(), error);
    assert_eq!((conversations(&database), database.commits), (0, 0));

    // And it works on.
    let (again, mut answer) = start();
    database.commit(vec![again]);
    assert_eq!(answer.try_recv().unwrap().unwrap(), Started { id: 1, replayed: false });
    assert_eq!((conversations(&database), database.commits), (1, 1));
}

#[test]
fn a_write_that_fails_after_half_of_its_work_leaves_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(&folder);
    let (before, mut before_answer) = start();
    let (half, mut half_answer) = pending(|database| {
        database.execute("INSERT INTO conversations (user, started_at) VALUES ('eve', 0)", [])?;
        database.execute("INSERT INTO conversations (user, started_at) VALUES (NULL, 0)", [])
    });
    let (after, mut after_answer) = start();
    database.commit(vec![before, half, after]);
    assert!(before_answer.try_recv().unwrap().is_ok());
    assert!(matches!(half_answer.try_recv().unwrap(), Err(StoreError::Refused { .. })));
    assert!(after_answer.try_recv().unwrap().is_ok());
    assert_eq!((conversations(&database), database.commits), (2, 1));
    assert!(database.conversations_of("eve", 0, 9).unwrap().is_empty());
}

#[test]
fn when_one_write_has_all_rolled_back_the_others_are_done_again_and_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(&folder);
    let (before, mut before_answer) = start();
    let (bad, mut bad_answer) = pending(|database: &Database| {
        // What a disk that fails in the middle of a statement has SQLite do.
        database.execute("ROLLBACK", [])?;
        Err::<(), _>(StoreError::Full)
    });
    let (after, mut after_answer) = start();
    database.commit(vec![before, bad, after]);
    assert!(before_answer.try_recv().unwrap().is_ok());
    assert_eq!(bad_answer.try_recv().unwrap(), Err(StoreError::Full));
    assert!(after_answer.try_recv().unwrap().is_ok());
    assert_eq!(conversations(&database), 2);
}

#[test]
fn nobody_is_told_that_something_is_stored_which_was_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(&folder);
    let (liar, mut answer) = pending(|database: &Database| {
        let new =
            NewConversation { user: "eve".to_owned(), room: None, key: None, at: UnixMillis(0) };
        let started = database.start(&new)?;
        database.execute("ROLLBACK", [])?;
        Ok(started)
    });
    database.commit(vec![liar]);
    assert!(matches!(answer.try_recv().unwrap(), Err(StoreError::Refused { .. })));
    assert_eq!(conversations(&database), 0);
}

#[test]
fn a_database_that_cannot_be_written_is_read_only_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(&folder);
    database.connection.pragma_update(None, "query_only", true).unwrap();
    let (write, mut answer) = start();
    database.commit(vec![write]);
    assert_eq!(answer.try_recv().unwrap().unwrap_err(), StoreError::ReadOnly);
    assert_eq!(conversations(&database), 0);
    database.connection.pragma_update(None, "query_only", false).unwrap();
    let (write, mut answer) = start();
    database.commit(vec![write]);
    assert_eq!(answer.try_recv().unwrap().unwrap().id, 1);
}

#[test]
fn nobody_hears_before_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(&folder);
    let (first, mut first_answer) = start();
    let (watcher, mut seen) = pending(move |_: &Database| {
        Ok(matches!(first_answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)))
    });
    database.commit(vec![first, watcher]);
    assert!(seen.try_recv().unwrap().unwrap(), "it was answered in the middle of the transaction");
}
