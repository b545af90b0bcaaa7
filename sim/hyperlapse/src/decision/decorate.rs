//! Strategies around strategies: two in one, one that surveys, one that is checked.

use std::collections::BTreeMap;

use super::{Address, DecisionKind, Kinds, Point, Strategy};

/// What bends the run, and the scenario's faults beside it.
pub(super) struct Both<B>(pub(super) Box<dyn Strategy>, pub(super) B);

impl<B: Strategy> Strategy for Both<B> {
    fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        if DecisionKind::FAULTS.contains(&point.kind) {
            return self.1.decide(point);
        }
        self.0.decide(point)
    }

    fn kinds(&self) -> Kinds {
        self.0.kinds().and(self.1.kinds())
    }

    fn wants_ready(&self) -> bool {
        self.0.wants_ready()
    }

    fn skips(&self, task: &str) -> bool {
        self.0.skips(task)
    }
}

/// Takes nothing, and is asked where an operation could be cancelled: the run counts and keeps the points.
pub(super) struct Survey;

impl Strategy for Survey {
    fn decide(&mut self, _point: &Point<'_>) -> Option<u32> {
        None
    }

    fn kinds(&self) -> Kinds {
        [DecisionKind::Cancel].iter().collect()
    }
}

/// Holds the world to the contract of the seam: it asks for the kinds that were declared and no others, and
/// the points of one task and kind come in the order of their numbers, none twice. A list of decisions means
/// nothing when that breaks.
pub(crate) struct Checked {
    strategy: Box<dyn Strategy>,
    next: BTreeMap<(Address, DecisionKind), u64>,
}

/// Checks it in debug builds; in release builds it is what it was.
pub(super) fn checked(strategy: Box<dyn Strategy>) -> Box<dyn Strategy> {
    match cfg!(debug_assertions) {
        true => Box::new(Checked { strategy, next: BTreeMap::new() }),
        false => strategy,
    }
}

impl Strategy for Checked {
    fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        assert!(
            self.strategy.kinds().has(point.kind),
            "a strategy was asked for a {} that it never declared",
            point.kind.text()
        );
        let next = self.next.entry((point.task.clone(), point.kind)).or_default();
        assert!(
            point.nth >= *next,
            "point {} of {} {} came after point {}",
            point.nth,
            point.kind.text(),
            point.task,
            *next - 1
        );
        *next = point.nth + 1;
        self.strategy.decide(point)
    }

    fn kinds(&self) -> Kinds {
        self.strategy.kinds()
    }

    fn wants_ready(&self) -> bool {
        self.strategy.wants_ready()
    }

    fn skips(&self, task: &str) -> bool {
        self.strategy.skips(task)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ask(strategy: &mut dyn Strategy, kind: DecisionKind, nth: u64) -> Option<u32> {
        let (task, ready) = ("user-0@0".into(), BTreeSet::new());
        strategy.decide(&Point { kind, task: &task, nth, at_ns: 0, user_kind: None, ready: &ready })
    }

    #[test]
    #[should_panic(expected = "point 3 of cancel user-0@0 came after point 3")]
    fn a_point_that_comes_twice_is_a_bug_of_the_world() {
        let mut checked = Checked { strategy: Box::new(Survey), next: BTreeMap::new() };
        for nth in [0, 3, 3] {
            ask(&mut checked, DecisionKind::Cancel, nth);
        }
    }

    #[test]
    #[should_panic(expected = "asked for a delay that it never declared")]
    fn a_kind_that_was_not_declared_is_a_bug_of_the_world() {
        let mut checked = Checked { strategy: Box::new(Survey), next: BTreeMap::new() };
        ask(&mut checked, DecisionKind::Delay, 0);
    }
}
