//! One run: a system under load, in virtual time, on one seed.
//!
//! Every run has a fresh OS thread (a reused one would change what `HashMap` iterates first) with a
//! paused current-thread tokio runtime on it, seeded. The thread that called [`run`] watches over it on
//! the host's clock, so that even a task that never returns from its poll ends as a named failure.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`sim`] | the handle that a scenario's code has on the run |
//! | [`user`] | a virtual user and its operations |
//! | [`sample`] | what users record of their own |
//! | [`drive`] | plays a plan's waves |
//! | [`recorder`] | takes events, leaves a record |
//! | [`biased`] | the lock around it, which costs the run's own thread nothing |
//! | [`host`] | random bytes and time, from the seed instead of from the host |
//! | [`bend`] | where decisions are asked for and carried out |
//! | [`profiler`] | what tasks take of the host, by where they were spawned |
//! | [`moved`] | what disks and links did until the load was over |
//! | [`listen`] | what the system says through `tracing`, for explanations |
//! | [`real`] | the same on the host's clock, on several threads |
//! | [`context`] | what the run's thread knows: who is being polled, who panics, who spins |

// Without tokio's hooks nobody tells of tasks that the system spawns.
#[cfg_attr(not(tokio_unstable), allow(dead_code))]
pub(crate) mod bend;
mod biased;
mod context;
mod drive;
pub(crate) mod host;
mod listen;
pub(crate) mod moved;
mod profiler;
mod real;
mod recorder;
mod sample;
mod shared;
mod sim;
mod user;

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use crate::alloc;
use crate::clock::Clock;
use crate::decision::{Address, StrategyChoice};
use crate::event::Keep;
use crate::explain::place::Places;
use crate::guard::HostSource;
use crate::io::IoRecord;
use crate::metrics::Memory;
use crate::profile::TaskProfile;
use crate::property::Property;
use crate::record::{Host, MAX_WAITING, Outcome, Profile, Record, Waiting};
use crate::scenario::Scenario;
use crate::units;
#[cfg(feature = "network")]
pub(crate) use bend::{IdHasher, name_next_task};
#[cfg(any(feature = "network", feature = "disk"))]
pub(crate) use bend::{current_address, strikes};
pub use context::InjectedPanic;
pub(crate) use context::short_path;
pub use drive::{Drive, Script};
use host::asked::Asked;
pub use real::Interrupt;
pub use sample::Observation;
use shared::Shared;
#[cfg(any(feature = "cli", feature = "disk"))]
pub(crate) use sim::EPOCH;
pub use sim::Sim;
pub use user::{Operation, User};

/// Time since 1970 on a run's thread, by the run's own clock; elsewhere the moment at which every run begins.
#[cfg(feature = "disk")]
pub(crate) fn wall_clock() -> Duration {
    EPOCH + Duration::from_nanos(context::virtual_ns())
}

/// What a run is told beside its scenario.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The seed of all randomness.
    pub seed: u64,
    /// The clock that it goes by. On the real one nothing bends a run, whatever `strategy` says, and nothing of the host is
    /// answered from the seed.
    pub clock: Clock,
    /// Ends a run on the real clock early.
    pub interrupt: Option<Interrupt>,
    /// What the record calls the system.
    pub system: String,
    /// What the record says was set: path and value.
    pub set: Vec<(String, String)>,
    /// Properties that the scenario promises to check.
    pub properties: Vec<Property>,
    /// Which events are kept as they are.
    pub keep: Keep,
    /// What bends the run.
    pub strategy: StrategyChoice,
    /// Whether it is noted where tasks stand, for an explanation: slower by far, with the same events.
    pub places: bool,
    /// Whether it is noted who asks the host for something: slower, and it costs the run's own memory.
    pub names_askers: bool,
    /// A source of the host's that answers otherwise than it would: see [`crate::HostSource`].
    pub moved: Option<HostSource>,
    /// Whether the run has a process of its own, as far as it is one of a suite's command; see [`Suite::main`](crate::Suite::main).
    pub isolate: bool,
    /// Whether it is found out where its time goes: slower by far, with the same events.
    pub profile: bool,
    /// Where to tell, now and then, how far the run has come.
    pub reached: Option<Reached>,
    /// Time on the host's clock without any sign of life after which the run is given up.
    pub hang_after: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            clock: Clock::Virtual,
            interrupt: None,
            system: "system".to_owned(),
            set: Vec::new(),
            properties: Vec::new(),
            keep: Keep::default(),
            strategy: StrategyChoice::default(),
            places: false,
            isolate: false,
            profile: false,
            names_askers: false,
            moved: None,
            reached: None,
            hang_after: Duration::from_secs(30),
        }
    }
}

impl RunOptions {
    /// The defaults with this seed.
    pub fn seed(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }
}

/// How far a run has come, for another thread that waits for it: see [`RunOptions::reached`].
///
/// It is told every few thousand polls, some times in a millisecond of the host's.
#[derive(Debug, Clone, Default)]
pub struct Reached(Arc<AtomicU64>);

