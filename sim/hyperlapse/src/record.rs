//! What one run leaves behind: plain data, versioned, integers only.
//!
//! A record has three parts that must not be mixed up. Most of it is the same bytes for the same
//! scenario, seed and source, in any build. `memory` is exact and repeatable within one build.
//! `host` is measured on the machine and different every time. Fingerprints and snapshots see the first
//! part alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::decision::Decision;
use crate::event::{Event, Fingerprint};
use crate::explain::place::Places;
use crate::guard::HostSource;
use crate::io::IoRecord;
use crate::metrics::{Memory, Metrics};
use crate::profile::ResourceProfile;
use crate::property::{PropertyKind, PropertyRecord};
use crate::units;

/// Version of records, of the JSON of `run` and of what `compare` reads. Goes up with every change that
/// a reader could stumble over.
pub const FORMAT: u32 = 3;

/// One run, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The scenario's name.
    pub scenario: String,
    /// The system it ran against.
    pub system: String,
    /// What one operation is called: `conversation`.
    pub operation: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// The clock that it went by. On the real one every time is one of the host's, also where it is called virtual.
    #[serde(default, skip_serializing_if = "Clock::is_virtual")]
    pub clock: Clock,
    /// Settings that were changed for this run: path and value.
    pub set: Vec<(String, String)>,
    /// Hash of the event stream.
    pub fingerprint: Fingerprint,
    /// How many events there were.
    pub events: u64,
    /// Virtual time that the run took, in nanoseconds.
    pub virtual_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What was measured.
    pub metrics: Metrics,
    /// How many operations the system lets go on at once, as the scenario [says](crate::Sim::show_capacity):
    /// each level from when it holds. Empty where it says nothing.
    pub capacity: Vec<Capacity>,
    /// What the properties saw.
    pub properties: BTreeMap<String, PropertyRecord>,
    /// Panics that nobody asked for, in order; the first [`MAX_PANICS`].
    pub panics: Vec<Panic>,
    /// Faults that the scenario asked for or the world injected, by name.
    pub faults: BTreeMap<String, FaultRecord>,
    /// Decisions that bent the run, in order; the first of them where there were very many.
    #[serde(skip)]
    pub decisions: Vec<Decision>,
    /// How many decisions there were.
    pub decisions_total: u64,
    /// How many of each kind, by its name.
    pub decisions_by_kind: BTreeMap<String, u64>,
    /// Whether it followed a given list of decisions.
    #[serde(skip)]
    pub(crate) replayed: bool,
    /// Where an operation could be cancelled, for a run that was to find that out.
    #[serde(skip)]
    pub(crate) survey: Vec<Decision>,
    /// The iterations that took part, of a run that was bent or replayed.
    #[serde(skip)]
    pub(crate) parts: Vec<String>,
    /// Where tasks stood, for a run that was to note it.
    #[serde(skip)]
    pub(crate) places: Places,
    /// How often the system asked the host for random bytes, and was answered from the seed.
    pub asked_random: u64,
    /// How often it asked for the host's time, and was told virtual time.
    pub asked_clock: u64,
    /// Who asked, for a run that was to note it.
    #[serde(skip)]
    pub(crate) askers: Vec<(HostSource, String)>,
    /// Heap bytes; `None` without [`crate::CountingAllocator`].
    pub memory: Option<Memory>,
    /// What its disks and its network moved until the load was over.
    pub io: IoRecord,
    /// Where the time went, for a run that was to find that out.
    #[serde(skip)]
    pub profile: Option<ResourceProfile>,
    /// The last events, or all of them where they were asked for.
    #[serde(skip)]
    pub kept_events: Vec<Event>,
    /// The fingerprint after 1, 2, 4, 8, … events: they tell where two streams part.
    #[serde(skip)]
    pub checkpoints: Vec<Fingerprint>,
    /// Measured on the host, different every time.
    pub host: Host,
}

impl Record {
    /// Why the run breaks this property of it, if it does.
    pub(crate) fn broken(&self, property: &PropertyRecord) -> Option<String> {
        // Of a run that did not come to its end it says nothing that a check was not reached.
        if property.checked == 0 && self.outcome != Outcome::Finished {
            return None;
        }
        // Cut off on purpose, nothing had the time to come about or to come back.
        let takes_time =
            matches!(property.kind, PropertyKind::Sometimes | PropertyKind::Eventually);
        match &self.outcome {
            Outcome::Aborted { .. } | Outcome::Interrupted { .. } if takes_time => None,
            _ => property.broken(),
        }
    }
}

/// How many operations a system lets go on at once, from some moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Virtual time since the load started, in nanoseconds.
    pub at_ns: u64,
    /// So many.
    pub level: u64,
}

/// How many panics a record tells of; more of them say no more.
pub const MAX_PANICS: usize = 8;

/// What became of a fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// How often it struck.
    pub struck: u64,
    /// How often anybody came by its site; `None` for one that no scenario asked for.
    pub visits: Option<u64>,
    /// Whether a run in which it never struck is all right.
    pub optional: bool,
}

