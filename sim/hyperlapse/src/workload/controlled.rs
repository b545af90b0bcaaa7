//! A number of users that the script changes while the load goes on: a load that answers to what it meets.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rhythm::looping;
use super::{InvalidField, Load, MAX_USERS, Part, Rhythm, Workload, goes_on};
use crate::units;

pub(super) const ABOUT: &str =
    "as many users as the script says at the moment (Sim::set_users), each in a loop";

/// `kind = "controlled"`: as many users as the script says at the moment, by [`Sim::set_users`](crate::Sim::set_users).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Controlled {
    /// How many users there are at first.
    pub users: u64,
    /// How long the load goes on.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub duration: Duration,
    /// How they loop.
    #[serde(skip)]
    pub rhythm: Rhythm,
}

impl Controlled {
    /// This many users at first, for this long.
    pub fn new(users: u64, duration: Duration) -> Self {
        Self { users, duration, rhythm: Rhythm::default() }
    }
}

looping!(Controlled);

impl Workload for Controlled {
    fn validate(&self) -> Result<(), InvalidField> {
        if self.users >= MAX_USERS {
            let why = format!("is {}: expected fewer than {MAX_USERS} users", self.users);
            return Err(InvalidField::new("users", why));
        }
        goes_on("duration", self.duration)?;
        if !self.rhythm.spread.is_zero() {
            let why = "is for users who arrive together: these come when the script says so";
            return Err(InvalidField::new("spread", why));
        }
        self.rhythm.validate()
    }

    fn describe(&self) -> String {
        format!(
            "{} in a loop for {}, their number controlled by the script{}",
            units::plural(self.users, "user"),
            units::text(self.duration),
            self.rhythm.describe()
        )
    }

    fn parts(&self) -> Vec<Part> {
        let load = Load::Controlled {
            users: self.users as u32,
            duration: self.duration,
            rhythm: self.rhythm.clone(),
        };
        vec![Part { start: Duration::ZERO, of: None, load }]
    }

    fn rhythm(&mut self) -> Option<&mut Rhythm> {
        Some(&mut self.rhythm)
    }
}
