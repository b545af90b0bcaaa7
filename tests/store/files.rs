//! What may lie where the store looks: nothing, an older file, a newer one, something else.

use std::path::Path;

use conversation_manager::store::{
    Closed, Closing, NewConversation, Store, StoreError, StoreOptions, UnixMillis,
};
use rusqlite::Connection;

use crate::{Folder, check_file, inline, keyed, of, replies, says, texts};

/// A file as the first release of the schema left it.
fn of_version_1(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(concat!(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; BEGIN;",
            include_str!("v1.sql"),
            "COMMIT;"
        ))
        .unwrap();
}

fn version(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_file_of_version_1_is_migrated_with_its_contents() {
    let folder = Folder::new();
    of_version_1(&folder.file());
    assert_eq!(version(&folder.file()), 1);
    let store = Store::spawn(folder.options()).unwrap();
    let ada = store.conversations_of("ada", 0, 9).await.unwrap();
    assert_eq!(ada.len(), 2);
    assert_eq!((ada[0].id, ada[0].room.as_deref(), ada[0].messages), (1, Some("#ops"), 2));
    assert_eq!(ada[0].closed, Some(Closed { how: Closing::Completed, at: UnixMillis(1_900) }));
    assert_eq!((ada[1].id, ada[1].key.as_deref(), ada[1].closed), (4, None, None));
    let said = store.messages(1, 0, 9).await.unwrap();
    assert_eq!(texts(&said), ["What is an engine?", "A machine that weaves patterns."]);
    assert_eq!((said[0].at, said[1].reply_to), (UnixMillis(1_100), Some(1)));

    // And it is of this release now: with keys, and numbers that go on.
    assert_eq!(store.append(keyed(4, "again", "k")).await.unwrap().seq, 1);
    assert!(store.append(keyed(4, "again", "k")).await.unwrap().replayed);
    let new = NewConversation { key: Some("k".into()), ..of("ada") };
    assert_eq!(store.start(new).await.unwrap().id, 5);
    store.shut_down().await.unwrap();
    assert_eq!(version(&folder.file()), 2);
    check_file(&folder.file());
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_file_at_its_version_with_its_contents() {
    let folder = Folder::new();
    of_version_1(&folder.file());
    let connection = Connection::open(folder.file()).unwrap();
    connection.execute_batch("CREATE TABLE conversations_by_key (in_the_way)").unwrap();
    let error = Store::spawn(folder.options()).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert_eq!(version(&folder.file()), 1);
    connection.execute_batch("DROP TABLE conversations_by_key").unwrap();
    drop(connection);
    let store = Store::spawn(folder.options()).unwrap();
    assert_eq!(store.totals().await.unwrap().messages, 2);
}

/// Opening must fail, and leave every byte of the folder as it was.
fn refused(folder: &Folder, options: StoreOptions) -> StoreError {
    let look = || -> Vec<_> {
        let mut files: Vec<_> = std::fs::read_dir(folder.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            // The index of a log is made by whoever looks at it, and holds nothing of its own.
            .filter(|path| !path.to_string_lossy().ends_with("-shm"))
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .filter(|(path, bytes)| !(path.to_string_lossy().ends_with("-wal") && bytes.is_empty()))
            .collect();
        files.sort();
        files
    };
    let before = look();
    let error = Store::spawn(options).unwrap_err();
    assert!(look() == before, "the files have changed: {error}");
    error
}

#[test]
fn a_newer_file_is_refused_and_left_as_it_is() {
    for (with_log, exclusive) in [(false, false), (true, false), (false, true), (true, true)] {
        let folder = Folder::new();
        drop(Store::spawn(folder.options()).unwrap());
        let connection = Connection::open(folder.file()).unwrap();
        connection.execute_batch("CREATE TABLE later (column); PRAGMA user_version = 9").unwrap();
        if with_log {
            // As after a crash: the version stands in the log only.
            let crashed = Folder::new();
            for end in ["", "-wal"] {
                let name = format!("conversations.sqlite3{end}");
                std::fs::copy(folder.0.path().join(&name), crashed.0.path().join(&name)).unwrap();
            }
            let error = refused(&crashed, crashed.options().exclusive(exclusive));
            assert_eq!(error, StoreError::NewerSchema { found: 9, known: 2 });
        } else {
            connection.close().unwrap();
            let error = refused(&folder, folder.options().exclusive(exclusive));
            assert_eq!(error, StoreError::NewerSchema { found: 9, known: 2 });
        }
    }
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_left_as_it_is() {
    let folder = Folder::new();
    for content in ["x", "a diary, kept for many years\n", &"not a database ".repeat(5_000)] {
        std::fs::write(folder.file(), content).unwrap();
        let error = refused(&folder, folder.options());
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
}

#[test]
fn a_database_of_another_application_is_left_as_it_is() {
    let folder = Folder::new();
    let connection = Connection::open(folder.file()).unwrap();
    connection.execute_batch("CREATE TABLE accounts (balance)").unwrap();
    let foreign = |application_id| StoreError::Foreign { path: folder.file(), application_id };
    assert_eq!(refused(&folder, folder.options()), foreign(0));
    connection.execute_batch("PRAGMA application_id = 77; PRAGMA user_version = 1").unwrap();
    assert_eq!(refused(&folder, folder.options()), foreign(77));
}

#[tokio::test]
async fn an_empty_file_is_a_new_store() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "").unwrap();
    let store = Store::spawn(folder.options()).unwrap();
    assert_eq!(store.start(of("ada")).await.unwrap().id, 1);
}

#[tokio::test]
async fn a_page_that_is_broken_is_corrupt_when_it_is_read_and_the_rest_still_works() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    let (bad, good) =
        (store.start(of("ada")).await.unwrap().id, store.start(of("ada")).await.unwrap().id);
    store.append(says(bad, &"b".repeat(50_000))).await.unwrap();
    store.append(says(good, &"g".repeat(50_000))).await.unwrap();
    store.shut_down().await.unwrap();
    let mut bytes = std::fs::read(folder.file()).unwrap();
    // The links of the pages that hold the long text point nowhere.
    for page in bytes.chunks_mut(4_096).filter(|page| page[4..].iter().all(|byte| *byte == b'b')) {
        page[..4].fill(0xff);
    }
    std::fs::write(folder.file(), bytes).unwrap();
    let store = Store::spawn(folder.options()).unwrap();
    let error = store.messages(bad, 0, 9).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(!error.is_transient());
    assert_eq!(store.messages(good, 0, 9).await.unwrap().len(), 1);
    store.append(replies(good, "fine", 1)).await.unwrap();
}

#[test]
fn a_folder_that_is_missing_or_a_file_system_that_is_unknown_is_named() {
    let folder = Folder::new();
    let inside = folder.0.path().join("missing").join("file");
    for options in [
        StoreOptions::new(&inside),
        StoreOptions::new(folder.0.path()),
        folder.options().vfs("no-such-file-system"),
        StoreOptions::new(""),
        StoreOptions::new(":memory:"),
        StoreOptions::new("file:conversations?mode=memory"),
    ] {
        let path = options.path.clone();
        match Store::spawn(options).unwrap_err() {
            StoreError::CannotOpen { path: named, detail } => {
                assert_eq!(named, path);
                assert!(!detail.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!folder.0.path().join("missing").exists());
    assert!(!std::path::Path::new(":memory:").exists(), "a refused name leaves nothing behind");
}

#[tokio::test]
async fn the_host_file_system_by_name_works_without_shared_memory() {
    let folder = Folder::new();
    // SQLite's own, which has no locks at all; as one that has no shared memory it is exclusive.
    let store = inline(folder.options().vfs("unix-none"));
    store.start(of("ada")).await.unwrap();
    assert!(folder.0.path().join("conversations.sqlite3-wal").exists());
    assert!(!folder.0.path().join("conversations.sqlite3-shm").exists());
    store.shut_down().await.unwrap();
    check_file(&folder.file());
}

#[cfg(unix)]
#[test]
fn what_people_say_is_readable_by_the_service_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let _store = Store::spawn(folder.options()).unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.0.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log, the log's index");
}

#[tokio::test]
async fn a_bug_cannot_store_nonsense() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    let (open, closed) =
        (store.start(of("ada")).await.unwrap().id, store.start(of("ada")).await.unwrap().id);
    store.append(says(open, "a")).await.unwrap();
    store.close(closed, Closing::Completed, UnixMillis(0)).await.unwrap();
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let message = "INSERT INTO messages (conversation, seq, role, reply_to, at, text) VALUES";
    for nonsense in [
        format!("{message} (1, 3, 'bot', NULL, 0, 'a gap')"),
        format!("{message} (1, 1, 'bot', NULL, 0, 'taken')"),
        format!("{message} (1, 2, 'dog', NULL, 0, 'wow')"),
        format!("{message} (1, 2, 'bot', 2, 0, 'a reply to itself')"),
        format!("{message} (1, 2, 'bot', 0, 0, 'a reply to nothing')"),
        format!("{message} (1, 2, 'bot', NULL, 'noon', 'no time')"),
        format!("{message} (2, 1, 'bot', NULL, 0, 'to a closed one')"),
        format!("{message} (3, 1, 'bot', NULL, 0, 'to nobody')"),
        "UPDATE messages SET text = 'never said'".into(),
        "DELETE FROM messages".into(),
        "UPDATE conversations SET closing = NULL, closed_at = NULL WHERE id = 2".into(),
        "UPDATE conversations SET closing = 'failed' WHERE id = 2".into(),
        "UPDATE conversations SET closing = 'failed' WHERE id = 1".into(),
        "UPDATE conversations SET closing = 'bored', closed_at = 0 WHERE id = 1".into(),
        "UPDATE conversations SET closing = 'failed', closed_at = 0, user = 'eve' WHERE id = 1"
            .into(),
        "UPDATE conversations SET closing = 'failed', closed_at = 0, key = 'k' WHERE id = 1".into(),
        "DELETE FROM conversations WHERE id = 1".into(),
    ] {
        let result = other.execute(&nonsense, []);
        assert!(result.is_err(), "`{nonsense}` was taken");
    }
    assert_eq!(other.execute("DELETE FROM conversations WHERE id = 2", []).unwrap(), 1);
    assert_eq!(other.execute(&format!("{message} (1, 2, 'bot', 1, 0, 'fine')"), []).unwrap(), 1);
}
