//! Deterministic simulation and load testing for services on stock tokio: minutes of load in
//! milliseconds, the same bytes for the same seed.
//!
//! A *scenario* is data: a workload, thresholds, settings. Its *body* is an async function that sets a
//! system up, drives virtual users against it and checks properties. A *run* plays a scenario on one
//! seed in virtual time and leaves a *record*; a *verdict* judges the record by thresholds and
//! properties. What follows is all of it; a project with several scenarios puts them under one command
//! with a [`Suite`].
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use hyperlapse::{ConstantUsers, Property, RunOptions, Scenario, Verdict};
//! use tokio::sync::Semaphore;
//!
//! const ALL_BACK: Property = Property::eventually("all back", "every permit is given back");
//!
//! // Ten users share four permits for five minutes, with a think time of 50 ms.
//! let load = ConstantUsers::new(10, Duration::from_secs(300)).pause(Duration::from_millis(50));
//! let scenario = Scenario::builder("permits", load)
//!     .threshold("response.p95 < 300ms")
//!     .threshold("throughput over 30s >= 90% of median")
//!     .build()
//!     .unwrap();
//!
//! let record = hyperlapse::run(&scenario, RunOptions::seed(7), |sim| async move {
//!     let permits = Arc::new(Semaphore::new(4));
//!     let shared = permits.clone();
//!     sim.drive(move |user| {
//!         let permits = shared.clone();
//!         async move {
//!             let mut operation = user.operation();
//!             let asked = user.sim().now();
//!             let _permit = permits.acquire().await.unwrap();
//!             operation.accepted_after(user.sim().now() - asked);
//!             user.sleep(Duration::from_millis(100)).await;
//!             operation.completed();
//!         }
//!     })
//!     .await;
//!     sim.check(&ALL_BACK, permits.available_permits() == 4);
//! });
//!
//! let verdict = Verdict::of(&record, scenario.thresholds());
//! assert!(verdict.passed(), "{:?}", verdict.failures);
//! assert_eq!(record.metrics.duration_ns / 1_000_000_000, 300);
//! ```
//!
//! # The way of the data
//!
//! ```text
//! Scenario + seed -> Plan -> run -> Events -> Record -> Verdict -> reports
//! ```
//!
//! | what | where |
//! | --- | --- |
//! | scenarios as data, their files, `--set` | [`Scenario`], [`Suite`], [`Override`] |
//! | who arrives when | [`Workload`] and its models, [`Plan`] |
//! | a test of `cargo test` on many seeds | `#[hyperlapse::test]`, [`Test`], [`SuiteTest`] |
//! | one run | [`run`], [`Sim`], [`Script`], [`User`], [`Operation`] |
//! | seeded randomness in named streams | [`Streams`] |
//! | what happened, in one hashed stream | [`Event`], [`Fingerprint`] |
//! | what was measured | [`Record`], [`Metrics`], [`Series`], [`alloc`] |
//! | metrics of your own, tags | [`Metric`], [`User::add`], [`User::observe`], [`User::tagged`] |
//! | what must hold | [`Property`], [`Threshold`], [`Verdict`] |
//! | ready-made checkers | [`check`] |
//! | ready-made harnesses for pools, limiters, caches, queues | [`kit`] |
//! | what bends a run: yields, late polls, cancellation, faults | [`decision`], [`decision::Fault`], [`User::step`] |
//! | failures that replay for ever | [`SeedFile`], [`compare_replay`] |
//! | the smallest run that still fails, and its story | [`Suite::shrink`], [`Suite::explain`] |
//! | a part of a sweep, for another machine | [`Shard`] |
//! | a simulated disk under SQLite | the module `disk`, with the feature of that name |
//! | what a run depends on besides its seed | [`Suite::check_determinism`] |
//! | the most load that holds | [`Suite::limit`] |
//! | the same on the host's clock and threads | [`Clock`], [`Calibration`] |
//! | what moved between two results, and over many | [`mod@compare`] |
//! | reports | [`report`] |
//!
//! # Metrics of your own
//!
//! Counters, gauges, rates and trends are constants that a scenario declares. Recording is one line; samples are
//! events, so they show in traces and are the same for the same seed. What a tagged user does and records is
//! reported once more by `key=value`.
//!
//! ```
//! use std::time::Duration;
//!
//! use hyperlapse::{AllAtOnce, CustomValue, Metric, RunOptions, Scenario};
//!
//! const TOKENS: Metric = Metric::counter("tokens", "tokens that the model wrote");
//! const CACHED: Metric = Metric::rate("cached", "answers that came from the cache");
//! const TURN: Metric = Metric::trend("turn_time", "from a message to its answer");
//!
//! let scenario = Scenario::builder("chat", AllAtOnce::users(4))
//!     .metric(&TOKENS)
//!     .metric(&CACHED)
//!     .metric(&TURN)
//!     .build()
//!     .unwrap();
//! let record = hyperlapse::run(&scenario, RunOptions::seed(7), |sim| async move {
//!     sim.drive(|user| async move {
//!         let user = user.tagged(&[("model", if user.id() == 0 { "large" } else { "small" })]);
//!         let mut operation = user.operation();
//!         operation.accepted();
//!         let asked = user.sim().now();
//!         user.sleep(Duration::from_millis(80)).await;
//!         user.add(&TOKENS, 17);
//!         user.rate(&CACHED, false);
//!         user.observe(&TURN, user.sim().now() - asked);
//!         operation.completed();
//!     })
//!     .await;
//! });
//! let tokens = &record.metrics.custom["tokens"];
//! assert_eq!(tokens.all, CustomValue::Counter { total: 68 });
//! assert_eq!(tokens.by_tag["model=large"], CustomValue::Counter { total: 17 });
//! assert_eq!(record.metrics.tags["model=small"].completed, 3);
//! ```
//!
//! # What is simulated, and what is not
//!
//! - Time is tokio's paused clock: it moves when every task waits. Timers have a resolution of a
//!   millisecond; a sleep of 100 us takes 1 ms.
//! - Tasks run on one thread in the order in which they were woken, unless a strategy bends it; see
//!   [`decision`]. `tokio::select!` and what else tokio draws at random is seeded when tokio is built with `--cfg tokio_unstable`; so are the names of tasks
//!   that the system spawns.
//! - `spawn_blocking`, other threads and real sockets bring the host's time and order in. Keep them out
//!   of a body.
//! - On Linux, `getrandom` answers from the seed on a run's thread (`HashMap`'s keys and whatever else draws from the
//!   host's randomness there), and `clock_gettime` from virtual time (`std::time`). What a process caches once (a
//!   global hasher's keys) is the host's; `Suite::check_determinism` finds out.
//!
//! # Features
//!
//! - `cli` (default): `Suite::main` with argument parsing and the progress bar, the formats that other tools read, and the
//!   resident memory of the process in records. A test that only calls [`run`] can leave it out.
//! - `macros` (default): the attribute `test`.
//! - `harness`: `Suite::tests`, a suite made of data as a test binary without libtest.
//! - `network`: the module `net`, hosts, links and sockets in virtual time, with crashes.
//! - `disk`: the module `disk`, a simulated disk under an unmodified SQLite. It compiles SQLite.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod alloc;
mod build_info;
mod calibrate;
pub mod check;
#[cfg(feature = "cli")]
mod cli;
mod clock;
pub mod compare;
pub mod decision;
#[cfg(feature = "disk")]
pub mod disk;
mod environment;
mod event;
mod event_log;
mod exact;
mod explain;
mod guard;
mod input;
mod io;
mod isolate;
pub mod kit;
mod limit;
mod metrics;
#[cfg(feature = "network")]
// Without tokio's hooks nobody calls what they call.
#[cfg_attr(not(tokio_unstable), allow(dead_code))]
pub mod net;
mod plan;
mod profile;
mod property;
mod random;
mod record;
mod replay;
pub mod report;
mod scenario;
mod seed_file;
mod shard;
mod shrink;
mod suite;
mod sweep;
mod systematic;
mod testing;
mod threshold;
mod unit;
pub mod units;
mod verdict;
mod workload;
mod world;

