//! Who gives up waiting stays in the queue: for the queue's bound and for its statistics they wait for ever.

use super::Mistake;

pub(super) struct QueueGhost;

impl Mistake for QueueGhost {
    const LEAVES_THE_QUEUE: bool = false;
}
