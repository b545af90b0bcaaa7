//! What was measured of a run, as named numbers.
//!
//! The names are those of thresholds (`response.p95`, `starts.refused{reason=global limit}`), so that what a
//! scenario promises, what a comparison tells and what a tolerance allows are one word for one thing. Each
//! number has a unit, and each name says whether more of it is worse.
//!
//! Heap bytes (`memory.…`) and what the host measured (`host.…`) are numbers of one build or one machine. They
//! are compared, but fail nothing unless a tolerance names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::{
    CustomValue, Iterations, LatencyRecord, Memory, MetricUnit, Metrics, OperationMetrics,
    TimeSpent,
};
use crate::record::Host;
use crate::unit::Unit;
use crate::units;

/// A number with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measurement {
    /// Nanoseconds.
    Ns(i64),
    /// Bytes.
    Bytes(i64),
    /// A number of things.
    Count(i64),
    /// A share, in thousandths of a percent.
    MilliPercent(i64),
    /// A rate, in thousandths per second.
    MilliPerSecond(i64),
}

/// Whether more of something is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Response times, refusals, failures.
    MoreIsWorse,
    /// Completions, throughput.
    MoreIsBetter,
    /// It says how much there was, and neither is better.
    Neither,
}

/// Two years in nanoseconds. No two numbers within it are so far apart that a sum or a picture of them overflows.
const MOST: i64 = 1 << 56;

fn clamped(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(MOST).clamp(-MOST, MOST)
}

impl Measurement {
    /// This many of `unit`.
    pub(super) fn new(unit: Unit, value: i64) -> Self {
        let value = value.clamp(-MOST, MOST);
        match unit {
            Unit::Nanoseconds => Measurement::Ns(value),
            Unit::Bytes => Measurement::Bytes(value),
            Unit::Count => Measurement::Count(value),
            Unit::Share => Measurement::MilliPercent(value),
            Unit::PerSecond => Measurement::MilliPerSecond(value),
        }
    }

    /// What it is measured in.
    pub fn unit(self) -> Unit {
        match self {
            Measurement::Ns(_) => Unit::Nanoseconds,
            Measurement::Bytes(_) => Unit::Bytes,
            Measurement::Count(_) => Unit::Count,
            Measurement::MilliPercent(_) => Unit::Share,
            Measurement::MilliPerSecond(_) => Unit::PerSecond,
        }
    }

    /// How many of its unit.
    pub fn value(self) -> i64 {
        let (Measurement::Ns(n)
        | Measurement::Bytes(n)
        | Measurement::Count(n)
        | Measurement::MilliPercent(n)
        | Measurement::MilliPerSecond(n)) = self;
        n.clamp(-MOST, MOST)
    }
}

/// How many of what a number here counts make one of its unit.
pub(super) fn finer(unit: Unit) -> i32 {
    match unit {
        Unit::Share => 100_000,
        Unit::PerSecond => 1_000,
        Unit::Nanoseconds | Unit::Bytes | Unit::Count => 1,
    }
}

/// As reports print a number of this unit.
pub(crate) fn show(unit: Unit, value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let n = value.unsigned_abs();
    let shown = match unit {
        Unit::Nanoseconds => units::seconds(n),
        Unit::Bytes => return units::bytes(value),
        Unit::Count => units::count(n),
        Unit::Share => format!("{} %", units::milli(n)),
        Unit::PerSecond => format!("{} /s", units::milli(n)),
    };
    format!("{sign}{shown}")
}

/// With its sign, also when there is more.
pub(crate) fn show_change(unit: Unit, change: i64) -> String {
    let sign = if change > 0 { "+" } else { "" };
    let shown = show(unit, change);
    // A share that changes is told in points: percent of a percentage is another thing.
    match unit {
        Unit::Share => format!("{sign}{}pp", shown.trim_end_matches('%')),
        _ => format!("{sign}{shown}"),
    }
}

use Direction::{MoreIsBetter, MoreIsWorse, Neither};

