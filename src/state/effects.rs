//! What an operation leaves to be done once the lock is released.
//!
//! Waking a task, dropping its waker (which can drop the task, and with it a conversation that wants the
//! same lock) and telling a subscriber are other people's code: none of it runs under the lock.

use std::borrow::Cow;
use std::time::Duration;

use crate::limits::Limits;
use crate::refusal::{Expiry, Refused};
use crate::request::{ConversationId, UserId};

/// How one who waits for the manager is told. [`std::task::Waker`] in production.
pub(crate) trait Signal: Clone {
    /// Whether both tell the same one.
    fn tells_same(&self, other: &Self) -> bool;
}

impl Signal for std::task::Waker {
    fn tells_same(&self, other: &Self) -> bool {
        self.will_wake(other)
    }
}

/// To be done after unlocking.
pub(crate) struct Effects<W> {
    /// To be woken, in this order.
    pub(crate) wake: Vec<W>,
    /// To be dropped only.
    pub(crate) retire: Vec<W>,
    /// To be told to subscribers, in this order; `None` if there are none.
    pub(crate) log: Option<Vec<Transition>>,
}

impl<W> Effects<W> {
    #[inline]
    pub(crate) fn new(logged: bool) -> Self {
        Self { wake: Vec::new(), retire: Vec::new(), log: logged.then(Vec::new) }
    }

    #[inline]
    pub(crate) fn note(&mut self, transition: impl FnOnce() -> Transition) {
        if let Some(log) = &mut self.log {
            log.push(transition());
        }
    }
}

/// Something that happened to a conversation, a request or the manager.
#[derive(Debug)]
pub(crate) enum Transition {
    Started { id: ConversationId, user: UserId, waited: Duration },
    Queued { user: UserId, waiting: usize },
    WaitCancelled { user: UserId, waited: Duration },
    Refused { user: UserId, refused: Refused },
    Touched { id: ConversationId },
    Ended { id: ConversationId, user: UserId, outcome: Outcome, lasted: Duration },
    Expired { id: ConversationId, user: UserId, how: Expiry, lasted: Duration },
    Resized { limits: Limits },
    Closed { active: usize, refused: u64 },
}

/// How an owner ended a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed(Cow<'static, str>),
    Abandoned,
}
