//! The one ordered stream of what happened in a run.
//!
//! Everything that a report says of a run is folded from these events as they come: metrics, the
//! fingerprint, the trace. The stream itself is kept only when it is asked for (a trace) and, always,
//! its last [`TAIL`] events, so that a failure can say what led to it and a day of load needs no more
//! memory than a minute.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::{Sample, Tags};
use crate::units;

/// How many of the last events every run keeps.
pub const TAIL: usize = 48;

/// A short text that is usually a literal.
pub type Text = Cow<'static, str>;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The run itself: the workload, the body of the scenario.
    World,
    /// A virtual user, by number from 0.
    User(u32),
    /// A task that the system under test spawned, by its place in the code.
    Task(Text),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::World => f.pad("world"),
            Actor::User(id) => f.pad(&format!("user {id}")),
            Actor::Task(place) => f.pad(&format!("task {place}")),
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Virtual time since the start of the run, in nanoseconds.
    pub at_ns: u64,
    /// Who did it.
    pub actor: Actor,
    /// What it was.
    pub kind: EventKind,
    /// What kind of operation or sample, in the scenario's words.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl Event {
    /// One without tags.
    pub fn new(at_ns: u64, actor: Actor, kind: EventKind) -> Self {
        Self { at_ns, actor, kind, tags: Tags::default() }
    }
}

/// What happened. Times are virtual nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The workload began.
    LoadStarted,
    /// All virtual users have left.
    LoadEnded,
    /// A wave of users is about to arrive.
    Wave(u32),
    /// A virtual user arrived.
    Arrived,
    /// A virtual user left.
    Left,
    /// An operation was asked for.
    Requested,
    /// The system accepted the operation, after a wait where it had to queue.
    Accepted {
        /// Time in the queue; `None` when it did not queue.
        waited_ns: Option<u64>,
    },
    /// The system refused to start the operation.
    Refused(Text),
    /// The operation succeeded.
    Completed {
        /// Time since its intended start.
        response_ns: u64,
        /// How late its iteration had begun: `response_ns` less this is the time since it was asked for.
        late_ns: u64,
    },
    /// The operation was accepted and did not succeed.
    Failed(Text),
    /// The operation was accepted and then dropped without an outcome.
    Abandoned,
    /// The operation was dropped before the system had accepted or refused it.
    Cancelled,
    /// A task panicked.
    Panicked {
        /// The message.
        message: String,
        /// File, line and column of the panic.
        location: String,
    },
    /// The world did something bad to the system on purpose.
    Fault(Text),
    /// A property was seen not to hold.
    Violated {
        /// The name of the property.
        property: Text,
        /// What was seen.
        detail: String,
    },
    /// A decision bent the run.
    Decision(Text),
    /// Something that the scenario wanted in the stream.
    Note(Text),
    /// An arrival found no free user, and was not served.
    Dropped,
    /// The iteration was cut off when the load had ended and the time for a graceful stop was over.
    Interrupted,
    /// An iteration of an open model began later than it was meant to.
    BeganLate {
        /// Actual less intended start.
        late_ns: u64,
    },
    /// A metric of the user's own was sampled.
    Sample {
        /// The name of the metric.
        metric: Text,
        /// The sample.
        sample: Sample,
    },
    /// A threshold that ends the run was broken for good: nothing comes after this.
    Aborted(Text),
}