/// Every name that is one number, in the order in which reports tell them.
const PLAIN: &[(&str, Unit, Direction)] = &[
    ("starts", Unit::Count, Neither),
    ("starts.accepted", Unit::Count, MoreIsBetter),
    ("starts.refused", Unit::Count, MoreIsWorse),
    ("completions", Unit::Count, MoreIsBetter),
    ("failures", Unit::Count, MoreIsWorse),
    ("abandoned", Unit::Count, MoreIsWorse),
    ("cancelled", Unit::Count, MoreIsWorse),
    ("iterations", Unit::Count, Neither),
    ("dropped", Unit::Count, MoreIsWorse),
    ("interrupted", Unit::Count, MoreIsWorse),
    ("completion_rate", Unit::Share, MoreIsBetter),
    ("throughput", Unit::PerSecond, MoreIsBetter),
    ("duration", Unit::Nanoseconds, Neither),
    // Of all users together, by what they were doing.
    ("time.idle", Unit::Nanoseconds, Neither),
    ("time.waiting", Unit::Nanoseconds, MoreIsWorse),
    ("time.operating", Unit::Nanoseconds, Neither),
    ("memory.before", Unit::Bytes, Neither),
    ("memory.after", Unit::Bytes, MoreIsWorse),
    ("memory.peak", Unit::Bytes, MoreIsWorse),
    ("memory.growth", Unit::Bytes, MoreIsWorse),
    ("memory.allocations", Unit::Count, MoreIsWorse),
    ("host.wall", Unit::Nanoseconds, MoreIsWorse),
    ("host.rss", Unit::Bytes, MoreIsWorse),
];

/// Names of many times, of which each of [`STATS`] is a number.
const TIMES: &[&str] = &["response", "service", "queue_wait", "start_delay"];

const STATS: &[(&str, Unit, Direction)] = &[
    ("min", Unit::Nanoseconds, MoreIsWorse),
    ("mean", Unit::Nanoseconds, MoreIsWorse),
    ("p50", Unit::Nanoseconds, MoreIsWorse),
    ("p95", Unit::Nanoseconds, MoreIsWorse),
    ("p99", Unit::Nanoseconds, MoreIsWorse),
    ("max", Unit::Nanoseconds, MoreIsWorse),
    // Of those that queued; how many responses there were is told by `completions`.
    ("count", Unit::Count, Neither),
];

/// A name without its selector: `response{kind=quick}.p95` is `response.p95`.
pub(super) fn plain(name: &str) -> String {
    match name.split_once('{') {
        None => name.to_owned(),
        Some((head, rest)) => {
            format!("{head}{}", rest.rsplit_once('}').map_or("", |(_, tail)| tail))
        }
    }
}

/// The place of a plain name among those that every run can have.
fn built_in(plain: &str) -> Option<(usize, Direction, Unit)> {
    if let Some(at) = PLAIN.iter().position(|(name, ..)| *name == plain) {
        return Some((at, PLAIN[at].2, PLAIN[at].1));
    }
    let (times, stat) = plain.split_once('.')?;
    let of = TIMES.iter().position(|name| *name == times)?;
    let at = STATS.iter().position(|(name, ..)| *name == stat)?;
    Some((PLAIN.len() + of * STATS.len() + at, STATS[at].2, STATS[at].1))
}

/// The unit of a name that every run can have; `None` for one of the user's own.
pub(super) fn known_unit(name: &str) -> Option<Unit> {
    built_in(&plain(name)).map(|(.., unit)| unit)
}

/// Whether more of it is worse. A metric of the user's own does not say.
pub(super) fn direction(name: &str) -> Direction {
    built_in(&plain(name)).map_or(Neither, |(_, direction, _)| direction)
}

/// Whether it belongs to a build or a machine rather than to the system.
pub fn is_informational(name: &str) -> bool {
    name.starts_with("memory.") || name.starts_with("host.")
}

/// Reports tell of all operations first, then of each kind, then of what is the user's own, and last of what
/// belongs to a build or a machine.
pub(super) fn order(name: &str) -> (bool, String, usize, &str) {
    let selector =
        name.split_once('{').map_or("", |(_, rest)| rest.split('}').next().unwrap_or(""));
    // A reason stands with the count that it is a part of.
    let of: Vec<&str> = selector.split(", ").filter(|pair| !pair.starts_with("reason=")).collect();
    let at = built_in(&plain(name)).map_or(usize::MAX, |(at, ..)| at);
    (is_informational(name), of.join(", "), at, name)
}

/// All that was measured of a run, by name.
pub(super) type Measured = BTreeMap<String, Measurement>;

struct Flat(Measured);

