//! Per-user iterations: a fixed number of users with a fixed number of iterations each.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rhythm::looping;
use super::{InvalidField, Part, Repeat, Rhythm, Wave, Workload, more_than_none, users};
use crate::units;

pub(super) const ABOUT: &str = "n users with m iterations each, with a pause between iterations";

/// `kind = "per-user-iterations"`: a fixed number of users with a fixed number of iterations each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerUserIterations {
    /// How many users.
    pub users: u64,
    /// How many iterations each of them makes.
    pub iterations: u64,
    /// No iteration begins later than this.
    #[serde(default, with = "crate::units::duration::option")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub max_duration: Option<Duration>,
    /// How they loop.
    #[serde(skip)]
    pub rhythm: Rhythm,
}

impl PerUserIterations {
    /// This many users with this many iterations each, without pause.
    pub fn new(users: u64, iterations: u64) -> Self {
        Self { users, iterations, max_duration: None, rhythm: Rhythm::default() }
    }

    /// No iteration begins later than this.
    pub fn max_duration(self, at_most: Duration) -> Self {
        Self { max_duration: Some(at_most), ..self }
    }
}

looping!(PerUserIterations);

impl Workload for PerUserIterations {
    fn validate(&self) -> Result<(), InvalidField> {
        users("users", self.users)?;
        more_than_none("iterations", self.iterations == 0, "at least one iteration")?;
        self.rhythm.validate()
    }

    fn describe(&self) -> String {
        format!(
            "{} with {} each{}{}",
            units::plural(self.users, "user"),
            units::plural(self.iterations, "iteration"),
            at_most(self.max_duration),
            self.rhythm.describe(),
        )
    }

    fn parts(&self) -> Vec<Part> {
        let wave = Wave {
            spread: self.rhythm.spread,
            at_most: self.max_duration,
            ..Wave::only(self.users, Repeat::Times(self.iterations))
        };
        vec![Part::closed(vec![wave], &self.rhythm)]
    }

    fn rhythm(&mut self) -> Option<&mut Rhythm> {
        Some(&mut self.rhythm)
    }
}

/// Words for a longest duration.
pub(super) fn at_most(max_duration: Option<Duration>) -> String {
    max_duration.map_or(String::new(), |time| format!(", for at most {}", units::text(time)))
}
