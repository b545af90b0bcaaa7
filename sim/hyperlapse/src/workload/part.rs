//! What a workload comes to: users who arrive in waves and loop, or arrivals one by one.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::profile::Profile;
use super::stress_peak;
use super::{Intake, Rhythm};
use crate::random::{RandomExt, StreamRng};

/// A part of a load, played beside the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// When it begins, since the start of the load.
    pub start: Duration,
    /// The kind that all its users are of; the scenario's mix where it does not say.
    pub of: Option<String>,
    /// Who comes when.
    pub load: Load,
}

impl Part {
    /// Users who loop.
    pub fn closed(waves: Vec<Wave>, rhythm: &Rhythm) -> Self {
        let load = Load::Closed { waves, rhythm: rhythm.clone() };
        Self { start: Duration::ZERO, of: None, load }
    }

    /// Arrivals, each with one iteration.
    pub fn open(arrivals: Arrivals, intake: &Intake) -> Self {
        let load = Load::Open { arrivals, intake: intake.clone() };
        Self { start: Duration::ZERO, of: None, load }
    }
}

/// Who comes when.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// Users who arrive in waves and loop.
    Closed {
        /// The waves, in the order of their beginning; their users are numbered one after the other.
        waves: Vec<Wave>,
        /// How they loop.
        rhythm: Rhythm,
    },
    /// Arrivals, each a user with one iteration.
    Open {
        /// When.
        arrivals: Arrivals,
        /// How many of them at a time.
        intake: Intake,
    },
    /// As many users as the script says at the moment, who loop.
    Controlled {
        /// How many there are at first.
        users: u32,
        /// How long the load goes on.
        duration: Duration,
        /// How they loop.
        rhythm: Rhythm,
    },
}

/// Users who arrive together and behave alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// When the first of them arrives, since the start of the part.
    pub at: Duration,
    /// Their numbers, within the part.
    pub users: Range<u32>,
    /// Over how long they arrive: each draws an offset below it. Zero: all at the same instant.
    pub spread: Duration,
    /// How often each of them iterates.
    pub repeat: Repeat,
    /// No iteration begins later than this after the wave.
    pub at_most: Option<Duration>,
    /// Whether it is a wave of its own to whoever looks: told in the events, its kinds of users in exact shares. Users of a
    /// ramp come one by one and are one crowd.
    pub told: bool,
}

impl Wave {
    /// The only wave of a load: these many users, from its beginning.
    pub fn only(users: u64, repeat: Repeat) -> Self {
        Self {
            at: Duration::ZERO,
            users: 0..users as u32,
            spread: Duration::ZERO,
            repeat,
            at_most: None,
            told: false,
        }
    }

    /// Virtual time after its beginning at which nobody begins anything any more, where the load says so.
    pub fn lasts(&self) -> Option<Duration> {
        match self.repeat {
            Repeat::For(duration) => Some(duration),
            Repeat::Times(_) | Repeat::Shared(_) => self.at_most,
        }
    }
}

/// How often a user iterates before it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// This often.
    Times(u64),
    /// This often, all users of the wave together.
    Shared(u64),
    /// As long as less than this has passed since its wave began; an iteration under way is finished.
    For(Duration),
}

/// One arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When it is intended, since the start of the part: a whole millisecond, since timers have no finer one.
    pub at: Duration,
    /// The kind of user, where a recording says so.
    pub kind: Option<Arc<str>>,
}

/// Arrivals one by one, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// At a rate that may change: the n-th where its integral reaches n.
    Regular(Profile),
    /// At a rate that may change, independent of each other: a Poisson process.
    Poisson(Profile),
    /// So many over so long, along a smooth step.
    Peak {
        /// How many.
        users: u64,
        /// Over how long.
        duration: Duration,
    },
    /// At these instants.
    Listed(Arc<[Arrival]>),
}

impl Arrivals {
    /// About how many there are; exactly, but for a Poisson process.
    pub fn expected(&self) -> u64 {
        match self {
            Arrivals::Regular(profile) => profile.arrivals(),
            Arrivals::Poisson(profile) => profile.total() as u64,
            Arrivals::Peak { users, .. } => *users,
            Arrivals::Listed(list) => list.len() as u64,
        }
    }

    /// How long they go on.
    pub fn lasts(&self) -> Duration {
        match self {
            Arrivals::Regular(profile) | Arrivals::Poisson(profile) => profile.lasts(),
            Arrivals::Peak { duration, .. } => *duration,
            Arrivals::Listed(list) => list.last().map_or(Duration::ZERO, |last| last.at),
        }
    }

    /// Whether the seed decides when they are.
    pub fn is_random(&self) -> bool {
        matches!(self, Arrivals::Poisson(_))
    }

    /// All of them, each computed when it is asked for. `rng` is that of this part alone.
    pub(crate) fn iter(&self, mut rng: StreamRng) -> Box<dyn Iterator<Item = Arrival> + Send + '_> {
        let at = |ns: u64| Arrival { at: whole_ms(ns), kind: None };
        match self {
            Arrivals::Regular(profile) => {
                Box::new((0..profile.arrivals()).map(move |n| at(profile.instant_ns(n as f64))))
            }
            Arrivals::Poisson(profile) => {
                let mut reached = 0.0;
                Box::new(std::iter::from_fn(move || {
                    // A process of rate one, stretched by the integral of the rate.
                    reached -= libm::log(rng.unit());
                    (reached < profile.total()).then(|| at(profile.instant_ns(reached)))
                }))
            }
            Arrivals::Peak { users, duration } => Box::new(
                (0..*users).map(move |n| at(stress_peak::instant_ns(n, *users, *duration))),
            ),
            Arrivals::Listed(list) => Box::new(list.iter().cloned()),
        }
    }
}

/// The first whole millisecond that is not before this.
pub(super) fn whole_ms(ns: u64) -> Duration {
    Duration::from_millis(ns.div_ceil(1_000_000))
}
