//! The manager: who may start, who waits, and what is going on.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, TokioClock};
use crate::conversation::Conversation;
use crate::drain;
use crate::driver::{self, ExpiryTask};
use crate::limits::{InvalidLimits, Limits};
use crate::refusal::Refused;
use crate::request::{StartRequest, UserId};
use crate::shared::Shared;
use crate::start::{self, Start};
use crate::stats::{ActiveConversation, DrainReport, Stats};

/// Admits conversations under [`Limits`] and keeps track of them until they end.
///
/// Clones are handles of the same manager; cloning is cheap. The [crate documentation](crate) has a tour.
pub struct ConversationManager<C: Clock = TokioClock> {
    shared: Arc<Shared<C>>,
}

impl ConversationManager {
    /// A manager on tokio's clock. Under paused time, create it inside of the runtime.
    ///
    /// # Errors
    ///
    /// If the limits are such that nobody could ever talk; see [`Limits::validate`].
    pub fn new(limits: Limits) -> Result<Self, InvalidLimits> {
        Self::with_clock(limits, TokioClock::new())
    }
}

impl<C: Clock> ConversationManager<C> {
    /// A manager on a clock of yours.
    ///
    /// # Errors
    ///
    /// As [`ConversationManager::new`].
    pub fn with_clock(limits: Limits, clock: C) -> Result<Self, InvalidLimits> {
        limits.validate()?;
        Ok(Self { shared: Arc::new(Shared::new(limits, clock)) })
    }

    /// Starts a conversation now, or says which limit stands in the way.
    ///
    /// It never overtakes those who wait: while a slot is free, nobody who may take it waits.
    ///
    /// # Errors
    ///
    /// [`Refused::ShuttingDown`], [`Refused::GlobalLimit`] or [`Refused::UserLimit`]; if several hold, the first of them.
    ///
    /// ```
    /// use conversation_manager::{ConversationManager, Limits, Refused};
    ///
    /// let manager = ConversationManager::new(Limits { max_per_user: 1, ..Limits::default() })?;
    /// let first = manager.try_start("ada").unwrap();
    /// let refused = manager.try_start("ada").unwrap_err();
    /// assert!(matches!(refused, Refused::UserLimit { active: 1, limit: 1, .. }));
    /// first.end().unwrap();
    /// assert!(manager.try_start("ada").is_ok());
    /// # Ok::<(), conversation_manager::InvalidLimits>(())
    /// ```
    pub fn try_start<R: Into<StartRequest>>(&self, request: R) -> Result<Conversation<C>, Refused> {
        let request = request.into();
        let name = self.shared.name(&request.user);
        let grant =
            self.shared.run(|state, now, fx| state.try_start(now, name, &request.place, fx))?;
        Ok(Conversation::new(Arc::clone(&self.shared), request, grant))
    }

    /// Starts a conversation as soon as there is a slot for it.
    ///
    /// Requests take their place in the queue when they are first polled, and are served in that order, except that
    /// a user who is at their own limit lets others pass. The future can be dropped at any time: the place, or
    /// the slot if it had been granted already, passes on to the next. (A conversation that was granted
    /// and never picked up counts as started and abandoned.) Waiting takes no task, no timer and no allocation of its own.
    ///
    /// # Errors
    ///
    /// [`Refused::QueueFull`] or [`Refused::ShuttingDown`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use conversation_manager::{ConversationManager, Limits};
    ///
    /// let manager = ConversationManager::new(Limits { max_concurrent: 1, ..Limits::default() }).unwrap();
    /// let first = manager.start("ada").await.unwrap();
    /// let second = tokio::spawn(manager.start("grace"));
    /// first.end().unwrap();
    /// assert_eq!(second.await.unwrap().unwrap().user().as_str(), "grace");
    /// # }
    /// ```
    pub fn start<R: Into<StartRequest>>(&self, request: R) -> Start<C> {
        Start::new(Arc::clone(&self.shared), request.into(), None)
    }

    /// As [`start`](Self::start), but waits for at most `within`, counted from the first poll.
    ///
    /// Should a slot become free at the very end of that time, the request either gets it or leaves it to the next; it
    /// is never lost.
    ///
    /// # Errors
    ///
    /// [`Refused::TimedOut`], and those of [`start`](Self::start).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use conversation_manager::{ConversationManager, Limits, Refused};
    /// use std::time::Duration;
    ///
    /// let manager = ConversationManager::new(Limits { max_concurrent: 1, ..Limits::default() }).unwrap();
    /// let _first = manager.start("ada").await.unwrap();
    /// let patience = Duration::from_secs(2);
    /// let refused = manager.start_within("grace", patience).await.unwrap_err();
    /// assert_eq!(refused, Refused::TimedOut { waited: patience });
    /// # }
    /// ```
    pub fn start_within<R: Into<StartRequest>>(
        &self,
        request: R,
        within: Duration,
    ) -> impl Future<Output = Result<Conversation<C>, Refused>> + Send + use<C, R> {
        start::start_within(Arc::clone(&self.shared), request.into(), within)
    }

