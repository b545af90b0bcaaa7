//! A number of users that follows stages: each user loops from when it comes until it goes.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rhythm::looping;
use super::stages::{self, Stay, UserStage};
use super::{InvalidField, MAX_USERS, Part, Repeat, Rhythm, Wave, Workload};
use crate::units;

pub(super) const ABOUT: &str =
    "a number of users that follows stages, each in a loop while it is there";

/// `kind = "ramping-users"`: a number of users that follows stages.
///
/// At each instant there are as many as the straight line says, rounded to the nearest whole number. Who came last goes
/// first, after the iteration under way; somebody who comes later is another virtual user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RampingUsers {
    /// How many users there are at first.
    #[serde(default)]
    pub users: u64,
    /// Where the number goes from there.
    pub stages: Vec<UserStage>,
    /// How they loop.
    #[serde(skip)]
    pub rhythm: Rhythm,
}

impl RampingUsers {
    /// This many users at first; the stages follow.
    pub fn from(users: u64) -> Self {
        Self { users, stages: Vec::new(), rhythm: Rhythm::default() }
    }

    /// To so many over so long; zero is a jump.
    pub fn to(mut self, target: u64, duration: Duration) -> Self {
        self.stages.push(UserStage { duration, target });
        self
    }
}

looping!(RampingUsers);

/// Users who come and go one by one.
pub(super) fn part(stays: &[Stay], rhythm: &Rhythm) -> Part {
    // In the order of coming, and those who come together in one wave.
    let mut waves: Vec<Wave> = Vec::new();
    for (number, stay) in stays.iter().enumerate() {
        let number = number as u32;
        let repeat = Repeat::For(stay.until.saturating_sub(stay.from));
        match waves.last_mut() {
            Some(last) if last.at == stay.from && last.repeat == repeat => {
                last.users.end = number + 1;
            }
            _ => waves.push(Wave {
                at: stay.from,
                users: number..number + 1,
                ..Wave::only(0, repeat)
            }),
        }
    }
    Part::closed(waves, rhythm)
}

impl Workload for RampingUsers {
    fn validate(&self) -> Result<(), InvalidField> {
        stages::validate_users(&self.stages)?;
        if self.users >= MAX_USERS {
            return Err(InvalidField::new(
                "users",
                format!("is {}: expected fewer than {MAX_USERS}", self.users),
            ));
        }
        if self.users == 0 && self.stages.iter().all(|stage| stage.target == 0) {
            return Err(InvalidField::new("stages", "never has a user: expected a target above 0"));
        }
        if !self.rhythm.spread.is_zero() {
            let why = "is for users who arrive together: these come along the stages";
            return Err(InvalidField::new("spread", why));
        }
        self.rhythm.validate()
    }

    fn describe(&self) -> String {
        let stages: Vec<String> = self.stages.iter().map(describe_stage).collect();
        format!(
            "{} in a loop, {}{}",
            units::plural(self.users, "user"),
            stages.join(", "),
            self.rhythm.describe()
        )
    }

    fn parts(&self) -> Vec<Part> {
        vec![part(&stages::stays(self.users, &self.stages), &self.rhythm)]
    }

    fn rhythm(&mut self) -> Option<&mut Rhythm> {
        Some(&mut self.rhythm)
    }
}

fn describe_stage(stage: &UserStage) -> String {
    match stage.duration.is_zero() {
        true => format!("at once to {}", units::count(stage.target)),
        false => format!("to {} over {}", units::count(stage.target), units::text(stage.duration)),
    }
}
