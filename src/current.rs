//! The conversation that a task is working on, for code too deep down to have been handed it.
//!
//! A log line, a metric or a client deep in the stack can say which conversation it belongs to. It follows the scoped
//! future from thread to thread, and is not inherited by tasks that it spawns (scope those again with
//! [`ConversationInfo::scope`]). Each poll of a scope notes where its conversation lies: 2 ns. tokio's task-local moves
//! the whole of it in and out instead, which was 12 ns.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::request::{ConversationId, StartRequest, UserId};

scoped_tls::scoped_thread_local!(static CURRENT: ConversationInfo);

pin_project! {
    /// The future of [`Conversation::scope`](crate::Conversation::scope) and [`ConversationInfo::scope`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Scope<F, I = ConversationInfo>
    where
        I: Borrow<ConversationInfo>,
    {
        conversation: I,
        // Gone when it is done, so that it is dropped in its scope.
        #[pin]
        work: Option<F>,
    }

    impl<F, I> PinnedDrop for Scope<F, I>
    where
        I: Borrow<ConversationInfo>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.work.is_some() {
                CURRENT.set((*this.conversation).borrow(), || this.work.set(None));
            }
        }
    }
}

impl<F, I: Borrow<ConversationInfo>> Scope<F, I> {
    pub(crate) fn new(conversation: I, work: F) -> Self {
        Self { conversation, work: Some(work) }
    }
}

impl<F: Future, I: Borrow<ConversationInfo>> Future for Scope<F, I> {
    type Output = F::Output;

    /// # Panics
    ///
    /// If polled after completion.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        CURRENT.set((*this.conversation).borrow(), || {
            let work = this.work.as_mut().as_pin_mut();
            let polled = work.expect("`Scope` polled after completion").poll(cx);
            if polled.is_ready() {
                this.work.set(None);
            }
            polled
        })
    }
}

impl<F, I: Borrow<ConversationInfo>> fmt::Debug for Scope<F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("conversation", self.conversation.borrow())
            .finish_non_exhaustive()
    }
}

/// What can be said of a conversation without owning it. Cheap to clone; it may outlive the conversation.
///
/// By value: behind a pointer of its own every turn of a conversation would allocate, for what is mostly one
/// shared name.
#[derive(Clone)]
pub struct ConversationInfo {
    id: ConversationId,
    request: StartRequest,
}

impl ConversationInfo {
    pub(crate) fn new(id: ConversationId, request: StartRequest) -> Self {
        Self { id, request }
    }

    /// Its number.
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// Whose it is.
    pub fn user(&self) -> &UserId {
        &self.request.user
    }

    /// The room it takes place in.
    pub fn room(&self) -> Option<&str> {
        self.request.place.room.as_deref()
    }

    /// The thread within the room.
    pub fn thread(&self) -> Option<&str> {
        self.request.place.thread.as_deref()
    }

    /// Runs `work` with this conversation as the [`current`] one, as for a task spawned on its behalf.
    pub fn scope<F: Future>(self, work: F) -> Scope<F> {
        Scope::new(self, work)
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
    with_current(ConversationInfo::clone)
}

/// Looks at the [`current`] conversation without keeping it; `None` outside of one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use conversation_manager::{ConversationManager, Limits, with_current};
///
/// let manager = ConversationManager::new(Limits::default()).unwrap();
/// let conversation = manager.try_start("ada").unwrap();
/// let id = conversation.scope(async { with_current(|conversation| conversation.id()) }).await;
/// assert_eq!(id, Some(conversation.id()));
/// # }
/// ```
pub fn with_current<R>(look: impl FnOnce(&ConversationInfo) -> R) -> Option<R> {
    CURRENT.is_set().then(|| CURRENT.with(look))
}
