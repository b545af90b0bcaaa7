//! What happened when: counts and percentiles per step of virtual time, in bounded memory.
//!
//! A run does not know beforehand how long it will be. The series starts with a fine step, a millisecond unless the
//! scenario says otherwise; when it is full, neighbours are joined to a step twice as long, or five times, so that
//! steps stay round. Two seconds are told in steps of 10 ms, five minutes second by second, a week in steps of 2,000
//! seconds, and each needs the same few hundred kilobytes at most.
//!
//! What is measured in the step that goes on lies together: counters and a dense histogram. A step that
//! ends is moved into the columns. An event costs a comparison and an addition or two.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

use super::custom::{Metric, MetricKind, Sample};
use super::dense::{self, Dense, Sparse};
use crate::alloc;

/// Points before the step grows: a multiple of 2 and of 5.
pub(crate) const POINTS: usize = 500;

/// Counts, levels and percentiles per step of virtual time since the load started. All columns are
/// equally long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Virtual time that a point stands for, in nanoseconds.
    pub step_ns: u64,
    /// Operations asked for in the step.
    pub requested: Vec<u64>,
    /// Operations accepted in the step.
    pub accepted: Vec<u64>,
    /// Operations refused in the step.
    pub refused: Vec<u64>,
    /// Operations completed in the step.
    pub completed: Vec<u64>,
    /// Operations failed in the step.
    pub failed: Vec<u64>,
    /// Arrivals without a free user in the step.
    pub dropped: Vec<u64>,
    /// The most operations that were active at one time in the step.
    pub active: Vec<u64>,
    /// The most operations that waited to be accepted at one time in the step.
    pub waiting: Vec<u64>,
    /// The most users that were there at one time in the step.
    pub users: Vec<u64>,
    /// Median response time of the operations completed in the step, within 1%; 0 where nothing completed.
    pub response_p50_ns: Vec<u64>,
    /// The 95th percentile, likewise.
    pub response_p95_ns: Vec<u64>,
    /// The 99th percentile, likewise.
    pub response_p99_ns: Vec<u64>,
    /// The longest, exact.
    pub response_max_ns: Vec<u64>,
    /// The 95th percentile of the time in the queue of those accepted in the step after queueing, within 1%.
    pub queue_wait_p95_ns: Vec<u64>,
    /// Faults that struck in the step.
    pub faults: Vec<u64>,
    /// Decisions that bent the run in the step.
    pub decisions: Vec<u64>,
    /// Violations of properties in the step.
    pub violations: Vec<u64>,
    /// Metrics of the user's own that were sampled. Of a counter `NAME` is what was added in the step; of a gauge the highest
    /// in the step (0 where it was below); of a rate how often it was so, with `NAME.total` for how often
    /// it was asked; of a trend `NAME.count` and `NAME.max`.
    pub custom: BTreeMap<String, Vec<u64>>,
    /// The response times of each step: `(highest value of the bucket, count)`, within 0.8%.
    #[serde(skip)]
    pub response: Vec<Vec<(u64, u64)>>,
}

/// A count that an event adds to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sum {
    Requested,
    Accepted,
    Refused,
    Completed,
    Failed,
    Dropped,
    Faults,
    Decisions,
    Violations,
}

const SUMS: usize = Sum::Violations as usize + 1;

/// What goes up and down.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    Active,
    Waiting,
    Users,
}

const LEVELS: usize = Level::Users as usize + 1;

/// How the values of a column of the user's own are joined.
#[derive(Debug, Clone, Copy)]
enum Join {
    Sum,
    /// The highest in each step, beginning with 0.
    Most,
    /// The highest in each step, beginning with where it stood.
    Level,
}

#[derive(Debug)]
struct Own {
    join: Join,
    now: u64,
    level: u64,
    points: Vec<u64>,
}

#[derive(Debug)]
struct OwnMetric {
    name: &'static str,
    kind: MetricKind,
    /// Where its columns begin.
    first: usize,
    sampled: bool,
}

/// The step that goes on.
#[derive(Debug, Default)]
struct Now {
    sums: [u64; SUMS],
    most: [u64; LEVELS],
    response: Dense,
    response_max: u64,
    queue_wait: Dense,
    queue_wait_max: u64,
}

/// The columns of steps that have ended.
#[derive(Debug, Default)]
struct Past {
    sums: [Vec<u64>; SUMS],
    most: [Vec<u64>; LEVELS],
    response: Vec<Sparse>,
    response_max: Vec<u64>,
    queue_wait: Vec<Sparse>,
    queue_wait_max: Vec<u64>,
    /// Live heap bytes at the end of each step.
    memory: Vec<i64>,
}

