//! Conversations and their messages on a disk: an acknowledged write survives a crash at any instant.

mod error;
mod model;
mod options;
mod wall_clock;

use std::time::Duration;

pub use error::StoreError;
pub use model::{
    Appended, Closed, Closing, NewConversation, NewMessage, Pruned, Role, Started, StoreTotals,
    StoredConversation, StoredMessage, StoredTurn,
};
pub use options::{StoreOptions, Synchronous};
pub use wall_clock::{SystemWallClock, UnixMillis, WallClock};

/// A handle of the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {}

#[allow(clippy::todo, clippy::unused_async, missing_docs, unused_variables)]
impl Store {
    pub fn spawn(options: StoreOptions) -> Result<Self, StoreError> {
        todo!()
    }
    pub fn inline(
        options: StoreOptions,
        pace: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        todo!()
    }
    pub async fn start(&self, conversation: NewConversation) -> Result<Started, StoreError> {
        todo!()
    }
    pub async fn append(&self, message: NewMessage) -> Result<Appended, StoreError> {
        todo!()
    }
    pub async fn close(&self, id: i64, how: Closing, at: UnixMillis) -> Result<bool, StoreError> {
        todo!()
    }
    pub async fn conversation(&self, id: i64) -> Result<Option<StoredConversation>, StoreError> {
        todo!()
    }
    pub async fn messages(
        &self,
        id: i64,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        todo!()
    }
    pub async fn turn(&self, id: i64, key: &str) -> Result<Option<StoredTurn>, StoreError> {
        todo!()
    }
    pub async fn conversations_of(
        &self,
        user: &str,
        after_id: i64,
        limit: u32,
    ) -> Result<Vec<StoredConversation>, StoreError> {
        todo!()
    }
    pub async fn open(&self) -> Result<Vec<StoredConversation>, StoreError> {
        todo!()
    }
    pub async fn prune(&self, now: UnixMillis) -> Result<Pruned, StoreError> {
        todo!()
    }
    pub async fn totals(&self) -> Result<StoreTotals, StoreError> {
        todo!()
    }
    pub async fn shut_down(self) -> Result<(), StoreError> {
        todo!()
    }
}
