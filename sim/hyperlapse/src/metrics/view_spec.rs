//! What a view is of: which events pass, and which number is folded from them.

use super::Stat;
use super::{Sample, Series};
use crate::event::{Event, EventKind};
use crate::exact::{Comparison, Exact};
use crate::unit::Unit;

/// What a view folds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ViewSpec {
    /// What it is called in the record.
    pub(crate) name: String,
    pub(crate) filter: Filter,
    /// How much of the load it leaves out, in nanoseconds.
    pub(crate) after_ns: u64,
    pub(crate) of: Of,
    pub(crate) unit: Unit,
    /// When the run is to be ended for it, and by which threshold.
    pub(crate) abort: Option<(usize, Abort)>,
}

/// Which events count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Those of users of this kind, by its place.
    pub(crate) kind: Option<u16>,
    /// Those with all of these tags.
    pub(crate) tags: Vec<(String, String)>,
    /// Those for this reason.
    pub(crate) reason: Option<String>,
}

/// What is folded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Of {
    /// One number over all of it.
    Whole(Number),
    /// That number in each window of so many nanoseconds.
    Windows(Number, u64),
    /// A column of the time series.
    Points(Column),
}

/// A number that is folded from events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Sum(Amount),
    /// Per second.
    Rate(Amount),
    /// The first as a share of the second.
    Share(Amount, Amount),
    Times(Timed, Stat),
}

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    Requested,
    Accepted,
    Refused,
    Completed,
    Failed,
    Abandoned,
    Cancelled,
    /// Accepted operations that came to an end, whichever.
    Ended,
    Dropped,
    Interrupted,
    /// To a counter of the user's own, of this name.
    Added(&'static str),
    /// How often it was so, of a rate of the user's own.
    Yes(&'static str),
    /// How often it was asked.
    Asked(&'static str),
}

/// A time that an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timed {
    Response,
    Service,
    QueueWait,
    StartDelay,
    /// A value of a trend of the user's own, of this name.
    Own(&'static str),
}

/// A column of the time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Requested,
    Accepted,
    Refused,
    Completed,
    Failed,
    Dropped,
    /// In thousandths of a percent.
    ResponsePercentile(u32),
    ResponseMax,
    QueueWaitP95,
}

/// When the run is to be ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Abort {
    /// As soon as the number is above this.
    Above(u64),
    /// As soon as it is below this.
    Below(u64),
    /// When a window ends that does not hold this.
    Window(Comparison, Exact),
}

impl Amount {
    pub(super) fn of(self, event: &EventKind) -> u64 {
        let counts = match self {
            Amount::Requested => matches!(event, EventKind::Requested),
            Amount::Accepted => matches!(event, EventKind::Accepted { .. }),
            Amount::Refused => matches!(event, EventKind::Refused(_)),
            Amount::Completed => matches!(event, EventKind::Completed { .. }),
            Amount::Failed => matches!(event, EventKind::Failed(_)),
            Amount::Abandoned => matches!(event, EventKind::Abandoned),
            Amount::Cancelled => matches!(event, EventKind::Cancelled),
            Amount::Ended => matches!(
                event,
                EventKind::Completed { .. } | EventKind::Failed(_) | EventKind::Abandoned
            ),
            Amount::Dropped => matches!(event, EventKind::Dropped),
            Amount::Interrupted => matches!(event, EventKind::Interrupted),
            Amount::Added(name) => match sample(event, name) {
                Some(Sample::Added(n)) => return n,
                _ => false,
            },
            Amount::Yes(name) => matches!(sample(event, name), Some(Sample::Was(true))),
            Amount::Asked(name) => matches!(sample(event, name), Some(Sample::Was(_))),
        };
        u64::from(counts)
    }
}

/// The sample of this metric that the event is, if it is one.
fn sample(event: &EventKind, name: &str) -> Option<Sample> {
    match event {
        EventKind::Sample { metric, sample } if metric == name => Some(*sample),
        _ => None,
    }
}

/// A set of kinds of events: a bit for the tag of each.
fn set(kinds: &[EventKind]) -> u32 {
    kinds.iter().fold(0, |set, kind| set | 1 << kind.tag())
}

/// Samples of all kinds.
fn samples() -> u32 {
    let samples =
        [Sample::Added(0), Sample::Stands(0), Sample::Was(true), Sample::Took(0), Sample::Value(0)];
    set(&samples.map(|sample| EventKind::Sample { metric: "".into(), sample }))
}

