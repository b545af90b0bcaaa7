//! What goes into the store and what comes out of it.

use std::fmt;

use super::wall_clock::UnixMillis;

/// A conversation to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConversation {
    /// Whose it is.
    pub user: String,
    /// The room it takes place in.
    pub room: Option<String>,
    /// Names this start among those of the user, so that a second try is known as one: see [`Started::replayed`].
    pub key: Option<String>,
    /// When it started.
    pub at: UnixMillis,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Role {
    /// The person.
    User,
    /// The bot.
    Bot,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::User, Self::Bot];

    /// A short label that stays the same between releases: `"user"` or `"bot"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Bot => "bot",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message to be kept at the end of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Which conversation.
    pub conversation: i64,
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// Names this message in its conversation, so that a second try is known as one: see [`Appended::replayed`].
    pub key: Option<String>,
    /// The number of the message that this one replies to. A message has one reply at most.
    pub reply_to: Option<i64>,
    /// When it was said.
    pub at: UnixMillis,
}

/// A conversation is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its number: 1, 2, 3, ... over the life of the file, never used twice.
    pub id: i64,
    /// It was there already, under the same key and with the same content: this is the answer to the first try.
    pub replayed: bool,
}

/// A message is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number in the conversation: 1, 2, 3, ... without gaps.
    pub seq: i64,
    /// It was there already, under the same key and with the same content: this is the answer to the first try.
    pub replayed: bool,
}

/// Why a conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Closing {
    /// Its owner ended it.
    Completed,
    /// Something went wrong.
    Failed,
    /// It was not touched for too long.
    ExpiredIdle,
    /// It lasted for too long.
    ExpiredDuration,
    /// The service shut down in good order before it was over.
    ShutDown,
    /// The service crashed: a later one found it open.
    Interrupted,
}

impl Closing {
    /// Every way to be over.
    pub const ALL: [Self; 6] = [
        Self::Completed,
        Self::Failed,
        Self::ExpiredIdle,
        Self::ExpiredDuration,
        Self::ShutDown,
        Self::Interrupted,
    ];

    /// A short label that stays the same between releases: `"completed"`, `"failed"`, `"expired_idle"`,
    /// `"expired_duration"`, `"shut_down"` or `"interrupted"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::ExpiredIdle => "expired_idle",
            Self::ExpiredDuration => "expired_duration",
            Self::ShutDown => "shut_down",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When and how a conversation was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Closed {
    /// How.
    pub how: Closing,
    /// When.
    pub at: UnixMillis,
}

/// A conversation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StoredConversation {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub user: String,
    /// The room it takes place in.
    pub room: Option<String>,
    /// The key of its start.
    pub key: Option<String>,
    /// When it started.
    pub started_at: UnixMillis,
    /// When its last message was said, or else when it started.
    pub active_at: UnixMillis,
    /// How many messages it has, which is the number of the last.
    pub messages: i64,
    /// `None` while it is open.
    pub closed: Option<Closed>,
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StoredMessage {
    /// Its number in the conversation.
    pub seq: i64,
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub text: String,
    /// The key under which it was appended.
    pub key: Option<String>,
    /// The number of the message that it replies to.
    pub reply_to: Option<i64>,
    /// When it was said.
    pub at: UnixMillis,
}

/// A message with the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StoredTurn {
    /// What was asked.
    pub asked: StoredMessage,
    /// The reply, once there is one.
    pub reply: Option<StoredMessage>,
}

/// What [`Store::prune`](super::Store::prune) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Pruned {
    /// Conversations that were removed because they had been closed for longer than the retention.
    pub expired: u64,
    /// Conversations that were removed, oldest closed first, because the file was too large.
    pub crowded_out: u64,
    /// Messages that went with them.
    pub messages: u64,
    /// By how many bytes the contents became smaller.
    pub freed: u64,
    /// Bytes of contents that are left.
    pub bytes: u64,
    /// The contents are still above the bound, and every conversation that is left is open: nothing more can go
    /// until some are closed.
    pub only_open_left: bool,
}

/// What the store holds: one consistent look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StoreTotals {
    /// Conversations, open and closed.
    pub conversations: u64,
    /// Those of them that are open.
    pub open: u64,
    /// Messages of all of them.
    pub messages: u64,
    /// Bytes of contents: the pages in use, without the write-ahead log.
    pub bytes: u64,
    /// Transactions with writes that this store has committed since it was opened. Under load there are fewer of
    /// them than of writes, for those that wait together are committed together.
    pub commits: u64,
}
