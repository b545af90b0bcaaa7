//! The search: which load to try next, when these have been tried.
//!
//! A function of what has been tried and of nothing else: doubling while all hold, halving while all break, the
//! middle once it lies between two. Whoever tries several loads at a time, or tries them in another order, asks the
//! same question.

use std::collections::{BTreeMap, BTreeSet};

use super::ladder::Scale;

/// What became of every load that was tried.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    scale: Scale,
    /// By rank: from the easiest to the hardest.
    held: BTreeMap<u64, (u64, bool)>,
}

/// The load up to which it holds, and the next one, at which it breaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bracket {
    pub(super) holds: Option<u64>,
    pub(super) breaks: Option<u64>,
}

impl Tried {
    pub(super) fn new(scale: Scale) -> Self {
        Self { scale, held: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, load: u64, held: bool) {
        self.held.insert(self.scale.rank(load), (load, held));
    }

    pub(super) fn contains(&self, load: u64) -> bool {
        self.held.contains_key(&self.scale.rank(load))
    }

    /// What has been found so far: the easiest load that breaks beyond one that holds, and the hardest that holds before
    /// it. What breaks with less load than all that hold breaks for want of load.
    pub(super) fn bracket(&self) -> Bracket {
        let mut bracket = Bracket::default();
        for (load, held) in self.held.values() {
            match (held, bracket.holds, bracket.breaks) {
                (true, _, None) => bracket.holds = Some(*load),
                // The first that holds: what broke before it is not what was looked for.
                (true, None, Some(_)) => {
                    bracket = Bracket { holds: Some(*load), breaks: None };
                }
                (true, Some(_), Some(_)) => {}
                (false, _, None) => bracket.breaks = Some(*load),
                (false, _, Some(_)) => {}
            }
        }
        bracket
    }

    /// The next load to try, until the bracket is as narrow as it gets.
    pub(super) fn next(&self) -> Option<u64> {
        match self.bracket() {
            Bracket { holds: None, breaks: None } => None,
            Bracket { holds: Some(holds), breaks: None } => self.scale.doubled(holds),
            Bracket { holds: None, breaks: Some(breaks) } => self.scale.halved(breaks),
            Bracket { holds: Some(holds), breaks: Some(breaks) } => {
                self.scale.between(holds, breaks)
            }
        }
    }

    /// Loads on both sides of the point that have not been tried: what holds there should hold below it, and break above.
    pub(super) fn neighbours(&self) -> Vec<u64> {
        let Bracket { holds: Some(holds), breaks: Some(breaks) } = self.bracket() else {
            return Vec::new();
        };
        let scale = self.scale;
        let (less, more) = if scale.easiest <= scale.hardest { (95, 105) } else { (105, 95) };
        let below = [scale.easier(holds), scale.percent(holds, less), scale.halved(holds)];
        let above = [scale.harder(breaks), scale.percent(breaks, more)];
        let found: BTreeSet<u64> = below.into_iter().chain(above).flatten().collect();
        found.into_iter().filter(|load| !self.contains(*load)).collect()
    }

    /// Loads that break though a harder one holds, and loads that hold though an easier one breaks.
    pub(super) fn uneven(&self) -> (Vec<u64>, Vec<u64>) {
        let Bracket { holds: Some(holds), breaks: Some(breaks) } = self.bracket() else {
            return Default::default();
        };
        let (holds, breaks) = (self.scale.rank(holds), self.scale.rank(breaks));
        let broke = self.held.range(..holds).filter(|(_, (_, held))| !held);
        let held = self.held.range(breaks..).filter(|(_, (_, held))| *held);
        (broke.map(|(_, (load, _))| *load).collect(), held.map(|(_, (load, _))| *load).collect())
    }
}

/// Where nothing holds: a load between one that is too little and one that is too much, known by having no broken
/// threshold in common. `broken` is what broke at each load, in the order of the loads.
pub(super) fn gap(scale: Scale, broken: &[(u64, BTreeSet<&str>)]) -> Option<u64> {
    broken
        .windows(2)
        .filter(|pair| pair[0].1.is_disjoint(&pair[1].1))
        .find_map(|pair| scale.between(pair[0].0, pair[1].0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ladder::{HIGHEST, Tolerance};
    use super::*;

    fn found(scale: Scale, start: u64, holds: impl Fn(u64) -> bool) -> (Bracket, usize) {
        let mut tried = Tried::new(scale);
        tried.add(start, holds(start));
        while let Some(load) = tried.next() {
            assert!(!tried.contains(load), "{load} is tried twice");
            tried.add(load, holds(load));
        }
        (tried.bracket(), tried.held.len())
    }

    fn up(tolerance: Tolerance, hardest: u64) -> Scale {
        Scale { tolerance, easiest: tolerance.first(), hardest }
    }

    #[test]
    fn the_last_load_that_holds_is_found_from_below_and_from_above() {
        let scale = up(Tolerance::Step(1), 10_000);
        for start in [1, 5, 20, 21, 64, 10_000] {
            let (bracket, tried) = found(scale, start, |load| load <= 20);
            assert_eq!(bracket, Bracket { holds: Some(20), breaks: Some(21) }, "from {start}");
            assert!(tried <= 20, "{tried} loads from {start}");
        }
    }

    #[test]
    fn the_search_ends_where_nothing_breaks_and_where_everything_does() {
        let scale = up(Tolerance::Step(1), 100);
        let (bracket, tried) = found(scale, 10, |_| true);
        assert_eq!((bracket, tried), (Bracket { holds: Some(100), breaks: None }, 5));
        let (bracket, tried) = found(scale, 10, |_| false);
        assert_eq!((bracket, tried), (Bracket { holds: None, breaks: Some(1) }, 4));
    }

    #[test]
    fn a_setting_that_is_lowered_is_searched_the_other_way_round() {
        let scale = Scale { tolerance: Tolerance::Step(1), easiest: 1_000, hardest: 1 };
        for start in [1, 3, 20, 500] {
            let (bracket, _) = found(scale, start, |load| load >= 20);
            assert_eq!(bracket, Bracket { holds: Some(20), breaks: Some(19) }, "from {start}");
        }
    }

    #[test]
    fn loads_that_break_below_and_hold_above_are_told() {
        let mut tried = Tried::new(up(Tolerance::Step(1), 1_000));
        for (load, held) in
            [(2, false), (10, true), (20, true), (21, false), (30, true), (40, false)]
        {
            tried.add(load, held);
        }
        assert_eq!(tried.bracket(), Bracket { holds: Some(20), breaks: Some(21) });
        assert_eq!(tried.uneven(), (vec![2], vec![30]));
        assert_eq!(tried.neighbours(), [19, 22]);
        // One that breaks with something that holds below it is the point itself.
        tried.add(19, false);
        assert_eq!(tried.bracket(), Bracket { holds: Some(10), breaks: Some(19) });
    }

    #[test]
    fn a_window_between_too_little_and_too_much_is_looked_for() {
        let scale = up(Tolerance::Step(1), 1_000);
        let (little, much) = (BTreeSet::from(["throughput"]), BTreeSet::from(["refused"]));
        let both = BTreeSet::from(["throughput", "refused"]);
        assert_eq!(gap(scale, &[(8, little.clone()), (16, much.clone())]), Some(12));
        assert_eq!(gap(scale, &[(8, little.clone()), (9, much)]), None);
        assert_eq!(gap(scale, &[(8, little), (16, both)]), None);
    }

    proptest! {
        #[test]
        fn every_start_finds_the_same_point(
            share in prop_oneof![Just(None), super::super::ladder::SHARES.prop_map(Some)],
            point in 1u64..1_000_000,
            starts in prop::collection::vec(1u64..2_000_000, 3),
            down in any::<bool>(),
        ) {
            let tolerance = share.map_or(Tolerance::Step(1), Tolerance::Share);
            let scale = match down {
                false => up(tolerance, HIGHEST),
                true => Scale { tolerance, easiest: HIGHEST, hardest: 1 },
            };
            let point = scale.fit(point);
            let holds = |load: u64| if down { load >= point } else { load <= point };
            for start in starts {
                let (bracket, _) = found(scale, scale.fit(start), holds);
                prop_assert_eq!(bracket.holds, Some(point));
                prop_assert_eq!(bracket.breaks, scale.harder(point));
            }
        }
    }
}
