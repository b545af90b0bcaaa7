//! A rate limiter: so many in each stretch of time, and no more.
//!
//! Users ask to go on, give up, are dropped and walk away.
//!
//! | property | what it promises |
//! | --- | --- |
//! | [`NEVER_MORE`] | no stretch of time has more grants than its share, and what [`RateLimiter::slack`] allows |
//! | [`EVERY_WAITER_ENDS`] | nobody waits for ever |
//! | [`ALL_COMES_BACK`] | in the calm at the end, as many as the rate says are let on in time |

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::{EVERY_WAITER_ENDS, MS, PATIENCE};
use crate::property::Property;
use crate::random::RandomExt;
use crate::suite::Suite;
use crate::world::{Sim, User};

/// A rate limiter under test, by tokio's clock or that of `std`. Cheap to clone: clones are the same limiter.
///
/// ```
/// use std::sync::Arc;
///
/// use hyperlapse::kit::{self, rate::{Rate, RateLimiter}};
/// use tokio::sync::Mutex;
/// use tokio::time::{Instant, sleep_until};
///
/// /// One after the other, at even distances.
/// #[derive(Clone)]
/// struct Even(Rate, Arc<Mutex<Option<Instant>>>);
///
/// impl RateLimiter for Even {
///     async fn acquire(&self) -> bool {
///         let mut next = self.1.lock().await;
///         if let Some(next) = *next {
///             sleep_until(next).await;
///         }
///         *next = Some(Instant::now() + self.0.per / self.0.tokens as u32);
///         true
///     }
/// }
///
/// let suite = kit::rate::suite(|rate| Even(rate, Arc::default()));
/// kit::sweep(&suite, 0..100).unwrap();
/// ```
pub trait RateLimiter: Clone + Send + Sync + 'static {
    /// Asks to go on, and waits until it may. Whether it may: not so where the limiter refuses instead.
    fn acquire(&self) -> impl Future<Output = bool> + Send;

    /// How many more than its share a stretch of time may have: as many as go on at once after a time without
    /// anybody. None where every stretch of [`Rate::per`] has [`Rate::tokens`] at most.
    fn slack(&self, rate: Rate) -> u64 {
        rate.tokens
    }
}

/// How many may go on in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many: the seed's choice.
    pub tokens: u64,
    /// In this time: the seed's choice.
    pub per: Duration,
}

impl Rate {
    /// That of this run.
    pub fn new(sim: &Sim) -> Self {
        let mut draw = sim.rng("kit/rate");
        Self { tokens: 1 + draw.below(3), per: Duration::from_millis(10 * (1 + draw.below(4))) }
    }
}

/// Checked whenever somebody may go on.
pub const NEVER_MORE: Property =
    Property::always("never more than the rate", "no stretch of time has more than its share");
/// Checked in the calm at the end.
pub const ALL_COMES_BACK: Property =
    Property::always("all comes back", "when all have left, as many go on as the rate says");

/// The properties of the [body].
pub const PROPERTIES: &[Property] =
    &[NEVER_MORE.over_the_sweep(), EVERY_WAITER_ENDS.over_the_sweep(), ALL_COMES_BACK];

/// The scenario of the [suite], to be changed where it does not fit.
///
/// No task is delayed by a decision: grants that are noticed late would be too many at once.
pub const SCENARIO: &str = r#"
name = "rate"
about = "more ask to go on than the rate lets; they give up and are dropped"
script = "rate"
operation = "request"
strategy = "random"
decisions = ["yield", "postpone", "cancel", "timeout", "select"]
deadline = "5m"
workload = { kind = "per-user-iterations", users = 6, iterations = 4, pause = { uniform = ["0ms", "30ms"] }, spread = "20ms" }

[[faults]]
kind = "abandon"
site = "request"
rate = 0.05
at_most = 4
optional = true
"#;

