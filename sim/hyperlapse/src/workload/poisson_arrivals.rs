//! An open model: arrivals that do not know of each other, as those of many people do not.
//!
//! A Poisson process: exponential gaps, drawn from the seed, stretched by the rate. It is the arrival process of
//! queueing theory, against which the framework's own numbers are held.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intake::arriving;
use super::profile::Profile;
use super::{Arrivals, Intake, InvalidField, Part, Rate, Workload, goes_on, more_than_none};
use crate::units;
use crate::workload::constant_arrival_rate::validate;

pub(super) const ABOUT: &str =
    "independent arrivals (Poisson) at a mean rate, each a user with one iteration";

/// `kind = "poisson-arrivals"`: independent arrivals at a mean rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoissonArrivals {
    /// How many arrive in how much time, on average.
    pub rate: Rate,
    /// How long they go on arriving.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub duration: Duration,
    /// How many are there at a time.
    #[serde(skip)]
    pub intake: Intake,
}

impl PoissonArrivals {
    /// At this mean rate for this long.
    pub fn new(rate: Rate, duration: Duration) -> Self {
        Self { rate, duration, intake: Intake::default() }
    }

    fn arrivals(&self) -> Arrivals {
        Arrivals::Poisson(Profile::new([(self.rate, self.rate, self.duration)]))
    }
}

arriving!(PoissonArrivals);

impl Workload for PoissonArrivals {
    fn validate(&self) -> Result<(), InvalidField> {
        more_than_none("rate", self.rate.is_zero(), "a rate such as \"10/s\"")?;
        goes_on("duration", self.duration)?;
        validate("rate", &self.arrivals(), &self.intake)
    }

    fn describe(&self) -> String {
        format!(
            "independent arrivals (Poisson) at {} on average for {}{}",
            self.rate,
            units::text(self.duration),
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
