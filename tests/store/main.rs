//! The store: what it promises, against a model and against files, other processes, full disks and `kill -9`.

mod concurrent;
mod disk;
mod files;
mod killed;
mod model;
mod promises;
mod pruning;

use std::path::{Path, PathBuf};
use std::time::Duration;

use conversation_manager::store::{
    NewConversation, NewMessage, Role, Store, StoreOptions, StoredMessage, Synchronous, UnixMillis,
};
use tempfile::TempDir;

/// A folder that goes away with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("conversations.sqlite3")
    }

    /// Nothing is cut off from its power here, so the tests need not wait for the disk.
    fn options(&self) -> StoreOptions {
        StoreOptions::new(self.file()).synchronous(Synchronous::Off)
    }
}

fn inline(options: StoreOptions) -> Store {
    Store::inline(options, || Duration::ZERO).unwrap()
}

fn of(user: &str) -> NewConversation {
    NewConversation { user: user.to_owned(), room: None, key: None, at: UnixMillis(1_000) }
}

fn says(conversation: i64, text: &str) -> NewMessage {
    NewMessage {
        conversation,
        role: Role::User,
        text: text.to_owned(),
        key: None,
        reply_to: None,
        at: UnixMillis(2_000),
    }
}

fn keyed(conversation: i64, text: &str, key: &str) -> NewMessage {
    NewMessage { key: Some(key.to_owned()), ..says(conversation, text) }
}

fn replies(conversation: i64, text: &str, reply_to: i64) -> NewMessage {
    NewMessage { role: Role::Bot, reply_to: Some(reply_to), ..says(conversation, text) }
}

fn texts(messages: &[StoredMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

/// SQLite's own opinion of the file, by another connection.
fn check_file(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let verdict: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let dangling: i64 = connection
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(dangling, 0);
}
