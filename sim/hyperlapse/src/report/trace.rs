//! A run as a Chrome trace, which [Perfetto](https://ui.perfetto.dev) opens.
//!
//! Each virtual user is a thread with its operations as spans: one from asking to the end, and in it the time in the
//! queue and the time in which it was served. What else users and tasks did (arrivals, decisions, faults, violations,
//! notes, samples) are instants; how many operations were active and waiting, and the scenario's own gauges, are counters. Where a user has several
//! operations at a time each has a thread of its own, since spans of one thread must lie within each other.
//!
//! The format is the JSON of Google's "Trace Event Format"; times are microseconds. A long run is told by its last
//! events: how many came before stands in the trace. About 250 bytes for each operation.

use std::collections::BTreeMap;

use serde_json::json;

use super::reporter::{Make, Needs, OneRun, Reporter};
use crate::event::{Actor, Event, EventKind};
use crate::metrics::{Sample, Tags};
use crate::record::Record;
use crate::units::{count, plural_of};

/// For Perfetto.
pub(super) const REPORTER: Reporter = Reporter {
    name: "trace",
    about: "Chrome trace of one run, which Perfetto opens: users as tracks, operations as spans",
    extension: "trace.json",
    make: Make::EachRun { make: trace, needs: Needs::Events },
};

/// All tracks are of one process: the run.
const PID: u32 = 1;

fn trace(run: &OneRun<'_>) -> String {
    let record = &run.finished.record;
    let mut trace = Trace::new(&record.operation);
    let left_out = record.events - record.kept_events.len() as u64;
    let begin = record.kept_events.first().map_or(0, |event| event.at_ns);
    if left_out > 0 {
        let text = format!("{} events came before and are left out", count(left_out));
        trace.instant(begin, &(Actor::World, 0), 'g', &text, "note", "");
    }
    for event in &record.kept_events {
        trace.add(event);
    }
    trace.end(record.virtual_ns);
    trace.levels(&record.kept_events);
    trace.text(record, left_out)
}

/// An actor, and which of its operations at a time: spans of one track lie within each other.
type Track = (Actor, usize);

/// One event of the trace, still without the number of its track.
struct Entry {
    at_ns: u64,
    /// Of spans.
    length_ns: u64,
    /// `None` for counters, which belong to the run.
    track: Option<Track>,
    /// From the phase on, without the closing brace.
    rest: String,
}

/// An operation that goes on.
struct Open {
    asked_ns: u64,
    /// When it was accepted, and since when it had queued.
    accepted: Option<(u64, Option<u64>)>,
    tags: Tags,
}

struct Trace<'a> {
    noun: &'a str,
    entries: Vec<Entry>,
    /// What goes on, by user and place among its tracks.
    open: BTreeMap<Actor, Vec<Option<Open>>>,
}

impl<'a> Trace<'a> {
    fn new(noun: &'a str) -> Self {
        Self { noun, entries: Vec::new(), open: BTreeMap::new() }
    }

