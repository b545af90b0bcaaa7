//! What was said in which conversation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

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

/// What a message looks like where it is kept: how long the bot shall work on it, in nanoseconds, then what no other
/// message of the run has, repeated until it has so many bytes.
pub(crate) fn text(message: Message, work: Duration, bytes: usize) -> String {
    let Message { user, conversation, turn } = message;
    let mut text = format!("{} ", work.as_nanos());
    let end = format!("turn {turn} of conversation {conversation} of user {user}");
    let word = format!("{user}.{conversation}.{turn} ");
    while text.len() + end.len() < bytes {
        text.push_str(&word);
    }
    text.push_str(&end);
    text
}

/// The message that reads like that.
pub(crate) fn parse(text: &str) -> Option<Message> {
    let (_, text) = text.split_once(" turn ")?;
    let (turn, rest) = text.split_once(" of conversation ")?;
    let (conversation, user) = rest.split_once(" of user ")?;
    Some(Message {
        user: user.parse().ok()?,
        conversation: conversation.parse().ok()?,
        turn: turn.parse().ok()?,
    })
}

/// What was said in a conversation: the first few messages without an allocation.
pub type Transcript = SmallVec<[Message; 4]>;

/// What was said while the manager said that it was another conversation, by the id of that one.
///
/// A manager that is right never does so. Then there is nothing to look for, and nobody pays for the lock.
#[derive(Debug, Default)]
pub struct Strays {
    any: AtomicBool,
    messages: Mutex<BTreeMap<u64, Vec<Message>>>,
}

impl Strays {
    /// Adds a message to a conversation.
    pub fn say(&self, conversation: u64, message: Message) {
        self.lock().entry(conversation).or_default().push(message);
        self.any.store(true, Ordering::Release);
    }

    /// What strayed into a conversation, which is then forgotten.
    pub fn take(&self, conversation: u64) -> Vec<Message> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.lock().remove(&conversation).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Message>>> {
        // Each change is one call to a map: a panic elsewhere cannot leave it half-made.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_said_however_long_it_is() {
        let message = Message { user: 1, conversation: 22, turn: 3 };
        for bytes in [0, 40, 500] {
            let text = text(message, Duration::from_millis(7), bytes);
            assert!(text.len() >= bytes && text.len() < bytes.max(42) + 10, "{text}");
            assert!(text.starts_with("7000000 "), "{text}");
            assert_eq!(parse(&text), Some(message));
        }
        assert_eq!(parse("7000000 turn 1 of conversation x of user 3"), None);
    }

    #[test]
    fn what_strays_into_a_conversation_is_found_there_once() {
        let strays = Strays::default();
        let message = Message { user: 1, conversation: 2, turn: 3 };
        assert_eq!(strays.take(7), []);
        strays.say(7, message);
        assert_eq!(strays.take(8), []);
        assert_eq!(strays.take(7), [message]);
        assert_eq!(strays.take(7), []);
    }
}
