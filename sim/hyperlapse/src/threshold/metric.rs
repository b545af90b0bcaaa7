//! The metrics that a threshold can name.

use std::fmt;
use std::ops::Range;

use crate::metrics::{self, MetricKind, MetricUnit, Stat};
use crate::unit::Unit;

/// Times of many operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Response,
    Service,
    QueueWait,
    StartDelay,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Starts,
    Accepted,
    Refused,
    Completions,
    Failures,
    Abandoned,
    Cancelled,
    Iterations,
    Dropped,
    Interrupted,
}

/// How a count is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    Total,
    /// Of the whole that [`Counted::whole`] names.
    Share,
    /// In each second.
    Rate,
}

/// What is measured, before its selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Times(Times, Stat),
    Count(Counted, As),
    CompletionRate,
    Throughput,
    Duration,
    Memory(MemoryPart),
    Io(IoPart),
    /// A metric of the user's own.
    Own(metrics::Metric, OwnForm),
}

/// What of a metric of the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnForm {
    /// The sum of a counter.
    Total,
    /// A counter, in each second.
    Rate,
    /// Of a rate.
    Share,
    /// Of a gauge.
    Last,
    Lowest,
    Highest,
    /// Of a trend.
    Stat(Stat),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryPart {
    Before,
    After,
    Peak,
    Growth,
    /// What was live over the run: the time series.
    Live,
}

/// What disks and links moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IoPart {
    DiskCalls,
    DiskReads,
    DiskWrites,
    DiskSyncs,
    DiskRead,
    DiskWritten,
    DiskBusy,
    NetworkPackets,
    NetworkBytes,
    NetworkLost,
}

/// `{key=value}`, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) span: Range<usize>,
}

/// A metric with its selectors: `starts.refused{kind=quick, reason=global limit}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) measure: Measure,
    /// In the order of their keys, each key once.
    pub(crate) selectors: Vec<Selector>,
}

impl Metric {
    pub(crate) fn kind(&self) -> Option<&Selector> {
        self.selectors.iter().find(|selector| selector.key == KIND)
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        let reason = self.selectors.iter().find(|selector| selector.key == REASON);
        reason.map(|selector| selector.value.as_str())
    }

    /// The tags, without kind and reason.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &Selector> {
        self.selectors.iter().filter(|selector| selector.key != KIND && selector.key != REASON)
    }
}

/// The one way in which this metric is written: the name of what is kept for it.
impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.measure.fmt(f)?;
        for (i, selector) in self.selectors.iter().enumerate() {
            let open = if i == 0 { "{" } else { ", " };
            write!(f, "{open}{}={}", selector.key, selector.value)?;
        }
        if self.selectors.is_empty() { Ok(()) } else { f.write_str("}") }
    }
}

/// The selector of the users' kinds.
pub(crate) const KIND: &str = "kind";
/// The selector of the reasons of refusals and failures.
pub(crate) const REASON: &str = "reason";

/// Every name of a count, with its line for the help.
const COUNTS: &[(&str, Counted, &str)] = &[
    ("starts", Counted::Starts, "operations asked for"),
    ("starts.accepted", Counted::Accepted, "operations that the system accepted"),
    ("starts.refused", Counted::Refused, "operations refused; {reason=…} for one reason"),
    ("completions", Counted::Completions, "accepted operations that succeeded"),
    ("failures", Counted::Failures, "accepted operations that failed; {reason=…} for one reason"),
    ("abandoned", Counted::Abandoned, "accepted operations dropped without an outcome"),
    ("cancelled", Counted::Cancelled, "operations dropped before they were accepted"),
    ("iterations", Counted::Iterations, "iterations that users began"),
    ("dropped", Counted::Dropped, "arrivals that found no free user"),
    ("interrupted", Counted::Interrupted, "iterations cut off by a graceful stop"),
];

/// Every name that takes nothing behind it.
const PLAIN: &[(&str, Measure, &str)] = &[
    ("completion_rate", Measure::CompletionRate, "completions of those accepted, in %"),
    ("throughput", Measure::Throughput, "completions per second"),
    ("duration", Measure::Duration, "from the start of the load until the last user left"),
    ("memory.before", Measure::Memory(MemoryPart::Before), "heap when the scenario began"),
    ("memory.after", Measure::Memory(MemoryPart::After), "heap when it had ended"),
    ("memory.peak", Measure::Memory(MemoryPart::Peak), "the most heap between the two"),
    ("memory.growth", Measure::Memory(MemoryPart::Growth), "heap after less heap before"),
    ("memory.live", Measure::Memory(MemoryPart::Live), "heap over the run: for `trend` only"),
    (
        "disk.calls",
        Measure::Io(IoPart::DiskCalls),
        "calls that waited for a disk, such as a store's",
    ),
    ("disk.reads", Measure::Io(IoPart::DiskReads), "reads of all files"),
    ("disk.writes", Measure::Io(IoPart::DiskWrites), "writes to all files"),
    ("disk.syncs", Measure::Io(IoPart::DiskSyncs), "syncs of files and directories"),
    ("disk.read", Measure::Io(IoPart::DiskRead), "bytes that reads gave"),
    ("disk.written", Measure::Io(IoPart::DiskWritten), "bytes that writes took"),
    ("disk.busy", Measure::Io(IoPart::DiskBusy), "virtual time that operations of disks took"),
    ("network.packets", Measure::Io(IoPart::NetworkPackets), "packets that arrived"),
    ("network.bytes", Measure::Io(IoPart::NetworkBytes), "bytes in them, headers included"),
    ("network.lost", Measure::Io(IoPart::NetworkLost), "how often a packet was lost"),
];

