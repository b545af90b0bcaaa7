//! The JSON of `run`: one object, one line for each run in it.
//!
//! `format` and `build`, then `runs`. Everything of a run but `memory` and `host` is the same bytes for
//! the same scenario, seed and source, in any build; `memory` is, within one build. Heap bytes in the
//! judgement of a threshold would be neither, so judgements say how a threshold stands and no more.

use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

use crate::build_info::Build;
use crate::event::Fingerprint;
use crate::explain::Explanation;
use crate::metrics::{Memory, Metrics};
use crate::property::PropertyRecord;
use crate::record::{FORMAT, FaultRecord, Host, Outcome, Panic};
use crate::suite::Finished;
use crate::threshold::Standing;
use crate::verdict::Failure;

#[derive(Serialize)]
struct Run<'a> {
    scenario: &'a str,
    system: &'a str,
    seed: u64,
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
    memory: Option<Memory>,
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

#[derive(Serialize)]
struct Threshold<'a> {
    threshold: &'a str,
    standing: Standing,
}

/// What stands before the first run.
pub fn head(build: &Build) -> String {
    let build = serde_json::to_string(build).expect("a build is plain data");
    format!("{{\"format\":{FORMAT},\"build\":{build},\"runs\":[")
}

/// One run; all but the first have a comma in front.
pub fn run(finished: &Finished, seed_file: Option<&Path>, first: bool) -> String {
    let (record, verdict) = (&finished.record, &finished.verdict);
    let run = Run {
        scenario: &record.scenario,
        system: &record.system,
        seed: record.seed,
        set: record.set.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect(),
        fingerprint: record.fingerprint,
        events: record.events,
        virtual_ns: record.virtual_ns,
        verdict: if verdict.passed() { "pass" } else { "fail" },
        failures: &verdict.failures,
        outcome: &record.outcome,
        thresholds: verdict
            .thresholds
            .iter()
            .map(|j| Threshold { threshold: &j.threshold, standing: j.standing })
            .collect(),
        properties: &record.properties,
        panics: &record.panics,
        faults: &record.faults,
        decisions: &record.decisions_by_kind,
        asked_host: AskedHost { random: record.asked_random, clock: record.asked_clock },
        metrics: &record.metrics,
        memory: record.memory,
        host: HostOfRun { host: record.host, seed_file },
    };
    let run = serde_json::to_string(&run).expect("a record is plain data with text keys");
    format!("{}{run}", if first { "\n" } else { ",\n" })
}

/// A failure that was shrunk and explained.
#[derive(Serialize)]
pub struct Explained<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// The system.
    pub system: &'a str,
    /// The seed that failed.
    pub seed: u64,
    /// What is left of it.
    pub explanation: &'a Explanation,
    /// The smaller seed file.
    pub seed_file: &'a Path,
}

/// What stands behind the last run: the failures that were explained, each as the JSON of an [`Explained`].
pub fn tail(explanations: &[String]) -> String {
    match explanations.is_empty() {
        true => "\n],\"explanations\":[]}\n".to_owned(),
        false => format!("\n],\"explanations\":[\n{}\n]}}\n", explanations.join(",\n")),
    }
}
