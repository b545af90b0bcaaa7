//! Folds the event stream into metrics while the run goes on.
//!
//! Everything is reserved when the run begins, so that measuring does not grow inside of what it
//! measures: the memory of a run is that of the system and its users.

use std::collections::BTreeMap;

use super::latency::Latencies;
use super::series::{Column, Series};
use super::{Metrics, OperationMetrics};
use crate::event::{Actor, Event, EventKind, Text};

/// What a virtual user was last seen doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Absent,
    Idle,
    Requesting,
    Operating,
}

impl Doing {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Doing::Absent => "has left",
            Doing::Idle => "between operations",
            Doing::Requesting => "waiting for its operation to be accepted",
            Doing::Operating => "in an accepted operation",
        }
    }
}

/// One entry per virtual user: 16 bytes.
#[derive(Debug, Clone, Copy)]
struct UserState {
    since_ns: u64,
    kind: u16,
    doing: Doing,
}

struct Group {
    requested: u64,
    accepted: u64,
    refused: BTreeMap<Text, u64>,
    completed: u64,
    failed: BTreeMap<Text, u64>,
    abandoned: u64,
    cancelled: u64,
    response: Latencies,
    queue_wait: Latencies,
}

impl Group {
    fn new() -> Self {
        Self {
            requested: 0,
            accepted: 0,
            refused: BTreeMap::new(),
            completed: 0,
            failed: BTreeMap::new(),
            abandoned: 0,
            cancelled: 0,
            response: Latencies::new(),
            queue_wait: Latencies::new(),
        }
    }

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
            EventKind::Completed { response_ns } => {
                self.completed += 1;
                self.response.record(*response_ns);
            }
            EventKind::Failed(reason) => bump(&mut self.failed, reason),
            EventKind::Abandoned => self.abandoned += 1,
            EventKind::Cancelled => self.cancelled += 1,
            _ => {}
        }
    }

    fn to_record(&self) -> OperationMetrics {
        let named = |counts: &BTreeMap<Text, u64>| {
            counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
        };
        OperationMetrics {
            requested: self.requested,
            accepted: self.accepted,
            refused: named(&self.refused),
            completed: self.completed,
            failed: named(&self.failed),
            abandoned: self.abandoned,
            cancelled: self.cancelled,
            response: self.response.to_record(),
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

struct Windows {
    width_ns: u64,
    counts: Vec<u64>,
}

/// The fold over one run's events.
pub(crate) struct Collector {
    all: Group,
    kinds: Vec<Group>,
    users: Vec<UserState>,
    series: Series,
    windows: Vec<Windows>,
    started_ns: Option<u64>,
    ended_ns: Option<u64>,
    active: u64,
}

impl Collector {
    /// `kind_of_user` has an entry for each virtual user; `kinds` is their number, 0 when users are
    /// all alike.
    pub(crate) fn new(
        kind_of_user: impl Iterator<Item = u16>,
        kinds: usize,
        series_step_ns: u64,
        windows_ns: &[u64],
        expected_ns: u64,
    ) -> Self {
        let windows = windows_ns.iter().map(|width| Windows {
            width_ns: *width,
            counts: Vec::with_capacity((expected_ns / width + 2).min(1 << 20) as usize),
        });
        Self {
            all: Group::new(),
            kinds: (0..kinds).map(|_| Group::new()).collect(),
            users: kind_of_user
                .map(|kind| UserState { since_ns: 0, kind, doing: Doing::Absent })
                .collect(),
            series: Series::new(series_step_ns),
            windows: windows.collect(),
            started_ns: None,
            ended_ns: None,
            active: 0,
        }
    }

    pub(crate) fn fold(&mut self, event: &Event) {
        let kind = &event.kind;
        self.all.fold(kind);
        if let Actor::User(id) = event.actor {
            self.fold_user(id, event);
        }
        let column = match kind {
            EventKind::LoadStarted => {
                self.started_ns.get_or_insert(event.at_ns);
                return;
            }
            EventKind::LoadEnded => {
                self.ended_ns = Some(event.at_ns);
                return;
            }
            EventKind::Accepted { .. } => {
                self.active += 1;
                Some(Column::Accepted)
            }
            EventKind::Refused(_) => Some(Column::Refused),
            EventKind::Completed { .. } => {
                self.active -= 1;
                Some(Column::Completed)
            }
            EventKind::Failed(_) | EventKind::Abandoned => {
                self.active -= 1;
                None
            }
            _ => return,
        };
        // A scenario may operate before or after its load; the series and the windows are of the load.
        let Some(started) = self.started_ns.filter(|_| self.ended_ns.is_none()) else { return };
        let at = event.at_ns - started;
        self.series.add(at, column, self.active);
        if matches!(column, Some(Column::Completed)) {
            for windows in &mut self.windows {
                let window = (at / windows.width_ns) as usize;
                if window >= windows.counts.len() {
                    windows.counts.resize(window + 1, 0);
                }
                windows.counts[window] += 1;
            }
        }
    }

    /// When the load started; 0 where it never did.
    pub(crate) fn started_ns(&self) -> u64 {
        self.started_ns.unwrap_or(0)
    }

    fn fold_user(&mut self, id: u32, event: &Event) {
        let Some(user) = self.users.get_mut(id as usize) else { return };
        let doing = match event.kind {
            EventKind::Arrived => Doing::Idle,
            EventKind::Left => Doing::Absent,
            EventKind::Requested => Doing::Requesting,
            EventKind::Accepted { .. } => Doing::Operating,
            EventKind::Refused(_)
            | EventKind::Completed { .. }
            | EventKind::Failed(_)
            | EventKind::Abandoned
            | EventKind::Cancelled => Doing::Idle,
            _ => user.doing,
        };
        if doing != user.doing {
            (user.doing, user.since_ns) = (doing, event.at_ns);
        }
        if let Some(group) = self.kinds.get_mut(user.kind as usize) {
            group.fold(&event.kind);
        }
    }

    /// Users that have arrived and not left: who, doing what, since when.
    pub(crate) fn present(&self) -> impl Iterator<Item = (u32, Doing, u64)> {
        let users = self.users.iter().enumerate();
        users
            .filter(|(_, user)| user.doing != Doing::Absent)
            .map(|(id, user)| (id as u32, user.doing, user.since_ns))
    }

    pub(crate) fn finish(mut self, kind_names: &[String], now_ns: u64) -> Metrics {
        let started = self.started_ns.unwrap_or(0);
        let duration_ns = self.ended_ns.unwrap_or(now_ns).saturating_sub(started);
        let kinds = kind_names
            .iter()
            .zip(&self.kinds)
            .map(|(name, group)| (name.clone(), group.to_record()))
            .collect();
        for windows in &mut self.windows {
            // Only full windows say something about steadiness: the last, partial one is left out.
            windows.counts.resize((duration_ns / windows.width_ns) as usize, 0);
        }
        Metrics {
            operations: self.all.to_record(),
            kinds,
            duration_ns,
            windows: self.windows.into_iter().map(|w| (w.width_ns, w.counts)).collect(),
            series: self.series,
        }
    }
}