pub use alloc::CountingAllocator;
pub use build_info::Build;
pub use calibrate::{AGREES_NS, AGREES_PERCENT, Calibration, Figure, FigureUnit, Trusted};
#[cfg(feature = "cli")]
pub use cli::exit;
pub use clock::Clock;
pub use event::{Actor, Event, EventKind, Fingerprint, Keep, TAIL, Text};
pub use exact::Quantity;
pub use explain::{Explanation, Located, Place, Step, Told, WithoutLast};
pub use guard::{Finding, HostSource};
pub use input::{InputError, Source};
pub use io::{DiskIo, FileIo, IoRecord, LinkIo};
pub use limit::{
    Broken, Ignored, Limit, LimitOptions, LimitProgress, LoadPoint, LoadValue, SeedLimit, Spread,
};
pub use metrics::{
    CustomMetric, CustomValue, Iterations, LatencyRecord, MAX_TAGS, Memory, Metric, MetricKind,
    MetricUnit, Metrics, OperationMetrics, Sample, Series, Tags, TimeSpent, TrendRecord, View,
    WindowValue, WindowsRecord,
};
pub use plan::Plan;
pub use plan::PlannedPart;
pub use profile::{ResourceProfile, TaskProfile, UserTime};
pub use property::{Property, PropertyKind, PropertyRecord, SWEEP, Violation};
pub use random::{RandomExt, StreamRng, Streams};
pub use record::{
    Capacity, FORMAT, Host, MAX_PANICS, MAX_WAITING, Outcome, Panic, Profile, Record, Spent,
    TimerLateness, Waiting,
};
pub use replay::{Replayed, compare as compare_replay};
pub use scenario::overrides::Override;
pub use scenario::{Scenario, ScenarioBuilder, UserKind};
pub use schemars;
pub use seed_file::{Expect, MAX_SEED, SEED_FILE_FORMAT, SeedFile};
pub use shard::{Shard, ShardError};
pub use shrink::{Effort, NotShrunk, Progress, Shrunk, Size};
pub use suite::{Case, Entry, Finished, Suite};
pub use systematic::CancelledEach;
pub use testing::{Ending, Held, NotHeld, SEEDS, Seeds, SuiteTest, Test, Untrue};
pub use threshold::{
    Judgement, OverSeeds, Standing, SweepJudgement, Threshold, ThresholdError,
    catalogue as threshold_metrics, grammar as threshold_grammar,
};
pub use unit::Unit;
pub use verdict::{Failure, FailureKind, Verdict};
pub use workload::{
    AllAtOnce, Arrival, Arrivals, Bursts, ConstantArrivalRate, ConstantUsers, Controlled,
    Distribution, FileError, Intake, InvalidField, Load, Measured, Part, PerUserIterations,
    PoissonArrivals, RampingArrivalRate, RampingUsers, Rate, RateStage, RecordedArrivals, Repeat,
    Rhythm, SharedIterations, SideBySide, SteppedArrivalRate, SteppedUsers, StressPeak, UserStage,
    Wave, Workload, models as workload_models,
};
pub use world::{
    Drive, InjectedPanic, Interrupt, Observation, Operation, Reached, RunOptions, Script, Sim,
    User, run,
};

