//! All users at one instant, one iteration each: the sharpest front a system can meet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Distribution, InvalidField, Repeat, Wave, Workload, users};
use crate::units;

pub(super) const ABOUT: &str = "n users at one instant, one iteration each";

/// `kind = "all-at-once"`: all users at one instant, one iteration each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    fn waves(&self) -> Vec<Wave> {
        vec![Wave {
            at: Duration::ZERO,
            users: 0..self.users as u32,
            spread: Duration::ZERO,
            repeat: Repeat::Times(1),
            pause: Distribution::Constant(Duration::ZERO),
        }]
    }
}
