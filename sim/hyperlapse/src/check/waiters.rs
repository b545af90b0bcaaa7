//! Every waiter ends.

use std::fmt::Debug;

use super::Ledger;
use crate::property::Property;
use crate::units;
use crate::world::Sim;

/// The default property of [`every_waiter_ends`].
pub const EVERY_WAITER_ENDS: Property =
    Property::always("every waiter ends", "whoever waits gets an answer in the end");

/// Call it when everybody has had the time to come to an end: nobody may still wait. Where that moment never
/// comes, since the load itself waits for them, the deadline of the scenario names them.
pub fn every_waiter_ends<K: Ord + Clone + Debug>(
    sim: &Sim,
    property: &Property,
    ledger: &Ledger<K>,
) {
    let waiters = ledger.waiters();
    sim.check_with(property, waiters.is_empty(), || {
        let (key, since) = &waiters[0];
        let since = units::seconds(units::nanos(*since));
        let others = match waiters.len() - 1 {
            0 => String::new(),
            others => format!(", and {} more", units::count(others as u64)),
        };
        format!("{key:?} waits since {since}{others}")
    });
}
