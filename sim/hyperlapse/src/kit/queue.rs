//! A queue between tasks, or a channel.
//!
//! Some users send, others receive; both give up, are dropped and walk away in the middle of it. Then the queue is
//! emptied, and closed while some wait for room or for something to come.
//!
//! | property | what it promises |
//! | --- | --- |
//! | [`NOTHING_LOST`] | what was accepted is received |
//! | [`NOTHING_TWICE`] | nothing is received twice, or was never sent |
//! | [`IN_ORDER`] | a receiver gets what one sender sent in the order in which it was sent |
//! | [`NOBODY_WAITS_FOR_NOTHING`] | nobody waits to receive while something is there, or to send while nothing is |
//! | [`CLOSE_ENDS_WAITERS`] | in the calm at the end, a close ends all who wait, and what was accepted still comes |

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::MS;
use crate::check::Ledger;
pub use crate::check::NOBODY_WAITS_FOR_NOTHING;
use crate::property::Property;
use crate::random::RandomExt;
use crate::suite::Suite;
use crate::world::{Sim, User};

/// A queue under test. Cheap to clone: clones are the same queue.
///
/// A queue with one receiver has it behind a lock of tokio's.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use hyperlapse::kit::{self, queue::{Item, Queue}};
/// use tokio::sync::mpsc;
///
/// #[derive(Clone)]
/// struct Channel {
///     sender: Arc<Mutex<Option<mpsc::Sender<Item>>>>,
///     receiver: Arc<tokio::sync::Mutex<mpsc::Receiver<Item>>>,
/// }
///
/// impl Queue for Channel {
///     async fn send(&self, item: Item) -> bool {
///         let sender = self.sender.lock().unwrap().clone();
///         match sender {
///             Some(sender) => sender.send(item).await.is_ok(),
///             None => false,
///         }
///     }
///
///     async fn receive(&self) -> Option<Item> {
///         self.receiver.lock().await.recv().await
///     }
///
///     fn close(&self) {
///         *self.sender.lock().unwrap() = None;
///     }
/// }
///
/// let suite = kit::queue::suite(|capacity| {
///     let (sender, receiver) = mpsc::channel(capacity);
///     Channel { sender: Arc::new(Mutex::new(Some(sender))), receiver: Arc::new(receiver.into()) }
/// });
/// kit::sweep(&suite, 0..100).unwrap();
/// ```
pub trait Queue: Clone + Send + Sync + 'static {
    /// Sends, or waits until there is room. Whether it was accepted: not so when the queue is closed.
    fn send(&self, item: Item) -> impl Future<Output = bool> + Send;

    /// Receives, or waits for something to come; `None` when the queue is closed and empty.
    fn receive(&self) -> impl Future<Output = Option<Item>> + Send;

    /// Nothing is accepted any more.
    fn close(&self);
}

/// Something that is sent. No two are alike.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The user who sends it.
    pub from: u32,
    /// Which of theirs it is, counted up.
    pub number: u64,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "item {} of user {}", self.number, self.from)
    }
}

/// Checked in the calm at the end, and when the queue was closed.
pub const NOTHING_LOST: Property =
    Property::always("nothing lost", "what was accepted is received");
/// Checked whenever something is received.
pub const NOTHING_TWICE: Property =
    Property::always("nothing twice", "what is received was sent, and not received before");
/// Checked whenever something is received.
pub const IN_ORDER: Property = Property::always(
    "in order",
    "what one sends comes to each receiver in the order in which it was sent",
);
/// Checked at the end.
pub const CLOSE_ENDS_WAITERS: Property =
    Property::always("a close ends waiters", "when the queue is closed nobody waits any more");

/// The properties of the [body].
pub const PROPERTIES: &[Property] = &[
    NOTHING_LOST,
    NOTHING_TWICE.over_the_sweep(),
    IN_ORDER.over_the_sweep(),
    NOBODY_WAITS_FOR_NOTHING.over_the_sweep(),
    CLOSE_ENDS_WAITERS,
];

/// The scenario of the [suite], to be changed where it does not fit.
pub const SCENARIO: &str = r#"
name = "queue"
about = "some send, others receive, and all give up now and then"
script = "queue"
operation = "transfer"
strategy = "random"
deadline = "5m"
workload = { kind = "per-user-iterations", users = 8, iterations = 4, pause = { uniform = ["0ms", "4ms"] }, spread = "4ms" }

