//! Whether something moved by more than seeds differ among themselves.
//!
//! One seed against the same seed is a difference and no guess. Many seeds are a sample of all seeds, and the
//! rule is this, at a level of one in a hundred:
//!
//! - **The same seeds on both sides**: each seed is compared with itself, and the sign test tells whether more
//!   seeds went one way than chance would have it (W. J. Dixon, A. M. Mood, "The statistical sign test", JASA 41,
//!   1946). It is exact and asks nothing of the shape of the differences; seeds that did not move are left out.
//! - **Other seeds**: the rank-sum test of all values (H. B. Mann, D. R. Whitney, "On a test of whether one of two
//!   random variables is stochastically larger than the other", Ann. Math. Stat. 18, 1947), by its normal
//!   approximation with the corrections for ties and continuity.
//! - **Fewer than eight seeds**, of which no test can say anything at that level: all of them moved the same way, or
//!   all values of one side lie beyond all of the other.

use serde::{Deserialize, Serialize};

/// The fewest seeds of which a test at this level can say anything: 2 in 2^8 is less than one in a hundred.
pub(super) const ENOUGH: usize = 8;

/// Chance, in millionths, below which it was none.
const LEVEL_PPM: u64 = 10_000;

/// What values a metric had in the seeds of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// In how many seeds it was measured.
    pub seeds: u64,
    /// The least.
    pub min: i64,
    /// The first quartile, by nearest rank as all percentiles here.
    pub lower: i64,
    /// The median, by nearest rank.
    pub median: i64,
    /// The third quartile, by nearest rank.
    pub upper: i64,
    /// The most.
    pub max: i64,
}

impl Spread {
    /// Of these values, in any order; `None` when there are none.
    pub(super) fn of(values: &[i64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let rank = |quarters: usize| sorted[(sorted.len() * quarters).div_ceil(4) - 1];
        let seeds = sorted.len() as u64;
        Some(Self { seeds, min, lower: rank(1), median: rank(2), upper: rank(3), max })
    }
}

/// The median of differences: the mean of the two in the middle, towards zero, so that turning all signs turns its sign.
pub(super) fn median(sorted: &[i64]) -> i64 {
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    ((i128::from(low) + i128::from(high)) / 2) as i64
}

/// What the seeds say of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Evidence {
    /// Each seed was compared with itself.
    Pairs {
        /// Seeds in which there is more.
        up: u64,
        /// Seeds in which there is less.
        down: u64,
        /// Seeds in which nothing moved.
        same: u64,
        /// What the sign test says, in millionths; `None` of too few seeds.
        chance_ppm: Option<u64>,
    },
    /// All values of one side against all of the other.
    Ranks {
        /// Whether all of one side lie beyond all of the other.
        apart: bool,
        /// What the rank-sum test says, in millionths; `None` of too few seeds.
        chance_ppm: Option<u64>,
    },
}

impl Evidence {
    /// Of the differences of the same seeds.
    pub(super) fn of_pairs(differences: &[i64]) -> Self {
        let up = differences.iter().filter(|d| **d > 0).count() as u64;
        let down = differences.iter().filter(|d| **d < 0).count() as u64;
        let same = differences.len() as u64 - up - down;
        let enough = differences.len() >= ENOUGH;
        let chance_ppm = enough.then(|| ppm(sign_test(up, down)));
        Evidence::Pairs { up, down, same, chance_ppm }
    }

    /// Of the values of other seeds.
    pub(super) fn of_ranks(base: &[i64], new: &[i64]) -> Self {
        let bounds = |of: &[i64]| (of.iter().min().copied(), of.iter().max().copied());
        let ((base_min, base_max), (new_min, new_max)) = (bounds(base), bounds(new));
        let apart = base_max < new_min || new_max < base_min;
        let enough = base.len() >= ENOUGH && new.len() >= ENOUGH;
        Evidence::Ranks { apart, chance_ppm: enough.then(|| ppm(rank_sum_test(base, new))) }
    }

    /// Whether it is more than seeds differ among themselves.
    pub fn beyond_spread(self) -> bool {
        match self {
            Evidence::Pairs { chance_ppm: Some(ppm), .. }
            | Evidence::Ranks { chance_ppm: Some(ppm), .. } => ppm < LEVEL_PPM,
            Evidence::Pairs { up, down, same, .. } => same == 0 && (up == 0) != (down == 0),
            Evidence::Ranks { apart, .. } => apart,
        }
    }
}

fn ppm(chance: f64) -> u64 {
    libm::round(chance.clamp(0.0, 1.0) * 1_000_000.0) as u64
}

/// The chance that of this many coins so many or more show the same side, either one.
///
/// By the ratios of neighbouring binomial coefficients, beginning in the middle, so that nothing overflows; only
/// additions, multiplications and divisions, which are the same on every machine.
fn sign_test(up: u64, down: u64) -> f64 {
    let (n, least) = (up + down, up.min(down));
    if n == 0 {
        return 1.0;
    }
    let middle = n / 2;
    // Relative to the coefficient in the middle.
    let (mut weight, mut half, mut tail) = (1.0, 0.0, 0.0);
    for k in (0..=middle).rev() {
        // That in the middle of an even number is its own mirror image.
        half += if n % 2 == 0 && k == middle { weight / 2.0 } else { weight };
        if k <= least {
            tail += weight;
        }
        weight *= k as f64 / (n - k + 1) as f64;
    }
    (tail / half).min(1.0)
}

