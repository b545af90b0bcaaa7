//! What a run will do, computed before it begins: everything that the scenario and the seed decide of
//! the load. It can be printed, and a run plays it without deciding anything more.

use std::sync::Arc;
use std::time::Duration;

use crate::random::{RandomExt, StreamRng, Streams};
use crate::scenario::{Scenario, UserKind};
use crate::units;
use crate::workload::{Arrival, Kinds, Load, Part, Repeat, Rhythm, Wave, assign};

/// Virtual time without any event after which a run has come to a stop, beside its users' pauses.
const QUIET: Duration = Duration::from_secs(3_600);

/// Virtual time that a run may take beyond what its load takes by itself, however busy it is.
const GRACE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The load of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is played side by side.
    pub parts: Vec<PlannedPart>,
    /// The kind of each user of the closed parts, as an index into the scenario's kinds; all 0 when it has none.
    pub kind_of_user: Vec<u16>,
    /// When each of them arrives after the beginning of its wave, in nanoseconds; empty when all arrive with their wave.
    pub offset_of_user_ns: Vec<u64>,
    /// When the run ends as a failure, in virtual time.
    pub deadline: Duration,
    /// Virtual time without any event after which it ends as a failure before that; `None` when the
    /// scenario sets a deadline of its own.
    pub quiet: Option<Duration>,
    seed: u64,
    kinds: Arc<[UserKind]>,
}

/// A part of the load, with the numbers of its users.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPart {
    /// What is played.
    pub part: Part,
    /// The number of the first of its users, where it has waves. Users of arrivals, and those whom the script asks for,
    /// are numbered as they come, after all users of waves.
    pub first_user: u32,
}

impl Plan {
    /// The plan of `scenario` with `seed`.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let streams = Streams::new(seed);
        let kinds: Arc<[UserKind]> = scenario.kinds().into();
        let (mut kind_of_user, mut offset_of_user_ns) = (Vec::new(), Vec::new());
        let mut parts = Vec::new();
        for part in scenario.workload().parts() {
            let first_user = kind_of_user.len() as u32;
            if let Load::Closed { waves, .. } = &part.load {
                let of = part.of.as_deref().map(|name| index_of(&kinds, name));
                kind_of_user.extend(kinds_of_waves(waves, of, &kinds));
                offsets(waves, first_user, &streams, &mut offset_of_user_ns);
            }
            parts.push(PlannedPart { part, first_user });
        }
        let deadline =
            scenario.deadline().unwrap_or_else(|| expected(&parts).saturating_add(GRACE));
        // Exponential pauses are longer than 30 times their mean once in 10^13.
        let longest = longest_pause(&parts).saturating_mul(30).saturating_add(QUIET);
        let quiet = scenario.deadline().is_none().then_some(longest);
        Self { parts, kind_of_user, offset_of_user_ns, deadline, quiet, seed, kinds }
    }

    /// How many users its waves have: those whose number is known before the run.
    pub fn users_of_waves(&self) -> u32 {
        self.kind_of_user.len() as u32
    }

    /// Whether users come whose number depends on arrivals or on the script.
    pub fn is_open(&self) -> bool {
        self.parts.iter().any(|planned| !matches!(planned.part.load, Load::Closed { .. }))
    }

    /// How many users come: those of waves, and every arrival. It takes some nanoseconds for each arrival. Users that the
    /// script asks for are not in it.
    pub fn users(&self) -> u64 {
        let arrivals: u64 = (0..self.parts.len())
            .map(|part| match &self.parts[part].part.load {
                Load::Open { arrivals, .. } if !arrivals.is_random() => arrivals.expected(),
                Load::Open { .. } => self.arrivals(part).count() as u64,
                _ => 0,
            })
            .sum();
        u64::from(self.users_of_waves()) + arrivals
    }

    /// When the arrivals of a part are, with the kind of each as an index; nothing for parts without arrivals.
    pub fn arrivals(&self, part: usize) -> impl Iterator<Item = (Arrival, u16)> + Send + '_ {
        let Part { load, of, .. } = &self.parts[part].part;
        let arrivals = match load {
            Load::Open { arrivals, .. } => Some(arrivals.iter(self.arrival_stream(part))),
            _ => None,
        };
        let mut of_mix = self.kinds_of(of.as_deref());
        arrivals.into_iter().flatten().map(move |arrival| {
            let kind = match &arrival.kind {
                Some(name) => index_of(&self.kinds, name),
                None => of_mix.next(),
            };
            (arrival, kind)
        })
    }

    fn arrival_stream(&self, part: usize) -> StreamRng {
        Streams::new(self.seed).stream(format_args!("drive/part-{part}/arrivals"))
    }

    /// The kinds of users who are numbered as they come.
    pub(crate) fn kinds_of(&self, of: Option<&str>) -> KindsOf {
        let weights: Vec<u32> = self.kinds.iter().map(|kind| kind.weight).collect();
        match of {
            Some(name) => KindsOf::All(index_of(&self.kinds, name)),
            None => KindsOf::Mix(Kinds::new(&weights)),
        }
    }

    /// Virtual time after which nobody begins anything, as far as the load alone decides that.
    pub fn expected(&self) -> Duration {
        expected(&self.parts)
    }

    pub(crate) fn offset(&self, user: u32) -> Duration {
        let ns = self.offset_of_user_ns.get(user as usize).copied().unwrap_or(0);
        Duration::from_nanos(ns)
    }
}

