//! Delta debugging: the least part of a list that still fails.
//!
//! Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (IEEE TSE 28(2), 2002): `ddmin`
//! without its test of single parts, since what needs few of many is found by taking parts away: halves,
//! quarters, eighths, in the end single entries, beginning again with as large parts as fit whenever something
//! could go. The result is 1-minimal: no single entry of it can go. At worst it takes a number of tests that is
//! quadratic in the length of the list, commonly some log2 of it for each entry that stays.

/// The least part of `list` for which `fails` holds, in its order. Ends early, with the least part so far, when
/// `fails` gives `None`: there is no time for more.
///
/// `fails` is taken to hold for the whole list and is not asked about it; it is asked first about the empty one.
pub(super) fn ddmin<T: Clone>(list: &[T], mut fails: impl FnMut(&[T]) -> Option<bool>) -> Vec<T> {
    let mut least = list.to_vec();
    if least.is_empty() {
        return least;
    }
    match fails(&[]) {
        Some(true) => return Vec::new(),
        Some(false) => {}
        None => return least,
    }
    let mut part = least.len().div_ceil(2);
    loop {
        let mut from = 0;
        let mut shorter = false;
        while from < least.len() && least.len() > 1 {
            let upto = (from + part).min(least.len());
            let rest: Vec<T> = [&least[..from], &least[upto..]].concat();
            let Some(fails) = (if rest.is_empty() { Some(false) } else { fails(&rest) }) else {
                return least;
            };
            if fails {
                least = rest;
                shorter = true;
                // What follows has moved up to where this part was.
            } else {
                from = upto;
            }
        }
        if part == 1 && !shorter {
            return least;
        }
        part = match shorter && part == 1 {
            true => 1,
            false => (part / 2).clamp(1, least.len().div_ceil(2)),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_left_fails_and_no_entry_of_it_can_go(
            length in 1usize..60,
            needed in proptest::collection::btree_set(0usize..60, 0..6),
        ) {
            let list: Vec<usize> = (0..length).collect();
            let needed: Vec<usize> = needed.into_iter().filter(|n| *n < length).collect();
            let fails = |part: &[usize]| needed.iter().all(|n| part.contains(n));
            prop_assert_eq!(ddmin(&list, |part| Some(fails(part))), needed);
        }

        #[test]
        fn it_is_one_minimal_for_failures_that_are_not_monotone(
            bits in proptest::collection::vec(any::<u8>(), 2..24),
        ) {
            // Fails when the sum is above a bound and the number of entries is even: an odd rule.
            let total: u64 = bits.iter().map(|bit| u64::from(*bit)).sum();
            let fails = |part: &[u8]| {
                let sum: u64 = part.iter().map(|bit| u64::from(*bit)).sum();
                sum * 2 >= total && part.len() % 2 == bits.len() % 2
            };
            let least = ddmin(&bits, |part| Some(fails(part)));
            prop_assert!(fails(&least));
            for gone in 0..least.len() {
                let mut rest = least.clone();
                rest.remove(gone);
                prop_assert!(rest.is_empty() || !fails(&rest));
            }
        }
    }

    #[test]
    fn out_of_time_it_gives_the_least_so_far() {
        let list: Vec<u32> = (0..1_000).collect();
        let mut left = 12;
        let least = ddmin(&list, |part| {
            left -= 1;
            (left > 0).then(|| part.contains(&7))
        });
        assert!(least.contains(&7) && least.len() < 500, "{} are left", least.len());
    }

    #[test]
    fn one_needle_in_a_long_list_takes_few_tests() {
        let list: Vec<u32> = (0..4_096).collect();
        let mut tests = 0;
        let least = ddmin(&list, |part| {
            tests += 1;
            Some(part.contains(&1_234))
        });
        assert_eq!(least, [1_234]);
        assert!(tests < 50, "{tests} tests");
    }
}
