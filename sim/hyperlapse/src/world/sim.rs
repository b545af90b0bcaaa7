//! The handle that a scenario's body has on its run.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Sleep;

use super::bend::{self, Visitor};
use super::context;
use super::drive::{Closure, Drive, Script};
#[cfg(feature = "disk")]
use super::moved::Moved;
use super::shared::Shared;
use super::user::User;
use crate::clock::Clock;
use crate::event::{Actor, EventKind, Text};
use crate::plan::Plan;
use crate::property::{Property, PropertyKind};
use crate::random::StreamRng;
use crate::scenario::Scenario;

/// The wall clock of every run begins here: 2030-01-01T00:00:00Z.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_893_456_000);
/// The handle on a run: virtual time, seeded randomness, virtual users, properties. Cheap to clone.
#[derive(Clone)]
pub struct Sim(Arc<Shared>);

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed()).field("now", &self.now()).finish()
    }
}

impl Sim {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.0.streams.seed()
    }

    /// The clock that the run goes by. On the [real one](Clock::Real) what follows here of virtual time is the host's.
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    /// The system under test is this process, a child of ours: on the real clock its memory and processor time are
    /// told, from here on, instead of our own. It does nothing on the virtual one.
    ///
    /// Call it where the system is made. The process must live until the scenario's body is over: what it took is
    /// read then, on Linux from `/proc`; elsewhere nothing is told of it.
    pub fn measure_process(&self, id: u32) {
        self.0.process.watch(id);
    }

    /// The stream of random numbers of this name. See [`Streams::stream`](crate::Streams::stream).
    pub fn rng(&self, name: impl Display) -> StreamRng {
        self.0.streams.stream(name)
    }

    /// Virtual time since the run began.
    #[inline]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.now_ns())
    }

    /// The same in nanoseconds: a number for clocks, which are looked at often.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    /// The wall clock of the run: it begins at 2030-01-01T00:00:00Z and moves with virtual time.
    pub fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + EPOCH + self.now()
    }

    /// Sleeps in virtual time, from now on; tokio rounds up to a whole millisecond.
    #[inline]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now().saturating_add(duration))
    }

    /// Sleeps until so long after the run began; tokio rounds up to a whole millisecond.
    #[inline]
    pub fn sleep_until(&self, at: Duration) -> Sleep {
        tokio::time::sleep_until(self.0.instant(at))
    }

    /// The scenario that is run.
    pub fn scenario(&self) -> &Scenario {
        &self.0.scenario
    }

    /// What the load will be.
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// The suite's own settings of this type. See [`Scenario::settings`].
    ///
    /// # Panics
    /// When the suite never registered them.
    pub fn settings<T: Any + Send + Sync>(&self) -> &T {
        self.0.scenario.settings(None)
    }

    /// Plays the scenario's workload: every virtual user calls `user` once for each of its iterations.
    /// Await it; it is over when the last user has left.
    ///
    /// # Panics
    /// When awaited a second time in one run: the plan is the load of the whole run.
    pub fn drive<F, Fut>(&self, user: F) -> Drive<impl Script + use<F, Fut>>
    where
        F: Fn(User) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Drive::new(self.clone(), Closure(user))
    }

    /// As [`Sim::drive`], for a script that is a type of its own: see [`Script`].
    ///
    /// # Panics
    /// As [`Sim::drive`].
    pub fn play<S: Script>(&self, script: S) -> Drive<S> {
        Drive::new(self.clone(), script)
    }

    /// The same with something that all users share, each iteration with a clone of it: an `Arc`, a pool, a tuple of such.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use hyperlapse::{AllAtOnce, Test};
    /// # use tokio::sync::Mutex;
    /// # fn main() {
    /// # Test::new("visits").seeds(3).workload(AllAtOnce::users(5)).run(|sim| async move {
    /// let visits = Arc::new(Mutex::new(0));
    /// sim.drive_with(&visits, |_user, visits| async move { *visits.lock().await += 1 }).await;
    /// assert_eq!(*visits.lock().await, 5);
    /// # });
    /// # }
    /// ```
    ///
    /// # Panics
    /// As [`Sim::drive`].
    pub fn drive_with<T, F, Fut>(&self, shared: &T, user: F) -> Drive<impl Script + use<T, F, Fut>>
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(User, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let shared = shared.clone();
        self.drive(move |its| user(its, shared.clone()))
    }

    /// A virtual user outside of the workload, for scenarios that act step by step.
    pub fn user(&self, id: u32) -> User {
        let kind = self.0.plan.kind_of_user.get(id as usize).copied().unwrap_or(0);
        User::new(self.clone(), id, kind)
    }

    /// How many users there shall be from now on, in the part of the load that the script controls
    /// ([`Controlled`](crate::Controlled)): more come at once, and who came last leaves after the iteration under way. It does
    /// nothing in a load without such a part.
    pub fn set_users(&self, users: u32) {
        self.0.wanted.set(users);
    }

    /// Bends the run no more: from here on tasks go in tokio's own order. For the end of a scenario, where
    /// it is probed whether the system has recovered.
    pub fn calm(&self) {
        bend::calm();
    }

    /// Comes by `site` with a step of the system that takes so long: the scenario's faults may strike here, as
    /// in [`User::step`]. For what the system depends on: a database, a model, another service. The visitor is
    /// the task that asks.
    ///
    /// # Errors
    /// As [`User::step`].
    ///
    /// # Panics
    /// As [`User::step`].
    pub async fn step(&self, site: &'static str, work: Duration) -> Result<Duration, Text> {
        if !bend::may_strike() {
            return Ok(work);
        }
        let visitor = Visitor { actor: bend::current_address(), iteration: None, kind: None };
        bend::step(&self.0, visitor, site, work).await
    }

    /// Says how explanations show the system's state, in a few words: `2 active, 1 waiting`. Called between
    /// polls, and only when a failure is explained; it must not change anything.
    pub fn show_state(&self, state: impl Fn() -> String + 'static) {
        if self.0.clock == Clock::Real {
            // Nobody explains a run that does not repeat itself.
            return;
        }
        context::set_state(Box::new(state));
    }

    /// Says how many operations the system lets go on at once, from now on: reports show the active ones against
    /// it. Called again when it changes; it is no event and changes nothing.
    pub fn show_capacity(&self, level: u64) {
        let at_ns = self.0.now_ns();
        self.0.with(|recorder| recorder.capacity(at_ns, level));
    }

    /// How many tasks of the world a decision holds back at the moment: they were woken, and go on only later. What
    /// is promised within some time is promised to tasks that run.
    pub fn held_back(&self) -> u64 {
        bend::late_tasks()
    }

    /// Something that another part of the world has to tell.
    #[cfg(feature = "network")]
    pub(crate) fn emit_as(&self, actor: Actor, kind: EventKind) {
        self.0.emit(actor, kind);
    }

    /// Notes something in the event stream: it shows in traces and counts for the fingerprint.
    pub fn note(&self, text: impl Into<Text>) {
        self.0.emit(Actor::World, EventKind::Note(text.into()));
    }

    /// Counts one check of a property.
    ///
    /// # Panics
    /// When a property of the same name is checked as another kind elsewhere.
    pub fn check(&self, property: &Property, holds: bool) {
        self.check_with(property, holds, String::new);
    }

    /// Counts one check of a property; `detail` says what was seen, if it does not hold.
    ///
    /// # Panics
    /// As [`Sim::check`].
    pub fn check_with(&self, property: &Property, holds: bool, detail: impl FnOnce() -> String) {
        // What is checked of a `never` is what must not happen.
        if holds != (property.kind() == PropertyKind::Never) {
            self.0.holds(property);
        } else {
            self.0.fails(property, detail());
        }
    }

    /// Ends the measurement of the run's memory, and of what it moves, here rather than with the scenario's body: while
    /// the system is still alive, and what it failed to free with it.
    pub(crate) fn mark_after(&self) {
        self.0.mark_after();
    }

    /// What disks and links do.
    #[cfg(feature = "disk")]
    pub(crate) fn moved(&self) -> &Moved {
        self.0.moved()
    }
}