/// The kinds of users one after the other.
pub(crate) enum KindsOf {
    All(u16),
    Mix(Kinds),
}

impl KindsOf {
    pub(crate) fn next(&mut self) -> u16 {
        match self {
            KindsOf::All(kind) => *kind,
            KindsOf::Mix(kinds) => kinds.next(),
        }
    }
}

fn index_of(kinds: &[UserKind], name: &str) -> u16 {
    let found = kinds.iter().position(|kind| kind.name == name);
    found.expect("the kinds that a workload names were checked when the scenario was read") as u16
}

/// The kinds of users of waves: in exact shares within each wave that is told as one, else within all of them.
fn kinds_of_waves(waves: &[Wave], of: Option<u16>, kinds: &[UserKind]) -> Vec<u16> {
    let weights: Vec<u32> = kinds.iter().map(|kind| kind.weight).collect();
    let mut kind_of_user = Vec::new();
    for wave in waves {
        assert!(
            wave.users.start as usize == kind_of_user.len(),
            "waves do not number their users one after the other: {wave:?} after {} users",
            kind_of_user.len()
        );
        match of {
            Some(kind) => kind_of_user.resize(wave.users.end as usize, kind),
            None if wave.told => kind_of_user.extend(assign(wave.users.len() as u32, &weights)),
            None => kind_of_user.resize(wave.users.end as usize, 0),
        }
    }
    if of.is_none() && waves.iter().all(|wave| !wave.told) {
        kind_of_user = assign(kind_of_user.len() as u32, &weights);
    }
    kind_of_user
}

fn offsets(waves: &[Wave], first_user: u32, streams: &Streams, offset_of_user_ns: &mut Vec<u64>) {
    if waves.iter().all(|wave| wave.spread.is_zero()) {
        return;
    }
    // Users of parts before this one arrive with their waves.
    offset_of_user_ns.resize(first_user as usize, 0);
    for wave in waves {
        let spread = units::nanos(wave.spread);
        offset_of_user_ns.extend(wave.users.clone().map(|user| match spread {
            0 => 0,
            _ => {
                let user = first_user + user;
                streams.stream(format_args!("drive/{user}/arrival")).below(spread)
            }
        }));
    }
}

fn longest_pause(parts: &[PlannedPart]) -> Duration {
    let of_rhythm = |rhythm: &Rhythm, users: u32| {
        let slowest = users.saturating_sub(1);
        rhythm.pause.mean_of(slowest).max(rhythm.pacing.mean_of(slowest))
    };
    let of = |planned: &PlannedPart| match &planned.part.load {
        Load::Closed { waves, rhythm } => {
            let users = waves.last().map_or(0, |wave| wave.users.end);
            of_rhythm(rhythm, planned.first_user + users)
        }
        Load::Controlled { rhythm, users, .. } => of_rhythm(rhythm, *users),
        // Between two of a slow rate, or of a recording with a gap.
        Load::Open { arrivals, .. } => arrivals.lasts(),
    };
    parts.iter().map(of).max().unwrap_or_default()
}

fn expected(parts: &[PlannedPart]) -> Duration {
    let of = |planned: &PlannedPart| {
        let lasts = match &planned.part.load {
            Load::Closed { waves, rhythm } => {
                waves.iter().map(|wave| end_of(wave, rhythm)).max().unwrap_or_default()
            }
            Load::Open { arrivals, .. } => arrivals.lasts(),
            Load::Controlled { duration, .. } => *duration,
        };
        planned.part.start.saturating_add(lasts)
    };
    parts.iter().map(of).max().unwrap_or_default()
}

fn end_of(wave: &Wave, rhythm: &Rhythm) -> Duration {
    let lasts = match wave.repeat {
        Repeat::For(duration) => duration,
        Repeat::Times(times) => {
            let pauses = u32::try_from(times.saturating_sub(1)).unwrap_or(u32::MAX);
            rhythm.pause.mean().saturating_mul(pauses)
        }
        Repeat::Shared(_) => Duration::ZERO,
    };
    let lasts = wave.at_most.map_or(lasts, |most| lasts.min(most));
    wave.at.saturating_add(wave.spread).saturating_add(lasts)
}
