//! Judges a record: did the run hold what was promised of it?

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::property::PropertyRecord;
use crate::record::{Outcome, Record};
use crate::threshold::{Judgement, Standing, Threshold};

/// What went wrong. The same failure again is one of the same kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What sort of promise was broken.
    pub kind: FailureKind,
    /// Which one: the name of the property, the text of the threshold, the place of the panic.
    pub name: String,
    /// What was seen.
    pub message: String,
}

/// A sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A task panicked.
    Panic,
    /// The virtual deadline was reached.
    Deadline,
    /// Tasks ran without virtual time moving.
    Livelock,
    /// A task did not return from its poll.
    Hang,
    /// The process of the run died.
    Crash,
    /// Somebody ended the run early.
    Interrupted,
    /// A property did not hold.
    Property,
    /// A threshold did not hold.
    Threshold,
    /// A fault that the scenario asked for never struck.
    Fault,
}

impl FailureKind {
    /// The word that reports use.
    pub const fn text(self) -> &'static str {
        match self {
            FailureKind::Panic => "panic",
            FailureKind::Deadline => "deadline",
            FailureKind::Livelock => "livelock",
            FailureKind::Hang => "hang",
            FailureKind::Crash => "crash",
            FailureKind::Interrupted => "interrupt",
            FailureKind::Property => "property",
            FailureKind::Threshold => "threshold",
            FailureKind::Fault => "fault",
        }
    }
}

/// The judgement of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What went wrong, the gravest first; empty when all held.
    pub failures: Vec<Failure>,
    /// Every threshold with what was measured.
    pub thresholds: Vec<Judgement>,
}

impl Verdict {
    /// Judges a record by these thresholds and by its own properties and outcome.
    pub fn of(record: &Record, thresholds: &[Threshold]) -> Self {
        let mut failures = Vec::new();
        let mut add = |kind, name: &str, message: String| {
            failures.push(Failure { kind, name: name.to_owned(), message });
        };
        for panic in &record.panics {
            add(FailureKind::Panic, &panic.location, format!("{}: {}", panic.actor, panic.message));
        }
        let how = match record.outcome {
            // A run that was aborted fails by the threshold that ended it, told below.
            Outcome::Finished | Outcome::Aborted { .. } => None,
            // Told by its panic already, with place and message.
            Outcome::BodyPanicked if !record.panics.is_empty() => None,
            Outcome::BodyPanicked => Some((FailureKind::Panic, "scenario body")),
            Outcome::DeadlineReached { .. } => Some((
                FailureKind::Deadline,
                match record.clock {
                    Clock::Virtual => "virtual deadline",
                    Clock::Real => "deadline",
                },
            )),
            Outcome::Livelock { .. } => {
                Some((FailureKind::Livelock, "no progress of virtual time"))
            }
            Outcome::Crashed { .. } => Some((FailureKind::Crash, "process")),
            Outcome::Interrupted { .. } => Some((FailureKind::Interrupted, "the run")),
            Outcome::Hung { .. } => Some((FailureKind::Hang, "no sign of life")),
        };
        if let (Some((kind, name)), Some(message)) = (how, record.outcome.failure_by(record.clock))
        {
            add(kind, name, message);
        }
        // In the order in which they were seen to break: what comes first is nearest to the cause.
        let seen = |property: &PropertyRecord| property.violation.as_ref().map(|v| v.at_ns);
        let mut properties: Vec<_> = record.properties.iter().collect();
        properties.sort_by_key(|(_, property)| seen(property).unwrap_or(u64::MAX));
        for (name, property) in properties {
            if let Some(why) = record.broken(property) {
                add(FailureKind::Property, name, why);
            }
        }
        let judgements: Vec<Judgement> = thresholds.iter().map(|t| t.judge(record)).collect();
        for (threshold, judgement) in thresholds.iter().zip(&judgements) {
            if judgement.standing == Standing::Broken {
                // Heap bytes belong to a build: they stay in the record's `memory`.
                let mut message = match &record.memory {
                    Some(_) if threshold.is_of_memory() => "see the memory of the run".to_owned(),
                    _ => judgement.measured.clone(),
                };
                if let Outcome::Aborted { threshold, at_ns } = &record.outcome
                    && *threshold == judgement.threshold
                {
                    let at = crate::units::seconds(*at_ns);
                    message = format!("{message}; the run was aborted at {at}");
                }
                add(FailureKind::Threshold, &judgement.threshold, message);
            }
        }
        // Of a run that was cut down or did not come to its end it says nothing that a fault did not strike.
        if record.outcome == Outcome::Finished && !record.replayed {
            for (name, fault) in &record.faults {
                if let Some(why) = fault.missing() {
                    failures.push(Failure {
                        kind: FailureKind::Fault,
                        name: name.clone(),
                        message: why,
                    });
                }
            }
        }
        Self { failures, thresholds: judgements }
    }

    /// Whether everything held.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}