impl Flat {
    fn add(&mut self, unit: Unit, path: &str, selector: &str, n: impl TryInto<i64>) {
        let name = if selector.is_empty() {
            path.to_owned()
        } else {
            // The selector stands before the statistic, as people write it.
            match path.split_once('.').filter(|(head, _)| TIMES.contains(head)) {
                Some((head, stat)) => format!("{head}{{{selector}}}.{stat}"),
                None => format!("{path}{{{selector}}}"),
            }
        };
        self.0.insert(name, Measurement::new(unit, clamped(n)));
    }

    fn operations(&mut self, of: &OperationMetrics, selector: &str, duration_ns: u64) {
        let refused = self.reasons("starts.refused", selector, &of.refused);
        let failed = self.reasons("failures", selector, &of.failed);
        let counts = [
            ("starts", of.requested),
            ("starts.accepted", of.accepted),
            ("starts.refused", refused),
            ("completions", of.completed),
            ("failures", failed),
            ("abandoned", of.abandoned),
            ("cancelled", of.cancelled),
        ];
        for (path, n) in counts {
            self.add(Unit::Count, path, selector, n);
        }
        let completed = u128::from(of.completed);
        if of.accepted > 0 {
            let share = completed * 100_000 / u128::from(of.accepted);
            self.add(Unit::Share, "completion_rate", selector, share);
        }
        if duration_ns > 0 {
            let rate = completed * 1_000_000_000_000 / u128::from(duration_ns);
            self.add(Unit::PerSecond, "throughput", selector, rate);
        }
        self.times("response", selector, &of.response);
        // Where no iteration began late the two are the same, and told once.
        if of.service != of.response {
            self.times("service", selector, &of.service);
        }
        self.add(Unit::Count, "queue_wait.count", selector, of.queue_wait.count);
        self.times("queue_wait", selector, &of.queue_wait);
    }

