//! Workloads: who arrives when, how often they come back, how long they pause.
//!
//! A workload is data. It is validated when it is read, described in a line, and turned into [`Part`]s before
//! the run begins; one driver (in `world::drive`) then plays them. Adding one is a file here and a line in
//! [`MODELS`].
//!
//! Closed models have users who loop: a slow system slows its own load down. Open models have arrivals at
//! instants that do not depend on the system, each a virtual user with one iteration; what a stalled system
//! delays is measured from the instant that was intended.
//!
//! | module | `kind` | model |
//! | --- | --- | --- |
//! | [`all_at_once`] | `all-at-once` | n users at one instant, one iteration each |
//! | [`bursts`] | `bursts` | n users at one instant, again and again |
//! | [`constant_users`] | `constant-users` | n users in a loop for a duration |
//! | [`ramping_users`] | `ramping-users` | a number of users that follows stages |
//! | [`stepped_users`] | `stepped-users` | a number of users that rises in steps |
//! | [`controlled`] | `controlled` | a number of users that the script changes |
//! | [`per_user_iterations`] | `per-user-iterations` | n users with m iterations each |
//! | [`shared_iterations`] | `shared-iterations` | n users share m iterations |
//! | [`constant_arrival_rate`] | `constant-arrival-rate` | arrivals at a rate |
//! | [`ramping_arrival_rate`] | `ramping-arrival-rate` | a rate that follows stages |
//! | [`stepped_arrival_rate`] | `stepped-arrival-rate` | a rate that rises in steps |
//! | [`poisson_arrivals`] | `poisson-arrivals` | independent arrivals at a mean rate |
//! | [`stress_peak`] | `stress-peak` | n arrivals along a smooth step |
//! | [`recorded_arrivals`] | `recorded-arrivals` | arrivals of a recording |
//!
//! | module | what they have in common |
//! | --- | --- |
//! | [`part`] | what a workload comes to: waves and arrivals |
//! | [`rhythm`] | of users who loop: pauses, pacing, offsets, graceful stop |
//! | [`intake`] | of arrivals: how many at a time, how many wait |
//! | [`rate`], [`profile`], [`stages`] | rates, and the n-th arrival of a rate that changes |
//! | [`side_by_side`] | several workloads in one scenario |
//! | [`mix`] | kinds of users by exact weights, over any of them |
//! | [`distribution`] | pauses: constant, uniform, exponential, log-normal, Zipf |

mod all_at_once;
mod bursts;
mod constant_arrival_rate;
mod constant_users;
mod controlled;
mod distribution;
mod intake;
pub(crate) mod measured;
mod mix;
mod normal;
mod part;
mod per_user_iterations;
mod poisson_arrivals;
mod profile;
mod ramping_arrival_rate;
mod ramping_users;
mod rate;
mod recorded_arrivals;
mod rhythm;
mod shared_iterations;
mod side_by_side;
mod stages;
mod stepped_arrival_rate;
mod stepped_users;
mod stress_peak;

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

use crate::input::InputError;
pub use all_at_once::AllAtOnce;
pub use bursts::Bursts;
pub use constant_arrival_rate::ConstantArrivalRate;
pub use constant_users::ConstantUsers;
pub use controlled::Controlled;
pub use distribution::Distribution;
pub use intake::Intake;
pub use measured::Measured;
pub(crate) use mix::{Kinds, assign};
pub use part::{Arrival, Arrivals, Load, Part, Repeat, Wave};
pub use per_user_iterations::PerUserIterations;
pub use poisson_arrivals::PoissonArrivals;
pub use ramping_arrival_rate::RampingArrivalRate;
pub use ramping_users::RampingUsers;
pub use rate::Rate;
pub use recorded_arrivals::RecordedArrivals;
pub use rhythm::Rhythm;
pub use shared_iterations::SharedIterations;
pub use side_by_side::SideBySide;
pub use stages::{RateStage, UserStage};
pub use stepped_arrival_rate::SteppedArrivalRate;
pub use stepped_users::SteppedUsers;
pub use stress_peak::StressPeak;

/// More users than this in one closed workload is a slip of the finger, not a load.
const MAX_USERS: u64 = 10_000_000;

/// Arrivals have 32-bit numbers.
const MAX_ARRIVALS: u64 = 4_000_000_000;

/// A model of load: see the table of workloads in the documentation, or write one of your own.
pub trait Workload: fmt::Debug + Send + Sync {
    /// Whether it can be run.
    ///
    /// # Errors
    /// Names the field that is wrong, and why.
    fn validate(&self) -> Result<(), InvalidField>;

    /// What it does, in a line: `10 users in a loop for 5m, pausing 50ms`.
    fn describe(&self) -> String;

    /// What the run will play.
    fn parts(&self) -> Vec<Part>;

    /// What users who loop have in common, where the model has such users: the keys of [`Rhythm`] in a
    /// scenario file go here.
    fn rhythm(&mut self) -> Option<&mut Rhythm> {
        None
    }

    /// What arrivals have in common, where the model has arrivals: the keys of [`Intake`] go here.
    fn intake(&mut self) -> Option<&mut Intake> {
        None
    }

