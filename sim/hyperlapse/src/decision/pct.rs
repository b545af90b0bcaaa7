//! PCT: few points at which priorities change, placed at random.
//!
//! Burckhardt, Kothari, Musuvathi and Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
//! Finding Bugs" (ASPLOS 2010). Each task gets a random priority; of those that are ready the highest goes
//! first; at d - 1 random steps the task that runs falls below all others. A bug that needs d ordering
//! constraints is found with a probability of at least 1 / (n k^(d-1)) for n tasks and k steps.
//!
//! Here a task that is not the highest of those ready is postponed until the higher ones have gone, which
//! works for tasks that the world spawns; at a change point the task that is polled also has to yield at
//! one of its next awaits, which works for all. How many steps a run takes is not known before: the horizon
//! is drawn log-uniformly. Cancellation, timeouts and delays stay those of the random walk.

use std::collections::BTreeMap;

use super::random_walk::Beside;
use super::{Address, DecisionKind, Kinds, Point, Strategy};
use crate::random::{RandomExt, StreamRng, Streams};

/// The greatest depth d: most known bugs need one or two ordering constraints.
const DEPTH: u64 = 5;
/// A task that was passed over so often goes all the same: who waits by polling would starve it for ever.
const PATIENCE: u32 = 200;
/// A yield comes after 0 up to, not including, so many awaits of its poll.
const AWAITS: u64 = 4;
/// Kinds that PCT decides itself; others are those of the random walk.
const OWN: [DecisionKind; 2] = [DecisionKind::Yield, DecisionKind::Postpone];

/// See the [module](self).
pub(super) struct Pct {
    streams: Streams,
    rng: StreamRng,
    others: Beside,
    /// Steps at which a priority changes, ascending from the end.
    change_points: Vec<u64>,
    steps: u64,
    /// Above [`DEPTH`] as long as a task has not fallen.
    priorities: BTreeMap<Address, u64>,
    fallen: u64,
    passed_over: BTreeMap<Address, u32>,
}

impl Pct {
    pub(super) fn new(streams: &Streams, allowed: &[DecisionKind]) -> Self {
        let mut rng = streams.stream("decisions/pct");
        let horizon = libm::exp(libm::log(16.0) + rng.unit() * libm::log(500.0)) as u64;
        let changes = rng.below(DEPTH);
        let mut change_points: Vec<u64> = (0..changes).map(|_| rng.below(horizon)).collect();
        change_points.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            streams: *streams,
            rng,
            others: Beside::new(streams, allowed, &OWN),
            change_points,
            steps: 0,
            priorities: BTreeMap::new(),
            fallen: 0,
            passed_over: BTreeMap::new(),
        }
    }

    fn priority(&mut self, task: &Address) -> u64 {
        if let Some(priority) = self.priorities.get(task) {
            return *priority;
        }
        // Of its own stream: the priority of a task does not depend on which others there are.
        let mut draw = self.streams.stream(format_args!("decisions/pct/{task}"));
        let priority = DEPTH + draw.below(1 << 32);
        self.priorities.insert(task.clone(), priority);
        priority
    }
}

impl Strategy for Pct {
    fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        match point.kind {
            DecisionKind::Yield => {
                self.steps += 1;
                if self.change_points.last().is_none_or(|next| *next >= self.steps) {
                    return None;
                }
                self.change_points.pop();
                // Each that falls lies below those that fell before.
                self.fallen += 1;
                self.priorities.insert(point.task.clone(), DEPTH - self.fallen);
                Some(self.rng.below(AWAITS) as u32)
            }
            DecisionKind::Postpone => {
                let own = self.priority(point.task);
                let higher = point.ready.iter().any(|task| self.priority(task) > own);
                let passed = self.passed_over.entry(point.task.clone()).or_default();
                if !higher || *passed == PATIENCE {
                    *passed = 0;
                    return None;
                }
                *passed += 1;
                Some(0)
            }
            _ => self.others.decide(point),
        }
    }

    fn kinds(&self) -> Kinds {
        self.others.kinds()
    }

    fn wants_ready(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn of_those_ready_all_but_the_highest_are_postponed() {
        let tasks: BTreeSet<Address> = (0..5).map(|id| format!("user-{id}").into()).collect();
        for seed in 0..50 {
            let mut pct = Pct::new(&Streams::new(seed), DecisionKind::BENDS);
            let mut go = |task: &Address| {
                let kind = DecisionKind::Postpone;
                let point = Point { kind, task, nth: 0, at_ns: 0, user_kind: None, ready: &tasks };
                pct.decide(&point).is_none()
            };
            let who: Vec<&Address> = tasks.iter().filter(|task| go(task)).collect();
            assert_eq!(who.len(), 1, "seed {seed}");
            assert_eq!(who, tasks.iter().filter(|task| go(task)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_run_has_at_most_four_change_points_and_many_have_some() {
        let changes = |seed| {
            let mut pct = Pct::new(&Streams::new(seed), &OWN);
            let (task, ready) = ("user-0".into(), BTreeSet::new());
            let kind = DecisionKind::Yield;
            let point =
                |nth| Point { kind, task: &task, nth, at_ns: 0, user_kind: None, ready: &ready };
            (0..10_000).filter(|nth| pct.decide(&point(*nth)).is_some()).count()
        };
        let all: Vec<usize> = (0..100).map(changes).collect();
        assert!(all.iter().all(|changes| *changes < DEPTH as usize));
        assert!(all.iter().filter(|changes| **changes > 0).count() > 50);
    }
}
