//! A cache that loads what it does not have.
//!
//! Users ask for few keys; who loads gives up, is dropped, walks away or panics, loads fail and take longer, and what
//! was loaded grows old.
//!
//! | property | what it promises |
//! | --- | --- |
//! | [`ONE_LOAD`] | no key is loaded twice at the same time |
//! | [`OWN_VALUE`] | everybody gets a value of their key |
//! | [`NEVER_STALE`] | what somebody gets was not too old when they asked; where [`Cache::EXPIRES`] |
//! | [`ERROR_FOR_A_REASON`] | an error comes from a load that failed, not from somebody who went away |
//! | [`EVERY_WAITER_ENDS`] | nobody waits for ever |
//! | [`KEPT`] | what was loaded is there for others: in one run of a sweep at least |
//! | [`FAILURE_NOT_KEPT`] | in the calm at the end, each key has a value |
//! | [`BOUNDED`] | then there are no more entries than there may be, where [`Cache::entries`] tells |

use std::future::{Future, ready};
use std::time::Duration;

use tokio::time::timeout;

pub use super::loading::{ERROR_FOR_A_REASON, Load, ONE_LOAD, OWN_VALUE, Source, Value};
use super::{EVERY_WAITER_ENDS, MS, PATIENCE, all_but_last};
use crate::property::Property;
use crate::random::RandomExt;
use crate::suite::Suite;
use crate::world::{Sim, User};

/// A cache under test. Cheap to clone: clones are the same cache.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// use hyperlapse::kit::{self, cache::{Cache, Load, Terms, Value}};
/// use tokio::sync::Mutex;
/// use tokio::time::Instant;
///
/// /// One at a time, and whoever loads keeps the others waiting.
/// #[derive(Clone)]
/// struct Locked(Terms, Arc<Mutex<BTreeMap<u32, (Value, Instant)>>>);
///
/// impl Cache for Locked {
///     async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
///         let Self(terms, entries) = self;
///         let mut entries = entries.lock().await;
///         entries.retain(|_, (_, since)| since.elapsed() <= terms.lasts);
///         if let Some((value, _)) = entries.get(&key) {
///             return Ok(value.clone());
///         }
///         let value = load.await.map_err(|error| error.to_string())?;
///         if entries.len() as u64 == terms.capacity {
///             entries.pop_first();
///         }
///         entries.insert(key, (value.clone(), Instant::now()));
///         Ok(value)
///     }
///
///     async fn entries(&self) -> Option<u64> {
///         Some(self.1.lock().await.len() as u64)
///     }
/// }
///
/// let suite = kit::cache::suite(|terms| Locked(terms, Arc::default()));
/// kit::sweep(&suite, 0..100).unwrap();
/// ```
pub trait Cache: Clone + Send + Sync + 'static {
    /// Whether it forgets what is older than [`Terms::lasts`], by tokio's clock or that of `std`. A cache that reads
    /// the processor's own counter never sees virtual time pass.
    const EXPIRES: bool = true;

    /// The value of a key: the one that it has, or that of this load, or of one that is under way.
    ///
    /// # Errors
    /// What the load comes to, and whatever else the cache says.
    fn get(&self, key: u32, load: Load) -> impl Future<Output = Result<Value, String>> + Send;

    /// How many entries it has, when it has done what it does now and then; `None` when it does not tell.
    fn entries(&self) -> impl Future<Output = Option<u64>> + Send {
        ready(None)
    }
}

/// What a cache is to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How many entries at most: the seed's choice, fewer than there are keys.
    pub capacity: u64,
    /// How long what was loaded is good for: the seed's choice.
    pub lasts: Duration,
}

impl Terms {
    /// Those of this run.
    pub fn new(sim: &Sim) -> Self {
        let mut draw = sim.rng("kit/terms");
        let capacity = 1 + draw.below(KEYS - 1);
        Self { capacity, lasts: Duration::from_millis(10 + draw.below(30)) }
    }
}

/// Checked whenever somebody gets a value.
pub const NEVER_STALE: Property =
    Property::always("never stale", "what somebody gets was not too old when they asked for it");
/// Checked where somebody gets what was loaded for somebody before: in one run of a sweep at least.
pub const KEPT: Property =
    Property::always("kept", "what was loaded for one is there for others").over_the_sweep();
/// Checked in the calm at the end.
pub const FAILURE_NOT_KEPT: Property = Property::always(
    "a failure is not kept",
    "when all have left and nothing fails any more, each key has a value",
);
/// Checked in the calm at the end, where the cache tells how many entries it has.
pub const BOUNDED: Property =
    Property::always("bounded", "there are no more entries than there may be");

