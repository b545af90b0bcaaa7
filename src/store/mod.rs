//! Conversations and their messages on a disk: SQLite, compiled along, in one file that is created on first use.
//!
//! ```
//! use conversation_manager::store::{
//!     Closing, NewConversation, NewMessage, Role, Store, StoreOptions, SystemWallClock, WallClock,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("conversations.sqlite3");
//! let clock = SystemWallClock;
//! let store = Store::spawn(StoreOptions::new(path))?;
//!
//! // What was answered with `Ok` is on the disk, whatever happens next.
//! let started = store
//!     .start(NewConversation { user: "ada".into(), room: None, key: None, at: clock.now() })
//!     .await?;
//! let question = NewMessage {
//!     conversation: started.id,
//!     role: Role::User,
//!     text: "What is an engine?".into(),
//!     key: Some("first".into()),
//!     reply_to: None,
//!     at: clock.now(),
//! };
//! assert_eq!(store.append(question.clone()).await?.seq, 1);
//!
//! // Asked again, for the answer got lost on its way: the message is there once.
//! let again = store.append(question.clone()).await?;
//! assert!(again.seq == 1 && again.replayed);
//!
//! let reply = NewMessage {
//!     role: Role::Bot,
//!     text: "A machine that weaves patterns.".into(),
//!     key: None,
//!     reply_to: Some(1),
//!     ..question
//! };
//! assert_eq!(store.append(reply).await?.seq, 2);
//!
//! // What a service does after a crash: nothing that was open is forgotten.
//! for open in store.open().await? {
//!     store.close(open.id, Closing::Interrupted, clock.now()).await?;
//! }
//! let turn = store.turn(started.id, "first").await?.unwrap();
//! assert_eq!(turn.reply.unwrap().text, "A machine that weaves patterns.");
//! store.shut_down().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Contracts
//!
//! - **Acknowledged is stored.** A write that was answered with `Ok` is committed and synced to the disk
//!   ([`Synchronous::Full`]): it survives the end of the process and of the machine at any later instant. One that got
//!   no answer is there whole or not at all.
//! - **Once.** A start or a message that is tried again under its key, with the same content, is there once, and the
//!   second try gets the answer of the first, even after the conversation was closed. Keys live as long as the conversation.
//! - **In order.** The messages of a conversation are numbered 1, 2, 3, ... without gaps, in the order in which they were
//!   committed; whoever awaits one before sending the next finds them in that order. Times of day order nothing.
//! - **Each for itself.** Writes that are committed together succeed or fail one by one; see [`StoreError`] for what a
//!   failure leaves behind. After an error the store works on as soon as its cause is gone.
//! - **Dropping is safe.** The future of any call can be dropped at any await: the write is done or not, never half.
//! - **Bounded.** The queue to the store is bounded, and callers wait for a place in it; [`Store::prune`] bounds the file.
//!
//! # Cost
//!
//! A write costs a sync of the disk, shared by all that wait for one at the same time. One thread does everything, so a
//! question waits for the commit that is under way; [`Store::totals`] counts every row. See `docs/store.md`.

#[cfg(test)]
mod commit_tests;
mod database;
mod error;
mod inline;
mod model;
mod open;
mod options;
mod prune;
mod reads;
mod schema;
mod thread;
mod wall_clock;
mod writes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use error::StoreError;
pub use model::{
    Appended, Closed, Closing, NewConversation, NewMessage, Pruned, Role, Started, StoreTotals,
    StoredConversation, StoredMessage, StoredTurn,
};
pub use options::{StoreOptions, SyncNames, Synchronous};
pub use wall_clock::{SystemWallClock, UnixMillis, WallClock};

use database::Database;
use inline::Inline;
use thread::Thread;

/// A handle of the store. Cheap to clone; the file is closed when the last one is dropped, after what was accepted is
/// done. That drop waits for the disk; [`shut_down`](Self::shut_down) waits without blocking and tells how it went.
///
/// One service works on a file at a time: recovery after a crash takes every open conversation for an interrupted one.
/// [`StoreOptions::exclusive`] makes sure of it.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Thread(Arc<Thread>),
    Inline(Arc<Inline>),
}

impl Store {
    /// Opens the database, or creates it, and starts the thread that works on it. For production: calls that wait at
    /// the same time share a transaction.
    ///
    /// Blocks while it opens, which after a crash takes as long as reading the write-ahead log.
    ///
    /// # Errors
    ///
    /// If there is no database and none can be created, if the file is something else or too new (it is left as it
    /// is), if it is held by somebody else for longer than the busy timeout, or if the disk fails.
    pub fn spawn(options: StoreOptions) -> Result<Self, StoreError> {
        let patience = options.busy_timeout;
        let database = Database::open(options, patience)?;
        Ok(Self { backend: Backend::Thread(Arc::new(Thread::spawn(database)?)) })
    }

