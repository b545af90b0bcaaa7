//! Folds the event stream into metrics while the run goes on.
//!
//! An event costs a few additions: counters are found by index and nothing is allocated but where
//! something is seen for the first time or a table grows. What it allocates does not count as the run's
//! memory (see [`crate::alloc`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::custom::{CustomFold, Metric};
use super::latency::Latencies;
use super::series::{Level, SeriesFold, Sum};
use super::tags::TagTable;
use super::users::Users;
use super::view_spec::ViewSpec;
use super::views::{Broken, Views};
use super::{Iterations, Metrics, OperationMetrics};
use crate::event::{Actor, Event, EventKind, Text};

/// The counts and times of some of the operations.
#[derive(Default)]
struct Group {
    requested: u64,
    accepted: u64,
    refused: BTreeMap<Text, u64>,
    completed: u64,
    failed: BTreeMap<Text, u64>,
    abandoned: u64,
    cancelled: u64,
    response: Latencies,
    /// Only from the first operation on whose iteration began late: until then it is `response`.
    service: Option<Box<Latencies>>,
    queue_wait: Latencies,
}

impl Group {
    fn fold(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Requested => self.requested += 1,
            EventKind::Accepted { waited_ns } => {
                self.accepted += 1;
                if let Some(waited) = waited_ns {
                    self.queue_wait.record(*waited);
                }
            }
            EventKind::Refused(reason) => bump(&mut self.refused, reason),
            EventKind::Completed { response_ns, late_ns } => {
                self.completed += 1;
                if *late_ns > 0 && self.service.is_none() {
                    self.service = Some(Box::new(self.response.clone()));
                }
                if let Some(service) = &mut self.service {
                    service.record(response_ns - late_ns);
                }
                self.response.record(*response_ns);
            }
            EventKind::Failed(reason) => bump(&mut self.failed, reason),
            EventKind::Abandoned => self.abandoned += 1,
            EventKind::Cancelled => self.cancelled += 1,
            _ => {}
        }
    }

    fn into_record(self) -> OperationMetrics {
        let named = |counts: BTreeMap<Text, u64>| {
            counts.into_iter().map(|(name, count)| (name.into_owned(), count)).collect()
        };
        let response = self.response.to_record();
        OperationMetrics {
            requested: self.requested,
            accepted: self.accepted,
            refused: named(self.refused),
            completed: self.completed,
            failed: named(self.failed),
            abandoned: self.abandoned,
            cancelled: self.cancelled,
            service: self.service.map_or_else(|| response.clone(), |service| service.to_record()),
            response,
            queue_wait: self.queue_wait.to_record(),
        }
    }
}

fn bump(counts: &mut BTreeMap<Text, u64>, name: &Text) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.clone(), 1)),
    }
}

/// The fold over one run's events.
pub(crate) struct Collector {
    all: Group,
    kinds: Vec<Group>,
    /// The tags of the run, and the operations with each of them.
    pub(crate) tags: TagTable,
    tagged: Vec<Group>,
    pub(crate) users: Users,
    custom: CustomFold,
    interrupted: u64,
    dropped: u64,
    start_delay: Latencies,
    series: SeriesFold,
    /// What thresholds ask for; most scenarios ask for nothing.
    pub(crate) views: Option<Box<Views>>,
    started_ns: Option<u64>,
    ended_ns: Option<u64>,
}

impl Collector {
    /// `kinds` is the number of kinds of users, 0 when they are all alike; `metrics` are those of the user's own.
    pub(crate) fn new(
        kind_of_user: &[u16],
        kinds: usize,
        metrics: &[Metric],
        series_step_ns: u64,
        views: Vec<ViewSpec>,
    ) -> Self {
        Self {
            all: Group::default(),
            kinds: (0..kinds).map(|_| Group::default()).collect(),
            tags: TagTable::default(),
            tagged: Vec::new(),
            users: Users::new(kind_of_user, kinds),
            custom: CustomFold::new(metrics),
            interrupted: 0,
            dropped: 0,
            start_delay: Latencies::default(),
            series: SeriesFold::new(series_step_ns, metrics),
            views: Views::new(views),
            started_ns: None,
            ended_ns: None,
        }
    }

    pub(crate) fn fold(&mut self, event: &Event) {
        let kind = &event.kind;
        self.fold_over_time(event);
        self.all.fold(kind);
        let mut kind_of_user = None;
        if let Actor::User(id) = event.actor {
            kind_of_user = self.users.fold(id, event.at_ns, kind);
            if let Some(group) = kind_of_user.and_then(|kind| self.kinds.get_mut(kind as usize)) {
                group.fold(kind);
            }
        }
        let sample = match kind {
            EventKind::Sample { metric, sample } => Some((metric, sample)),
            _ => None,
        };
        for tag in event.tags.places() {
            if sample.is_none() {
                let tag = usize::from(*tag);
                if tag >= self.tagged.len() {
                    self.tagged.resize_with(tag + 1, Group::default);
                }
                self.tagged[tag].fold(kind);
            }
        }
        if let Some((metric, sample)) = sample
            && let Some(place) = self.custom.fold(metric, *sample, event.tags.places())
        {
            self.series.sample(place, *sample);
        }
        if let Some(views) = &mut self.views {
            let at_ns = self.started_ns.map(|started| event.at_ns - started);
            views.fold(at_ns, self.ended_ns.is_none(), event, kind_of_user);
        }
    }

