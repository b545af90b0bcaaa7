//! Never above a limit.

use std::fmt::Debug;

use super::Ledger;
use crate::property::Property;
use crate::world::Sim;

/// The default property of [`never_above`].
pub const NEVER_ABOVE: Property =
    Property::always("never above the limit", "no more are held at once than the limit allows");

/// Call it when somebody has just begun to hold: counts all that are held against the limit of this moment. A limit
/// that is lowered does not make those wrong who hold already.
pub fn never_above<K: Ord + Clone>(sim: &Sim, property: &Property, ledger: &Ledger<K>, limit: u64) {
    let held = ledger.held();
    sim.check_with(property, held <= limit, || format!("{held} are held, the limit is {limit}"));
}

/// The same for what one key holds.
pub fn never_above_of<K: Ord + Clone + Debug>(
    sim: &Sim,
    property: &Property,
    ledger: &Ledger<K>,
    key: &K,
    limit: u64,
) {
    let held = ledger.held_by(key);
    sim.check_with(property, held <= limit, || {
        format!("{key:?} holds {held}, the limit is {limit}")
    });
}