const TIMES: &[(&str, Times, &str)] = &[
    (
        "response",
        Times::Response,
        "from the intended start to completion; behind it .count, .min, .max, .mean or a percentile: .p50, .p99.9",
    ),
    ("service", Times::Service, "from asking to completion; as for response"),
    ("queue_wait", Times::QueueWait, "time in the queue, of those that queued; as for response"),
    ("start_delay", Times::StartDelay, "how late iterations began, of the late; as for response"),
];

/// Every metric that a threshold can name, with a line each.
pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static str)> {
    let times = TIMES.iter().map(|(name, _, about)| (*name, *about));
    let counts = COUNTS.iter().map(|(name, _, about)| (*name, *about));
    times.chain(counts).chain(PLAIN.iter().map(|(name, _, about)| (*name, *about)))
}

/// The words that may follow a metric of times.
pub(super) const STATS: [&str; 7] = ["count", "min", "max", "mean", "p50", "p95", "p99"];

/// The words that may follow a count.
pub(super) const COUNT_FORMS: [&str; 2] = ["share", "rate"];

/// The words that may follow a gauge.
const GAUGE_FORMS: [&str; 3] = ["last", "min", "max"];

/// Why a name is no metric.
pub(super) enum Unknown {
    Metric,
    /// What stands behind the last dot is none of these.
    Form(&'static [&'static str]),
    /// Nothing stands behind it, and one of these must.
    FormMissing(&'static [&'static str]),
}

impl Measure {
    /// The measure of this name, the metrics of the user's own among them.
    pub(super) fn named(path: &str, own: &[metrics::Metric]) -> Result<Measure, Unknown> {
        // The longest name first: a name may have dots in it.
        let is_it = |metric: &&metrics::Metric| {
            let rest = path.strip_prefix(metric.name());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if let Some(metric) = own.iter().filter(is_it).max_by_key(|metric| metric.name().len()) {
            let form = &path[metric.name().len()..];
            return OwnForm::named(metric, form.strip_prefix('.').unwrap_or(form))
                .map(|form| Measure::Own(*metric, form));
        }
        if let Some((_, measure, _)) = PLAIN.iter().find(|(name, ..)| *name == path) {
            return Ok(*measure);
        }
        let count = |path: &str| COUNTS.iter().find(|(name, ..)| *name == path);
        if let Some((_, counted, _)) = count(path) {
            return Ok(Measure::Count(*counted, As::Total));
        }
        if let Some((rest, form)) = path.rsplit_once('.')
            && let Some((_, counted, _)) = count(rest)
        {
            return match form {
                "rate" => Ok(Measure::Count(*counted, As::Rate)),
                "share" if counted.whole().is_some() => Ok(Measure::Count(*counted, As::Share)),
                _ if counted.whole().is_none() => Err(Unknown::Form(&COUNT_FORMS[1..])),
                _ => Err(Unknown::Form(&COUNT_FORMS)),
            };
        }
        let (name, stat) = path.split_once('.').unwrap_or((path, ""));
        let Some((_, times, _)) = TIMES.iter().find(|(known, ..)| *known == name) else {
            return Err(Unknown::Metric);
        };
        match Stat::named(stat) {
            Some(stat) => Ok(Measure::Times(*times, stat)),
            None if stat.is_empty() => Err(Unknown::FormMissing(&STATS)),
            None => Err(Unknown::Form(&STATS)),
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Measure::Own(metric, form) => form.unit(metric.unit()),
            Measure::Times(_, Stat::Count) | Measure::Count(_, As::Total) => Unit::Count,
            Measure::Times(..) | Measure::Duration => Unit::Nanoseconds,
            Measure::Memory(_)
            | Measure::Io(IoPart::DiskRead | IoPart::DiskWritten | IoPart::NetworkBytes) => {
                Unit::Bytes
            }
            Measure::Io(IoPart::DiskBusy) => Unit::Nanoseconds,
            Measure::Io(_) => Unit::Count,
            Measure::CompletionRate | Measure::Count(_, As::Share) => Unit::Share,
            Measure::Throughput | Measure::Count(_, As::Rate) => Unit::PerSecond,
        }
    }

    /// Whether it is one of operations, so that it is known for each kind of user and each tag.
    pub(super) fn is_of_operations(self) -> bool {
        match self {
            Measure::Times(times, _) => times != Times::StartDelay,
            Measure::Count(counted, _) => counted.is_of_operations(),
            Measure::CompletionRate | Measure::Throughput | Measure::Own(..) => true,
            Measure::Duration | Measure::Memory(_) | Measure::Io(_) => false,
        }
    }

    /// Whether it is folded from events, so that it is known of a part of the run.
    pub(super) fn is_of_events(self) -> bool {
        match self {
            Measure::Duration | Measure::Memory(_) | Measure::Io(_) => false,
            // That an iteration begins is no event of its own.
            Measure::Count(Counted::Iterations, _) => false,
            Measure::Count(Counted::Dropped | Counted::Interrupted, As::Share) => false,
            Measure::Own(metric, _) => metric.kind() != MetricKind::Gauge,
            _ => true,
        }
    }

    pub(super) fn has_reasons(self) -> bool {
        matches!(self, Measure::Count(Counted::Refused | Counted::Failures, _))
    }

    /// Whether it can be below 0.
    pub(super) fn may_be_negative(self) -> bool {
        match self {
            Measure::Memory(_) => true,
            Measure::Own(metric, _) => metric.kind() == MetricKind::Gauge,
            _ => false,
        }
    }
}

impl OwnForm {
    fn named(metric: &metrics::Metric, form: &str) -> Result<Self, Unknown> {
        let counter: &[&str] = &["rate"];
        match (metric.kind(), form) {
            (MetricKind::Counter, "") => Ok(OwnForm::Total),
            // How many bytes in each second has no unit here.
            (MetricKind::Counter, "rate") if metric.unit() == MetricUnit::Count => {
                Ok(OwnForm::Rate)
            }
            (MetricKind::Counter, _) if metric.unit() == MetricUnit::Count => {
                Err(Unknown::Form(counter))
            }
            (MetricKind::Counter, _) => Err(Unknown::Form(&[])),
            (MetricKind::Rate, "share") => Ok(OwnForm::Share),
            (MetricKind::Rate, "") => Err(Unknown::FormMissing(&["share"])),
            (MetricKind::Rate, _) => Err(Unknown::Form(&["share"])),
            (MetricKind::Gauge, "last") => Ok(OwnForm::Last),
            (MetricKind::Gauge, "min") => Ok(OwnForm::Lowest),
            (MetricKind::Gauge, "max") => Ok(OwnForm::Highest),
            (MetricKind::Gauge, "") => Err(Unknown::FormMissing(&GAUGE_FORMS)),
            (MetricKind::Gauge, _) => Err(Unknown::Form(&GAUGE_FORMS)),
            (MetricKind::Trend, "") => Err(Unknown::FormMissing(&STATS)),
            (MetricKind::Trend, stat) => {
                Stat::named(stat).map(OwnForm::Stat).ok_or(Unknown::Form(&STATS))
            }
        }
    }

