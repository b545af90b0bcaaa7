//! The conversation that a task is working on, for code too deep down to have been handed it.
//!
//! A log line, a metric or a client deep in the stack can say which conversation it belongs to. It is a tokio
//! task-local: it follows the scoped future from thread to thread, and is not inherited by tasks that it spawns
//! (scope those again with [`ConversationInfo::scope`]). A scope costs one allocation, a look one reference count.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::request::{ConversationId, StartRequest, UserId};

tokio::task_local! {
    static CURRENT: ConversationInfo;
}

/// The future of [`Conversation::scope`](crate::Conversation::scope).
pub type Scope<F> = tokio::task::futures::TaskLocalFuture<ConversationInfo, F>;

/// What can be said of a conversation without owning it. Cheap to clone; it may outlive the conversation.
#[derive(Clone)]
pub struct ConversationInfo(Arc<(ConversationId, StartRequest)>);

impl ConversationInfo {
    pub(crate) fn new(id: ConversationId, request: StartRequest) -> Self {
        Self(Arc::new((id, request)))
    }

    /// Its number.
    pub fn id(&self) -> ConversationId {
        self.0.0
    }

    /// Whose it is.
    pub fn user(&self) -> &UserId {
        &self.0.1.user
    }

    /// The room it takes place in.
    pub fn room(&self) -> Option<&str> {
        self.0.1.place.room.as_deref()
    }

    /// The thread within the room.
    pub fn thread(&self) -> Option<&str> {
        self.0.1.place.thread.as_deref()
    }

    /// Runs `work` with this conversation as the [`current`] one, as for a task spawned on its behalf.
    pub fn scope<F: Future>(self, work: F) -> Scope<F> {
        CURRENT.scope(self, work)
    }
}

impl fmt::Debug for ConversationInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversationInfo")
            .field("id", &self.id())
            .field("user", self.user())
            .field("room", &self.room())
            .field("thread", &self.thread())
            .finish()
    }
}

/// The conversation whose [`scope`](crate::Conversation::scope) this code runs in; `None` outside of one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use conversation_manager::{ConversationManager, Limits, StartRequest, current};
///
/// async fn deep_down() -> String {
///     current().map_or("nobody".into(), |conversation| conversation.user().to_string())
/// }
///
/// let manager = ConversationManager::new(Limits::default()).unwrap();
/// let conversation = manager.try_start("ada").unwrap();
/// assert_eq!(conversation.scope(deep_down()).await, "ada");
/// assert_eq!(deep_down().await, "nobody");
/// # }
/// ```
pub fn current() -> Option<ConversationInfo> {
    CURRENT.try_with(ConversationInfo::clone).ok()
}
