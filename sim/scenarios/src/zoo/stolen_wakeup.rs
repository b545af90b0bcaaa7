//! Who waits is told that there is a slot, and has left the queue by then: when somebody else takes the slot first,
//! nobody will ever tell them again.

use super::Mistake;

pub(super) struct StolenWakeup;

impl Mistake for StolenWakeup {
    const HANDS_OVER: bool = false;
}
