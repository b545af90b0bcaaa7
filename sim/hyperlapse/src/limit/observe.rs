//! Runs at one load, as the search sees them: what broke for want of capacity, and what the curve shows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, LoadPoint, LoadValue, Spread};
use crate::property::PropertyKind;
use crate::suite::{Case, Finished};
use crate::verdict::{Failure, FailureKind};

/// A run at one load.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    /// What broke and counts, the gravest first.
    pub(super) failures: Vec<Failure>,
    /// Whether all that broke asks for more than there was.
    pub(super) wants_more: bool,
    /// Every threshold with what was measured, where that is the same in any build.
    pub(super) measured: BTreeMap<String, String>,
    response_p95_ns: Option<u64>,
    queue_wait_p95_ns: Option<u64>,
    refused: u64,
    dropped: u64,
    completed: u64,
    throughput_milli: Option<u64>,
}

impl Observed {
    /// What is to be kept of a run. Unless `all` count, what breaks because the load is another one, or too small,
    /// does not: see [`super::Limit::ignored`].
    pub(super) fn of(case: &Case, finished: &Finished, all: bool) -> Self {
        let (record, verdict) = (&finished.record, &finished.verdict);
        let thresholds = case.scenario.thresholds();
        let nobody_waited = |name: &str| {
            let judged = verdict.thresholds.iter().find(|judgement| judgement.threshold == name);
            judged.is_some_and(|judgement| judgement.measured == "nothing queued")
        };
        let counts = |failure: &&Failure| match failure.kind {
            _ if all => true,
            FailureKind::Threshold => thresholds
                .iter()
                .filter(|threshold| threshold.to_string() == failure.name)
                .any(|threshold| {
                    threshold.is_not_of_load().is_none()
                        && !(threshold.is_of_waiting() && nobody_waited(&failure.name))
                }),
            // What never happened may yet happen under more load.
            FailureKind::Fault => false,
            FailureKind::Property => {
                let property = record.properties.get(&failure.name);
                property.is_none_or(|property| property.kind != PropertyKind::Sometimes)
            }
            _ => true,
        };
        let memory: BTreeSet<String> = thresholds
            .iter()
            .filter(|threshold| threshold.is_of_memory())
            .map(ToString::to_string)
            .collect();
        let operations = &record.metrics.operations;
        let failures: Vec<Failure> = verdict.failures.iter().filter(counts).cloned().collect();
        let wants_more = |failure: &Failure| {
            failure.kind == FailureKind::Threshold
                && thresholds.iter().any(|t| t.asks_for_more() && t.to_string() == failure.name)
        };
        Self {
            wants_more: !failures.is_empty() && failures.iter().all(wants_more),
            failures,
            measured: verdict
                .thresholds
                .iter()
                .filter(|judgement| !memory.contains(&judgement.threshold))
                .map(|judgement| (judgement.threshold.clone(), judgement.measured.clone()))
                .collect(),
            response_p95_ns: (operations.response.count > 0).then_some(operations.response.p95_ns),
            queue_wait_p95_ns: (operations.queue_wait.count > 0)
                .then_some(operations.queue_wait.p95_ns),
            refused: operations.refused_total(),
            dropped: record.metrics.iterations.dropped,
            completed: operations.completed,
            throughput_milli: record.metrics.throughput_milli(),
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.failures.is_empty()
    }
}

/// What broke at one load, by what failed; the most telling first: in the order of the first seed that broke.
pub(super) fn broken(seeds: &BTreeMap<u64, Observed>) -> Vec<Broken> {
    let mut broken: Vec<Broken> = Vec::new();
    for (seed, run) in seeds {
        for failure in &run.failures {
            let known = broken.iter_mut().find(|known| {
                known.failure.kind == failure.kind && known.failure.name == failure.name
            });
            match known {
                // Six users may panic at one line in one run.
                Some(known) if known.seeds.last() == Some(seed) => {}
                Some(known) => known.seeds.push(*seed),
                None => broken.push(Broken {
                    failure: failure.clone(),
                    seeds: vec![*seed],
                    held_at: None,
                }),
            }
        }
    }
    broken
}

/// A load of the curve.
pub(super) fn point(load: LoadValue, seeds: &BTreeMap<u64, Observed>) -> LoadPoint {
    let spread = |of: fn(&Observed) -> Option<u64>| Spread::of(seeds.values().filter_map(of));
    LoadPoint {
        load,
        seeds: seeds.len() as u64,
        held: seeds.values().filter(|run| run.holds()).count() as u64,
        response_p95_ns: spread(|run| run.response_p95_ns),
        queue_wait_p95_ns: spread(|run| run.queue_wait_p95_ns),
        refused: spread(|run| Some(run.refused)),
        dropped: spread(|run| Some(run.dropped)),
        completed: spread(|run| Some(run.completed)),
        throughput_milli: spread(|run| run.throughput_milli),
        broken: broken(seeds),
    }
}