/// A suite of this kit: `make` is given the rate, and makes the limiter.
pub fn suite<L: RateLimiter>(make: impl Fn(Rate) -> L + Send + Sync + 'static) -> Suite<L> {
    Suite::new("rate-kit", env!("CARGO_PKG_VERSION"))
        .system("limiter", "the rate limiter under test", move |sim| make(Rate::new(sim)))
        .script("rate", "more ask to go on than the rate lets", PROPERTIES, body)
        .scenario("rate.toml", SCENARIO)
}

/// When somebody was let on.
#[derive(Clone)]
struct Grants {
    sim: Sim,
    rate: Rate,
    slack: u64,
    at: Arc<Mutex<Vec<Duration>>>,
}

impl Grants {
    /// Somebody was let on now.
    fn granted(&self) {
        let now = self.sim.now();
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.push(now);
        // Every stretch that ends now: `nth` times as long as that of the rate.
        let broken = (1..).map_while(|nth: u32| {
            let begins = now.checked_sub(self.rate.per * nth)?;
            let granted = at.iter().filter(|at| **at > begins).count() as u64;
            Some((nth, granted, self.rate.tokens * u64::from(nth) + self.slack))
        });
        let broken = broken.into_iter().find(|(_, granted, most)| granted > most);
        drop(at);
        self.sim.check_with(&NEVER_MORE, broken.is_none(), || {
            let (nth, granted, most) = broken.unwrap_or_default();
            let stretch = super::seconds(self.rate.per * nth);
            format!("{granted} went on within {stretch}, it may be {most}")
        });
    }
}

/// What users do and what is checked. See the [module](self).
pub async fn body<L: RateLimiter>(sim: Sim, limiter: L) {
    let rate = Rate::new(&sim);
    let slack = limiter.slack(rate);
    let grants = Grants { sim: sim.clone(), rate, slack, at: Arc::default() };
    let (users, shared) = (limiter.clone(), grants.clone());
    sim.drive(move |user| visit(user, users.clone(), shared.clone())).await;
    sim.calm();
    // Nobody is there for a while: nothing is left of what went before.
    sim.sleep(rate.per * 20).await;
    let (began, wanted) = (sim.now(), 2 * rate.tokens);
    let within = rate.per * 3 + 5 * MS;
    let mut granted = 0;
    let all = timeout(within, async {
        while granted < wanted {
            match limiter.acquire().await {
                true => {
                    grants.granted();
                    granted += 1;
                }
                false => sim.sleep(MS).await,
            }
        }
    });
    let all = all.await.is_ok();
    sim.check_with(&ALL_COMES_BACK, all, || {
        let time = super::seconds(sim.now() - began);
        format!("{granted} went on within {time}, {wanted} were to")
    });
}

async fn visit<L: RateLimiter>(user: User, limiter: L, grants: Grants) {
    // Drawn before anything happens, so that what happens changes nothing of it.
    let mut draw = user.rng("intent");
    let gives_up = draw.chance(1, 4).then(|| Duration::from_millis(1 + draw.below(40)));
    let mut operation = user.operation();
    let asked = user.sim().now();
    let acquired = timeout(gives_up.unwrap_or(PATIENCE), async {
        let acquired = limiter.acquire().await;
        if acquired {
            grants.granted();
        }
        acquired
    });
    match user.cancellable("acquire", acquired).await {
        None => operation.refused("dropped"),
        Some(Ok(false)) => operation.refused("rate"),
        Some(Ok(true)) => {
            user.sim().check(&EVERY_WAITER_ENDS, true);
            operation.accepted_after(user.sim().now() - asked);
            match user.step("request", Duration::ZERO).await {
                Ok(_) => operation.completed(),
                Err(reason) => operation.failed(reason),
            }
        }
        Some(Err(_)) => {
            user.sim().check_with(&EVERY_WAITER_ENDS, gives_up.is_some(), || {
                format!("user {} waits for {}", user.id(), super::seconds(PATIENCE))
            });
            operation.refused("gave up");
        }
    }
}
