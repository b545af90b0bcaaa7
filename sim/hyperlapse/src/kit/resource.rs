//! A manager of things that are opened, used and closed: sessions, leases, files, subscriptions.
//!
//! Users acquire and release; they give up, are dropped, walk away and panic in the middle of either. Opening and
//! closing takes time, and opening fails.
//!
//! | property | what it promises |
//! | --- | --- |
//! | [`ONE_HOLDER`] | of each key there is one at a time, where [`Manager::EXCLUSIVE`] |
//! | [`CLOSED`] | nothing that was opened is dropped without having been closed |
//! | [`EVERY_WAITER_ENDS`] | nobody waits for ever |
//! | [`TO_BE_HAD_AGAIN`] | in the calm at the end, each key can be acquired and released |
//! | [`NOTHING_LEFT`] | when the manager is shut down, as much was closed as was opened |

use std::future::{Future, ready};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::{EVERY_WAITER_ENDS, Gate, MS, PATIENCE, Refused, all_but_last};
pub use crate::check::NOTHING_LEFT;
use crate::check::nothing_left;
use crate::property::Property;
use crate::random::RandomExt;
use crate::suite::Suite;
use crate::world::{Sim, User};

/// A manager under test. Cheap to clone: clones are the same manager.
///
/// It opens what somebody acquires with [`Factory::open`], and closes it with [`Factory::close`] when it is
/// released, however that comes about: who is dropped, or panics, releases too.
///
/// ```
/// use std::ops::Deref;
///
/// use hyperlapse::kit::{self, resource::{Factory, Manager, Resource}};
///
/// #[derive(Clone)]
/// struct Sessions(Factory);
///
/// /// It is closed by a task of its own when it is dropped.
/// struct Session(Factory, Option<Resource>);
///
/// impl Deref for Session {
///     type Target = Resource;
///
///     fn deref(&self) -> &Resource {
///         self.1.as_ref().unwrap()
///     }
/// }
///
/// impl Drop for Session {
///     fn drop(&mut self) {
///         tokio::spawn(self.0.close(self.1.take().unwrap()));
///     }
/// }
///
/// impl Manager for Sessions {
///     const EXCLUSIVE: bool = false;
///     type Held = Session;
///
///     async fn acquire(&self, key: u32) -> Result<Session, String> {
///         let opened = self.0.open(key).await.map_err(|error| error.to_string())?;
///         Ok(Session(self.0.clone(), Some(opened)))
///     }
/// }
///
/// let suite = kit::resource::suite(Sessions);
/// kit::sweep(&suite, 0..100).unwrap();
/// ```
pub trait Manager: Clone + Send + Sync + 'static {
    /// Whether there is one of a key at a time.
    const EXCLUSIVE: bool = true;

    /// Something that is held until it is released, or dropped.
    type Held: Deref<Target = Resource> + Send;

    /// Acquires what belongs to this key, or waits for it.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn acquire(&self, key: u32) -> impl Future<Output = Result<Self::Held, String>> + Send;

    /// Releases it: by dropping it, where the manager has no other way.
    fn release(&self, held: Self::Held) -> impl Future<Output = ()> + Send {
        drop(held);
        ready(())
    }

    /// Closes what is still open.
    fn shut_down(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// Opens and closes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Factory {
    gate: Gate,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    closed: AtomicU64,
}

/// Something that was opened, and must be closed.
#[derive(Debug)]
pub struct Resource {
    key: u32,
    number: u64,
    closed: bool,
    sim: Sim,
}

impl Resource {
    /// What it belongs to.
    pub fn key(&self) -> u32 {
        self.key
    }

    /// Which one it is, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Factory {
    /// The factory of this run.
    pub fn new(sim: &Sim) -> Self {
        Self { gate: Gate::new(sim), counts: Arc::default() }
    }

