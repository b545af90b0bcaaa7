//! A given list of decisions, and no others; and, of a run that was cut down, only the users and iterations
//! that are left of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Address, DecisionKind, Kinds, Point, Schedule, Strategy};

/// See the [module](self).
pub(super) struct Replay {
    decisions: BTreeMap<(Address, u64, DecisionKind), u32>,
    kinds: Kinds,
    only: Option<BTreeSet<String>>,
}

impl Replay {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let decisions = schedule.decisions.iter();
        Self {
            kinds: decisions.clone().map(|decision| &decision.kind).collect(),
            decisions: decisions.map(|d| ((d.task.clone(), d.nth, d.kind), d.amount)).collect(),
            only: schedule.only.clone(),
        }
    }
}

impl Strategy for Replay {
    fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        self.decisions.get(&(point.task.clone(), point.nth, point.kind)).copied()
    }

    fn kinds(&self) -> Kinds {
        self.kinds
    }

    fn skips(&self, task: &str) -> bool {
        let Some(only) = &self.only else { return false };
        match task.split_once('@') {
            // A user takes part when anything of it does.
            None => {
                let of_user = format!("{task}@");
                !only.contains(task) && !only.iter().any(|part| part.starts_with(&of_user))
            }
            Some((user, _)) => !only.contains(user) && !only.contains(task),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_and_iterations_that_are_named_take_part() {
        let only = ["user-1".to_owned(), "user-3@2".to_owned()].into();
        let replay = Replay::new(&Schedule { decisions: Vec::new(), only: Some(only) });
        let takes_part = |task| !replay.skips(task);
        assert!(takes_part("user-1") && takes_part("user-1@7"));
        assert!(takes_part("user-3") && takes_part("user-3@2"));
        assert!(!takes_part("user-3@0") && !takes_part("user-31@2"));
        assert!(!takes_part("user-0") && !takes_part("user-0@0"));
        let all = Replay::new(&Schedule::default());
        assert!(!all.skips("user-0") && !all.skips("user-0@0"));
    }
}
