//! Where decisions are asked for and carried out.
//!
//! Every task has an address in the spawn tree and counts its polls. tokio's hooks tell of every task, the
//! system's own included; a yield is forced there by spending the task's cooperative budget before it is
//! polled, about a microsecond each. Tasks that the world spawns are wrapped besides, so they can be
//! postponed (and, without tokio's hooks, still get their yields). Nothing of this costs anything in a run
//! without a strategy but the look at one flag.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`task`] | tasks that the world spawned: postponed, late |
//! | [`operation`] | operations: cancelled at a poll, by a timeout, abandoned |
//! | [`site`] | sites where the scenario's faults may strike |
//! | [`place`] | at which await a task stands, for explanations |

mod operation;
pub(crate) mod place;
mod site;
mod task;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::task::{Context, Poll, Waker};

use tokio::task::coop::poll_proceed;

use super::shared::Shared;
use crate::decision::{Address, Decision, DecisionKind, Kinds, MAX_DECISIONS, Point, Strategy};
use crate::event::EventKind;
use crate::world::context;
pub(super) use operation::{Scope, cancellable};
#[cfg(any(feature = "network", feature = "disk"))]
pub(crate) use site::strikes;
pub(super) use site::{Visitor, may_strike, step};
pub(super) use task::{late_tasks, wrapped};

/// Units of budget that tokio gives a task for each poll (`Budget::initial` in its source).
const BUDGET: u32 = 128;

thread_local! {
    /// What is asked for; nothing when there is no strategy, or calm.
    static ASKED: Cell<Kinds> = const { Cell::new(Kinds::NONE) };
    /// Whether tasks have addresses.
    static NAMED: Cell<bool> = const { Cell::new(false) };
    static BEND: RefCell<Option<Bend>> = const { RefCell::new(None) };
}

/// Task ids are small numbers in a row: there is nothing to hash.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

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
struct Bend {
    strategy: Box<dyn Strategy>,
    /// Never iterated: ids are those of the process, and differ from run to run.
    tasks: HashMap<tokio::task::Id, Task, BuildHasherDefault<IdHasher>>,
    /// The address of the task that is spawned next, when the world spawns it.
    next: Option<Address>,
    /// Tasks of the world that were woken and not polled since, if the strategy wants to know.
    ready: BTreeSet<Address>,
    /// Visits of each site by each user: in which iteration, and how many in that.
    visits: BTreeMap<Address, (u64, u64)>,
    /// Points at which an operation could be cancelled, if they are surveyed.
    survey: Option<Vec<Decision>>,
    taken: Taken,
}

/// What was decided in a run.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The first [`MAX_DECISIONS`].
    pub(super) decisions: Vec<Decision>,
    /// How many of each kind.
    pub(super) by_kind: BTreeMap<DecisionKind, u64>,
    /// The iterations that took part, the first [`MAX_DECISIONS`].
    pub(super) parts: Vec<String>,
    /// Visits of each site of faults.
    pub(super) sites: BTreeMap<String, u64>,
    /// Points at which an operation could be cancelled, where they were surveyed.
    pub(super) survey: Vec<Decision>,
}

impl Bend {
    fn ask(&mut self, kind: DecisionKind, task: &Address, nth: u64) -> Option<Decision> {
        self.ask_at(kind, task, nth, 0, None)
    }

    fn ask_at(
        &mut self,
        kind: DecisionKind,
        task: &Address,
        nth: u64,
        at_ns: u64,
        user_kind: Option<&str>,
    ) -> Option<Decision> {
        let point = Point { kind, task, nth, at_ns, user_kind, ready: &self.ready };
        let decided = self.strategy.decide(&point);
        if let Some(survey) = &mut self.survey
            && kind == DecisionKind::Cancel
            && survey.len() < MAX_DECISIONS
        {
            survey.push(Decision { kind, task: task.clone(), nth, amount: 0 });
        }
        Some(self.taken.take(kind, task, nth, decided?))
    }
}

impl Taken {
    fn take(&mut self, kind: DecisionKind, task: &Address, nth: u64, amount: u32) -> Decision {
        let decision = Decision { kind, task: task.clone(), nth, amount };
        *self.by_kind.entry(kind).or_default() += 1;
        if self.decisions.len() < MAX_DECISIONS {
            self.decisions.push(decision.clone());
        }
        decision
    }
}

