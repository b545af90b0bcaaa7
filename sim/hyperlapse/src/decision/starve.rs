//! Starve one: a task is kept slow for a stretch, then another one.
//!
//! As when one thread loses its processor, or one node swaps: everybody else goes on for long while one
//! stands still between two of its steps. A victim is passed over as long as anybody else is ready, or comes
//! some milliseconds late at each of its polls; the stretch, and who is next, is drawn. Cancellation and
//! timeouts stay those of the random walk.

use super::random_walk::Beside;
use super::{Address, DecisionKind, Kinds, Point, Strategy};
use crate::random::{RandomExt, StreamRng, Streams};

/// Points between two victims, and polls that a stretch lasts: up to so many, log-uniform.
const STRETCH: f64 = 256.0;
/// A late poll takes place up to so many milliseconds later.
const LATE_MS: u64 = 20;
/// Kinds that it decides itself; others are those of the random walk.
const OWN: [DecisionKind; 2] = [DecisionKind::Postpone, DecisionKind::Delay];

enum Stage {
    /// So many points to go until the next victim: whose turn it is then.
    Free(u64),
    /// Passed over, for so many points.
    PassedOver(Address, u64),
    /// So many milliseconds late, for so many of its polls.
    Late(Address, u32, u64),
}

/// See the [module](self).
pub(super) struct Starve {
    rng: StreamRng,
    others: Beside,
    stage: Stage,
}

impl Starve {
    pub(super) fn new(streams: &Streams, allowed: &[DecisionKind]) -> Self {
        let mut rng = streams.stream("decisions/starve");
        Self {
            others: Beside::new(streams, allowed, &OWN),
            stage: Stage::Free(stretch(&mut rng)),
            rng,
        }
    }

    /// Whose turn it is is the next victim.
    fn strike(&mut self, task: &Address) {
        let (passed_over, late) =
            (self.others.own(DecisionKind::Postpone), self.others.own(DecisionKind::Delay));
        let length = stretch(&mut self.rng);
        self.stage = match passed_over && (!late || self.rng.chance(1, 2)) {
            true => Stage::PassedOver(task.clone(), length),
            false => {
                let ms = 1 + self.rng.below(LATE_MS) as u32;
                Stage::Late(task.clone(), ms, length.div_ceil(16))
            }
        };
    }

    fn free(&mut self) {
        self.stage = Stage::Free(stretch(&mut self.rng));
    }
}

fn stretch(rng: &mut StreamRng) -> u64 {
    libm::exp(rng.unit() * libm::log(STRETCH)) as u64
}

impl Strategy for Starve {
    fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        if !OWN.contains(&point.kind) {
            return self.others.decide(point);
        }
        if let Stage::Free(left) = &mut self.stage {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.strike(point.task);
            }
        }
        match (&mut self.stage, point.kind) {
            (Stage::PassedOver(victim, left), DecisionKind::Postpone) => {
                *left = left.saturating_sub(1);
                let over = *left == 0;
                let decided = (victim == point.task && point.others_are_ready()).then_some(0);
                if over {
                    self.free();
                }
                decided
            }
            (Stage::Late(victim, ms, left), DecisionKind::Delay) if victim == point.task => {
                let ms = *ms;
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.free();
                }
                Some(ms)
            }
            _ => None,
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
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn one_task_at_a_time_is_starved_for_a_stretch_and_only_while_others_could_go() {
        let tasks: BTreeSet<Address> = (0..4).map(|id| format!("user-{id}").into()).collect();
        let alone = BTreeSet::new();
        let mut victims: BTreeMap<Address, u64> = BTreeMap::new();
        let mut starve = Starve::new(&Streams::new(3), &[DecisionKind::Postpone]);
        for nth in 0..5_000u64 {
            let task = tasks.iter().nth(nth as usize % 4).unwrap();
            for ready in [&tasks, &alone] {
                let kind = DecisionKind::Postpone;
                let point = Point { kind, task, nth, at_ns: 0, user_kind: None, ready };
                if starve.decide(&point).is_some() {
                    assert!(!ready.is_empty(), "passed over for nobody");
                    *victims.entry(task.clone()).or_default() += 1;
                }
            }
        }
        assert_eq!(victims.len(), 4, "everybody has their turn: {victims:?}");
    }
}
