//! What may end a run at once: what, once it is broken, can never be put right again.
//!
//! A count can only grow, so too many of something are too many for good, and too few are not known before
//! the end. A window that is over stays as it was. A percentile, a mean or a share over the whole run may come
//! right again with what is still to come.

use super::metric::{As, Counted, Measure, OwnForm};
use super::{Bound, Threshold};
use crate::exact::Comparison;
use crate::metrics::Stat;

/// Whether breaking it once is final; if not, why.
pub(super) fn is_final(threshold: &Threshold) -> Result<(), &'static str> {
    if threshold.seeds.is_some() {
        return Err("this is judged over all seeds, and ends none of their runs");
    }
    if threshold.trend {
        return Err("a trend is known at the end only");
    }
    if threshold.over.is_some() {
        return match threshold.bound {
            Bound::OfMedian(_) => Err("the median of all windows is known at the end only"),
            Bound::Value(..) => Ok(()),
        };
    }
    let upper = matches!(
        threshold.comparison,
        Comparison::Less | Comparison::LessOrEqual | Comparison::Equal
    );
    let lower = matches!(
        threshold.comparison,
        Comparison::Greater | Comparison::GreaterOrEqual | Comparison::Equal
    );
    match threshold.metric.measure {
        Measure::Count(Counted::Iterations, _) => {
            Err("iterations are counted at the end of the run")
        }
        Measure::Count(_, As::Total) | Measure::Times(_, Stat::Count | Stat::Max) if upper => {
            Ok(())
        }
        Measure::Own(_, OwnForm::Total | OwnForm::Stat(Stat::Count | Stat::Max)) if upper => Ok(()),
        Measure::Times(_, Stat::Min) | Measure::Own(_, OwnForm::Stat(Stat::Min)) if lower => Ok(()),
        Measure::Count(_, As::Total)
        | Measure::Times(_, Stat::Count)
        | Measure::Own(_, OwnForm::Total | OwnForm::Stat(Stat::Count)) => {
            Err("it can only grow: only an upper bound is broken for good")
        }
        Measure::Times(_, Stat::Max) | Measure::Own(_, OwnForm::Stat(Stat::Max)) => {
            Err("the greatest can only grow: only an upper bound is broken for good")
        }
        Measure::Times(_, Stat::Min) | Measure::Own(_, OwnForm::Stat(Stat::Min)) => {
            Err("the least can only fall: only a lower bound is broken for good")
        }
        Measure::Own(_, OwnForm::Last | OwnForm::Lowest | OwnForm::Highest) => {
            Err("a gauge is judged at the end of the run")
        }
        Measure::Duration => Err("a `deadline` ends a run that takes too long"),
        Measure::Memory(_) => Err("memory is judged at the end of the run"),
        Measure::Io(_) => Err("disks and networks are judged at the end of the run"),
        _ => Err("it may come right again; `over` and a time makes it one of windows"),
    }
}
