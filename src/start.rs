//! The futures of those who wait for a slot.
//!
//! They own a place in the queue and nothing else: dropping one gives the place back, or the slot if it had
//! been granted by then. Only [`start_within`] needs a timer, and only once it really waits.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::{Clock, Timestamp, TokioClock, saturating_nanos};
use crate::conversation::Conversation;
use crate::refusal::Refused;
use crate::request::StartRequest;
use crate::shared::Shared;
use crate::state::{Entered, Grant, Key, Wait};

/// The future of [`ConversationManager::start`](crate::ConversationManager::start).
#[must_use = "a request takes its place in the queue when it is first polled"]
pub struct Start<C: Clock = TokioClock> {
    shared: Arc<Shared<C>>,
    /// Taken when the request becomes a conversation, or is refused.
    request: Option<StartRequest>,
    within: Option<u64>,
    waits: Option<(Key, Timestamp)>,
}

impl<C: Clock> Start<C> {
    pub(crate) fn new(
        shared: Arc<Shared<C>>,
        request: StartRequest,
        within: Option<Duration>,
    ) -> Self {
        Self { shared, request: Some(request), within: within.map(saturating_nanos), waits: None }
    }

    fn granted(&mut self, grant: Grant) -> Poll<Result<Conversation<C>, Refused>> {
        self.waits = None;
        let request = self.request.take().expect("a request is granted once");
        Poll::Ready(Ok(Conversation::new(Arc::clone(&self.shared), request, grant)))
    }

    fn refused(&mut self, refused: Refused) -> Poll<Result<Conversation<C>, Refused>> {
        self.waits = None;
        self.request = None;
        Poll::Ready(Err(refused))
    }
}

impl<C: Clock> Future for Start<C> {
    type Output = Result<Conversation<C>, Refused>;

    /// # Panics
    ///
    /// If polled after completion.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some((place, _)) = this.waits {
            return match this
                .shared
                .run(|state, now, fx| state.poll_wait(now, place, cx.waker(), fx))
            {
                Wait::Granted(grant) => this.granted(grant),
                Wait::Refused(refused) => this.refused(refused),
                Wait::Pending => Poll::Pending,
            };
        }
        let request = this.request.as_ref().expect("`Start` polled after completion");
        let name = this.shared.name(&request.user);
        let (place, within) = (&request.place, this.within);
        match this
            .shared
            .run(|state, now, fx| state.start(now, name, place, within, cx.waker(), fx))
        {
            Entered::Granted(grant) => this.granted(grant),
            Entered::Refused(refused) => this.refused(refused),
            Entered::Waits { place, until } => {
                this.waits = Some((place, until));
                Poll::Pending
            }
        }
    }
}

impl<C: Clock> Drop for Start<C> {
    fn drop(&mut self) {
        if let Some((place, _)) = self.waits {
            self.shared.run(|state, now, fx| state.cancel_wait(now, place, fx));
        }
    }
}

impl<C: Clock> fmt::Debug for Start<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("request", &self.request).finish_non_exhaustive()
    }
}

/// See [`ConversationManager::start_within`](crate::ConversationManager::start_within).
pub(crate) async fn start_within<C: Clock>(
    shared: Arc<Shared<C>>,
    request: StartRequest,
    within: Duration,
) -> Result<Conversation<C>, Refused> {
    let mut start = Start::new(shared, request, Some(within));
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(Pin::new(&mut start).poll(cx))).await {
        return done;
    }
    let shared = Arc::clone(&start.shared);
    let until = start.waits.map_or(Timestamp::MAX, |(_, until)| until);
    let mut sleep = pin!(shared.clock.sleep_until(until));
    poll_fn(|cx| {
        let over = sleep.as_mut().poll(cx).is_ready();
        let done = Pin::new(&mut start).poll(cx);
        if over && done.is_pending() {
            // A sleep that was over too early must not be polled again, nor the deadline be missed.
            sleep.set(shared.clock.sleep_until(until));
            cx.waker().wake_by_ref();
        }
        done
    })
    .await
}
