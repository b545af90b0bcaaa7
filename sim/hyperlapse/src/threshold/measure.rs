//! What a metric came to in one run.

use std::collections::BTreeMap;

use super::metric::{As, Counted, IoPart, Measure, MemoryPart, Metric, OwnForm, Selector, Times};
use super::{Threshold, trend};
use crate::exact::Exact;
use crate::io::IoRecord;
use crate::metrics::{CustomValue, LatencyRecord, Memory, Metrics, OperationMetrics, Stat, View};
use crate::record::Record;

/// A quantity, or why there is none.
pub(super) type Measured = Result<Exact, String>;

const NO_MEMORY: &str = "not measured: CountingAllocator is not installed";

impl Threshold {
    /// The number of the run that is judged, where it is one of no windows and no trend.
    pub(super) fn number_of(&self, record: &Record) -> Measured {
        if self.after == 0 && !self.is_of_a_part() {
            return self.of_run(record);
        }
        match record.metrics.views.get(&self.view_name()) {
            Some(View::Number(Some(quantity))) => Ok(quantity.exact()),
            Some(View::Number(None)) => Err(nothing(self.metric.measure).to_owned()),
            _ => Err("not measured in this run".to_owned()),
        }
    }

    fn of_run(&self, record: &Record) -> Measured {
        let metrics = &record.metrics;
        let measure = self.metric.measure;
        let of = match measure {
            // The tags of samples need not be tags of operations.
            Measure::Own(..) => &metrics.operations,
            _ => operations(metrics, &self.metric),
        };
        match measure {
            Measure::Times(times, stat) => {
                let times = match times {
                    Times::Response => &of.response,
                    Times::Service => &of.service,
                    Times::QueueWait => &of.queue_wait,
                    Times::StartDelay => {
                        return start_delay(metrics, &metrics.iterations.start_delay, stat);
                    }
                };
                times.stat(stat).map(Exact::whole).ok_or_else(|| nothing(measure).to_owned())
            }
            Measure::Count(counted, form) => {
                let n = count(metrics, of, counted, self.metric.reason());
                match form {
                    As::Total => Ok(Exact::whole(n)),
                    As::Rate => per_second(n, metrics.duration_ns),
                    As::Share => share(n, whole(metrics, of, counted), measure),
                }
            }
            Measure::CompletionRate => share(of.completed, of.accepted, measure),
            Measure::Throughput => per_second(of.completed, metrics.duration_ns),
            Measure::Duration => Ok(Exact::whole(metrics.duration_ns)),
            Measure::Own(metric, form) => {
                own(metrics, metric.name(), form, self.metric.tags().next())
            }
            Measure::Memory(part) => {
                let memory = record.memory.as_ref().ok_or(NO_MEMORY)?;
                Ok(Exact::whole(of_memory(memory, part)))
            }
            Measure::Io(part) => of_io(&record.io, part).map(Exact::whole),
        }
    }

    /// The points of which the trend is judged.
    pub(super) fn points(&self, record: &Record) -> Result<Vec<(u64, i64)>, String> {
        let series = &record.metrics.series;
        match trend::source(self.metric.measure) {
            Some(trend::Source::Memory) => {
                let memory = record.memory.as_ref().ok_or(NO_MEMORY)?;
                let first = self.after.div_ceil(series.step_ns.max(1));
                let full = record.metrics.duration_ns / series.step_ns.max(1);
                let points = (0..full).zip(memory.series.iter().copied());
                Ok(points.filter(|(step, _)| *step >= first).collect())
            }
            _ => match record.metrics.views.get(&self.view_name()) {
                Some(View::Points(points)) => {
                    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
                    Ok(points.iter().map(|(step, value)| (*step, signed(*value))).collect())
                }
                _ => Err("not measured in this run".to_owned()),
            },
        }
    }
}

impl Metric {
    /// Why nothing can be said of what the selectors name: in this run there was no such kind of user and nothing
    /// with such a tag, which is more often a word misspelt than a success.
    pub(super) fn names_nobody(&self, record: &Record) -> Option<String> {
        let metrics = &record.metrics;
        if let Some(kind) = self.kind()
            && !metrics.kinds.contains_key(&kind.value)
        {
            return Some("no users of this kind".to_owned());
        }
        self.tags().find_map(|tag| {
            let tag = format!("{}={}", tag.key, tag.value);
            match self.measure {
                Measure::Own(metric, _) => {
                    let of = metrics.custom.get(metric.name())?;
                    let sampled = of.by_tag.contains_key(&tag);
                    (!sampled).then(|| format!("no sample was tagged {tag}"))
                }
                _ => {
                    (!metrics.tags.contains_key(&tag)).then(|| format!("nothing was tagged {tag}"))
                }
            }
        })
    }
}

/// Why there is no number of it.
fn nothing(measure: Measure) -> &'static str {
    match measure {
        Measure::Times(Times::QueueWait, _) => "nothing queued",
        Measure::Times(Times::StartDelay, _) => "no iteration began late",
        Measure::Times(..) => "nothing completed",
        Measure::Count(counted, As::Share) => counted.whole().unwrap_or_default(),
        Measure::CompletionRate => "nothing was accepted",
        Measure::Own(_, OwnForm::Share | OwnForm::Stat(_)) => "nothing was sampled",
        _ => "the load took no time",
    }
}