    /// Each reason, and their sum.
    fn reasons(&mut self, path: &str, selector: &str, counts: &BTreeMap<String, u64>) -> u64 {
        for (reason, n) in counts {
            let both = match selector {
                "" => format!("reason={reason}"),
                _ => format!("{selector}, reason={reason}"),
            };
            self.add(Unit::Count, path, &both, *n);
        }
        counts.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// A metric of the user's own, by the names that thresholds have for it.
    fn custom(&mut self, name: &str, tag: &str, unit: MetricUnit, value: &CustomValue) {
        let unit = match unit {
            MetricUnit::Time => Unit::Nanoseconds,
            MetricUnit::Bytes => Unit::Bytes,
            MetricUnit::Count => Unit::Count,
        };
        let of = |stat: &str| match tag {
            "" => format!("{name}.{stat}"),
            tag => format!("{name}{{{tag}}}.{stat}"),
        };
        match value {
            CustomValue::Counter { total } => self.add(unit, name, tag, *total),
            CustomValue::Gauge { last, min, max } => {
                for (stat, n) in [("last", last), ("min", min), ("max", max)] {
                    self.add(unit, &of(stat), "", *n);
                }
            }
            CustomValue::Rate { total: 0, .. } => {}
            CustomValue::Rate { yes, total } => {
                let share = u128::from(*yes) * 100_000 / u128::from(*total);
                self.add(Unit::Share, &of("share"), "", share);
            }
            CustomValue::Trend(trend) => {
                self.add(Unit::Count, &of("count"), "", trend.count);
                let stats = [
                    ("min", trend.min),
                    ("mean", trend.mean),
                    ("p50", trend.p50),
                    ("p95", trend.p95),
                    ("p99", trend.p99),
                    ("max", trend.max),
                ];
                for (stat, n) in stats.into_iter().filter(|_| trend.count > 0) {
                    self.add(unit, &of(stat), "", n);
                }
            }
        }
    }

    fn times(&mut self, path: &str, selector: &str, of: &LatencyRecord) {
        if of.count == 0 {
            return;
        }
        let stats = [
            ("min", of.min_ns),
            ("mean", of.mean_ns),
            ("p50", of.p50_ns),
            ("p95", of.p95_ns),
            ("p99", of.p99_ns),
            ("max", of.max_ns),
        ];
        for (stat, ns) in stats {
            self.add(Unit::Nanoseconds, &format!("{path}.{stat}"), selector, ns);
        }
    }
}

/// What a run can say of itself wherever it ran.
pub(super) fn of_metrics(metrics: &Metrics) -> Measured {
    let mut flat = Flat(Measured::new());
    flat.operations(&metrics.operations, "", metrics.duration_ns);
    for (kind, of) in &metrics.kinds {
        flat.operations(of, &format!("kind={kind}"), metrics.duration_ns);
    }
    for (tag, of) in &metrics.tags {
        flat.operations(of, tag, metrics.duration_ns);
    }
    let Iterations { started, interrupted, dropped, start_delay } = &metrics.iterations;
    flat.add(Unit::Count, "iterations", "", *started);
    flat.add(Unit::Count, "interrupted", "", *interrupted);
    flat.add(Unit::Count, "dropped", "", *dropped);
    flat.add(Unit::Count, "start_delay.count", "", start_delay.count);
    flat.times("start_delay", "", start_delay);
    let TimeSpent { idle_ns, waiting_ns, operating_ns } = metrics.time;
    flat.add(Unit::Nanoseconds, "time.idle", "", idle_ns);
    flat.add(Unit::Nanoseconds, "time.waiting", "", waiting_ns);
    flat.add(Unit::Nanoseconds, "time.operating", "", operating_ns);
    flat.add(Unit::Nanoseconds, "duration", "", metrics.duration_ns);
    for (name, metric) in &metrics.custom {
        flat.custom(name, "", metric.unit, &metric.all);
        for (tag, value) in &metric.by_tag {
            flat.custom(name, tag, metric.unit, value);
        }
    }
    flat.0
}

/// What it can say of its build and its machine.
pub(super) fn of_machine(memory: Option<&Memory>, host: Option<&Host>) -> Measured {
    let mut flat = Flat(Measured::new());
    if let Some(memory) = memory {
        flat.add(Unit::Bytes, "memory.before", "", memory.before);
        flat.add(Unit::Bytes, "memory.after", "", memory.after);
        flat.add(Unit::Bytes, "memory.peak", "", memory.peak);
        flat.add(Unit::Bytes, "memory.growth", "", memory.growth);
        flat.add(Unit::Count, "memory.allocations", "", memory.allocations);
    }
    if let Some(host) = host {
        flat.add(Unit::Nanoseconds, "host.wall", "", host.wall_ns);
        if let Some(rss) = host.rss_bytes {
            flat.add(Unit::Bytes, "host.rss", "", rss);
        }
    }
    flat.0
}

/// What a metric is where a run does not tell it: nobody was refused for a reason that is not told.
pub(super) fn where_absent(name: &str) -> Option<i64> {
    name.contains("reason=").then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threshold::Threshold;

    #[test]
    fn every_name_is_one_that_a_threshold_can_use() {
        let times = TIMES.iter().flat_map(|of| {
            STATS.iter().map(move |(stat, unit, _)| (format!("{of}.{stat}"), *unit))
        });
        let plain = PLAIN.iter().map(|(name, unit, _)| ((*name).to_owned(), *unit));
        for (name, unit) in plain.chain(times) {
            // Those that no threshold has a name for.
            if ["host.", "time."].iter().any(|head| name.starts_with(head))
                || name == "memory.allocations"
            {
                continue;
            }
            let number = match unit {
                Unit::Nanoseconds => "5s",
                Unit::Bytes => "5MB",
                Unit::Count => "5",
                Unit::Share => "5%",
                Unit::PerSecond => "5/s",
            };
            let threshold = format!("{name} < {number}").parse::<Threshold>();
            assert!(threshold.is_ok(), "{}", threshold.unwrap_err());
        }
    }

    #[test]
    fn names_are_told_in_the_order_of_a_report() {
        let mut names = [
            "host.wall",
            "memory.peak",
            "tokens",
            "response{kind=quick}.p95",
            "response.p95",
            "starts.refused{reason=global limit}",
            "response.mean",
            "starts.refused",
            "completions",
        ];
        names.sort_by(|a, b| order(a).cmp(&order(b)));
        assert_eq!(
            names,
            [
                "starts.refused",
                "starts.refused{reason=global limit}",
                "completions",
                "response.mean",
                "response.p95",
                "tokens",
                "response{kind=quick}.p95",
                "memory.peak",
                "host.wall",
            ]
        );
    }
}
