//! A number of users that rises in steps: how a system bears a load of each size, one after the other.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rhythm::looping;
use super::stages::{self, UserStage};
use super::{InvalidField, Part, Rhythm, Workload, goes_on, more_than_none, ramping_users, users};
use crate::units;

pub(super) const ABOUT: &str =
    "a number of users that rises in steps, each in a loop while it is there";

/// `kind = "stepped-users"`: a number of users that rises in steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SteppedUsers {
    /// How many users there are in the first step.
    pub users: u64,
    /// How many more in each step after it.
    pub by: u64,
    /// How many steps.
    pub steps: u64,
    /// How long each lasts.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub lasting: Duration,
    /// How long it takes from one to the next.
    #[serde(default, with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub ramps: Duration,
    /// How they loop.
    #[serde(skip)]
    pub rhythm: Rhythm,
}

impl SteppedUsers {
    /// So many users at first, so many more in each of so many steps.
    pub fn new(users: u64, by: u64, steps: u64, lasting: Duration) -> Self {
        Self { users, by, steps, lasting, ramps: Duration::ZERO, rhythm: Rhythm::default() }
    }

    /// With a ramp of this length between two steps.
    pub fn ramps(self, ramps: Duration) -> Self {
        Self { ramps, ..self }
    }

    fn stages(&self) -> Vec<UserStage> {
        let levels = (0..self.steps).map(|n| self.users + n * self.by);
        let stages = stages::steps(levels, self.lasting, self.ramps).into_iter();
        stages.map(|(duration, target)| UserStage { duration, target }).collect()
    }
}

looping!(SteppedUsers);

impl Workload for SteppedUsers {
    fn validate(&self) -> Result<(), InvalidField> {
        more_than_none("steps", self.steps == 0, "at least one step")?;
        goes_on("lasting", self.lasting)?;
        let most = self.by.saturating_mul(self.steps - 1).saturating_add(self.users);
        users("by", most)?;
        if !self.rhythm.spread.is_zero() {
            let why = "is for users who arrive together: these come step by step";
            return Err(InvalidField::new("spread", why));
        }
        self.rhythm.validate()
    }

    fn describe(&self) -> String {
        let ramps = match self.ramps.is_zero() {
            true => String::new(),
            false => format!(", ramps of {}", units::text(self.ramps)),
        };
        format!(
            "{} in a loop, {} more in each of {} of {}{ramps}{}",
            units::plural(self.users, "user"),
            units::count(self.by),
            units::plural(self.steps, "step"),
            units::text(self.lasting),
            self.rhythm.describe()
        )
    }

    fn parts(&self) -> Vec<Part> {
        vec![ramping_users::part(&stages::stays(0, &self.stages()), &self.rhythm)]
    }

    fn rhythm(&mut self) -> Option<&mut Rhythm> {
        Some(&mut self.rhythm)
    }
}
