//! Growth over a run: does it get slower, fuller, or slack?
//!
//! The slope is that of Theil and Sen: the median of the slopes between all pairs of points. A start or an
//! outage that stands out moves it little, as long as less than 29% of the points stand out. Here it is taken in
//! exact fractions, over the full steps of the time series, at most 512 of them.
//!
//! H. Theil, "A rank-invariant method of linear and polynomial regression analysis", Proceedings of the Royal
//! Netherlands Academy of Sciences 53 (1950); P. K. Sen, "Estimates of the regression coefficient based on
//! Kendall's tau", Journal of the American Statistical Association 63 (1968).

use super::metric::{As, Counted, Measure, MemoryPart, Times};
use crate::exact::Exact;
use crate::metrics::{Column, Stat};

/// Points without which a slope says nothing.
pub(super) const FEWEST: usize = 10;

/// Where a trend is taken from.
pub(super) enum Source {
    /// Counts of a column are told per second.
    Rate(Column),
    Time(Column),
    Memory,
}

/// What has a trend, in words.
pub(super) const KNOWN: &str = "`response.p95` (any percentile or `.max`), `queue_wait.p95`, `throughput`, `memory.live`, or the `.rate` of a count";

/// Where the trend of `measure` is taken from; `None` when the time series does not hold it.
pub(super) fn source(measure: Measure) -> Option<Source> {
    Some(match measure {
        Measure::Memory(MemoryPart::Live) => Source::Memory,
        Measure::Times(Times::Response, Stat::Percentile(thousandths)) => {
            Source::Time(Column::ResponsePercentile(thousandths))
        }
        Measure::Times(Times::Response, Stat::Max) => Source::Time(Column::ResponseMax),
        Measure::Times(Times::QueueWait, Stat::Percentile(95_000)) => {
            Source::Time(Column::QueueWaitP95)
        }
        Measure::Throughput => Source::Rate(Column::Completed),
        Measure::Count(counted, As::Rate) => Source::Rate(match counted {
            Counted::Starts => Column::Requested,
            Counted::Accepted => Column::Accepted,
            Counted::Refused => Column::Refused,
            Counted::Completions => Column::Completed,
            Counted::Failures => Column::Failed,
            Counted::Dropped => Column::Dropped,
            _ => return None,
        }),
        _ => return None,
    })
}

/// How much it grows from the first point to the last, and the lower median of the points. Points are ascending
/// in their first part.
///
/// # Panics
/// When there are fewer than two points.
pub(super) fn growth(points: &[(u64, i64)]) -> (Exact, Exact) {
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    for (i, (x, y)) in points.iter().enumerate() {
        for (later_x, later_y) in &points[i + 1..] {
            slopes.push((i128::from(*later_y) - i128::from(*y), i128::from(later_x - x)));
        }
    }
    let order = |a: &(i128, i128), b: &(i128, i128)| (a.0 * b.1).cmp(&(b.0 * a.1));
    let middle = slopes.len() / 2;
    let even = slopes.len().is_multiple_of(2);
    let (below, upper, _) = slopes.select_nth_unstable_by(middle, order);
    let upper = Exact::over(upper.0, upper.1);
    let slope = match below.iter().max_by(|a, b| order(a, b)).filter(|_| even) {
        Some(lower) => Exact::over(lower.0, lower.1).plus(upper).times(Exact::over(1, 2)),
        None => upper,
    };
    let mut values: Vec<i64> = points.iter().map(|(_, y)| *y).collect();
    values.sort_unstable();
    let median = values[(values.len() - 1) / 2];
    (slope.times(Exact::whole(last - first)), Exact::whole(median))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_grows_by_what_it_grows_and_what_stands_out_does_not_matter() {
        let line = |spoilt: &dyn Fn(u64) -> Option<i64>| {
            let points = (0..100).map(|x| (x, spoilt(x).unwrap_or(1_000 + 3 * x as i64)));
            growth(&points.collect::<Vec<_>>())
        };
        let (whole, median) = line(&|_| None);
        assert_eq!((whole, median), (Exact::whole(297), Exact::whole(1_000 + 3 * 49)));
        // A tenth of the run is an outage.
        let (spoilt, _) = line(&|x| (40..50).contains(&x).then_some(1_000_000));
        assert!(spoilt > Exact::whole(270) && spoilt < Exact::whole(330), "{spoilt:?}");
        // A gap is none: points have their places.
        let points: Vec<_> = (0..100).filter(|x| x % 7 != 3).map(|x| (x, 5 * x as i64)).collect();
        assert_eq!(growth(&points).0, Exact::whole(5 * 99));
    }

    proptest! {
        #[test]
        fn the_slope_is_the_median_of_all_slopes(
            ys in prop::collection::vec(-1_000_000i64..1_000_000, 2..25),
        ) {
            let points: Vec<(u64, i64)> = ys.iter().enumerate().map(|(x, y)| (x as u64, *y)).collect();
            let mut slopes = Vec::new();
            for i in 0..ys.len() {
                for j in i + 1..ys.len() {
                    slopes.push(Exact::over(i128::from(ys[j] - ys[i]), (j - i) as i128));
                }
            }
            slopes.sort();
            let n = slopes.len();
            let median = slopes[(n - 1) / 2].plus(slopes[n / 2]).times(Exact::over(1, 2));
            let expected = median.times(Exact::whole(ys.len() as i128 - 1));
            prop_assert_eq!(growth(&points).0, expected);
        }
    }
}
