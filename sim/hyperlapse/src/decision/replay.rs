//! A given list of decisions, and no others.

use std::collections::BTreeSet;

use super::{Address, Decision, DecisionKind, Point, Strategy};

/// See the [module](self).
pub(super) struct Replay(BTreeSet<(Address, u64, DecisionKind)>);

impl Replay {
    pub(super) fn new(decisions: &[Decision]) -> Self {
        let key = |decision: &Decision| (decision.task.clone(), decision.nth, decision.kind);
        Self(decisions.iter().map(key).collect())
    }
}

impl Strategy for Replay {
    fn decide(&mut self, point: &Point<'_>) -> bool {
        self.0.contains(&(point.task.clone(), point.nth, point.kind))
    }
}
