//! An open model: a rate of arrivals that rises in steps.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intake::arriving;
use super::profile::Profile;
use super::stages;
use super::{Arrivals, Intake, InvalidField, Part, Rate, Workload, goes_on, more_than_none};
use crate::units;
use crate::workload::constant_arrival_rate::validate;

pub(super) const ABOUT: &str =
    "a rate of arrivals that rises in steps, each a user with one iteration";

/// `kind = "stepped-arrival-rate"`: a rate of arrivals that rises in steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SteppedArrivalRate {
    /// The rate of the first step.
    pub rate: Rate,
    /// How much more in each step after it.
    pub by: Rate,
    /// How many steps.
    pub steps: u32,
    /// How long each lasts.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub lasting: Duration,
    /// How long it takes from one to the next.
    #[serde(default, with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub ramps: Duration,
    /// Whether arrivals are independent of each other (a Poisson process) instead of evenly spaced.
    #[serde(default)]
    pub randomized: bool,
    /// How many are there at a time.
    #[serde(skip)]
    pub intake: Intake,
}

/// More steps than this are a slip of the finger.
const MOST_STEPS: u32 = 100_000;

impl SteppedArrivalRate {
    /// At this rate at first, so much more in each of so many steps.
    pub fn new(rate: Rate, by: Rate, steps: u32, lasting: Duration) -> Self {
        let ramps = Duration::ZERO;
        Self { rate, by, steps, lasting, ramps, randomized: false, intake: Intake::default() }
    }

    /// With a ramp of this length between two steps.
    pub fn ramps(self, ramps: Duration) -> Self {
        Self { ramps, ..self }
    }

    /// Arrivals that are independent of each other instead of evenly spaced.
    pub fn randomized(self) -> Self {
        Self { randomized: true, ..self }
    }

    fn arrivals(&self) -> Arrivals {
        let levels = (0..self.steps).map(|n| self.rate.plus(self.by, n));
        let mut from = self.rate;
        let pieces = stages::steps(levels, self.lasting, self.ramps).into_iter();
        let profile = Profile::new(pieces.map(|(duration, to)| {
            let piece = (from, to, duration);
            from = to;
            piece
        }));
        if self.randomized { Arrivals::Poisson(profile) } else { Arrivals::Regular(profile) }
    }
}

arriving!(SteppedArrivalRate);

impl Workload for SteppedArrivalRate {
    fn validate(&self) -> Result<(), InvalidField> {
        more_than_none("steps", self.steps == 0, "at least one step")?;
        if self.steps > MOST_STEPS {
            let why = format!("is {}: expected at most {MOST_STEPS}", self.steps);
            return Err(InvalidField::new("steps", why));
        }
        goes_on("lasting", self.lasting)?;
        validate("rate", &self.arrivals(), &self.intake)
    }

    fn describe(&self) -> String {
        let ramps = match self.ramps.is_zero() {
            true => String::new(),
            false => format!(", ramps of {}", units::text(self.ramps)),
        };
        format!(
            "arrivals at {}, {} more in each of {} of {}{ramps}{}{}",
            self.rate,
            self.by,
            units::plural(self.steps.into(), "step"),
            units::text(self.lasting),
            if self.randomized { ", independent (Poisson)" } else { "" },
            self.intake.describe()
        )
    }

    fn parts(&self) -> Vec<Part> {
        vec![Part::open(self.arrivals(), &self.intake)]
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        Some(&mut self.intake)
    }
}
