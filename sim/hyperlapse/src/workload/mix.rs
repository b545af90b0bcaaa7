//! Kinds of users by weight, exactly.
//!
//! The numbers of each kind are apportioned by largest remainder (Hamilton's method), so that weights of
//! 15 and 5 over 20 users are 15 and 5 and not "about"; the kinds are then spread evenly over the
//! users' numbers by smooth weighted round-robin (as nginx picks its upstreams), so that no kind comes
//! in one lump.

/// The kind of each of `users` users, for kinds of these weights. Empty weights: all of kind 0.
pub(crate) fn assign(users: u32, weights: &[u32]) -> Vec<u16> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if total == 0 {
        return vec![0; users as usize];
    }
    let mut counts: Vec<u64> =
        weights.iter().map(|weight| u64::from(users) * u64::from(*weight) / total).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    // Stable: of equal remainders the kind that is named first gets the user.
    by_remainder.sort_by_key(|kind| {
        std::cmp::Reverse(u64::from(users) * u64::from(weights[*kind]) % total)
    });
    let missing = u64::from(users) - counts.iter().sum::<u64>();
    for kind in by_remainder.into_iter().take(missing as usize) {
        counts[kind] += 1;
    }

    let counts: Vec<i64> = counts.into_iter().map(|count| count as i64).collect();
    let mut credit = vec![0; counts.len()];
    (0..users).map(|_| next(&mut credit, &counts)).collect()
}

/// The kinds of users whose number nobody knows beforehand, one after the other: exact over every round of all weights,
/// and spread evenly within it as in [`assign`].
#[derive(Debug, Clone)]
pub(crate) struct Kinds {
    weights: Vec<i64>,
    credit: Vec<i64>,
}

impl Kinds {
    pub(crate) fn new(weights: &[u32]) -> Self {
        let weights: Vec<i64> = weights.iter().map(|weight| i64::from(*weight)).collect();
        Self { credit: vec![0; weights.len()], weights }
    }

    /// That of the next user; 0 when there are none.
    pub(crate) fn next(&mut self) -> u16 {
        if self.weights.len() < 2 {
            return 0;
        }
        next(&mut self.credit, &self.weights)
    }
}

/// One step of smooth weighted round-robin.
fn next(credit: &mut [i64], weights: &[i64]) -> u16 {
    for (credit, weight) in credit.iter_mut().zip(weights) {
        *credit += weight;
    }
    let best = (0..weights.len())
        .max_by_key(|kind| (credit[*kind], std::cmp::Reverse(*kind)))
        .expect("there is at least one kind");
    credit[best] -= weights.iter().sum::<i64>();
    best as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kinds_are_exact_and_evenly_spread() {
        let kinds = assign(8, &[3, 1]);
        assert_eq!(kinds, [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(assign(3, &[]), [0, 0, 0]);
    }

    #[test]
    fn arrivals_are_of_exact_kinds_over_every_round() {
        let mut kinds = Kinds::new(&[6, 2]);
        let first: Vec<u16> = (0..8).map(|_| kinds.next()).collect();
        assert_eq!(first, [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!((0..8).map(|_| kinds.next()).collect::<Vec<_>>(), first);
        assert_eq!(Kinds::new(&[]).next(), 0);
    }

    proptest! {
        #[test]
        fn every_kind_gets_its_share_to_within_one_user(
            users in 1u32..300,
            weights in prop::collection::vec(1u32..100, 1..6),
        ) {
            let kinds = assign(users, &weights);
            let total: u32 = weights.iter().sum();
            prop_assert_eq!(kinds.len(), users as usize);
            for (kind, weight) in weights.iter().enumerate() {
                let count = kinds.iter().filter(|k| **k as usize == kind).count() as u64;
                let share = u64::from(users) * u64::from(*weight);
                prop_assert!((count * u64::from(total)).abs_diff(share) < u64::from(total));
            }
        }
    }
}
