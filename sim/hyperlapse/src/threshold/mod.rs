//! Thresholds: what a run must measure, as expressions in data.
//!
//! ```text
//! response.p95 < 5s                     starts.refused == 30
//! response{kind=quick}.mean < 200ms     starts.refused{reason=global limit} == 30
//! throughput > 1/s                      throughput over 30s >= 90% of median
//! memory.growth < 50MB                  completion_rate == 100%
//! ```
//!
//! An expression is parsed and its units are checked when the scenario is read; it is judged on the
//! record after the run, in exact integers. A threshold on something that was not measured does not
//! hold: silence is not success.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`metric`] | the metrics that can be named, and their units |
//! | [`parse`] | text to expression, errors with their column |
//! | [`judge`] | expression and record to judgement |

mod judge;
mod metric;
mod parse;

use std::fmt;
use std::time::Duration;

pub use judge::{Judgement, Standing};
pub use metric::catalogue;
use metric::{Metric, Unit};
pub use parse::ThresholdError;

/// A parsed threshold. Prints as it was written.
///
/// ```
/// use hyperlapse::Threshold;
///
/// let threshold: Threshold = "response.p95 < 5s".parse().unwrap();
/// assert_eq!(threshold.to_string(), "response.p95 < 5s");
/// let error = "response.p95 < 5MB".parse::<Threshold>().unwrap_err();
/// assert_eq!(error.column(), 16);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    metric: Metric,
    over: Option<Duration>,
    comparison: Comparison,
    bound: Bound,
}

impl Threshold {
    /// The width of the windows that it is judged over, if it is judged over windows.
    pub fn window(&self) -> Option<Duration> {
        self.over
    }

    /// Whether it is about heap bytes, which another build may lay out differently.
    pub fn is_of_memory(&self) -> bool {
        self.metric.measure.unit() == Unit::Bytes
    }

    /// Why it says nothing of how much load is too much, if that is so: then it breaks because the load is another one
    /// than the one that it was written for, or a smaller one.
    pub(crate) fn is_not_of_load(&self) -> Option<&'static str> {
        let Bound::Value(bound) = &self.bound else { return None };
        let unit = self.metric.measure.unit();
        // None at all and all of them are bounds: nothing can be beyond.
        let extreme =
            bound.numerator == 0 || unit == Unit::Share && bound.numerator == bound.denominator;
        match self.comparison {
            Comparison::Equal if extreme => None,
            Comparison::Equal | Comparison::NotEqual => {
                Some("holds for one load only: it asks for an exact value")
            }
            Comparison::Greater | Comparison::GreaterOrEqual if unit == Unit::Count => {
                Some("asks for a least number: more load makes more")
            }
            _ => None,
        }
    }

    /// Whether it is about time that somebody waits: where nobody waited there is nothing to complain of.
    pub(crate) fn is_of_waiting(&self) -> bool {
        matches!(self.metric.measure, metric::Measure::QueueWait(_)) && !self.asks_for_more()
    }

    /// Whether it asks for more rather than for less.
    pub(crate) fn asks_for_more(&self) -> bool {
        matches!(self.comparison, Comparison::Greater | Comparison::GreaterOrEqual)
    }

    /// The kind of user that it is about, if it is about one, and where the name stands in the text.
    pub(crate) fn kind(&self) -> Option<(&str, std::ops::Range<usize>)> {
        self.metric.kind.as_ref().map(|(name, span)| (name.as_str(), span.clone()))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// What a metric is compared with.
#[derive(Debug, Clone, PartialEq)]
enum Bound {
    Value(Exact),
    /// This share of the median of all windows.
    OfMedian(Exact),
}

/// An exact quantity in the base unit of its metric: nanoseconds, bytes, a count, a fraction of one,
/// or per second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Exact {
    numerator: i128,
    denominator: i128,
}

impl Exact {
    fn whole(n: impl Into<i128>) -> Self {
        Self { numerator: n.into(), denominator: 1 }
    }

    fn over(numerator: i128, denominator: i128) -> Self {
        debug_assert!(denominator > 0, "a quantity over {denominator}");
        Self { numerator, denominator }
    }

    fn times(self, other: Self) -> Self {
        Self::over(self.numerator * other.numerator, self.denominator * other.denominator)
    }

    fn compare(self, other: Self) -> std::cmp::Ordering {
        (self.numerator * other.denominator).cmp(&(other.numerator * self.denominator))
    }

    fn show(self, unit: Unit) -> String {
        let scaled = |by: i128| self.numerator * by / self.denominator;
        match unit {
            Unit::Time => crate::units::seconds(scaled(1) as u64),
            Unit::Bytes => crate::units::bytes(scaled(1) as i64),
            Unit::Count => crate::units::count(scaled(1) as u64),
            // Not rounded up: what falls short of the whole must not read as the whole.
            Unit::Share => match scaled(100_000) {
                tenths if tenths % 100 == 0 => format!("{} %", crate::units::milli(tenths as u64)),
                fine => format!("{}.{:03} %", fine / 1_000, fine % 1_000),
            },
            Unit::Rate => format!("{} /s", crate::units::milli(scaled(1_000) as u64)),
        }
    }
}
