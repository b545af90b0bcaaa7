//! The handle that a scenario's code has on its run.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, Sleep};

use super::bend::{self, Visitor};
use super::biased::Biased;
use super::context::{self, Life};
use super::drive::{Drive, Wanted};
use super::moved::Moved;
use super::recorder::Recorder;
use super::user::User;
use super::{Ended, Reached, RunOptions, real};
use crate::alloc;
use crate::clock::Clock;
use crate::decision::{DecisionKind, Fault, Strategy, StrategyChoice};
use crate::event::{Actor, Event, EventKind, Text};
use crate::metrics::{Memory, Tags};
use crate::plan::Plan;
use crate::property::{Property, PropertyKind};
use crate::random::{StreamRng, Streams};
use crate::record::{Host, Outcome, Record};
use crate::scenario::Scenario;
use crate::units;

/// The wall clock of every run begins here: 2030-01-01T00:00:00Z.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_893_456_000);

/// What all handles of one run share.
pub(crate) struct Shared {
    scenario: Scenario,
    plan: Plan,
    streams: Streams,
    strategy: StrategyChoice,
    clock: Clock,
    /// What the process under test takes, on the real clock.
    pub(super) process: real::Process,
    start: OnceLock<Instant>,
    recorder: Biased<Recording>,
    last_event_ns: AtomicU64,
    /// On several threads: how far the record has come.
    recorded_ns: AtomicU64,
    memory: Mutex<MemoryMarks>,
    moved: Moved,
    operations: AtomicU64,
    iterations: AtomicU64,
    driven: AtomicBool,
    aborted: OnceLock<Outcome>,
    wanted: Wanted,
    pub(super) life: Life,
    reached: Option<Reached>,
}

/// Where a run's record is in its life.
enum Recording {
    /// It is being written.
    Open(Box<Recorder>),
    /// The run is over: what happens while tasks are torn down is not part of it.
    Closed(Box<Recorder>),
    /// It was handed over.
    Taken,
}

#[derive(Default)]
struct MemoryMarks {
    before: Option<(i64, u64)>,
    after: Option<Memory>,
}

