//! Where decisions are asked for and carried out.
//!
//! Every task has an address in the spawn tree and counts its polls. tokio's hooks tell of every task, the
//! system's own included; a yield is forced there by spending the task's cooperative budget before it is
//! polled, about a microsecond each. Tasks that the world spawns are wrapped besides, so they can be
//! postponed (and, without tokio's hooks, still get their yields). Nothing of this costs anything in a run
//! without a strategy but the look at one flag.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::task::coop::poll_proceed;

use super::sim::Shared;
use crate::decision::{Address, Decision, DecisionKind, Point, Strategy};
use crate::event::EventKind;
use crate::world::context;

/// Units of budget that tokio gives a task for each poll (`Budget::initial` in its source).
const BUDGET: u32 = 128;

/// How many decisions a record keeps: more than any failure needs, less than a long run takes.
pub(crate) const MAX_DECISIONS: usize = 20_000;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static BEND: RefCell<Option<Bend>> = const { RefCell::new(None) };
}

/// Task ids are small numbers in a row: there is nothing to hash.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        // Fibonacci hashing: the map looks at the upper bits.
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

struct Task {
    address: Address,
    children: u32,
    polls: u64,
}

/// The decisions of one run.
pub(super) struct Bend {
    strategy: Box<dyn Strategy>,
    /// Never iterated: ids are those of the process, and differ from run to run.
    tasks: HashMap<tokio::task::Id, Task, BuildHasherDefault<IdHasher>>,
    /// The address of the task that is spawned next, when the world spawns it.
    next: Option<Address>,
    taken: Vec<Decision>,
    taken_total: u64,
}

impl Bend {
    fn ask(&mut self, kind: DecisionKind, task: &Address, nth: u64) -> Option<Decision> {
        let after = self.strategy.decide(&Point { kind, task, nth })?;
        let decision = Decision { kind, task: task.clone(), nth, after };
        self.taken_total += 1;
        if self.taken.len() < MAX_DECISIONS {
            self.taken.push(decision.clone());
        }
        Some(decision)
    }
}

/// Begins to ask `strategy` on this thread.
pub(super) fn begin(strategy: Option<Box<dyn Strategy>>) {
    ON.set(strategy.is_some());
    BEND.set(strategy.map(|strategy| Bend {
        strategy,
        tasks: HashMap::default(),
        next: None,
        taken: Vec::new(),
        taken_total: 0,
    }));
}

/// Asks no more: what follows is tokio's own order.
pub(super) fn calm() {
    ON.set(false);
}

/// What was decided, the first [`MAX_DECISIONS`], and how much there was in all.
pub(super) fn end() -> (Vec<Decision>, u64) {
    ON.set(false);
    BEND.take().map_or((Vec::new(), 0), |bend| (bend.taken, bend.taken_total))
}

fn with<T>(f: impl FnOnce(&mut Bend) -> T) -> Option<T> {
    if !ON.get() {
        return None;
    }
    BEND.with(|bend| bend.try_borrow_mut().ok()?.as_mut().map(f))
}

fn ask(kind: DecisionKind, task: &Address, nth: u64) -> Option<Decision> {
    with(|bend| bend.ask(kind, task, nth)).flatten()
}

/// The next task that is spawned on this thread has this address.
pub(super) fn name_next(address: impl FnOnce() -> Address) {
    with(|bend| bend.next = Some(address()));
}

/// A task was spawned, by the one that is being polled.
pub(super) fn spawned(id: tokio::task::Id) {
    with(|bend| {
        let address = bend.next.take().unwrap_or_else(|| {
            let parent = tokio::task::try_id().and_then(|id| bend.tasks.get_mut(&id));
            match parent {
                Some(parent) => {
                    parent.children += 1;
                    format!("{}.{}", parent.address, parent.children - 1).into()
                }
                None => "root".into(),
            }
        });
        bend.tasks.insert(id, Task { address, children: 0, polls: 0 });
    });
}

/// A task is gone.
pub(super) fn ended(id: tokio::task::Id) {
    with(|bend| bend.tasks.remove(&id));
}

/// A task is about to be polled: it may have to yield at its next await.
pub(super) fn before_poll(id: tokio::task::Id) {
    let yields = with(|bend| {
        let task = bend.tasks.get_mut(&id)?;
        let (address, nth) = (task.address.clone(), task.polls);
        task.polls += 1;
        bend.ask(DecisionKind::Yield, &address, nth)
    });
    if let Some(Some(decision)) = yields {
        spend_budget(decision.after);
        tell(&decision);
    }
}

fn tell(decision: &Decision) {
    context::with_run(|shared: &Shared| {
        let kind = EventKind::Decision(decision.to_string().into());
        shared.emit(context::actor_of(&decision.task), kind);
    });
}

/// Leaves the task that is polled so many units of its budget.
fn spend_budget(leave: u8) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in u32::from(leave)..BUDGET {
        match poll_proceed(&mut cx) {
            Poll::Ready(unit) => unit.made_progress(),
            Poll::Pending => break,
        }
    }
}

pin_project_lite::pin_project! {
    /// A task that the world spawned: it can be postponed.
    pub(super) struct Postponable<F> {
        address: Option<Address>,
        polls: u64,
        #[pin]
        future: F,
    }
}

/// Lets `future` be postponed, if there is a strategy to ask.
pub(super) fn postponable<F: Future>(
    address: impl FnOnce() -> Address,
    future: F,
) -> Postponable<F> {
    Postponable { address: ON.get().then(address), polls: 0, future }
}

impl<F: Future> Future for Postponable<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(address) = this.address {
            let nth = *this.polls;
            *this.polls += 1;
            if let Some(decision) = ask(DecisionKind::Postpone, address, nth) {
                tell(&decision);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            #[cfg(not(tokio_unstable))]
            if let Some(decision) = ask(DecisionKind::Yield, address, nth) {
                spend_budget(decision.after);
                tell(&decision);
            }
        }
        this.future.poll(cx)
    }
}

pin_project_lite::pin_project! {
    /// An iteration of a user: it can be dropped instead of being polled.
    pub(super) struct Cancellable<F> {
        address: Option<Address>,
        polls: u64,
        #[pin]
        future: F,
    }
}

/// Lets `future` be cancelled, if there is a strategy to ask.
pub(super) fn cancellable<F: Future>(
    address: impl FnOnce() -> Address,
    future: F,
) -> Cancellable<F> {
    Cancellable { address: ON.get().then(address), polls: 0, future }
}

impl<F: Future> Future for Cancellable<F> {
    /// `None` when it was cancelled; whoever awaits this then drops it, and the iteration with it.
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(address) = this.address {
            let nth = *this.polls;
            *this.polls += 1;
            // Not before it has begun: then there is nothing to cancel.
            let decision = if nth > 0 { ask(DecisionKind::Cancel, address, nth) } else { None };
            if let Some(decision) = decision {
                tell(&decision);
                return Poll::Ready(None);
            }
        }
        this.future.poll(cx).map(Some)
    }
}