    /// Virtual time has come to this, though nothing happened: windows may have ended.
    pub(crate) fn come_to(&mut self, now_ns: u64) {
        let started = self.started_ns.filter(|_| self.ended_ns.is_none());
        if let (Some(started), Some(views)) = (started, &mut self.views) {
            views.advance(now_ns.saturating_sub(started));
        }
    }

    /// The threshold that was broken for good, if one was that ends the run.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.views.as_ref().and_then(|views| views.broken())
    }

    /// When a window ends next that may end the run, in virtual time.
    pub(crate) fn next_look_ns(&self) -> Option<u64> {
        let started = self.started_ns.filter(|_| self.ended_ns.is_none())?;
        Some(started.saturating_add(self.views.as_ref()?.next_look_ns()?))
    }

    /// The part of a run that is told step by step is its load.
    fn fold_over_time(&mut self, event: &Event) {
        let series = &mut self.series;
        let at = event.at_ns - self.started_ns.unwrap_or(event.at_ns);
        series.come_to(at);
        match &event.kind {
            EventKind::LoadStarted => {
                self.started_ns.get_or_insert(event.at_ns);
                series.open();
            }
            EventKind::LoadEnded => {
                self.ended_ns = Some(event.at_ns);
                series.close();
            }
            EventKind::Arrived => series.up(Level::Users),
            EventKind::Left => series.down(Level::Users),
            EventKind::Requested => {
                series.add(Sum::Requested);
                series.up(Level::Waiting);
            }
            EventKind::Accepted { waited_ns } => {
                series.add(Sum::Accepted);
                series.down(Level::Waiting);
                series.up(Level::Active);
                if let Some(waited) = waited_ns {
                    series.queue_wait(*waited);
                }
            }
            EventKind::Refused(_) => {
                series.add(Sum::Refused);
                series.down(Level::Waiting);
            }
            EventKind::Cancelled => series.down(Level::Waiting),
            EventKind::Completed { response_ns, .. } => {
                series.add(Sum::Completed);
                series.down(Level::Active);
                series.response(*response_ns);
            }
            EventKind::Failed(_) => {
                series.add(Sum::Failed);
                series.down(Level::Active);
            }
            EventKind::Abandoned => series.down(Level::Active),
            EventKind::Dropped => {
                series.add(Sum::Dropped);
                self.dropped += 1;
            }
            EventKind::Interrupted => self.interrupted += 1,
            EventKind::BeganLate { late_ns } => self.start_delay.record(*late_ns),
            EventKind::Fault(_) => series.add(Sum::Faults),
            EventKind::Decision(_) => series.add(Sum::Decisions),
            EventKind::Violated { .. } => series.add(Sum::Violations),
            EventKind::Wave(_)
            | EventKind::Panicked { .. }
            | EventKind::Note(_)
            | EventKind::Aborted(_)
            | EventKind::Sample { .. } => {}
        }
    }

    /// The memory over time is what stands here, and not the heap of the thread that folds.
    pub(crate) fn watch_memory(&mut self, live: Arc<AtomicI64>) {
        self.series.watch_memory(live);
    }

    /// When the load started; 0 where it never did.
    pub(crate) fn started_ns(&self) -> u64 {
        self.started_ns.unwrap_or(0)
    }

    /// The metrics of a run that came to `now_ns`, and the heap at the end of each step of its series.
    /// `iterations` is how many began; `live_bytes` is the heap at its end.
    pub(crate) fn finish(
        self,
        kind_names: &[String],
        iterations: u64,
        now_ns: u64,
        live_bytes: i64,
    ) -> (Metrics, Vec<i64>) {
        let started = self.started_ns.unwrap_or(0);
        let duration_ns = self.ended_ns.unwrap_or(now_ns).saturating_sub(started);
        let kinds = kind_names.iter().cloned().zip(self.kinds.into_iter().map(Group::into_record));
        // A tag of samples alone has no operations.
        let tags = self.tags.names().zip(self.tagged.into_iter().map(Group::into_record));
        let tags = tags.filter(|(_, of)| of.requested > 0);
        let (series, memory) = self.series.finish(duration_ns, live_bytes);
        let metrics = Metrics {
            operations: self.all.into_record(),
            kinds: kinds.collect(),
            tags: tags.map(|(name, of)| (name.to_owned(), of)).collect(),
            iterations: Iterations {
                started: iterations,
                interrupted: self.interrupted,
                dropped: self.dropped,
                start_delay: self.start_delay.to_record(),
            },
            time: self.users.time_spent(now_ns),
            custom: self.custom.into_records(&self.tags),
            duration_ns,
            views: self
                .views
                .map_or_else(BTreeMap::new, |views| views.finish(duration_ns, &series)),
            series,
        };
        (metrics, memory)
    }
}