impl Reached {
    /// Virtual time since the start of the run, as it was told last.
    pub fn virtual_time(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn tell(&self, now_ns: u64) {
        self.0.store(now_ns, Ordering::Relaxed);
    }
}

/// Runs `body` once: it sets the system up, drives users against it and checks what came of it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use hyperlapse::{AllAtOnce, RunOptions, Scenario, Verdict};
/// use tokio::sync::Semaphore;
///
/// let scenario = Scenario::builder("permits", AllAtOnce::users(5))
///     .threshold("response.max <= 300ms")
///     .build()
///     .unwrap();
/// let record = hyperlapse::run(&scenario, RunOptions::seed(7), |sim| async move {
///     let permits = Arc::new(Semaphore::new(2));
///     sim.drive(move |user| {
///         let permits = permits.clone();
///         async move {
///             let mut operation = user.operation();
///             let _permit = permits.acquire().await.unwrap();
///             operation.accepted();
///             user.sleep(Duration::from_millis(100)).await;
///             operation.completed();
///         }
///     })
///     .await;
/// });
/// assert!(Verdict::of(&record, scenario.thresholds()).passed());
/// assert_eq!(record.metrics.operations.response.max_ns, 300_000_000);
/// ```
///
/// # Panics
/// When the operating system gives no thread. What panics inside of the run is in its record.
pub fn run<F, Fut>(scenario: &Scenario, options: RunOptions, body: F) -> Record
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    context::install_panic_hook();
    let began = Instant::now();
    // Made here and not on the run's thread, so that recording does not count as the run's memory.
    let shared = Arc::new(Shared::new(scenario, &options));
    let (done, result) = sync_channel(1);
    let on_thread = Arc::clone(&shared);
    let how = options.clone();
    let thread = thread::Builder::new()
        .name("hyperlapse run".to_owned())
        .spawn(move || {
            // The watcher is gone only when it has given this run up.
            let _ = done.send(match how.clock {
                Clock::Virtual => on_this_thread(&on_thread, &how, body),
                Clock::Real => real::on_several_threads(&on_thread, &how, body),
            });
        })
        .expect("the operating system has a thread for the run");

    let ended = watch(&shared, &result, options.hang_after);
    if !matches!(ended.outcome, Outcome::Hung { .. }) {
        // A panic here is one while the runtime was torn down, after the record was complete.
        let _ = thread.join();
    }
    let host = Host {
        wall_ns: units::nanos(began.elapsed()),
        rss_bytes: rss_bytes(),
        profile: Profile::current(),
        spent: (options.clock == Clock::Real).then(|| shared.process.spent()),
    };
    shared.into_record(options, ended, host)
}

/// The record of a run whose process died: what it had recorded died with it.
pub(crate) fn crashed(scenario: &Scenario, options: RunOptions, how: String) -> Record {
    let shared = Arc::new(Shared::new(scenario, &options));
    shared.into_record(options, Ended::with(Outcome::Crashed { how }, 0), Host::default())
}

struct Ended {
    outcome: Outcome,
    virtual_ns: u64,
    memory: Option<Memory>,
    io: IoRecord,
    taken: bend::Taken,
    places: Places,
    asked: Asked,
    tasks: BTreeMap<String, TaskProfile>,
}

impl Ended {
    /// Of a run that nothing more is known of.
    fn with(outcome: Outcome, virtual_ns: u64) -> Self {
        Self {
            outcome,
            virtual_ns,
            memory: None,
            io: IoRecord::default(),
            taken: bend::Taken::default(),
            places: Places::default(),
            asked: Asked::default(),
            tasks: BTreeMap::new(),
        }
    }
}

/// Waits for the run, and gives it up when it shows no sign of life for `hang_after`.
fn watch(
    shared: &Shared,
    result: &std::sync::mpsc::Receiver<Ended>,
    hang_after: Duration,
) -> Ended {
    let mut seen = shared.life.beats();
    let mut seen_at = Instant::now();
    loop {
        match result.recv_timeout(Duration::from_millis(200).min(hang_after)) {
            Ok(ended) => return ended,
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the run's thread ended without saying how: a bug of the world")
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let beats = shared.life.beats();
        if beats != seen {
            (seen, seen_at) = (beats, Instant::now());
        } else if seen_at.elapsed() >= hang_after {
            let outcome = Outcome::Hung { seconds: seen_at.elapsed().as_secs() };
            // All else lies on the thread that does not answer.
            return Ended::with(outcome, shared.last_event_ns());
        }
    }
}

fn on_this_thread<F, Fut>(shared: &Arc<Shared>, how: &RunOptions, body: F) -> Ended
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let _context = context::enter(shared);
    shared.open();
    bend::begin(shared.strategy(), shared.surveys());
    if how.places {
        bend::place::begin();
    }
    let listening = how.places.then(listen::begin);
    host::seed_this_thread(shared.streams(), how.moved);
    let select = bend::select_seed().unwrap_or(shared.streams().seed());
    let runtime = runtime(
        select ^ u64::from(how.moved == Some(HostSource::Select)).rotate_right(7),
        how.profile,
    );
    host::count(how.names_askers);
    if how.profile {
        profiler::begin();
    }
    let (outcome, virtual_ns) = runtime.block_on(async {
        shared.start_clock();
        // Looked at once: who moves it before anybody has looked would not be seen.
        shared.now_ns();
        let outcome = root(shared, body).await;
        context::forget_time();
        let virtual_ns = match outcome {
            Outcome::Aborted { at_ns, .. } => at_ns,
            _ => shared.now_ns(),
        };
        (outcome, virtual_ns)
    });
    // What tasks do when they are torn down is not part of the run.
    shared.close();
    drop(listening);
    let tasks = profiler::end();
    let taken = bend::end();
    let places = bend::place::end();
    let asked = host::release_this_thread();
    context::forget_state();
    let memory = shared.memory();
    let io = shared.moved().take();
    // A destructor of the system may panic; the record stands all the same.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(runtime)));
    #[cfg(feature = "network")]
    crate::net::end();
    Ended {
        outcome,
        virtual_ns,
        memory,
        io,
        taken,
        places: places.map(Places::of).unwrap_or_default(),
        asked,
        tasks,
    }
}

