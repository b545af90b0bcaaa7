//! What the run's thread knows at any moment: whose poll it is in, and whether time still moves.
//!
//! Kept in thread-locals, for the two places that have no handle on the run: the process-wide panic hook
//! and tokio's task hooks. A run has its thread to itself, so a thread-local is the run's own.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{Location, PanicHookInfo};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::Notify;

#[cfg(tokio_unstable)]
use super::bend;
use super::shared::Shared;
use crate::event::{Actor, EventKind};
use crate::record::Panic;

thread_local! {
    static RUN: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
    /// The tracked future that is being polled.
    static ACTOR: Cell<Option<Tracked>> = const { Cell::new(None) };
    /// The tracked future that was polled last in the poll of this task.
    static LAST_ACTOR: Cell<Option<Tracked>> = const { Cell::new(None) };
    /// Where the task that was polled last was spawned; known to tokio's hooks only. See [`polled`].
    static TASK: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    /// Virtual time as it was read since the runtime parked last; `UNREAD` before, `ELSEWHERE` on threads that are no run's.
    static NOW_NS: Cell<u64> = const { Cell::new(ELSEWHERE) };
    /// How the scenario shows the system's state.
    static STATE: RefCell<Option<ShowState>> = const { RefCell::new(None) };
    /// Polls until the next look at the clock.
    static POLLS_LEFT: Cell<u32> = const { Cell::new(CHECK_EVERY) };
    static POLLS: Cell<Polls> = const { Cell::new(Polls { since_progress: 0, at_ns: 0, tasks: 0 }) };
}

const UNREAD: u64 = u64::MAX;
const ELSEWHERE: u64 = UNREAD - 1;

type ShowState = Box<dyn Fn() -> String>;

/// From here on this shows the system's state.
pub(super) fn set_state(state: ShowState) {
    STATE.set(Some(state));
}

/// The system's state in a few words; `None` when the scenario does not show it.
pub(super) fn shown_state() -> Option<String> {
    STATE.with(|state| state.try_borrow().ok()?.as_ref().map(|show| show()))
}

/// The run is over: what shows the state holds the system.
pub(super) fn forget_state() {
    STATE.take();
}

/// Virtual time, read from tokio's clock at most once between two times that the runtime parks.
///
/// A paused clock moves when the runtime has nothing left to poll, and then it parks. An event needs the time,
/// an operation has several, and the system looks at it too; but tokio's clock takes its lock and two
/// reference counts for each look, 26 ns, and five looks were a tenth of a sustained run.
#[inline]
pub(super) fn now_ns(shared: &Shared) -> u64 {
    let known = NOW_NS.get();
    if known < ELSEWHERE { known } else { look(shared) }
}

#[cold]
fn look(shared: &Shared) -> u64 {
    let now = shared.read_clock();
    if NOW_NS.get() == UNREAD {
        NOW_NS.set(now);
    }
    now
}

/// Tells tokio's runtime to report when it parks.
pub(super) fn install_park_hooks(builder: &mut tokio::runtime::Builder) {
    let parking = || {
        #[cfg(feature = "network")]
        crate::net::parking();
        forget_time();
    };
    builder.on_thread_park(parking).on_thread_unpark(|| NOW_NS.set(UNREAD));
}

/// What is known of the time is over: the runtime parks, or is at its end.
pub(super) fn forget_time() {
    let known = NOW_NS.replace(UNREAD);
    if known == UNREAD {
        return;
    }
    let _ = RUN.try_with(|run| {
        if let Ok(run) = run.try_borrow()
            && let Some(shared) = run.as_ref()
            && shared.read_clock() != known
        {
            moved_by_hand(shared, known);
        }
    });
}