    /// Opens what belongs to this key: a call of the site `open`.
    ///
    /// # Errors
    /// As the scenario's faults say.
    pub async fn open(&self, key: u32) -> Result<Resource, Refused> {
        self.gate.call("open").await?;
        let number = self.counts.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Resource { key, number, closed: false, sim: self.gate.sim().clone() })
    }

    /// Closes it: a call of the site `close`. It counts as closed as soon as this is called: whoever closes need not
    /// wait for the answer.
    pub fn close(&self, mut resource: Resource) -> impl Future<Output = ()> + Send + use<> {
        resource.closed = true;
        self.counts.closed.fetch_add(1, Ordering::Relaxed);
        let gate = self.gate.clone();
        async move {
            // What could not be told that it is over finds out by itself.
            let _ = gate.call("close").await;
        }
    }

    /// How many are open.
    pub fn open_now(&self) -> u64 {
        let (opened, closed) = (&self.counts.opened, &self.counts.closed);
        opened.load(Ordering::Relaxed) - closed.load(Ordering::Relaxed)
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.sim.check_with(&CLOSED, self.closed, || {
            format!("resource {} of key {} was dropped and not closed", self.number, self.key)
        });
    }
}

/// Checked whenever something is acquired, where [`Manager::EXCLUSIVE`].
pub const ONE_HOLDER: Property =
    Property::always("one holder", "of each key there is one at a time");
/// Checked whenever something that was opened is dropped.
pub const CLOSED: Property =
    Property::always("closed", "nothing that was opened is dropped without having been closed");
/// Checked in the calm at the end.
pub const TO_BE_HAD_AGAIN: Property = Property::always(
    "to be had again",
    "when all have left, each key can be acquired and released",
);

/// The properties of the [body]; the last where [`Manager::EXCLUSIVE`].
pub const PROPERTIES: &[Property] =
    &[CLOSED, EVERY_WAITER_ENDS.over_the_sweep(), TO_BE_HAD_AGAIN, NOTHING_LEFT, ONE_HOLDER];

/// The scenario of the [suite], to be changed where it does not fit.
pub const SCENARIO: &str = r#"
name = "resource"
about = "things are opened, used and closed, by users who are dropped in the middle of it"
script = "resource"
operation = "use"
strategy = "random"
deadline = "5m"
workload = { kind = "per-user-iterations", users = 6, iterations = 4, pause = { uniform = ["0ms", "4ms"] }, spread = "4ms" }

[[faults]]
kind = "error"
site = "open"
rate = 0.1
error = "no such thing"
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "open"
rate = 0.1
by = "20ms"
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "close"
rate = 0.1
by = "20ms"
at_most = 4
optional = true

[[faults]]
kind = "panic"
site = "use"
rate = 0.02
at_most = 2
optional = true

[[faults]]
kind = "abandon"
site = "use"
rate = 0.05
at_most = 4
optional = true
"#;

const KEYS: u64 = 2;

/// A system of this suite: the manager, and what it opens things with.
#[derive(Debug, Clone)]
pub struct Managed<M> {
    /// The manager under test.
    pub manager: M,
    /// The factory that it was given.
    pub factory: Factory,
}

/// A suite of this kit: `make` is given the factory, and makes the manager.
pub fn suite<M: Manager>(make: impl Fn(Factory) -> M + Send + Sync + 'static) -> Suite<Managed<M>> {
    let properties = all_but_last(PROPERTIES, !M::EXCLUSIVE);
    Suite::new("resource-kit", env!("CARGO_PKG_VERSION"))
        .system("manager", "the manager under test", move |sim| {
            let factory = Factory::new(sim);
            Managed { manager: make(factory.clone()), factory }
        })
        .script("resource", "things are opened, used and closed", properties, body)
        .scenario("resource.toml", SCENARIO)
}

/// Who holds how many of each key.
type Holders = Arc<Mutex<[u64; KEYS as usize]>>;

/// Something that is held, counted for its key until it is released.
struct Held<H> {
    /// Released first.
    held: Option<H>,
    key: u32,
    holders: Holders,
}