/// Takes what happens, in the order of time.
#[derive(Debug)]
pub(super) struct SeriesFold {
    step_ns: u64,
    /// When the step that goes on ends, since the load started.
    end_ns: u64,
    /// Levels after the last event.
    levels: [u64; LEVELS],
    now: Now,
    past: Past,
    own: Vec<Own>,
    /// The metrics of the user's own.
    own_of: Vec<OwnMetric>,
    /// The memory of a run that is not that of this thread.
    watched: Option<Arc<AtomicI64>>,
    /// Whether the load has started.
    started: bool,
    /// Whether it goes on: nothing before or after it is in the series.
    open: bool,
}

impl SeriesFold {
    pub(super) fn new(step_ns: u64, metrics: &[Metric]) -> Self {
        assert!(step_ns > 0, "a series with steps of no length");
        let own = |join| Own { join, now: 0, level: 0, points: Vec::new() };
        let (mut columns, mut own_of) = (Vec::new(), Vec::new());
        for metric in metrics {
            let (name, kind, first) = (metric.name(), metric.kind(), columns.len());
            own_of.push(OwnMetric { name, kind, first, sampled: false });
            match metric.kind() {
                MetricKind::Counter => columns.push(own(Join::Sum)),
                MetricKind::Gauge => columns.push(own(Join::Level)),
                MetricKind::Rate => columns.extend([own(Join::Sum), own(Join::Sum)]),
                MetricKind::Trend => columns.extend([own(Join::Sum), own(Join::Most)]),
            }
        }
        Self {
            step_ns,
            end_ns: step_ns,
            levels: [0; LEVELS],
            now: Now::default(),
            past: Past::default(),
            own: columns,
            own_of,
            watched: None,
            started: false,
            open: false,
        }
    }

    pub(super) fn watch_memory(&mut self, live: Arc<AtomicI64>) {
        self.watched = Some(live);
    }

    /// The load has started: what follows is in the series.
    pub(super) fn open(&mut self) {
        (self.started, self.open) = (true, true);
        self.now.most = self.levels;
    }

    /// The load has ended.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Comes to `at_ns` since the load started, before an event of that time is added.
    pub(super) fn come_to(&mut self, at_ns: u64) {
        if at_ns >= self.end_ns && self.open {
            self.advance(at_ns);
        }
    }

    pub(super) fn add(&mut self, sum: Sum) {
        if self.open {
            self.now.sums[sum as usize] += 1;
        }
    }

    pub(super) fn up(&mut self, level: Level) {
        let level = level as usize;
        self.levels[level] += 1;
        if self.open {
            self.now.most[level] = self.now.most[level].max(self.levels[level]);
        }
    }

    pub(super) fn down(&mut self, level: Level) {
        // An event stream may tell of an end without its beginning: what a level counts is what it saw.
        self.levels[level as usize] = self.levels[level as usize].saturating_sub(1);
    }

    pub(super) fn response(&mut self, ns: u64) {
        if self.open {
            self.now.response.record(ns);
            self.now.response_max = self.now.response_max.max(ns);
        }
    }

    pub(super) fn queue_wait(&mut self, ns: u64) {
        if self.open {
            self.now.queue_wait.record(ns);
            self.now.queue_wait_max = self.now.queue_wait_max.max(ns);
        }
    }

    /// A sample of the metric that is the n-th of those declared.
    pub(super) fn sample(&mut self, metric: usize, sample: Sample) {
        let metric = &mut self.own_of[metric];
        metric.sampled = true;
        let first = metric.first;
        if let Sample::Stands(n) = sample {
            let own = &mut self.own[first];
            own.level = n.max(0) as u64;
            own.now = own.now.max(own.level);
        }
        if !self.open {
            return;
        }
        match sample {
            Sample::Stands(_) => {}
            Sample::Added(n) => self.own[first].now = self.own[first].now.saturating_add(n),
            Sample::Was(yes) => {
                self.own[first].now += u64::from(yes);
                self.own[first + 1].now += 1;
            }
            Sample::Took(n) | Sample::Value(n) => {
                self.own[first].now += 1;
                self.own[first + 1].now = self.own[first + 1].now.max(n);
            }
        }
    }

