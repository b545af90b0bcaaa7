//! A random walk through the interleavings, from quiet to stormy.
//!
//! For each seed, each kind of decision is switched on or off and given a rate, drawn log-uniformly, so
//! that both runs with one bent poll and runs with hundreds occur. Switching whole kinds off per seed is
//! swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): a little of everything hides bugs that need
//! much of one thing and none of another.
//!
//! Gaps between decisions are geometric and drawn once per decision, not per point: a poll that is not
//! bent costs a subtraction.

use super::{DecisionKind, Kinds, Point, Strategy};
use crate::random::{RandomExt, StreamRng, Streams};

/// Decisions per point, from rare to heavy. Cancelling and timeouts end an operation, so they are rarer.
const RATES: [(DecisionKind, f64, f64); 6] = [
    (DecisionKind::Yield, 0.01, 0.7),
    (DecisionKind::Postpone, 0.005, 0.5),
    (DecisionKind::Delay, 0.002, 0.1),
    (DecisionKind::Cancel, 0.005, 0.2),
    (DecisionKind::Timeout, 0.02, 0.5),
    (DecisionKind::Select, 1.0, 1.0),
];

/// A yield comes after 0 up to, not including, so many awaits of its poll.
const AWAITS: u64 = 3;
/// A delayed poll takes place up to so many milliseconds later.
const DELAY_MS: u64 = 20;
/// A timeout comes after up to so many milliseconds.
const TIMEOUT_MS: u64 = 64;

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

    /// From 1 to `most`, small ones as often as great ones: log-uniform.
    fn draw_ms(&mut self, most: u64) -> u32 {
        libm::exp(self.rng.unit() * libm::log(most as f64)) as u32
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
    fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        let kind = self.0.iter_mut().find(|kind| kind.kind == point.kind)?;
        if kind.gap > 0 {
            kind.gap -= 1;
            return None;
        }
        kind.draw_gap();
        Some(match point.kind {
            DecisionKind::Yield => kind.rng.below(AWAITS) as u32,
            DecisionKind::Delay => kind.draw_ms(DELAY_MS),
            DecisionKind::Timeout => kind.draw_ms(TIMEOUT_MS),
            DecisionKind::Select => kind.rng.below(1 << 32) as u32,
            _ => 0,
        })
    }

    fn kinds(&self) -> Kinds {
        self.0.iter().map(|kind| &kind.kind).collect()
    }
}

/// The walk beside a strategy that decides some kinds itself.
pub(super) struct Beside {
    /// The kinds that the strategy decides, as far as they are allowed.
    own: Kinds,
    walk: RandomWalk,
}

impl Beside {
    pub(super) fn new(streams: &Streams, allowed: &[DecisionKind], own: &[DecisionKind]) -> Self {
        let (mine, others): (Vec<DecisionKind>, Vec<DecisionKind>) =
            allowed.iter().copied().partition(|kind| own.contains(kind));
        Self { own: mine.iter().collect(), walk: RandomWalk::new(streams, &others) }
    }

    /// Whether the strategy may decide this kind.
    pub(super) fn own(&self, kind: DecisionKind) -> bool {
        self.own.has(kind)
    }

    /// What the walk decides, of the other kinds.
    pub(super) fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        self.walk.decide(point)
    }

    /// The strategy's kinds and the walk's.
    pub(super) fn kinds(&self) -> Kinds {
        self.own.and(self.walk.kinds())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn decide(walk: &mut RandomWalk, kind: DecisionKind, nth: u64) -> Option<u32> {
        let (task, ready) = ("body".into(), BTreeSet::new());
        walk.decide(&Point { kind, task: &task, nth, at_ns: 0, user_kind: None, ready: &ready })
    }

    /// Decisions among ten thousand points of each kind.
    fn decisions(seed: u64) -> Vec<usize> {
        let mut walk = RandomWalk::new(&Streams::new(seed), DecisionKind::BENDS);
        let taken = |kind: &DecisionKind| {
            (0..10_000).filter(|nth| decide(&mut walk, *kind, *nth).is_some()).count()
        };
        DecisionKind::BENDS.iter().map(taken).collect()
    }

    #[test]
    fn seeds_are_quiet_or_stormy_and_leave_whole_kinds_out() {
        let all: Vec<Vec<usize>> = (0..300).map(decisions).collect();
        for (index, (kind, low, high)) in RATES.into_iter().enumerate() {
            assert_eq!(kind, DecisionKind::BENDS[index]);
            // Log-uniform: as many seeds below the geometric mean of its rates as above.
            let middle = (10_000.0 * (low * high).sqrt()) as usize;
            let count = |range: std::ops::Range<usize>| {
                all.iter().filter(|counts| range.contains(&counts[index])).count()
            };
            let (off, rare, heavy) = (count(0..1), count(1..middle), count(middle..10_001));
            // The order of `select!` is drawn once in a run, or not at all.
            let rare_ones = kind == DecisionKind::Select || rare > 60;
            assert!(
                off > 60 && rare_ones && heavy > 60,
                "{}: {off} off, {rare} rare, {heavy} heavy",
                kind.text()
            );
        }
    }

    #[test]
    fn a_kind_that_is_not_allowed_is_never_decided() {
        for seed in 0..50 {
            let mut walk = RandomWalk::new(&Streams::new(seed), &[DecisionKind::Yield]);
            assert!((0..1_000).all(|nth| decide(&mut walk, DecisionKind::Cancel, nth).is_none()));
        }
    }
}
