//! Bursts: a crowd at one instant, again and again, and time to recover between them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InvalidField, Part, Repeat, Rhythm, Wave, Workload, more_than_none, users};
use crate::units;

pub(super) const ABOUT: &str =
    "n users at one instant, again every so often; each burst has users of its own";

/// `kind = "bursts"`: a crowd at one instant, again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// How many bursts.
    pub bursts: u64,
    /// How many users in each.
    pub users: u64,
    /// From the start of one burst to the start of the next. The n-th begins at n times this, so the
    /// rate does not drift however long a burst takes.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub every: Duration,
}

impl Bursts {
    /// This many bursts of this many users, one each `every`.
    pub fn new(bursts: u64, users: u64, every: Duration) -> Self {
        Self { bursts, users, every }
    }
}

impl Workload for Bursts {
    fn validate(&self) -> Result<(), InvalidField> {
        more_than_none("bursts", self.bursts == 0, "at least one burst")?;
        more_than_none("every", self.every.is_zero(), "a time between bursts")?;
        users("users", self.users)?;
        users("bursts", self.users.saturating_mul(self.bursts))
    }

    fn describe(&self) -> String {
        format!(
            "{} of {}, one every {}",
            units::plural(self.bursts, "burst"),
            units::plural(self.users, "user"),
            units::text(self.every)
        )
    }

    fn parts(&self) -> Vec<Part> {
        let users = self.users as u32;
        let wave = |n: u32| Wave {
            at: self.every * n,
            users: n * users..(n + 1) * users,
            told: self.bursts > 1,
            ..Wave::only(0, Repeat::Times(1))
        };
        vec![Part::closed((0..self.bursts as u32).map(wave).collect(), &Rhythm::default())]
    }
}
