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
    held: BTreeMap<K, u64>,
    /// Those who wait, by the number of their entry: who, and since when.
    waiting: BTreeMap<u64, (K, Duration)>,
    entries: u64,
    changes: u64,
}

impl<K> Clone for Ledger<K> {
    fn clone(&self) -> Self {
        Self { sim: self.sim.clone(), book: Arc::clone(&self.book) }
    }
}

impl<K: Ord + Clone> Ledger<K> {
    /// An empty one.
    pub fn new(sim: &Sim) -> Self {
        let book = Book { held: BTreeMap::new(), waiting: BTreeMap::new(), entries: 0, changes: 0 };
        Self { sim: sim.clone(), book: Arc::new(Mutex::new(book)) }
    }

    fn lock(&self) -> MutexGuard<'_, Book<K>> {
        // Nothing under the lock can panic but the comparison of keys.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `key` holds one more until the entry is dropped.
    pub fn holds(&self, key: K) -> Entry<K> {
        let mut book = self.lock();
        *book.held.entry(key.clone()).or_default() += 1;
        book.changes += 1;
        drop(book);
        Entry { ledger: self.clone(), what: What::Holds(key) }
    }

    /// `key` waits until the entry is dropped.
    pub fn waits(&self, key: K) -> Entry<K> {
        let since = self.sim.now();
        let mut book = self.lock();
        let number = book.entries;
        book.entries += 1;
        book.changes += 1;
        book.waiting.insert(number, (key, since));
        drop(book);
        Entry { ledger: self.clone(), what: What::Waits(number) }
    }

    /// How many are held in all.
    pub fn held(&self) -> u64 {
        self.lock().held.values().sum()
    }

    /// How many `key` holds.
    pub fn held_by(&self, key: &K) -> u64 {
        self.lock().held.get(key).copied().unwrap_or(0)
    }

    /// How many wait.
    pub fn waiting(&self) -> u64 {
        self.lock().waiting.len() as u64
    }

    /// Those who wait, the first first: who, and since when.
    pub fn waiters(&self) -> Vec<(K, Duration)> {
        self.lock().waiting.values().cloned().collect()
    }

    /// A number that grows whenever anybody begins or ends to hold or to wait.
    pub(super) fn changes(&self) -> u64 {
        self.lock().changes
    }
}

#[derive(Debug)]
enum What<K> {
    Holds(K),
    Waits(u64),
}

/// Something held or waited for, until this is dropped.
#[derive(Debug)]
#[must_use = "it is over when this is dropped"]
pub struct Entry<K: Ord + Clone> {
    ledger: Ledger<K>,
    what: What<K>,
}

impl<K: Ord + Clone> Drop for Entry<K> {
    fn drop(&mut self) {
        let mut book = self.ledger.lock();
        book.changes += 1;
        match &self.what {
            What::Waits(number) => drop(book.waiting.remove(number)),
            What::Holds(key) => {
                let held = book.held.get_mut(key).expect("what is held was entered");
                *held -= 1;
                if *held == 0 {
                    book.held.remove(key);
                }
            }
        }
    }
}
