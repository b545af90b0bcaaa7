//! A histogram over the last hops of a window: values are added, and a hop that is past is taken out again.
//!
//! The buckets are those of the run's own histograms (1,024 for each doubling, exact below 2,048 ns), so that a
//! window's percentile is as near as the run's: within 0.1%. A value costs two additions. A percentile is read by
//! coarse counts first, in some hundred steps whatever is in it.

use super::Stat;
use super::window::HOPS;
use crate::exact::Exact;

const BITS: u32 = 10;
const BUCKETS: u64 = 1 << BITS;
/// Anything longer than about 104 days counts as this long, as in the run's own histograms.
const HIGHEST: u64 = (1 << 53) - 1;
/// Buckets that one coarse count stands for.
const COARSE: usize = 256;

/// What a hop holds: it is taken out of the whole again when it is past.
#[derive(Default)]
struct Hop {
    /// Bucket and count, in the order of their first value.
    counts: Vec<(u32, u64)>,
    count: u64,
    sum: u128,
    min: Option<u64>,
    max: Option<u64>,
}

pub(super) struct SlidingTimes {
    stat: Stat,
    counts: Vec<u64>,
    coarse: Vec<u64>,
    hops: [Hop; HOPS],
    /// Counts of the hop that goes on, by bucket.
    now: Vec<u64>,
    /// Buckets of the hop that goes on that have something in them.
    touched: Vec<u32>,
    hop: usize,
}

impl SlidingTimes {
    pub(super) fn new(stat: Stat) -> Self {
        Self {
            stat,
            counts: Vec::new(),
            coarse: Vec::new(),
            hops: Default::default(),
            now: Vec::new(),
            touched: Vec::new(),
            hop: 0,
        }
    }

    pub(super) fn record(&mut self, hop: usize, value: u64) {
        debug_assert_eq!(hop, self.hop, "hops follow each other");
        let of = &mut self.hops[hop];
        of.count += 1;
        of.sum += u128::from(value);
        of.min = Some(of.min.map_or(value, |min| min.min(value)));
        of.max = Some(of.max.map_or(value, |max| max.max(value)));
        if !self.needs_buckets() {
            return;
        }
        let bucket = bucket(value.min(HIGHEST));
        if bucket >= self.counts.len() {
            let len = (bucket / COARSE + 1) * COARSE;
            self.counts.resize(len, 0);
            self.now.resize(len, 0);
            self.coarse.resize(len / COARSE, 0);
        }
        self.counts[bucket] += 1;
        self.coarse[bucket / COARSE] += 1;
        if self.now[bucket] == 0 {
            self.touched.push(bucket as u32);
        }
        self.now[bucket] += 1;
    }

    fn needs_buckets(&self) -> bool {
        matches!(self.stat, Stat::Percentile(_))
    }

    /// The hop that goes on is over; this one begins anew, and what it held goes.
    pub(super) fn clear(&mut self, hop: usize) {
        let over = &mut self.hops[self.hop];
        for bucket in self.touched.drain(..) {
            over.counts.push((bucket, std::mem::take(&mut self.now[bucket as usize])));
        }
        let mut gone = std::mem::take(&mut self.hops[hop]);
        for (bucket, count) in gone.counts.drain(..) {
            self.counts[bucket as usize] -= count;
            self.coarse[bucket as usize / COARSE] -= count;
        }
        // Its list is used again.
        self.hops[hop].counts = gone.counts;
        self.hop = hop;
    }

    fn count(&self) -> u64 {
        self.hops.iter().map(|hop| hop.count).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// What the window measures; `None` when there is nothing in it.
    pub(super) fn value(&self) -> Option<u64> {
        let count = self.count();
        if self.stat == Stat::Count {
            return Some(count);
        }
        let min = self.hops.iter().filter_map(|hop| hop.min).min()?;
        let max = self.hops.iter().filter_map(|hop| hop.max).max()?;
        Some(match self.stat {
            Stat::Count => unreachable!("counts are answered above"),
            Stat::Min => min,
            Stat::Max => max,
            Stat::Mean => {
                let sum: u128 = self.hops.iter().map(|hop| hop.sum).sum();
                (sum / u128::from(count)) as u64
            }
            Stat::Percentile(thousandths) => self.percentile(count, thousandths).clamp(min, max),
        })
    }

    /// The highest value of the bucket of the nearest rank.
    fn percentile(&self, count: u64, thousandths: u32) -> u64 {
        let rank = (u128::from(count) * u128::from(thousandths)).div_ceil(100_000).max(1) as u64;
        let mut before = 0;
        for (coarse, in_it) in self.coarse.iter().enumerate() {
            if before + in_it < rank {
                before += in_it;
                continue;
            }
            let first = coarse * COARSE;
            for bucket in first..first + COARSE {
                before += self.counts[bucket];
                if before >= rank {
                    return highest(bucket);
                }
            }
        }
        HIGHEST
    }

    /// Means and extremes have as many values as there are windows: they are counted by their bucket.
    pub(super) fn counted_as(&self, value: Exact) -> Exact {
        match self.stat {
            Stat::Count | Stat::Percentile(_) => value,
            Stat::Min | Stat::Max | Stat::Mean => {
                let ns = u64::try_from(value.floor()).unwrap_or(HIGHEST);
                Exact::whole(highest(bucket(ns.min(HIGHEST))))
            }
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::latency::Latencies;

    proptest! {
        #[test]
        fn buckets_are_those_of_the_runs_own_histograms(value in 1u64..=HIGHEST) {
            let mut latencies = Latencies::default();
            latencies.record(value);
            // One above, so that the exact maximum does not hide the bucket.
            latencies.record(HIGHEST);
            prop_assert_eq!(latencies.to_record().buckets[0].0, highest(bucket(value)));
        }

        #[test]
        fn it_measures_what_is_in_the_last_hops_and_nothing_else(
            hops in prop::collection::vec(prop::collection::vec(1u64..10_000_000_000, 0..20), 1..30),
            stat in prop::sample::select(vec![
                Stat::Count, Stat::Min, Stat::Max, Stat::Mean,
                Stat::Percentile(50_000), Stat::Percentile(95_000), Stat::Percentile(99_900),
            ]),
            width in 1usize..=10,
        ) {
            let mut sliding = SlidingTimes::new(stat);
            for (at, values) in hops.iter().enumerate() {
                if at > 0 {
                    sliding.clear(at % width);
                }
                values.iter().for_each(|value| sliding.record(at % width, *value));
                let mut latencies = Latencies::default();
                let last = &hops[(at + 1).saturating_sub(width)..=at];
                last.iter().flatten().for_each(|value| latencies.record(*value));
                let record = latencies.to_record();
                let expected = match stat {
                    Stat::Count => Some(record.count),
                    _ if record.count == 0 => None,
                    Stat::Min => Some(record.min_ns),
                    Stat::Max => Some(record.max_ns),
                    Stat::Mean => Some(record.mean_ns),
                    Stat::Percentile(p) => Some(record.percentile_ns(p)),
                };
                prop_assert_eq!(sliding.value(), expected);
            }
        }
    }
}
