//! Operations of users: they can be dropped instead of being polled, by a timeout, or because the user walks
//! away.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::{ASKED, ask, tell};
use crate::decision::{Address, DecisionKind, Kinds};

thread_local! {
    /// The user whose iteration is polled has walked away.
    static ABANDONED: Cell<bool> = const { Cell::new(false) };
    /// Whether an iteration is being polled: somebody who can walk away.
    static IN_ITERATION: Cell<bool> = const { Cell::new(false) };
}

/// What is cancelled as one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Scope {
    /// An iteration of a user.
    Iteration,
    /// An operation within it.
    Operation,
}

pin_project_lite::pin_project! {
    /// An operation: it can be dropped instead of being polled.
    pub(in crate::world) struct Cancellable<F> {
        bent: Option<Box<Bent>>,
        #[pin]
        future: F,
    }
}

struct Bent {
    address: Address,
    scope: Scope,
    polls: u64,
    timeout: Option<Pin<Box<Sleep>>>,
}

/// Lets `future` be cancelled, if there is a strategy to ask.
///
/// A large future is best pinned where it is made, and given as a reference: that of an iteration is some hundred
/// bytes, which were copied three times in every iteration.
pub(in crate::world) fn cancellable<F: Future>(
    scope: Scope,
    address: impl FnOnce() -> Address,
    future: F,
) -> Cancellable<F> {
    // With faults alone nothing is asked here, but a user may walk away.
    let asked = ASKED.get() != Kinds::NONE;
    let bent = || Box::new(Bent { address: address(), scope, polls: 0, timeout: None });
    Cancellable { bent: asked.then(bent), future }
}

/// The user whose iteration is being polled walks away: what is polled is dropped as soon as it returns.
pub(super) fn abandon() {
    ABANDONED.set(true);
}

/// Whether there is somebody who could walk away.
pub(super) fn in_iteration() -> bool {
    IN_ITERATION.get()
}

impl<F: Future> Future for Cancellable<F> {
    /// `None` when it was cancelled; whoever awaits this then drops it, and the operation with it.
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        /// Puts back who could walk away, also when the poll panics.
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                IN_ITERATION.set(self.0);
            }
        }
        let this = self.project();
        let Some(bent) = this.bent else { return this.future.poll(cx).map(Some) };
        if bent.is_cancelled() {
            return Poll::Ready(None);
        }
        let _restore = Restore(IN_ITERATION.get());
        IN_ITERATION.set(_restore.0 || bent.scope == Scope::Iteration);
        match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if bent.scope == Scope::Iteration && ABANDONED.take() => {
                Poll::Ready(None)
            }
            // As tokio's own timeout has it: who completes in time has completed, also at the last moment.
            Poll::Pending => match &mut bent.timeout {
                Some(timeout) => timeout.as_mut().poll(cx).map(|()| None),
                None => Poll::Pending,
            },
        }
    }
}

impl Bent {
    fn is_cancelled(&mut self) -> bool {
        let nth = self.polls;
        self.polls += 1;
        if nth == 0 {
            if let Some(decision) = ask(DecisionKind::Timeout, &self.address, 0) {
                tell(&decision);
                let after = Duration::from_millis(decision.amount.into());
                self.timeout = Some(Box::pin(sleep(after)));
            }
            // Not before it has begun: then there is nothing to cancel.
            return false;
        }
        let decision = ask(DecisionKind::Cancel, &self.address, nth);
        if let Some(decision) = &decision {
            tell(decision);
        }
        decision.is_some()
    }
}
