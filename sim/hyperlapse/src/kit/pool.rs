//! A pool of connections, or of anything else that is opened, lent, looked over and thrown away.
//!
//! Users take a connection and give it back; they give up waiting, are dropped, walk away and panic with it, and
//! break it. The [`Server`] behind the pool refuses to be connected to or takes its time, and finds connections
//! wanting that are sound.
//!
//! | property | what it promises |
//! | --- | --- |
//! | [`NEVER_ABOVE`] | no more connections are lent at once than the pool may have |
//! | [`OPEN_NEVER_ABOVE`] | no more are open at once |
//! | [`ONE_HOLDER`] | nobody else has a connection that was lent |
//! | [`NEVER_BROKEN`] | a connection that broke is not lent again |
//! | [`EVERY_WAITER_ENDS`] | whoever waits gets a connection or an error |
//! | [`CAPACITY_RESTORED`] | in the calm at the end, exactly as many as the pool may have can be had at once |

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::{EVERY_WAITER_ENDS, Gate, PATIENCE, Refused};
pub use crate::check::{CAPACITY_RESTORED, NEVER_ABOVE};
use crate::check::{Ledger, capacity_restored_async, never_above};
use crate::property::Property;
use crate::random::RandomExt;
use crate::suite::Suite;
use crate::world::{Sim, User};

/// A pool under test. Cheap to clone: clones are the same pool.
///
/// The pool's manager opens connections with [`Server::connect`] and looks whether one that comes back, or is
/// about to be lent, is still sound: with [`Server::check`], [`Connection::is_broken`], or both.
///
/// ```
/// use bb8::ManageConnection;
/// use hyperlapse::kit::{self, Refused, pool::{Connection, Pool, Server}};
///
/// struct Manager(Server);
///
/// impl ManageConnection for Manager {
///     type Connection = Connection;
///     type Error = Refused;
///
///     async fn connect(&self) -> Result<Connection, Refused> {
///         self.0.connect().await
///     }
///
///     async fn is_valid(&self, connection: &mut Connection) -> Result<(), Refused> {
///         self.0.check(connection).await
///     }
///
///     fn has_broken(&self, connection: &mut Connection) -> bool {
///         connection.is_broken()
///     }
/// }
///
/// #[derive(Clone)]
/// struct Bb8(bb8::Pool<Manager>);
///
/// impl Pool for Bb8 {
///     type Lent = bb8::PooledConnection<'static, Manager>;
///
///     async fn get(&self) -> Result<Self::Lent, String> {
///         self.0.get_owned().await.map_err(|error| error.to_string())
///     }
/// }
///
/// let suite = kit::pool::suite(|server| {
///     let pool = bb8::Pool::builder().max_size(server.max() as u32);
///     Bb8(pool.build_unchecked(Manager(server)))
/// });
/// kit::sweep(&suite, 0..100).unwrap();
/// ```
pub trait Pool: Clone + Send + Sync + 'static {
    /// A connection that is lent, until this is dropped.
    type Lent: Deref<Target = Connection> + Send;

    /// Takes a connection, or waits for one.
    ///
    /// # Errors
    /// When the pool says that there is none to be had.
    fn get(&self) -> impl Future<Output = Result<Self::Lent, String>> + Send;
}

/// What the server behind a pool is asked for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    gate: Gate,
    max: usize,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    opened: AtomicU64,
    open: AtomicU64,
}

/// A connection: it is open until it is dropped.
#[derive(Debug)]
pub struct Connection {
    number: u64,
    broken: AtomicBool,
    lent: AtomicBool,
    state: Arc<State>,
}

impl Server {
    /// The server of this run.
    pub fn new(sim: &Sim) -> Self {
        let max = 1 + sim.rng("kit/max").below(3) as usize;
        Self { gate: Gate::new(sim), max, state: Arc::default() }
    }

    /// How many connections the pool may have at most: the seed's choice.
    pub fn max(&self) -> usize {
        self.max
    }

    /// What goes through to the server.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Opens a connection: a call of the site `connect`.
    ///
    /// # Errors
    /// As the scenario's faults say.
    pub async fn connect(&self) -> Result<Connection, Refused> {
        self.gate.call("connect").await?;
        let number = self.state.opened.fetch_add(1, Ordering::Relaxed);
        let open = self.state.open.fetch_add(1, Ordering::Relaxed) + 1;
        let (broken, lent) = (AtomicBool::new(false), AtomicBool::new(false));
        let connection = Connection { number, broken, lent, state: Arc::clone(&self.state) };
        self.gate.sim().check_with(&OPEN_NEVER_ABOVE, open <= self.max as u64, || {
            format!("{open} are open, the limit is {}", self.max)
        });
        Ok(connection)
    }

    /// Looks a connection over: a call of the site `check`.
    ///
    /// # Errors
    /// When it is broken, and as the scenario's faults say.
    pub async fn check(&self, connection: &Connection) -> Result<(), Refused> {
        self.gate.call("check").await?;
        match connection.is_broken() {
            false => Ok(()),
            true => Err(Refused { site: "check", what: "the connection is broken".into() }),
        }
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.state.open.load(Ordering::Relaxed)
    }
}

