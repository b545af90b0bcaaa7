//! All users at one instant, one iteration each: the sharpest front a system can meet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InvalidField, Part, Repeat, Rhythm, Wave, Workload, users};
use crate::units;

pub(super) const ABOUT: &str = "n users at one instant, one iteration each";

/// `kind = "all-at-once"`: all users at one instant, one iteration each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllAtOnce {
    /// How many.
    pub users: u64,
}

impl AllAtOnce {
    /// This many users at one instant.
    pub fn users(users: u64) -> Self {
        Self { users }
    }
}

impl Workload for AllAtOnce {
    fn validate(&self) -> Result<(), InvalidField> {
        users("users", self.users)
    }

    fn describe(&self) -> String {
        format!("{} at once, one iteration each", units::plural(self.users, "user"))
    }

    fn parts(&self) -> Vec<Part> {
        vec![Part::closed(vec![Wave::only(self.users, Repeat::Times(1))], &Rhythm::default())]
    }
}
