//! A fixed number of users, each in a loop for a duration.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rhythm::looping;
use super::{InvalidField, Part, Repeat, Rhythm, Wave, Workload, goes_on, users};
use crate::units;

pub(super) const ABOUT: &str =
    "n users, each in a loop for a duration, with a pause between iterations";

/// `kind = "constant-users"`: a fixed number of users, each in a loop for a duration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstantUsers {
    /// How many users.
    pub users: u64,
    /// How long they go on. An iteration that has begun is finished.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub duration: Duration,
    /// How they loop.
    #[serde(skip)]
    pub rhythm: Rhythm,
}

impl ConstantUsers {
    /// This many users for this long, without pause.
    pub fn new(users: u64, duration: Duration) -> Self {
        Self { users, duration, rhythm: Rhythm::default() }
    }
}

looping!(ConstantUsers);

impl Workload for ConstantUsers {
    fn validate(&self) -> Result<(), InvalidField> {
        users("users", self.users)?;
        goes_on("duration", self.duration)?;
        self.rhythm.validate()
    }

    fn describe(&self) -> String {
        format!(
            "{} in a loop for {}{}",
            units::plural(self.users, "user"),
            units::text(self.duration),
            self.rhythm.describe(),
        )
    }

    fn parts(&self) -> Vec<Part> {
        let wave = Wave {
            spread: self.rhythm.spread,
            ..Wave::only(self.users, Repeat::For(self.duration))
        };
        vec![Part::closed(vec![wave], &self.rhythm)]
    }

    fn rhythm(&mut self) -> Option<&mut Rhythm> {
        Some(&mut self.rhythm)
    }
}
