//! What was said in which conversation.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Messages by the id of their conversation.
#[derive(Debug, Default)]
pub struct Transcripts(Mutex<BTreeMap<u64, Vec<String>>>);

impl Transcripts {
    /// Adds a message to a conversation.
    pub fn say(&self, conversation: u64, message: String) {
        self.lock().entry(conversation).or_default().push(message);
    }

    /// What was said in a conversation so far.
    pub fn of(&self, conversation: u64) -> Vec<String> {
        self.lock().get(&conversation).cloned().unwrap_or_default()
    }

    /// Drops what was said in a conversation that is over.
    pub fn forget(&self, conversation: u64) {
        self.lock().remove(&conversation);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<String>>> {
        // Each change is one call to a map: a panic elsewhere cannot leave it half-made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
