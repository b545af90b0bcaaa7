//! A shutdown sends away those who wait and then closes the door: who comes in between waits for ever.

use super::Mistake;

pub(super) struct DrainMissesQueued;

impl Mistake for DrainMissesQueued {
    const CLOSES_THE_DOOR_FIRST: bool = false;
}