[[faults]]
kind = "abandon"
site = "transfer"
rate = 0.05
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "transfer"
rate = 0.05
by = "20ms"
at_most = 8
optional = true
"#;

/// A suite of this kit: `make` is told how much the queue may hold, and makes it.
pub fn suite<Q: Queue>(make: impl Fn(usize) -> Q + Send + Sync + 'static) -> Suite<Q> {
    Suite::new("queue-kit", env!("CARGO_PKG_VERSION"))
        .system("queue", "the queue under test", move |sim| make(capacity(sim)))
        .script("queue", "some send, others receive", PROPERTIES, body)
        .scenario("queue.toml", SCENARIO)
}

/// How much the queue may hold in this run: the seed's choice.
pub fn capacity(sim: &Sim) -> usize {
    1 + sim.rng("kit/capacity").below(3) as usize
}

/// What was sent and received, as the users know it.
#[derive(Clone)]
struct Books {
    sim: Sim,
    senders: Ledger<u32>,
    receivers: Ledger<u32>,
    capacity: usize,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    numbers: BTreeMap<u32, u64>,
    /// Sent, perhaps: whoever sent it may not have heard whether it was accepted.
    tried: BTreeSet<Item>,
    /// Accepted and not received.
    inside: BTreeSet<Item>,
    received: BTreeSet<Item>,
    /// By receiver and sender the last number that came.
    last: BTreeMap<(u32, u32), u64>,
}

