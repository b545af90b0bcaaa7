//! What is held and waited for, as the users know it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::world::Sim;

/// Who holds and who waits, by key: a user, a tenant, whatever limits are counted by. Cheap to clone.
///
/// Entries are guards: who is cancelled while it waits, or panics while it holds, is taken off. Let go of the
/// thing itself before its entry, so that the ledger never says less than is so.
#[derive(Debug)]
pub struct Ledger<K> {
    sim: Sim,
    book: Arc<Mutex<Book<K>>>,
}

#[derive(Debug)]
struct Book<K> {
    /// What is held, by the number of its entry: by whom, and until when if that is agreed.
    held: BTreeMap<u64, (K, Option<Duration>)>,
    /// Those who wait, by the number of their entry: who, and since when.
    waiting: BTreeMap<u64, (K, Duration)>,
    entries: u64,
    begun: u64,
}

impl<K> Clone for Ledger<K> {
    fn clone(&self) -> Self {
        Self { sim: self.sim.clone(), book: Arc::clone(&self.book) }
    }
}

impl<K: Ord + Clone> Ledger<K> {
    /// An empty one.
    pub fn new(sim: &Sim) -> Self {
        let book = Book { held: BTreeMap::new(), waiting: BTreeMap::new(), entries: 0, begun: 0 };
        Self { sim: sim.clone(), book: Arc::new(Mutex::new(book)) }
    }

    fn lock(&self) -> MutexGuard<'_, Book<K>> {
        // Nothing under the lock can panic but the comparison of keys.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `key` holds one more until the entry is dropped.
    pub fn holds(&self, key: K) -> Entry<K> {
        self.enters(|book, number| {
            book.begun += 1;
            book.held.insert(number, (key, None));
        })
    }

    fn enters(&self, enter: impl FnOnce(&mut Book<K>, u64)) -> Entry<K> {
        let mut book = self.lock();
        let number = book.entries;
        book.entries += 1;
        enter(&mut book, number);
        drop(book);
        Entry { ledger: self.clone(), number }
    }

    /// `key` waits until the entry is dropped.
    pub fn waits(&self, key: K) -> Entry<K> {
        let since = self.sim.now();
        self.enters(|book, number| {
            book.waiting.insert(number, (key, since));
        })
    }

    /// How many are held in all; what was held until some moment is not any more.
    pub fn held(&self) -> u64 {
        self.count(|_| true)
    }

    /// How many `key` holds.
    pub fn held_by(&self, key: &K) -> u64 {
        self.count(|holder| holder == key)
    }

    fn count(&self, of: impl Fn(&K) -> bool) -> u64 {
        let now = self.sim.now();
        let book = self.lock();
        let lasts = |until: &Option<Duration>| until.is_none_or(|until| now < until);
        book.held.values().filter(|(holder, until)| of(holder) && lasts(until)).count() as u64
    }

    /// How many wait.
    pub fn waiting(&self) -> u64 {
        self.lock().waiting.len() as u64
    }

    /// Those who wait, the first first: who, and since when.
    pub fn waiters(&self) -> Vec<(K, Duration)> {
        self.lock().waiting.values().cloned().collect()
    }

    /// How often anybody has begun to hold.
    pub(super) fn begun(&self) -> u64 {
        self.lock().begun
    }
}

/// Something held or waited for, until this is dropped.
#[derive(Debug)]
#[must_use = "it is over when this is dropped"]
pub struct Entry<K: Ord + Clone> {
    ledger: Ledger<K>,
    number: u64,
}

impl<K: Ord + Clone> Entry<K> {
    /// It is held until then at most, in virtual time since the run began, whether its holder knows or not: a
    /// lease. Call it again when the lease is renewed.
    pub fn until(&self, until: Duration) {
        if let Some(held) = self.ledger.lock().held.get_mut(&self.number) {
            held.1 = Some(until);
        }
    }
}

impl<K: Ord + Clone> Drop for Entry<K> {
    fn drop(&mut self) {
        let mut book = self.ledger.lock();
        book.held.remove(&self.number);
        book.waiting.remove(&self.number);
    }
}