/// Whoever moves time behind the run's back gets events at the wrong times: better a run that says so and fails.
#[cold]
fn moved_by_hand(shared: &Shared, at_ns: u64) {
    let message = "time was moved by hand (tokio::time::advance or resume); in a run it moves by itself, \
                   whenever everybody waits: sleep instead";
    let (message, location) = (message.to_owned(), "tokio::time".to_owned());
    let actor = Actor::World.to_string();
    let panic = Panic { at_ns, actor, message: message.clone(), location: location.clone() };
    shared.with(|recorder| recorder.panic(&panic));
    shared.emit(Actor::World, EventKind::Panicked { message, location });
    // The event has read the clock.
    NOW_NS.set(UNREAD);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracked {
    Body,
    User(u32),
}

/// Makes this thread a run's until the guard is dropped.
pub(super) fn enter(shared: &Arc<Shared>) -> impl Drop + use<> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            RUN.with(|run| run.take());
            NOW_NS.set(ELSEWHERE);
        }
    }
    RUN.with(|run| run.replace(Some(Arc::clone(shared))));
    NOW_NS.set(UNREAD);
    Leave
}

/// Makes this thread one of several of a run on the real clock, until it [leaves](leave). It has no time of its own: the clock
/// is looked at whenever it is asked for.
pub(super) fn join(shared: &Arc<Shared>) {
    RUN.with(|run| run.replace(Some(Arc::clone(shared))));
}

/// The run is over for this thread.
pub(super) fn leave() {
    // A thread of tokio's that ends may have dropped it already.
    let _ = RUN.try_with(|run| run.take());
}

/// Tells tokio's runtime to report who is polled, and nothing else: on several threads nothing is bent or counted.
#[cfg(tokio_unstable)]
pub(super) fn install_names(builder: &mut tokio::runtime::Builder) {
    builder.on_before_task_poll(|meta| TASK.set(Some(meta.spawned_at())));
}

/// Who acts at this moment on this thread.
pub(super) fn actor() -> Actor {
    name(ACTOR.get(), polled())
}

/// Where the task that is being polled was spawned. tokio knows whether there is one: asking it in the few places that
/// want to know is less than a second hook, after each poll.
fn polled() -> Option<&'static Location<'static>> {
    tokio::task::try_id().and(TASK.get())
}

fn name(tracked: Option<Tracked>, task: Option<&'static Location<'static>>) -> Actor {
    match (tracked, task) {
        (Some(Tracked::User(id)), _) => Actor::User(id),
        (Some(Tracked::Body), _) => Actor::World,
        (None, Some(location)) => Actor::Task(place(location).into()),
        (None, None) if tokio::task::try_id().is_some() => {
            Actor::Task("somewhere (tokio tells where with --cfg tokio_unstable)".into())
        }
        (None, None) => Actor::World,
    }
}

/// Who acts under this address in the spawn tree.
pub(super) fn actor_of(address: &str) -> Actor {
    let user = address.strip_prefix("user-");
    let id = user.map(|rest| rest.split_once('@').map_or(rest, |(id, _)| id));
    match id.and_then(|id| id.parse().ok()) {
        Some(id) => Actor::User(id),
        None if address == "body" => Actor::World,
        // By its place, as everything else that it does.
        None => Actor::Task(spawned_at().unwrap_or_else(|| address.to_owned()).into()),
    }
}

/// Calls `f` with the run of this thread, if it is a run's.
pub(super) fn with_run(f: impl FnOnce(&Shared)) {
    if let Some(shared) = RUN.with(|run| run.borrow().clone()) {
        f(&shared);
    }
}

/// Where the task that is being polled was spawned, if it is not one of the world's own.
pub(super) fn spawned_at() -> Option<String> {
    let location = TASK.get()?;
    (!location.file().contains("hyperlapse/src/world")).then(|| place(location))
}

/// Tasks that are spawned here, in words where they are the world's own.
pub(super) fn place_of_task(location: &Location<'_>) -> String {
    let file = location.file().replace('\\', "/");
    if file.ends_with("hyperlapse/src/world/drive.rs") {
        return "virtual users".to_owned();
    }
    if file.ends_with("hyperlapse/src/world/mod.rs") {
        return "the scenario's body".to_owned();
    }
    place(location)
}

