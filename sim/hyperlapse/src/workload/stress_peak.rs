//! An open model: many arrivals along a smooth step, few at both ends and most in the middle.
//!
//! The share that has arrived follows the error function, a smooth form of the step function: Gatling's
//! `stressPeakUsers` has the same shape.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant_arrival_rate::validate;
use super::intake::arriving;
use super::{Arrivals, Intake, InvalidField, Part, Workload, goes_on};
use crate::units;

pub(super) const ABOUT: &str = "n arrivals along a smooth step, most of them in the middle";

/// `kind = "stress-peak"`: arrivals along a smooth step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StressPeak {
    /// How many arrive.
    pub users: u64,
    /// Over how long.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub duration: Duration,
    /// How many are there at a time.
    #[serde(skip)]
    pub intake: Intake,
}

impl StressPeak {
    /// So many over so long.
    pub fn new(users: u64, duration: Duration) -> Self {
        Self { users, duration, intake: Intake::default() }
    }

    fn arrivals(&self) -> Arrivals {
        Arrivals::Peak { users: self.users, duration: self.duration }
    }
}

arriving!(StressPeak);

impl Workload for StressPeak {
    fn validate(&self) -> Result<(), InvalidField> {
        goes_on("duration", self.duration)?;
        validate("users", &self.arrivals(), &self.intake)
    }

    fn describe(&self) -> String {
        format!(
            "{} arriving in a peak over {}{}",
            units::plural(self.users, "user"),
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

/// Half of the width of the step, in standard deviations times the square root of two: 99.5% of an unbounded one.
const WIDTH: f64 = 2.0;

/// When the n-th of `users` arrives.
pub(super) fn instant_ns(n: u64, users: u64, duration: Duration) -> u64 {
    let share = (n as f64 + 0.5) / users as f64;
    // Monotone: halving the interval finds it to the last bit, the same on every machine.
    let (mut low, mut high) = (0.0f64, 1.0f64);
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        match arrived(middle) < share {
            true => low = middle,
            false => high = middle,
        }
    }
    (low * units::nanos(duration) as f64) as u64
}

/// The share that has arrived after this share of the time.
fn arrived(time: f64) -> f64 {
    (1.0 + libm::erf(WIDTH * (2.0 * time - 1.0)) / libm::erf(WIDTH)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_symmetric_and_half_of_it_is_in_the_middle_quarter() {
        let ms = |n| instant_ns(n, 1_000, Duration::from_secs(10)) / 1_000_000;
        for n in 0..1_000 {
            assert!((9_998..=10_002).contains(&(ms(n) + ms(999 - n))), "{n}");
        }
        let middle = (0..1_000).filter(|n| (3_800..6_200).contains(&ms(*n))).count();
        assert!((490..=520).contains(&middle), "{middle}");
        assert!((1..1_000).all(|n| ms(n) >= ms(n - 1)));
    }
}
