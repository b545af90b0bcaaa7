//! Thresholds: what a run, or a whole sweep, must measure, as expressions in data.
//!
//! ```text
//! response.p95 < 5s                          starts.refused{reason=global limit} == 30
//! response{kind=quick}.mean < 200ms          response{model=small}.p95 < 1s
//! starts.refused.share < 5%                  completions.rate > 1/s
//! throughput over 30s >= 90% of median       response.p95 over 10s < 500ms
//! response.p95 after 30s < 1s                response.p95 trend < 5%
//! failures == 0 else abort                   response.p95 over 10s < 1s else abort
//! response.p95 worst of seeds < 1s           response.p95 < 500ms in 95% of seeds
//! ```
//!
//! An expression is parsed and its units are checked when the scenario is read; it is judged on the
//! record after the run, in exact fractions of integers. A threshold on something that was not measured does not
//! hold: silence is not success. `docs/thresholds.md` tells every form.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`metric`] | the metrics that can be named |
//! | [`parse`], [`cursor`] | text to expression, errors with their column |
//! | [`abort`] | what may end a run at once |
//! | [`view`] | what is folded while the run goes on, for windows, warm-ups and selectors |
//! | [`measure`] | what a metric came to in one run |
//! | [`judge`] | expression and record to judgement |
//! | [`trend`] | growth over the run |
//! | [`seeds`] | judgement over all runs of a sweep |

mod abort;
mod cursor;
mod judge;
mod measure;
mod metric;
mod parse;
mod seeds;
mod trend;
mod view;

use std::fmt;
use std::time::Duration;

use crate::exact::{Comparison, Exact};
use crate::unit::Unit;
pub use cursor::ThresholdError;
pub(crate) use cursor::amount;
pub use judge::{Judgement, Standing};
pub use metric::catalogue;
use metric::{Measure, Metric, Times};
pub use seeds::{OverSeeds, SweepJudgement};

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
    /// The width of the windows, in nanoseconds.
    over: Option<u64>,
    /// How much of the load is warm-up, in nanoseconds.
    after: u64,
    trend: bool,
    seeds: Option<Seeds>,
    comparison: Comparison,
    bound: Bound,
    aborts: bool,
}

impl Threshold {
    /// The width of the windows that it is judged over, if it is judged over windows.
    pub fn window(&self) -> Option<Duration> {
        self.over.map(Duration::from_nanos)
    }

    /// How much of the load passes before it is judged.
    pub fn warm_up(&self) -> Duration {
        Duration::from_nanos(self.after)
    }

    /// Whether it is about heap bytes, which another build may lay out differently.
    pub fn is_of_memory(&self) -> bool {
        matches!(self.metric.measure, Measure::Memory(_))
    }

    /// Whether it is judged over all runs of a sweep together, and in none of them by itself.
    pub fn is_over_seeds(&self) -> bool {
        self.seeds.is_some()
    }

    /// Whether the run ends as soon as it is broken.
    pub fn aborts(&self) -> bool {
        self.aborts
    }

    /// Why it says nothing of how much load is too much, if that is so: then it breaks because the load is another one
    /// than the one that it was written for, or a smaller one.
    pub(crate) fn is_not_of_load(&self) -> Option<&'static str> {
        if self.is_over_seeds() {
            return Some("is judged over a sweep, and not in each run");
        }
        let Bound::Value(bound, unit) = self.bound else { return None };
        let whole = unit == Unit::Share && bound == Exact::whole(1);
        // None at all and all of them are bounds: nothing can be beyond.
        let extreme = bound == Exact::ZERO || whole;
        match self.comparison {
            Comparison::Equal if extreme => None,
            Comparison::Equal | Comparison::NotEqual => {
                Some("asks for an exact value, and so holds for one load only")
            }
            Comparison::Greater | Comparison::GreaterOrEqual if unit == Unit::Count => {
                Some("asks for a least number, which a small load does not make")
            }
            _ => None,
        }
    }

    /// Whether it is about time that somebody waits: where nobody waited there is nothing to complain of.
    pub(crate) fn is_of_waiting(&self) -> bool {
        matches!(self.metric.measure, Measure::Times(Times::QueueWait, _)) && !self.asks_for_more()
    }

    /// Whether it asks for more rather than for less.
    pub(crate) fn asks_for_more(&self) -> bool {
        matches!(self.comparison, Comparison::Greater | Comparison::GreaterOrEqual)
    }

    /// The kind of user that it is about, if it is about one, and where the name stands in the text.
    pub(crate) fn kind(&self) -> Option<(&str, std::ops::Range<usize>)> {
        self.metric.kind().map(|kind| (kind.value.as_str(), kind.span.clone()))
    }

    /// Whether more of something breaks it, so that a smaller run that breaks it says the same.
    pub(crate) fn is_upper(&self) -> bool {
        use Comparison::{Equal, Less, LessOrEqual};
        matches!(self.comparison, Less | LessOrEqual) || (self.aborts && self.comparison == Equal)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
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
    Value(Exact, Unit),
    /// This share of the median of all windows.
    OfMedian(Exact),
}

/// How the runs of a sweep are taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Seeds {
    /// The run that breaks it most, or is nearest to it.
    Worst,
    Median,
    /// This share of them holds it.
    Share(Exact),
}

/// Every form that a threshold can have, with a line each.
pub fn grammar() -> impl Iterator<Item = (&'static str, &'static str)> {
    FORMS.iter().copied()
}

const FORMS: &[(&str, &str)] = &[
    ("METRIC < NUMBER", "also <= > >= == !=; a number has the unit of its metric"),
    (".share, .rate", "of a count: in % of starts, or of arrivals, or of iterations; per second"),
    ("{kind=K, TAG=V}", "behind a metric: of one kind of user, with a tag; all of them match"),
    (
        "over 10s",
        "every window of that width, at each tenth of it; the bound may be `90% of median`",
    ),
    ("after 30s", "without the first of the load: its warm-up"),
    ("trend < 5%", "growth over the run, of the median; or an amount, as in `trend < 1MB`"),
    ("else abort", "behind the bound: ends the run at once"),
    ("worst of seeds", "the worst run of a sweep; also `median of seeds`"),
    ("in 95% of seeds", "behind the bound: in so many runs of a sweep"),
];