/// The operations that the one selector names, if there is one; [`Metric::names_nobody`] was asked before.
fn operations<'a>(metrics: &'a Metrics, metric: &Metric) -> &'a OperationMetrics {
    if let Some(kind) = metric.kind() {
        return &metrics.kinds[&kind.value];
    }
    match metric.tags().next() {
        None => &metrics.operations,
        Some(tag) => &metrics.tags[&format!("{}={}", tag.key, tag.value)],
    }
}

fn count(metrics: &Metrics, of: &OperationMetrics, counted: Counted, reason: Option<&str>) -> u64 {
    let by_reason = |counts: &BTreeMap<String, u64>| match reason {
        None => counts.values().sum(),
        Some(reason) => counts.get(reason).copied().unwrap_or(0),
    };
    match counted {
        Counted::Starts => of.requested,
        Counted::Accepted => of.accepted,
        Counted::Refused => by_reason(&of.refused),
        Counted::Completions => of.completed,
        Counted::Failures => by_reason(&of.failed),
        Counted::Abandoned => of.abandoned,
        Counted::Cancelled => of.cancelled,
        Counted::Iterations => metrics.iterations.started,
        Counted::Dropped => metrics.iterations.dropped,
        Counted::Interrupted => metrics.iterations.interrupted,
    }
}

/// A metric of the user's own, of all samples or of those with a tag.
fn own(metrics: &Metrics, name: &str, form: OwnForm, tag: Option<&Selector>) -> Measured {
    let metric = metrics.custom.get(name).ok_or("not measured in this run")?;
    let value = match tag {
        None => &metric.all,
        Some(tag) => &metric.by_tag[&format!("{}={}", tag.key, tag.value)],
    };
    let sampled = match value {
        CustomValue::Counter { total } => match form {
            OwnForm::Rate => return per_second(*total, metrics.duration_ns),
            _ => Some(Exact::whole(*total)),
        },
        CustomValue::Gauge { last, min, max } => Some(Exact::whole(match form {
            OwnForm::Lowest => *min,
            OwnForm::Highest => *max,
            _ => *last,
        })),
        CustomValue::Rate { yes, total } => {
            (*total > 0).then(|| Exact::over((*yes).into(), (*total).into()))
        }
        CustomValue::Trend(trend) => match form {
            OwnForm::Stat(stat) => trend.stat(stat).map(Exact::whole),
            _ => None,
        },
    };
    sampled.ok_or_else(|| "nothing was sampled".to_owned())
}

/// What a count is a share of.
fn whole(metrics: &Metrics, of: &OperationMetrics, counted: Counted) -> u64 {
    match counted {
        Counted::Dropped => metrics.iterations.started + metrics.iterations.dropped,
        Counted::Interrupted => metrics.iterations.started,
        _ => of.requested,
    }
}

/// Of the iterations that began late. Where none did, the delay is none; unless there was no iteration.
fn start_delay(metrics: &Metrics, delays: &LatencyRecord, stat: Stat) -> Measured {
    match delays.stat(stat) {
        Some(value) => Ok(Exact::whole(value)),
        None if metrics.iterations.started > 0 => Ok(Exact::ZERO),
        None => Err("no iteration began".to_owned()),
    }
}

fn share(part: u64, whole: u64, measure: Measure) -> Measured {
    match whole {
        0 => Err(nothing(measure).to_owned()),
        whole => Ok(Exact::over(part.into(), whole.into())),
    }
}

fn per_second(n: u64, ns: u64) -> Measured {
    match ns {
        0 => Err("the load took no time".to_owned()),
        ns => Ok(Exact::over(i128::from(n) * 1_000_000_000, ns.into())),
    }
}

/// Of all disks, or of all links.
fn of_io(io: &IoRecord, part: IoPart) -> Result<u64, String> {
    let disks = || io.of_disks().ok_or("the run shows no disk");
    let links = || io.of_links().ok_or("the run has no network");
    Ok(match part {
        IoPart::DiskCalls => disks().map(|_| io.calls())?,
        IoPart::DiskReads => disks()?.reads,
        IoPart::DiskWrites => disks()?.writes,
        IoPart::DiskSyncs => disks()?.syncs,
        IoPart::DiskRead => disks()?.bytes_read,
        IoPart::DiskWritten => disks()?.bytes_written,
        IoPart::DiskBusy => disks()?.busy_ns,
        IoPart::NetworkPackets => links()?.packets,
        IoPart::NetworkBytes => links()?.bytes,
        IoPart::NetworkLost => links()?.lost,
    })
}

fn of_memory(memory: &Memory, part: MemoryPart) -> i64 {
    match part {
        MemoryPart::Before => memory.before,
        MemoryPart::After => memory.after,
        MemoryPart::Peak => memory.peak,
        MemoryPart::Growth => memory.growth,
        MemoryPart::Live => unreachable!("the parser takes it with `trend` only"),
    }
}
