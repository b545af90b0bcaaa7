//! What arrivals have in common: how many are served at a time, and what becomes of the others.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InvalidField;
use crate::units;

/// How arrivals find users to make them. In a scenario file its keys stand beside those of the workload.
///
/// Every arrival is a virtual user of its own. With `max_users` no more than so many are there at a time: one that
/// comes on top is dropped, and counted; with `backlog` so many may wait for their turn, and what they wait counts for
/// their response time, which runs from the instant that was intended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Intake {
    /// How many users are there at a time; no bound where it is left out.
    pub max_users: Option<u32>,
    /// How many arrivals may wait for one of them.
    pub backlog: u32,
    /// How long after the last arrival an iteration under way may go on before it is cut; it is never cut where this is
    /// left out.
    #[serde(with = "crate::units::duration::option")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub graceful_stop: Option<Duration>,
}

impl Intake {
    /// Its keys in a scenario file.
    pub(crate) const KEYS: &[&str] = &["max_users", "backlog", "graceful_stop"];

    pub(super) fn validate(&self) -> Result<(), InvalidField> {
        if self.max_users == Some(0) {
            return Err(InvalidField::new("max_users", "is 0: expected at least one user"));
        }
        if self.max_users.is_none() && self.backlog > 0 {
            let why = "is for arrivals beyond `max_users`, which is not set";
            return Err(InvalidField::new("backlog", why));
        }
        Ok(())
    }

    /// Words for a report, with a comma in front.
    pub(super) fn describe(&self) -> String {
        let mut text = match (self.max_users, self.backlog) {
            (None, _) => String::new(),
            (Some(users), 0) => format!(", at most {} at a time", units::count(users.into())),
            (Some(users), backlog) => format!(
                ", at most {} at a time and {} waiting",
                units::count(users.into()),
                units::count(backlog.into())
            ),
        };
        if let Some(stop) = self.graceful_stop {
            text.push_str(&format!(", cut {} after the end", units::text(stop)));
        }
        text
    }
}

/// The methods of a workload of arrivals.
macro_rules! arriving {
    ($workload:ident) => {
        impl $workload {
            /// No more users than this at a time; arrivals on top are dropped, and counted.
            pub fn max_users(mut self, users: u32) -> Self {
                self.intake.max_users = Some(users);
                self
            }

            /// So many arrivals may wait for a user, instead of being dropped.
            pub fn backlog(mut self, arrivals: u32) -> Self {
                self.intake.backlog = arrivals;
                self
            }

            /// Iterations under way are cut this long after the last arrival.
            pub fn graceful_stop(mut self, after: std::time::Duration) -> Self {
                self.intake.graceful_stop = Some(after);
                self
            }
        }
    };
}
pub(super) use arriving;
