//! A random walk through the interleavings, from quiet to stormy.
//!
//! For each seed, each kind of decision is switched on or off and given a rate, drawn log-uniformly, so
//! that both runs with one bent poll and runs with hundreds occur. Switching whole kinds off per seed is
//! swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): a little of everything hides bugs that need
//! much of one thing and none of another.
//!
//! Gaps between decisions are geometric and drawn once per decision, not per point: a poll that is not
//! bent costs a subtraction.

use super::{DecisionKind, Point, Strategy};
use crate::random::{RandomExt, StreamRng, Streams};

/// Decisions per point, from rare to heavy. Cancelling ends an iteration, so it is rarer: at the top every
/// fifth poll.
const RATES: [(DecisionKind, f64, f64); 3] = [
    (DecisionKind::Yield, 0.005, 0.5),
    (DecisionKind::Postpone, 0.005, 0.5),
    (DecisionKind::Cancel, 0.005, 0.2),
];

/// A yield comes after 0 up to, not including, so many awaits of its poll.
const AWAITS: u64 = 4;

struct Kind {
    kind: DecisionKind,
    rate: f64,
    /// Points to pass before the next decision.
    gap: u64,
    rng: StreamRng,
}

impl Kind {
    fn draw_gap(&mut self) {
        // Geometric by inverse CDF. Far below 2^53: a float holds it exactly.
        let gap = libm::log(self.rng.unit()) / libm::log(1.0 - self.rate);
        self.gap = gap as u64;
    }
}

/// See the [module](self).
pub(super) struct RandomWalk(Vec<Kind>);

impl RandomWalk {
    pub(super) fn new(streams: &Streams, allowed: &[DecisionKind]) -> Self {
        let mut kinds = Vec::new();
        for (kind, low, high) in RATES {
            let mut rng = streams.stream(format_args!("decisions/{}", kind.text()));
            let on = rng.chance(2, 3);
            let rate = low * libm::exp(rng.unit() * libm::log(high / low));
            if on && allowed.contains(&kind) {
                let mut kind = Kind { kind, rate, gap: 0, rng };
                kind.draw_gap();
                kinds.push(kind);
            }
        }
        Self(kinds)
    }
}

impl Strategy for RandomWalk {
    fn decide(&mut self, point: &Point<'_>) -> Option<u8> {
        let kind = self.0.iter_mut().find(|kind| kind.kind == point.kind)?;
        if kind.gap > 0 {
            kind.gap -= 1;
            return None;
        }
        kind.draw_gap();
        Some(match point.kind {
            DecisionKind::Yield => kind.rng.below(AWAITS) as u8,
            DecisionKind::Postpone | DecisionKind::Cancel => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decisions among ten thousand points of each kind.
    fn decisions(seed: u64) -> [usize; 3] {
        let mut walk = RandomWalk::new(&Streams::new(seed), &DecisionKind::ALL);
        let task = "body".into();
        DecisionKind::ALL.map(|kind| {
            (0..10_000)
                .filter(|nth| walk.decide(&Point { kind, task: &task, nth: *nth }).is_some())
                .count()
        })
    }

    #[test]
    fn seeds_are_quiet_or_stormy_and_leave_whole_kinds_out() {
        let all: Vec<[usize; 3]> = (0..300).map(decisions).collect();
        for kind in 0..3 {
            let off = all.iter().filter(|counts| counts[kind] == 0).count();
            let rare = all.iter().filter(|counts| (1..200).contains(&counts[kind])).count();
            let heavy = all.iter().filter(|counts| counts[kind] > 1_000).count();
            assert!(
                off > 60 && rare > 30 && heavy > 20,
                "{kind}: {off} off, {rare} rare, {heavy} heavy"
            );
        }
    }

    #[test]
    fn a_kind_that_is_not_allowed_is_never_decided() {
        for seed in 0..50 {
            let mut walk = RandomWalk::new(&Streams::new(seed), &[DecisionKind::Yield]);
            let point = Point { kind: DecisionKind::Cancel, task: &"user-0@0".into(), nth: 0 };
            assert!((0..1_000).all(|_| walk.decide(&point).is_none()));
        }
    }
}