/// The properties of the [body]; the last where [`Cache::EXPIRES`].
pub const PROPERTIES: &[Property] = &[
    ONE_LOAD,
    OWN_VALUE,
    ERROR_FOR_A_REASON.over_the_sweep(),
    EVERY_WAITER_ENDS.over_the_sweep(),
    KEPT,
    FAILURE_NOT_KEPT,
    NEVER_STALE.over_the_sweep(),
];

/// The scenario of the [suite], to be changed where it does not fit.
///
/// No task is delayed by a decision: a value that came late would be taken for one that is too old.
pub const SCENARIO: &str = r#"
name = "cache"
about = "few keys are asked for by many; loads fail and take longer, and whoever loads goes away"
script = "cache"
operation = "request"
strategy = "random"
decisions = ["yield", "postpone", "cancel", "timeout", "select"]
deadline = "5m"
workload = { kind = "per-user-iterations", users = 8, iterations = 5, pause = { uniform = ["0ms", "20ms"] }, spread = "4ms" }

[[faults]]
kind = "error"
site = "load"
rate = 0.1
error = "no answer"
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "load"
rate = 0.1
by = "20ms"
at_most = 4
optional = true

[[faults]]
kind = "panic"
site = "load"
rate = 0.02
at_most = 2
optional = true
"#;

const KEYS: u64 = 4;

/// A suite of this kit: `make` is told what to keep, and makes the cache.
pub fn suite<C: Cache>(make: impl Fn(Terms) -> C + Send + Sync + 'static) -> Suite<C> {
    let properties = all_but_last(PROPERTIES, !C::EXPIRES);
    Suite::new("cache-kit", env!("CARGO_PKG_VERSION"))
        .system("cache", "the cache under test", move |sim| make(Terms::new(sim)))
        .script("cache", "few keys are asked for by many", properties, body)
        .scenario("cache.toml", SCENARIO)
}

/// What users do and what is checked. See the [module](self).
pub async fn body<C: Cache>(sim: Sim, cache: C) {
    let source = Source::new(&sim);
    let terms = Terms::new(&sim);
    let (users, shared) = (cache.clone(), source.clone());
    sim.drive(move |user| visit(user, users.clone(), shared.clone(), terms)).await;
    sim.calm();
    sim.sleep(100 * MS).await;
    for key in 0..KEYS as u32 {
        let got = timeout(PATIENCE, cache.get(key, source.load(key))).await;
        let holds = matches!(&got, Ok(Ok(value)) if value.key == key);
        sim.check_with(&FAILURE_NOT_KEPT, holds, || match got {
            Err(_) => format!("key {key} had no value after {}", super::seconds(PATIENCE)),
            Ok(Err(error)) => format!("key {key} had an error: {error}"),
            Ok(Ok(value)) => format!("key {key} had a value of key {}", value.key),
        });
    }
    if let Some(entries) = cache.entries().await {
        sim.check_with(&BOUNDED, entries <= terms.capacity, || {
            format!("there are {entries} entries, the limit is {}", terms.capacity)
        });
    }
}

async fn visit<C: Cache>(user: User, cache: C, source: Source, terms: Terms) {
    // Drawn before anything happens, so that what happens changes nothing of it.
    let mut draw = user.rng("intent");
    // The first keys more often than the last: some are kept, others pushed out.
    let among = 1 + draw.below(KEYS);
    let key = draw.below(among) as u32;
    let gives_up = draw.chance(1, 4).then(|| Duration::from_millis(1 + draw.below(8)));
    let mut operation = user.operation();
    operation.accepted();
    let (before, asked) = (source.of_key(key), user.sim().now());
    let got = timeout(gives_up.unwrap_or(PATIENCE), cache.get(key, source.load(key)));
    let got = match user.cancellable("get", got).await {
        None => return operation.failed("dropped"),
        Some(Ok(got)) => got,
        Some(Err(_)) => {
            user.sim().check_with(&EVERY_WAITER_ENDS, gives_up.is_some(), || {
                format!("user {} waits for {}", user.id(), super::seconds(PATIENCE))
            });
            return operation.failed("gave up");
        }
    };
    user.sim().check(&EVERY_WAITER_ENDS, true);
    source.judge(key, asked, Duration::ZERO, &got);
    match got {
        Ok(value) => {
            if before.under_way == 0 && value.at < asked {
                user.sim().check(&KEPT, true);
            }
            if C::EXPIRES {
                let good = value.at + terms.lasts >= asked;
                user.sim().check_with(&NEVER_STALE, good, || {
                    let age = super::seconds(asked - value.at);
                    let lasts = super::seconds(terms.lasts);
                    format!("a value of key {key} was {age} old, and good for {lasts}")
                });
            }
            operation.completed();
        }
        Err(error) => operation.failed(error),
    }
}
