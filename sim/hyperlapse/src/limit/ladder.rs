//! The loads that a search may try: round values that lie as close as the tolerance asks.
//!
//! They are fixed by the tolerance and by nothing else. A search that began elsewhere tries loads of the same
//! ladder, so that it ends at the same one: two bisections over all numbers would end at two numbers that are
//! each within the tolerance and not the same.

/// How close the loads lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    /// Every multiple of this.
    Step(u64),
    /// Steps of 1, 2 or 5 times a power of ten, each at most this many ten-thousandths of the load.
    Share(u64),
}

/// What a relative tolerance may be, in ten-thousandths. Above a tenth the steps would not meet in 1, 2 and 5 times a
/// power of ten.
pub(super) const SHARES: std::ops::RangeInclusive<u64> = 1..=1_000;

/// No load is above it, so that twice a load can be counted.
pub(super) const HIGHEST: u64 = u64::MAX / 4;

impl Tolerance {
    /// The least load above 0.
    pub(super) fn first(self) -> u64 {
        match self {
            Tolerance::Step(step) => step,
            Tolerance::Share(_) => 1,
        }
    }

    /// From a load to the next one.
    fn step(self, load: u64) -> u64 {
        match self {
            Tolerance::Step(step) => step,
            Tolerance::Share(share) => {
                let bound = u128::from(round(load.max(1))) * u128::from(share) / 10_000;
                round((bound as u64).max(1))
            }
        }
    }

    /// The greatest load up to this number; 0 when it is below the first.
    pub(super) fn floor(self, number: u64) -> u64 {
        number - number % self.step(number)
    }

    /// The next load above one.
    pub(super) fn above(self, load: u64) -> u64 {
        load + self.step(load)
    }

    /// The next load below one; 0 below the first.
    pub(super) fn below(self, load: u64) -> u64 {
        self.floor(load.saturating_sub(1))
    }
}

/// The greatest of 1, 2 and 5 times a power of ten up to this number, which is not 0.
fn round(number: u64) -> u64 {
    let decade = 10u64.pow(number.ilog10());
    [5, 2].into_iter().find(|digit| number / digit >= decade).map_or(decade, |digit| digit * decade)
}

/// The loads between the easiest and the hardest. Where the setting is raised the hardest is the greatest; where it is
/// lowered, the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) tolerance: Tolerance,
    pub(super) easiest: u64,
    pub(super) hardest: u64,
}

impl Scale {
    fn rises(self) -> bool {
        self.easiest <= self.hardest
    }

    /// Its place in an order from the easiest to the hardest.
    pub(super) fn rank(self, load: u64) -> u64 {
        if self.rises() { load } else { u64::MAX - load }
    }

    /// The load of this scale that is nearest below a number.
    pub(super) fn fit(self, number: u64) -> u64 {
        let (least, most) = (self.easiest.min(self.hardest), self.easiest.max(self.hardest));
        self.tolerance.floor(number).clamp(least, most)
    }

    /// The next harder load.
    pub(super) fn harder(self, load: u64) -> Option<u64> {
        let next =
            if self.rises() { self.tolerance.above(load) } else { self.tolerance.below(load) };
        self.inside(load, next)
    }

    /// The next easier load.
    pub(super) fn easier(self, load: u64) -> Option<u64> {
        let next =
            if self.rises() { self.tolerance.below(load) } else { self.tolerance.above(load) };
        self.inside(load, next)
    }

    /// This share of a load, as near as the scale has it; `None` when that is the load itself.
    pub(super) fn percent(self, load: u64, percent: u64) -> Option<u64> {
        let number = u128::from(load) * u128::from(percent) / 100;
        let there = self.fit(number.min(u128::from(HIGHEST)) as u64);
        (there != load).then_some(there)
    }

    /// Twice as hard, or the hardest.
    pub(super) fn doubled(self, load: u64) -> Option<u64> {
        self.percent(load, if self.rises() { 200 } else { 50 })
    }

    /// Half as hard, or the easiest.
    pub(super) fn halved(self, load: u64) -> Option<u64> {
        self.percent(load, if self.rises() { 50 } else { 200 })
    }

    /// A load in the middle of two, if there is one.
    pub(super) fn between(self, one: u64, other: u64) -> Option<u64> {
        let (low, high) = (one.min(other), one.max(other));
        let middle = self.tolerance.floor(low + (high - low) / 2);
        [middle, self.tolerance.above(low)].into_iter().find(|load| low < *load && *load < high)
    }

    fn inside(self, from: u64, to: u64) -> Option<u64> {
        (to != from && self.fit(to) == to).then_some(to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loads_are_round_and_as_close_as_the_tolerance_asks() {
        let from = |tolerance: Tolerance, load: u64| -> Vec<u64> {
            std::iter::successors(Some(load), |load| Some(tolerance.above(*load))).take(6).collect()
        };
        assert_eq!(from(Tolerance::Step(1), 18), [18, 19, 20, 21, 22, 23]);
        assert_eq!(from(Tolerance::Step(5), 20), [20, 25, 30, 35, 40, 45]);
        assert_eq!(from(Tolerance::Share(100), 97), [97, 98, 99, 100, 101, 102]);
        assert_eq!(
            from(Tolerance::Share(100), 9_850),
            [9_850, 9_900, 9_950, 10_000, 10_100, 10_200]
        );
        assert_eq!(from(Tolerance::Share(1_000), 48), [48, 50, 55, 60, 65, 70]);
    }

    fn tolerances() -> impl Strategy<Value = Tolerance> {
        prop_oneof![SHARES.prop_map(Tolerance::Share), (1u64..1_000).prop_map(Tolerance::Step)]
    }

    proptest! {
        #[test]
        fn up_and_down_the_ladder_are_the_same_loads(
            tolerance in tolerances(),
            number in 1_000u64..1_000_000_000_000,
        ) {
            let load = tolerance.floor(number);
            prop_assert_eq!(tolerance.floor(load), load);
            let next = tolerance.above(load);
            prop_assert!(load <= number && number < next, "{load} <= {number} < {next}");
            prop_assert_eq!(tolerance.floor(next), next);
            prop_assert_eq!(tolerance.below(next), load);
            if let Tolerance::Share(share) = tolerance {
                prop_assert!((next - load) * 10_000 <= (load * share).max(10_000));
            }
        }

        #[test]
        fn what_lies_between_two_loads_is_a_load_between_them(
            tolerance in tolerances(),
            one in 1_000u64..1_000_000,
            other in 1_000u64..1_000_000,
        ) {
            let scale = Scale { tolerance, easiest: tolerance.first(), hardest: HIGHEST };
            let (one, other) = (tolerance.floor(one), tolerance.floor(other));
            match scale.between(one, other) {
                None => prop_assert!(tolerance.above(one.min(other)) >= one.max(other)),
                Some(load) => {
                    prop_assert!(one.min(other) < load && load < one.max(other));
                    prop_assert_eq!(tolerance.floor(load), load);
                }
            }
        }
    }
}
