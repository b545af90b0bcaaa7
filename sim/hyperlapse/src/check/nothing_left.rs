//! Nothing is left over.

use crate::alloc;
use crate::property::Property;
use crate::units;
use crate::world::Sim;

/// The default property of [`nothing_left`].
pub const NOTHING_LEFT: Property =
    Property::eventually("nothing left", "when all have left, nothing of them is left over");

/// Every count must be zero: what the system says that it still has, by name.
pub fn nothing_left(sim: &Sim, property: &Property, counts: &[(&str, u64)]) {
    let holds = counts.iter().all(|(_, count)| *count == 0);
    sim.check_with(property, holds, || {
        let told = counts.iter().map(|(name, count)| format!("{count} {name}"));
        told.collect::<Vec<_>>().join(", ")
    });
}

/// Heap bytes at a moment, to be compared with those of a later one: for what the system keeps without
/// saying so. Counts nothing without [`crate::CountingAllocator`].
#[derive(Debug, Clone, Copy)]
pub struct Bytes(i64);

impl Bytes {
    /// Those of now.
    pub fn now() -> Self {
        Self(alloc::live_bytes())
    }

    /// There may be `at_most` more than then.
    pub fn grown(self, sim: &Sim, property: &Property, at_most: u64) {
        let grown = alloc::live_bytes() - self.0;
        let holds = grown <= i64::try_from(at_most).unwrap_or(i64::MAX);
        sim.check_with(property, holds, || {
            // Not how many: bytes belong to one build, and violations are events.
            format!("more than {} were not freed", units::bytes(at_most as i64))
        });
    }
}