/// Whether a task is known to be polled: what is asked outside of polls is asked by tokio itself, which measures
/// its own loop. Without its hooks only the users and the body are known.
pub(super) fn in_poll() -> bool {
    polled().is_some() || ACTOR.get().is_some()
}

/// Virtual time of this thread's run; zero before its clock runs.
pub(super) fn virtual_ns() -> u64 {
    let mut now = 0;
    let _ = RUN.try_with(|run| {
        if let Ok(run) = run.try_borrow() {
            now = run.as_ref().map_or(0, |shared| shared.now_ns());
        }
    });
    now
}

/// How many events there have been.
pub(super) fn events() -> u64 {
    let mut events = 0;
    with_run(|shared| events = shared.with(|recorder| recorder.events()));
    events
}

/// The payload of the panic of a fault that a scenario asked for: it was told where it struck.
pub(super) struct StruckPanic;

/// The payload of a panic that the world causes on purpose: a fault, not a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectedPanic(pub String);

/// Panics on a run's thread go into its record; all others to the hook that was there before.
pub(super) fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let run = RUN.try_with(|run| run.try_borrow().ok().and_then(|run| run.clone()));
            match run.ok().flatten() {
                Some(shared) => on_panic(&shared, info),
                None => previous(info),
            }
        }));
    });
}

fn on_panic(shared: &Shared, info: &PanicHookInfo<'_>) {
    let actor = actor();
    if info.payload().is::<StruckPanic>() {
        return;
    }
    if info.payload().is::<InjectedPanic>() {
        shared.emit(actor, EventKind::Fault("panic".into()));
        return;
    }
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("(a payload that is not text)").to_owned();
    let location = info.location().map_or_else(|| "an unknown place".to_owned(), place);
    let panic = Panic {
        at_ns: shared.now_ns(),
        actor: actor.to_string(),
        message: message.clone(),
        location: location.clone(),
    };
    shared.with(|recorder| recorder.panic(&panic));
    shared.emit(actor, EventKind::Panicked { message, location });
}

/// File, line and column, without the part of the path that depends on where the sources lie.
fn place(location: &Location<'_>) -> String {
    format!("{}:{}:{}", short_path(location.file()), location.line(), location.column())
}

/// The path of a source file without the part that depends on where the sources lie.
pub(crate) fn short_path(file: &str) -> String {
    let file = file.replace('\\', "/");
    // `<cargo home>/registry/src/<index>/<crate>-<version>/src/…`: from the crate on.
    let of_crate = ["/registry/src/", "/git/checkouts/"].iter().find_map(|folder| {
        let (_, rest) = file.split_once(folder)?;
        rest.split_once('/').map(|(_, rest)| rest.to_owned())
    });
    of_crate.unwrap_or(file)
}

pin_project_lite::pin_project! {
    /// A future whose polls are known to be those of the body or of a virtual user.
    pub(super) struct TrackedFuture<F> {
        actor: Tracked,
        #[pin]
        future: F,
    }
}

/// Tracks `future` as that of a user, or of the body.
pub(super) fn tracked<F: Future>(user: Option<u32>, future: F) -> TrackedFuture<F> {
    let actor = user.map_or(Tracked::Body, Tracked::User);
    TrackedFuture { actor, future }
}

impl<F: Future> Future for TrackedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        /// Puts back who acted before, also when the poll panics.
        struct Restore(Option<Tracked>);
        impl Drop for Restore {
            fn drop(&mut self) {
                ACTOR.set(self.0);
            }
        }
        let this = self.project();
        let _restore = Restore(ACTOR.replace(Some(*this.actor)));
        LAST_ACTOR.set(Some(*this.actor));
        let polled = this.future.poll(cx);
        #[cfg(not(tokio_unstable))]
        count_poll();
        polled
    }
}

/// Without tokio's hooks the users are all the tasks that are known.
#[cfg(not(tokio_unstable))]
pub(super) fn user_tasks(change: i64) {
    tasks(change);
}

fn tasks(change: i64) {
    let mut polls = POLLS.get();
    polls.tasks = polls.tasks.saturating_add_signed(change);
    POLLS.set(polls);
}

