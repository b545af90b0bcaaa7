//! A semaphore, a concurrency limit, a bulkhead: no more than so many at a time.
//!
//! Users have a job to be done under the limit, or a series of jobs that come one by one; they give up, are
//! dropped, and their jobs take longer, fail, and panic. Nothing is asked of the limiter itself: jobs know when
//! they are done.
//!
//! | property | what it promises |
//! | --- | --- |
//! | [`NEVER_ABOVE`] | no more jobs at once than the limit |
//! | [`NOBODY_WAITS_FOR_NOTHING`] | nobody waits for long while a place is free |
//! | [`EVERY_WAITER_ENDS`] | every job is done or refused |
//! | [`CAPACITY_RESTORED`] | in the calm at the end, exactly as many jobs as the limit get in |
//! | [`FIRST_COME`] | in the calm, who asks first is served first; where [`Limiter::FAIR`] |

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{EVERY_WAITER_ENDS, MS, PATIENCE, all_but_last};
use crate::check::{
    self, Entry, FirstCome, Idle, Ledger, Turn, capacity_restored_async, never_above,
};
pub use crate::check::{CAPACITY_RESTORED, FIRST_COME, NEVER_ABOVE, NOBODY_WAITS_FOR_NOTHING};
use crate::property::Property;
use crate::random::RandomExt;
use crate::suite::Suite;
use crate::world::{Sim, User};

/// A limiter under test. Cheap to clone: clones are the same limiter.
///
/// ```
/// use std::sync::Arc;
///
/// use hyperlapse::kit::{self, limiter::{Job, Limiter}};
/// use tokio::sync::Semaphore;
///
/// #[derive(Clone)]
/// struct Permits(Arc<Semaphore>);
///
/// impl Limiter for Permits {
///     async fn run(&self, job: Job) -> Result<(), String> {
///         let _permit = self.0.acquire().await.map_err(|error| error.to_string())?;
///         job.await;
///         Ok(())
///     }
/// }
///
/// let suite = kit::limiter::suite(|limit| Permits(Arc::new(Semaphore::new(limit))));
/// kit::sweep(&suite, 0..100).unwrap();
/// ```
pub trait Limiter: Clone + Send + Sync + 'static {
    /// Whether it promises to serve in the order in which it is asked.
    const FAIR: bool = false;

    /// Awaits the job under the limit.
    ///
    /// # Errors
    /// When the limiter refuses it: then the job must not have been begun.
    fn run(&self, job: Job) -> impl Future<Output = Result<(), String>> + Send;

    /// Does jobs as they come, each under the limit. For a limiter that has a way of its own for this.
    ///
    /// # Errors
    /// As [`Limiter::run`].
    fn run_all(&self, mut jobs: Jobs) -> impl Future<Output = Result<(), String>> + Send {
        async move {
            while let Some(job) = jobs.next().await {
                self.run(job).await?;
            }
            Ok(())
        }
    }
}

/// The properties of the [body]; the last where [`Limiter::FAIR`].
pub const PROPERTIES: &[Property] = &[
    NEVER_ABOVE.over_the_sweep(),
    NOBODY_WAITS_FOR_NOTHING.over_the_sweep(),
    EVERY_WAITER_ENDS.over_the_sweep(),
    CAPACITY_RESTORED,
    FIRST_COME,
];

/// The scenario of the [suite], to be changed where it does not fit.
pub const SCENARIO: &str = r#"
name = "limiter"
about = "jobs under a limit: they come alone and in series, give up, take longer, fail and panic"
script = "limiter"
operation = "job"
strategy = "random"
deadline = "2m"
workload = { kind = "per-user-iterations", users = 8, iterations = 3, pause = { uniform = ["0ms", "4ms"] }, spread = "4ms" }

[[faults]]
kind = "panic"
site = "job"
rate = 0.02
at_most = 2
optional = true

[[faults]]
kind = "abandon"
site = "job"
rate = 0.05
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "job"
rate = 0.05
by = "20ms"
at_most = 8
optional = true
"#;

