//! At which await a task stands: for explanations.
//!
//! A run that is explained polls the world's tasks with a waker of its own. An await that has to wait clones
//! that waker, or wakes it at once to be polled again: at this moment the stack is that of the await, down
//! to the line of the system under test, whichever crate it waits in. Nothing of the run is changed by
//! looking, so the events stay those of the run that failed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use backtrace::Backtrace;

use crate::decision::{Address, Decision};
use crate::event::Actor;

thread_local! {
    static EXPLAINS: Cell<bool> = const { Cell::new(false) };
    static PLACES: RefCell<Places> = RefCell::new(Places::default());
}

/// A decision with what is known of its task.
pub(crate) struct Located {
    pub(crate) decision: Decision,
    /// Where the task stood before.
    pub(crate) before: Option<Backtrace>,
    /// Where it stood after the poll that the decision was about.
    pub(crate) after: Option<Backtrace>,
    /// How many events there were when that poll was over; `None` for a task that is not watched.
    pub(crate) over: Option<u64>,
    /// Where a task that the system spawned was spawned.
    pub(crate) spawned: Option<String>,
    /// The system's state before and after that poll, as the scenario shows it.
    pub(crate) state: (Option<String>, Option<String>),
}

/// Something that the system said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// How many events there were before it.
    pub(crate) before: u64,
    pub(crate) at_ns: u64,
    pub(crate) actor: Actor,
    pub(crate) text: String,
}

/// Where each task stands.
#[derive(Default)]
pub(crate) struct Places {
    /// Decisions in their order.
    pub(crate) decisions: Vec<Located>,
    /// Where each task of the world stood when it was polled last.
    pub(crate) stands: BTreeMap<Address, Backtrace>,
    /// What the system said.
    pub(crate) logs: Vec<Log>,
    /// The task that is polled, and the first decision of this poll.
    polled: Option<(Address, usize)>,
    /// The last await that waited in this poll.
    waits: Option<Backtrace>,
    /// Decisions that were taken since the last poll of a task of the world ended.
    fresh: usize,
}

/// From here on places are noted.
pub(in crate::world) fn begin() {
    PLACES.take();
    EXPLAINS.set(true);
}

/// What was noted.
pub(in crate::world) fn end() -> Option<Places> {
    EXPLAINS.replace(false).then(|| PLACES.take())
}

pub(super) fn explains() -> bool {
    EXPLAINS.get()
}

/// Polls a task of the world.
pub(super) fn polled<T>(task: &Address, poll: impl FnOnce() -> T) -> T {
    if !explains() {
        return poll();
    }
    PLACES.with_borrow_mut(|places| {
        places.polled = Some((task.clone(), places.fresh));
        places.waits = None;
    });
    let output = poll();
    PLACES.with_borrow_mut(|places| {
        let Some((task, from)) = places.polled.take() else { return };
        let waits = places.waits.take();
        // A yield is told before the poll that it is about. Another task's, one that is not watched, may stand among them.
        let of_this = |located: &&mut Located| owner(&located.decision) == &*task;
        let mut ours = places.decisions[from..].iter_mut().filter(of_this).peekable();
        if ours.peek().is_some() {
            let state = crate::world::context::shown_state();
            let over = crate::world::context::events();
            for located in ours {
                located.state.1.clone_from(&state);
                located.over = Some(over);
                located.after.clone_from(&waits);
            }
        }
        places.fresh = places.decisions.len();
        if let Some(waits) = waits {
            places.stands.insert(task, waits);
        }
    });
    output
}

/// The waker of this task was cloned or woken.
pub(super) fn waits(task: &Address) {
    if !explains() {
        return;
    }
    let _ = PLACES.try_with(|places| {
        let Ok(mut places) = places.try_borrow_mut() else { return };
        // By the task itself: others wake it too.
        if places.polled.as_ref().is_some_and(|(polled, _)| polled == task) {
            places.waits = Some(Backtrace::new_unresolved());
        }
    });
}

/// The system said something.
pub(in crate::world) fn said(log: Log) {
    let _ = PLACES.try_with(|places| places.try_borrow_mut().map(|mut p| p.logs.push(log)));
}

/// The task that a decision is about, without its iteration and the site.
fn owner(decision: &Decision) -> &str {
    decision.task.split(['@', '/']).next().unwrap_or_default()
}

/// A decision was taken.
pub(super) fn decided(decision: &Decision) {
    if !explains() {
        return;
    }
    let spawned = crate::world::context::spawned_at();
    let state = crate::world::context::shown_state();
    PLACES.with_borrow_mut(|places| {
        let task = owner(decision);
        let before = places.stands.get(task).cloned();
        let decision = decision.clone();
        let (state, over) = ((state, None), None);
        places.decisions.push(Located { decision, before, after: None, over, spawned, state });
    });
}