/// The chance that two samples of the same values have rank sums so far apart.
fn rank_sum_test(base: &[i64], new: &[i64]) -> f64 {
    let mut all: Vec<(i64, bool)> = base.iter().map(|value| (*value, false)).collect();
    all.extend(new.iter().map(|value| (*value, true)));
    all.sort_unstable();
    // Twice the rank, since those that are equal share the mean of their ranks.
    let (mut twice_sum, mut ties) = (0u128, 0u128);
    let mut at = 0;
    while at < all.len() {
        let end = at + all[at..].iter().take_while(|(value, _)| *value == all[at].0).count();
        let of_new = all[at..end].iter().filter(|(_, is_new)| *is_new).count();
        twice_sum += (at + 1 + end) as u128 * of_new as u128;
        let equal = (end - at) as u128;
        ties += equal * equal * equal - equal;
        at = end;
    }
    let (m, n) = (base.len() as f64, new.len() as f64);
    let total = m + n;
    let u = twice_sum as f64 / 2.0 - n * (n + 1.0) / 2.0;
    let variance = m * n / 12.0 * (total + 1.0 - ties as f64 / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let distance = ((u - m * n / 2.0).abs() - 0.5).max(0.0);
    libm::erfc(distance / libm::sqrt(2.0 * variance))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sign_test_is_that_of_the_binomial_tables() {
        // 2 (C(10,0) + C(10,1)) / 2^10, and the like.
        assert_eq!(ppm(sign_test(9, 1)), 21_484);
        assert_eq!(ppm(sign_test(0, 9)), 3_906);
        assert_eq!(ppm(sign_test(7, 0)), 15_625);
        assert_eq!(ppm(sign_test(15, 5)), 41_389);
        assert_eq!(ppm(sign_test(5, 5)), 1_000_000);
        assert_eq!(ppm(sign_test(0, 0)), 1_000_000);
        // A million coins overflow nothing.
        assert_eq!(ppm(sign_test(500_000, 500_000)), 1_000_000);
        assert_eq!(ppm(sign_test(501_500, 498_500)), 2_709);
    }

    #[test]
    fn the_rank_sum_test_is_that_of_the_textbook() {
        // No ties: U = 52, z = (20 - 0.5) / sqrt(8 * 8 * 17 / 12) = 2.04791, two-sided 0.040569.
        let base = [1, 2, 3, 5, 6, 8, 11, 12];
        let new = [4, 7, 9, 10, 13, 14, 15, 16];
        let pairs = base.iter().flat_map(|b| new.iter().map(move |n| b < n));
        assert_eq!(pairs.filter(|less| *less).count(), 52);
        assert_eq!(ppm(rank_sum_test(&base, &new)), 40_569);
        assert_eq!(ppm(rank_sum_test(&[7; 20], &[7; 20])), 1_000_000);
    }

    #[test]
    fn fewer_than_eight_seeds_speak_only_with_one_voice() {
        assert!(Evidence::of_pairs(&[5]).beyond_spread());
        assert!(Evidence::of_pairs(&[1, 2, 3]).beyond_spread());
        assert!(!Evidence::of_pairs(&[1, 2, -1]).beyond_spread());
        assert!(!Evidence::of_pairs(&[1, 2, 0]).beyond_spread());
        assert!(!Evidence::of_pairs(&[0]).beyond_spread());
        assert!(Evidence::of_pairs(&[1; 8]).beyond_spread());
        assert!(!Evidence::of_pairs(&[1, 1, 1, 1, 1, 1, 1, -1]).beyond_spread());
        assert!(Evidence::of_ranks(&[1, 2], &[3, 4]).beyond_spread());
        assert!(!Evidence::of_ranks(&[1, 3], &[3, 4]).beyond_spread());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_which_side_is_called_base(
            base in prop::collection::vec(-50i64..50, 1..30),
            new in prop::collection::vec(-50i64..50, 1..30),
        ) {
            let (there, back) = (Evidence::of_ranks(&base, &new), Evidence::of_ranks(&new, &base));
            prop_assert_eq!(there, back);
            let pairs: Vec<i64> = base.iter().zip(&new).map(|(b, n)| n - b).collect();
            let turned: Vec<i64> = pairs.iter().map(|d| -d).collect();
            let (there, back) = (Evidence::of_pairs(&pairs), Evidence::of_pairs(&turned));
            prop_assert_eq!(there.beyond_spread(), back.beyond_spread());
            let middle = |mut of: Vec<i64>| {
                of.sort_unstable();
                median(&of)
            };
            prop_assert_eq!(middle(pairs), -middle(turned));
        }

        #[test]
        fn a_spread_is_in_order_and_within_its_values(
            values in prop::collection::vec(any::<i64>(), 1..40),
        ) {
            let of = Spread::of(&values).unwrap();
            let in_order = [of.min, of.lower, of.median, of.upper, of.max];
            prop_assert!(in_order.is_sorted(), "{:?}", in_order);
            prop_assert!(values.contains(&of.lower) && values.contains(&of.upper));
        }

        /// The level is what it says: under no change at all, one sweep in a hundred is told as moved, or fewer.
        #[test]
        fn chance_is_never_taken_for_less_than_it_is(n in 8u64..200, least in 0u64..100) {
            let least = least.min(n / 2);
            let (mut exact, mut all, mut row) = (0.0f64, 0.0f64, vec![1.0f64]);
            for _ in 0..n {
                row = (0..=row.len()).map(|k| {
                    let left = if k == 0 { 0.0 } else { row[k - 1] };
                    (left + row.get(k).copied().unwrap_or(0.0)) / 2.0
                }).collect();
            }
            for (k, weight) in row.iter().enumerate() {
                all += weight;
                if k as u64 <= least || k as u64 >= n - least {
                    exact += weight;
                }
            }
            prop_assert!((sign_test(least, n - least) - (exact / all).min(1.0)).abs() < 1e-9);
        }
    }
}
