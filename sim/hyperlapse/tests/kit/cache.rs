use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hyperlapse::kit::cache::{self, Cache, Load, Terms, Value};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::{finds, holds};

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// Goes by when somebody asked last.
    AgesFromTheLastAsk,
    /// Forgets nothing but what is asked for again.
    GrowsForEver,
    /// Keeps what failed.
    KeepsFailures,
    /// Does not keep anybody from loading who comes meanwhile.
    LoadsTwice,
}

type Entry = (Result<Value, String>, Instant);

/// A cache by hand, with the mistakes that it is told to make. Whoever loads holds the lock of the key.
#[derive(Clone)]
struct Handmade {
    terms: Terms,
    entries: Arc<Mutex<BTreeMap<u32, Entry>>>,
    locks: Arc<Mutex<BTreeMap<u32, Arc<AsyncMutex<()>>>>>,
    mistake: Mistake,
}

impl Handmade {
    fn new(terms: Terms, mistake: Mistake) -> Self {
        Self { terms, entries: Arc::default(), locks: Arc::default(), mistake }
    }

    fn kept(&self, key: u32) -> Option<Result<Value, String>> {
        let mut entries = self.entries.lock().unwrap();
        let (value, since) = entries.get_mut(&key)?;
        let now = Instant::now();
        if now.duration_since(*since) > self.terms.lasts {
            entries.remove(&key);
            return None;
        }
        if self.mistake == Mistake::AgesFromTheLastAsk {
            *since = now;
        }
        Some(value.clone())
    }

    fn keep(&self, key: u32, value: &Result<Value, String>) {
        let mut entries = self.entries.lock().unwrap();
        if value.is_err() && self.mistake != Mistake::KeepsFailures {
            return;
        }
        let full = entries.len() as u64 >= self.terms.capacity && !entries.contains_key(&key);
        if full && self.mistake != Mistake::GrowsForEver {
            entries.pop_first();
        }
        entries.insert(key, (value.clone(), Instant::now()));
    }
}

impl Cache for Handmade {
    async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
        let lock = Arc::clone(self.locks.lock().unwrap().entry(key).or_default());
        let _lock = match self.mistake {
            Mistake::LoadsTwice => None,
            _ => Some(lock.lock().await),
        };
        if let Some(kept) = self.kept(key) {
            return kept;
        }
        let value = load.await.map_err(|error| error.to_string());
        self.keep(key, &value);
        value
    }

    async fn entries(&self) -> Option<u64> {
        Some(self.entries.lock().unwrap().len() as u64)
    }
}

#[test]
fn a_cache_by_hand_holds() {
    holds(&cache::suite(|terms| Handmade::new(terms, Mistake::None)));
}

#[test]
fn each_mistake_is_seen_as_what_it_is() {
    for (mistake, expected) in [
        (Mistake::AgesFromTheLastAsk, "never stale"),
        (Mistake::GrowsForEver, "bounded"),
        (Mistake::KeepsFailures, "an error for a reason"),
        (Mistake::LoadsTwice, "one load at a time"),
    ] {
        let (name, _) = finds(&cache::suite(move |terms| Handmade::new(terms, mistake)));
        assert_eq!(name, expected);
    }
}
