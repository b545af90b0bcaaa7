//! What was said in which conversation.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a user says: no two messages of a run are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub user: u32,
    /// In which conversation, as its user counts them.
    pub conversation: u64,
    /// In which turn of it.
    pub turn: u32,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { user, conversation, turn } = self;
        write!(f, "turn {turn} of conversation {conversation} of user {user}")
    }
}

/// Messages by the id of their conversation.
#[derive(Debug, Default)]
pub struct Transcripts(Mutex<BTreeMap<u64, Vec<Message>>>);

impl Transcripts {
    /// Adds a message to a conversation.
    pub fn say(&self, conversation: u64, message: Message) {
        self.lock().entry(conversation).or_default().push(message);
    }

    /// What was said last in a conversation.
    pub fn last(&self, conversation: u64) -> Option<Message> {
        self.lock().get(&conversation)?.last().copied()
    }

    /// What was said in a conversation, which is then forgotten.
    pub fn take(&self, conversation: u64) -> Vec<Message> {
        self.lock().remove(&conversation).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Message>>> {
        // Each change is one call to a map: a panic elsewhere cannot leave it half-made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