/// A suite of this kit: `make` is given how many may be let in at a time, and makes the limiter.
pub fn suite<L: Limiter>(make: impl Fn(usize) -> L + Send + Sync + 'static) -> Suite<L> {
    Suite::new("limiter-kit", env!("CARGO_PKG_VERSION"))
        .system("limiter", "the limiter under test", move |sim| make(limit(sim)))
        .script("limiter", "jobs under a limit", all_but_last(PROPERTIES, !L::FAIR), body)
        .scenario("limiter.toml", SCENARIO)
}

/// How many may be let in at a time in this run: the seed's choice.
pub fn limit(sim: &Sim) -> usize {
    1 + sim.rng("kit/limit").below(3) as usize
}

/// Something to be done under the limit: a future that must not be polled before it is let in, and is dropped
/// when it is to be given up.
#[must_use = "a job is done by awaiting it"]
pub struct Job {
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
    begins: Option<Begins>,
    entry: Option<Entry<Who>>,
    field: Field,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("begun", &self.begins.is_none()).finish_non_exhaustive()
    }
}

/// Who waits until the job begins, and in which place of the line.
#[derive(Debug)]
struct Begins {
    who: Who,
    _waits: Entry<Who>,
    turn: Option<Turn>,
}

impl Job {
    fn new(
        field: &Field,
        who: Who,
        turn: Option<Turn>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let begins = Begins { who, _waits: field.ledger.waits(who), turn };
        let work = Box::pin(work);
        Self { work, begins: Some(begins), entry: None, field: field.clone() }
    }
}

impl Future for Job {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(begins) = self.begins.take() {
            let field = &self.field;
            let entry = field.ledger.holds(begins.who);
            never_above(&field.sim, &NEVER_ABOVE, &field.ledger, field.limit);
            if let Some(turn) = begins.turn {
                turn.served();
            }
            self.entry = Some(entry);
        }
        let done = self.work.as_mut().poll(cx);
        if done.is_ready() {
            // Before whoever awaits it gives the place to somebody else.
            self.entry = None;
        }
        done
    }
}

/// Jobs that come one by one, with pauses between them.
#[derive(Debug)]
pub struct Jobs {
    user: User,
    field: Field,
    left: u64,
}

impl Jobs {
    /// The next one, when it comes; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Job> {
        if self.left == 0 {
            return None;
        }
        let mut draw = self.user.rng(format_args!("series/{}", self.left));
        self.user.sleep(Duration::from_millis(draw.below(LONGEST_PAUSE_MS))).await;
        self.left -= 1;
        Some(self.field.job(&self.user, self.left, draw.below(LONGEST_JOB_MS)))
    }
}

const LONGEST_JOB_MS: u64 = 6;
const LONGEST_PAUSE_MS: u64 = 30;

/// What jobs know.
#[derive(Debug, Clone)]
struct Field {
    sim: Sim,
    ledger: Ledger<Who>,
    limit: u64,
}

/// Who has a job: each is one of its own, for a user may have several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    user: Option<u32>,
    iteration: u64,
    nth: u64,
}

impl Who {
    /// The kit itself.
    const PROBE: Self = Self { user: None, iteration: 0, nth: 0 };
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.user {
            Some(user) => write!(f, "job {}.{} of user {user}", self.iteration, self.nth),
            None => write!(f, "job {}", self.nth),
        }
    }
}

impl Field {
    fn job(&self, user: &User, nth: u64, takes_ms: u64) -> Job {
        let user = user.clone();
        let who = Who { user: Some(user.id()), iteration: user.iteration(), nth };
        Job::new(self, who, None, async move {
            let takes = Duration::from_millis(takes_ms);
            if let Ok(takes) = user.step("job", takes).await {
                user.sleep(takes).await;
            }
        })
    }
}