    fn add(&mut self, event: &Event) {
        let Event { at_ns, actor, kind, tags } = event;
        let at_ns = *at_ns;
        let instant = |this: &mut Self, scope, category| {
            let (name, detail) = match kind {
                EventKind::Violated { property, detail } => {
                    (format!("violated: {property}"), detail.as_str())
                }
                EventKind::Panicked { message, location } => {
                    (format!("panicked: {message}"), location.as_str())
                }
                kind => (kind.to_string(), ""),
            };
            this.instant(at_ns, &(actor.clone(), 0), scope, &name, category, detail);
        };
        match kind {
            EventKind::Requested => {
                let open = self.open.entry(actor.clone()).or_default();
                let free = open.iter().position(Option::is_none).unwrap_or(open.len());
                if free == open.len() {
                    open.push(None);
                }
                open[free] = Some(Open { asked_ns: at_ns, accepted: None, tags: tags.clone() });
            }
            EventKind::Accepted { waited_ns } => {
                let open = self.open.entry(actor.clone()).or_default();
                // Of several it is not told which one: the first that waits.
                let waiting = open.iter_mut().flatten().find(|open| open.accepted.is_none());
                if let Some(open) = waiting {
                    open.accepted = Some((at_ns, *waited_ns));
                }
            }
            EventKind::Completed { response_ns, late_ns } => {
                let asked_ns = at_ns.saturating_sub(response_ns.saturating_sub(*late_ns));
                self.close(at_ns, actor, true, Some(asked_ns), "completed");
            }
            EventKind::Failed(reason) => {
                self.close(at_ns, actor, true, None, &format!("failed: {reason}"));
            }
            EventKind::Abandoned => self.close(at_ns, actor, true, None, "abandoned"),
            EventKind::Refused(reason) => {
                self.close(at_ns, actor, false, None, &format!("refused: {reason}"));
            }
            EventKind::Cancelled => {
                self.close(at_ns, actor, false, None, "cancelled before it was accepted");
            }
            EventKind::Violated { .. } => instant(self, 'p', "violation"),
            EventKind::Panicked { .. } => instant(self, 'p', "panic"),
            EventKind::Fault(_) => instant(self, 't', "fault"),
            EventKind::Decision(_) => instant(self, 't', "decision"),
            EventKind::Note(_) => instant(self, 't', "note"),
            EventKind::Sample { metric, sample: Sample::Stands(level) } => {
                self.counter(at_ns, metric, "value", *level);
            }
            EventKind::Sample { .. } => instant(self, 't', "sample"),
            _ => instant(self, 't', "run"),
        }
    }

    /// An operation is over: one that was accepted, or one that was not; the one that was asked for then, where
    /// that is known.
    fn close(
        &mut self,
        at_ns: u64,
        actor: &Actor,
        accepted: bool,
        asked_ns: Option<u64>,
        outcome: &str,
    ) {
        let open = self.open.entry(actor.clone()).or_default();
        let alike = |open: &Option<Open>| {
            open.as_ref().is_some_and(|open| open.accepted.is_some() == accepted)
        };
        let asked_then = |open: &Option<Open>| {
            open.as_ref().is_some_and(|open| Some(open.asked_ns) == asked_ns) && alike(open)
        };
        let place = open.iter().position(asked_then).or_else(|| open.iter().position(alike));
        let place = place.unwrap_or_else(|| {
            // It began with an event that is left out.
            open.push(None);
            open.len() - 1
        });
        let of = open[place].take().unwrap_or(Open {
            asked_ns: asked_ns.unwrap_or(at_ns),
            accepted: None,
            tags: Tags::default(),
        });
        self.span(&of, at_ns, (actor.clone(), place), outcome);
    }

    fn span(&mut self, of: &Open, end_ns: u64, track: Track, outcome: &str) {
        let mut span = |from_ns: u64, to_ns: u64, name: &str, category: &str, args| {
            let length_ns = to_ns - from_ns;
            let rest = format!(
                "\"ph\":\"X\",\"dur\":{},\"cat\":\"{category}\",\"name\":{},\"args\":{args}",
                microseconds(length_ns),
                json!(name)
            );
            let track = Some(track.clone());
            self.entries.push(Entry { at_ns: from_ns, length_ns, track, rest });
        };
        let name = match outcome {
            "completed" => self.noun.to_owned(),
            outcome => format!("{}, {outcome}", self.noun),
        };
        let mut args = json!({ "outcome": outcome });
        for (key, value) in of.tags.pairs() {
            args[format!("tag.{key}")] = json!(value);
        }
        span(of.asked_ns, end_ns, &name, "operation", args);
        if let Some((accepted_ns, waited_ns)) = of.accepted {
            if waited_ns.is_some() {
                span(of.asked_ns, accepted_ns, "queued", "queue", json!({}));
            }
            span(accepted_ns, end_ns, "active", "active", json!({}));
        }
    }

    fn instant(
        &mut self,
        at_ns: u64,
        track: &Track,
        scope: char,
        name: &str,
        category: &str,
        detail: &str,
    ) {
        let args = if detail.is_empty() { json!({}) } else { json!({ "detail": detail }) };
        let rest = format!(
            "\"ph\":\"i\",\"s\":\"{scope}\",\"cat\":\"{category}\",\"name\":{},\"args\":{args}",
            json!(name)
        );
        let track = Some(track.clone());
        self.entries.push(Entry { at_ns, length_ns: 0, track, rest });
    }

