//! Nobody waits while a place is free.

use std::fmt::Debug;
use std::time::Duration;

use super::Ledger;
use crate::property::Property;
use crate::world::Sim;

/// The default property of [`nobody_waits_for_nothing`].
pub const NOBODY_WAITS_FOR_NOTHING: Property = Property::always(
    "nobody waits for nothing",
    "while a place is free, nobody waits for long who may have it",
);

/// How closely [`nobody_waits_for_nothing`] looks.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// Virtual time between two looks.
    pub every: Duration,
    /// How long somebody may wait for nothing while nobody else is served. Time in which a decision holds a task
    /// back ([`Sim::held_back`]) does not count: who was served and was not polled since looks like somebody who
    /// waits.
    pub within: Duration,
}

impl Default for Idle {
    fn default() -> Self {
        Self { every: Duration::from_millis(4), within: Duration::from_millis(10) }
    }
}

/// Looks again and again, for ever: spawn it, and abort it in the end. `limit` is how many places there are now,
/// `may` whether somebody who holds so many already may have one more.
pub async fn nobody_waits_for_nothing<K: Ord + Clone + Debug>(
    sim: Sim,
    property: Property,
    ledger: Ledger<K>,
    looks: Idle,
    limit: impl Fn() -> u64,
    may: impl Fn(&K, u64) -> bool,
) {
    // Since when somebody waits for nothing at every look, and nobody was served.
    let (mut since, mut begun) = (sim.now(), ledger.begun());
    loop {
        sim.sleep(looks.every).await;
        let free = ledger.held() < limit();
        let stuck = match free {
            true => ledger.waiters().into_iter().find(|(key, _)| may(key, ledger.held_by(key))),
            false => None,
        };
        if stuck.is_none() || ledger.begun() != begun || sim.held_back() > 0 {
            (since, begun) = (sim.now(), ledger.begun());
        }
        let quiet = sim.now() - since;
        let waits = stuck.is_some() && quiet >= looks.within;
        sim.check_with(&property, !waits, || {
            let key = stuck.map(|(key, _)| format!("{key:?}")).unwrap_or_default();
            format!("{key} waits while a place is free, and for {quiet:?} nobody was served")
        });
    }
}
