//! The two ways in which the manager says no: [`Refused`] at the door, [`Ended`] later on.
//!
//! Both are typed and carry their numbers, so that a bot can answer "you already have three
//! conversations" without parsing a message.

use std::time::Duration;

use crate::request::{ConversationId, UserId};

/// Why a conversation was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// As many conversations as the limits allow are active. Only [`try_start`] says this.
    ///
    /// [`try_start`]: crate::ConversationManager::try_start
    #[error("{active} conversations are active, the global limit is {limit}")]
    GlobalLimit {
        /// Active conversations. More than `limit` after a resize to less.
        active: usize,
        /// [`Limits::max_concurrent`](crate::Limits::max_concurrent).
        limit: usize,
    },
    /// The user has as many conversations as one user may have. Only [`try_start`] says this.
    ///
    /// [`try_start`]: crate::ConversationManager::try_start
    #[error("user `{user}` has {active} active conversations, the limit per user is {limit}")]
    UserLimit {
        /// The user.
        user: UserId,
        /// Active conversations of this user. More than `limit` after a resize to less.
        active: usize,
        /// [`Limits::max_per_user`](crate::Limits::max_per_user).
        limit: usize,
    },
    /// No slot is free for this request, and as many others as the limits allow already wait.
    #[error("{waiting} requests are waiting, the queue holds {limit}")]
    QueueFull {
        /// Requests that wait.
        waiting: usize,
        /// [`Limits::max_waiting`](crate::Limits::max_waiting).
        limit: usize,
    },
    /// The request waited for as long as it was willing to. Only [`start_within`] says this.
    ///
    /// [`start_within`]: crate::ConversationManager::start_within
    #[error("no slot became free within {waited:?}")]
    TimedOut {
        /// How long it waited; at least what was asked for.
        waited: Duration,
    },
    /// The manager is draining or has shut down.
    #[error("the manager is shutting down")]
    ShuttingDown,
}

impl Refused {
    /// A short label that stays the same between releases, for metrics: `"global limit"`,
    /// `"user limit"`, `"queue full"`, `"timed out"` or `"shutting down"`.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::GlobalLimit { .. } => "global limit",
            Self::UserLimit { .. } => "user limit",
            Self::QueueFull { .. } => "queue full",
            Self::TimedOut { .. } => "timed out",
            Self::ShuttingDown => "shutting down",
        }
    }
}

/// Why the manager ended a conversation that its owner had not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Expiry {
    /// It was not touched for [`Limits::idle_timeout`](crate::Limits::idle_timeout).
    Idle,
    /// It lasted for [`Limits::max_duration`](crate::Limits::max_duration).
    MaxDuration,
    /// The manager shut down before it was over.
    ShutDown,
}

impl Expiry {
    /// A short label that stays the same between releases: `"idle"`, `"max duration"` or `"shut down"`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::MaxDuration => "max duration",
            Self::ShutDown => "shut down",
        }
    }
}

impl std::fmt::Display for Expiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}

/// The conversation is over already: the manager ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("conversation {id} is over already: {}", match how {
    Expiry::Idle => "it was idle for too long",
    Expiry::MaxDuration => "it reached its longest duration",
    Expiry::ShutDown => "the manager shut down",
})]
pub struct Ended {
    /// Which one.
    pub id: ConversationId,
    /// How it ended.
    pub how: Expiry,
}