impl Connection {
    /// Which one it is, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether it is of no use any more.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// From here on it is of no use.
    pub fn breaks(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.state.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Checked whenever a connection is opened.
pub const OPEN_NEVER_ABOVE: Property = Property::always(
    "open never above the limit",
    "no more connections are open at once than the pool may have",
);
/// Checked whenever a connection is lent.
pub const ONE_HOLDER: Property =
    Property::always("one holder", "a connection is lent to one at a time");
/// Checked whenever a connection is lent.
pub const NEVER_BROKEN: Property =
    Property::always("never a broken one", "a connection that broke is not lent again");

/// The properties of the [body].
pub const PROPERTIES: &[Property] = &[
    NEVER_ABOVE.over_the_sweep(),
    OPEN_NEVER_ABOVE.over_the_sweep(),
    ONE_HOLDER.over_the_sweep(),
    NEVER_BROKEN.over_the_sweep(),
    EVERY_WAITER_ENDS.over_the_sweep(),
    CAPACITY_RESTORED,
];

/// The scenario of the [suite], to be changed where it does not fit.
pub const SCENARIO: &str = r#"
name = "pool"
about = "connections are lent, break and are given back, and so on while the server behind the pool fails"
script = "pool"
operation = "query"
strategy = "random"
deadline = "5m"
workload = { kind = "per-user-iterations", users = 6, iterations = 4, pause = { uniform = ["0ms", "4ms"] }, spread = "4ms" }

[[faults]]
kind = "error"
site = "connect"
rate = 0.1
error = "connection refused"
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "connect"
rate = 0.1
by = "20ms"
at_most = 4
optional = true

[[faults]]
kind = "error"
site = "check"
rate = 0.1
error = "connection reset"
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "check"
rate = 0.1
by = "20ms"
at_most = 4
optional = true

[[faults]]
kind = "panic"
site = "query"
rate = 0.02
at_most = 2
optional = true

[[faults]]
kind = "abandon"
site = "query"
rate = 0.05
at_most = 4
optional = true
"#;

/// A suite of this kit: `make` is given the server, and makes the pool.
pub fn suite<P: Pool>(make: impl Fn(Server) -> P + Send + Sync + 'static) -> Suite<P> {
    Suite::new("pool-kit", env!("CARGO_PKG_VERSION"))
        .system("pool", "the pool under test", move |sim| make(Server::new(sim)))
        .script("pool", "connections are lent, break, are given back", PROPERTIES, body)
        .scenario("pool.toml", SCENARIO)
}

/// Who asks in the end.
const NOBODY: u32 = u32::MAX;

/// A connection with its entry in the ledger; given back first, so that the ledger never says less than is so.
struct Held<L: Deref<Target = Connection>> {
    lent: L,
    _entry: crate::check::Entry<u32>,
}

impl<L: Deref<Target = Connection>> Held<L> {
    fn new(sim: &Sim, lent: L, ledger: &Ledger<u32>, user: u32, max: u64) -> Self {
        let _entry = ledger.holds(user);
        never_above(sim, &NEVER_ABOVE, ledger, max);
        let number = lent.number;
        let before = lent.lent.swap(true, Ordering::Relaxed);
        sim.check_with(&ONE_HOLDER, !before, || format!("somebody else has connection {number}"));
        sim.check_with(&NEVER_BROKEN, !lent.is_broken(), || {
            format!("connection {number}, which broke, is lent again")
        });
        Self { lent, _entry }
    }
}

impl<L: Deref<Target = Connection>> Drop for Held<L> {
    fn drop(&mut self) {
        self.lent.lent.store(false, Ordering::Relaxed);
    }
}

/// What users do and what is checked. See the [module](self).
pub async fn body<P: Pool>(sim: Sim, pool: P) {
    let max = Server::new(&sim).max() as u64;
    sim.show_capacity(max);
    let ledger: Ledger<u32> = Ledger::new(&sim);
    let shown = ledger.clone();
    sim.show_state(move || format!("{} lent, {} waiting", shown.held(), shown.waiting()));
    let (users, shared) = (pool.clone(), ledger.clone());
    sim.drive(move |user| visit(user, users.clone(), shared.clone(), max)).await;
    sim.calm();
    // What the pool still has to tidy up gets its turn.
    sim.sleep(Duration::from_secs(1)).await;
    capacity_restored_async(&sim, &CAPACITY_RESTORED, max, || async {
        let lent = timeout(PATIENCE, pool.get()).await.ok()?.ok()?;
        Some(Held::new(&sim, lent, &ledger, NOBODY, max))
    })
    .await;
}

async fn visit<P: Pool>(user: User, pool: P, ledger: Ledger<u32>, max: u64) {
    // Drawn before anything happens, so that what happens changes nothing of it.
    let mut draw = user.rng("intent");
    let takes = Duration::from_millis(draw.below(6));
    let breaks = draw.chance(1, 6);
    let gives_up = draw.chance(1, 4).then(|| Duration::from_millis(1 + draw.below(16)));
    let mut operation = user.operation();
    let asked = user.sim().now();
    let waits = ledger.waits(user.id());
    let lent = timeout(gives_up.unwrap_or(PATIENCE), pool.get());
    let lent = match user.cancellable("get", lent).await {
        None => return operation.refused("dropped"),
        Some(Ok(Ok(lent))) => lent,
        Some(Ok(Err(reason))) => return operation.refused(reason),
        Some(Err(_)) => {
            user.sim().check_with(&EVERY_WAITER_ENDS, gives_up.is_some(), || {
                format!("user {} waits for {}", user.id(), super::seconds(PATIENCE))
            });
            return operation.refused("gave up");
        }
    };
    drop(waits);
    user.sim().check(&EVERY_WAITER_ENDS, true);
    let held = Held::new(user.sim(), lent, &ledger, user.id(), max);
    operation.accepted_after(user.sim().now() - asked);
    let takes = match user.step("query", takes).await {
        Ok(takes) => takes,
        Err(reason) => return operation.failed(reason),
    };
    user.sleep(takes).await;
    if breaks {
        held.lent.breaks();
    }
    drop(held);
    operation.completed();
}