    fn unit(self, of: MetricUnit) -> Unit {
        match self {
            OwnForm::Rate => Unit::PerSecond,
            OwnForm::Share => Unit::Share,
            OwnForm::Stat(Stat::Count) => Unit::Count,
            OwnForm::Total
            | OwnForm::Last
            | OwnForm::Lowest
            | OwnForm::Highest
            | OwnForm::Stat(_) => match of {
                MetricUnit::Time => Unit::Nanoseconds,
                MetricUnit::Bytes => Unit::Bytes,
                MetricUnit::Count => Unit::Count,
            },
        }
    }
}

impl fmt::Display for OwnForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnForm::Total => Ok(()),
            OwnForm::Rate => f.write_str(".rate"),
            OwnForm::Share => f.write_str(".share"),
            OwnForm::Last => f.write_str(".last"),
            OwnForm::Lowest => f.write_str(".min"),
            OwnForm::Highest => f.write_str(".max"),
            OwnForm::Stat(stat) => write!(f, ".{stat}"),
        }
    }
}

impl Counted {
    fn is_of_operations(self) -> bool {
        !matches!(self, Counted::Iterations | Counted::Dropped | Counted::Interrupted)
    }

    /// What it is a share of, in words; `None` where it is itself the whole.
    pub(super) fn whole(self) -> Option<&'static str> {
        match self {
            Counted::Starts | Counted::Iterations => None,
            Counted::Dropped => Some("nobody arrived"),
            Counted::Interrupted => Some("no iteration began"),
            _ => Some("nothing was asked for"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measure::Times(times, stat) => {
                let known = TIMES.iter().find(|(_, known, _)| known == times);
                let (name, ..) = known.expect("every metric of times has a name");
                write!(f, "{name}.{stat}")
            }
            Measure::Count(counted, form) => {
                let known = COUNTS.iter().find(|(_, known, _)| known == counted);
                let (name, ..) = known.expect("every count has a name");
                f.write_str(name)?;
                f.write_str(match form {
                    As::Total => "",
                    As::Share => ".share",
                    As::Rate => ".rate",
                })
            }
            Measure::Own(metric, form) => write!(f, "{}{form}", metric.name()),
            plain => {
                let known = PLAIN.iter().find(|(_, known, _)| known == plain);
                f.write_str(known.expect("every other metric has a name").0)
            }
        }
    }
}
