//! Tasks that the world spawned: they can be postponed, come late, and say when they are ready.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::{NAMED, ask, place, tell, with};
use crate::decision::{Address, DecisionKind};

pin_project_lite::pin_project! {
    /// A task that the world spawned.
    pub(in crate::world) struct Wrapped<F> {
        bent: Option<Box<Bent>>,
        #[pin]
        future: F,
    }
}

/// What a run with a strategy knows of a task.
struct Bent {
    address: Address,
    polls: u64,
    /// Until when its poll is delayed.
    late: Option<Late>,
    /// The waker that its future sees, where somebody wants to know when it is woken.
    waker: Option<Waker>,
}

thread_local! {
    static LATE_TASKS: Cell<u64> = const { Cell::new(0) };
}

/// How many tasks are late at the moment.
pub(in crate::world) fn late_tasks() -> u64 {
    LATE_TASKS.get()
}

/// A task is late as long as there is one of these.
struct Late(Pin<Box<Sleep>>);

impl Late {
    fn for_ms(ms: u32) -> Self {
        LATE_TASKS.set(LATE_TASKS.get() + 1);
        Self(Box::pin(sleep(Duration::from_millis(ms.into()))))
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.as_mut().poll(cx).is_ready()
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        LATE_TASKS.set(LATE_TASKS.get() - 1);
    }
}

/// Lets `future` be bent, if there is a strategy to ask.
pub(in crate::world) fn wrapped<F: Future>(
    address: impl FnOnce() -> Address,
    future: F,
) -> Wrapped<F> {
    let bent = || Box::new(Bent { address: address(), polls: 0, late: None, waker: None });
    Wrapped { bent: NAMED.get().then(bent), future }
}

impl<F: Future> Future for Wrapped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(bent) = this.bent else { return this.future.poll(cx) };
        if bent.comes_later(cx) {
            return Poll::Pending;
        }
        #[cfg(not(tokio_unstable))]
        if let Some(decision) = ask(DecisionKind::Yield, &bent.address, bent.polls - 1) {
            super::spend_budget(decision.amount);
            tell(&decision);
        }
        if !wants_wakes() {
            return this.future.poll(cx);
        }
        let waker = bent.waker.get_or_insert_with(|| observed(&bent.address, cx.waker()));
        with(|bend| bend.ready.remove(&bent.address));
        place::polled(&bent.address, || this.future.poll(&mut Context::from_waker(waker)))
    }
}

impl Bent {
    /// Whether this poll is postponed or late.
    fn comes_later(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(late) = &mut self.late {
            if !late.is_over(cx) {
                return true;
            }
            self.late = None;
            // It was decided once that this poll is late.
            return false;
        }
        let nth = self.polls;
        self.polls += 1;
        if let Some(decision) = ask(DecisionKind::Postpone, &self.address, nth) {
            tell(&decision);
            cx.waker().wake_by_ref();
            return true;
        }
        if let Some(decision) = ask(DecisionKind::Delay, &self.address, nth) {
            tell(&decision);
            let mut late = Late::for_ms(decision.amount);
            let later = !late.is_over(cx);
            self.late = later.then_some(late);
            return later;
        }
        false
    }
}

/// Whether somebody looks at who is ready, or where tasks stand.
fn wants_wakes() -> bool {
    place::explains() || with(|bend| bend.strategy.wants_ready()).unwrap_or(false)
}

/// A waker that tells the run of it, and then wakes the task.
struct Observed {
    address: Address,
    task: Waker,
}

/// The waker of a task whose future is to be observed. Its own virtual table and not `std::task::Wake`, for an
/// await that waits is known by its cloning the waker, wherever it comes from: tokio, another crate, by hand.
fn observed(address: &Address, task: &Waker) -> Waker {
    let observed = Arc::new(Observed { address: address.clone(), task: task.clone() });
    // SAFETY: the functions of the table keep the contract of `RawWakerVTable`: see there.
    unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(observed).cast(), &OBSERVED)) }
}

// Each function gets a pointer that `Arc::into_raw` of an `Observed` gave: `clone` adds a count to it, `wake` and
// `drop` take one away, `wake_by_ref` leaves it. `Observed` is `Send` and `Sync`, as a waker must be.
static OBSERVED: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the pointer is that of a living `Arc`.
        place::waits(unsafe { &(*data.cast::<Observed>()).address });
        // SAFETY: the pointer is that of a living `Arc`, which gets one count more.
        unsafe { Arc::increment_strong_count(data.cast::<Observed>()) };
        RawWaker::new(data, &OBSERVED)
    },
    // SAFETY: the pointer is that of a living `Arc` whose count goes over to this one.
    |data| woken(unsafe { Arc::from_raw(data.cast::<Observed>()) }.as_ref()),
    // SAFETY: the pointer is that of a living `Arc`, borrowed.
    |data| woken(unsafe { &*data.cast::<Observed>() }),
    // SAFETY: the pointer is that of a living `Arc` whose count is given back.
    |data| drop(unsafe { Arc::from_raw(data.cast::<Observed>()) }),
);

fn woken(observed: &Observed) {
    place::waits(&observed.address);
    with(|bend| bend.ready.insert(observed.address.clone()));
    observed.task.wake_by_ref();
}
