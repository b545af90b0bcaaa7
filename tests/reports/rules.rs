//! What other tools ask of the files that they read: each is parsed by the format's own rules and compared with the
//! record that it tells of.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use hyperlapse::{Actor, EventKind, Finished};
use serde_json::Value;

/// The clock of every run begins here: 2030-01-01T00:00:00Z.
const EPOCH: Duration = Duration::from_secs(1_893_456_000);

/// A header, and in each row a whole number for each of its columns.
pub fn csv(text: &str, finished: &Finished) {
    let series = &finished.record.metrics.series;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<Vec<u64>> = reader
        .records()
        .map(|row| row.unwrap().iter().map(|cell| cell.parse().unwrap()).collect())
        .collect();
    let column = |name: &str| -> Vec<u64> {
        let at = header.iter().position(|cell| cell == name).expect(name);
        rows.iter().map(|row| row[at]).collect()
    };
    assert_eq!(column("completed"), series.completed);
    assert_eq!(column("active"), series.active);
    let steps = 0..series.completed.len() as u64;
    assert_eq!(column("at_ns"), steps.map(|step| step * series.step_ns).collect::<Vec<_>>());
    // Every column of the series as the JSON has it, but the step's length.
    let value = serde_json::to_value(series).unwrap();
    for (name, values) in value.as_object().unwrap().iter().filter(|(name, _)| *name != "step_ns") {
        match values {
            Value::Object(custom) => custom.iter().for_each(|(name, values)| {
                let column = column(&format!("custom.{name}"));
                assert_eq!(serde_json::json!(column), *values, "{name}");
            }),
            values => assert_eq!(serde_json::json!(column(name)), *values, "{name}"),
        }
    }
}

/// Rows of value, share, count and distance, each at least as far as the one before, then three comments.
pub fn percentiles(text: &str, finished: &Finished) {
    let response = &finished.record.metrics.operations.response;
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(2)
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(|cell| cell.parse().unwrap()).collect())
        .collect();
    let comments: Vec<&str> = text.lines().filter(|line| line.starts_with("#[")).collect();
    let [mean, max, buckets] = comments[..] else { panic!("three comments: {comments:?}") };
    assert!(mean.starts_with("#[Mean    = ") && mean.contains(", StdDeviation   = "), "{mean}");
    assert!(max.contains(&format!("Total count    = {:>12}]", response.count)), "{max}");
    assert!(buckets.starts_with("#[Buckets = "), "{buckets}");
    let (last, first) = rows.split_last().expect("something completed");
    assert!(first.iter().all(|row| row.len() == 4) && last.len() == 3);
    for pair in rows.windows(2) {
        assert!(pair[0][0] <= pair[1][0] && pair[0][1] <= pair[1][1] && pair[0][2] <= pair[1][2]);
    }
    for row in first {
        let distance = 1.0 / (1.0 - row[1]);
        assert!((row[3] - distance).abs() <= 0.005 + distance * 1e-9, "{row:?}");
    }
    assert_eq!(last[1..], [1.0, response.count as f64]);
    assert!((last[0] * 1e6 - response.max_ns as f64).abs() < 1e3, "{last:?}");
}

/// The histogram of each interval, with where it begins and how long it is.
fn intervals(text: &str) -> Vec<(Duration, Duration, Histogram<u64>)> {
    let mut deserializer = Deserializer::new();
    let mut start = None;
    let mut intervals = Vec::new();
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        match entry.expect("it is an interval log") {
            LogEntry::StartTime(time) | LogEntry::BaseTime(time) => start = Some(time),
            LogEntry::Interval(interval) => {
                let encoded = interval.encoded_histogram();
                let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
                let histogram = deserializer.deserialize(&mut &bytes[..]).unwrap();
                intervals.push((interval.start_timestamp(), interval.duration(), histogram));
            }
        }
    }
    assert_eq!(start, Some(EPOCH), "the log begins when the clock of every run does");
    intervals
}

/// What the intervals hold, for people.
pub fn read_interval_logs(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let _ = writeln!(out, "{line}");
    }
    for (at, length, histogram) in intervals(text) {
        let _ = write!(out, "at {} ms for {} ms:", at.as_millis(), length.as_millis());
        for bucket in histogram.iter_recorded() {
            let (value, count) = (bucket.value_iterated_to(), bucket.count_at_value());
            let _ = write!(out, " {value} x{count}");
        }
        out.push('\n');
    }
    out
}

/// In the order of time, one after the other, and all together what completed.
pub fn interval_log(text: &str, finished: &Finished) {
    let response = &finished.record.metrics.operations.response;
    let intervals = intervals(text);
    let count: u64 = intervals.iter().map(|(_, _, histogram)| histogram.len()).sum();
    assert_eq!(count, response.count);
    for pair in intervals.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0 + Duration::from_millis(1));
    }
    let slowest = intervals.iter().map(|(_, _, histogram)| histogram.max()).max().unwrap_or(0);
    assert!(slowest.abs_diff(response.max_ns) * 100 <= response.max_ns, "{slowest}");
}