impl Shared {
    pub(super) fn new(scenario: &Scenario, options: &RunOptions) -> Self {
        let plan = Plan::new(scenario, options.seed);
        let mut recorder = Recorder::new(scenario, &plan, options.keep, &options.properties);
        let process = real::Process::default();
        if options.clock == Clock::Real {
            recorder.collector.watch_memory(process.resident());
        }
        Self {
            scenario: scenario.clone(),
            plan,
            streams: Streams::new(options.seed),
            strategy: options.strategy.clone(),
            clock: options.clock,
            process,
            start: OnceLock::new(),
            recorder: Biased::new(Recording::Open(Box::new(recorder))),
            last_event_ns: AtomicU64::new(0),
            recorded_ns: AtomicU64::new(0),
            memory: Mutex::default(),
            moved: Moved::default(),
            operations: AtomicU64::new(0),
            iterations: AtomicU64::new(0),
            driven: AtomicBool::new(false),
            aborted: OnceLock::new(),
            wanted: Wanted::default(),
            life: Life::default(),
            reached: options.reached.clone(),
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(super) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// What bends this run.
    pub(super) fn strategy(&self) -> Option<Box<dyn Strategy>> {
        self.strategy.make(&self.streams, self.scenario.decisions(), self.scenario.faults())
    }

    /// Whether it is to be found out where operations could be cancelled.
    pub(super) fn surveys(&self) -> bool {
        self.strategy == StrategyChoice::CancelEach
    }

    /// What a dependency says when it fails at this site.
    pub(super) fn fault_error(&self, site: &str) -> String {
        let at_site = |fault: &&Fault| fault.site == site && fault.kind == DecisionKind::Error;
        let fault = self.scenario.faults().iter().find(at_site);
        fault.map_or_else(|| "injected error".to_owned(), |fault| fault.error.clone())
    }

    pub(super) fn start_clock(&self) {
        self.start.set(Instant::now()).expect("the clock of a run is started once");
    }

    /// Virtual time since the start, in nanoseconds.
    #[inline]
    pub(super) fn now_ns(&self) -> u64 {
        context::now_ns(self)
    }

    /// The same as tokio's clock says now.
    pub(super) fn read_clock(&self) -> u64 {
        self.start.get().map_or(0, |start| units::nanos(start.elapsed()))
    }

    /// The moment so long after the start.
    ///
    /// Whoever sleeps for a while need not ask tokio's clock for the time, as `tokio::time::sleep` does: the world
    /// has read it in this poll already.
    #[inline]
    pub(super) fn instant(&self, at: Duration) -> Instant {
        /// What tokio itself takes for "far in the future".
        const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
        let start = *self.start.get().expect("nobody sleeps before the clock runs");
        start.checked_add(at).unwrap_or_else(|| start + FAR)
    }

    /// Tells who waits how far the run has come.
    pub(super) fn tell_reached(&self, now_ns: u64) {
        if let Some(reached) = &self.reached {
            reached.tell(now_ns);
        }
    }

    /// This moment, without a look at tokio's clock.
    pub(super) fn now(&self) -> Instant {
        self.instant(Duration::from_nanos(self.now_ns()))
    }

    /// The number of the next operation, from 0.
    pub(super) fn next_operation(&self) -> u64 {
        self.next(&self.operations)
    }

    /// Counts one, and gives what was before.
    fn next(&self, counter: &AtomicU64) -> u64 {
        if self.clock == Clock::Real {
            return counter.fetch_add(1, Ordering::Relaxed);
        }
        // Only the run's own thread counts: no need to pay for a locked instruction.
        let number = counter.load(Ordering::Relaxed);
        counter.store(number + 1, Ordering::Relaxed);
        number
    }

    /// Counts an iteration that begins.
    pub(super) fn iteration_begins(&self) {
        self.next(&self.iterations);
    }

    /// How many users the script wants.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether this is the first load that the run drives.
    pub(super) fn drives_first(&self) -> bool {
        !self.driven.swap(true, Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn emit(&self, actor: Actor, kind: EventKind) {
        self.emit_tagged(actor, kind, Tags::default());
    }

    /// Inlined, and then only lent: an event that is passed on by value is moved in parts that are read as one, for
    /// which a processor waits until they are stored (30 ns a conversation). The log copies what it keeps.
    #[inline(always)]
    pub(super) fn emit_tagged(&self, actor: Actor, kind: EventKind, tags: Tags) {
        let event = Event { at_ns: self.now_ns(), actor, kind, tags };
        match self.clock {
            Clock::Virtual => self.record(&event),
            Clock::Real => self.record_in_order(event),
        }
    }

    fn record(&self, event: &Event) {
        self.life.beat();
        self.recorder.with(|recording| self.push(recording, event));
        self.look_if_it_starts(event);
    }

    /// The same on several threads. Who looked at the clock first need not come to the record first: whoever comes behind a
    /// later one is told at the time of that, some microseconds late. The record goes on in the order of its times.
    #[cold]
    fn record_in_order(&self, mut event: Event) {
        self.life.beat();
        self.recorder.with(|recording| {
            event.at_ns = self.in_order(event.at_ns);
            self.push(recording, &event);
        });
        self.look_if_it_starts(&event);
    }

    /// This moment, or the last one that the record has come to. For whoever is inside of the recorder, on several threads.
    fn in_order(&self, at_ns: u64) -> u64 {
        at_ns.max(self.recorded_ns.fetch_max(at_ns, Ordering::Relaxed))
    }

    #[inline(always)]
    fn push(&self, recording: &mut Recording, event: &Event) {
        if let Recording::Open(recorder) = recording {
            self.last_event_ns.store(event.at_ns, Ordering::Relaxed);
            // Nothing of the recorder's counts.
            let _uncounted = alloc::uncounted();
            if recorder.push(event) {
                self.abort(recording, event.at_ns);
            }
        }
    }

    #[inline(always)]
    fn look_if_it_starts(&self, event: &Event) {
        if matches!(event.kind, EventKind::LoadStarted) {
            self.life.look();
        }
    }

    /// Looks whether a window that ends now breaks a threshold for good.
    pub(super) fn look(&self) {
        let now_ns = self.now_ns();
        let _uncounted = alloc::uncounted();
        self.recorder.with(|recording| {
            let now_ns = if self.clock == Clock::Real { self.in_order(now_ns) } else { now_ns };
            if let Recording::Open(recorder) = recording {
                recorder.collector.come_to(now_ns);
                if recorder.collector.broken().is_some() {
                    self.abort(recording, now_ns);
                }
            }
        });
    }

    /// When to look next, in virtual time since the start.
    pub(super) fn next_look_ns(&self) -> Option<u64> {
        self.with(|recorder| recorder.collector.next_look_ns())
    }

    /// Ends the run here: what tasks do until they are torn down is not part of it.
    #[cold]
    fn abort(&self, recording: &mut Recording, at_ns: u64) {
        let Recording::Open(mut open) = std::mem::replace(recording, Recording::Taken) else {
            return;
        };
        if let Some(broken) = open.collector.broken() {
            let threshold = self.scenario.thresholds()[broken.threshold].to_string();
            let kind = EventKind::Aborted(threshold.clone().into());
            open.push(&Event::new(at_ns, Actor::World, kind));
            let _ = self.aborted.set(Outcome::Aborted { threshold, at_ns });
        }
        *recording = Recording::Closed(open);
        self.life.look();
    }

    /// How the run ended, if a threshold ended it.
    pub(super) fn aborted(&self) -> Option<Outcome> {
        self.aborted.get().cloned()
    }

    /// When the clock was started.
    pub(super) fn started(&self) -> Instant {
        *self.start.get().expect("the clock was started before anybody looks at it")
    }

    /// What `f` allocates does not count as the run's; it must not free what does.
    pub(super) fn with<T: Default>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        let _uncounted = alloc::uncounted();
        self.with_open(f)
    }

    fn with_open<T: Default>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        let done = self.recorder.with(|recording| match recording {
            Recording::Open(recorder) => Some(f(recorder)),
            Recording::Closed(_) | Recording::Taken => None,
        });
        done.flatten().unwrap_or_default()
    }

    /// Counts one check that holds: the way that nearly all of them go.
    fn holds(&self, property: &Property) {
        let at_ns = self.now_ns();
        // Nothing of the scenario's runs, and nothing panics, while the recorder is locked.
        let counted = self.with_open(|recorder| Some(recorder.properties.holds(property, at_ns)));
        // `None`: the run is over.
        if let Some(Err(wrong_kind)) = counted {
            panic!("{wrong_kind}");
        }
    }

    /// Counts one check that does not hold.
    #[cold]
    fn fails(&self, property: &Property, detail: String) {
        let at_ns = self.now_ns();
        match self.with(|recorder| Some(recorder.properties.fails(property, at_ns, &detail))) {
            Some(Err(wrong_kind)) => panic!("{wrong_kind}"),
            Some(Ok(true)) => {
                let property = property.name().into();
                self.emit(context::actor(), EventKind::Violated { property, detail });
            }
            Some(Ok(false)) | None => {}
        }
    }

    /// The record is written by this thread from here on.
    pub(super) fn open(&self) {
        self.recorder.own();
    }

    /// The record is complete.
    pub(super) fn close(&self) {
        self.recorder.with(|recording| {
            *recording = match std::mem::replace(recording, Recording::Taken) {
                Recording::Open(open) => Recording::Closed(open),
                // The watcher has given the run up meanwhile.
                other => other,
            };
        });
        self.recorder.disown();
    }

    pub(super) fn last_event_ns(&self) -> u64 {
        self.last_event_ns.load(Ordering::Relaxed)
    }

    pub(super) fn mark_memory_before(&self) {
        if self.clock == Clock::Real {
            return self.process.begin();
        }
        let mut marks = lock(&self.memory);
        alloc::reset_peak();
        marks.before = Some((alloc::live_bytes(), alloc::allocations()));
    }

    /// The load is over: what was moved, and the heap, are those of this moment. The first time counts.
    pub(super) fn mark_after(&self) {
        self.mark_memory_after();
        let _uncounted = alloc::uncounted();
        self.moved.over();
    }

    /// What disks and links did until the load was over.
    pub(super) fn moved(&self) -> &Moved {
        &self.moved
    }

    /// The first mark counts.
    pub(super) fn mark_memory_after(&self) {
        if self.clock == Clock::Real {
            return self.process.end();
        }
        let mut marks = lock(&self.memory);
        if let (Some((before, allocations)), None) = (marks.before, &marks.after) {
            let (after, peak) = (alloc::live_bytes(), alloc::peak_bytes());
            marks.after = Some(Memory {
                before,
                after,
                peak,
                growth: after - before,
                allocations: alloc::allocations() - allocations,
                series: Vec::new(),
            });
        }
    }

    pub(super) fn memory(&self) -> Option<Memory> {
        self.mark_after();
        if self.clock == Clock::Real {
            return self.process.memory();
        }
        lock(&self.memory).after.clone().filter(|_| alloc::is_counting())
    }

    pub(super) fn into_record(
        self: Arc<Self>,
        options: RunOptions,
        ended: Ended,
        host: Host,
    ) -> Record {
        // That of a run that hangs is still open; whatever comes after this finds it taken.
        let recording = self.recorder.with(|it| std::mem::replace(it, Recording::Taken));
        let recorder = match recording {
            Some(Recording::Open(recorder) | Recording::Closed(recorder)) => recorder,
            Some(Recording::Taken) | None => panic!("the record of a run is taken once"),
        };
        let iterations = self.iterations.load(Ordering::Relaxed);
        recorder.finish(&self.scenario, options, ended, iterations, host)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is done under these locks cannot panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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

    /// The stream of random numbers of this name. See [`Streams::stream`].
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
    pub fn drive<F, Fut>(&self, user: F) -> Drive<F>
    where
        F: Fn(User) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Drive::new(self.clone(), user)
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
    pub fn drive_with<T, F, Fut>(
        &self,
        shared: &T,
        user: F,
    ) -> Drive<impl Fn(User) -> Fut + Send + Sync + use<T, F, Fut>>
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