    #[cold]
    fn advance(&mut self, at_ns: u64) {
        let watched = self.watched.as_ref().map(|live| live.load(Ordering::Relaxed));
        self.end_step(watched.unwrap_or_else(alloc::live_bytes));
        let mut point = (at_ns / self.step_ns) as usize;
        while point >= POINTS {
            // What is joined ends where a joined point does: the step that has ended stays ended.
            self.coarsen();
            point = (at_ns / self.step_ns) as usize;
        }
        while self.past.memory.len() < point {
            // Nothing happened in these steps; what stood goes on standing.
            self.end_step(self.past.memory.last().copied().unwrap_or(0));
        }
        self.end_ns = (point as u64 + 1) * self.step_ns;
    }

    /// Moves the step that goes on into the columns, and begins the next.
    fn end_step(&mut self, live_bytes: i64) {
        let (now, past) = (&mut self.now, &mut self.past);
        for (column, sum) in past.sums.iter_mut().zip(&mut now.sums) {
            column.push(std::mem::take(sum));
        }
        for ((column, most), level) in past.most.iter_mut().zip(&mut now.most).zip(&self.levels) {
            column.push(std::mem::replace(most, *level));
        }
        past.response.push(now.response.drain());
        past.response_max.push(std::mem::take(&mut now.response_max));
        past.queue_wait.push(now.queue_wait.drain());
        past.queue_wait_max.push(std::mem::take(&mut now.queue_wait_max));
        past.memory.push(live_bytes);
        for own in &mut self.own {
            let next = if let Join::Level = own.join { own.level } else { 0 };
            own.points.push(std::mem::replace(&mut own.now, next));
        }
    }

    /// Joins neighbours, so that round steps stay round: 1, 2, 10, 20, 100.
    fn coarsen(&mut self) {
        let n = if leads_with_two(self.step_ns) { 5 } else { 2 };
        self.step_ns *= n;
        let n = n as usize;
        let past = &mut self.past;
        past.sums.iter_mut().for_each(|column| joined(column, n, |a, b| a + b));
        past.most.iter_mut().for_each(|column| joined(column, n, |a, b| *a.max(b)));
        joined(&mut past.response, n, dense::merged);
        joined(&mut past.response_max, n, |a, b| *a.max(b));
        joined(&mut past.queue_wait, n, dense::merged);
        joined(&mut past.queue_wait_max, n, |a, b| *a.max(b));
        joined(&mut past.memory, n, |_, end| *end);
        for own in &mut self.own {
            joined(&mut own.points, n, |a, b| own.join.both(*a, *b));
        }
    }

    /// The series of a load that lasted so long, and the heap at the end of each step; `live_bytes` is that of now.
    pub(super) fn finish(mut self, duration_ns: u64, live_bytes: i64) -> (Series, Vec<i64>) {
        if self.started {
            self.open = true;
            self.come_to(duration_ns.saturating_sub(1));
            // The users that leave when the load ends do not make a step of their own: 300 s are 300 of 1 s.
            let begun_ns = self.end_ns - self.step_ns;
            let own = self.own.iter().filter(|own| !matches!(own.join, Join::Level));
            let mut sums = self.now.sums.iter().chain(own.map(|own| &own.now));
            let nothing = sums.all(|sum| *sum == 0);
            if !(nothing && begun_ns > 0 && begun_ns >= duration_ns) {
                self.end_step(live_bytes);
            }
        }
        let Past { sums, most, response, response_max, queue_wait, queue_wait_max, memory } =
            self.past;
        let of_response = response.iter().zip(&response_max);
        let percentiles: Vec<[u64; 3]> =
            of_response.map(|(of, max)| dense::percentiles(of, [50, 95, 99], *max)).collect();
        let percentile = |n: usize| percentiles.iter().map(|p| p[n]).collect();
        let of_wait = queue_wait.iter().zip(&queue_wait_max);
        let waits = of_wait.map(|(of, max)| dense::percentiles(of, [95], *max)[0]).collect();
        let mut custom = BTreeMap::new();
        let mut own = self.own.into_iter().map(|own| own.points);
        for OwnMetric { name, kind, sampled, .. } in self.own_of {
            let names: &[&str] = match kind {
                MetricKind::Counter | MetricKind::Gauge => &[""],
                MetricKind::Rate => &["", ".total"],
                MetricKind::Trend => &[".count", ".max"],
            };
            let columns: Vec<_> = own.by_ref().take(names.len()).collect();
            if sampled {
                custom.extend(names.iter().map(|part| format!("{name}{part}")).zip(columns));
            }
        }
        let [
            requested,
            accepted,
            refused,
            completed,
            failed,
            dropped,
            faults,
            decisions,
            violations,
        ] = sums;
        let [active, waiting, users] = most;
        let series = Series {
            step_ns: self.step_ns,
            requested,
            accepted,
            refused,
            completed,
            failed,
            dropped,
            active,
            waiting,
            users,
            response_p50_ns: percentile(0),
            response_p95_ns: percentile(1),
            response_p99_ns: percentile(2),
            response_max_ns: response_max,
            queue_wait_p95_ns: waits,
            faults,
            decisions,
            violations,
            custom,
            response,
        };
        (series, memory)
    }
}

