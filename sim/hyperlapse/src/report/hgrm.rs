//! Response times of one run as HdrHistogram's percentile distribution, which its plotter and others read.
//!
//! The format is that of `Histogram.outputPercentileDistribution` of the Java original, with five ticks to each
//! half of the distance to 100 % and values in milliseconds. All arithmetic is in integers, so that the bytes are the
//! same on every machine; the original's is in floating point, and agrees to the digits that are printed.

use std::fmt::Write;

use super::reporter::{Make, Needs, OneRun, Reporter};
use crate::metrics::LatencyRecord;

/// For the plotter of HdrHistogram.
pub(super) const REPORTER: Reporter = Reporter {
    name: "hgrm",
    about: "HdrHistogram's percentile distribution of the response times of one run",
    extension: "hgrm",
    make: Make::EachRun { make: hgrm, needs: Needs::Nothing },
};

/// Lines until half of what is left to 100 % is told.
const TICKS: u128 = 5;
/// Of HdrHistogram with the bounds of `metrics::latency`: 2,048 << 43 is the first that is above 2^53.
const BUCKETS: u32 = 44;
const SUB_BUCKETS: u32 = 2_048;

fn hgrm(run: &OneRun<'_>) -> String {
    percentiles(&run.finished.record.metrics.operations.response)
}

fn percentiles(of: &LatencyRecord) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut buckets = of.buckets.iter();
    let (mut value, mut seen) = (0, 0u128);
    let total = u128::from(of.count);
    // The share that is told next: 1 - 1/2^halves and `tick` steps of a tenth of the rest.
    let (mut halves, mut tick) = (0u32, 0u128);
    while seen < total {
        let of_all = (2 * TICKS) << halves;
        let share = of_all - 2 * TICKS + tick;
        let rank = (share * total).div_ceil(of_all).max(1);
        while seen < rank {
            let (highest, count) = buckets.next().expect("buckets sum up to the count");
            value = (*highest).clamp(of.min_ns, of.max_ns);
            seen += u128::from(*count);
        }
        let _ = writeln!(
            text,
            "{:>12} {} {seen:>10} {:>14}",
            milliseconds(value),
            fixed(share, of_all, 12),
            fixed(of_all, of_all - share, 2)
        );
        tick += 1;
        if tick == TICKS {
            (halves, tick) = (halves + 1, 0);
        }
    }
    if total > 0 {
        let _ = writeln!(text, "{:>12} {} {seen:>10}", milliseconds(value), fixed(1, 1, 12));
    }
    let _ = writeln!(
        text,
        "#[Mean    = {:>12}, StdDeviation   = {:>12}]",
        milliseconds(of.mean_ns),
        milliseconds(deviation(of))
    );
    let _ = writeln!(
        text,
        "#[Max     = {:>12}, Total count    = {:>12}]",
        milliseconds(of.max_ns),
        of.count
    );
    let _ = writeln!(text, "#[Buckets = {BUCKETS:>12}, SubBuckets     = {SUB_BUCKETS:>12}]");
    text
}

/// The standard deviation in nanoseconds, from what the buckets stand for; zero for none.
fn deviation(of: &LatencyRecord) -> u64 {
    let squares = of.buckets.iter().map(|(highest, count)| {
        let apart = u128::from(middle(*highest).clamp(of.min_ns, of.max_ns).abs_diff(of.mean_ns));
        // A hundred days squared are 2^106; with more of them than fit the last digits go.
        (apart * apart / u128::from(of.count)).saturating_mul(u128::from(*count))
    });
    squares.fold(0u128, u128::saturating_add).isqrt() as u64
}

/// The middle of the bucket with this highest value: each power of two has as many as there are in half of a bucket.
fn middle(highest: u64) -> u64 {
    let width = (highest / u64::from(SUB_BUCKETS / 2)).checked_ilog2().map_or(1, |log| 1u64 << log);
    highest - width / 2
}

/// Nanoseconds as milliseconds with three digits.
fn milliseconds(ns: u64) -> String {
    fixed(u128::from(ns), 1_000_000, 3)
}

/// `above / below`, rounded to so many digits.
fn fixed(above: u128, below: u128, digits: u32) -> String {
    let scale = 10u128.pow(digits);
    let scaled = (above * scale * 2 + below) / (below * 2);
    format!("{}.{:0width$}", scaled / scale, scaled % scale, width = digits as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Latencies;

    fn record(times: impl IntoIterator<Item = u64>) -> LatencyRecord {
        let mut latencies = Latencies::default();
        times.into_iter().for_each(|ns| latencies.record(ns));
        latencies.to_record()
    }

    /// The rows: value in milliseconds, share, count.
    fn rows(text: &str) -> Vec<(f64, f64, u64)> {
        let rows = text.lines().filter(|line| !line.starts_with('#')).skip(2);
        rows.map(|row| {
            let cells: Vec<&str> = row.split_whitespace().collect();
            (cells[0].parse().unwrap(), cells[1].parse().unwrap(), cells[2].parse().unwrap())
        })
        .collect()
    }

    #[test]
    fn the_levels_are_those_of_the_original() {
        // A prime: no share of it is whole, where the crate's floating point may go one too far.
        let times = (1..=1_009u64).map(|n| n * 1_000_000);
        let text = percentiles(&record(times.clone()));
        let ours = rows(&text);
        // The crate's own walk over the same levels.
        let mut histogram = crate::metrics::whole_histogram();
        times.for_each(|ns| histogram.record(ns).unwrap());
        let theirs: Vec<_> = histogram
            .iter_quantiles(5)
            .map(|level| {
                let count = histogram.count_between(0, level.value_iterated_to());
                (level.value_iterated_to(), level.quantile_iterated_to(), count)
            })
            .collect();
        assert_eq!(ours.len(), theirs.len(), "{text}");
        for (ours, (value_ns, share, count)) in ours.iter().zip(theirs) {
            assert!((ours.1 - share).abs() < 1e-9, "{ours:?} {share}");
            assert!(
                (ours.0 * 1e6 - value_ns as f64).abs() <= value_ns as f64 / 1_000.0,
                "{ours:?} {value_ns}"
            );
            assert_eq!(ours.2, count);
        }
    }

    #[test]
    fn nothing_completed_is_a_distribution_without_rows() {
        let text = percentiles(&record([]));
        assert_eq!(rows(&text), []);
        assert!(text.contains("Total count    =            0]"), "{text}");
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_values() {
        let text = percentiles(&record([10_000_000, 20_000_000]));
        assert!(text.contains("#[Mean    =       15.000, StdDeviation   =        4.99"), "{text}");
        assert!(
            text.contains("#[Max     =       20.000, Total count    =            2]"),
            "{text}"
        );
    }
}
