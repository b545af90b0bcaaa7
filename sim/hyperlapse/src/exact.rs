//! Exact quantities: fractions of integers, so that no judgement depends on how a float was rounded.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::unit::Unit;
use crate::units;

/// An exact quantity in the base unit of its metric, in lowest terms, over a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exact {
    numerator: i128,
    denominator: i128,
}

/// How two quantities must stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    pub(crate) fn holds(self, value: Exact, bound: Exact) -> bool {
        match self {
            Comparison::Less => value < bound,
            Comparison::LessOrEqual => value <= bound,
            Comparison::Greater => value > bound,
            Comparison::GreaterOrEqual => value >= bound,
            Comparison::Equal => value == bound,
            Comparison::NotEqual => value != bound,
        }
    }
}

/// A quantity as data: an exact fraction in a base unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity {
    /// Above the line. What does not fit, which nothing measured comes near to, is the nearest that does.
    pub numerator: i64,
    /// Below the line, at least 1.
    pub denominator: u64,
    /// What it is a quantity of.
    pub unit: Unit,
}

impl Quantity {
    pub(crate) fn exact(self) -> Exact {
        Exact::over(self.numerator.into(), i128::from(self.denominator).max(1))
    }
}

impl Exact {
    pub(crate) const ZERO: Self = Self { numerator: 0, denominator: 1 };

    pub(crate) fn whole(n: impl Into<i128>) -> Self {
        Self { numerator: n.into(), denominator: 1 }
    }

    /// # Panics
    /// When the denominator is not positive: that is a bug of who measures.
    pub(crate) fn over(numerator: i128, denominator: i128) -> Self {
        assert!(denominator > 0, "a quantity over {denominator}");
        let common = gcd(numerator.unsigned_abs(), denominator.unsigned_abs()) as i128;
        Self { numerator: numerator / common, denominator: denominator / common }
    }

    /// The product. Of factors far beyond what can be measured it is the greatest that there is.
    pub(crate) fn times(self, other: Self) -> Self {
        // Crosswise first, so that what cancels out is never multiplied.
        let (a, d) = (self.numerator, other.denominator);
        let (c, b) = (other.numerator, self.denominator);
        let (first, second) = (Self::over(a, d), Self::over(c, b));
        let numerator = first.numerator.saturating_mul(second.numerator);
        let denominator = first.denominator.saturating_mul(second.denominator);
        Self::over(numerator, denominator)
    }

    /// The sum, under the same reserve.
    pub(crate) fn plus(self, other: Self) -> Self {
        let left = self.numerator.saturating_mul(other.denominator);
        let right = other.numerator.saturating_mul(self.denominator);
        Self::over(left.saturating_add(right), self.denominator.saturating_mul(other.denominator))
    }

    /// The quotient by something above 0.
    pub(crate) fn divided_by(self, other: Self) -> Self {
        debug_assert!(other.numerator > 0, "a division by {other:?}");
        self.times(Self::over(other.denominator, other.numerator))
    }

    pub(crate) fn is_positive(self) -> bool {
        self.numerator > 0
    }

    /// Rounded down.
    pub(crate) fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    pub(crate) fn quantity(self, unit: Unit) -> Quantity {
        Quantity {
            numerator: i64::try_from(self.numerator).unwrap_or(if self.numerator < 0 {
                i64::MIN
            } else {
                i64::MAX
            }),
            denominator: u64::try_from(self.denominator).unwrap_or(u64::MAX),
            unit,
        }
    }

    /// For people: rounded, with the unit.
    pub(crate) fn show(self, unit: Unit) -> String {
        if self.numerator < 0 {
            let positive = Self { numerator: self.numerator.saturating_neg(), ..self };
            return format!("-{}", positive.show(unit));
        }
        let scaled = |by: i128| {
            let scaled = self.numerator.saturating_mul(by) / self.denominator;
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        match unit {
            Unit::Nanoseconds => units::seconds(scaled(1)),
            Unit::Bytes => units::bytes(i64::try_from(scaled(1)).unwrap_or(i64::MAX)),
            Unit::Count => match self.denominator {
                1 => units::count(scaled(1)),
                _ => units::milli(scaled(1_000)),
            },
            // Not rounded up: what falls short of the whole must not read as the whole.
            Unit::Share => match scaled(100_000) {
                tenths if tenths % 100 == 0 => format!("{} %", units::milli(tenths)),
                fine => format!("{}.{:03} %", fine / 1_000, fine % 1_000),
            },
            Unit::PerSecond => format!("{} /s", units::milli(scaled(1_000))),
        }
    }
}

impl Ord for Exact {
    /// By continued fractions: nothing is multiplied, so that nothing overflows.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.denominator == other.denominator {
            return self.numerator.cmp(&other.numerator);
        }
        let (mut a, mut b) = (self.numerator, self.denominator);
        let (mut c, mut d) = (other.numerator, other.denominator);
        loop {
            let (whole, other_whole) = (a.div_euclid(b), c.div_euclid(d));
            let (rest, other_rest) = (a.rem_euclid(b), c.rem_euclid(d));
            match whole.cmp(&other_whole) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
            match (rest, other_rest) {
                (0, 0) => return Ordering::Equal,
                (0, _) => return Ordering::Less,
                (_, 0) => return Ordering::Greater,
                // Of what is left the reciprocals are compared, the other way round.
                _ => (a, b, c, d) = (d, other_rest, b, rest),
            }
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fractions_are_ordered_as_their_cross_products_are(
            a in any::<i32>(), b in 1i32.., c in any::<i32>(), d in 1i32..,
        ) {
            let [a, b, c, d] = [a, b, c, d].map(i128::from);
            let (left, right) = (Exact::over(a, b), Exact::over(c, d));
            prop_assert_eq!(left.cmp(&right), (a * d).cmp(&(c * b)));
            prop_assert_eq!(left.plus(right), Exact::over(a * d + c * b, b * d));
            prop_assert_eq!(left.times(right), Exact::over(a * c, b * d));
        }

        #[test]
        fn no_fraction_is_too_large_to_be_compared_or_shown(
            a in any::<i128>(), b in 1i128.., c in any::<i128>(), d in 1i128..,
        ) {
            let (left, right) = (Exact::over(a, b), Exact::over(c, d));
            prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
            let shown = [left.times(right), left.plus(right)].map(|e| e.show(Unit::Share));
            prop_assert!(shown.iter().all(|text| text.ends_with(" %")));
        }
    }

    #[test]
    fn what_falls_short_is_not_rounded_up_and_what_shrinks_has_a_sign() {
        let shown = [
            Exact::over(99_999, 100_000).show(Unit::Share),
            Exact::over(1, 1).show(Unit::Share),
            Exact::over(-1, 50).show(Unit::Share),
            Exact::over(1, 3).show(Unit::PerSecond),
            Exact::whole(-1_500_000_000i64).show(Unit::Nanoseconds),
            Exact::over(7, 2).show(Unit::Count),
        ];
        assert_eq!(shown, ["99.999 %", "100.0 %", "-2.0 %", "0.3 /s", "-1.500 s", "3.5"]);
    }
}
