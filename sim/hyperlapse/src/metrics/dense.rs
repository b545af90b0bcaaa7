//! A histogram for one step of the time series: one addition for each value, percentiles within 0.8%.
//!
//! Log-linear: 128 buckets for each doubling, exact below 128. The buckets of a value are found by
//! shifting. It grows to the highest value that it has seen, and is drained into a short list when its
//! step ends, so that hundreds of steps need little memory.

/// Buckets for each doubling.
const BUCKETS: u64 = 1 << BITS;
const BITS: u32 = 7;

/// `(highest value of the bucket, count)`, in order, empty buckets left out.
pub(super) type Sparse = Vec<(u64, u64)>;

#[derive(Debug, Default)]
pub(super) struct Dense {
    counts: Vec<u64>,
    /// No bucket outside of these has anything in it.
    lowest: usize,
    end: usize,
}

impl Dense {
    pub(super) fn record(&mut self, value: u64) {
        let bucket = bucket(value);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        if self.end == 0 {
            self.lowest = bucket;
        }
        self.lowest = self.lowest.min(bucket);
        self.end = self.end.max(bucket + 1);
        self.counts[bucket] += 1;
    }

    /// What is in it; it is empty afterwards.
    pub(super) fn drain(&mut self) -> Sparse {
        let mut sparse = Sparse::new();
        for bucket in self.lowest..self.end {
            let count = std::mem::take(&mut self.counts[bucket]);
            if count > 0 {
                sparse.push((highest(bucket), count));
            }
        }
        (self.lowest, self.end) = (0, 0);
        sparse
    }
}

fn bucket(value: u64) -> usize {
    let log = value.checked_ilog2().unwrap_or(0);
    match log.checked_sub(BITS) {
        None => value as usize,
        Some(shift) => ((u64::from(shift) * BUCKETS) + (value >> shift)) as usize,
    }
}

/// The highest value that falls into this bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    match (bucket / BUCKETS).checked_sub(1) {
        None => bucket,
        Some(shift) => {
            let mantissa = bucket - shift * BUCKETS;
            (mantissa << shift) | ((1 << shift) - 1)
        }
    }
}

/// The values of both.
pub(super) fn merged(a: &Sparse, b: &Sparse) -> Sparse {
    let mut merged = Sparse::with_capacity(a.len().max(b.len()));
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (None, None) => return merged,
            (Some(x), Some(y)) if x.0 == y.0 => {
                let (x, y) = (take(&mut a), take(&mut b));
                (x.0, x.1 + y.1)
            }
            (Some(x), Some(y)) if y.0 < x.0 => take(&mut b),
            (None, Some(_)) => take(&mut b),
            (Some(_), _) => take(&mut a),
        };
        merged.push(next);
    }
}

fn take<'a>(from: &mut impl Iterator<Item = &'a (u64, u64)>) -> (u64, u64) {
    *from.next().expect("it was peeked at")
}

/// The value at each of these percentiles (whole numbers, ascending), by nearest rank; zeros for nothing.
pub(super) fn percentiles<const N: usize>(of: &Sparse, percents: [u64; N], max: u64) -> [u64; N] {
    let count: u64 = of.iter().map(|(_, count)| count).sum();
    let mut found = [0; N];
    let (mut seen, mut buckets) = (0, of.iter());
    let mut value = 0;
    for (found, percent) in found.iter_mut().zip(percents) {
        let rank = (u128::from(count) * u128::from(percent)).div_ceil(100).max(1);
        while u128::from(seen) < rank {
            let Some((highest, count)) = buckets.next() else { break };
            (value, seen) = (*highest, seen + count);
        }
        *found = value.min(max);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_value_falls_into_the_bucket_whose_highest_value_is_next_to_it() {
        for shift in 0..64 {
            for offset in [0, 1, 127, 128, 129] {
                let value = (1u64 << shift).saturating_add(offset);
                let highest = highest(bucket(value));
                assert!(highest >= value && bucket(highest) == bucket(value), "{value}");
                assert!(u128::from(highest - value) * 128 <= u128::from(value), "{value}");
            }
        }
        assert_eq!(highest(bucket(u64::MAX)), u64::MAX);
    }

    proptest! {
        #[test]
        fn merging_keeps_every_value(
            a in prop::collection::vec(any::<u32>(), 0..100),
            b in prop::collection::vec(any::<u32>(), 0..100),
        ) {
            let drained = |values: &[&[u32]]| {
                let mut dense = Dense::default();
                values.concat().iter().for_each(|value| dense.record(u64::from(*value)));
                dense.drain()
            };
            let both = drained(&[&a, &b]);
            let (a, b) = (drained(&[&a]), drained(&[&b]));
            prop_assert_eq!(&merged(&a, &b), &both);
            prop_assert!(Dense::default().drain().is_empty());
        }

        #[test]
        fn percentiles_are_within_a_hundredth_of_a_sorted_list(
            mut values in prop::collection::vec(1u64..3_600_000_000_000, 1..300),
        ) {
            let mut dense = Dense::default();
            values.iter().for_each(|value| dense.record(*value));
            values.sort_unstable();
            let percents = [1, 50, 95, 99, 100];
            let got = percentiles(&dense.drain(), percents, *values.last().unwrap());
            for (percent, got) in percents.into_iter().zip(got) {
                let rank = (values.len() as u64 * percent).div_ceil(100);
                let exact = values[rank as usize - 1];
                prop_assert!(got.abs_diff(exact) * 100 <= exact, "p{percent}: {got}, not {exact}");
            }
        }
    }
}