/// A suite for each case, and in it a case for each run, counted right.
pub fn junit(text: &str, what: &str) {
    let report = quick_junit::Report::deserialize_from_str(text).expect("it is JUnit");
    let [suite] = &report.test_suites[..] else { panic!("one scenario is one suite") };
    assert_eq!(
        suite.name.as_str(),
        if what == "fail" { "share on off-by-one" } else { "share on manager" }
    );
    assert_eq!(suite.test_cases.len(), if what == "sweep" { 5 } else { 1 });
    let failed = suite
        .test_cases
        .iter()
        .filter(|case| matches!(case.status, quick_junit::TestCaseStatus::NonSuccess { .. }));
    assert_eq!(failed.count(), suite.failures);
    assert_eq!(suite.failures > 0, what != "pass");
    for case in &suite.test_cases {
        assert!(case.time.is_some_and(|time| !time.is_zero()));
        assert!(case.system_out.is_some());
    }
}

/// The rules of the Trace Event Format: known phases with what each needs, names for every track, times that do not
/// go back, spans that lie within each other, counters that are numbers.
pub fn trace(text: &str, finished: &Finished) {
    let trace: Value = serde_json::from_str(text).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("events are a list");
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    let mut open: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    let mut last_ns = 0;
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut instants: BTreeMap<String, u64> = BTreeMap::new();
    let mut levels: BTreeMap<String, u64> = BTreeMap::new();
    for event in events {
        let word = |key: &str| event[key].as_str().unwrap_or_else(|| panic!("no {key}: {event}"));
        assert_eq!(event["pid"], 1, "{event}");
        let tid = event["tid"].as_u64().expect("a track has a number");
        assert!(!word("name").is_empty());
        if word("ph") == "M" {
            assert!(event.get("ts").is_none());
            match word("name") {
                "process_name" => assert!(event["args"]["name"].is_string()),
                "thread_name" => {
                    let name = event["args"]["name"].as_str().unwrap().to_owned();
                    assert!(names.insert(tid, name).is_none(), "two names for track {tid}");
                }
                "thread_sort_index" => assert!(event["args"]["sort_index"].is_u64()),
                other => panic!("no such metadata: {other}"),
            }
            continue;
        }
        let at_ns = nanoseconds(&event["ts"]);
        assert!(at_ns >= last_ns, "time goes back at {event}");
        last_ns = at_ns;
        match word("ph") {
            "X" => {
                let end_ns = at_ns + nanoseconds(&event["dur"]);
                let within = open.entry(tid).or_default();
                within.retain(|(_, end)| *end > at_ns);
                if let Some((_, outer)) = within.last() {
                    assert!(end_ns <= *outer, "it ends after what it lies in: {event}");
                }
                within.push((at_ns, end_ns));
                if word("cat") == "operation" {
                    let outcome = event["args"]["outcome"].as_str().unwrap();
                    let outcome = outcome.split(':').next().unwrap().to_owned();
                    *outcomes.entry(outcome).or_default() += 1;
                }
                assert!(names.contains_key(&tid), "a track without a name: {event}");
            }
            "i" => {
                assert!(["g", "p", "t"].contains(&word("s")), "{event}");
                assert!(names.contains_key(&tid), "a track without a name: {event}");
                *instants.entry(word("cat").to_owned()).or_default() += 1;
            }
            "C" => {
                let args = event["args"].as_object().unwrap();
                assert!(!args.is_empty() && args.values().all(Value::is_i64), "{event}");
                let level = args.values().next().and_then(Value::as_u64).unwrap_or(0);
                let most = levels.entry(word("name").to_owned()).or_default();
                *most = level.max(*most);
            }
            other => panic!("no such phase: {other}"),
        }
    }
    let kept = &finished.record.kept_events;
    let count = |of: fn(&EventKind) -> bool| kept.iter().filter(|one| of(&one.kind)).count() as u64;
    let told = |counts: &BTreeMap<String, u64>, key: &str| counts.get(key).copied().unwrap_or(0);
    for (outcome, of) in [
        (
            "completed",
            (|kind| matches!(kind, EventKind::Completed { .. })) as fn(&EventKind) -> bool,
        ),
        ("failed", |kind| matches!(kind, EventKind::Failed(_))),
        ("refused", |kind| matches!(kind, EventKind::Refused(_))),
        ("abandoned", |kind| matches!(kind, EventKind::Abandoned)),
        ("cancelled before it was accepted", |kind| matches!(kind, EventKind::Cancelled)),
    ] {
        assert_eq!(told(&outcomes, outcome), count(of), "{outcome}");
    }
    for (category, of) in [
        ("decision", (|kind| matches!(kind, EventKind::Decision(_))) as fn(&EventKind) -> bool),
        ("fault", |kind| matches!(kind, EventKind::Fault(_))),
        ("violation", |kind| matches!(kind, EventKind::Violated { .. })),
        ("panic", |kind| matches!(kind, EventKind::Panicked { .. })),
    ] {
        assert_eq!(told(&instants, category), count(of), "{category}");
    }
    if kept.len() as u64 == finished.record.events {
        let most = finished.record.metrics.series.active.iter().max().copied().unwrap_or(0);
        assert!(told(&levels, "active") <= most, "more active than there were");
    }
    let users = kept.iter().filter(|one| matches!(one.actor, Actor::User(_)));
    let mut users: Vec<String> = users.map(|one| one.actor.to_string()).collect();
    users.sort_unstable();
    users.dedup();
    for user in users {
        assert!(names.values().any(|name| *name == user), "{user} has no track");
    }
}

/// Microseconds with at most three digits behind the point, as nanoseconds.
fn nanoseconds(number: &Value) -> u64 {
    let text = number.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    assert!(rest.len() <= 3, "{text}");
    whole.parse::<u64>().unwrap() * 1_000 + format!("{rest:0<3}").parse::<u64>().unwrap()
}
