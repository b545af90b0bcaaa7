//! What a system under test calls: it takes time, fails now and then, and counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::event::Text;
use crate::random::RandomExt;
use crate::world::Sim;

/// The way out of a system under test: its callbacks go through here. Cheap to clone.
///
/// How long a call of a site takes is drawn once for the seed: nothing at all, or some milliseconds. What goes
/// wrong are the faults that the scenario has for the site: an error, a step that takes longer, a panic. They are
/// decisions: kept in seed files, cut down, told, bounded by `at_most`, and none of them strikes after
/// [`Sim::calm`].
#[derive(Debug, Clone)]
pub struct Gate {
    sim: Sim,
    counts: Arc<Mutex<BTreeMap<&'static str, Count>>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    takes: Duration,
    calls: u64,
    failed: u64,
}

/// A call that failed, by a fault of the scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{site}: {what}")]
pub struct Refused {
    /// Which call.
    pub site: &'static str,
    /// What it says.
    pub what: Text,
}

/// The longest that a call takes without a fault.
const LONGEST_MS: u64 = 3;

impl Gate {
    /// A gate of this run.
    pub fn new(sim: &Sim) -> Self {
        Self { sim: sim.clone(), counts: Arc::default() }
    }

    /// The run.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// Comes by `site`, which takes its time.
    ///
    /// # Errors
    /// Where a fault of the scenario says so.
    ///
    /// # Panics
    /// Where a fault of the scenario says so.
    pub async fn call(&self, site: &'static str) -> Result<(), Refused> {
        let takes = self.count(site, |count| {
            count.calls += 1;
            count.takes
        });
        // Also where it takes no time: a stall makes many times nothing of that.
        let work = takes.max(Duration::from_millis(1));
        match self.sim.step(site, work).await {
            Err(what) => {
                self.count(site, |count| count.failed += 1);
                Err(Refused { site, what })
            }
            Ok(now) if takes.is_zero() && now == work => Ok(()),
            Ok(now) => {
                self.sim.sleep(now).await;
                Ok(())
            }
        }
    }

    /// How often this site was called.
    pub fn calls(&self, site: &'static str) -> u64 {
        self.count(site, |count| count.calls)
    }

    /// How many of those calls failed.
    pub fn failed(&self, site: &'static str) -> u64 {
        self.count(site, |count| count.failed)
    }

    fn count<T>(&self, site: &'static str, of: impl FnOnce(&mut Count) -> T) -> T {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(site).or_insert_with(|| {
            let takes = self.sim.rng(format_args!("kit/{site}")).below(LONGEST_MS + 1);
            Count { takes: Duration::from_millis(takes), calls: 0, failed: 0 }
        });
        of(count)
    }
}
