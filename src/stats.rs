//! What the manager knows of itself: counters and lists, each taken in one consistent look.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::limits::Limits;
use crate::request::{ConversationId, UserId};

/// One consistent look at a manager, from [`stats`](crate::ConversationManager::stats).
///
/// At any time `started_total == active + ended.total()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Conversations that are active now.
    pub active: u64,
    /// Requests that wait for a slot now.
    pub waiting: u64,
    /// Users who talk or wait now.
    pub users: u64,
    /// The most conversations that were ever active at once.
    pub peak_active: u64,
    /// The most requests that ever waited at once.
    pub peak_waiting: u64,
    /// The limits now.
    pub limits: Limits,
    /// Conversations started since the manager was created.
    pub started_total: u64,
    /// Requests refused since the manager was created, by reason.
    pub refused: Refusals,
    /// Conversations ended since the manager was created, by outcome.
    pub ended: Endings,
    /// Requests whose future was dropped while they waited.
    pub cancelled_waits: u64,
}

/// Refused requests by reason; see [`Refused`](crate::Refused).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Refusals {
    /// [`Refused::GlobalLimit`](crate::Refused::GlobalLimit).
    pub global_limit: u64,
    /// [`Refused::UserLimit`](crate::Refused::UserLimit).
    pub user_limit: u64,
    /// [`Refused::QueueFull`](crate::Refused::QueueFull).
    pub queue_full: u64,
    /// [`Refused::TimedOut`](crate::Refused::TimedOut).
    pub timed_out: u64,
    /// [`Refused::ShuttingDown`](crate::Refused::ShuttingDown).
    pub shutting_down: u64,
}

impl Refusals {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.global_limit + self.user_limit + self.queue_full + self.timed_out + self.shutting_down
    }
}

/// Ended conversations by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Endings {
    /// Ended by [`end`](crate::Conversation::end).
    pub completed: u64,
    /// Ended by [`fail`](crate::Conversation::fail).
    pub failed: u64,
    /// Dropped without either: a panic, a cancelled task, or a slot granted to a request nobody waited for any more.
    pub abandoned: u64,
    /// Ended by the manager: [`Expiry::Idle`](crate::Expiry::Idle).
    pub expired_idle: u64,
    /// Ended by the manager: [`Expiry::MaxDuration`](crate::Expiry::MaxDuration).
    pub expired_duration: u64,
    /// Ended by the manager: [`Expiry::ShutDown`](crate::Expiry::ShutDown).
    pub expired_shutdown: u64,
}

impl Endings {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.completed
            + self.failed
            + self.abandoned
            + self.expired_idle
            + self.expired_duration
            + self.expired_shutdown
    }
}

/// An active conversation, from [`active`](crate::ConversationManager::active).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ActiveConversation {
    /// Its number.
    pub id: ConversationId,
    /// Whose it is.
    pub user: UserId,
    /// The room it takes place in.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::request::serialize_optional_text")
    )]
    pub room: Option<Arc<str>>,
    /// The thread within the room.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::request::serialize_optional_text")
    )]
    pub thread: Option<Arc<str>>,
    /// When it got its slot.
    pub started: Timestamp,
    /// When it was last touched; `started` if never.
    pub touched: Timestamp,
}

/// What became of the conversations, from [`drain`](crate::ConversationManager::drain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DrainReport {
    /// Conversations that were over before the deadline, whichever way.
    pub ended: u64,
    /// Conversations that were cut off at the deadline: [`Expiry::ShutDown`](crate::Expiry::ShutDown).
    pub expired: u64,
    /// Waiting requests that this drain refused.
    pub refused: u64,
    /// How long it took.
    pub took: Duration,
}