    /// Opens the database, or creates it, to be worked on where the calls are polled. For simulations: calls are
    /// carried out one after the other, without a thread, and each takes `pace()` of tokio's time before it is
    /// acknowledged. It never waits for others who hold the database: they make it [`Busy`](StoreError::Busy) at once.
    ///
    /// A call that is dropped while it takes its time has been carried out, and was not acknowledged. The last handle that is
    /// dropped closes the file in good order, which writes to it: whoever simulates a crash cuts off the file system first.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn inline(
        options: StoreOptions,
        pace: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let database = Database::open(options, Duration::ZERO)?;
        Ok(Self { backend: Backend::Inline(Arc::new(Inline::new(database, pace))) })
    }

    /// Keeps a conversation, open. Under a key that the user has used before for a conversation in the same room, the
    /// answer is that one.
    ///
    /// # Errors
    ///
    /// [`KeyReused`](StoreError::KeyReused), or those of the database.
    pub async fn start(&self, conversation: NewConversation) -> Result<Started, StoreError> {
        self.write(move |database| database.start(&conversation)).await
    }

    /// Keeps a message at the end of its conversation. Under a key that was used before in the conversation for the same
    /// content (role, text and what it replies to), the answer is that message; likewise for the same reply without a key.
    ///
    /// # Errors
    ///
    /// [`NoSuchConversation`](StoreError::NoSuchConversation), [`Closed`](StoreError::Closed),
    /// [`KeyReused`](StoreError::KeyReused), [`AlreadyReplied`](StoreError::AlreadyReplied),
    /// [`NoSuchMessage`](StoreError::NoSuchMessage), or those of the database.
    pub async fn append(&self, message: NewMessage) -> Result<Appended, StoreError> {
        self.write(move |database| database.append(&message)).await
    }

    /// Closes a conversation. `false` if it was closed already, which it then stays as it was.
    ///
    /// # Errors
    ///
    /// [`NoSuchConversation`](StoreError::NoSuchConversation), or those of the database; never
    /// [`Full`](StoreError::Full) because of [`max_bytes`](StoreOptions::max_bytes).
    pub async fn close(&self, id: i64, how: Closing, at: UnixMillis) -> Result<bool, StoreError> {
        self.write(move |database| database.close_conversation(id, how, at)).await
    }

    /// The conversation of this number.
    ///
    /// # Errors
    ///
    /// Of the database.
    pub async fn conversation(&self, id: i64) -> Result<Option<StoredConversation>, StoreError> {
        self.read(move |database| database.conversation(id)).await
    }

    /// The conversation that the user started under `key`, for a service that must know before it makes room for a start
    /// whether it has taken effect already.
    ///
    /// # Errors
    ///
    /// Of the database.
    pub async fn started(
        &self,
        user: &str,
        key: &str,
    ) -> Result<Option<StoredConversation>, StoreError> {
        let (user, key) = (user.to_owned(), key.to_owned());
        self.read(move |database| database.started(&user, &key)).await
    }

    /// The messages of a conversation after number `after_seq` (0: from the first), at most `limit` of them, in their
    /// order. Of a conversation that is not there, none.
    ///
    /// # Errors
    ///
    /// Of the database.
    pub async fn messages(
        &self,
        id: i64,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        self.read(move |database| database.messages(id, after_seq, limit)).await
    }

    /// The message that was appended under `key`, with the reply to it if there is one.
    ///
    /// # Errors
    ///
    /// Of the database.
    pub async fn turn(&self, id: i64, key: &str) -> Result<Option<StoredTurn>, StoreError> {
        let key = key.to_owned();
        self.read(move |database| database.turn(id, &key)).await
    }

    /// The conversations of a user with numbers above `after_id` (0: from the first), at most `limit` of them, in the
    /// order of their start.
    ///
    /// # Errors
    ///
    /// Of the database.
    pub async fn conversations_of(
        &self,
        user: &str,
        after_id: i64,
        limit: u32,
    ) -> Result<Vec<StoredConversation>, StoreError> {
        let user = user.to_owned();
        self.read(move |database| database.conversations_of(&user, after_id, limit)).await
    }

    /// The conversations that are open, oldest first. After a start of the service they are what a crash left: to be
    /// resumed, or closed as [`Closing::Interrupted`].
    ///
    /// # Errors
    ///
    /// Of the database.
    pub async fn open(&self) -> Result<Vec<StoredConversation>, StoreError> {
        self.read(Database::open_conversations).await
    }

    /// How much there is. Counts the rows, so its time grows with them.
    ///
    /// # Errors
    ///
    /// Of the database.
    pub async fn totals(&self) -> Result<StoreTotals, StoreError> {
        self.read(Database::totals).await
    }

    /// Finishes what was accepted and closes the file. Calls through other handles that come later are told
    /// [`Stopped`](StoreError::Stopped).
    ///
    /// # Errors
    ///
    /// `Stopped` if it was shut down before, or what went wrong with closing: everything acknowledged is stored all the same.
    pub async fn shut_down(self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Thread(thread) => thread.shut_down().await,
            Backend::Inline(inline) => inline.shut_down().await,
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.backend {
            Backend::Thread(thread) => thread.write(work).await,
            Backend::Inline(inline) => inline.write(work).await,
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.backend {
            Backend::Thread(thread) => thread.read(work).await,
            Backend::Inline(inline) => inline.read(work).await,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.backend {
            Backend::Thread(_) => "thread",
            Backend::Inline(_) => "inline",
        };
        f.debug_struct("Store").field("backend", &kind).finish()
    }
}
