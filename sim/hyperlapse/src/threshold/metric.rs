//! The metrics that a threshold can name, and their units.

use std::ops::Range;

/// What a metric is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Time,
    Bytes,
    Count,
    Share,
    Rate,
}

impl Unit {
    /// The suffixes that a number of this unit may have, with what they stand for in the base unit:
    /// numerator and denominator.
    pub(super) fn suffixes(self) -> &'static [(&'static str, i128, i128)] {
        match self {
            Unit::Time => &[
                ("ns", 1, 1),
                ("us", 1_000, 1),
                ("ms", 1_000_000, 1),
                ("s", 1_000_000_000, 1),
                ("m", 60_000_000_000, 1),
                ("h", 3_600_000_000_000, 1),
            ],
            Unit::Bytes => &[
                ("B", 1, 1),
                ("KB", 1_000, 1),
                ("MB", 1_000_000, 1),
                ("GB", 1_000_000_000, 1),
                ("KiB", 1 << 10, 1),
                ("MiB", 1 << 20, 1),
                ("GiB", 1 << 30, 1),
            ],
            Unit::Count => &[("", 1, 1)],
            Unit::Share => &[("%", 1, 100)],
            Unit::Rate => &[("/s", 1, 1), ("/m", 1, 60), ("/h", 1, 3_600)],
        }
    }

    /// What is expected where a number of this unit should stand.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Unit::Time => "a time such as `200ms` or `5s`",
            Unit::Bytes => "a size such as `50MB` or `64KiB`",
            Unit::Count => "a whole number without a unit",
            Unit::Share => "a share such as `99.5%`",
            Unit::Rate => "a rate such as `1/s` or `30/m`",
        }
    }
}

/// One number to take from times of many operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stat {
    Count,
    Min,
    Max,
    Mean,
    /// In thousandths of a percent: `99_900` is p99.9.
    Percentile(u32),
}

/// What is measured, before its selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Response(Stat),
    QueueWait(Stat),
    Starts,
    Accepted,
    Refused,
    Completions,
    Failures,
    Abandoned,
    Cancelled,
    CompletionRate,
    Throughput,
    Duration,
    Memory(MemoryPart),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemoryPart {
    Before,
    After,
    Peak,
    Growth,
}

/// A metric with its selectors: `starts.refused{kind=quick, reason=global limit}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    pub(super) measure: Measure,
    pub(super) kind: Option<(String, Range<usize>)>,
    pub(super) reason: Option<String>,
}

/// Every name that takes no statistic, with its line for the help.
const PLAIN: &[(&str, Measure, &str)] = &[
    ("starts", Measure::Starts, "operations asked for"),
    ("starts.accepted", Measure::Accepted, "operations that the system accepted"),
    ("starts.refused", Measure::Refused, "operations refused; {reason=…} for one reason"),
    ("completions", Measure::Completions, "accepted operations that succeeded"),
    ("failures", Measure::Failures, "accepted operations that failed; {reason=…} for one reason"),
    ("abandoned", Measure::Abandoned, "accepted operations dropped without an outcome"),
    ("cancelled", Measure::Cancelled, "operations dropped before they were accepted"),
    ("completion_rate", Measure::CompletionRate, "completions of those accepted, in %"),
    ("throughput", Measure::Throughput, "completions per second; `over 30s` for every window"),
    ("duration", Measure::Duration, "from the start of the load until the last user left"),
    ("memory.before", Measure::Memory(MemoryPart::Before), "heap when the scenario began"),
    ("memory.after", Measure::Memory(MemoryPart::After), "heap when it had ended"),
    ("memory.peak", Measure::Memory(MemoryPart::Peak), "the most heap between the two"),
    ("memory.growth", Measure::Memory(MemoryPart::Growth), "heap after less heap before"),
];

/// Makes a measure of one of many times.
type OfStat = fn(Stat) -> Measure;

const TIMES: &[(&str, OfStat, &str)] = &[
    ("response", Measure::Response, "from asking to completion: count, min, max, mean, p50, p99.9"),
    ("queue_wait", Measure::QueueWait, "time in the queue, of those that queued; as for response"),
];

/// Every metric that a threshold can name, with a line each.
pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static str)> {
    let times = TIMES.iter().map(|(name, _, about)| (*name, *about));
    times.chain(PLAIN.iter().map(|(name, _, about)| (*name, *about)))
}

/// The words that may follow a metric of times.
pub(super) const STATS: [&str; 7] = ["count", "min", "max", "mean", "p50", "p95", "p99"];

/// Why a name is no metric.
pub(super) enum Unknown {
    Metric,
    Stat,
    StatMissing,
}

impl Measure {
    pub(super) fn named(path: &str) -> Result<Measure, Unknown> {
        if let Some((_, measure, _)) = PLAIN.iter().find(|(name, ..)| *name == path) {
            return Ok(*measure);
        }
        let (name, stat) = path.split_once('.').unwrap_or((path, ""));
        let Some((_, measure, _)) = TIMES.iter().find(|(known, ..)| *known == name) else {
            return Err(Unknown::Metric);
        };
        match stat {
            "" => Err(Unknown::StatMissing),
            "count" => Ok(measure(Stat::Count)),
            "min" => Ok(measure(Stat::Min)),
            "max" => Ok(measure(Stat::Max)),
            "mean" => Ok(measure(Stat::Mean)),
            _ => percentile(stat).map(|p| measure(Stat::Percentile(p))).ok_or(Unknown::Stat),
        }
    }

    pub(super) fn unit(self) -> Unit {
        match self {
            Measure::Response(Stat::Count) | Measure::QueueWait(Stat::Count) => Unit::Count,
            Measure::Response(_) | Measure::QueueWait(_) | Measure::Duration => Unit::Time,
            Measure::Memory(_) => Unit::Bytes,
            Measure::CompletionRate => Unit::Share,
            Measure::Throughput => Unit::Rate,
            _ => Unit::Count,
        }
    }

    /// Whether it is known for each kind of user.
    pub(super) fn has_kinds(self) -> bool {
        !matches!(self, Measure::Memory(_) | Measure::Duration)
    }

    pub(super) fn has_reasons(self) -> bool {
        matches!(self, Measure::Refused | Measure::Failures)
    }
}

/// `p95`, `p99.9`, `p100`: thousandths of a percent.
fn percentile(stat: &str) -> Option<u32> {
    let digits = stat.strip_prefix('p')?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) || part.len() > 3 {
        return None;
    }
    let thousandths = whole.parse::<u32>().ok()?.checked_mul(1_000)?
        + format!("{part:0<3}").parse::<u32>().ok()?;
    (1..=100_000).contains(&thousandths).then_some(thousandths)
}