impl Amount {
    /// The kinds of events that may add to it.
    fn kinds(self) -> u32 {
        let completed = EventKind::Completed { response_ns: 0, late_ns: 0 };
        match self {
            Amount::Requested => set(&[EventKind::Requested]),
            Amount::Accepted => set(&[EventKind::Accepted { waited_ns: None }]),
            Amount::Refused => set(&[EventKind::Refused("".into())]),
            Amount::Completed => set(&[completed]),
            Amount::Failed => set(&[EventKind::Failed("".into())]),
            Amount::Abandoned => set(&[EventKind::Abandoned]),
            Amount::Cancelled => set(&[EventKind::Cancelled]),
            Amount::Ended => set(&[completed, EventKind::Failed("".into()), EventKind::Abandoned]),
            Amount::Dropped => set(&[EventKind::Dropped]),
            Amount::Interrupted => set(&[EventKind::Interrupted]),
            Amount::Added(_) | Amount::Yes(_) | Amount::Asked(_) => samples(),
        }
    }
}

impl Number {
    /// The kinds of events that may add to it: all others are passed over without a closer look.
    pub(super) fn kinds(self) -> u32 {
        match self {
            Number::Sum(amount) | Number::Rate(amount) => amount.kinds(),
            Number::Share(part, whole) => part.kinds() | whole.kinds(),
            Number::Times(Timed::Response | Timed::Service, _) => Amount::Completed.kinds(),
            Number::Times(Timed::QueueWait, _) => Amount::Accepted.kinds(),
            Number::Times(Timed::StartDelay, _) => set(&[EventKind::BeganLate { late_ns: 0 }]),
            Number::Times(Timed::Own(_), _) => samples(),
        }
    }
}

impl Timed {
    pub(super) fn of(self, event: &EventKind) -> Option<u64> {
        match (self, event) {
            (Timed::Response, EventKind::Completed { response_ns, .. }) => Some(*response_ns),
            (Timed::Service, EventKind::Completed { response_ns, late_ns }) => {
                Some(response_ns - late_ns)
            }
            (Timed::QueueWait, EventKind::Accepted { waited_ns }) => *waited_ns,
            (Timed::StartDelay, EventKind::BeganLate { late_ns }) => Some(*late_ns),
            (Timed::Own(name), event) => match sample(event, name)? {
                Sample::Took(n) | Sample::Value(n) => Some(n),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Filter {
    pub(super) fn passes(&self, event: &Event, kind: Option<u16>) -> bool {
        if self.kind.is_some() && self.kind != kind {
            return false;
        }
        let has = |wanted: &(String, String)| event.tags.pairs().iter().any(|tag| tag == wanted);
        self.tags.iter().all(has)
    }

    /// Whether it is of the reason that is asked for; what has no reason is counted whatever that is.
    pub(super) fn is_for(&self, event: &EventKind) -> bool {
        match (&self.reason, event) {
            (Some(wanted), EventKind::Refused(reason) | EventKind::Failed(reason)) => {
                *wanted == **reason
            }
            _ => true,
        }
    }
}

impl Number {
    /// What makes a sum over so much time one of its unit.
    pub(super) fn scale(self, over_ns: u64) -> Exact {
        match self {
            Number::Rate(_) => Exact::over(1_000_000_000, over_ns.into()),
            _ => Exact::whole(1),
        }
    }
}

impl Column {
    /// The number of each full step after the warm-up that has a value, with the value.
    pub(super) fn points(
        self,
        series: &Series,
        after_ns: u64,
        duration_ns: u64,
    ) -> Vec<(u64, u64)> {
        let first = after_ns.div_ceil(series.step_ns.max(1));
        let end = duration_ns / series.step_ns.max(1);
        (first..end).filter_map(|step| Some((step, self.point(series, step as usize)?))).collect()
    }

    fn point(self, series: &Series, step: usize) -> Option<u64> {
        // Steps in which nothing happened may be missing at the end.
        let count = |column: &Vec<u64>| Some(column.get(step).copied().unwrap_or(0));
        let time = |column: &Vec<u64>| column.get(step).copied().filter(|ns| *ns > 0);
        match self {
            Column::Requested => count(&series.requested),
            Column::Accepted => count(&series.accepted),
            Column::Refused => count(&series.refused),
            Column::Completed => count(&series.completed),
            Column::Failed => count(&series.failed),
            Column::Dropped => count(&series.dropped),
            Column::ResponseMax => time(&series.response_max_ns),
            Column::QueueWaitP95 => time(&series.queue_wait_p95_ns),
            Column::ResponsePercentile(thousandths) => {
                let buckets = series.response.get(step)?;
                let count: u64 = buckets.iter().map(|(_, count)| count).sum();
                let max = *series.response_max_ns.get(step)?;
                (count > 0).then(|| super::latency::percentile(count, 0, max, buckets, thousandths))
            }
        }
    }
}
