//! A given list of decisions, and no others.

use std::collections::BTreeMap;

use super::{Address, Decision, DecisionKind, Point, Strategy};

/// See the [module](self).
pub(super) struct Replay(BTreeMap<(Address, u64, DecisionKind), u8>);

impl Replay {
    pub(super) fn new(decisions: &[Decision]) -> Self {
        let entry = |decision: &Decision| {
            ((decision.task.clone(), decision.nth, decision.kind), decision.after)
        };
        Self(decisions.iter().map(entry).collect())
    }
}

impl Strategy for Replay {
    fn decide(&mut self, point: &Point<'_>) -> Option<u8> {
        self.0.get(&(point.task.clone(), point.nth, point.kind)).copied()
    }
}
