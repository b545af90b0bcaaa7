//! What is measured of a run, in the words of load testing.
//!
//! [`collector`] folds events into counts and histograms while the run goes on; the types here are what
//! it leaves behind: plain data with integers only. Times are virtual nanoseconds.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`latency`] | response times and queue waits |
//! | [`custom`] | metrics of the user's own |
//! | [`tags`] | what kind of operation it was, in the scenario's words |
//! | [`series`] | counts and percentiles over virtual time |
//! | [`dense`] | the histogram of a step of it |
//! | [`users`] | what virtual users are doing |
//! | [`views`], [`view_spec`], [`window`], [`sliding`] | what thresholds ask for: parts of a run, sliding windows |
//! | [`stat`] | a number of many, by its name |
//! | [`collector`] | the fold |

mod collector;
mod custom;
mod dense;
mod latency;
mod series;
mod sliding;
mod stat;
mod tags;
#[cfg(test)]
mod tests;
mod users;
mod view_spec;
mod views;
mod window;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use collector::Collector;
pub use custom::{CustomMetric, CustomValue, Metric, MetricKind, MetricUnit, Sample, TrendRecord};
pub(crate) use latency::Latencies;
pub use latency::LatencyRecord;
#[cfg(feature = "cli")]
pub(crate) use latency::whole_histogram;
pub use series::Series;
pub(crate) use stat::Stat;
pub use tags::{MAX_TAGS, Tags};
pub(crate) use view_spec::{Abort, Amount, Column, Filter, Number, Of, Timed, ViewSpec};
pub use views::View;
pub use window::{WindowValue, WindowsRecord};

/// What was measured of all operations of a run, or of those of one kind of user, or with one tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationMetrics {
    /// Operations asked for.
    pub requested: u64,
    /// Operations that the system accepted.
    pub accepted: u64,
    /// Operations that the system refused to start, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Accepted operations that succeeded.
    pub completed: u64,
    /// Accepted operations that did not succeed, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Accepted operations that were dropped without an outcome.
    pub abandoned: u64,
    /// Operations that were dropped before they were accepted or refused.
    pub cancelled: u64,
    /// Time from the intended start to completion, of completed operations: what a client of a system
    /// waits that does not ask whether the load generator was late. The intended start is the moment of
    /// asking, except where an open model's iteration began late.
    pub response: LatencyRecord,
    /// Time from asking to completion, of completed operations. The same as `response` but for
    /// operations whose iteration began late.
    pub service: LatencyRecord,
    /// Time in the queue, of accepted operations that had to queue.
    pub queue_wait: LatencyRecord,
}

impl OperationMetrics {
    /// Operations refused, for whatever reason.
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Accepted operations that failed, for whatever reason.
    pub fn failed_total(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// What was measured of the iterations of virtual users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iterations {
    /// Iterations that began.
    pub started: u64,
    /// Iterations that a graceful stop cut off.
    pub interrupted: u64,
    /// Arrivals of an open model that found no free user, and were not served.
    pub dropped: u64,
    /// Actual less intended start, of the iterations that began late.
    pub start_delay: LatencyRecord,
}

/// Virtual time of all users together, by what they were doing. A user that does several operations at
/// once counts once, by the last that was heard of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSpent {
    /// Between operations, in nanoseconds.
    pub idle_ns: u64,
    /// Waiting for an operation to be accepted, in nanoseconds.
    pub waiting_ns: u64,
    /// In an accepted operation, in nanoseconds.
    pub operating_ns: u64,
}

/// Everything measured of a run that the same seed gives again to the last digit, in any build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// All operations.
    pub operations: OperationMetrics,
    /// The operations of each kind of user, where the scenario mixes kinds.
    pub kinds: BTreeMap<String, OperationMetrics>,
    /// The operations with each tag, by `key=value`.
    pub tags: BTreeMap<String, OperationMetrics>,
    /// The iterations of virtual users.
    pub iterations: Iterations,
    /// What users spent their time with.
    pub time: TimeSpent,
    /// Metrics of the user's own, by name; each that the scenario declares.
    pub custom: BTreeMap<String, CustomMetric>,
    /// From the start of the load until its last user had left.
    pub duration_ns: u64,
    /// What thresholds ask for beyond the metrics of the whole run, by its name: windows, warm-ups, parts.
    pub views: BTreeMap<String, View>,
    /// Counts and percentiles over virtual time.
    pub series: Series,
}

impl Metrics {
    /// Completions per second of virtual time, in thousandths, rounded down; `None` when the load took
    /// no time.
    pub fn throughput_milli(&self) -> Option<u64> {
        let completed = u128::from(self.operations.completed);
        let per = |duration| (completed * 1_000_000_000_000 / u128::from(duration)) as u64;
        (self.duration_ns > 0).then(|| per(self.duration_ns))
    }
}

/// Heap bytes of a run's own thread, exact and repeatable within one build. On the [real clock](crate::Clock::Real) it is
/// the resident memory of the process under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Live when the scenario's body began.
    pub before: i64,
    /// Live when it had ended, before the runtime was torn down.
    pub after: i64,
    /// The most that was live between the two.
    pub peak: i64,
    /// `after` less `before`.
    pub growth: i64,
    /// Allocations between the two; 0 on the real clock, where nobody counts them.
    pub allocations: u64,
    /// Live at the end of each step of the time series ([`Series::step_ns`]).
    pub series: Vec<i64>,
}
