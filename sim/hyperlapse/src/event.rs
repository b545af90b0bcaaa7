//! The one ordered stream of what happened in a run.
//!
//! Everything that a report says of a run is folded from these events as they come: metrics, the
//! fingerprint, the trace. The stream itself is kept only when it is asked for (a trace) and, always,
//! its last [`TAIL`] events, so that a failure can say what led to it and a day of load needs no more
//! memory than a minute.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

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
    fn tag(&self) -> u8 {
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

/// Takes the stream: hashes it, counts it, keeps what is to be kept.
pub(crate) struct EventLog {
    hash: u64,
    count: u64,
    /// How many are kept.
    most: usize,
    kept: Vec<Event>,
    /// Where in `kept` the next one goes, once there are so many: in the place of the oldest.
    oldest: usize,
    /// The fingerprint after 1, 2, 4, 8, … events.
    checkpoints: Vec<Fingerprint>,
}

impl EventLog {
    pub(crate) fn new(keep: Keep) -> Self {
        let most = match keep {
            Keep::Tail => TAIL,
            Keep::Last(events) => events.max(TAIL),
            Keep::All => usize::MAX,
        };
        // Reserved before the run's memory is first measured, so that the log does not grow in it.
        Self {
            hash: 0,
            count: 0,
            most,
            kept: Vec::with_capacity(TAIL),
            oldest: 0,
            checkpoints: Vec::with_capacity(64),
        }
    }

    pub(crate) fn push(&mut self, event: &Event) {
        self.hash = chain(self.hash, event);
        self.count += 1;
        if self.count.is_power_of_two() {
            self.checkpoints.push(self.fingerprint());
        }
        if self.kept.len() == self.most {
            // In its place: taking one out and putting one in moves some hundred bytes three times.
            self.kept[self.oldest] = event.clone();
            self.oldest = (self.oldest + 1) % self.most;
        } else {
            self.kept.push(event.clone());
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.hash)
    }

    pub(crate) fn into_kept(mut self) -> (Vec<Event>, Vec<Fingerprint>) {
        self.kept.rotate_left(self.oldest);
        (self.kept, self.checkpoints)
    }
}

/// The hash of a stream that ends with `event`, from that of the stream before it.
///
/// A chain of one-shot hashes, each seeded with the one before: for some 32 bytes XXH3 has a short way, and
/// the state of the stream is one number.
fn chain(before: u64, event: &Event) -> u64 {
    let mut head = [0u8; 32];
    head[..8].copy_from_slice(&event.at_ns.to_le_bytes());
    head[8] = event.kind.tag();
    let (actor_tag, actor) = match &event.actor {
        Actor::World => (0u8, 0u32),
        Actor::User(id) => (1, *id),
        Actor::Task(_) => (2, 0),
    };
    head[9] = actor_tag;
    head[10..14].copy_from_slice(&actor.to_le_bytes());
    let number = match &event.kind {
        EventKind::Wave(n) => u64::from(*n),
        EventKind::Accepted { waited_ns: Some(waited) } => waited.wrapping_add(1),
        EventKind::Completed { response_ns, .. } => *response_ns,
        EventKind::BeganLate { late_ns } => *late_ns,
        EventKind::Sample { sample, .. } => match *sample {
            Sample::Added(n) | Sample::Took(n) | Sample::Value(n) => n,
            Sample::Stands(n) => n as u64,
            Sample::Was(yes) => u64::from(yes),
        },
        _ => 0,
    };
    head[14..22].copy_from_slice(&number.to_le_bytes());
    // Zeros where an operation is not late: its hash is that of streams from before there were late ones.
    if let EventKind::Completed { late_ns, .. } = &event.kind {
        head[22..30].copy_from_slice(&late_ns.to_le_bytes());
    }
    let texts: [&str; 2] = match &event.kind {
        EventKind::Refused(text)
        | EventKind::Failed(text)
        | EventKind::Fault(text)
        | EventKind::Decision(text)
        | EventKind::Note(text)
        | EventKind::Sample { metric: text, .. } => [text, ""],
        EventKind::Aborted(text) => [text, ""],
        EventKind::Panicked { message, location } => [message, location],
        EventKind::Violated { property, detail } => [property, detail],
        _ => ["", ""],
    };
    let place = if let Actor::Task(place) = &event.actor { file_of(place) } else { "" };
    let mut hash = XxHash3_64::oneshot_with_seed(before, &head);
    let texts = [texts[0], texts[1], place, event.tags.text()];
    for (number, text) in texts.into_iter().enumerate() {
        if !text.is_empty() {
            // The number keeps a text apart from the same one in another place.
            hash = XxHash3_64::oneshot_with_seed(hash ^ (number as u64 + 1), text.as_bytes());
        }
    }
    hash
}

/// A place without its line: a line more above where a task is spawned does not make another run of it.
fn file_of(place: &str) -> &str {
    place.split_once(".rs:").map_or(place, |(file, _)| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(events: &[Event]) -> EventLog {
        let mut log = EventLog::new(Keep::Tail);
        for event in events {
            log.push(event);
        }
        log
    }

    fn event(at_ns: u64, kind: EventKind) -> Event {
        Event::new(at_ns, Actor::User(1), kind)
    }

    fn sample(metric: &'static str, sample: Sample) -> Event {
        event(5, EventKind::Sample { metric: metric.into(), sample })
    }

    fn tags(key: &str, value: &str) -> Tags {
        Tags::from(vec![(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn every_part_of_an_event_changes_the_fingerprint() {
        let base = event(5, EventKind::Refused("global limit".into()));
        let variants = [
            base.clone(),
            event(6, base.kind.clone()),
            Event { actor: Actor::User(2), ..base.clone() },
            Event { actor: Actor::World, ..base.clone() },
            event(5, EventKind::Refused("user limit".into())),
            event(5, EventKind::Failed("global limit".into())),
            event(5, EventKind::Accepted { waited_ns: None }),
            event(5, EventKind::Accepted { waited_ns: Some(0) }),
            event(5, EventKind::Completed { response_ns: 1, late_ns: 0 }),
            event(5, EventKind::Completed { response_ns: 1, late_ns: 1 }),
            event(5, EventKind::BeganLate { late_ns: 1 }),
            event(5, EventKind::Dropped),
            event(5, EventKind::Interrupted),
            sample("tokens", Sample::Added(1)),
            sample("tokens", Sample::Added(2)),
            sample("words", Sample::Added(1)),
            sample("tokens", Sample::Stands(1)),
            sample("tokens", Sample::Stands(-1)),
            sample("tokens", Sample::Was(true)),
            sample("tokens", Sample::Took(1)),
            sample("tokens", Sample::Value(1)),
            Event { tags: tags("model", "small"), ..base.clone() },
            Event { tags: tags("model", "large"), ..base.clone() },
        ];
        let mut seen: Vec<u64> =
            variants.iter().map(|event| log(std::slice::from_ref(event)).fingerprint().0).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), variants.len());
    }

    #[test]
    fn a_line_more_in_a_file_does_not_change_the_fingerprint() {
        let of = |place: &'static str| {
            let actor = Actor::Task(place.into());
            log(&[Event::new(1, actor, EventKind::Arrived)]).fingerprint()
        };
        assert_eq!(of("a/b.rs:96:17"), of("a/b.rs:97:9"));
        assert_ne!(of("a/b.rs:96:17"), of("a/c.rs:96:17"));
    }

    #[test]
    fn order_changes_the_fingerprint_and_the_tail_is_bounded() {
        let (a, b) = (event(1, EventKind::Arrived), event(1, EventKind::Left));
        assert_ne!(log(&[a.clone(), b.clone()]).fingerprint(), log(&[b, a.clone()]).fingerprint());
        let many: Vec<Event> =
            (0..TAIL as u64 * 3 + 5).map(|at| Event { at_ns: at, ..a.clone() }).collect();
        let log = log(&many);
        assert_eq!(log.count(), many.len() as u64);
        assert_eq!(log.into_kept().0, many[many.len() - TAIL..]);
    }
}