impl FaultRecord {
    /// Why the scenario did not get what it asked for, if so.
    pub fn missing(&self) -> Option<String> {
        if self.optional || self.struck > 0 {
            return None;
        }
        Some(match self.visits {
            None | Some(0) => "it never struck: nobody came by its site".to_owned(),
            Some(visits) => {
                format!("it never struck in {} of its site", units::plural(visits, "visit"))
            }
        })
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The scenario's body came to its end.
    Finished,
    /// The scenario's body panicked.
    BodyPanicked,
    /// A threshold that ends the run was broken for good.
    Aborted {
        /// Which one, as it was written.
        threshold: String,
        /// When, in virtual nanoseconds since the start of the run.
        at_ns: u64,
    },
    /// The virtual deadline came first.
    DeadlineReached {
        /// The deadline.
        deadline_ns: u64,
        /// Who had not left by then; the first [`MAX_WAITING`].
        waiting: Vec<Waiting>,
        /// How many had not left.
        waiting_total: u64,
    },
    /// Somebody ended it early: [`RunOptions::interrupt`](crate::RunOptions::interrupt).
    Interrupted {
        /// When, in nanoseconds since the start of the run.
        at_ns: u64,
    },
    /// Tasks were polled again and again while virtual time stood still.
    Livelock {
        /// Polls without progress of time.
        polls: u64,
        /// Who was polled last.
        task: String,
    },
    /// The run's process died.
    Crashed {
        /// How: `killed by SIGSEGV`, `exited with 7`, with the last it said.
        how: String,
    },
    /// The run's thread gave no sign of life on the host's clock.
    Hung {
        /// For how long, in seconds of the host.
        seconds: u64,
    },
}

/// How many of those who wait are named.
pub const MAX_WAITING: usize = 10;

/// Somebody who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Who.
    pub actor: String,
    /// For what.
    pub doing: String,
    /// Since when, in virtual nanoseconds.
    pub since_ns: u64,
}

/// A panic that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// Virtual time, in nanoseconds.
    pub at_ns: u64,
    /// Whose task it was.
    pub actor: String,
    /// Its message.
    pub message: String,
    /// File, line and column.
    pub location: String,
}

/// What the host measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Wall time of the run, in nanoseconds.
    pub wall_ns: u64,
    /// Resident memory of the process after the run, in bytes, where the platform tells.
    pub rss_bytes: Option<u64>,
    /// `debug` or `release`.
    pub profile: Profile,
    /// What the process under test took, of a run on the [real clock](crate::Clock::Real).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// What the process under test took of the host between the beginning of the scenario's body and its end.
///
/// It is this process, virtual users and recorder included, unless the system
/// [says](crate::Sim::measure_process) that it has one of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Processor time in its own code, in nanoseconds, where the platform tells.
    pub cpu_user_ns: Option<u64>,
    /// Processor time in the operating system for it, in nanoseconds.
    pub cpu_system_ns: Option<u64>,
    /// The most resident memory, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Whether it is a process beside the one of the virtual users.
    pub other_process: bool,
    /// How late timers came in this process while the run went on, of one that was set every 50 ms.
    pub timers: TimerLateness,
}

/// How much later than they were set for timers came, in nanoseconds. tokio's have a resolution of a millisecond: up to
/// one is theirs, the rest is that the host had something else to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerLateness {
    /// Half of them were no later.
    pub p50_ns: u64,
    /// All but a hundredth were no later.
    pub p99_ns: u64,
    /// The latest.
    pub max_ns: u64,
}

impl Spent {
    /// User and system time, in nanoseconds.
    pub fn cpu_ns(&self) -> Option<u64> {
        Some(self.cpu_user_ns?.saturating_add(self.cpu_system_ns?))
    }
}

/// How the binary was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// With debug assertions.
    #[default]
    Debug,
    /// Without.
    Release,
}

impl Profile {
    /// That of this build.
    pub const fn current() -> Self {
        if cfg!(debug_assertions) { Profile::Debug } else { Profile::Release }
    }
}

impl Outcome {
    /// What went wrong, in a line; `None` when the body came to its end.
    pub fn failure(&self) -> Option<String> {
        self.failure_by(Clock::Virtual)
    }

    /// The same of a run on this clock.
    pub(crate) fn failure_by(&self, clock: Clock) -> Option<String> {
        match self {
            Outcome::Finished => None,
            Outcome::Aborted { threshold, at_ns } => {
                Some(format!("`{threshold}` was broken for good at {}", units::seconds(*at_ns)))
            }
            Outcome::Interrupted { at_ns } => Some(format!(
                "it was interrupted at {}: what is told is what was so far",
                units::seconds(*at_ns)
            )),
            Outcome::BodyPanicked => Some("the scenario's own body panicked".to_owned()),
            Outcome::DeadlineReached { deadline_ns, waiting, waiting_total } => {
                let when = units::seconds(*deadline_ns);
                let first = match waiting.first() {
                    None => "the scenario's body was still waiting".to_owned(),
                    Some(who) => format!(
                        "{} had not left; {} was {} since {}",
                        units::plural(*waiting_total, "user"),
                        who.actor,
                        who.doing,
                        units::seconds(who.since_ns)
                    ),
                };
                Some(format!("after {when} of {} {first}", clock.time()))
            }
            Outcome::Livelock { polls, task } => Some(format!(
                "{} while virtual time stood still, the last one of {task}",
                units::plural(*polls, "poll")
            )),
            Outcome::Crashed { how } => Some(format!("the run's process {how}")),
            Outcome::Hung { seconds } => Some(format!(
                "the run gave no sign of life for {}: a task does not return from its poll",
                units::plural(*seconds, "second")
            )),
        }
    }
}
