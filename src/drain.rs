//! Shutdown: doors shut at once, time to finish, then the end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::clock::Clock;
use crate::shared::Shared;
use crate::state::Key;
use crate::stats::DrainReport;

/// See [`ConversationManager::drain`](crate::ConversationManager::drain).
pub(crate) async fn drain<C: Clock>(shared: Arc<Shared<C>>, within: Duration) -> DrainReport {
    let (began, refused, before) = shared.run_for_operator(|state, now, fx| {
        let refused = state.close_doors(now, fx);
        (now, refused, state.stats(now, fx))
    });
    let deadline = began.saturating_add(within);
    let mut place = Place { shared: &shared, key: None };
    let mut sleep = pin!(shared.clock.sleep_until(deadline));
    poll_fn(|cx| {
        let over = sleep.as_mut().poll(cx).is_ready();
        let key = &mut place.key;
        if shared.run(|state, now, fx| state.poll_drained(now, deadline, key, cx.waker(), fx)) {
            return Poll::Ready(());
        }
        if over {
            // A sleep that was over too early must not be polled again, nor the deadline be missed.
            sleep.set(shared.clock.sleep_until(deadline));
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
    drop(place);
    let (ended, took) =
        shared.run(|state, now, fx| (state.stats(now, fx).ended, now.saturating_since(began)));
    let expired = ended.expired_shutdown - before.ended.expired_shutdown;
    DrainReport { ended: before.active - expired, expired, refused, took }
}

/// A registration that is taken back when the drain is dropped.
struct Place<'a, C: Clock> {
    shared: &'a Shared<C>,
    key: Option<Key>,
}

impl<C: Clock> Drop for Place<'_, C> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.run(|state, _, fx| state.forget_drain(key, fx));
        }
    }
}