fn runtime(seed: u64, profiled: bool) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    context::install_park_hooks(&mut builder);
    #[cfg(tokio_unstable)]
    {
        let mut bytes = *b"tokio 00000000";
        bytes[6..].copy_from_slice(&seed.to_le_bytes());
        builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&bytes));
        context::install_task_hooks(&mut builder, profiled);
    }
    #[cfg(not(tokio_unstable))]
    let _ = (seed, profiled);
    builder.build().expect("a runtime without an I/O driver needs nothing that could be missing")
}

/// Runs the body as a task, until it ends, the virtual deadline comes, or tasks spin in place.
async fn root<F, Fut>(shared: &Arc<Shared>, body: F) -> Outcome
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (deadline, quiet) = (shared.plan().deadline, shared.plan().quiet);
    let sim = Sim::new(Arc::clone(shared));
    alloc::reset_peak();
    shared.mark_memory_before();
    let address = || Address::from("body");
    bend::name_next(address);
    let mut task = tokio::spawn(bend::wrapped(address, async move {
        let shared = Arc::clone(sim.shared());
        context::tracked(None, body(sim)).await;
        shared.mark_after();
    }));
    let mut stop = pin!(stopped(shared, deadline, quiet));
    let mut spinning = pin!(shared.life.spinning());
    let mut aborted = pin!(aborted(shared));
    std::future::poll_fn(|cx| {
        // First of all: what comes after that is not part of the run.
        if let Poll::Ready(outcome) = aborted.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        if let Poll::Ready(ended) = pin!(&mut task).poll(cx) {
            return Poll::Ready(match ended {
                Ok(()) => Outcome::Finished,
                Err(_) => Outcome::BodyPanicked,
            });
        }
        if let Poll::Ready((polls, task)) = spinning.as_mut().poll(cx) {
            return Poll::Ready(Outcome::Livelock { polls, task });
        }
        if let Poll::Ready(after) = stop.as_mut().poll(cx) {
            return Poll::Ready(deadline_reached(shared, after));
        }
        Poll::Pending
    })
    .await
}

/// Resolves when a threshold is broken for good that ends the run. Looks at the end of each window of such a
/// threshold, also when nothing happens.
async fn aborted(shared: &Shared) -> Outcome {
    loop {
        if let Some(outcome) = shared.aborted() {
            return outcome;
        }
        match shared.next_look_ns() {
            None => shared.life.news().await,
            Some(at_ns) => {
                let at = shared.started() + Duration::from_nanos(at_ns);
                if tokio::time::timeout_at(at, shared.life.news()).await.is_err() {
                    shared.look();
                }
            }
        }
    }
}

/// Resolves at the virtual deadline, or when nothing has happened for long, with the time since the start.
async fn stopped(shared: &Shared, deadline: Duration, quiet: Option<Duration>) -> Duration {
    let start = tokio::time::Instant::now();
    loop {
        let last = Duration::from_nanos(shared.last_event_ns());
        let end = quiet.map_or(deadline, |quiet| deadline.min(last.saturating_add(quiet)));
        if start.elapsed() >= end {
            return end;
        }
        tokio::time::sleep_until(start + end).await;
    }
}

fn deadline_reached(shared: &Shared, deadline: Duration) -> Outcome {
    let (waiting, waiting_total) = shared.with(|recorder| {
        let present = recorder.collector.users.waiting();
        let named = present.take(MAX_WAITING).map(|(user, doing, since_ns)| Waiting {
            actor: format!("user {user}"),
            doing: doing.text().to_owned(),
            since_ns,
        });
        (named.collect(), recorder.collector.users.waiting().count() as u64)
    });
    Outcome::DeadlineReached { deadline_ns: units::nanos(deadline), waiting, waiting_total }
}

#[cfg(feature = "cli")]
fn rss_bytes() -> Option<u64> {
    memory_stats::memory_stats().map(|stats| stats.physical_mem as u64)
}

#[cfg(not(feature = "cli"))]
fn rss_bytes() -> Option<u64> {
    None
}
