//! What the gateway counts, in Prometheus' text format (version 0.0.4).
//!
//! Written by hand: families, labels and series come in one order, so the same run prints the same bytes. (The usual
//! client library keeps its series in a `HashMap`.) What the manager counts is read from it when somebody asks. All
//! labels have few values: paths are those of the routes, never what a client has sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::progress::Outcome;
use crate::stats::Stats;
use crate::store::StoreError;

/// Upper bounds of the buckets of `conversation_turn_duration_seconds`, in milliseconds.
const BUCKETS: [u64; 10] = [5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000];

#[derive(Debug, Default)]
struct Counts {
    /// By method, route and status.
    requests: BTreeMap<(String, String, u16), u64>,
    /// By outcome.
    turns: BTreeMap<&'static str, u64>,
    turn_buckets: [u64; BUCKETS.len()],
    turn_micros: u64,
    /// By reason.
    store_errors: BTreeMap<&'static str, u64>,
    connections: u64,
    evicted: u64,
    recovered: BTreeMap<&'static str, u64>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<Counts>);

/// What is read when somebody asks.
pub(crate) struct Levels {
    pub(crate) stats: Stats,
    pub(crate) unclosed: usize,
    pub(crate) draining: bool,
}

impl Metrics {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16) {
        let series = (method.to_owned(), route.to_owned(), status);
        *self.counts().requests.entry(series).or_default() += 1;
    }

    pub(crate) fn turn(&self, outcome: &Outcome, took: Duration) {
        let outcome = match outcome {
            Outcome::Done(_) => "done",
            Outcome::Failed(problem) => problem.code.as_str(),
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut counts = self.counts();
        *counts.turns.entry(outcome).or_default() += 1;
        counts.turn_micros = counts.turn_micros.saturating_add(micros);
        for (bucket, millis) in counts.turn_buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(micros <= millis * 1000);
        }
    }

    pub(crate) fn store_error(&self, error: &StoreError) {
        *self.counts().store_errors.entry(error.reason()).or_default() += 1;
    }

    pub(crate) fn recovered(&self, how: &'static str) {
        *self.counts().recovered.entry(how).or_default() += 1;
    }

    pub(crate) fn connection_opened(&self) {
        self.counts().connections += 1;
    }

    pub(crate) fn connection_closed(&self) {
        self.counts().connections -= 1;
    }

    pub(crate) fn connection_evicted(&self) {
        self.counts().evicted += 1;
    }

    /// Open connections.
    pub(crate) fn connections(&self) -> u64 {
        self.counts().connections
    }

    /// All of it as text.
    pub(crate) fn text(&self, levels: &Levels) -> String {
        let counts = self.counts();
        let stats = &levels.stats;
        let mut text = Text::default();
        text.one("conversations_active", "gauge", "Conversations that have a slot.", stats.active);
        text.one("conversations_waiting", "gauge", "Requests that wait for a slot.", stats.waiting);
        text.one(
            "conversations_limit",
            "gauge",
            "Conversations that may be active at once.",
            stats.limits.max_concurrent as u64,
        );
        text.one(
            "conversations_unclosed",
            "gauge",
            "Conversations whose end the store has not written down yet.",
            levels.unclosed as u64,
        );
        text.one(
            "conversations_started_total",
            "counter",
            "Conversations that got a slot.",
            stats.started_total,
        );
        let ended = &stats.ended;
        text.by(
            "conversations_ended_total",
            "Conversations that gave their slot back.",
            "cause",
            [
                ("completed", ended.completed),
                ("failed", ended.failed),
                ("abandoned", ended.abandoned),
                ("expired_idle", ended.expired_idle),
                ("expired_duration", ended.expired_duration),
                ("expired_shutdown", ended.expired_shutdown),
            ],
        );
        let refused = &stats.refused;
        text.by(
            "conversations_refused_total",
            "Requests for a slot that were refused.",
            "cause",
            [
                ("global_limit", refused.global_limit),
                ("user_limit", refused.user_limit),
                ("queue_full", refused.queue_full),
                ("timed_out", refused.timed_out),
                ("shutting_down", refused.shutting_down),
            ],
        );
        text.by(
            "conversations_recovered_total",
            "Conversations that were found open at the start.",
            "how",
            counts.recovered.iter().map(|(how, count)| (*how, *count)),
        );
        text.by(
            "conversation_turns_total",
            "Turns that are over.",
            "outcome",
            counts.turns.iter().map(|(outcome, count)| (*outcome, *count)),
        );
        text.durations(&counts);
        text.head("http_requests_total", "counter", "Requests that were answered.");
        for ((method, route, status), count) in &counts.requests {
            let (method, route) = (escaped(method), escaped(route));
            let _ = writeln!(
                text.0,
                "http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
            );
        }
        text.one("http_connections_open", "gauge", "Open connections.", counts.connections);
        text.one(
            "http_connections_evicted_total",
            "counter",
            "Idle connections that were closed to make room for new ones.",
            counts.evicted,
        );
        text.by(
            "store_errors_total",
            "Calls that the store has refused.",
            "reason",
            counts.store_errors.iter().map(|(reason, count)| (*reason, *count)),
        );
        text.one(
            "gateway_draining",
            "gauge",
            "1 while the service is stopping.",
            u64::from(levels.draining),
        );
        text.0
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn by<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        series: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.head(name, "counter", help);
        for (value, count) in series {
            let _ = writeln!(self.0, "{name}{{{label}=\"{}\"}} {count}", escaped(value));
        }
    }

    fn durations(&mut self, counts: &Counts) {
        let name = "conversation_turn_duration_seconds";
        self.head(name, "histogram", "From a question to the end of its turn.");
        for (bucket, millis) in counts.turn_buckets.iter().zip(BUCKETS) {
            let bound = seconds(millis * 1000);
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{bound}\"}} {bucket}");
        }
        let all: u64 = counts.turns.values().sum();
        let _ = writeln!(self.0, "{name}_bucket{{le=\"+Inf\"}} {all}");
        let _ = writeln!(self.0, "{name}_sum {}", seconds(counts.turn_micros));
        let _ = writeln!(self.0, "{name}_count {all}");
    }
}

/// Microseconds as seconds, without floating point.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_and_short() {
        let cases =
            [(0, "0"), (5_000, "0.005"), (1_000_000, "1"), (60_000_000, "60"), (1, "0.000001")];
        for (micros, text) in cases {
            assert_eq!(seconds(micros), text);
        }
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }

    #[test]
    fn buckets_are_cumulative_and_hold_their_bound() {
        let metrics = Metrics::default();
        for millis in [5, 6, 70_000] {
            metrics.turn(&Outcome::Done(1), Duration::from_millis(millis));
        }
        let counts = metrics.counts();
        assert_eq!(counts.turn_buckets, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    }
}