    fn counter(&mut self, at_ns: u64, name: &str, of: &str, level: i64) {
        let (name, args) = (json!(name), json!({ of: level }));
        let rest = format!("\"ph\":\"C\",\"name\":{name},\"args\":{args}");
        self.entries.push(Entry { at_ns, length_ns: 0, track: None, rest });
    }

    /// What goes on when the run ends.
    fn end(&mut self, at_ns: u64) {
        for (actor, open) in std::mem::take(&mut self.open) {
            for (place, of) in open.into_iter().enumerate() {
                if let Some(of) = of {
                    let end_ns = at_ns.max(of.asked_ns);
                    self.span(&of, end_ns, (actor.clone(), place), "went on when the run ended");
                }
            }
        }
    }

    /// The counters: how many operations wait and are active after each moment at which that changes.
    fn levels(&mut self, events: &[Event]) {
        let step = |event: &Event| match &event.kind {
            EventKind::Requested => (0, 1),
            EventKind::Accepted { .. } => (1, -1),
            EventKind::Refused(_) | EventKind::Cancelled => (0, -1),
            EventKind::Completed { .. } | EventKind::Failed(_) | EventKind::Abandoned => (-1, 0),
            _ => (0, 0),
        };
        // Of a run whose beginning is left out: as many were there before as it takes to go below none.
        let (mut now, mut least) = ((0i64, 0i64), (0i64, 0i64));
        for event in events {
            let (active, waiting) = step(event);
            now = (now.0 + active, now.1 + waiting);
            least = (least.0.min(now.0), least.1.min(now.1));
        }
        let (mut active, mut waiting) = (-least.0, -least.1);
        let mut told = [None, None];
        let noun = plural_of(self.noun);
        for (index, event) in events.iter().enumerate() {
            let (of_active, of_waiting) = step(event);
            (active, waiting) = (active + of_active, waiting + of_waiting);
            if events.get(index + 1).is_some_and(|next| next.at_ns == event.at_ns) {
                continue;
            }
            let levels = [("active", active), ("waiting", waiting)];
            for (told, (name, level)) in told.iter_mut().zip(levels) {
                if told.replace(level) != Some(level) {
                    self.counter(event.at_ns, name, &noun, level);
                }
            }
        }
    }

    fn text(mut self, record: &Record, left_out: u64) -> String {
        // In the order of time; of spans that begin together the outer one first.
        self.entries.sort_by_key(|entry| (entry.at_ns, u64::MAX - entry.length_ns));
        let mut tracks: BTreeMap<Track, u32> = BTreeMap::new();
        tracks.insert((Actor::World, 0), 0);
        tracks.extend(self.entries.iter().filter_map(|entry| Some((entry.track.clone()?, 0))));
        for (number, tid) in tracks.values_mut().enumerate() {
            *tid = number as u32 + 1;
        }
        let title = format!("{} on {}, seed {}", record.scenario, record.system, record.seed);
        let about = json!({
            "scenario": record.scenario,
            "system": record.system,
            "seed": record.seed,
            "fingerprint": record.fingerprint.to_string(),
            "events": record.events,
            "events_left_out": left_out,
        });
        let mut text = format!(
            "{{\"displayTimeUnit\":\"ms\",\"otherData\":{about},\"traceEvents\":[\n\
             {{\"pid\":{PID},\"tid\":0,\"ph\":\"M\",\"name\":\"process_name\",\"args\":{}}}",
            json!({ "name": title })
        );
        for ((actor, place), tid) in &tracks {
            let name = match place {
                0 => actor.to_string(),
                place => format!("{actor} ({})", place + 1),
            };
            let names = [
                ("thread_name", json!({ "name": name })),
                ("thread_sort_index", json!({ "sort_index": tid })),
            ];
            for (what, args) in names {
                text.push_str(&format!(
                    ",\n{{\"pid\":{PID},\"tid\":{tid},\"ph\":\"M\",\"name\":\"{what}\",\"args\":{args}}}"
                ));
            }
        }
        for entry in &self.entries {
            let tid = entry.track.as_ref().map_or(0, |track| tracks[track]);
            let at = microseconds(entry.at_ns);
            text.push_str(&format!(
                ",\n{{\"pid\":{PID},\"tid\":{tid},\"ts\":{at},{}}}",
                entry.rest
            ));
        }
        text.push_str("\n]}\n");
        text
    }
}