    /// Puts other limits into force, at once and for all.
    ///
    /// Nobody who talks loses their slot to a smaller limit: until enough of them are done, nobody else starts. Larger
    /// limits start exactly those who may start now, first come first served. Changed timeouts count for running conversations,
    /// from their start or last touch: one that is over by the new limits ends now. Requests that
    /// wait already stay, even where `max_waiting` is smaller now.
    ///
    /// # Errors
    ///
    /// As [`ConversationManager::new`]; then nothing has changed.
    pub fn resize(&self, limits: Limits) -> Result<(), InvalidLimits> {
        limits.validate()?;
        self.shared.run_for_operator(|state, now, fx| state.resize(now, limits, fx));
        Ok(())
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.shared.lock().limits()
    }

    /// A consistent look at all counters.
    pub fn stats(&self) -> Stats {
        self.shared.run(|state, now, fx| state.stats(now, fx))
    }

    /// All active conversations in the order of their start. Takes the lock for as long as the list is.
    pub fn active(&self) -> Vec<ActiveConversation> {
        self.shared.run(|state, now, fx| state.active(now, None, fx))
    }

    /// The active conversations of one user in the order of their start. Goes through the whole list.
    pub fn active_of(&self, user: &UserId) -> Vec<ActiveConversation> {
        self.shared.run(|state, now, fx| state.active(now, Some(user), fx))
    }

    /// Stops admitting, waits until all conversations are over, and ends those that are not by the deadline.
    ///
    /// From the first poll on, requests are refused with [`Refused::ShuttingDown`], including those that wait. After `within`
    /// whoever still talks expires with [`Expiry::ShutDown`](crate::Expiry::ShutDown). The doors stay shut even if
    /// the future is dropped; then the conversations go on until they end or somebody drains again. Several drains
    /// may run at a time: the earliest deadline counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use conversation_manager::{ConversationManager, Expiry, Limits};
    /// use std::time::Duration;
    ///
    /// let manager = ConversationManager::new(Limits::default()).unwrap();
    /// let quick = manager.try_start("ada").unwrap();
    /// let slow = manager.try_start("grace").unwrap();
    /// tokio::spawn(async move {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     quick.end()
    /// });
    /// let report = manager.drain(Duration::from_secs(30)).await;
    /// assert_eq!((report.ended, report.expired), (1, 1));
    /// assert_eq!(slow.expired().await, Expiry::ShutDown);
    /// # }
    /// ```
    pub fn drain(&self, within: Duration) -> impl Future<Output = DrainReport> + Send + use<C> {
        drain::drain(Arc::clone(&self.shared), within)
    }

    /// Stops admitting and ends all conversations at once: [`drain`](Self::drain) without patience.
    pub fn shutdown(&self) -> impl Future<Output = DrainReport> + Send + use<C> {
        self.drain(Duration::ZERO)
    }

    /// Ends conversations at their deadlines and tells whoever awaits [`expired`](Conversation::expired), for as long as it is polled.
    ///
    /// Without it a deadline that has passed is met by the next operation of anybody: nobody is ever counted or
    /// admitted wrongly, but somebody who waits, for a slot or for the end of a conversation, may hear of it late: polling again
    /// is not an operation. The future does not keep the
    /// manager alive. It completes when the last handle of the manager, the last conversation and the last waiting request are gone,
    /// or when a shutdown is complete. Running it twice is harmless.
    pub fn run_expiry(&self) -> impl Future<Output = ()> + Send + use<C> {
        driver::run(Arc::downgrade(&self.shared))
    }

    /// Spawns [`run_expiry`](Self::run_expiry) onto the current tokio runtime. Dropping the guard ends it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use conversation_manager::{ConversationManager, Expiry, Limits};
    ///
    /// let manager = ConversationManager::new(Limits::default()).unwrap();
    /// let _expiry = manager.spawn_expiry();
    /// let conversation = manager.try_start("ada").unwrap();
    /// assert_eq!(conversation.expired().await, Expiry::Idle);
    /// # }
    /// ```
    pub fn spawn_expiry(&self) -> ExpiryTask {
        ExpiryTask::spawn(self.run_expiry())
    }
}

impl<C: Clock> Clone for ConversationManager<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C: Clock> fmt::Debug for ConversationManager<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversationManager")
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}
