//! An open model: arrivals at a constant rate, whatever the system makes of them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intake::arriving;
use super::profile::Profile;
use super::{
    Arrivals, Intake, InvalidField, MAX_ARRIVALS, Part, Rate, Workload, goes_on, more_than_none,
};
use crate::units;

pub(super) const ABOUT: &str = "arrivals at a constant rate, each a user with one iteration";

/// `kind = "constant-arrival-rate"`: arrivals at a constant rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstantArrivalRate {
    /// How many arrive in how much time. The first arrives at the beginning, the n-th n gaps later.
    pub rate: Rate,
    /// How long they go on arriving.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub duration: Duration,
    /// How many are there at a time.
    #[serde(skip)]
    pub intake: Intake,
}

impl ConstantArrivalRate {
    /// At this rate for this long.
    pub fn new(rate: Rate, duration: Duration) -> Self {
        Self { rate, duration, intake: Intake::default() }
    }
}

arriving!(ConstantArrivalRate);

/// Checks the rates of a load.
pub(super) fn validate(
    field: &'static str,
    arrivals: &Arrivals,
    intake: &Intake,
) -> Result<(), InvalidField> {
    match arrivals.expected() {
        0 => return Err(InvalidField::new(field, "is too low: nobody would ever arrive")),
        MAX_ARRIVALS.. => {
            let why = format!("makes more than {MAX_ARRIVALS} arrivals: expected a shorter load");
            return Err(InvalidField::new(field, why));
        }
        _ => {}
    }
    intake.validate()
}

impl ConstantArrivalRate {
    fn arrivals(&self) -> Arrivals {
        Arrivals::Regular(Profile::new([(self.rate, self.rate, self.duration)]))
    }
}

impl Workload for ConstantArrivalRate {
    fn validate(&self) -> Result<(), InvalidField> {
        more_than_none("rate", self.rate.is_zero(), "a rate such as \"10/s\"")?;
        goes_on("duration", self.duration)?;
        validate("rate", &self.arrivals(), &self.intake)
    }

    fn describe(&self) -> String {
        let duration = units::text(self.duration);
        format!("arrivals at {} for {duration}{}", self.rate, self.intake.describe())
    }

    fn parts(&self) -> Vec<Part> {
        vec![Part::open(self.arrivals(), &self.intake)]
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        Some(&mut self.intake)
    }
}