/// Begins to ask `strategy` on this thread. With `survey`, the points are kept at which it was asked.
pub(super) fn begin(strategy: Option<Box<dyn Strategy>>, survey: bool) {
    ASKED.set(strategy.as_ref().map_or(Kinds::NONE, |strategy| strategy.kinds()));
    NAMED.set(strategy.is_some());
    BEND.set(strategy.map(|strategy| Bend {
        strategy,
        tasks: HashMap::default(),
        next: None,
        ready: BTreeSet::new(),
        visits: BTreeMap::new(),
        survey: survey.then(Vec::new),
        taken: Taken::default(),
    }));
}

/// Asks no more: what follows is tokio's own order.
pub(super) fn calm() {
    ASKED.set(Kinds::NONE);
}

/// What was decided.
pub(super) fn end() -> Taken {
    calm();
    NAMED.set(false);
    BEND.take().map_or_else(Taken::default, |bend| Taken {
        survey: bend.survey.unwrap_or_default(),
        ..bend.taken
    })
}

fn with<T>(f: impl FnOnce(&mut Bend) -> T) -> Option<T> {
    if !NAMED.get() {
        return None;
    }
    BEND.with(|bend| bend.try_borrow_mut().ok()?.as_mut().map(f))
}

/// Whether decisions of this kind are asked for.
fn asks(kind: DecisionKind) -> bool {
    ASKED.get().has(kind)
}

fn ask(kind: DecisionKind, task: &Address, nth: u64) -> Option<Decision> {
    if !asks(kind) {
        return None;
    }
    with(|bend| bend.ask(kind, task, nth)).flatten()
}

/// The seed of what tokio draws, if it was decided that it is another one.
pub(super) fn select_seed() -> Option<u64> {
    let decision = ask(DecisionKind::Select, &"runtime".into(), 0)?;
    tell(&decision);
    Some(u64::from(decision.amount))
}

/// Whether this user is left out of the run.
pub(super) fn skips(user: impl FnOnce() -> String) -> bool {
    with(|bend| bend.strategy.skips(&user())).unwrap_or(false)
}

/// Whether this iteration of a user takes part in the run; it is noted if so.
pub(super) fn begins(iteration: impl FnOnce() -> String) -> bool {
    let begins = with(|bend| {
        let iteration = iteration();
        if bend.strategy.skips(&iteration) {
            return false;
        }
        if bend.taken.parts.len() < MAX_DECISIONS {
            bend.taken.parts.push(iteration);
        }
        true
    });
    begins.unwrap_or(true)
}

/// The next task that is spawned on this thread has this address.
pub(super) fn name_next(address: impl FnOnce() -> Address) {
    with(|bend| bend.next = Some(address()));
}

/// The same for other parts of the world.
#[cfg(feature = "network")]
pub(crate) fn name_next_task(address: String) {
    name_next(|| address.into());
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

/// The address of the task that is being polled.
pub(crate) fn current_address() -> Address {
    let known = with(|bend| Some(bend.tasks.get(&tokio::task::try_id()?)?.address.clone()));
    known
        .flatten()
        .unwrap_or_else(|| context::actor().to_string().replace([' ', '/', '@'], "-").into())
}

/// A task is gone.
pub(super) fn ended(id: tokio::task::Id) {
    with(|bend| bend.tasks.remove(&id));
}

/// A task is about to be polled: it may have to yield at its next await.
pub(super) fn before_poll(id: tokio::task::Id) {
    if !asks(DecisionKind::Yield) {
        return;
    }
    let yields = with(|bend| {
        let Bend { strategy, tasks, ready, taken, .. } = bend;
        let task = tasks.get_mut(&id)?;
        let nth = task.polls;
        task.polls += 1;
        let kind = DecisionKind::Yield;
        let point = Point { kind, task: &task.address, nth, at_ns: 0, user_kind: None, ready };
        let amount = strategy.decide(&point)?;
        Some(taken.take(kind, &task.address, nth, amount))
    });
    if let Some(Some(decision)) = yields {
        spend_budget(decision.amount);
        tell(&decision);
    }
}

fn tell(decision: &Decision) {
    place::decided(decision);
    context::with_run(|shared: &Shared| {
        let kind = EventKind::Decision(decision.to_string().into());
        shared.emit(context::actor_of(&decision.task), kind);
    });
}

/// Leaves the task that is polled so many units of its budget.
fn spend_budget(leave: u32) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in leave..BUDGET {
        match poll_proceed(&mut cx) {
            Poll::Ready(unit) => unit.made_progress(),
            Poll::Pending => break,
        }
    }
}
