//! Per-user iterations: a fixed number of users with a fixed number of iterations each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Distribution, InvalidField, Repeat, Wave, Workload, more_than_none, users};
use crate::units;

pub(super) const ABOUT: &str = "n users with m iterations each, with a pause between iterations";

/// `kind = "per-user-iterations"`: a fixed number of users with a fixed number of iterations each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerUserIterations {
    /// How many users.
    pub users: u64,
    /// How many iterations each of them makes.
    pub iterations: u64,
    /// Time that a user waits between two iterations (think time).
    #[serde(default)]
    pub pause: Distribution,
    /// Over how long the users arrive, each at an offset that the seed draws.
    #[serde(default, with = "crate::units::duration")]
    pub spread: Duration,
}

impl PerUserIterations {
    /// This many users with this many iterations each, without pause.
    pub fn new(users: u64, iterations: u64) -> Self {
        Self { users, iterations, pause: Distribution::default(), spread: Duration::ZERO }
    }

    /// With this pause between iterations.
    pub fn pause(self, pause: impl Into<Distribution>) -> Self {
        Self { pause: pause.into(), ..self }
    }

    /// Arriving over this long instead of at one instant.
    pub fn spread(self, spread: Duration) -> Self {
        Self { spread, ..self }
    }
}

impl Workload for PerUserIterations {
    fn validate(&self) -> Result<(), InvalidField> {
        users("users", self.users)?;
        more_than_none("iterations", self.iterations == 0, "at least one iteration")?;
        self.pause.validate("pause")
    }

    fn describe(&self) -> String {
        let spread = match self.spread {
            Duration::ZERO => String::new(),
            spread => format!(", arriving over {}", units::text(spread)),
        };
        format!(
            "{} with {} each{}{spread}",
            units::plural(self.users, "user"),
            units::plural(self.iterations, "iteration"),
            self.pause.describe(", pausing "),
        )
    }

    fn waves(&self) -> Vec<Wave> {
        vec![Wave {
            at: Duration::ZERO,
            users: 0..self.users as u32,
            spread: self.spread,
            repeat: Repeat::Times(self.iterations),
            pause: self.pause.clone(),
        }]
    }
}
