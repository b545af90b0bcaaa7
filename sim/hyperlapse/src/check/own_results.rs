//! Each result belongs to who asked for it.

use std::fmt::Debug;

use crate::property::Property;
use crate::world::Sim;

/// The default property of [`own_results`].
pub const OWN_RESULTS: Property =
    Property::always("own results", "everybody gets what they asked for, and nothing else");

/// What came must be what was asked for: tag requests so that no two are alike, and hand in the tags of what came
/// back, in order. Foreign, missing and doubled ones are told.
pub fn own_results<T: PartialEq + Debug>(sim: &Sim, property: &Property, asked: &[T], came: &[T]) {
    sim.check_with(property, asked == came, || {
        let foreign = came.iter().find(|one| !asked.contains(one));
        let missing = asked.iter().find(|one| !came.contains(one));
        match (foreign, missing) {
            (Some(foreign), _) => format!("{foreign:?} came, which was asked for by somebody else"),
            (None, Some(missing)) => format!("{missing:?} never came"),
            (None, None) => format!("{came:?} came, in another order or more than once"),
        }
    });
}