/// Plays an async function on many seeds, as an ordinary test.
///
/// The function gets the run, [`Sim`], and may end with `()` or a `Result`. Whatever it finds broken (a panic or a failed assertion
/// anywhere, also in tasks that it spawns, a [property](Property), a threshold, a hang) fails the test, with the seed, the
/// smallest run that still fails, its story, and the line that replays it. Kept seed files are played first: see [`Test`].
///
/// ```
/// use std::sync::Arc;
///
/// use hyperlapse::Sim;
/// use tokio::sync::Mutex;
///
/// #[hyperlapse::test(seeds = 100)]
/// async fn no_count_is_lost(_sim: Sim) {
///     let count = Arc::new(Mutex::new(0));
///     let tasks: Vec<_> = (0..10)
///         .map(|_| {
///             let count = Arc::clone(&count);
///             tokio::spawn(async move { *count.lock().await += 1 })
///         })
///         .collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(*count.lock().await, 10);
/// }
/// ```
///
/// | option | what it says |
/// | --- | --- |
/// | `seeds = 500` | the seeds from 0, or a range: [`Test::seeds`] |
/// | `workload = AllAtOnce::users(5)` | who arrives when, for [`Sim::drive`]: a value, or the entries of a scenario file's table as text |
/// | `strategy = "random"` | what bends the runs: [`Test::strategy`] |
/// | `decisions = ["yield", "cancel"]` | the kinds of decision that may: [`Test::decisions`] |
/// | `thresholds = ["response.p95 < 300ms"]` | what each run must measure |
/// | `properties = [ALL_BACK]` | what each run must check |
/// | `deadline = "60s"` | virtual time in which a run must end; text or a `Duration` |
/// | `scenario = include_str!("faults.toml")` | more of a scenario file: faults, kinds of users, a network |
/// | `isolate` | each run has a process of its own |
/// | `main` | `fn main` of an example too: [`Test::main`] |
/// | `crate = path` | where the framework is found, if not as `hyperlapse` |
///
/// On a function that is not async and gives a [`Suite`], such as that of a [kit], it plays the scenarios of that suite: see
/// [`SuiteTest`]. The options are `seeds`, `strategy`, `isolate` and `crate` then; the scenarios say the rest.
///
/// ```
/// # use std::sync::Arc;
/// # use hyperlapse::{Suite, kit::{self, limiter::{Job, Limiter}}};
/// # use tokio::sync::Semaphore;
/// # #[derive(Clone)]
/// # struct Permits(Arc<Semaphore>);
/// # impl Limiter for Permits {
/// #     async fn run(&self, job: Job) -> Result<(), String> {
/// #         let _permit = self.0.acquire().await.map_err(|error| error.to_string())?;
/// #         job.await;
/// #         Ok(())
/// #     }
/// # }
/// #[hyperlapse::test(seeds = 1_000)]
/// fn a_kit() -> Suite<Permits> {
///     kit::limiter::suite(|limit| Permits(Arc::new(Semaphore::new(limit))))
/// }
/// ```
///
/// Other attributes stay as they are: `#[ignore]`, `#[should_panic(expected = "…")]`, `#[cfg(…)]`.
#[cfg(feature = "macros")]
pub use hyperlapse_macros::test;