impl Books {
    fn new(sim: &Sim) -> Self {
        let (senders, receivers) = (Ledger::new(sim), Ledger::new(sim));
        let (sim, capacity) = (sim.clone(), capacity(sim));
        Self { sim, senders, receivers, capacity, book: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send<Q: Queue>(&self, queue: &Q, from: u32) -> bool {
        let item = {
            let mut book = self.lock();
            let number = book.numbers.entry(from).or_default();
            let item = Item { from, number: *number };
            *number += 1;
            book.tried.insert(item.clone());
            item
        };
        let waits = self.senders.waits(from);
        let accepted = queue.send(item.clone()).await;
        drop(waits);
        let mut book = self.lock();
        if accepted && !book.received.contains(&item) {
            book.inside.insert(item);
        } else if !accepted {
            book.tried.remove(&item);
        }
        accepted
    }

    async fn receive<Q: Queue>(&self, queue: &Q, by: u32) -> bool {
        let waits = self.receivers.waits(by);
        let item = queue.receive().await;
        drop(waits);
        let Some(item) = item else { return false };
        let (was_sent, again, last) = {
            let mut book = self.lock();
            book.inside.remove(&item);
            let was_sent = book.tried.contains(&item);
            let again = !book.received.insert(item.clone());
            (was_sent, again, book.last.insert((by, item.from), item.number))
        };
        self.sim.check_with(&NOTHING_TWICE, was_sent && !again, || match again {
            true => format!("{item:?} was received before"),
            false => format!("{item:?} was received, and refused when it was sent"),
        });
        self.sim.check_with(&IN_ORDER, last.is_none_or(|last| last < item.number), || {
            format!("{item:?} was received after number {} of theirs", last.unwrap_or_default())
        });
        true
    }

    /// Whether somebody waits who need not.
    fn stuck(&self) -> Option<String> {
        let (sends, receives) = (self.senders.waiters(), self.receivers.waiters());
        let book = self.lock();
        // What was sent by those who gave up may be inside.
        let settled = book.received.len() + book.inside.len() + sends.len();
        let may_be_full = book.tried.len().saturating_sub(settled) >= self.capacity;
        match (book.inside.first(), receives.first(), sends.first()) {
            (Some(item), Some((who, _)), _) => {
                Some(format!("user {who} waits to receive, and {item:?} is there"))
            }
            (None, _, Some((who, _))) if !may_be_full => {
                Some(format!("user {who} waits to send, and nothing is there"))
            }
            _ => None,
        }
    }

    /// How far it has come.
    fn moved(&self) -> usize {
        let book = self.lock();
        book.tried.len() + book.received.len() + book.inside.len()
    }
}

/// Looks again and again, for ever, whether somebody waits for nothing while nothing moves.
async fn watch(books: Books) {
    let sim = books.sim.clone();
    let (mut since, mut moved) = (sim.now(), books.moved());
    loop {
        sim.sleep(4 * MS).await;
        let stuck = books.stuck();
        if stuck.is_none() || books.moved() != moved || sim.held_back() > 0 {
            (since, moved) = (sim.now(), books.moved());
        }
        let waits = sim.now() - since >= 12 * MS;
        sim.check_with(&NOBODY_WAITS_FOR_NOTHING, !waits, || stuck.unwrap_or_default());
    }
}

/// Who receives and sends in the end.
const NOBODY: u32 = u32::MAX;

/// What users do and what is checked. See the [module](self).
pub async fn body<Q: Queue>(sim: Sim, queue: Q) {
    let books = Books::new(&sim);
    let shown = books.clone();
    sim.show_state(move || {
        let (sends, receives) = (shown.senders.waiting(), shown.receivers.waiting());
        format!("{} inside, {sends} wait to send, {receives} to receive", shown.lock().inside.len())
    });
    let watches = tokio::spawn(watch(books.clone()));
    let (users, shared) = (queue.clone(), books.clone());
    sim.drive(move |user| visit(user, users.clone(), shared.clone())).await;
    watches.abort();
    sim.calm();
    sim.sleep(100 * MS).await;
    while timeout(100 * MS, books.receive(&queue, NOBODY)).await == Ok(true) {}
    nothing_is_lost(&books);
    close(&sim, &queue, &books).await;
}

fn nothing_is_lost(books: &Books) {
    let inside = books.lock().inside.clone();
    books.sim.check_with(&NOTHING_LOST, inside.is_empty(), || {
        let first = inside.first().expect("it is not empty");
        format!("{first:?} was accepted and never received, one of {}", inside.len())
    });
}

/// Closes the queue while some wait for room, or for something to come.
async fn close<Q: Queue>(sim: &Sim, queue: &Q, books: &Books) {
    let mut waiting = JoinSet::new();
    let sends = sim.rng("kit/close").chance(1, 2);
    for who in 1..=capacity(sim) as u32 + 2 {
        let (queue, books) = (queue.clone(), books.clone());
        waiting.spawn(async move {
            match sends {
                true => books.send(&queue, NOBODY - who).await,
                false => books.receive(&queue, NOBODY - who).await,
            }
        });
    }
    sim.sleep(10 * MS).await;
    queue.close();
    let ended = timeout(Duration::from_secs(1), async {
        while books.receive(queue, NOBODY).await {}
        while waiting.join_next().await.is_some() {}
    });
    let ended = ended.await.is_ok();
    let left = waiting.len();
    sim.check_with(&CLOSE_ENDS_WAITERS, ended, || match (left, sends) {
        (0, _) => "what is closed and empty does not say so".to_owned(),
        (_, true) => format!("{left} wait to send to a queue that is closed"),
        (_, false) => format!("{left} wait to receive from a queue that is closed"),
    });
    nothing_is_lost(books);
}

async fn visit<Q: Queue>(user: User, queue: Q, books: Books) {
    // Drawn before anything happens, so that what happens changes nothing of it.
    let mut draw = user.rng("intent");
    let times = 1 + draw.below(4);
    // Nobody waits for ever: there may be nobody left to wait for.
    let gives_up = Duration::from_millis(if draw.chance(1, 4) { 1 + draw.below(8) } else { 50 });
    let pauses = Duration::from_millis(draw.below(3));
    let sends = user.id().is_multiple_of(2);
    let mut operation = user.operation();
    operation.accepted();
    for nth in 0..times {
        let Ok(pauses) = user.step("transfer", pauses).await else { break };
        user.sleep(pauses).await;
        let transfer = timeout(gives_up, async {
            match sends {
                true => books.send(&queue, user.id()).await,
                false => books.receive(&queue, user.id()).await,
            }
        });
        match user.cancellable(&format!("transfer-{nth}"), transfer).await {
            Some(Ok(true)) => {}
            Some(Ok(false)) => return operation.failed("closed"),
            Some(Err(_)) => return operation.failed("gave up"),
            None => return operation.failed("dropped"),
        }
    }
    operation.completed();
}