impl<H> Held<H> {
    fn new(sim: &Sim, held: H, key: u32, holders: &Holders, exclusive: bool) -> Self {
        let now = count(holders, key, 1);
        if exclusive {
            sim.check_with(&ONE_HOLDER, now == 1, || {
                format!("{now} hold what belongs to key {key}")
            });
        }
        Self { held: Some(held), key, holders: Arc::clone(holders) }
    }
}

impl<H> Drop for Held<H> {
    fn drop(&mut self) {
        // Whoever is next is not polled before this is over.
        drop(self.held.take());
        count(&self.holders, self.key, -1);
    }
}

fn count(holders: &Holders, key: u32, more: i64) -> u64 {
    let mut holders = holders.lock().unwrap_or_else(PoisonError::into_inner);
    let of_key = &mut holders[key as usize];
    *of_key = of_key.saturating_add_signed(more);
    *of_key
}

/// What users do and what is checked. See the [module](self).
pub async fn body<M: Manager>(sim: Sim, managed: Managed<M>) {
    let Managed { manager, factory } = managed;
    let holders: Holders = Arc::default();
    let shown = factory.clone();
    sim.show_state(move || format!("{} open", shown.open_now()));
    let (users, shared) = (manager.clone(), Arc::clone(&holders));
    sim.drive(move |user| visit(user, users.clone(), Arc::clone(&shared))).await;
    sim.calm();
    // What the manager still has to tidy up gets its turn.
    sim.sleep(Duration::from_secs(1)).await;
    for key in 0..KEYS as u32 {
        let again = timeout(PATIENCE, async {
            let held = manager.acquire(key).await?;
            let held = Held::new(&sim, held, key, &holders, M::EXCLUSIVE);
            release(&manager, held).await;
            Ok::<(), String>(())
        });
        let again = again.await;
        sim.check_with(&TO_BE_HAD_AGAIN, again == Ok(Ok(())), || match again {
            Ok(Err(error)) => format!("key {key} cannot be acquired: {error}"),
            _ => format!("key {key} was not acquired and released in {}", super::seconds(PATIENCE)),
        });
    }
    manager.shut_down().await;
    sim.sleep(100 * MS).await;
    nothing_left(&sim, &NOTHING_LEFT, &[("still open", factory.open_now())]);
}

async fn release<M: Manager>(manager: &M, mut held: Held<M::Held>) {
    let released = held.held.take().expect("it is held until it is released");
    // Not held any more from the moment at which it is released, whenever that is over.
    drop(held);
    manager.release(released).await;
}

async fn visit<M: Manager>(user: User, manager: M, holders: Holders) {
    // Drawn before anything happens, so that what happens changes nothing of it.
    let mut draw = user.rng("intent");
    let key = draw.below(KEYS) as u32;
    let takes = Duration::from_millis(draw.below(6));
    let gives_up = draw.chance(1, 4).then(|| Duration::from_millis(1 + draw.below(16)));
    let mut operation = user.operation();
    let asked = user.sim().now();
    let acquired = timeout(gives_up.unwrap_or(PATIENCE), manager.acquire(key));
    let held = match user.cancellable("acquire", acquired).await {
        None => return operation.refused("dropped"),
        Some(Ok(Ok(held))) => held,
        Some(Ok(Err(reason))) => return operation.refused(reason),
        Some(Err(_)) => {
            user.sim().check_with(&EVERY_WAITER_ENDS, gives_up.is_some(), || {
                format!("user {} waits for {}", user.id(), super::seconds(PATIENCE))
            });
            return operation.refused("gave up");
        }
    };
    user.sim().check(&EVERY_WAITER_ENDS, true);
    let held = Held::new(user.sim(), held, key, &holders, M::EXCLUSIVE);
    operation.accepted_after(user.sim().now() - asked);
    let takes = match user.step("use", takes).await {
        Ok(takes) => takes,
        Err(reason) => return operation.failed(reason),
    };
    user.sleep(takes).await;
    match user.cancellable("release", release(&manager, held)).await {
        Some(()) => operation.completed(),
        None => operation.failed("dropped"),
    }
}