/// Tells tokio's runtime to report spawns, ends and polls of every task.
#[cfg(tokio_unstable)]
pub(super) fn install_task_hooks(builder: &mut tokio::runtime::Builder, profiled: bool) {
    if profiled {
        builder.on_after_task_poll(|_| super::profiler::after_poll());
    }
    builder
        .on_task_spawn(move |meta| {
            tasks(1);
            bend::spawned(meta.id());
            #[cfg(feature = "network")]
            crate::net::spawned(meta.id());
            if profiled {
                super::profiler::spawned(meta.spawned_at());
            }
        })
        .on_task_terminate(move |meta| {
            tasks(-1);
            bend::ended(meta.id());
            #[cfg(feature = "network")]
            crate::net::ended(meta.id());
        })
        .on_before_task_poll(move |meta| {
            // Of the poll before: who was polled then is still known.
            count_poll();
            TASK.set(Some(meta.spawned_at()));
            LAST_ACTOR.set(None);
            #[cfg(feature = "network")]
            crate::net::before_poll(meta.id());
            bend::before_poll(meta.id());
            if profiled {
                super::profiler::before_poll(meta.spawned_at());
            }
        });
}

/// Polls between two looks at the clock: a look costs more than a poll.
const CHECK_EVERY: u32 = 4_096;
/// Polls without progress of time that are a livelock, and how many more for each task that is alive:
/// a hundred thousand users may well all act at one instant.
const SPIN_LIMIT: u64 = 100_000;
const SPIN_LIMIT_PER_TASK: u64 = 1_000;

#[derive(Clone, Copy)]
struct Polls {
    since_progress: u64,
    at_ns: u64,
    tasks: u64,
}

fn count_poll() {
    let left = POLLS_LEFT.get() - 1;
    POLLS_LEFT.set(left);
    if left == 0 {
        POLLS_LEFT.set(CHECK_EVERY);
        let mut polls = POLLS.get();
        look_at_the_clock(&mut polls);
        POLLS.set(polls);
    }
}

#[cold]
fn look_at_the_clock(polls: &mut Polls) {
    let Some(shared) = RUN.with(|run| run.borrow().clone()) else { return };
    shared.life.beat();
    let now = shared.now_ns();
    shared.tell_reached(now);
    if now != polls.at_ns {
        (polls.at_ns, polls.since_progress) = (now, 0);
        return;
    }
    polls.since_progress += u64::from(CHECK_EVERY);
    if polls.since_progress > SPIN_LIMIT + SPIN_LIMIT_PER_TASK * polls.tasks {
        shared.life.spins(polls.since_progress, name(LAST_ACTOR.get(), TASK.get()));
    }
}

/// Signs of life of a run, for the thread that watches it and for its own root.
#[derive(Debug, Default)]
pub(super) struct Life {
    beats: AtomicU64,
    spun: Mutex<Option<(u64, String)>>,
    notify: Notify,
    look: Notify,
}

impl Life {
    /// Something happened.
    pub(super) fn beat(&self) {
        // One thread writes: no need to pay for a locked instruction.
        self.beats.store(self.beats().wrapping_add(1), Ordering::Relaxed);
    }

    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    fn spins(&self, polls: u64, actor: Actor) {
        let mut spun = self.spun.lock().unwrap_or_else(PoisonError::into_inner);
        if spun.is_none() {
            *spun = Some((polls, actor.to_string()));
            self.notify.notify_one();
        }
    }

    /// There is news of what may end the run.
    pub(super) fn look(&self) {
        self.look.notify_one();
    }

    /// Resolves when there is news of what may end the run.
    pub(super) async fn news(&self) {
        self.look.notified().await;
    }

    /// Resolves when tasks were found to spin: how often they were polled, and which was last.
    pub(super) async fn spinning(&self) -> (u64, String) {
        loop {
            self.notify.notified().await;
            if let Some(found) = &*self.spun.lock().unwrap_or_else(PoisonError::into_inner) {
                return found.clone();
            }
        }
    }
}
