//! A rate of arrivals over time, and its n-th arrival, computed from n alone.
//!
//! The rate is piecewise linear. The n-th arrival (from 0) is where its integral reaches n: a quadratic equation
//! within a piece, solved anew for every n, so that nothing adds up to a drift however long the load is. k6's
//! arrival-rate executors do the same. Only additions, multiplications, divisions and square roots of IEEE 754 are used,
//! which every machine rounds alike.

use std::time::Duration;

use super::rate::Rate;
use crate::units;

/// A piecewise linear rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pieces: Vec<Piece>,
    total: f64,
}

#[derive(Debug, Clone, PartialEq)]
struct Piece {
    /// Seconds from the beginning.
    at: f64,
    seconds: f64,
    /// Arrivals a second at both ends.
    from: f64,
    to: f64,
    /// Arrivals before it.
    before: f64,
}

impl Profile {
    /// The rates at both ends of each piece, and how long it is.
    pub fn new(pieces: impl IntoIterator<Item = (Rate, Rate, Duration)>) -> Self {
        let (mut at, mut before) = (0.0, 0.0);
        let pieces = pieces
            .into_iter()
            .map(|(from, to, duration)| {
                let seconds = units::nanos(duration) as f64 / 1e9;
                let (from, to) = (from.in_a_second(), to.in_a_second());
                let piece = Piece { at, seconds, from, to, before };
                at += seconds;
                before += (from + to) / 2.0 * seconds;
                piece
            })
            .collect();
        Self { pieces, total: before }
    }

    /// The integral over all of it.
    pub(super) fn total(&self) -> f64 {
        self.total
    }

    /// How many arrivals there are: n from 0 while the integral is above n.
    pub(super) fn arrivals(&self) -> u64 {
        let nearest = self.total.round();
        // Sums of products of decimal fractions: what is all but whole is whole.
        let near = (self.total - nearest).abs() <= 1e-9 * nearest.max(1.0);
        if near { nearest as u64 } else { self.total.ceil() as u64 }
    }

    /// How long it is.
    pub(super) fn lasts(&self) -> Duration {
        let end = self.pieces.last().map_or(0.0, |piece| piece.at + piece.seconds);
        Duration::from_nanos((end * 1e9).round() as u64)
    }

    /// When the integral reaches `n`, in nanoseconds from the beginning.
    pub(super) fn instant_ns(&self, n: f64) -> u64 {
        let after = self.pieces.partition_point(|piece| piece.before <= n);
        let Some(piece) = self.pieces[..after].last() else { return 0 };
        let wanted = n - piece.before;
        let slope = match piece.seconds > 0.0 {
            true => (piece.to - piece.from) / piece.seconds,
            false => 0.0,
        };
        // The root of `slope / 2 t^2 + from t = wanted` in the form that bears a slope of zero.
        let root = libm::sqrt((piece.from * piece.from + 2.0 * slope * wanted).max(0.0));
        let seconds = match piece.from + root {
            sum if sum > 0.0 => 2.0 * wanted / sum,
            // Nothing ever arrives here.
            _ => 0.0,
        };
        ((piece.at + seconds.min(piece.seconds)) * 1e9).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profile(pieces: &[(u64, u64, u64)]) -> Profile {
        Profile::new(pieces.iter().map(|(from, to, seconds)| {
            (Rate::per_second(*from), Rate::per_second(*to), Duration::from_secs(*seconds))
        }))
    }

    fn ms(profile: &Profile) -> Vec<u64> {
        (0..profile.arrivals()).map(|n| profile.instant_ns(n as f64) / 1_000_000).collect()
    }

    #[test]
    fn a_constant_rate_does_not_drift() {
        let day = profile(&[(10, 10, 86_400)]);
        assert_eq!(day.arrivals(), 864_000);
        for n in [0, 1, 7, 863_999] {
            assert_eq!(day.instant_ns(n as f64), n * 100_000_000);
        }
    }

    #[test]
    fn a_ramp_arrives_where_its_integral_is_whole() {
        // From nothing to 10/s over 2 s: n arrivals after sqrt(2n / 5) s.
        let ramp = profile(&[(0, 10, 2)]);
        assert_eq!(ms(&ramp), [0, 632, 894, 1095, 1264, 1414, 1549, 1673, 1788, 1897]);
        // And down again: the same gaps from the other side.
        let down = profile(&[(10, 0, 2)]);
        assert_eq!(ms(&down), [0, 102, 211, 326, 450, 585, 735, 904, 1105, 1367]);
    }

    #[test]
    fn a_rest_between_pieces_has_no_arrivals() {
        let gap = profile(&[(2, 2, 1), (0, 0, 10), (2, 2, 1)]);
        assert_eq!(ms(&gap), [0, 500, 11_000, 11_500]);
        assert_eq!(gap.lasts(), Duration::from_secs(12));
    }

    #[test]
    fn a_jump_takes_no_time() {
        assert_eq!(ms(&profile(&[(0, 4, 0), (4, 4, 1)])), [0, 250, 500, 750]);
    }

    proptest! {
        #[test]
        fn arrivals_are_in_order_within_the_load_and_as_many_as_the_integral(
            pieces in prop::collection::vec((0u64..200, 0u64..200, 0u64..20), 1..6),
        ) {
            let profile = profile(&pieces);
            let twice: u64 = pieces.iter().map(|(from, to, s)| (from + to) * s).sum();
            prop_assert_eq!(profile.arrivals(), twice.div_ceil(2));
            let end = units::nanos(profile.lasts());
            let mut last = 0;
            for n in 0..profile.arrivals() {
                let at = profile.instant_ns(n as f64);
                prop_assert!(at >= last && at <= end, "arrival {} at {} after {} of {}", n, at, last, end);
                last = at;
            }
        }
    }
}