impl Join {
    fn both(self, a: u64, b: u64) -> u64 {
        match self {
            Join::Sum => a.saturating_add(b),
            Join::Most | Join::Level => a.max(b),
        }
    }
}

/// Whether it is 2, 20, 200, ….
fn leads_with_two(mut step_ns: u64) -> bool {
    while step_ns.is_multiple_of(10) {
        step_ns /= 10;
    }
    step_ns == 2
}

/// Makes one of each `n` neighbours.
fn joined<T: Default>(column: &mut Vec<T>, n: usize, join: impl Fn(&T, &T) -> T) {
    let len = column.len().div_ceil(n);
    for i in 0..len {
        let mut all = std::mem::take(&mut column[n * i]);
        for next in column.iter().take(n * (i + 1)).skip(n * i + 1) {
            all = join(&all, next);
        }
        column[i] = all;
    }
    column.truncate(len);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(step_ns: u64) -> SeriesFold {
        let mut series = SeriesFold::new(step_ns, &[]);
        series.open();
        series
    }

    #[test]
    fn coarsening_keeps_every_count_and_bounds_the_points() {
        let mut series = fold(10);
        for at in 0..100_000 {
            series.come_to(at);
            series.add(Sum::Completed);
            series.response(at % 7 + 1);
        }
        let (series, memory) = series.finish(100_000, 0);
        assert!(series.completed.len() <= POINTS && memory.len() == series.completed.len());
        assert_eq!(series.completed.iter().sum::<u64>(), 100_000);
        assert_eq!(series.step_ns, 200);
        assert!(series.completed[..series.completed.len() - 1].iter().all(|n| *n == 200));
        assert!(series.response_p50_ns.iter().all(|ns| *ns == 4));
        assert!(series.response_max_ns.iter().all(|ns| *ns == 7));
        let of_steps: Vec<u64> =
            series.response.iter().map(|of| of.iter().map(|(_, n)| n).sum()).collect();
        assert_eq!(of_steps, series.completed);
    }

    #[test]
    fn steps_stay_round_and_a_chosen_one_keeps_its_multiples() {
        let steps = |first: u64| {
            let mut series = fold(first);
            let mut steps = vec![first];
            for _ in 0..5 {
                series.coarsen();
                steps.push(series.step_ns);
            }
            steps
        };
        assert_eq!(steps(1_000), [1_000, 2_000, 10_000, 20_000, 100_000, 200_000]);
        assert_eq!(steps(3), [3, 6, 12, 24, 48, 96]);
        let mut column = vec![1, 2, 3, 4, 5, 6, 7];
        joined(&mut column, 5, |a, b| a + b);
        assert_eq!(column, [15, 13]);
    }

    #[test]
    fn what_is_active_stays_active_while_nothing_happens() {
        let mut series = fold(10);
        series.come_to(5);
        (0..3).for_each(|_| series.up(Level::Active));
        series.come_to(45);
        series.down(Level::Active);
        series.add(Sum::Completed);
        let (series, _) = series.finish(50, 0);
        assert_eq!(series.active, [3, 3, 3, 3, 3]);
        assert_eq!(series.completed, [0, 0, 0, 0, 1]);
        assert_eq!(series.response_p95_ns, [0; 5]);
    }

    #[test]
    fn a_load_of_so_many_steps_has_so_many_points() {
        let mut series = fold(10);
        series.up(Level::Users);
        series.come_to(30);
        series.down(Level::Users);
        let (series, _) = series.finish(30, 0);
        assert_eq!(series.users, [1, 1, 1]);
        let mut series = fold(10);
        series.come_to(30);
        series.add(Sum::Completed);
        assert_eq!(series.finish(30, 0).0.completed, [0, 0, 0, 1]);
        assert_eq!(fold(10).finish(0, 0).0.completed, [0]);
        assert!(SeriesFold::new(10, &[]).finish(70, 0).0.completed.is_empty());
    }
}