/// What users do and what is checked. See the [module](self).
pub async fn body<L: Limiter>(sim: Sim, limiter: L) {
    let limit = limit(&sim) as u64;
    sim.show_capacity(limit);
    let field = Field { sim: sim.clone(), ledger: Ledger::new(&sim), limit };
    let shown = field.clone();
    sim.show_state(move || {
        format!("{} under way, {} waiting", shown.ledger.held(), shown.ledger.waiting())
    });
    let watch = tokio::spawn(check::nobody_waits_for_nothing(
        sim.clone(),
        NOBODY_WAITS_FOR_NOTHING,
        field.ledger.clone(),
        Idle::default(),
        move || limit,
        |_, _| true,
    ));
    let (users, shared) = (limiter.clone(), field.clone());
    sim.drive(move |user| visit(user, users.clone(), shared.clone())).await;
    watch.abort();
    sim.calm();
    sim.sleep(100 * MS).await;
    check::every_waiter_ends(&sim, &EVERY_WAITER_ENDS, &field.ledger);
    if L::FAIR {
        in_turn(&limiter, &field).await;
    }
    capacity_restored_async(&sim, &CAPACITY_RESTORED, limit, || occupy(&limiter, &field)).await;
}

async fn visit<L: Limiter>(user: User, limiter: L, field: Field) {
    // Drawn before anything happens, so that what happens changes nothing of it.
    let mut draw = user.rng("intent");
    let (series, takes) = (draw.chance(1, 4), draw.below(LONGEST_JOB_MS));
    let gives_up = draw.chance(1, 4).then(|| Duration::from_millis(1 + draw.below(16)));
    let jobs = 1 + draw.below(3);
    let mut operation = user.operation();
    operation.accepted();
    let work = async {
        if series {
            let jobs = Jobs { user: user.clone(), field: field.clone(), left: jobs };
            return limiter.run_all(jobs).await;
        }
        limiter.run(field.job(&user, 0, takes)).await
    };
    let work = timeout(gives_up.unwrap_or(PATIENCE), work);
    match user.cancellable("run", work).await {
        None => operation.failed("dropped"),
        Some(Ok(Ok(()))) => operation.completed(),
        Some(Ok(Err(reason))) => operation.failed(reason),
        Some(Err(_)) => {
            let waits = gives_up.is_none();
            user.sim().check_with(&EVERY_WAITER_ENDS, !waits, || {
                format!("user {} waits for {}", user.id(), super::seconds(PATIENCE))
            });
            operation.failed("gave up");
        }
    }
}

/// A task that ends with this.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets a job in that stays there until this is dropped; `None` when it is not let in.
async fn occupy<L: Limiter>(limiter: &L, field: &Field) -> Option<Aborted> {
    let (begun, begins) = oneshot::channel();
    let limiter = limiter.clone();
    // Not one of those that are counted: there may be one more than should be.
    let ledger = Ledger::new(&field.sim);
    let alone = Field { limit: u64::MAX, ledger, ..field.clone() };
    let job = Job::new(&alone, Who::PROBE, None, async move {
        let _ = begun.send(());
        std::future::pending().await
    });
    let task = Aborted(tokio::spawn(async move { drop(limiter.run(job).await) }));
    timeout(100 * MS, begins).await.ok()?.ok()?;
    Some(task)
}

/// Takes every place, lets some wait for one, and looks who gets it.
async fn in_turn<L: Limiter>(limiter: &L, field: &Field) {
    let line = FirstCome::new(&field.sim, FIRST_COME);
    let mut places = Vec::new();
    for _ in 0..field.limit {
        places.extend(occupy(limiter, field).await);
    }
    let mut waiting = Vec::new();
    for nth in 0..4 {
        let (limiter, turn, sim) = (limiter.clone(), line.asks(), field.sim.clone());
        let job = Job::new(field, Who { nth, ..Who::PROBE }, Some(turn), async move {
            sim.sleep(MS).await;
        });
        waiting.push(Aborted(tokio::spawn(async move { drop(limiter.run(job).await) })));
        field.sim.sleep(MS).await;
    }
    drop(places);
    field.sim.sleep(100 * MS).await;
}
