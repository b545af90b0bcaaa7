//! A closed model: a fixed number of users, each in a loop for a duration. A slow system slows its own
//! load down.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Distribution, InvalidField, Repeat, Wave, Workload, more_than_none, users};
use crate::units;

pub(super) const ABOUT: &str =
    "n users, each in a loop for a duration, with a pause between iterations";

/// `kind = "closed"`: a fixed number of users, each in a loop for a duration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// How many users.
    pub users: u64,
    /// How long they go on. An iteration that has begun is finished.
    #[serde(with = "crate::units::duration")]
    pub duration: Duration,
    /// Time that a user waits after an iteration (think time).
    #[serde(default)]
    pub pause: Distribution,
    /// Over how long the users arrive, each at an offset that the seed draws.
    #[serde(default, with = "crate::units::duration")]
    pub spread: Duration,
}

impl Closed {
    /// This many users for this long, without pause.
    pub fn new(users: u64, duration: Duration) -> Self {
        Self { users, duration, pause: Distribution::default(), spread: Duration::ZERO }
    }

    /// With this pause after each iteration.
    pub fn pause(self, pause: impl Into<Distribution>) -> Self {
        Self { pause: pause.into(), ..self }
    }

    /// Arriving over this long instead of at one instant.
    pub fn spread(self, spread: Duration) -> Self {
        Self { spread, ..self }
    }
}

impl Workload for Closed {
    fn validate(&self) -> Result<(), InvalidField> {
        users("users", self.users)?;
        more_than_none("duration", self.duration.is_zero(), "a time to go on for")?;
        self.pause.validate("pause")
    }

    fn describe(&self) -> String {
        let spread = match self.spread {
            Duration::ZERO => String::new(),
            spread => format!(", arriving over {}", units::text(spread)),
        };
        format!(
            "{} in a loop for {}{}{spread}",
            units::plural(self.users, "user"),
            units::text(self.duration),
            self.pause.describe(", pausing "),
        )
    }

    fn waves(&self) -> Vec<Wave> {
        vec![Wave {
            at: Duration::ZERO,
            users: 0..self.users as u32,
            spread: self.spread,
            repeat: Repeat::For(self.duration),
            pause: self.pause.clone(),
        }]
    }
}
