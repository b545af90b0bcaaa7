//! An open model: a rate of arrivals that follows stages.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intake::arriving;
use super::profile::Profile;
use super::{Arrivals, Intake, InvalidField, Part, Rate, RateStage, Workload};
use crate::units;
use crate::workload::constant_arrival_rate::validate;

pub(super) const ABOUT: &str =
    "a rate of arrivals that follows stages, each a user with one iteration";

/// `kind = "ramping-arrival-rate"`: a rate of arrivals that follows stages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RampingArrivalRate {
    /// The rate at first.
    #[serde(default = "nobody")]
    pub rate: Rate,
    /// Where it goes from there.
    pub stages: Vec<RateStage>,
    /// Whether arrivals are independent of each other (a Poisson process) instead of evenly spaced.
    #[serde(default)]
    pub randomized: bool,
    /// How many are there at a time.
    #[serde(skip)]
    pub intake: Intake,
}

fn nobody() -> Rate {
    Rate::ZERO
}

impl RampingArrivalRate {
    /// At this rate at first; the stages follow.
    pub fn from(rate: Rate) -> Self {
        Self { rate, stages: Vec::new(), randomized: false, intake: Intake::default() }
    }

    /// To this rate over so long; zero is a jump.
    pub fn to(mut self, target: Rate, duration: Duration) -> Self {
        self.stages.push(RateStage { duration, target });
        self
    }

    /// Arrivals that are independent of each other instead of evenly spaced.
    pub fn randomized(self) -> Self {
        Self { randomized: true, ..self }
    }

    fn arrivals(&self) -> Arrivals {
        arrivals(self.rate, &self.stages, self.randomized)
    }
}

arriving!(RampingArrivalRate);

pub(super) fn arrivals(first: Rate, stages: &[RateStage], randomized: bool) -> Arrivals {
    let mut from = first;
    let pieces = stages.iter().map(|stage| {
        let piece = (from, stage.target, stage.duration);
        from = stage.target;
        piece
    });
    let profile = Profile::new(pieces);
    if randomized { Arrivals::Poisson(profile) } else { Arrivals::Regular(profile) }
}

impl Workload for RampingArrivalRate {
    fn validate(&self) -> Result<(), InvalidField> {
        if self.stages.is_empty() {
            return Err(InvalidField::new("stages", "is empty: expected at least one stage"));
        }
        validate("stages", &self.arrivals(), &self.intake)
    }

    fn describe(&self) -> String {
        let stages: Vec<String> = self.stages.iter().map(describe_stage).collect();
        format!(
            "arrivals at {}, {}{}{}",
            self.rate,
            stages.join(", "),
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

fn describe_stage(stage: &RateStage) -> String {
    match stage.duration.is_zero() {
        true => format!("at once to {}", stage.target),
        false => format!("to {} over {}", stage.target, units::text(stage.duration)),
    }
}
