//! Expiry at the deadline: one future for a whole manager, however many conversations it has.
//!
//! It sleeps until the earliest deadline and looks again. A touch only ever moves deadlines back, so nobody
//! has to tell it; only a start after an empty spell, or a resize to shorter timeouts, does.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

use crate::clock::{Clock, Timestamp};
use crate::shared::Shared;
use crate::state::{Drive, Key};

/// See [`ConversationManager::run_expiry`](crate::ConversationManager::run_expiry).
pub(crate) async fn run<C: Clock>(shared: Weak<Shared<C>>) {
    let mut driver = Driver { shared, key: None };
    let mut armed = None;
    while let Some(until) = poll_fn(|cx| Poll::Ready(driver.look(armed, cx))).await {
        let Some(shared) = driver.shared.upgrade() else {
            return;
        };
        let sleep = (until < Timestamp::MAX).then(|| shared.clock.sleep_until(until));
        drop(shared);
        armed = sleep_or_earlier(&mut driver, until, sleep).await;
    }
}

/// Sleeps `until`. If an earlier deadline comes up before, returns what remains the plan.
async fn sleep_or_earlier<C: Clock>(
    driver: &mut Driver<C>,
    until: Timestamp,
    sleep: Option<C::Sleep>,
) -> Option<Timestamp> {
    let mut sleep = std::pin::pin!(sleep);
    poll_fn(|cx| {
        if let Some(sleep) = sleep.as_mut().as_pin_mut()
            && sleep.poll(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        match driver.look(Some(until), cx) {
            Some(earlier) if earlier >= until => Poll::Pending,
            _ => Poll::Ready(Some(until)),
        }
    })
    .await
}

struct Driver<C: Clock> {
    shared: Weak<Shared<C>>,
    key: Option<Key>,
}

impl<C: Clock> Driver<C> {
    /// Meets what is due. Returns until when to sleep; `None` if nothing will ever expire again.
    fn look(&mut self, armed: Option<Timestamp>, cx: &mut Context<'_>) -> Option<Timestamp> {
        let shared = self.shared.upgrade()?;
        let key = &mut self.key;
        match shared.run(|state, now, fx| state.drive(now, armed, key, cx.waker(), fx)) {
            Drive::Sleep(until) => Some(until),
            Drive::Done => None,
        }
    }
}

impl<C: Clock> Drop for Driver<C> {
    fn drop(&mut self) {
        if let (Some(key), Some(shared)) = (self.key, self.shared.upgrade()) {
            shared.run(|state, _, fx| state.forget_driver(key, fx));
        }
    }
}

/// A spawned [`run_expiry`](crate::ConversationManager::run_expiry). Dropping it ends the task.
#[derive(Debug)]
#[must_use = "dropping the guard ends the task"]
pub struct ExpiryTask {
    task: tokio::task::JoinHandle<()>,
}

impl ExpiryTask {
    pub(crate) fn spawn(drive: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { task: tokio::spawn(drive) }
    }

    /// Whether the task has ended: the manager is gone or has shut down.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

/// Completes when the task has ended.
impl Future for ExpiryTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The task does not panic, and nobody else can abort it: an error is a runtime that shuts down.
        Pin::new(&mut self.task).poll(cx).map(drop)
    }
}

impl Drop for ExpiryTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}