impl EventKind {
    /// A number for each kind, the same for ever: it is hashed.
    pub(crate) fn tag(&self) -> u8 {
        match self {
            EventKind::LoadStarted => 1,
            EventKind::LoadEnded => 2,
            EventKind::Wave(_) => 3,
            EventKind::Arrived => 4,
            EventKind::Left => 5,
            EventKind::Requested => 6,
            EventKind::Accepted { .. } => 7,
            EventKind::Refused(_) => 8,
            EventKind::Completed { .. } => 9,
            EventKind::Failed(_) => 10,
            EventKind::Abandoned => 11,
            EventKind::Panicked { .. } => 12,
            EventKind::Fault(_) => 13,
            EventKind::Violated { .. } => 14,
            EventKind::Note(_) => 15,
            EventKind::Cancelled => 16,
            EventKind::Decision(_) => 17,
            EventKind::Dropped => 18,
            EventKind::Interrupted => 19,
            EventKind::BeganLate { .. } => 20,
            // A tag for each kind of sample keeps equal numbers of different kinds apart.
            EventKind::Sample { sample, .. } => match sample {
                Sample::Added(_) => 21,
                Sample::Stands(_) => 22,
                Sample::Was(_) => 23,
                Sample::Took(_) => 24,
                Sample::Value(_) => 25,
            },
            EventKind::Aborted(_) => 26,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventKind::LoadStarted => f.write_str("load started"),
            EventKind::LoadEnded => f.write_str("load ended"),
            EventKind::Wave(n) => write!(f, "wave {n}"),
            EventKind::Arrived => f.write_str("arrived"),
            EventKind::Left => f.write_str("left"),
            EventKind::Requested => f.write_str("requested"),
            EventKind::Accepted { waited_ns: None } => f.write_str("accepted"),
            EventKind::Accepted { waited_ns: Some(waited) } => {
                write!(f, "accepted after a wait of {}", units::seconds(*waited))
            }
            EventKind::Refused(reason) => write!(f, "refused: {reason}"),
            EventKind::Completed { response_ns, late_ns: 0 } => {
                write!(f, "completed in {}", units::seconds(*response_ns))
            }
            EventKind::Completed { response_ns, late_ns } => {
                let (response, late) = (units::seconds(*response_ns), units::seconds(*late_ns));
                write!(f, "completed in {response}, begun {late} late")
            }
            EventKind::Failed(reason) => write!(f, "failed: {reason}"),
            EventKind::Abandoned => f.write_str("abandoned"),
            EventKind::Cancelled => f.write_str("cancelled before it was accepted"),
            EventKind::Panicked { message, location } => {
                write!(f, "panicked at {location}: {message}")
            }
            EventKind::Fault(what) => write!(f, "fault: {what}"),
            EventKind::Decision(what) => write!(f, "decision: {what}"),
            EventKind::Violated { property, detail } if detail.is_empty() => {
                write!(f, "violated: {property}")
            }
            EventKind::Violated { property, detail } => {
                write!(f, "violated: {property} ({detail})")
            }
            EventKind::Note(text) => f.write_str(text),
            EventKind::Dropped => f.write_str("dropped: no user was free"),
            EventKind::Interrupted => f.write_str("interrupted by the end of the load"),
            EventKind::BeganLate { late_ns } => {
                write!(f, "began {} late", units::seconds(*late_ns))
            }
            EventKind::Sample { metric, sample } => match sample {
                Sample::Added(n) => write!(f, "{metric} +{n}"),
                Sample::Stands(n) => write!(f, "{metric} = {n}"),
                Sample::Was(yes) => write!(f, "{metric}: {}", if *yes { "yes" } else { "no" }),
                Sample::Took(ns) => write!(f, "{metric}: {}", units::seconds(*ns)),
                Sample::Value(n) => write!(f, "{metric}: {n}"),
            },
            EventKind::Aborted(threshold) => write!(f, "aborted: {threshold}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.at_ns / 1_000;
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        write!(f, "{s:>6}.{us:06}  {:<10}  {}", self.actor, self.kind)?;
        if !self.tags.is_empty() {
            write!(f, "  [{}]", self.tags)?;
        }
        Ok(())
    }
}

/// Hash of an event stream: equal streams have equal fingerprints.
///
/// XXH3-64 over a fixed little-endian encoding, so it is the same on every machine and in every build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("`{text}` is not a fingerprint: expected 16 hexadecimal digits"));
        }
        u64::from_str_radix(&text, 16)
            .map(Fingerprint)
            .map_err(|_| format!("`{text}` is not a fingerprint: expected 16 hexadecimal digits"))
    }
}

/// Which events are kept as they are, beside being folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Keep {
    /// The last [`TAIL`].
    #[default]
    Tail,
    /// So many of the last, and [`TAIL`] at least.
    Last(usize),
    /// All of them: memory grows with the run.
    All,
}
