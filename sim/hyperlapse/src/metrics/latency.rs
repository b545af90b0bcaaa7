//! Times of many operations: exact count, sum, minimum and maximum, percentiles within 0.1%.
//!
//! [HdrHistogram](http://hdrhistogram.org) with the same buckets everywhere, so that merging two is an
//! addition of integers. It begins with 16 KB and grows to the longest time that it has seen: a sweep of
//! short runs pays for what they measure. Percentiles are those of HdrHistogram: the highest value that the bucket of
//! the nearest rank holds, here never above the exact maximum.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Every nanosecond below two microseconds has a bucket of its own.
const LOWEST_NS: u64 = 1;
/// About 104 days; anything longer counts as this long.
const HIGHEST_NS: u64 = 1 << 53;
const SIGNIFICANT_DIGITS: u8 = 3;

fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(LOWEST_NS, 2 * LOWEST_NS, SIGNIFICANT_DIGITS)
        .expect("the bounds of the histogram are constants that are right");
    histogram.auto(true);
    histogram
}

/// An empty histogram with the same buckets and room for every time, for those who take no growing one.
#[cfg(feature = "cli")]
pub(crate) fn whole_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
        .expect("the bounds of the histogram are constants that are right")
}

/// Takes times as they come.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { histogram: histogram(), sum_ns: 0, min_ns: u64::MAX, max_ns: 0 }
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, ns: u64) {
        self.histogram.record(ns.min(HIGHEST_NS)).expect("it grows");
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    pub(crate) fn to_record(&self) -> LatencyRecord {
        let count = self.histogram.len();
        if count == 0 {
            return LatencyRecord::default();
        }
        let buckets = self
            .histogram
            .iter_recorded()
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_since_last_iteration()))
            .collect();
        LatencyRecord::from_parts(count, self.sum_ns, self.min_ns, self.max_ns, buckets)
    }
}

/// Times of many operations, as data. All in nanoseconds; zeros when there were none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyRecord {
    /// How many.
    pub count: u64,
    /// The fastest, exact.
    pub min_ns: u64,
    /// The slowest, exact.
    pub max_ns: u64,
    /// The arithmetic mean, exact but for rounding down to a nanosecond.
    pub mean_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// The 95th percentile.
    pub p95_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The histogram itself: `(highest value of the bucket, count)`, in order, empty buckets left out.
    pub buckets: Vec<(u64, u64)>,
}

impl LatencyRecord {
    fn from_parts(
        count: u64,
        sum_ns: u128,
        min_ns: u64,
        max_ns: u64,
        buckets: Vec<(u64, u64)>,
    ) -> Self {
        let mean_ns = (sum_ns / u128::from(count.max(1))) as u64;
        let mut this =
            Self { count, min_ns, max_ns, mean_ns, p50_ns: 0, p95_ns: 0, p99_ns: 0, buckets };
        this.p50_ns = this.percentile_ns(50_000);
        this.p95_ns = this.percentile_ns(95_000);
        this.p99_ns = this.percentile_ns(99_000);
        this
    }

    /// The percentile given in thousandths (`99_900` is p99.9), by nearest rank; 0 when there are none.
    pub fn percentile_ns(&self, thousandths: u32) -> u64 {
        percentile(self.count, self.min_ns, self.max_ns, &self.buckets, thousandths)
    }
}

/// The nearest rank among buckets of `(highest value, count)`, never outside of the exact extremes.
pub(crate) fn percentile(
    count: u64,
    min: u64,
    max: u64,
    buckets: &[(u64, u64)],
    thousandths: u32,
) -> u64 {
    // Rank in exact integers, so that p95 of 20 values is the 19th on every machine.
    let rank = (u128::from(count) * u128::from(thousandths)).div_ceil(100_000).max(1);
    let mut seen = 0u128;
    for (value, count) in buckets {
        seen += u128::from(*count);
        if seen >= rank {
            return (*value).clamp(min, max);
        }
    }
    max
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut latencies = Latencies::default();
        for ms in 1..=20u64 {
            latencies.record(ms * 1_000_000);
        }
        let record = latencies.to_record();
        let ms = |thousandths| record.percentile_ns(thousandths) / 1_000_000;
        assert_eq!((ms(50_000), ms(95_000), ms(99_000), ms(100_000)), (10, 19, 20, 20));
        assert_eq!((record.min_ns, record.max_ns), (1_000_000, 20_000_000));
        assert_eq!(record.mean_ns, 10_500_000);
    }

    proptest! {
        #[test]
        fn percentiles_stay_within_a_thousandth_of_a_sorted_list(
            mut values in prop::collection::vec(1_000_000u64..3_600_000_000_000, 1..200),
            thousandths in 1u32..=100_000,
        ) {
            let mut latencies = Latencies::default();
            for value in &values {
                latencies.record(*value);
            }
            values.sort_unstable();
            let rank = (values.len() as u64 * u64::from(thousandths)).div_ceil(100_000).max(1);
            let exact = values[rank as usize - 1];
            let got = latencies.to_record().percentile_ns(thousandths);
            prop_assert!(got.abs_diff(exact) * 1_000 <= exact, "{got} is not near {exact}");
        }
    }
}
