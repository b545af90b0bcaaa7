//! What a run will do, computed before it begins: everything that the scenario and the seed decide of
//! the load. It can be printed, and a run plays it without deciding anything more.

use std::time::Duration;

use crate::random::{RandomExt, Streams};
use crate::scenario::Scenario;
use crate::units;
use crate::workload::{Repeat, Wave, assign};

/// Virtual time without any event after which a run has come to a stop, beside its users' pauses.
const QUIET: Duration = Duration::from_secs(3_600);

/// Virtual time that a run may take beyond what its load takes by itself, however busy it is.
const GRACE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The load of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The waves, in the order of their beginning.
    pub waves: Vec<Wave>,
    /// The kind of each user, as an index into the scenario's kinds; all 0 when it has none.
    pub kind_of_user: Vec<u16>,
    /// When each user arrives after the beginning of its wave, in nanoseconds; empty when all arrive
    /// with their wave.
    pub offset_of_user_ns: Vec<u64>,
    /// When the run ends as a failure, in virtual time.
    pub deadline: Duration,
    /// Virtual time without any event after which it ends as a failure before that; `None` when the
    /// scenario sets a deadline of its own.
    pub quiet: Option<Duration>,
}

impl Plan {
    /// The plan of `scenario` with `seed`.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let streams = Streams::new(seed);
        let waves = scenario.workload().waves();
        let weights: Vec<u32> = scenario.kinds().iter().map(|kind| kind.weight).collect();
        let mut kind_of_user = Vec::new();
        for wave in &waves {
            assert!(
                wave.users.start as usize == kind_of_user.len(),
                "the waves of {:?} do not number their users one after the other",
                scenario.workload()
            );
            kind_of_user.extend(assign(wave.users.len() as u32, &weights));
        }
        let mut offset_of_user_ns = Vec::new();
        if waves.iter().any(|wave| !wave.spread.is_zero()) {
            for wave in &waves {
                let spread = units::nanos(wave.spread);
                offset_of_user_ns.extend(wave.users.clone().map(|user| match spread {
                    0 => 0,
                    _ => streams.stream(format_args!("drive/{user}/arrival")).below(spread),
                }));
            }
        }
        let deadline =
            scenario.deadline().unwrap_or_else(|| expected(&waves).saturating_add(GRACE));
        // Exponential pauses are longer than 30 times their mean once in 10^13.
        let pause = waves.iter().map(|wave| wave.pause.mean()).max().unwrap_or_default();
        let longest = pause.saturating_mul(30).saturating_add(QUIET);
        let quiet = scenario.deadline().is_none().then_some(longest);
        Self { waves, kind_of_user, offset_of_user_ns, deadline, quiet }
    }

    /// How many users it has.
    pub fn users(&self) -> usize {
        self.kind_of_user.len()
    }

    /// Virtual time after which nobody begins anything, as far as the load alone decides that.
    pub fn expected(&self) -> Duration {
        expected(&self.waves)
    }

    pub(crate) fn offset(&self, user: u32) -> Duration {
        let ns = self.offset_of_user_ns.get(user as usize).copied().unwrap_or(0);
        Duration::from_nanos(ns)
    }
}

fn expected(waves: &[Wave]) -> Duration {
    let end = |wave: &Wave| {
        let lasts = match wave.repeat {
            Repeat::For(duration) => duration,
            Repeat::Times(times) => {
                let pauses = u32::try_from(times.saturating_sub(1)).unwrap_or(u32::MAX);
                wave.pause.mean().saturating_mul(pauses)
            }
        };
        wave.at.saturating_add(wave.spread).saturating_add(lasts)
    };
    waves.iter().map(end).max().unwrap_or_default()
}
