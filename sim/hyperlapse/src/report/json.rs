//! The JSON of `run`: one object, one line for each run in it.
//!
//! `format` and `build`, of a shard which one it is, then `runs`, `sweeps` and `explanations`. Everything of a run but `memory` and `host` is the same bytes for
//! the same scenario, seed and source, in any build; `memory` is, within one build. Heap bytes in the
//! judgement of a threshold would be neither, so of one on memory it is said how it stands and no more.

use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

use super::CaseSummary;
use super::reporter::{Growing, Make, OneRun, Reporter};
use super::results::{Explained, Results};
use crate::clock::Clock;
use crate::event::Fingerprint;
use crate::exact::Quantity;
use crate::explain::Explanation;
use crate::io::IoRecord;
use crate::metrics::{Memory, Metrics};
use crate::property::PropertyRecord;
use crate::record::{Capacity, FORMAT, FaultRecord, Host, Outcome, Panic};
use crate::suite::Finished;
use crate::threshold::{Judgement, Standing, SweepJudgement};
use crate::verdict::Failure;

#[derive(Serialize)]
struct Run<'a> {
    scenario: &'a str,
    system: &'a str,
    seed: u64,
    #[serde(skip_serializing_if = "Clock::is_virtual")]
    clock: Clock,
    set: BTreeMap<&'a str, &'a str>,
    fingerprint: Fingerprint,
    events: u64,
    virtual_ns: u64,
    verdict: &'static str,
    failures: &'a [Failure],
    outcome: &'a Outcome,
    thresholds: Vec<Threshold<'a>>,
    properties: &'a BTreeMap<String, PropertyRecord>,
    panics: &'a [Panic],
    faults: &'a BTreeMap<String, FaultRecord>,
    decisions: &'a BTreeMap<String, u64>,
    asked_host: AskedHost,
    metrics: &'a Metrics,
    capacity: &'a [Capacity],
    io: &'a IoRecord,
    memory: Option<&'a Memory>,
    host: HostOfRun<'a>,
}

/// What is different every time: what the host measured, and where the seed file went.
#[derive(Serialize)]
struct HostOfRun<'a> {
    #[serde(flatten)]
    host: Host,
    seed_file: Option<&'a Path>,
}

/// How often the system asked the host for something that it was answered from the seed.
#[derive(Serialize)]
struct AskedHost {
    random: u64,
    clock: u64,
}

/// A judgement. Heap bytes stand in `memory` only.
#[derive(Serialize)]
struct Threshold<'a> {
    threshold: &'a str,
    standing: Standing,
    value: Option<Quantity>,
    bound: Option<Quantity>,
}

impl<'a> Threshold<'a> {
    fn of(judgement: &'a Judgement) -> Self {
        let Judgement { threshold, standing, value, bound, .. } = judgement;
        let value = value.filter(|_| !is_of_memory(threshold));
        Self { threshold, standing: *standing, value, bound: *bound }
    }
}

/// What a sweep came to beyond its runs.
#[derive(Serialize)]
struct Sweep<'a> {
    scenario: &'a str,
    system: &'a str,
    runs: u64,
    failed: u64,
    missing: Vec<String>,
    thresholds: Vec<SweepJudgement>,
}

fn sweep(case: &CaseSummary) -> Sweep<'_> {
    let mut thresholds = case.over_seeds();
    for judgement in thresholds.iter_mut().filter(|j| is_of_memory(&j.threshold)) {
        judgement.value = None;
        judgement.measured = String::new();
        judgement.seed = None;
    }
    Sweep {
        scenario: case.scenario(),
        system: case.system(),
        runs: case.runs(),
        failed: case.failed(),
        missing: case.missing(),
        thresholds,
    }
}

fn is_of_memory(threshold: &str) -> bool {
    threshold.starts_with("memory.")
}

/// For programs.
pub(super) const REPORTER: Reporter = Reporter {
    name: "json",
    about: "For programs: one object, one line for each run",
    extension: "json",
    make: Make::AsTheyEnd(Growing { head, run: next, tail }),
};

/// The JSON Schema of all this (draft 2020-12), as text. A test holds the one to the other.
pub const SCHEMA: &str = include_str!("../../schemas/run.schema.json");

/// What stands before the first run.
fn head(results: &Results) -> String {
    let build = serde_json::to_string(&results.build).expect("a build is plain data");
    let shard = results.shard().map_or(String::new(), |shard| format!("\"shard\":\"{shard}\","));
    format!("{{\"format\":{FORMAT},\"build\":{build},{shard}\"runs\":[")
}

/// One run; all but the first have a comma in front.
fn next(results: &Results, next: &OneRun<'_>) -> String {
    let lead = if results.is_empty() { "\n" } else { ",\n" };
    format!("{lead}{}", run(next.finished, next.seed_file))
}

/// One run as JSON, in one line.
pub fn run(finished: &Finished, seed_file: Option<&Path>) -> String {
    let (record, verdict) = (&finished.record, &finished.verdict);
    let run = Run {
        scenario: &record.scenario,
        system: &record.system,
        seed: record.seed,
        clock: record.clock,
        set: record.set.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect(),
        fingerprint: record.fingerprint,
        events: record.events,
        virtual_ns: record.virtual_ns,
        verdict: if verdict.passed() { "pass" } else { "fail" },
        failures: &verdict.failures,
        outcome: &record.outcome,
        thresholds: verdict.thresholds.iter().map(Threshold::of).collect(),
        properties: &record.properties,
        panics: &record.panics,
        faults: &record.faults,
        decisions: &record.decisions_by_kind,
        asked_host: AskedHost { random: record.asked_random, clock: record.asked_clock },
        metrics: &record.metrics,
        capacity: &record.capacity,
        io: &record.io,
        memory: record.memory.as_ref(),
        host: HostOfRun { host: record.host, seed_file },
    };
    serde_json::to_string(&run).expect("a record is plain data with text keys")
}

/// A failure that was shrunk and explained.
#[derive(Serialize)]
struct ExplainedJson<'a> {
    scenario: &'a str,
    system: &'a str,
    seed: u64,
    explanation: &'a Explanation,
    seed_file: &'a Path,
}

/// What stands behind the last run: what each case came to over all its runs, and the failures that were explained.
fn tail(results: &Results) -> String {
    let sweeps = results
        .cases
        .iter()
        .map(|case| serde_json::to_string(&sweep(&case.summary)).expect("a sweep is plain data"));
    let explained = results.explanations.iter().map(|one| {
        let Explained { scenario, system, seed, explanation, seed_file, .. } = one;
        let told = ExplainedJson { scenario, system, seed: *seed, explanation, seed_file };
        serde_json::to_string(&told).expect("an explanation is plain data")
    });
    format!("\n],\"sweeps\":{},\"explanations\":{}}}\n", list(sweeps), list(explained))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => "[]".to_owned(),
        false => format!("[\n{}\n]", items.join(",\n")),
    }
}
