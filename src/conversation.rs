//! A conversation: the one owner of its slot.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::{Clock, Timestamp, TokioClock};
use crate::current::{ConversationInfo, Scope};
use crate::refusal::{Ended, Expiry};
use crate::request::{ConversationId, StartRequest, UserId};
use crate::shared::Shared;
use crate::state::effects::Outcome;
use crate::state::{Grant, Key};

/// An active conversation. Owning it is having the slot.
///
/// It is over when its owner says so ([`end`](Self::end), [`fail`](Self::fail)), drops it (which counts as abandoned:
/// a panic, a cancelled task), or when the manager ends it. In the last case the slot is free at once, and the
/// owner hears of it from [`expired`](Self::expired), or from the [`Ended`] of the next call.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use conversation_manager::{ConversationManager, Limits};
/// # async fn next_message() -> Option<String> { None }
///
/// let manager = ConversationManager::new(Limits::default()).unwrap();
/// let _expiry = manager.spawn_expiry();
/// let conversation = manager.start("ada").await.unwrap();
/// loop {
///     tokio::select! {
///         how = conversation.expired() => {
///             println!("sorry, {}: {how}", conversation.user());
///             break;
///         }
///         message = next_message() => match message {
///             Some(_) => conversation.touch().unwrap(),
///             None => {
///                 conversation.end().unwrap();
///                 break;
///             }
///         },
///     }
/// }
/// # }
/// ```
#[must_use = "dropping a conversation abandons it"]
pub struct Conversation<C: Clock = TokioClock> {
    shared: Arc<Shared<C>>,
    info: ConversationInfo,
    grant: Grant,
    /// Whether the slot is still ours to give back.
    owns_slot: bool,
}

impl<C: Clock> Conversation<C> {
    #[inline]
    pub(crate) fn new(shared: Arc<Shared<C>>, request: StartRequest, grant: Grant) -> Self {
        let info = ConversationInfo::new(grant.id, request);
        Self { shared, info, grant, owns_slot: true }
    }

    /// Its number.
    pub fn id(&self) -> ConversationId {
        self.grant.id
    }

    /// Whose it is.
    pub fn user(&self) -> &UserId {
        self.info.user()
    }

    /// The room it takes place in.
    pub fn room(&self) -> Option<&str> {
        self.info.room()
    }

    /// The thread within the room.
    pub fn thread(&self) -> Option<&str> {
        self.info.thread()
    }

    /// When it got its slot.
    pub fn started(&self) -> Timestamp {
        self.grant.started
    }

    /// How long the request had waited for the slot.
    pub fn waited(&self) -> Duration {
        self.grant.waited
    }

    /// Says that the conversation is alive: its idle time starts again.
    ///
    /// A touch before the idle deadline always wins; at the deadline itself the conversation is over.
    ///
    /// # Errors
    ///
    /// If it is over already.
    pub fn touch(&self) -> Result<(), Ended> {
        self.shared.run(|state, now, fx| state.touch(now, self.grant.slot, fx))
    }

    /// Ends it: all went well.
    ///
    /// # Errors
    ///
    /// If the manager had ended it before.
    pub fn end(self) -> Result<(), Ended> {
        self.finish(Outcome::Completed)
    }

    /// Ends it: something went wrong. The reason goes to the subscribers of `tracing`.
    ///
    /// # Errors
    ///
    /// If the manager had ended it before.
    pub fn fail(self, reason: impl Into<Cow<'static, str>>) -> Result<(), Ended> {
        self.finish(Outcome::Failed(reason.into()))
    }

    #[inline]
    fn finish(mut self, outcome: Outcome) -> Result<(), Ended> {
        self.owns_slot = false;
        self.shared.run(|state, now, fx| state.finish(now, self.grant.slot, outcome, fx))
    }

    /// Completes when the manager ends the conversation, so that the work on it can stop.
    ///
    /// There may be several of these futures at a time, and each may be dropped at any time. Somebody has to drive
    /// expiry for them to hear of a deadline in time; see [`run_expiry`](crate::ConversationManager::run_expiry).
    pub fn expired(&self) -> impl Future<Output = Expiry> + Send {
        Expired { conversation: self, key: None }
    }

    /// Runs `work` with this conversation as the [`current`](crate::current()) one of its task.
    ///
    /// Work that outlives the handle, as in a task of its own, is scoped with [`ConversationInfo::scope`].
    pub fn scope<F: Future>(&self, work: F) -> Scope<F, &ConversationInfo> {
        Scope::new(&self.info, work)
    }

    /// What can be said of the conversation without owning it.
    pub fn info(&self) -> ConversationInfo {
        self.info.clone()
    }
}

impl<C: Clock> Drop for Conversation<C> {
    fn drop(&mut self) {
        if self.owns_slot {
            // An `Err` means that the manager was first; there is nobody left to tell.
            let _ = self
                .shared
                .run(|state, now, fx| state.finish(now, self.grant.slot, Outcome::Abandoned, fx));
        }
    }
}

impl<C: Clock> fmt::Debug for Conversation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("id", &self.id())
            .field("user", self.user())
            .field("room", &self.room())
            .field("thread", &self.thread())
            .field("started", &self.started())
            .field("waited", &self.waited())
            .finish()
    }
}

/// See [`Conversation::expired`].
struct Expired<'a, C: Clock> {
    conversation: &'a Conversation<C>,
    key: Option<Key>,
}

impl<C: Clock> Future for Expired<'_, C> {
    type Output = Expiry;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Expiry> {
        let conversation = self.conversation;
        let key = &mut self.key;
        let slot = conversation.grant.slot;
        // Work that races its conversation's end is polled often, and this with it.
        if let Some(key) = *key
            && conversation.shared.lock().still_watches(slot, key, cx.waker())
        {
            return Poll::Pending;
        }
        match conversation
            .shared
            .run(|state, now, fx| state.poll_expired(now, slot, key, cx.waker(), fx))
        {
            Some(how) => Poll::Ready(how),
            None => Poll::Pending,
        }
    }
}

impl<C: Clock> Drop for Expired<'_, C> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let slot = self.conversation.grant.slot;
            let signal = self.conversation.shared.lock().unwatch(slot, key);
            drop(signal);
        }
    }
}
