//! What is loaded by key, and by whom: for whatever shares loads or keeps what was loaded.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Gate, Refused};
use crate::property::Property;
use crate::world::Sim;

/// What a load comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What was asked for.
    pub key: u32,
    /// Which load of the run it comes from, from 0.
    pub load: u64,
    /// When it was loaded, in virtual time.
    pub at: Duration,
}

/// Where values come from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source {
    gate: Gate,
    loads: Arc<Mutex<Loads>>,
}

#[derive(Debug, Default)]
struct Loads {
    begun: u64,
    of_key: BTreeMap<u32, OfKey>,
}

/// The loads of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OfKey {
    pub(super) under_way: u64,
    pub(super) begun: u64,
    /// When the last of them came to an error, or panicked.
    failed_at: Option<Duration>,
}

/// Checked whenever a load begins.
pub const ONE_LOAD: Property =
    Property::always("one load at a time", "no key is loaded twice at the same time");
/// Checked whenever somebody gets a value.
pub const OWN_VALUE: Property =
    Property::always("own value", "everybody gets a value of the key that they asked for");
/// Checked whenever somebody gets an error.
pub const ERROR_FOR_A_REASON: Property = Property::always(
    "an error for a reason",
    "who gets an error gets that of a load that failed, just before or meanwhile",
);

impl Source {
    /// The source of this run.
    pub fn new(sim: &Sim) -> Self {
        Self { gate: Gate::new(sim), loads: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Loads> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A load of this key: a call of the site `load`, when it is awaited.
    pub fn load(&self, key: u32) -> Load {
        let source = self.clone();
        Load {
            key,
            future: Box::pin(async move {
                let mut under_way = UnderWay::new(&source, key);
                let called = source.gate.call("load").await;
                under_way.ended(called.is_err());
                called?;
                let at = source.gate.sim().now();
                Ok(Value { key, load: under_way.number, at })
            }),
        }
    }

    pub(super) fn of_key(&self, key: u32) -> OfKey {
        self.lock().of_key.get(&key).copied().unwrap_or_default()
    }

    /// What somebody got who asked for this key at this moment. The error of a load may be told for so long: whoever
    /// loaded may be held up before it forgets the key.
    pub(super) fn judge(
        &self,
        key: u32,
        asked: Duration,
        told_for: Duration,
        got: &Result<Value, String>,
    ) {
        let sim = self.gate.sim();
        match got {
            Ok(value) => sim.check_with(&OWN_VALUE, value.key == key, || {
                format!("who asked for key {key} got a value of key {}", value.key)
            }),
            Err(error) => {
                let failed_at = self.of_key(key).failed_at;
                let failed = failed_at.is_some_and(|at| at + told_for >= asked);
                sim.check_with(&ERROR_FOR_A_REASON, failed, || {
                    format!("no load of key {key} failed meanwhile, and it says: {error}")
                });
            }
        }
    }
}

/// A load under way: somebody may drop it.
struct UnderWay {
    source: Source,
    key: u32,
    number: u64,
    ended: bool,
}

impl UnderWay {
    fn new(source: &Source, key: u32) -> Self {
        let mut loads = source.lock();
        let number = loads.begun;
        loads.begun += 1;
        let of_key = loads.of_key.entry(key).or_default();
        of_key.begun += 1;
        of_key.under_way += 1;
        let now = of_key.under_way;
        drop(loads);
        source
            .gate
            .sim()
            .check_with(&ONE_LOAD, now == 1, || format!("{now} loads of key {key} are under way"));
        Self { source: source.clone(), key, number, ended: false }
    }

    fn ended(&mut self, failed: bool) {
        self.ended = true;
        if failed {
            self.failed();
        }
    }

    fn failed(&self) {
        let now = self.source.gate.sim().now();
        self.source.lock().of_key.entry(self.key).or_default().failed_at = Some(now);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.source.lock().of_key.entry(self.key).or_default().under_way -= 1;
        if !self.ended && std::thread::panicking() {
            self.failed();
        }
    }
}

/// A load: a future that begins when it is polled first.
#[must_use = "nothing is loaded until this is awaited"]
pub struct Load {
    key: u32,
    future: Pin<Box<dyn Future<Output = Result<Value, Refused>> + Send>>,
}

impl Load {
    /// What is loaded.
    pub fn key(&self) -> u32 {
        self.key
    }
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Future for Load {
    type Output = Result<Value, Refused>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(cx)
    }
}