    /// Reads the files that it names, by their paths as they stand in the scenario.
    ///
    /// # Errors
    /// When a file cannot be read, or does not hold what it should.
    fn read_files(
        &mut self,
        read: &dyn Fn(&str) -> Result<crate::Source, InputError>,
    ) -> Result<(), FileError> {
        let _ = read;
        Ok(())
    }
}

/// What is wrong with a file that a workload names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// The file is not there, or cannot be read: said of this field of the workload.
    Unreadable(&'static str, InputError),
    /// It does not hold what it should; the error has the place in the file.
    Malformed(InputError),
}

/// A field of a workload that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {why}")]
pub struct InvalidField {
    /// Its key in the scenario file.
    pub field: &'static str,
    /// What is wrong, and what was expected.
    pub why: String,
}

impl InvalidField {
    fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }
}

/// How a workload is read from a scenario file.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) read: fn(ValueDeserializer<'_>) -> Result<Box<dyn Workload>, toml::de::Error>,
    /// Its keys in a scenario file, with those that it shares with others of its sort.
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

impl Model {
    /// A model with keys of its own and no others.
    const fn new<W>(name: &'static str, about: &'static str) -> Self
    where
        W: Workload + DeserializeOwned + JsonSchema + 'static,
    {
        Self { name, about, read: read::<W>, schema: W::json_schema }
    }

    /// A model whose users loop: it has the keys of [`Rhythm`] too.
    const fn looping<W>(name: &'static str, about: &'static str) -> Self
    where
        W: Workload + DeserializeOwned + JsonSchema + 'static,
    {
        Self { schema: with_keys_of::<W, Rhythm>, ..Self::new::<W>(name, about) }
    }

    /// A model with arrivals: it has the keys of [`Intake`] too.
    const fn arriving<W>(name: &'static str, about: &'static str) -> Self
    where
        W: Workload + DeserializeOwned + JsonSchema + 'static,
    {
        Self { schema: with_keys_of::<W, Intake>, ..Self::new::<W>(name, about) }
    }
}

fn with_keys_of<W: JsonSchema, Shared: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = W::json_schema(generator);
    let shared = Shared::json_schema(generator);
    let shared = shared.get("properties").and_then(|keys| keys.as_object()).cloned();
    let keys = schema.get_mut("properties").and_then(|keys| keys.as_object_mut());
    keys.expect("a workload has fields").extend(shared.expect("what is shared has fields"));
    schema
}

/// Every model that a scenario file can name.
pub(crate) const MODELS: &[Model] = &[
    Model::new::<AllAtOnce>("all-at-once", all_at_once::ABOUT),
    Model::new::<Bursts>("bursts", bursts::ABOUT),
    Model::looping::<ConstantUsers>("constant-users", constant_users::ABOUT),
    Model::looping::<RampingUsers>("ramping-users", ramping_users::ABOUT),
    Model::looping::<SteppedUsers>("stepped-users", stepped_users::ABOUT),
    Model::looping::<Controlled>("controlled", controlled::ABOUT),
    Model::looping::<PerUserIterations>("per-user-iterations", per_user_iterations::ABOUT),
    Model::looping::<SharedIterations>("shared-iterations", shared_iterations::ABOUT),
    Model::arriving::<ConstantArrivalRate>("constant-arrival-rate", constant_arrival_rate::ABOUT),
    Model::arriving::<RampingArrivalRate>("ramping-arrival-rate", ramping_arrival_rate::ABOUT),
    Model::arriving::<SteppedArrivalRate>("stepped-arrival-rate", stepped_arrival_rate::ABOUT),
    Model::arriving::<PoissonArrivals>("poisson-arrivals", poisson_arrivals::ABOUT),
    Model::arriving::<StressPeak>("stress-peak", stress_peak::ABOUT),
    Model::arriving::<RecordedArrivals>("recorded-arrivals", recorded_arrivals::ABOUT),
];

/// The models that a scenario file can name, with a line each.
pub fn models() -> impl Iterator<Item = (&'static str, &'static str)> {
    MODELS.iter().map(|model| (model.name, model.about))
}

fn read<W: Workload + DeserializeOwned + 'static>(
    from: ValueDeserializer<'_>,
) -> Result<Box<dyn Workload>, toml::de::Error> {
    Ok(Box::new(W::deserialize(from)?))
}

/// Checks a number of users.
fn users(field: &'static str, users: u64) -> Result<(), InvalidField> {
    match users {
        0 => Err(InvalidField::new(field, "is 0: expected at least one user")),
        MAX_USERS.. => Err(InvalidField::new(
            field,
            format!("is {users}: expected fewer than {MAX_USERS} users in one run"),
        )),
        _ => Ok(()),
    }
}

/// Checks that something happens at least once, or takes some time.
fn more_than_none(field: &'static str, is_none: bool, what: &str) -> Result<(), InvalidField> {
    if is_none {
        return Err(InvalidField::new(field, format!("is 0: expected {what}")));
    }
    Ok(())
}

/// Checks how long a load goes on.
fn goes_on(field: &'static str, duration: Duration) -> Result<(), InvalidField> {
    more_than_none(field, duration.is_zero(), "a time to go on for")
}