/// Nanoseconds as microseconds, with what is below one as digits behind the point.
fn microseconds(ns: u64) -> String {
    match ns % 1_000 {
        0 => (ns / 1_000).to_string(),
        rest => format!("{}.{rest:03}", ns / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn event(at_ns: u64, kind: EventKind) -> Event {
        Event::new(at_ns, Actor::User(3), kind)
    }

    fn completed(at_ns: u64, response_ns: u64) -> Event {
        event(at_ns, EventKind::Completed { response_ns, late_ns: 0 })
    }

    const ACCEPTED: EventKind = EventKind::Accepted { waited_ns: None };

    /// Track, begin and length of the operations.
    fn operations(events: &[Event]) -> Vec<(usize, u64, u64)> {
        let mut trace = Trace::new("operation");
        events.iter().for_each(|event| trace.add(event));
        trace.end(1_000);
        let spans =
            trace.entries.iter().filter(|entry| entry.rest.contains("\"cat\":\"operation\""));
        spans.map(|span| (span.track.as_ref().unwrap().1, span.at_ns, span.length_ns)).collect()
    }

    /// What a counter stood at, and when.
    fn levels(events: &[Event], name: &str) -> Vec<(u64, i64)> {
        let mut trace = Trace::new("operation");
        trace.levels(events);
        let told = trace.entries.iter().map(|entry| {
            let json: Value = serde_json::from_str(&format!("{{{}}}", entry.rest)).unwrap();
            (entry.at_ns, json)
        });
        told.filter(|(_, json)| json["name"] == name)
            .map(|(at_ns, json)| (at_ns, json["args"]["operations"].as_i64().unwrap()))
            .collect()
    }

    #[test]
    fn operations_of_one_user_at_one_time_have_tracks_of_their_own() {
        let events = [
            event(10, EventKind::Requested),
            event(10, ACCEPTED),
            event(20, EventKind::Requested),
            event(20, ACCEPTED),
            // The first ends within the second: on one track they would cross.
            completed(30, 20),
            completed(50, 30),
            event(60, EventKind::Requested),
            event(70, EventKind::Cancelled),
        ];
        assert_eq!(operations(&events), [(0, 10, 20), (1, 20, 30), (0, 60, 10)]);
    }

    #[test]
    fn an_operation_without_a_beginning_begins_where_its_time_says_and_one_without_an_end_ends_with_the_run()
     {
        let events = [completed(500, 300), event(600, EventKind::Requested), event(600, ACCEPTED)];
        assert_eq!(operations(&events), [(0, 200, 300), (0, 600, 400)]);
    }

    #[test]
    fn a_late_iteration_does_not_make_its_operation_begin_earlier() {
        let events = [
            event(100, EventKind::Requested),
            event(100, ACCEPTED),
            event(150, EventKind::Completed { response_ns: 90, late_ns: 40 }),
        ];
        assert_eq!(operations(&events), [(0, 100, 50)]);
    }

    #[test]
    fn counters_tell_each_moment_once_and_count_those_who_were_there_before() {
        let events = [
            event(10, EventKind::Requested),
            event(10, EventKind::Requested),
            event(20, ACCEPTED),
            // Two more end than began: their beginnings are left out.
            completed(30, 20),
            completed(30, 25),
            completed(40, 40),
        ];
        assert_eq!(levels(&events, "waiting"), [(10, 2), (20, 1)]);
        assert_eq!(levels(&events, "active"), [(10, 2), (20, 3), (30, 1), (40, 0)]);
    }

    #[test]
    fn microseconds_keep_every_nanosecond() {
        assert_eq!(microseconds(0), "0");
        assert_eq!(microseconds(1_000), "1");
        assert_eq!(microseconds(1_234_567), "1234.567");
        assert_eq!(microseconds(5), "0.005");
    }
}
